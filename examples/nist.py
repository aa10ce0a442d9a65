"""One fit of a data set of NIST, with what is certified of it: parameters, their errors, and rss.

>>> from nist import TIGHT, fit, load
>>> thurber = load()["Thurber"]
>>> result = fit(thurber, thurber.starts[0], Dfun=thurber.jacobian, **TIGHT)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from numpy.typing import ArrayLike

from pyminpack import Report, leastsq, report
from pyminpack.compare.nist import Dataset, Scalar, Vector, load, log_relative_error

__all__ = ["TIGHT", "Dataset", "Scalar", "Vector", "fit", "load", "log_relative_error"]

TIGHT: Final[Mapping[str, Any]] = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 0.0, "maxfev": 20_000}
"""Options that let a fit go on until rounding ends it."""


def fit(dataset: Dataset, start: ArrayLike, **options: Any) -> Report:
    """Fit `dataset` from the parameters `start` (n,); `options` are those of `leastsq`."""
    names = [f"b{j}" for j in range(1, dataset.certified.size + 1)]
    return report(leastsq(dataset.residual, start, full_output=True, **options), names=names)
