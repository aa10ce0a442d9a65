"""What the fits of a run come to: counts, medians and ratios, for report, pictures and JSON."""

from __future__ import annotations

import platform
import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .problems import NIST
from .run import Record, Results
from .solvers import OURS

LAST_FORTRAN_SCIPY = (1, 14)
"""The SciPy whose leastsq is the Fortran MINPACK, and with it our twin."""


class Tally(NamedTuple):
    """In how many fits a solver came to the same as pyminpack; None where it never tells.

    A fit that ended in an error is one in which nothing is the same.
    """

    fits: int
    ier: int | None
    nfev: int | None
    x: int | None
    fvec: int | None

    @property
    def is_complete(self) -> bool:
        """Whether everything is the same in every fit."""
        return all(count == self.fits for count in self[1:])


def tally(results: Results, solver: str, jacobian: str) -> Tally:
    """Compare the fits of a solver with pyminpack's, with that kind of Jacobian."""
    records = list(results.of(solver, jacobian=jacobian))
    agreements = [results.agreement(record) for record in records]

    def count(name: str) -> int | None:
        told = [getattr(each, name) for each in agreements if each is not None]
        told = [each for each in told if each is not None]
        return sum(told) if told else None

    return Tally(len(records), count("ier"), count("nfev"), count("x"), count("fvec"))


class Spread(NamedTuple):
    """Ratios over several fits: their geometric mean, the least and the largest."""

    fits: int
    mean: float
    least: float
    most: float


def spread(ratios: Iterable[float]) -> Spread | None:
    """Summarise ratios; None when there are none."""
    values = list(ratios)
    if not values:
        return None
    mean = float(np.exp(np.mean(np.log(values))))
    return Spread(len(values), mean, min(values), max(values))


def time_ratios(results: Results, solver: str, collection: str = "", **way: str) -> list[float]:
    """Return the solver's time over pyminpack's, for each fit that both were timed at."""
    ratios = []
    for record in results.of(solver, collection, **way):
        times = results.times.get((record.problem.name, record.way), {})
        if solver in times and OURS in times:
            ratios.append(times[solver] / times[OURS])
    return ratios


def call_ratios(results: Results, solver: str, which: str = "calls", **way: str) -> list[float]:
    """Return the solver's calls over pyminpack's, for each fit in which both found the solution."""
    ratios = []
    for record in results.of(solver, **way):
        ours = results.records[OURS][record.problem.name, record.way]
        if ours.is_solved and record.is_solved and getattr(record, which) and getattr(ours, which):
            ratios.append(getattr(record, which) / getattr(ours, which))
    return ratios


def calls_beyond(results: Results, solver: str, **way: str) -> tuple[int, int] | None:
    """Return the least and the most calls that a solver made and did not count in its nfev."""
    beyond = [
        record.calls - record.outcome.nfev
        for record in results.of(solver, **way)
        if record.outcome is not None and record.outcome.nfev is not None
    ]
    return (min(beyond), max(beyond)) if beyond else None


def solved(results: Results, solver: str, collection: str, **way: str) -> tuple[int, int]:
    """Return how many fits found the solution, and of how many."""
    found = [record.is_solved for record in results.of(solver, collection, **way)]
    return sum(found), len(found)


def median_digits(results: Results, solver: str, figure: str, **way: str) -> float | None:
    """Return the median of a figure of `Digits` over NIST's sets, an error being no digit.

    None where there was no set to fit.
    """
    found = [digits_of(record, figure) for record in results.of(solver, NIST, **way)]
    return statistics.median(each or 0.0 for each in found) if found else None


def digits_of(record: Record, figure: str) -> float | None:
    """Return a figure of the fit's digits; None where it has none."""
    return None if record.digits is None else getattr(record.digits, figure)


def offers_errors(results: Results, solver: str) -> bool:
    """Tell whether the solver gave standard errors in any fit of NIST's data."""
    return any(digits_of(record, "errors") is not None for record in results.of(solver, NIST))


@dataclass(frozen=True)
class Trouble:
    """Errors, or warnings, of one text."""

    solver: str
    kind: str
    text: str
    fits: int
    example: str


def troubles(results: Results) -> list[Trouble]:
    """Collect what solvers raised and warned of, the most frequent of each first."""
    found: list[Trouble] = []
    for solver in results.versions:
        examples: dict[tuple[str, str], str] = {}
        counts: Counter[tuple[str, str]] = Counter()
        for record in results.of(solver):
            said = [("warning", text) for text in record.warnings]
            if record.error is not None:
                said.append(("error", record.error))
            for each in said:
                counts[each] += 1
                examples.setdefault(each, f"{record.problem.name}, {record.way}")
        found += [
            Trouble(solver, kind, text, fits, examples[kind, text])
            for (kind, text), fits in counts.most_common()
        ]
    return found


@dataclass(frozen=True)
class Promise:
    """Something that pyminpack promises, and whether this run bears it out.

    `is_kept` is None where the run cannot tell.
    """

    text: str
    is_kept: bool | None
    found: str


def promises(results: Results) -> list[Promise]:
    """Judge what pyminpack promises by the fits of this run."""
    return [_exact_counts(results), _no_trouble(results), _same_bits(results), _near(results)]


def _exact_counts(results: Results) -> Promise:
    records = [each for each in results.of(OURS) if each.outcome is not None]
    wrong = [
        each
        for each in records
        if each.outcome is not None
        and (each.calls, each.jacobian_calls) != (each.outcome.nfev, each.outcome.njev or 0)
    ]
    text = "func is called nfev times, and Dfun njev times"
    return Promise(text, not wrong, _where(wrong, len(records)))


def _no_trouble(results: Results) -> Promise:
    records = list(results.of(OURS))
    wrong = [each for each in records if each.error is not None or each.warnings]
    return Promise("no fit raises or warns", not wrong, _where(wrong, len(records)))


def _same_bits(results: Results) -> Promise:
    text = "x, residuals, ier and nfev are those of the Fortran MINPACK, bit for bit"
    version = results.versions.get("scipy-leastsq")
    if version is None:
        return Promise(text, None, "SciPy's leastsq took no part")
    if release(version) > LAST_FORTRAN_SCIPY:
        return Promise(text, None, f"SciPy {version} has none; the last that has is 1.14.1")
    if platform.machine() not in ("x86_64", "AMD64"):
        # Elsewhere compilers contract a product and a sum into one rounding unless told not to.
        return Promise(text, None, f"SciPy for {platform.machine()} is not built for it")
    records = list(results.of("scipy-leastsq"))
    wrong = []
    for record in records:
        found = results.agreement(record)
        if found is None or not (found.x and found.fvec and found.ier and found.nfev):
            wrong.append(record)
    return Promise(text, not wrong, _where(wrong, len(records)))


def _near(results: Results) -> Promise:
    text = "from the near start, with tight tolerances and exact Jacobian, NIST's sets are solved"
    way = {"tolerance": "tight", "jacobian": "exact"}
    records = [each for each in results.of(OURS, NIST, **way) if each.problem.start == 2]
    wrong = [each for each in records if not each.is_solved]
    if not records:
        return Promise(text, None, "none of them was solved in this run")
    return Promise(text, not wrong, _where(wrong, len(records)))


def _where(wrong: list[Record], among: int) -> str:
    if not wrong:
        return f"in all {among} fits"
    first = wrong[0]
    return f"not in {len(wrong)} of {among} fits, such as {first.problem.name}, {first.way}"


def release(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
