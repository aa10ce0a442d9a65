"""What is solved: the 53 MINPACK cases and NIST's 27 data sets, each in four ways."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import mgh, nist

Vector = NDArray[np.float64]

MINPACK: Final = "MINPACK"
NIST: Final = "NIST"

SOLVED_DIGITS: Final = 4.0
"""Digits that the worst parameter of a fit to NIST's data needs for the set to count as solved."""

NORM_RELATIVE: Final = 1e-4
NORM_ABSOLUTE: Final = 1e-6
"""How far the norm of the residuals may be above the published one of a MINPACK case."""

TIGHT: Final = 1e-15
"""The tolerance with which a fit goes on until rounding ends it."""

LIMIT: Final = 5000
"""Evaluations that every solver is told it may make, difference quotients included or not."""


class Way(NamedTuple):
    """How a problem is solved: "default" or "tight" tolerances, "differences" or "exact" J."""

    tolerance: str
    jacobian: str

    def __str__(self) -> str:
        kind = "differences" if self.jacobian == "differences" else "exact Jacobian"
        return f"{self.tolerance} tolerances, {kind}"


TOLERANCES: Final = ("default", "tight")
JACOBIANS: Final = ("differences", "exact")
WAYS: Final = tuple(Way(tolerance, jacobian) for tolerance in TOLERANCES for jacobian in JACOBIANS)


class Digits(NamedTuple):
    """Digits of agreement with NIST's certified values, each the worst of the data set.

    `errors` is None where the solver offers no standard errors.
    """

    parameters: float
    errors: float | None
    rss: float


@dataclass(frozen=True, eq=False)
class Problem:
    """One function and one start.

    Attributes
    ----------
    collection
        `MINPACK` or `NIST`.
    set
        Name of the function or of the data set, without the start.
    start
        NIST's starts are 1 and 2; a MINPACK case has the factor of its start, 1, 10 or 100.
    model, residual, jacobian
        ``residual(x)`` is ``model(x) - y``, shape (m,), and ``jacobian(x)`` its Jacobian (m, n).
    y : (m,)
        Observations; zeros where the problem is no fit of data.
    x0 : (n,)
        The start.
    dataset
        The data set of NIST.
    minimum
        Of a MINPACK case, the published norm of the residuals at the minimum.
    """

    collection: str
    set: str
    start: int
    model: Callable[[Vector], Vector]
    residual: Callable[[Vector], Vector]
    jacobian: Callable[[Vector], Vector]
    y: Vector
    x0: Vector
    dataset: nist.Dataset | None = None
    minimum: float = np.nan

    @property
    def name(self) -> str:
        """The name by which a user chooses it, and that is in the results."""
        return f"{self.collection}/{self.set}/{self.start}"

    @property
    def variance_divisor(self) -> int:
        """Degrees of freedom of the residuals."""
        return self.y.size - self.x0.size

    def digits(self, x: Vector, errors: Vector | None, rss: float) -> Digits | None:
        """Compare with NIST's certified values; None where there are none."""
        if self.dataset is None:
            return None
        worst = [
            float(nist.log_relative_error(found, certified).min())
            for found, certified in ((x, self.dataset.certified), (rss, self.dataset.rss))
        ]
        if errors is None:
            return Digits(worst[0], None, worst[1])
        of_errors = nist.log_relative_error(errors, self.dataset.standard_errors)
        return Digits(worst[0], float(of_errors.min()), worst[1])

    def is_solved(self, x: Vector, rss: float) -> bool:
        """Tell whether `x`, where the sum of squares is `rss`, is the solution."""
        digits = self.digits(x, None, rss)
        if digits is not None:
            return digits.parameters >= SOLVED_DIGITS
        # What is not finite is no solution, and compares as false.
        return bool(np.sqrt(rss) <= self.minimum * (1.0 + NORM_RELATIVE) + NORM_ABSOLUTE)


def _of_minpack(case: mgh.Case) -> Problem:
    problem = case.problem
    return Problem(
        collection=MINPACK,
        set=f"{problem.name}-{problem.n}x{problem.m}",
        start=int(case.factor),
        model=problem.residual,
        residual=problem.residual,
        jacobian=problem.jacobian,
        y=np.zeros(problem.m),
        x0=case.start,
        minimum=problem.minimum,
    )


def _of_nist(dataset: nist.Dataset, start: int) -> Problem:
    return Problem(
        collection=NIST,
        set=dataset.name,
        start=start,
        model=dataset.model,
        residual=dataset.residual,
        jacobian=dataset.jacobian,
        y=dataset.y,
        x0=dataset.starts[start - 1],
        dataset=dataset,
    )


def all_problems() -> list[Problem]:
    """Return the 53 cases of MINPACK's test driver, and NIST's 27 sets from both starts."""
    cases = [_of_minpack(case) for case in mgh.CASES]
    return cases + [_of_nist(each, start) for each in nist.load().values() for start in (1, 2)]


def choose(problems: Iterable[Problem], wanted: Sequence[str]) -> list[Problem]:
    """Return those that one of the texts names, in any case; all without a text.

    A text names the problems that it is the whole name of, or the end after a slash; where there
    are none, those whose name contains it. Raises LookupError when a text is in no name.
    """
    everything = list(problems)
    chosen = {problem.name for text in wanted for problem in _named(everything, text)}
    return [problem for problem in everything if not wanted or problem.name in chosen]


def _named(problems: Sequence[Problem], text: str) -> list[Problem]:
    text = text.lower()
    exactly = [each for each in problems if f"/{each.name}".lower().endswith(f"/{text}")]
    found = exactly or [each for each in problems if text in each.name.lower()]
    if not found:
        raise LookupError(f"no problem has {text!r} in its name; --list shows the names")
    return found
