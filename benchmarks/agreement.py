"""Whether all contestants came to the same result: no time is worth anything before that."""

from __future__ import annotations

import numpy as np

from .contestants import Answer, Contestant
from .problems import Problem, Vector

# Between fits by the same algorithm: they stop at the same step, which rounding changes little.
TOLERANCE = 1e-7
# Of others, which stop where their own rules let them: a step of a size that matters to nobody.
TOLERANCE_OF_OTHERS = 1e-4


class DisagreementError(Exception):
    """Two contestants solved the same problem differently."""


def distance(a: Vector, b: Vector, scale: float) -> float:
    """Return the largest difference over `scale`; what is not finite agrees with nothing."""
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return np.inf
    return float(np.abs(a - b).max() / scale)


def check(problem: Problem, who: Contestant, answer: Answer, reference: Answer) -> None:
    """Raise DisagreementError unless `answer` is, in all that it tells, that of the reference."""
    assert reference.x is not None
    tolerance = TOLERANCE if who.is_minpack else TOLERANCE_OF_OTHERS
    found = []
    if answer.x is not None:
        # Solutions may be zero; how far the fit had to go is the scale then.
        scale = max(np.abs(reference.x).max(), np.abs(problem.x0).max())
        if not (off := distance(answer.x, reference.x, scale)) <= tolerance:
            found.append(f"x differs by {off:.1e} of its size, more than {tolerance:.0e}")
    if answer.covariance is not None and reference.covariance is not None:
        scale = np.abs(reference.covariance).max()
        if not (off := distance(answer.covariance, reference.covariance, scale)) <= tolerance:
            found.append(f"cov_x differs by {off:.1e} of its size, more than {tolerance:.0e}")
    if who.is_minpack:
        for count in ("nfev", "njev"):
            theirs, expected = getattr(answer, count), getattr(reference, count)
            if theirs is not None and theirs != expected:
                found.append(f"{count} is {theirs} and not {expected}")
    if found:
        raise DisagreementError(f"{problem.name}: {who.name}: {'; '.join(found)}")
