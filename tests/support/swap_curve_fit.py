"""A pytest plugin that puts pyminpack's `curve_fit` in SciPy's place, for SciPy's own tests.

Fits with bounds and by the methods trf and dogbox stay SciPy's, because tests mix the methods.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.optimize
from scipy.optimize.tests import test_minpack

import pyminpack

theirs = scipy.optimize.curve_fit
ours = 0


def curve_fit(*args: Any, **kwargs: Any) -> Any:
    global ours
    bounds = kwargs.get("bounds", (-np.inf, np.inf))
    lower, upper = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") else bounds
    is_bounded = np.isfinite(lower).any() or np.isfinite(upper).any()
    if kwargs.get("method") in ("trf", "dogbox") or (kwargs.get("method") is None and is_bounded):
        return theirs(*args, **kwargs)
    ours += 1
    return pyminpack.curve_fit(*args, **kwargs)


test_minpack.curve_fit = curve_fit
test_minpack.OptimizeWarning = pyminpack.OptimizeWarning


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"{ours} calls were pyminpack's")
