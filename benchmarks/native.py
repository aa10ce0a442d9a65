"""What is in C: compiles it, and for Argonne's library without Python fills floor.c's structure.

The shared libraries are loaded into this process, so that their fits can be timed in turn with the
others; what floor.c times itself has no Python in it.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from ctypes import c_double, c_int, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

from .problems import Problem, Vector

SOURCES = Path(__file__).parent
# In the order of the tables in floor.c.
KINDS = ["identity", "rosenbrock", "exponential", "powell", "table", "tanh"]
# Those of leastsq, as MINPACK takes them.
DEFAULTS = {"ftol": 1.49012e-8, "xtol": 1.49012e-8, "gtol": 0.0, "epsfcn": 0.0, "factor": 100.0}


class Fit(ctypes.Structure):
    """`struct fit` of floor.c."""

    _fields_ = (
        *((name, c_int) for name in ("m", "n", "kind", "derivatives", "maxfev")),
        *((name, c_int) for name in ("info", "nfev", "njev")),
        *((name, c_double) for name in DEFAULTS),
        ("data", c_void_p * 3),
        *((name, c_void_p) for name in ("x0", "x", "fvec", "fjac", "work", "ipvt")),
    )


def load_library(folder: Path, source: str, *libraries: str) -> ctypes.CDLL | None:
    """Compile a source; None where there is no compiler, or one of the libraries is missing."""
    built = (folder / source).with_suffix(".so")
    command = [*os.environ.get("CC", "cc").split(), "-std=gnu11", "-O3", "-shared", "-fPIC"]
    # Sums as they are written, on machines too where a compiler would join product and sum.
    command += ["-ffp-contract=off", "-o", str(built), str(SOURCES / source)]
    try:
        subprocess.run([*command, *libraries, "-lm"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return ctypes.CDLL(str(built))


def load_function(folder: Path, source: str) -> Any | None:
    """Return the function that a source is named after, with the types that `compiled` checks."""
    library = load_library(folder, source)
    if library is None:
        return None
    function = library[Path(source).stem]
    # p, m, n, x, fvec, fjac, ldfjac, iflag
    function.argtypes = [c_void_p, c_int, c_int, *[c_void_p] * 3, c_int, c_int]
    return function


class NativeFit:
    """One problem in C, with all the memory it needs."""

    def __init__(self, library: ctypes.CDLL, problem: Problem) -> None:
        assert problem.native is not None
        kind, arrays = problem.native
        n, m = problem.x0.size, problem.m
        self._seconds: Any = library.fit_seconds
        self._seconds.restype = c_double
        self.x = np.empty(n)
        # Kept, since the structure has only their addresses.
        self._memory: dict[str, Vector | np.ndarray[Any, Any]] = {
            "x0": problem.x0.copy(), "x": self.x, "fvec": np.empty(m), "fjac": np.empty(m * n),
            "work": np.empty(5 * n + m), "ipvt": np.empty(n, np.int32),
        }  # fmt: skip
        self._arrays = arrays
        self.fit = Fit(m=m, n=n, kind=KINDS.index(kind), derivatives=problem.dfun is not None)
        self.fit.maxfev = problem.options.get("maxfev", 200 * (n + 1))
        for name, default in DEFAULTS.items():
            setattr(self.fit, name, problem.options.get(name, default))
        for name, array in self._memory.items():
            setattr(self.fit, name, array.ctypes.data)
        for place, array in enumerate(arrays):
            self.fit.data[place] = array.ctypes.data

    def seconds(self, repeats: int) -> float:
        return float(self._seconds(ctypes.byref(self.fit), c_int(repeats)))
