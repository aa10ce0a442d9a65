"""A pytest plugin that puts pyminpack's `leastsq` in SciPy's place, for clients' own tests."""

from __future__ import annotations

import scipy.optimize
from scipy.optimize import _minpack_py

import pyminpack

scipy.optimize.leastsq = pyminpack.leastsq
_minpack_py.leastsq = pyminpack.leastsq
