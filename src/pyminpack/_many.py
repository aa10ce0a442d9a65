"""`leastsq_many`: arguments, defaults, and which of the drivers makes the fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import _core
from ._leastsq import (
    _QR,
    _as_float64,
    _evaluation_limit,
    _improper,
    _integer,
    _not_callable,
    _real,
)
from ._many_result import ManyFits, unfinished
from ._messages import describe
from ._progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import SupportsFloat, SupportsIndex

    from numpy.typing import ArrayLike, NDArray

    _Table = NDArray[np.float64]


def leastsq_many(
    func: Callable[..., ArrayLike],
    x0: ArrayLike,
    args: object = (),
    Dfun: Callable[..., ArrayLike] | None = None,
    col_deriv: object = 0,
    ftol: SupportsFloat = 1.49012e-08,
    xtol: SupportsFloat = 1.49012e-08,
    gtol: SupportsFloat = 0.0,
    maxfev: SupportsIndex = 0,
    epsfcn: SupportsFloat | None = None,
    factor: SupportsFloat = 100,
    diag: ArrayLike | None = None,
    *,
    data: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    cov_x: bool = False,
    qr: Literal["auto", "minpack", "blocked"] = "auto",
    workers: SupportsIndex = 1,
    chunk_size: SupportsIndex | None = None,
    progress: Callable[[int, int], object] | bool | None = None,
) -> ManyFits:
    """
    Make B independent fits of M residuals with N variables each.
    """
    start = np.array(x0, order="C")
    if start.ndim != 2 or 0 in start.shape:
        raise ValueError(
            f"x0 must have shape (B, N), a row for each fit, with B and N at least 1, and has "
            f"shape {start.shape}"
        )
    if start.dtype != np.float64:
        start = _as_float64("x0", start)
    count, n = start.shape
    has_jacobian = Dfun is not None
    limit = _evaluation_limit(maxfev, n, has_jacobian)
    tolerances = _real("ftol", ftol), _real("xtol", xtol), _real("gtol", gtol)
    bound = _real("factor", factor)
    scale = None if diag is None else _scales(diag, count, n)
    if improper := _improper(n, *tolerances, bound, None):
        raise TypeError(describe(0, *tolerances, limit, improper))
    try:
        factorisation = _QR[qr]
    except (KeyError, TypeError):
        raise ValueError(f"qr must be 'auto', 'minpack' or 'blocked', not {qr!r}") from None
    options = (
        *tolerances,
        bound,
        limit,
        None if epsfcn is None else _real("epsfcn", epsfcn),
        factorisation,
    )
    fits = unfinished(count, n, bool(cov_x), (*tolerances, limit))
    given = (start, scale, None if weights is None else _weights(weights, count), None)
    results = (fits.x, fits.ier, fits.nfev, fits.njev, fits.fnorm, None, fits.cov_x)
    from ._many_vectorised import run

    lockstep = _core.Lockstep(given, results, options, not has_jacobian, chunk_size or 0)
    run(lockstep, func, Dfun, args, count, col_deriv)
    return fits

def _scales(diag, count, n):
    scale = np.atleast_2d(_as_float64("diag", np.array(diag, order="C")))
    return np.ascontiguousarray(scale)

def _weights(weights, count):
    w = np.atleast_2d(_as_float64("weights", np.array(weights, order="C")))
    return np.ascontiguousarray(w)
