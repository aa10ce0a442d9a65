"""What every wheel is tried with before it goes out: `python tests/support/smoke.py`.

Needs no other file, and no other package than NumPy, so that it tells what a user of the wheel has.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import math
import sys
import sysconfig
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pyminpack

Vector = NDArray[np.float64]

# NIST's Misra1a: absorbed volume against pressure, the starts, and the certified parameters.
PRESSURE = np.array([77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8,
                     593.1, 689.1, 760.0])  # fmt: skip
VOLUME = np.array([10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01,
                   66.40, 75.47, 81.78])  # fmt: skip
MISRA1A_STARTS = ([500.0, 0.0001], [250.0, 0.0005])
MISRA1A = [2.3894212918e02, 5.5015643181e-04]


def rosenbrock(x: Vector) -> list[float]:
    return [10 * (x[1] - x[0] ** 2), 1 - x[0]]


def rosenbrock_jacobian(x: Vector) -> list[list[float]]:
    return [[-20 * x[0], 10], [-1, 0]]


def misra1a(b: Vector) -> Vector:
    return b[0] * (1 - np.exp(-b[1] * PRESSURE)) - VOLUME


def check_small_fits() -> None:
    for jacobian in (None, rosenbrock_jacobian):
        x, ier = pyminpack.leastsq(rosenbrock, [-1.2, 1.0], Dfun=jacobian)
        assert ier in (1, 2, 3, 4)
        np.testing.assert_allclose(x, [1, 1], rtol=1e-10)
    for start in MISRA1A_STARTS:
        b, ier = pyminpack.leastsq(misra1a, start, ftol=1e-14, xtol=1e-14)
        assert ier in (1, 2, 3, 4)
        np.testing.assert_allclose(b, MISRA1A, rtol=1e-8)


def check_large_fit() -> None:
    """Fit by blocks, with the instruction set of this machine, and as MINPACK does it."""
    rng = np.random.default_rng(1980)
    matrix = rng.standard_normal((2000, 70))
    wanted = rng.standard_normal(70)
    data = np.tanh(matrix @ wanted / 9)

    def jacobian(x: Vector) -> Vector:
        return matrix * (1 - np.tanh(matrix @ x / 9) ** 2)[:, None] / 9

    for qr in ("blocked", "minpack"):
        x, ier = pyminpack.leastsq(
            lambda x: np.tanh(matrix @ x / 9) - data, np.zeros(70), Dfun=jacobian, qr=qr
        )
        assert ier in (1, 2, 3, 4)
        np.testing.assert_allclose(x, wanted, rtol=1e-6)


def check_compiled_function() -> None:
    """Fit by a function that C calls by its address, with the data behind it."""
    c_int, doubles = ctypes.c_int, ctypes.POINTER(ctypes.c_double)

    @ctypes.CFUNCTYPE(c_int, doubles, c_int, c_int, doubles, doubles, c_int)
    def fcn(p: Any, m: int, n: int, x: Any, fvec: Any, iflag: int) -> int:
        for i in range(m):
            fvec[i] = x[0] * (1 - math.exp(-x[1] * p[i])) - p[m + i]
        return 0

    function = pyminpack.compiled(fcn, VOLUME.size, data=np.array([PRESSURE, VOLUME]))
    x, ier = pyminpack.leastsq(function, MISRA1A_STARTS[1])
    assert ier in (1, 2, 3, 4)
    np.testing.assert_allclose(x, MISRA1A, rtol=1e-6)


def check_refusals() -> None:
    class OfTheUser(Exception):
        pass

    def raising(x: Vector) -> Vector:
        raise OfTheUser

    try:
        pyminpack.leastsq(raising, [1.0])
    except OfTheUser:
        return
    raise AssertionError("the exception did not come out")


def check_the_gil_stays_off() -> None:
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        assert not sys._is_gil_enabled(), "importing pyminpack switched the GIL on"


if __name__ == "__main__":
    assert pyminpack.__version__ == importlib.metadata.version("pyminpack")
    pyminpack.show_config()
    check_small_fits()
    check_large_fit()
    check_compiled_function()
    check_refusals()
    check_the_gil_stays_off()
    print("all is well")
