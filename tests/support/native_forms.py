"""Compiled functions for the tests of `compiled`, and the signatures that they have in ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import c_double, c_int, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DOUBLES = ctypes.POINTER(c_double)
RESIDUAL_TYPES = (c_void_p, c_int, c_int, DOUBLES, DOUBLES, c_int)
COMBINED_TYPES = (c_void_p, c_int, c_int, DOUBLES, DOUBLES, DOUBLES, c_int, c_int)
RESIDUAL = ctypes.CFUNCTYPE(c_int, *RESIDUAL_TYPES)
COMBINED = ctypes.CFUNCTYPE(c_int, *COMBINED_TYPES)

C_RESIDUAL = "int (void *, int, int, double *, double *, int)"
C_COMBINED = "int (void *, int, int, double *, double *, double *, int, int)"

M = 7
T = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0])
Y = np.array([4.98, 3.72, 2.98, 2.47, 2.16, 1.74, 1.61])
DATA = np.array([T, Y])
X = np.array([3.0, 0.5, 1.25])


def residuals(x: Any) -> NDArray[np.float64]:
    """Return what decay and decay_combined give for DATA, up to rounding."""
    return np.asarray(x[0] * np.exp(-x[1] * T) + x[2] - Y)


def jacobian(x: Any) -> NDArray[np.float64]:
    """Return the Jacobian of them."""
    e = np.exp(-x[1] * T)
    return np.stack([e, -x[0] * T * e, np.ones(M)], axis=1)


def function_of(path: Path, name: str, types: Any = None) -> Any:
    """Return a function of a library, of which ctypes knows the types if they are given."""
    function = getattr(ctypes.CDLL(str(path)), name)
    function.argtypes = types
    return function


def address_of(function: Any) -> int:
    """Return where a function of ctypes is."""
    address = ctypes.cast(function, c_void_p).value
    assert address is not None
    return address


def capsule_of(address: int, name: bytes | None, context: int = 0) -> Any:
    """Return a PyCapsule. Its name has to be kept by the caller."""
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, (c_void_p, ctypes.c_char_p, c_void_p)
    capsule = new(address, name, None)
    set_context = ctypes.pythonapi.PyCapsule_SetContext
    set_context.restype, set_context.argtypes = c_int, (ctypes.py_object, c_void_p)
    assert set_context(capsule, context) == 0
    return capsule


def in_python(function: Callable[..., Any], types: Any = RESIDUAL) -> Any:
    """Return a compiled function that calls one in Python."""
    return types(function)
