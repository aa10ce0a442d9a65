"""A pytest plugin that puts pyminpack's `leastsq` in SciPy's place, for clients' own tests.

PYMINPACK_QR=minpack keeps Argonne's bits where the Jacobian is large.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import scipy.optimize
from scipy.optimize import _minpack_py

import pyminpack

calls = 0


@functools.wraps(pyminpack.leastsq)
def leastsq(*args: Any, **kwargs: Any) -> Any:
    global calls
    calls += 1
    return pyminpack.leastsq(*args, **kwargs, qr=os.environ.get("PYMINPACK_QR", "auto"))


scipy.optimize.leastsq = leastsq
_minpack_py.leastsq = leastsq


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"{calls} calls were pyminpack's")
