"""The results of many fits, also of those that an exception left unfinished."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .._messages import describe

if TYPE_CHECKING:  # numpy.typing would take longer to import than all of pyminpack
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

_SHOWN = 5  # fits that the representation names


@dataclass(frozen=True, eq=False, repr=False)
class ManyFits:
    """
    The results of `leastsq_many`: arrays with a row or element for each of B fits.

    ``x, ier = fits`` unpacks as what `leastsq` returns. Can be pickled.

    Attributes
    ----------
    x : ndarray of float64, shape (B, N)
        The best points found. NaN for a fit that was not made.
    ier : ndarray of int32, shape (B,)
        Why each fit ended, as `leastsq` numbers it: 1 to 4 for a solution. Negative: what a
        compiled function returned to stop the fit. 0: the fit was not made, or not to its end,
        because an exception came first.
    nfev : ndarray of int32, shape (B,)
        Evaluations of the residuals.
    njev : ndarray of int32, shape (B,)
        Evaluations of the Jacobian; 0 with differences.
    fnorm : ndarray of float64, shape (B,)
        The Euclidean norms of the weighted residuals at `x`. NaN for a fit that was not made.
    cov_x : ndarray of float64, shape (B, N, N), or None
        As `leastsq` returns it for each fit, NaN where that returns None. None unless it was asked
        for.
    options : dict
        What the messages speak of: ``ftol``, ``xtol``, ``gtol`` and ``maxfev``.

    Examples
    --------
    Three straight lines, of which the second is not finite:

    >>> import numpy as np
    >>> from pyminpack import leastsq_many
    >>> t = np.array([0.0, 1.0, 2.0, 3.0])
    >>> y = np.array([[1.0, 3.0, 5.0, 7.0], [1.0, np.nan, 3.0, 4.0], [2.0, 2.0, 2.0, 2.0]])
    >>> fits = leastsq_many(lambda X, index: X[:, :1] + X[:, 1:] * t - y[index], np.ones((3, 2)))
    >>> fits
    <ManyFits: 2 of 3 fits converged; not: ier 9: 1 (1)>
    >>> fits.success
    array([ True, False,  True])
    >>> x, ier = fits
    >>> x[fits.success].round(6) + 0.0
    array([[1., 2.],
           [2., 0.]])
    >>> len(fits.messages)
    3
    """

    __module__ = "pyminpack"
    __firstlineno__ = None  # Python 3.13 would look for this line in that module's file

    x: NDArray[np.float64]
    ier: NDArray[np.int32]
    nfev: NDArray[np.int32]
    njev: NDArray[np.int32]
    fnorm: NDArray[np.float64]
    cov_x: NDArray[np.float64] | None
    options: dict[str, Any]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        yield self.x
        yield self.ier

    @property
    def success(self) -> NDArray[np.bool_]:
        """Whether each fit found a solution, shape (B,)."""
        return (self.ier >= 1) & (self.ier <= 4)

    def message(self, fit: int) -> str:
        """
        Return why a fit ended, in words.

        Parameters
        ----------
        fit : int
            Which one.

        Returns
        -------
        str
            What `leastsq` says of it.

        Examples
        --------
        >>> from pyminpack import leastsq_many
        >>> fits = leastsq_many(lambda X, index: X - 3.0, [[1.0], [2.0]], maxfev=1)
        >>> fits.message(0)
        'The number of calls to func has reached maxfev = 1.'
        """
        return self._describe(int(self.ier[fit]))

    @property
    def messages(self) -> list[str]:
        """Why each fit ended, in words."""
        texts = {ier: self._describe(ier) for ier in np.unique(self.ier).tolist()}
        return [texts[ier] for ier in self.ier.tolist()]

    def _describe(self, ier: int) -> str:
        if ier == 0:
            return "The fit was not made to its end: an exception came first."
        return describe(ier, **self.options, improper="")

    def __repr__(self) -> str:
        failed = np.flatnonzero(~self.success)
        total = self.ier.size
        fits = "fit" if total == 1 else "fits"
        text = f"{type(self).__name__}: {total - failed.size} of {total} {fits} converged"
        if failed.size == 0:
            return f"<{text}>"
        kinds = []
        for ier in np.unique(self.ier[failed]).tolist():
            which = failed[self.ier[failed] == ier]
            shown = ", ".join(map(str, which[:_SHOWN].tolist()))
            more = ", ..." if which.size > _SHOWN else ""
            kinds.append(f"ier {ier}: {which.size} ({shown}{more})")
        return f"<{text}; not: {'; '.join(kinds)}>"


_Kind = TypeVar("_Kind", bound=ManyFits)


def unfinished(kind: type[_Kind], shape: tuple[int, ...], cov_x: bool, **more: Any) -> _Kind:
    """
    Return the results of fits that are yet to be made, with options that are yet to be filled in.

    The shape is that of x0; `more` are the attributes that another kind has.
    """
    count, n = shape
    return kind(
        x=np.full((count, n), np.nan),
        ier=np.zeros(count, dtype=np.intc),
        nfev=np.zeros(count, dtype=np.intc),
        njev=np.zeros(count, dtype=np.intc),
        fnorm=np.full(count, np.nan),
        cov_x=np.full((count, n, n), np.nan) if cov_x else None,
        options={},
        **more,
    )


def attach(error: BaseException, result: Callable[[], ManyFits]) -> None:
    """Give an exception the fits that are finished, unless it takes none."""
    with suppress(Exception):
        error.fits = result()  # type: ignore[attr-defined]
