"""Fits by the blocked factorisation: how they are run and what is compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from argonne import Doubles
from bits import packed

from pyminpack import leastsq

Fit = dict[str, Any]

# "auto" takes blocks from so many multiplications M*N**2 on, and lets other threads run from
# so many.
BLOCKED_WORK, GIL_FREE_WORK = 200_000, 2_000_000


def blocked(func: Any, x0: Any, **options: Any) -> Fit:
    """Fit with full_output by blocks, and return all but cov_x and the message."""
    with np.errstate(all="ignore"):
        return packed(leastsq(func, x0, full_output=True, **{"qr": "blocked", **options}))


def outcome(func: Any, x0: Any, qr: str, **options: Any) -> tuple[int, int, float]:
    """Return ier, nfev and the norm of the residuals."""
    fit = blocked(func, x0, qr=qr, **options)
    return fit["ier"], fit["nfev"], float(np.linalg.norm(fit["fvec"]))


class Curve(NamedTuple):
    """A sum of decaying terms, of which there is data with noise."""

    func: Callable[[Doubles], Doubles]
    dfun: Callable[[Doubles], Doubles]
    start: Doubles


def curve(m: int, n: int) -> Curve:
    """Return a mildly nonlinear problem of any size, with a well-conditioned Jacobian."""
    rng = np.random.default_rng(m + n)
    matrix = rng.normal(size=(m, n)) / np.sqrt(m)
    target = matrix @ np.linspace(0.5, 1.0, n) + 0.1 * rng.normal(size=m) / np.sqrt(m)

    def func(x: Doubles) -> Doubles:
        y = matrix @ x
        return np.asarray(y + 0.1 * y * y - target)

    def dfun(x: Doubles) -> Doubles:
        return np.asarray((1.0 + 0.2 * (matrix @ x))[:, None] * matrix)

    return Curve(func, dfun, np.zeros(n))


def chunk_rows(m: int, n: int, block: int) -> int:
    """Return how many rows are copied before the GIL is released, as fit/factor.c has it."""
    work = float(m) * n * n
    if work < GIL_FREE_WORK:
        return 0
    rows = int(np.ceil(min(GIL_FREE_WORK / work, 0.05) * m / block)) * block
    return min(rows, m)
