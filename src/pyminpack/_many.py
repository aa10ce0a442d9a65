"""`leastsq_many`: arguments, defaults, and which of the drivers makes the fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import numpy as np

from . import _core
from ._leastsq import (
    _FLOAT64,
    _QR,
    _as_float64,
    _evaluation_limit,
    _improper,
    _integer,
    _not_callable,
    _real,
    settle_compiled,
)
from ._many_result import ManyFits, attach, unfinished
from ._many_vectorised import Evaluated, step_together
from ._messages import describe
from ._progress import Progress

if TYPE_CHECKING:  # numpy.typing would take longer to import than all of pyminpack
    from collections.abc import Callable
    from typing import SupportsFloat, SupportsIndex

    from numpy.typing import ArrayLike, NDArray

    from ._progress import _Wish

    _Table = NDArray[np.float64]

_Kind = TypeVar("_Kind", bound=ManyFits)


class Settled(NamedTuple):
    """What all fits are made with, checked and converted: what the drivers in C are given."""

    x0: _Table  # (B, N)
    diag: _Table | None  # (1 or B, N)
    weights: _Table | None  # (1 or B, M)
    options: tuple[float, float, float, float, int, float | None, int]
    chunk_size: int  # 0: as suits

    def begin(self, kind: type[_Kind], cov_x: bool, **more: Any) -> _Kind:
        """Return results of that kind for fits that are yet to be made."""
        ftol, xtol, gtol, _, maxfev, _, _ = self.options
        options = {"ftol": ftol, "xtol": xtol, "gtol": gtol, "maxfev": maxfev}
        count, n = self.x0.shape
        return unfinished(kind, count, n, cov_x, options=options, **more)


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
    progress: _Wish = None,
) -> ManyFits:
    """
    Make B independent fits of M residuals with N variables each.
    """
    require_lockstep()
    _require_functions(func, Dfun)
    if not isinstance(args, tuple):
        args = (args,)
    if isinstance(func, _core.Compiled):
        Dfun = settle_compiled(func, Dfun, args)
    settled = settle(
        x0, Dfun is not None, ftol, xtol, gtol, maxfev, epsfcn, factor, diag, weights, qr,
        chunk_size,
    )  # fmt: skip
    threads = _at_least_1("workers", workers)
    if isinstance(func, _core.Compiled):
        return _fit_compiled(settled, func, Dfun, data, bool(cov_x), threads, progress)
    if data is not None:
        raise TypeError(
            "data are for a func of pyminpack.compiled; any other can take the rows of its own "
            "data that belong to the fits, data[index]"
        )
    if threads > 1:
        raise ValueError(
            "workers above 1 need a func of pyminpack.compiled; any other is called for all fits "
            "at once, in the thread that called leastsq_many"
        )
    evaluated = Evaluated(func, Dfun, args, bool(col_deriv), len(settled.x0))
    fits = settled.begin(ManyFits, bool(cov_x))
    fit_together(settled, evaluated, fits, lambda: fits, progress)
    return fits


def _fit_compiled(
    settled: Settled,
    func: _core.Compiled,
    Dfun: Any,
    data: Any,
    cov_x: bool,
    workers: int,
    progress: _Wish,
) -> ManyFits:
    from ._many_compiled import drive, rows_of

    count = len(settled.x0)
    functions = [func] if Dfun is None or Dfun is func else [func, Dfun]
    rows = rows_of(data, functions, count)
    fits = settled.begin(ManyFits, cov_x)
    batch = _core.Batch(
        (settled.x0, settled.diag, settled.weights, None),
        (fits.x, fits.ier, fits.nfev, fits.njev, fits.fnorm, None, fits.cov_x),
        settled.options,
        func,
        Dfun,
        rows,
    )
    run(lambda told: drive(batch, min(workers, count), told), lambda: fits, progress, count)
    return fits


def require_lockstep() -> None:
    """Refuse where the build has no fits that can be resumed."""
    if not hasattr(_core, "Lockstep"):
        raise NotImplementedError(
            "leastsq_many is a part of minpack/, and this build is on another MINPACK"
        )


def settle(
    x0: Any,
    has_jacobian: bool,
    ftol: Any,
    xtol: Any,
    gtol: Any,
    maxfev: Any,
    epsfcn: Any,
    factor: Any,
    diag: Any,
    weights: Any,
    qr: Any,
    chunk_size: Any,
) -> Settled:
    """Check and convert what `leastsq_many` is given, before any of the user's code runs."""
    start = _starts(x0)
    count, n = start.shape
    tolerances = _real("ftol", ftol), _real("xtol", xtol), _real("gtol", gtol)
    bound = _real("factor", factor)
    step = None if epsfcn is None else _real("epsfcn", epsfcn)
    limit = _evaluation_limit(maxfev, n, has_jacobian)
    try:
        factorisation = _QR[qr]
    except (KeyError, TypeError):
        raise ValueError(f"qr must be 'auto', 'minpack' or 'blocked', not {qr!r}") from None
    scale = None if diag is None else _scales(diag, count, n)
    if improper := _improper(n, *tolerances, bound, scale):
        raise TypeError(describe(0, *tolerances, limit, improper))
    return Settled(
        start,
        None if scale is None else np.atleast_2d(scale),
        None if weights is None else _weights(weights, count),
        (*tolerances, bound, limit, step, factorisation),
        0 if chunk_size is None else _at_least_1("chunk_size", chunk_size),
    )


def fit_together(
    settled: Settled,
    evaluated: Evaluated,
    fits: ManyFits,
    result: Callable[[], ManyFits],
    progress: _Wish,
    ydata: _Table | None = None,
    squares: NDArray[np.float64] | None = None,
) -> None:
    """
    Make fits whose residuals come from a Python function, less ydata (1 or B, M).

    The arrays of `fits` are filled, and `squares` (B,) with the sums of squares. `result` makes
    of them what goes with an exception.
    """
    lockstep = _core.Lockstep(
        (settled.x0, settled.diag, settled.weights, ydata),
        (fits.x, fits.ier, fits.nfev, fits.njev, fits.fnorm, squares, fits.cov_x),
        settled.options,
        evaluated.Dfun is None,
        settled.chunk_size,
    )
    run(lambda told: step_together(lockstep, evaluated, told), result, progress, len(settled.x0))


def run(
    drive: Callable[[Callable[[int], None]], None],
    result: Callable[[], ManyFits],
    progress: _Wish,
    total: int,
) -> None:
    """
    Let a driver make the fits, which tells how many are done.

    An exception takes along what `result` returns then.
    """
    told = Progress(progress, total)
    try:
        with told:
            drive(told)
    except BaseException as error:
        attach(error, result)
        raise


def _require_functions(func: Any, Dfun: Any) -> None:
    if not callable(func):
        raise _not_callable("func", func)
    if Dfun is not None and not callable(Dfun):
        raise _not_callable("Dfun", Dfun)
    is_compiled = isinstance(func, _core.Compiled)
    if Dfun is not None and is_compiled is not isinstance(Dfun, _core.Compiled):
        raise TypeError(
            "func and Dfun must both be of pyminpack.compiled or both be Python functions, and "
            f"{'func' if is_compiled else 'Dfun'} alone is compiled"
        )


def _starts(x0: Any) -> _Table:
    # A copy, because an array that is float64 already may still be misaligned.
    start = np.array(x0, order="C")
    if start.dtype is not _FLOAT64:
        start = _as_float64("x0", start)
    if start.ndim != 2 or start.size == 0:
        raise ValueError(
            "x0 must have shape (B, N), a row for each fit, with B and N at least 1, and has "
            f"shape {start.shape}"
        )
    return start


def _scales(diag: Any, count: int, n: int) -> _Table:
    scale = _as_float64("diag", np.array(diag, order="C"))
    if scale.shape not in ((n,), (count, n)):
        raise ValueError(
            f"diag must have shape ({n},), a factor for each variable, or ({count}, {n}), a row "
            f"for each fit, not {scale.shape}"
        )
    if np.isnan(scale).any():
        raise ValueError("diag must not contain NaN")
    return scale


def _weights(weights: Any, count: int) -> _Table:
    w = _as_float64("weights", np.array(weights, order="C"))
    if w.ndim not in (1, 2) or (w.ndim == 2 and len(w) != count) or w.size == 0:
        raise ValueError(
            f"weights must have shape (M,), one for each residual, or ({count}, M), a row for "
            f"each fit, not {w.shape}"
        )
    if not (np.isfinite(w) & (w >= 0)).all():
        where = np.argwhere(~(np.isfinite(w) & (w >= 0)))[0].tolist()
        raise ValueError(
            f"weights must be finite and not negative, and weights{where} is {w[tuple(where)]}"
        )
    return np.atleast_2d(w)


def _at_least_1(name: str, value: Any) -> int:
    number = _integer(name, value)
    if number < 1:
        raise ValueError(f"{name} must be at least 1, and is {number}")
    return number
