"""`leastsq`: its signature, and the packaging of results."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, overload

from . import _core
from ._messages import describe

if TYPE_CHECKING:  # numpy.typing would take longer to import than all of pyminpack
    from collections.abc import Callable
    from typing import SupportsFloat, SupportsIndex

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from .typing import InfoDict

    _Function = Callable[..., ArrayLike]
    _Vector = NDArray[np.float64]
    _Short = tuple[_Vector, int]
    _Full = tuple[_Vector, NDArray[np.float64] | None, InfoDict, str, int]
    _HowToFactor = Literal["auto", "minpack", "blocked"]  # of the Jacobian


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
        of ``qtf`` may have the opposite sign. "auto": "blocked" from ``M * N**2`` = 200000 on, or
        always "minpack" if pyminpack was built on an installed MINPACK.
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
    solution: Any = _core.solve(
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
    if len(solution) == 2:  # of a fit that converged
        x, ier = solution
        return x, ier
    x, fvec, fjac, ipvt, qtf, nfev, njev, ier, ftol, xtol, gtol, limit, improper = solution
    message = describe(ier, ftol, xtol, gtol, limit, improper)
    if fvec is None:  # without full_output
        if ier == 0:
            raise TypeError(message)
        warnings.warn(message, RuntimeWarning, stacklevel=2)
        return x, ier

    # In MINPACK's order, where njev stands before the arrays.
    infodict: InfoDict
    if njev is None:
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
