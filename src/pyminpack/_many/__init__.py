"""`leastsq_many`: arguments, and which of the drivers makes the fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import numpy as np

from .. import _core
from .._messages import not_callable
from .progress import Progress
from .result import ManyFits, attach, unfinished
from .vectorised import Evaluated, step_together

if TYPE_CHECKING:  # numpy.typing would take longer to import than all of pyminpack
    from collections.abc import Callable
    from typing import SupportsFloat, SupportsIndex

    from numpy.typing import ArrayLike, NDArray

    from .progress import _Wish
    from .vectorised import Evaluating

    _Table = NDArray[np.float64]

_Kind = TypeVar("_Kind", bound=ManyFits)


class Prepared(NamedTuple):
    """What all fits are made with."""

    x0: _Table  # (B, N)
    diag: Any  # as given, as are
    options: tuple[Any, ...]  # ftol, xtol, gtol, factor, maxfev, epsfcn, qr
    weights: _Table | None  # (1 or B, M)
    chunk_size: int  # 0: as suits


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
    Make B independent fits of M residuals with N variables each, thousands in one call.

    Each fit comes to what `leastsq` makes of it alone, bit for bit, where `func` computes the same
    values. `func` is a Python function that is called for all fits at once, or of `compiled`.

    Parameters
    ----------
    func : callable
        ``func(X, index, *args)`` returns the residuals at k points, shape (k, M), of any real
        dtype. The rows of `X`, float64, shape (k, N), are the points, and `index`, shape (k,), says
        which fit each of them belongs to, from 0 to B - 1; with differences a fit comes several
        times. Both arrays are fresh at every call. First comes a call for fit 0 alone, k = 1.
        Or what `compiled` returned, which is called for a fit at a time.
    x0 : array_like, shape (B, N)
        The starts, a row for each fit. Copied.
    args : tuple, optional
        Further arguments of `func` and `Dfun`. Anything but a tuple is taken as the only one.
    Dfun : callable, optional
        ``Dfun(X, index, *args)`` returns the Jacobians, shape (k, M, N), or (k, N, M) with
        `col_deriv`; for N = 1 also (k, M). Here a fit comes once at most. With a `func` of
        `compiled` one with a Jacobian, mostly the same. Without it the Jacobians are approximated
        by forward differences.
    col_deriv : bool, optional
        Whether `Dfun` gives the derivatives down the columns, shape (k, N, M).
    ftol, xtol, gtol : float, optional
        As `leastsq` has them, for each fit.
    maxfev : int, optional
        Limit of the evaluations of one fit. 0 or negative: ``200*(N + 1)``, with `Dfun`
        ``100*(N + 1)``.
    epsfcn : float, optional
        Relative error of `func`, whose root is the relative step of the differences. None: the
        machine epsilon of the dtype of `func`'s first result, as in `leastsq`.
    factor : float, optional
        The first step of a fit is at most `factor` times ``||diag * x||``.
    diag : array_like, shape (N,) or (B, N), optional
        Positive scale factors for the variables, for all fits or a row for each. None: the norms
        of the Jacobian's columns.
    data : array_like, shape (B, K), optional
        For a `func` of `compiled` alone: row b is what its `p` points to in fit b. Numbers become
        float64; structured data stay as they are. None: all fits have the data of `func`.
    weights : array_like, shape (M,) or (B, M), optional
        What the residuals and the rows of the Jacobian are multiplied by, for all fits or a row
        for each: finite and not negative, or boolean. 0 and False say that a value is missing:
        whatever `func` and `Dfun` give there, NaN included, counts as 0.
    cov_x : bool, optional
        Whether to compute `cov_x` of the result.
    qr : {"auto", "minpack", "blocked"}, optional
        How the Jacobians are factored, as in `leastsq`.
    workers : int, optional
        Threads that make the fits, with a `func` of `compiled`.
    chunk_size : int, optional
        How many fits are under way at a time, which bounds the memory; when one is finished the
        next takes its place. None: as many as suit the caches. Without effect on the results, and
        with a `func` of `compiled`, where each worker has four at most.
    progress : callable or bool, optional
        ``progress(done, total)`` is called when fits are done, some ten times a second at most,
        and when all are. True: a bar of tqdm if that is installed, or else a line on stderr.

    Returns
    -------
    ManyFits
        Arrays with a row or element for each fit: `x`, `ier`, `nfev`, `njev`, `fnorm` and `cov_x`.
        ``x, ier = leastsq_many(...)`` unpacks the first two.

    Raises
    ------
    TypeError
        If an argument is of the wrong type, N exceeds M, a tolerance, `factor` or `diag` has an
        improper value, `func` or `Dfun` returns something else than real numbers, or the Jacobian
        has the wrong shape.
    ValueError
        If an argument has the wrong shape, an option is NaN or a weight negative or not finite, or
        the residuals have the wrong shape or change in number.

    Notes
    -----
    Whatever `func`, `Dfun` or `progress` raises reaches the caller, and KeyboardInterrupt, too;
    the attribute `fits` of the exception is a `ManyFits` of what was finished then: the fits whose
    `ier` is not 0. A fit that fails harms no other and raises no warning. `index` has to be heeded,
    because finished fits drop out and others take their place: of whatever belongs to the fits
    `func` takes the rows that it says, ``y[index]``.

    Examples
    --------
    Three exponentials, of 20 points each:

    >>> import numpy as np
    >>> from pyminpack import leastsq_many
    >>> t = np.linspace(0.0, 4.0, 20)
    >>> true = np.array([[5.0, 0.5], [4.0, 1.0], [3.0, 1.5]])
    >>> y = true[:, :1] * np.exp(-true[:, 1:] * t)
    >>> def residuals(X, index):
    ...     return X[:, :1] * np.exp(-X[:, 1:] * t) - y[index]
    >>> fits = leastsq_many(residuals, np.ones((3, 2)))
    >>> fits
    <ManyFits: 3 of 3 fits converged>
    >>> fits.x.round(6)
    array([[5. , 0.5],
           [4. , 1. ],
           [3. , 1.5]])

    Two values are missing, and marked so; what is there does not matter:

    >>> y[1, 3] = y[2, 5] = np.nan
    >>> leastsq_many(residuals, np.ones((3, 2)), weights=~np.isnan(y)).x.round(6)
    array([[5. , 0.5],
           [4. , 1. ],
           [3. , 1.5]])
    """
    _require_functions(func, Dfun)
    if not isinstance(args, tuple):
        args = (args,)
    prepared = Prepared(
        _starts(x0),
        diag,
        (ftol, xtol, gtol, factor, maxfev, epsfcn, qr),
        None,
        0 if chunk_size is None else at_least_1("chunk_size", chunk_size),
    )
    if weights is not None:
        prepared = prepared._replace(weights=as_weights(weights, len(prepared.x0)))
    threads = at_least_1("workers", workers)
    if isinstance(func, _core.Compiled):
        if args:
            raise TypeError("a compiled function takes no args; give it data")
        if Dfun is None and func.has_jacobian:
            Dfun = func
        return _fit_compiled(prepared, func, Dfun, data, bool(cov_x), threads, progress)
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
    evaluated = Evaluated(func, Dfun, args, bool(col_deriv), len(prepared.x0))
    fits = unfinished(ManyFits, prepared.x0.shape, bool(cov_x))
    fit_together(prepared, evaluated, fits, lambda: fits, progress)
    return fits


def _fit_compiled(
    prepared: Prepared,
    func: _core.Compiled,
    Dfun: Any,
    data: Any,
    cov_x: bool,
    workers: int,
    progress: _Wish,
) -> ManyFits:
    from .compiled import drive, rows_of

    count = len(prepared.x0)
    functions = [func] if Dfun is None or Dfun is func else [func, Dfun]
    rows = rows_of(data, functions, count)
    fits = unfinished(ManyFits, prepared.x0.shape, cov_x)
    batch = _core.Batch(
        (prepared.x0, prepared.diag, prepared.weights, None),
        (fits.x, fits.ier, fits.nfev, fits.njev, fits.fnorm, None, fits.cov_x),
        prepared.options,
        func,
        Dfun,
        rows,
    )
    fits.options.update(batch.options)
    run(lambda told: drive(batch, min(workers, count), told), lambda: fits, progress, count)
    return fits


def fit_together(
    prepared: Prepared,
    evaluated: Evaluating,
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
        (prepared.x0, prepared.diag, prepared.weights, ydata),
        (fits.x, fits.ier, fits.nfev, fits.njev, fits.fnorm, squares, fits.cov_x),
        prepared.options,
        evaluated.Dfun is None,
        min(prepared.chunk_size, len(prepared.x0)),
    )
    fits.options.update(lockstep.options)
    run(lambda told: step_together(lockstep, evaluated, told), result, progress, len(prepared.x0))


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
        raise not_callable("func", func)
    if Dfun is not None and not callable(Dfun):
        raise not_callable("Dfun", Dfun)
    is_compiled = isinstance(func, _core.Compiled)
    if Dfun is not None and is_compiled is not isinstance(Dfun, _core.Compiled):
        raise TypeError(
            "func and Dfun must both be of pyminpack.compiled or both be Python functions, and "
            f"{'func' if is_compiled else 'Dfun'} alone is compiled"
        )


def _starts(x0: Any) -> _Table:
    start = _core.real_array("x0", x0)
    if start.ndim != 2 or start.size == 0:
        raise ValueError(
            "x0 must have shape (B, N), a row for each fit, with B and N at least 1, and has "
            f"shape {start.shape}"
        )
    return start


def as_weights(weights: Any, count: int, m: int | None = None) -> _Table:
    """Return weights as a table (1 or B, M); M is `m` if that is known."""
    w = _core.real_array("weights", weights)
    if w.ndim not in (1, 2) or (w.ndim == 2 and len(w) != count) or w.size == 0:
        raise ValueError(
            f"weights must have shape (M,), one for each residual, or ({count}, M), a row for "
            f"each fit, not {w.shape}"
        )
    if m is not None and w.shape[-1] != m:
        raise ValueError(
            f"weights must have shape ({m},) or ({count}, {m}), one for each element of a row of "
            f"ydata, not {w.shape}"
        )
    if not (np.isfinite(w) & (w >= 0)).all():
        where = np.argwhere(~(np.isfinite(w) & (w >= 0)))[0].tolist()
        raise ValueError(
            f"weights must be finite and not negative, and weights{where} is {w[tuple(where)]}"
        )
    return w.reshape(-1, w.shape[-1])


def at_least_1(name: str, value: Any) -> int:
    """Return the value of an option that counts something."""
    number = _core.read_integer(name, value)
    if number < 1:
        raise ValueError(f"{name} must be at least 1, and is {number}")
    return number
