"""The result of many fits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ._messages import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_SHOWN = 5  # fits that the representation names


@dataclass(frozen=True, eq=False, repr=False)
class ManyFits:
    """
    The results of `leastsq_many`: arrays with a row or element for each of B fits.

    ``x, ier = fits`` unpacks as what `leastsq` returns.

    Attributes
    ----------
    x : ndarray of float64, shape (B, N)
        The best points found.
    ier : ndarray of int32, shape (B,)
        Why each fit ended, as `leastsq` numbers it: 1 to 4 for a solution. Negative: what a
        compiled function returned to stop the fit. 0: not fitted, because an exception came first;
        the fit's other results are NaN or 0 then.
    nfev : ndarray of int32, shape (B,)
        Evaluations of the residuals.
    njev : ndarray of int32, shape (B,)
        Evaluations of the Jacobian; 0 with differences.
    fnorm : ndarray of float64, shape (B,)
        The Euclidean norms of the (weighted) residuals at `x`.
    cov_x : ndarray of float64, shape (B, N, N), or None
        As `leastsq` returns it; NaN where that returns None. None unless it was asked for.
    """

    x: NDArray[np.float64]
    ier: NDArray[np.intc]
    nfev: NDArray[np.intc]
    njev: NDArray[np.intc]
    fnorm: NDArray[np.float64]
    cov_x: NDArray[np.float64] | None
    _options: tuple[float, float, float, int] = field(default=(0.0, 0.0, 0.0, 0))

    def __iter__(self) -> Iterator[NDArray[Any]]:
        yield self.x
        yield self.ier

    @property
    def success(self) -> NDArray[np.bool_]:
        """Whether each fit found a solution, shape (B,)."""
        return (self.ier >= 1) & (self.ier <= 4)

    def message(self, fit: int) -> str:
        """Return why a fit ended, in words."""
        return _describe(int(self.ier[fit]), self._options)

    @property
    def messages(self) -> list[str]:
        """Why each fit ended, in words; made when asked for."""
        texts = {ier: _describe(ier, self._options) for ier in np.unique(self.ier).tolist()}
        return [texts[ier] for ier in self.ier.tolist()]

    def __repr__(self) -> str:
        failed = np.flatnonzero(~self.success)
        total = self.ier.size
        text = f"{type(self).__name__}: {total - failed.size} of {total} fits converged"
        if failed.size == 0:
            return f"<{text}>"
        parts = []
        for ier in np.unique(self.ier[failed]).tolist():
            which = failed[self.ier[failed] == ier]
            shown = ", ".join(map(str, which[:_SHOWN].tolist()))
            more = ", ..." if which.size > _SHOWN else ""
            parts.append(f"ier {ier}: {which.size} ({shown}{more})")
        return f"<{text}; not: {'; '.join(parts)}>"


def unfinished(
    count: int, n: int, cov_x: bool, options: tuple[float, float, float, int]
) -> ManyFits:
    """Return the results of fits that have yet to be made."""
    return ManyFits(
        x=np.full((count, n), np.nan),
        ier=np.zeros(count, dtype=np.intc),
        nfev=np.zeros(count, dtype=np.intc),
        njev=np.zeros(count, dtype=np.intc),
        fnorm=np.full(count, np.nan),
        cov_x=np.full((count, n, n), np.nan) if cov_x else None,
        _options=options,
    )


def _describe(ier: int, options: tuple[float, float, float, int]) -> str:
    if ier == 0:
        return "The fit was not made: an exception came first."
    return describe(ier, *options, "")
