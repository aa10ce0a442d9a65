"""What `curve_fit` raises and warns of, beside Python's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # numpy.typing would take longer to import than all of pyminpack
    import numpy as np
    from numpy.typing import NDArray

    _Array = NDArray[np.float64]


class OptimizeWarning(UserWarning):
    """
    The covariance of the parameters cannot be estimated.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from pyminpack import OptimizeWarning, curve_fit
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", OptimizeWarning)
    ...     popt, pcov = curve_fit(lambda t, a, b: a * t + b, [0.0, 1.0], [1.0, 3.0])
    >>> pcov
    array([[inf, inf],
           [inf, inf]])
    """

    __module__ = "pyminpack"
    __firstlineno__ = None  # Python 3.13 would look for this line in that module's file


class FitError(RuntimeError):
    """
    A fit that did not converge, with all that it came to.

    Can be pickled and copied, attributes included.

    Attributes
    ----------
    popt : ndarray of float64, shape (N,)
        The best parameters found.
    pcov : ndarray of float64, shape (N, N)
        Their covariance as the last Jacobian tells it, which is not that at a minimum; infinite
        where it tells nothing.
    infodict : dict
        As `curve_fit` returns it with `full_output`.
    mesg : str
        Why the fit ended.
    ier : int
        As `leastsq` returns it: 0 or from 5 on.

    Examples
    --------
    >>> import numpy as np
    >>> from pyminpack import FitError, curve_fit
    >>> t = np.linspace(0.0, 4.0, 9)
    >>> try:
    ...     curve_fit(lambda t, a, b: a * np.exp(-b * t), t, 5 * np.exp(-t), maxfev=5)
    ... except FitError as error:
    ...     print(error.ier, error.popt.shape, error.infodict["nfev"] >= 5)
    5 (2,) True
    """

    __module__ = "pyminpack"
    __firstlineno__ = None  # Python 3.13 would look for this line in that module's file

    def __init__(
        self, popt: _Array, pcov: _Array, infodict: dict[str, Any], mesg: str, ier: int
    ) -> None:
        super().__init__(f"Optimal parameters not found: {mesg}")
        self.popt = popt
        self.pcov = pcov
        self.infodict = infodict
        self.mesg = mesg
        self.ier = ier

    def __reduce__(self) -> tuple[Any, ...]:
        results = (self.popt, self.pcov, self.infodict, self.mesg, self.ier)
        # The rest of the state are notes and whatever the user put there.
        return type(self), results, self.__dict__
