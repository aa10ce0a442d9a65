"""`curve_fit_many`: `curve_fit` for many rows of data at once, all by one call of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from .. import _core
from .._curve_fit import _UNBOUNDED, _require_lm
from .._messages import not_callable
from .._model import count_parameters, jacobian_mismatch
from . import Prepared, at_least_1, fit_together
from .data import prepare_tables
from .result import ManyFits, unfinished

if TYPE_CHECKING:  # numpy.typing would take longer to import than all of pyminpack
    from collections.abc import Callable, Iterator, Sequence
    from typing import SupportsFloat, SupportsIndex

    from numpy.typing import ArrayLike, NDArray

    from .._curve_fit import _Bounds
    from .progress import _Wish
    from .vectorised import _Points

    _Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class CurveFitMany(ManyFits):
    """
    The results of `curve_fit_many`: arrays with a row or element for each of B fits.

    ``popt, pcov = fits`` unpacks as what `curve_fit` returns. Can be pickled.

    Attributes
    ----------
    x : ndarray of float64, shape (B, N)
        The best parameters found, as `popt`. NaN for a fit that was not made.
    ier : ndarray of int32, shape (B,)
        Why each fit ended, as `leastsq` numbers it: 1 to 4 for a solution. 0: the fit was not made,
        or not to its end, because an exception came first.
    nfev : ndarray of int32, shape (B,)
        Evaluations of the model.
    njev : ndarray of int32, shape (B,)
        Evaluations of the Jacobian; 0 with differences.
    fnorm : ndarray of float64, shape (B,)
        The Euclidean norms of the weighted residuals. NaN for a fit that was not made.
    cov_x : ndarray of float64, shape (B, N, N)
        As `leastsq` returns it for each fit, NaN where that returns None.
    options : dict
        What the messages speak of: ``ftol``, ``xtol``, ``gtol`` and ``maxfev``.
    pcov : ndarray of float64, shape (B, N, N)
        The covariances of the parameters. All infinite for a fit that failed, or where
        `curve_fit` has infinity because they cannot be estimated; NaN for one that was not made.

    Examples
    --------
    >>> import numpy as np
    >>> from pyminpack import curve_fit_many
    >>> t = np.array([0.0, 1.0, 2.0, 3.0])
    >>> y = np.array([[1.0, 3.1, 4.9, 7.0], [2.0, 2.1, 1.9, 2.0]])
    >>> fits = curve_fit_many(lambda t, a, b: a + b * t, t, y)
    >>> fits
    <CurveFitMany: 2 of 2 fits converged>
    >>> fits.popt.round(2)
    array([[ 1.03,  1.98],
           [ 2.03, -0.02]])
    >>> fits.perr.round(2)
    array([[0.08, 0.04],
           [0.08, 0.04]])
    """

    __module__ = "pyminpack"
    __firstlineno__ = None  # Python 3.13 would look for this line in that module's file

    pcov: NDArray[np.float64]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        yield self.popt
        yield self.pcov

    @property
    def popt(self) -> NDArray[np.float64]:
        """The best parameters found, shape (B, N). NaN for a fit that was not made."""
        return self.x

    @property
    def perr(self) -> NDArray[np.float64]:
        """The standard errors, shape (B, N): the square roots of the diagonals of `pcov`."""
        errors: NDArray[np.float64] = np.sqrt(np.diagonal(self.pcov, axis1=1, axis2=2))
        return errors

    def _describe(self, ier: int) -> str:
        # leastsq calls things by its own names.
        return super()._describe(ier).replace("func", "f").replace("x0", "p0")


def curve_fit_many(
    f: Callable[..., Any],
    xdata: Any,
    ydata: ArrayLike,
    p0: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Sequence[ArrayLike] | _Bounds = _UNBOUNDED,
    method: Literal["lm"] | None = None,
    jac: Callable[..., Any] | None = None,
    *,
    weights: ArrayLike | None = None,
    nan_policy: Literal["raise", "omit"] | None = None,
    col_deriv: object = 0,
    ftol: SupportsFloat = 1.49012e-08,
    xtol: SupportsFloat = 1.49012e-08,
    gtol: SupportsFloat = 0.0,
    maxfev: SupportsIndex = 0,
    epsfcn: SupportsFloat | None = None,
    factor: SupportsFloat = 100,
    diag: ArrayLike | None = None,
    qr: Literal["auto", "minpack", "blocked"] = "auto",
    chunk_size: SupportsIndex | None = None,
    progress: _Wish = None,
) -> CurveFitMany:
    """
    Fit a model with N parameters to B rows of M points each, by weighted least squares.

    Each fit is that of `curve_fit`, to the same bits where `f` computes the same values, but `f` is
    called once for all fits under way, with their parameters as columns. A model of NumPy
    expressions needs no change.

    Parameters
    ----------
    f : callable
        ``f(xdata, *p)`` returns what the model gives for rows of ydata: an array of shape (k, M)
        of any real dtype, or what broadcasts to it. Each parameter is an array of float64 of shape
        (k, 1) of its own, with a value for each row wanted. Which rows these are, and how many,
        changes from call to call; first it is row 0 alone.
    xdata : any
        Where ydata was measured, the same for all rows; `f` makes of it what it wants. Converted
        as by `curve_fit`.
    ydata : array_like, shape (B, M)
        What was measured, real numbers, a row for each fit.
    p0 : array_like, optional
        The start: shape (N,) for all fits, or (B, N) with a row for each. None: 1 for each
        parameter, as many as `f` takes after xdata, those with defaults included.
    sigma : array_like, optional
        The uncertainty of ydata, standard deviations: a scalar, shape (M,) for every row, (B, M),
        or (B, 1). That of a point to be left out may be infinite. None: 1 for all.
    absolute_sigma : bool, optional
        Whether `pcov` is that of just these `sigma` and `weights`. If not, only their ratios
        matter: `pcov` is scaled so that each sum of squares at the minimum becomes the number of
        data less N.
    check_finite : bool, optional
        Whether NaN or infinity in `xdata` (if it is an array) or `ydata` is a ValueError. None:
        only without `nan_policy`. False: a fit to such a row ends with ``ier`` 9, and harms no
        other.
    bounds : tuple of array_like, or an object with attributes lb and ub, optional
        They must be infinite: this method has none.
    method : {"lm"}, optional
        The only one there is.
    jac : callable, optional
        ``jac(xdata, *p)``, with the arguments that `f` has, returns the derivatives of `f`, shape
        (k, M, N), or (k, N, M) with ``col_deriv=True``, or what broadcasts to it. They are weighted
        here. None: forward differences.
    weights : array_like, shape (M,) or (B, M), optional
        What residuals are multiplied by, beside the division by `sigma`; finite, not negative.
        Where it is 0 there is no datum, whatever `ydata`, `sigma` and `f` have there, NaN included.
        Booleans are a mask, True where there is a datum.
    nan_policy : {"raise", "omit"}, optional
        "raise": NaN in `xdata` or `ydata` is a ValueError. "omit": where a row of `ydata` has NaN
        it has no datum, and no row has one at the points of `xdata` that have NaN. `f` gets all of
        `xdata` nevertheless. Infinity in `ydata` is a ValueError with either. None: NaN is what
        `check_finite` says.
    col_deriv : bool, optional
        Whether `jac` returns shape (k, N, M).
    ftol, xtol, gtol, maxfev, epsfcn, factor, diag, qr : optional
        As of `leastsq_many`: `diag` has shape (N,), or (B, N). ``epsfcn=None`` is the machine
        epsilon of the dtype of `f`'s first result if that is float16 or float32, else that of
        float64.
    chunk_size : int, optional
        How many fits are under way at once, which bounds the memory. None: as many as suit the
        caches.
    progress : callable or bool, optional
        Called as ``progress(done, total)`` now and then, and at the end. True: a bar of tqdm if
        that is installed, else a line on stderr.

    Returns
    -------
    CurveFitMany
        ``popt, pcov = curve_fit_many(...)``: the parameters, shape (B, N), and their covariances,
        (B, N, N). It has much else as attributes: ``perr``, ``ier``, ``success``, ``nfev``,
        ``fnorm``, ``messages``.

    Raises
    ------
    ValueError
        If the number of parameters cannot be determined, shapes do not match, the data are not
        finite where they have to be, `sigma` contains a zero, `weights` are negative, `f` returns
        another shape, `bounds` are finite, or `method` is not "lm".
    TypeError
        If an argument is of the wrong type, N exceeds M, `f` or `jac` returns something else than
        real numbers, the Jacobians have the wrong shape, or an option is improper.

    See Also
    --------
    curve_fit : A single fit.
    leastsq_many : The same for residuals: also where xdata differ from fit to fit, and for
        compiled functions.

    Notes
    -----
    What differs from a loop of `curve_fit`:

    =================  ===========================  ================================
    ..                 curve_fit                    curve_fit_many
    =================  ===========================  ================================
    parameters of `f`  numpy.float64                arrays of shape (k, 1)
    a failed fit       raises `FitError`            its ``ier``, and `pcov` infinite
    no covariance      warns, `pcov` infinite       `pcov` infinite
    NaN omitted        `xdata` without these        all of `xdata`
    `sigma`            may be a covariance matrix   standard deviations
    infinite `sigma`   NaN of `f` there counts      0 there, whatever `f` gives
    improper options   raise `FitError`             raise TypeError
    ``nfev``           calls of `f`                 evaluations that MINPACK counts
    =================  ===========================  ================================

    A datum that is not there is a residual of 0: the fit is that to the others up to rounding. The
    number of data, from which `pcov` follows, is that of those that are there; with infinite
    `sigma` they count, as in `curve_fit`. A fit with fewer data than parameters has an infinite
    `pcov`.

    An exception of `f`, `jac` or `progress`, and Ctrl-C, reach the caller as they are, with the
    attribute ``fits``: the `CurveFitMany` so far.

    `f` must not branch on the values of its parameters (``if a > 0``), but can choose among
    results with ``numpy.where``. A Jacobian put together with ``numpy.stack(..., axis=-1)`` of
    arrays that were broadcast serves `curve_fit` too.

    Examples
    --------
    >>> import numpy as np
    >>> from pyminpack import curve_fit_many
    >>> def decay(t, a, b):
    ...     return a * np.exp(-b * t)
    >>> t = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    >>> y = np.array([[4.9, 3.1, 1.9, 1.1, 0.7], [2.0, 1.1, np.nan, 0.4, 0.2]])
    >>> popt, pcov = curve_fit_many(decay, t, y, p0=[1.0, 1.0], nan_policy="omit")
    >>> popt.round(2)
    array([[4.93, 0.48],
           [1.99, 0.57]])
    >>> pcov.shape
    (2, 2, 2)
    """
    _require_model(f, jac)
    absolute_sigma = bool(absolute_sigma)
    _require_lm(method, bounds)
    data = prepare_tables(xdata, ydata, sigma, weights, check_finite, nan_policy)
    count, m = data.ydata.shape
    start = np.ones((count, count_parameters(f))) if p0 is None else _starts(p0, count)
    n = start.shape[1]
    if n > m:
        raise TypeError(
            f"The number of func parameters={n} must not exceed the number of data points={m}"
        )
    prepared = Prepared(
        start,
        diag,
        (ftol, xtol, gtol, factor, maxfev, epsfcn, qr),
        data.weights,
        0 if chunk_size is None else at_least_1("chunk_size", chunk_size),
    )
    model = _Model(f, jac, data.xdata, m, bool(col_deriv))
    free = data.sizes() - n
    squares = np.full(count, np.nan)
    fits = unfinished(CurveFitMany, start.shape, True, pcov=np.full((count, n, n), np.nan))

    def finished() -> CurveFitMany:
        _fill_covariances(fits, squares, free, absolute_sigma)
        return fits

    fit_together(prepared, model, fits, finished, progress, data.ydata, squares)
    return finished()


def _require_model(f: Any, jac: Any) -> None:
    if not callable(f):
        raise not_callable("f", f)
    if jac is not None and not callable(jac):
        raise TypeError(f"jac must be callable, or None for forward differences, not {jac!r}")
    for name, function in (("f", f), ("jac", jac)):
        if isinstance(function, _core.Compiled):
            raise TypeError(
                f"{name} must be a Python function of xdata and parameters; leastsq_many takes "
                "what pyminpack.compiled makes"
            )


def _starts(p0: Any, count: int) -> _Array:
    """Return the start as a table (B, N)."""
    start = _core.real_array("p0", p0, True)
    if start.size == 0:
        raise TypeError("p0 is empty; it must hold at least one number for each fit")
    if start.ndim <= 1:
        return np.tile(start.ravel(), (count, 1))
    if start.ndim > 2 or len(start) != count:
        raise ValueError(
            f"p0 must have shape (N,), a start for all fits, or ({count}, N), a row for each row "
            f"of ydata, not {start.shape}"
        )
    return start


class _Model(NamedTuple):
    """The model and its derivatives, at the points of many fits."""

    f: Callable[..., Any]
    Dfun: Callable[..., Any] | None
    xdata: Any
    m: int
    col_deriv: bool

    def residuals(self, points: _Points) -> tuple[_Array, int]:
        """Return what f gives there, shape (k, M), and the number of the type that it had."""
        k = len(points[1])
        values, kind = _core.returned_array("f", self.f(self.xdata, *_columns(points)))
        if values.shape == (k, self.m):
            return values, kind
        try:
            return np.broadcast_to(values, (k, self.m)), kind
        except ValueError:
            raise self._wrong_values(values.shape, k) from None

    def _wrong_values(self, shape: tuple[int, ...], k: int) -> ValueError:
        hint = "; ravel() xdata, not the result" if np.prod(shape) == k * self.m else ""
        return ValueError(
            f"f returned an array of shape {shape} for parameters of shape ({k}, 1), and must "
            f"return a row like those of ydata for each, shape ({k}, {self.m}), or what "
            f"broadcasts to it{hint}"
        )

    def jacobians(self, points: _Points, m: int) -> _Array:
        """Return what jac gives there, shape (k, M, N)."""
        assert self.Dfun is not None
        k, n = points[0].shape
        shape = (k, n, m) if self.col_deriv else (k, m, n)
        values, _ = _core.returned_array("jac", self.Dfun(self.xdata, *_columns(points)))
        if n == 1 and values.shape == (k, m):
            values = values.reshape(shape)
        try:
            values = np.broadcast_to(values, shape)
        except ValueError:
            raise jacobian_mismatch("curve_fit_many", self.Dfun, shape, values.shape) from None
        return values.transpose(0, 2, 1) if self.col_deriv else values


def _columns(points: _Points) -> NDArray[np.float64]:
    """Return the parameters, each an array (k, 1) of its own."""
    # Without gaps, so that a compiled model sees the same kind of array at every call.
    return np.ascontiguousarray(points[0].T)[:, :, np.newaxis]


def _fill_covariances(
    fits: CurveFitMany, squares: NDArray[np.float64], free: NDArray[np.intp], absolute_sigma: bool
) -> None:
    """Make pcov of cov_x, which is NaN where there is none."""
    assert fits.cov_x is not None
    known = fits.success & (free >= 0) & ~np.isnan(fits.cov_x[:, 0, 0])
    fits.pcov[fits.ier != 0] = np.inf
    if absolute_sigma:
        fits.pcov[known] = fits.cov_x[known]
        return
    with np.errstate(all="ignore"):
        variance = squares / free
        known &= (free > 0) & np.isfinite(variance)
        fits.pcov[known] = fits.cov_x[known] * variance[known, np.newaxis, np.newaxis]
