"""`curve_fit`: `leastsq` for a model and data, with the covariance of the parameters."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

import numpy as np

from . import _core
from ._data import prepare_data, weights_of
from ._errors import FitError, OptimizeWarning
from ._leastsq import leastsq
from ._messages import not_callable
from ._model import count_parameters, jacobian_of

if TYPE_CHECKING:  # numpy.typing would take longer to import than all of pyminpack
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    _Array = NDArray[np.float64]

    class _Bounds(Protocol):
        @property
        def lb(self) -> ArrayLike: ...
        @property
        def ub(self) -> ArrayLike: ...


_UNBOUNDED = (-np.inf, np.inf)

# Arguments of leastsq that are given to curve_fit under another name, or must be part of f.
_ELSEWHERE = {"func": "f", "x0": "p0", "Dfun": "jac", "max_nfev": "maxfev"}
_code = leastsq.__code__
_OPTIONS = frozenset(_code.co_varnames[: _code.co_argcount + _code.co_kwonlyargcount]) - {
    *("func", "x0", "args", "Dfun", "full_output")
}


@overload
def curve_fit(
    f: Callable[..., Any],
    xdata: Any,
    ydata: ArrayLike,
    p0: ArrayLike | None = ...,
    sigma: ArrayLike | None = ...,
    absolute_sigma: bool = ...,
    check_finite: bool | None = ...,
    bounds: Sequence[ArrayLike] | _Bounds = ...,
    method: Literal["lm"] | None = ...,
    jac: Callable[..., Any] | None = ...,
    *,
    full_output: Literal[False] = ...,
    nan_policy: Literal["raise", "omit"] | None = ...,
    **kwargs: Any,
) -> tuple[_Array, _Array]: ...
@overload
def curve_fit(
    f: Callable[..., Any],
    xdata: Any,
    ydata: ArrayLike,
    p0: ArrayLike | None = ...,
    sigma: ArrayLike | None = ...,
    absolute_sigma: bool = ...,
    check_finite: bool | None = ...,
    bounds: Sequence[ArrayLike] | _Bounds = ...,
    method: Literal["lm"] | None = ...,
    jac: Callable[..., Any] | None = ...,
    *,
    full_output: Literal[True],
    nan_policy: Literal["raise", "omit"] | None = ...,
    **kwargs: Any,
) -> tuple[_Array, _Array, dict[str, Any], str, int]: ...
@overload
def curve_fit(
    f: Callable[..., Any],
    xdata: Any,
    ydata: ArrayLike,
    p0: ArrayLike | None = ...,
    sigma: ArrayLike | None = ...,
    absolute_sigma: bool = ...,
    check_finite: bool | None = ...,
    bounds: Sequence[ArrayLike] | _Bounds = ...,
    method: Literal["lm"] | None = ...,
    jac: Callable[..., Any] | None = ...,
    *,
    full_output: bool,
    nan_policy: Literal["raise", "omit"] | None = ...,
    **kwargs: Any,
) -> tuple[_Array, _Array] | tuple[_Array, _Array, dict[str, Any], str, int]: ...


def curve_fit(
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
    full_output: bool = False,
    nan_policy: Literal["raise", "omit"] | None = None,
    **kwargs: Any,
) -> tuple[Any, ...]:
    """
    Fit a model with N parameters to M points by weighted least squares.

    Finds the parameters for which the sum of squares of ``(f(xdata, *p) - ydata) / sigma`` is
    least, by `leastsq`. The signature and the returns are those of ``scipy.optimize.curve_fit``
    with its method "lm".

    Parameters
    ----------
    f : callable
        ``f(xdata, *p)`` returns what the model gives for ydata: an array of shape (M,) of any real
        dtype, a list or tuple, or a single number for all points. Each parameter is a
        ``numpy.float64``.
    xdata : any
        Where ydata was measured; `f` makes of it what it wants. An array, list or tuple of
        numbers, or of what can be read as such, becomes an array of float64 of the same shape, or
        of complex128. Other text, rows of different lengths and any other object are passed to `f`
        as they are.
    ydata : array_like, shape (M,)
        What was measured, real numbers. A single one counts for all points.
    p0 : array_like, optional
        The start, N real numbers of any shape; flattened. None: 1 for each parameter, as many as
        `f` takes after xdata, those with defaults included.
    sigma : array_like, optional
        The uncertainty of ydata. A scalar or shape (M,): standard deviations, where that of a
        point to be left out may be infinite. Shape (M, M): the covariance matrix of ydata, and the
        sum is ``r @ inv(sigma) @ r`` of the residuals r. None: 1 for all.
    absolute_sigma : bool, optional
        Whether `pcov` is that of just these `sigma`. If not, only their ratios matter: `pcov` is
        scaled so that the sum of squares at the minimum becomes M - N.
    check_finite : bool, optional
        Whether NaN or infinity in `xdata` (if it is an array) or `ydata` is a ValueError. None:
        only without `nan_policy`.
    bounds : tuple of array_like, or an object with attributes lb and ub, optional
        The lower and the upper bounds of the parameters. They must be infinite: this method has
        none.
    method : {"lm"}, optional
        The only one there is.
    jac : callable, optional
        ``jac(xdata, *p)`` returns the derivatives of `f`, shape (M, N), or (N, M) with
        ``col_deriv=True``; they are weighted with `sigma` here. None: forward differences.
    full_output : bool, optional
        Whether to return `infodict`, `mesg` and `ier` too.
    nan_policy : {"raise", "omit"}, optional
        "raise": NaN in `xdata` or `ydata` is a ValueError. "omit": the points that have NaN in
        `ydata` or anywhere in `xdata` are left out, of a `sigma` with M rows too, and `f` and
        `jac` get an `xdata` without them. The points lie along the last axis of `xdata`, or along
        the first where only that has length M. Neither is about infinity: in `xdata` it is passed
        to `f`, and in `ydata`, where no fit is possible, it is a ValueError. None: NaN is what
        `check_finite` says.
    **kwargs
        Options of `leastsq`: ``col_deriv``, ``ftol``, ``xtol``, ``gtol``, ``maxfev``, ``epsfcn``,
        ``factor``, ``diag``, ``qr``. ``epsfcn=None`` is the machine epsilon of the dtype of `f`'s
        first result if that is float16 or float32, else that of float64.

    Returns
    -------
    popt : ndarray of float64, shape (N,)
        The parameters found.
    pcov : ndarray of float64, shape (N, N)
        Their covariance; the square roots of the diagonal are the standard errors. All infinite
        where it cannot be estimated.
    infodict : dict
        Only with `full_output`. As of `leastsq`, for weighted residuals: ``fvec`` (without the
        points left out), ``nfev``, ``njev`` (with `jac` only), ``fjac``, ``ipvt``, ``qtf``. `f`
        was called exactly ``nfev`` times.
    mesg : str
        Why the fit ended. Only with `full_output`.
    ier : int
        1, 2, 3 or 4, as of `leastsq`. Only with `full_output`.

    Raises
    ------
    FitError
        If the fit does not converge or an option is improper: a RuntimeError that has the best
        parameters, their covariance, `infodict`, `mesg` and `ier` as attributes.
    ValueError
        If the number of parameters cannot be determined, `ydata` is empty or not one-dimensional,
        the data are not finite where they have to be, `sigma` has the wrong shape, contains a zero
        or is no positive definite matrix, `f` returns another shape, `bounds` are finite, or
        `method` is not "lm".
    TypeError
        If an argument is of the wrong type, N exceeds M, `f` or `jac` returns something else than
        real numbers, the Jacobian has the wrong shape, or a keyword is unknown.

    Warns
    -----
    OptimizeWarning
        If the covariance cannot be estimated: the Jacobian at `popt` has not full rank, or M is N
        and `absolute_sigma` false.

    See Also
    --------
    leastsq : The same for residuals instead of a model and data.

    Notes
    -----
    Whatever `f` or `jac` raises reaches the caller. `f` is never called twice in a row with the
    same parameters: where MINPACK tries a rejected point again, it is given the same residuals, and
    ``nfev`` counts them once.

    Examples
    --------
    >>> import numpy as np
    >>> from pyminpack import curve_fit
    >>> t = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    >>> y = np.array([4.9, 3.1, 1.9, 1.1, 0.7])
    >>> popt, pcov = curve_fit(lambda t, a, b: a * np.exp(-b * t), t, y, p0=[1.0, 1.0])
    >>> popt.round(2), np.sqrt(np.diag(pcov)).round(2)
    (array([4.93, 0.48]), array([0.05, 0.01]))
    """
    if not callable(f):
        raise not_callable("f", f)
    if jac is not None and not callable(jac):
        raise TypeError(f"jac must be callable, or None for forward differences, not {jac!r}")
    absolute_sigma, full_output = bool(absolute_sigma), bool(full_output)
    _require_lm(method, bounds)
    if kwargs:
        _require_options(kwargs)
    start = np.ones(count_parameters(f)) if p0 is None else _start(p0)
    n = start.size
    x, y, keep = prepare_data(xdata, ydata, check_finite, nan_policy)
    weights = None if sigma is None else weights_of(sigma, y.size, keep)
    residuals = _core.Residuals(f, x, y, weights, start, f(x, *start))
    m = residuals.m
    if n > m:
        raise TypeError(
            f"The number of func parameters={n} must not exceed the number of data points={m}"
        )
    if kwargs.get("epsfcn") is None:
        kwargs["epsfcn"] = residuals.epsfcn
    col_deriv = kwargs.get("col_deriv")
    dfun = None if jac is None else jacobian_of(jac, x, m, n, residuals.weights, col_deriv)

    popt, cov_x, infodict, mesg, ier = leastsq(
        residuals, start, Dfun=dfun, full_output=True, **kwargs
    )

    infodict["nfev"] = residuals.calls
    if not 1 <= ier <= 4:
        raise _fit_error(popt, infodict, mesg, ier, absolute_sigma)
    pcov, obstacle = _covariance(cov_x, infodict["fvec"], n, absolute_sigma)
    if obstacle:
        warnings.warn(
            f"Covariance of the parameters could not be estimated: {obstacle}.",
            OptimizeWarning,
            stacklevel=2,
        )
    return (popt, pcov, infodict, mesg, ier) if full_output else (popt, pcov)


def _require_lm(method: object, bounds: Any) -> None:
    """Refuse what is not an unbounded fit by Levenberg and Marquardt's method."""
    if method is not None and not (isinstance(method, str) and method == "lm"):
        if isinstance(method, str) and method in ("trf", "dogbox"):
            raise ValueError(
                f"method {method!r} is not here: the only one is 'lm', MINPACK's. Use "
                f"scipy.optimize.curve_fit(..., method={method!r}) instead"
            )
        raise ValueError(f"method must be 'lm' or None, not {method!r}")
    if bounds is _UNBOUNDED:
        return
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        bounds = bounds.lb, bounds.ub
    try:
        pair = tuple(bounds)
    except TypeError:
        raise TypeError("bounds must be two: the lower ones and the upper ones") from None
    if len(pair) != 2:
        raise ValueError(f"bounds must be two, the lower ones and the upper ones, not {len(pair)}")
    for given, infinity in zip(pair, _UNBOUNDED, strict=True):
        if given is not None and not (_core.real_array("bounds", given, True) == infinity).all():
            raise ValueError(
                "bounds must be -inf and inf: the method 'lm' has none. Use "
                "scipy.optimize.curve_fit for bounds; or fit a parameter that cannot leave them, "
                "such as log(a) in place of a > 0"
            )


def _require_options(names: dict[str, Any]) -> None:
    for name in names:
        if name == "args":
            raise ValueError(
                "'args' is not a supported keyword argument: bind further arguments to f, with "
                "functools.partial or a lambda"
            )
        if name not in _OPTIONS:
            other = _ELSEWHERE.get(name)
            hint = f"; its name is {other!r} here" if other else ""
            raise TypeError(f"curve_fit() got an unexpected keyword argument {name!r}{hint}")


def _start(p0: Any) -> _Array:
    start = _core.real_array("p0", p0, True)
    if start.ndim != 1:
        start = start.ravel()
    if start.size == 0:
        raise TypeError("p0 is empty; it must hold at least one number")
    return start


def _covariance(
    cov_x: _Array | None, fvec: _Array, n: int, absolute_sigma: Any
) -> tuple[_Array, str]:
    """Return the covariance of the parameters, and what is in its way where it is infinite."""
    free = fvec.size - n
    if cov_x is None:
        obstacle = "the Jacobian at the solution does not have full rank"
    elif absolute_sigma:
        return cov_x, ""
    elif free == 0:
        obstacle = (
            f"with as many points as parameters, {n}, no residuals are left to estimate the "
            "variance from; give sigma with absolute_sigma=True"
        )
    else:
        variance = _core.sum_of_squares(fvec) / free
        if math.isfinite(variance):
            return cov_x * variance, ""
        obstacle = "the sum of squares is too large for a float64"
    return np.full((n, n), np.inf), obstacle


def _fit_error(
    popt: _Array, infodict: dict[str, Any], mesg: str, ier: int, absolute_sigma: Any
) -> FitError:
    # Where MINPACK was stopped on its way, R is that of the last Jacobian; else it may be anything.
    cov_x = _core.covariance(infodict["fjac"], infodict["ipvt"]) if 5 <= ier <= 8 else None
    pcov, _ = _covariance(cov_x, infodict["fvec"], popt.size, absolute_sigma)
    # leastsq calls things by its own names.
    mesg = mesg.replace("func", "f").replace("x0", "p0")
    return FitError(popt, pcov, infodict, mesg, ier)
