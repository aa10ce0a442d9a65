"""One fit of a data set of NIST, with what is certified of it: parameters, their errors, and rss.

>>> from nist import TIGHT, fit, load
>>> thurber = load()["Thurber"]
>>> result = fit(thurber, thurber.starts[0], Dfun=thurber.jacobian, **TIGHT)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from pyminpack import leastsq
from pyminpack.compare.nist import Dataset, Scalar, Vector, load, log_relative_error

__all__ = ["TIGHT", "Dataset", "Fit", "Scalar", "Vector", "fit", "load", "log_relative_error"]

TIGHT: Final[Mapping[str, Any]] = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 0.0, "maxfev": 20_000}
"""Options that let a fit go on until rounding ends it."""


@dataclass(frozen=True, eq=False)
class Fit:
    """What a fit found: parameters (n,) and their standard errors (n,), NaN when unknown.

    `njev` is 0 when no function was given for the Jacobian.
    """

    parameters: Vector
    standard_errors: Vector
    rss: float
    nfev: int
    njev: int
    ier: int
    message: str


def fit(dataset: Dataset, start: ArrayLike, **options: Any) -> Fit:
    """Fit `dataset` from the parameters `start` (n,); `options` are those of `leastsq`."""
    b, cov_x, infodict, message, ier = leastsq(dataset.residual, start, full_output=True, **options)
    rss = float(infodict["fvec"] @ infodict["fvec"])
    if cov_x is None:
        standard_errors = np.full(b.size, np.nan)
    else:
        standard_errors = np.sqrt(np.diag(cov_x) * rss / (dataset.y.size - b.size))
    return Fit(
        parameters=b,
        standard_errors=standard_errors,
        rss=rss,
        nfev=infodict["nfev"],
        njev=infodict.get("njev", 0),
        ier=ier,
        message=message,
    )
