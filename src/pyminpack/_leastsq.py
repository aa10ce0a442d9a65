"""`leastsq`: arguments, defaults, and the packaging of results."""

from __future__ import annotations

import operator
import warnings
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from . import _core
from ._messages import describe

if TYPE_CHECKING:  # numpy.typing would take longer to import than all of pyminpack
    from collections.abc import Callable
    from typing import SupportsFloat, SupportsIndex

    from numpy.typing import ArrayLike, NDArray

    from .typing import InfoDict

    _Function = Callable[..., ArrayLike]
    _Vector = NDArray[np.float64]
    _Short = tuple[_Vector, int]
    _Full = tuple[_Vector, NDArray[np.float64] | None, InfoDict, str, int]
    _HowToFactor = Literal["auto", "minpack", "blocked"]  # of the Jacobian

# MINPACK counts evaluations in a C int, and may overshoot its limit by up to N + 1.
_MAX_INT = 2**31 - 1

_FLOAT64 = np.dtype(np.float64)

_QR = {"auto": _core.QR_AUTO, "minpack": _core.QR_MINPACK, "blocked": _core.QR_BLOCKED}


@overload
def leastsq(
    func: _Function,
    x0: ArrayLike,
    args: object = ...,
    Dfun: _Function | None = ...,
    full_output: Literal[False, 0] = ...,
    col_deriv: object = ...,
    ftol: SupportsFloat = ...,
    xtol: SupportsFloat = ...,
    gtol: SupportsFloat = ...,
    maxfev: SupportsIndex = ...,
    epsfcn: SupportsFloat | None = ...,
    factor: SupportsFloat = ...,
    diag: ArrayLike | None = ...,
    *,
    qr: _HowToFactor = ...,
) -> _Short: ...
@overload
def leastsq(
    func: _Function,
    x0: ArrayLike,
    args: object = ...,
    Dfun: _Function | None = ...,
    *,
    full_output: Literal[True, 1],
    col_deriv: object = ...,
    ftol: SupportsFloat = ...,
    xtol: SupportsFloat = ...,
    gtol: SupportsFloat = ...,
    maxfev: SupportsIndex = ...,
    epsfcn: SupportsFloat | None = ...,
    factor: SupportsFloat = ...,
    diag: ArrayLike | None = ...,
    qr: _HowToFactor = ...,
) -> _Full: ...
@overload
def leastsq(
    func: _Function,
    x0: ArrayLike,
    args: object,
    Dfun: _Function | None,
    full_output: Literal[True, 1],
    col_deriv: object = ...,
    ftol: SupportsFloat = ...,
    xtol: SupportsFloat = ...,
    gtol: SupportsFloat = ...,
    maxfev: SupportsIndex = ...,
    epsfcn: SupportsFloat | None = ...,
    factor: SupportsFloat = ...,
    diag: ArrayLike | None = ...,
    *,
    qr: _HowToFactor = ...,
) -> _Full: ...
@overload
def leastsq(
    func: _Function,
    x0: ArrayLike,
    args: object = ...,
    Dfun: _Function | None = ...,
    full_output: object = ...,
    col_deriv: object = ...,
    ftol: SupportsFloat = ...,
    xtol: SupportsFloat = ...,
    gtol: SupportsFloat = ...,
    maxfev: SupportsIndex = ...,
    epsfcn: SupportsFloat | None = ...,
    factor: SupportsFloat = ...,
    diag: ArrayLike | None = ...,
    *,
    qr: _HowToFactor = ...,
) -> tuple[Any, ...]: ...


def leastsq(
    func: Callable[..., ArrayLike],
    x0: ArrayLike,
    args: object = (),
    Dfun: Callable[..., ArrayLike] | None = None,
    full_output: object = 0,
    col_deriv: object = 0,
    ftol: SupportsFloat = 1.49012e-08,
    xtol: SupportsFloat = 1.49012e-08,
    gtol: SupportsFloat = 0.0,
    maxfev: SupportsIndex = 0,
    epsfcn: SupportsFloat | None = None,
    factor: SupportsFloat = 100,
    diag: ArrayLike | None = None,
    *,
    qr: Literal["auto", "minpack", "blocked"] = "auto",
) -> tuple[Any, ...]:
    """
    Minimise the sum of squares of M functions of N variables.

    The Levenberg-Marquardt algorithm of MINPACK (More 1978): ``lmdif`` with a Jacobian by forward
    differences, ``lmder`` when `Dfun` is given. The signature and the returns are those of
    ``scipy.optimize.leastsq``.

    Parameters
    ----------
    func : callable
        ``func(x, *args)`` returns the residuals, M real numbers, M >= N: an array of shape (M,) of
        any real dtype, or a list or tuple. `x` is a float64 array of shape (N,) of its own at
        every call. Or what `compiled` returned: the fit then runs without the GIL, and takes the
        Jacobian from there, too, if there is one and `Dfun` is None.
    x0 : array_like
        The start, N real numbers of any shape; flattened and copied.
    args : tuple, optional
        Further arguments of `func` and `Dfun`. Anything but a tuple is taken as the only one.
        Compiled functions get none.
    Dfun : callable, optional
        ``Dfun(x, *args)`` returns the Jacobian, shape (M, N), or (N, M) with `col_deriv`. Without
        it the Jacobian is approximated by forward differences. Or what `compiled` returned, with a
        Jacobian.
    full_output : bool, optional
        Whether to return `cov_x`, `infodict` and `mesg` too.
    col_deriv : bool, optional
        Whether `Dfun` gives the derivatives down the columns, shape (N, M).
    ftol : float, optional
        Relative error wanted in the sum of squares.
    xtol : float, optional
        Relative error wanted in `x`.
    gtol : float, optional
        Orthogonality wanted between the residuals and the columns of the Jacobian: the largest
        cosine between them.
    maxfev : int, optional
        Limit of the calls to `func`, tested after each step. 0 or negative: ``200*(N + 1)``, with
        `Dfun` ``100*(N + 1)``.
    epsfcn : float, optional
        Relative error of `func`, whose root is the relative step of the differences. None: the
        machine epsilon of the dtype of `func`'s first result if that is float16, float32 or
        float64, else that of float64. Without effect with `Dfun`.
    factor : float, optional
        The first step is at most `factor` times ``||diag * x||``. Positive; 0.1 to 100 is usual.
    diag : array_like, optional
        N positive scale factors for the variables. None: the norms of the Jacobian's columns
        (More 1978, section 6).
    qr : {"auto", "minpack", "blocked"}, optional
        How the Jacobian is factored. "minpack": column by column, with Argonne's bits, whatever
        the size. "blocked": by blocks of rows and columns, much faster for large Jacobians; where
        they have full rank same pivots, and the same results up to rounding; rows of R and elements
        of ``qtf`` may have the opposite sign. "auto": "blocked" from ``M * N**2`` = 200000 on.
        What "blocked" returns depends on the processor's instruction set in the last digits, and
        on nothing else but the arguments; of `infodict`'s ``fjac`` it leaves zero what is not in R.

    Returns
    -------
    x : ndarray of float64, shape (N,)
        The best point found.
    cov_x : ndarray of float64, shape (N, N), or None
        The inverse of ``J.T @ J`` at the last Jacobian, to be multiplied by the variance of the
        residuals for the covariance of `x`. None if the fit did not converge or J has not full
        rank. Only with `full_output`.
    infodict : dict
        Only with `full_output`. ``fvec``, the residuals at `x`, shape (M,); ``nfev``, the calls
        to `func`; ``njev``, the calls to `Dfun`, only with it; ``fjac``, shape (N, M), whose
        transpose holds R of the factorisation ``J[:, ipvt - 1] = Q @ R`` in its upper triangle;
        ``ipvt``, int32, shape (N,), 1-based; ``qtf``, the first N elements of ``Q.T @ fvec`` at
        the last Jacobian. For annotations, ``pyminpack.typing.InfoDict``.
    mesg : str
        Why the fit ended. Only with `full_output`.
    ier : int
        1, 2, 3 or 4: a solution was found by `ftol`, `xtol`, both, or `gtol`. 5: `maxfev` was
        reached. 6, 7, 8: `ftol`, `xtol` or `gtol` is too small. 9: the residuals at `x0` or a
        Jacobian are not finite, or so large that the next step overflows. 0, only with
        `full_output`: improper input, and the arrays of `infodict` are zero. Negative: a
        compiled function returned this to stop the fit; `x` is the best point until then.

    Raises
    ------
    TypeError
        If an argument is of the wrong type, N exceeds M, `func` or `Dfun` returns something else
        than real numbers, the Jacobian has the wrong shape, or, without `full_output`, `x0` is
        empty or a tolerance, `factor` or `diag` has an improper value.
    ValueError
        If an option is NaN, `diag` has the wrong shape, or `func` returns a two-dimensional array
        or changes the number of residuals.

    Warns
    -----
    RuntimeWarning
        If `ier` is 5 or more, or negative, without `full_output`.

    Notes
    -----
    Whatever `func` or `Dfun` raises reaches the caller. A trial point where `func` is not finite
    is rejected, and the step becomes smaller.

    References
    ----------
    .. [1] J. J. More, "The Levenberg-Marquardt algorithm: implementation and theory", in Numerical
       Analysis, Lecture Notes in Mathematics 630, Springer, 1978.
    .. [2] J. J. More, B. S. Garbow and K. E. Hillstrom, "User guide for MINPACK-1", Argonne
       National Laboratory report ANL-80-74, 1980.

    Examples
    --------
    >>> import numpy as np
    >>> from pyminpack import leastsq
    >>> t = np.array([0.0, 1.0, 2.0, 3.0])
    >>> y = 5 * np.exp(-0.5 * t)
    >>> x, ier = leastsq(lambda x: x[0] * np.exp(-x[1] * t) - y, [1.0, 1.0])
    >>> x.round(6), ier in (1, 2, 3, 4)
    (array([5. , 0.5]), True)
    """
    solution: Any = _core.solve_plain(
        func,
        Dfun,
        x0,
        args,
        col_deriv,
        ftol,
        xtol,
        gtol,
        factor,
        maxfev,
        epsfcn,
        diag,
        full_output,
        qr,
    )
    if solution is None:  # where something is unusual
        if not callable(func):
            raise _not_callable("func", func)
        if Dfun is not None and not callable(Dfun):
            raise _not_callable("Dfun", Dfun)
        if type(func) is _core.Compiled or type(Dfun) is _core.Compiled:
            Dfun = settle_compiled(func, Dfun, args)
            _require_data(func, Dfun)
        full_output = bool(full_output)
        # A copy, because an array that is float64 already may still be misaligned. Here and below,
        # what is usual goes on without a call.
        start = np.array(x0)
        if start.dtype is not _FLOAT64:
            start = _as_float64("x0", start)
        if start.ndim != 1:
            start = start.ravel()
        n = start.size
        if n == 0 and not full_output:
            raise TypeError("x0 is empty; it must hold at least one number")
        if not isinstance(args, tuple):
            args = (args,)
        if type(ftol) is not float or ftol != ftol:
            ftol = _real("ftol", ftol)
        if type(xtol) is not float or xtol != xtol:
            xtol = _real("xtol", xtol)
        if type(gtol) is not float or gtol != gtol:
            gtol = _real("gtol", gtol)
        if type(factor) is not int:
            factor = _real("factor", factor)
        if epsfcn is not None:
            epsfcn = _real("epsfcn", epsfcn)
        maxfev = _evaluation_limit(maxfev, n, Dfun is not None)
        try:
            factorisation = _QR[qr]
        except (KeyError, TypeError):
            raise ValueError(f"qr must be 'auto', 'minpack' or 'blocked', not {qr!r}") from None
        diag = None if diag is None else _scale(diag, n)
        solution = _core.solve(
            func,
            Dfun,
            start,
            args,
            col_deriv,
            ftol,
            xtol,
            gtol,
            factor,
            maxfev,
            epsfcn,
            diag,
            full_output,
            factorisation,
        )
    x, ier = solution[0], solution[-1]
    if full_output or not 1 <= ier <= 4:
        improper = _improper(x.size, ftol, xtol, gtol, factor, diag) if ier == 0 else ""
        limit = _evaluation_limit(maxfev, x.size, Dfun is not None)
        message = describe(ier, ftol, xtol, gtol, limit, improper)
    if not full_output:
        if ier == 0:
            raise TypeError(message)
        if not 1 <= ier <= 4:
            warnings.warn(message, RuntimeWarning, stacklevel=2)
        return x, ier

    _, fvec, fjac, ipvt, qtf, nfev, njev, _ = solution
    # In MINPACK's order, where njev stands before the arrays.
    infodict: InfoDict
    if Dfun is None:
        infodict = {"fvec": fvec, "nfev": nfev, "fjac": fjac, "ipvt": ipvt, "qtf": qtf}
    else:
        infodict = {
            "fvec": fvec,
            "nfev": nfev,
            "njev": njev,
            "fjac": fjac,
            "ipvt": ipvt,
            "qtf": qtf,
        }
    cov_x = _core.covariance(fjac, ipvt) if 1 <= ier <= 4 else None
    return x, cov_x, infodict, message, ier


def settle_compiled(func: Any, Dfun: Any, args: object) -> Any:
    """Return where the Jacobian comes from when func or Dfun is compiled."""
    if type(func) is _core.Compiled:
        if Dfun is None and func.has_jacobian:
            Dfun = func
        is_given = not (isinstance(args, tuple) and len(args) == 0)  # an array compares otherwise
        if is_given and (Dfun is None or type(Dfun) is _core.Compiled):
            raise TypeError("a compiled function takes no args; give it data")
    return Dfun


def _require_data(*functions: Any) -> None:
    for function in functions:
        if type(function) is _core.Compiled and function.k is not None and function.data is None:
            raise ValueError(
                f"a compiled function reads k = {function.k} numbers of data, and has none"
            )


def _not_callable(name: str, value: object) -> TypeError:
    return TypeError(f"{name} must be callable, and an object of type {_type(value)} is not")


def _type(value: object) -> str:
    return repr(type(value).__name__)


def _as_float64(name: str, array: NDArray[Any]) -> _Vector:
    """Convert to float64, and refuse what NumPy would have to guess at."""
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers, not of dtype {array.dtype}")
    return array.astype(_FLOAT64)


def _scale(diag: ArrayLike, n: int) -> _Vector:
    # A copy, because an array that is float64 already may still be misaligned.
    scale = np.atleast_1d(_as_float64("diag", np.array(diag)))
    if scale.shape != (n,):
        raise ValueError(
            f"diag must have shape ({n},), a factor for each element of x0, not {scale.shape}"
        )
    if np.isnan(scale).any():
        raise ValueError("diag must not contain NaN")
    return scale


def _real(name: str, value: Any) -> float:
    number = value if type(value) is float else _converted(name, value)
    if number != number:
        raise ValueError(f"{name} must not be NaN")
    return number


def _converted(name: str, value: Any) -> float:
    """Return what is no float as one."""
    if type(value) is int:
        return float(value)
    # float() would read text, and drop the imaginary part of NumPy's complex numbers.
    is_text = isinstance(value, (str, bytes, bytearray))
    if is_text or np.dtype(getattr(value, "dtype", float)).kind == "c":
        raise TypeError(f"{name} must be a real number, not of type {_type(value)}")
    try:
        return float(value)
    except TypeError:
        raise TypeError(f"{name} must be a real number, not of type {_type(value)}") from None


def _evaluation_limit(maxfev: Any, n: int, has_jacobian: bool) -> int:
    limit = maxfev if type(maxfev) is int else _integer("maxfev", maxfev)
    if limit <= 0:
        limit = (100 if has_jacobian else 200) * (n + 1)
    return limit if limit < _MAX_INT - n else max(1, _MAX_INT - (n + 1))


def _integer(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not of type {_type(value)}") from None


def _improper(n: int, ftol: Any, xtol: Any, gtol: Any, factor: Any, scale: Any) -> str:
    """Say which of the arguments MINPACK refuses."""
    faults = ["x0 is empty."] if n == 0 else []
    faults += [
        f"{name} must not be negative, and is {value:g}."
        for name, value in (("ftol", ftol), ("xtol", xtol), ("gtol", gtol))
        if value < 0
    ]
    if factor <= 0:
        faults.append(f"factor must be positive, and is {factor:g}.")
    if scale is not None and (scale <= 0).any():
        where = np.argwhere(scale <= 0)[0].tolist()
        faults.append(f"diag must be positive, and diag{where} is {scale[tuple(where)]:g}.")
    return " ".join(faults)
