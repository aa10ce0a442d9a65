"""What every wheel has to do before it is published: python tests/smoke.py, with NumPy alone.

Exits with 1, and says why, when the installed package cannot fit two problems with known answers,
or brings a library of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import pyminpack
from pyminpack import curve_fit, leastsq, show_config
from pyminpack.compare.nist import Dataset, load, log_relative_error

Vector = NDArray[np.float64]

DIGITS = 7
"""What both fits of the data set have of NIST's parameters, on any machine."""


def rosenbrock(x: Vector) -> Vector:
    return np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])


def misra1a(x: Vector, b1: float, b2: float) -> Vector:
    return b1 * (1.0 - np.exp(-b2 * x))


def check(what: str, is_so: bool) -> bool:
    print(f"{'ok    ' if is_so else 'FAILED'} {what}")
    return is_so


def check_digits(what: str, found: Vector, certified: Vector) -> bool:
    digits = log_relative_error(found, certified).min()
    return check(f"{what}: {digits:.1f} digits of NIST's", bool(digits >= DIGITS))


def grafted() -> list[str]:
    """Name the folders in which auditwheel, delocate and delvewheel put libraries."""
    package = Path(pyminpack.__file__).parent
    folders = (package.with_name("pyminpack.libs"), package / ".dylibs")
    return [folder.name for folder in folders if folder.exists()]


def checks(misra: Dataset) -> list[bool]:
    root, ier = leastsq(rosenbrock, [-1.2, 1.0])
    b, b_ier = leastsq(misra.residual, misra.starts[0], Dfun=misra.jacobian)
    popt, pcov = curve_fit(misra1a, misra.x, misra.y, p0=misra.starts[0])
    return [
        check("leastsq, Rosenbrock: (1, 1)", ier in (1, 2, 3, 4) and np.allclose(root, 1.0, 1e-12)),
        check("leastsq, Misra1a: converged", b_ier in (1, 2, 3)),
        check_digits("leastsq, Misra1a", b, misra.certified),
        check_digits("curve_fit, Misra1a", popt, misra.certified),
        check(
            "curve_fit, Misra1a: standard errors",
            np.allclose(np.sqrt(np.diag(pcov)), misra.standard_errors, rtol=1e-5),
        ),
        check("no library comes with the package", not grafted()),
    ]


def main() -> int:
    show_config()
    return 0 if all(checks(load()["Misra1a"])) else 1


if __name__ == "__main__":
    sys.exit(main())
