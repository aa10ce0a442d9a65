"""Solves every problem in every way with every solver, and keeps what came out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from .environment import environment
from .problems import LIMIT, WAYS, Digits, Problem, Way
from .solvers import OURS, SOLVERS, Outcome, Solver, Task, task_of
from .timing import by_the_clock, time_in_turn

HARD_LIMIT: Final = LIMIT + 200
"""Calls after which a solver is stopped, whatever it counts; MINPACK may overshoot by N + 1."""

TIMED: Final = "default"
"""The tolerances of the fits that are timed."""

# Seconds of repeats for a problem, after which there are no more rounds than `LEAST_ROUNDS`.
_BUDGET = 0.2
_LEAST_ROUNDS = 2

Progress = Callable[[str, int, int, str], None]
"""Called with what is done, how much of it, of how much, and with the name of the problem."""


class LimitReachedError(Exception):
    """Raised into a solver that makes more calls than anyone may."""


@dataclass(frozen=True, eq=False)
class Record:
    """One fit by one solver.

    `outcome`, `digits` and `rss` are None where the solver raised `error`, a sentence. `calls` and
    `jacobian_calls` are what it called, whatever it says itself.
    """

    solver: str
    problem: Problem
    way: Way
    calls: int
    jacobian_calls: int
    outcome: Outcome | None = None
    rss: float | None = None
    digits: Digits | None = None
    is_solved: bool = False
    error: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Agreement:
    """What of a fit is as in the first solver's; None where one of them does not tell."""

    ier: bool | None
    nfev: bool | None
    x: bool
    fvec: bool | None


Key = tuple[str, Way]


@dataclass(frozen=True, eq=False)
class Results:
    """Everything that a run found.

    Attributes
    ----------
    environment
        Machine and versions, in words.
    versions
        Of the packages of the solvers that took part, by name of the solver.
    missing
        Why others did not, by name.
    problems, ways
        What was solved.
    records
        By solver, and then by name of the problem and way.
    times
        Least seconds of a fit, by name of the problem and way, and then by solver. Empty when
        nothing was timed.
    repeats
        The most times that a fit was timed, 0 when none was.
    """

    environment: Mapping[str, str]
    versions: Mapping[str, str]
    missing: Mapping[str, str]
    problems: Sequence[Problem]
    ways: Sequence[Way]
    records: Mapping[str, Mapping[Key, Record]]
    times: Mapping[Key, Mapping[str, float]] = field(default_factory=dict)
    repeats: int = 0

    @property
    def others(self) -> list[str]:
        """All solvers but the one they are compared with."""
        return [name for name in self.versions if name != OURS]

    def of(self, solver: str, collection: str = "", **way: str) -> Iterator[Record]:
        """Yield the fits of a solver to a collection, where the way has these attributes."""
        for record in self.records[solver].values():
            if collection in ("", record.problem.collection) and all(
                getattr(record.way, name) == value for name, value in way.items()
            ):
                yield record

    def agreement(self, record: Record) -> Agreement | None:
        """Compare with the fit of the first solver; None where either has none."""
        ours = self.records[OURS][record.problem.name, record.way].outcome
        theirs = record.outcome
        if ours is None or theirs is None:
            return None
        return Agreement(
            None if theirs.ier is None else theirs.ier == ours.ier,
            None if theirs.nfev is None else theirs.nfev == ours.nfev,
            same_bits(ours.x, theirs.x),
            None if theirs.fvec is None or ours.fvec is None else same_bits(ours.fvec, theirs.fvec),
        )


def same_bits(a: Any, b: Any) -> bool:
    """Tell whether two vectors of numbers are equal to the last bit, -0 and 0 told apart."""
    first, second = np.asarray(a), np.asarray(b)
    return (
        first.shape == second.shape
        and first.dtype == second.dtype
        and first.tobytes() == second.tobytes()
    )


class Counter:
    """Counts the calls of residuals and Jacobian, and ends a fit that makes too many."""

    def __init__(self, limit: int = HARD_LIMIT) -> None:
        self.limit = limit
        self.calls = {"residual": 0, "jacobian": 0}

    def wrap(self, kind: str, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return the function, counted as that kind."""

        def counted(x: Any) -> Any:
            self.calls[kind] += 1
            if self.calls[kind] > self.limit:
                raise LimitReachedError(f"stopped after {self.limit} calls")
            return function(x)

        return counted


def solve(
    name: str,
    adapter: Callable[[Task], Outcome],
    problem: Problem,
    way: Way,
    limit: int = HARD_LIMIT,
) -> Record:
    """Solve one problem; what the solver raises or warns of is in the record."""
    counter = Counter(limit)
    outcome, error = None, None
    # Where a trial step overflows, the solver rejects it: that deserves no warning.
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        try:
            outcome = _checked(adapter(task_of(problem, way, counter.wrap)), problem)
        except Exception as problem_with_it:
            error = _sentence(problem_with_it)
    said = tuple(dict.fromkeys(_sentence(each.message) for each in caught))
    calls = counter.calls["residual"], counter.calls["jacobian"]
    if outcome is None:
        return Record(name, problem, way, *calls, error=error, warnings=said)
    with np.errstate(all="ignore"):
        fvec = problem.residual(outcome.x)
        rss = float(fvec @ fvec)
        errors = outcome.standard_errors(rss, problem.variance_divisor)
        digits = problem.digits(outcome.x, errors, rss)
        is_solved = problem.is_solved(outcome.x, rss)
    return Record(name, problem, way, *calls, outcome, rss, digits, is_solved, None, said)


def _checked(outcome: Outcome, problem: Problem) -> Outcome:
    x = np.asarray(outcome.x)
    if x.shape != problem.x0.shape or x.dtype != np.float64:
        raise TypeError(f"the adapter returned x of shape {x.shape} and dtype {x.dtype}")
    return outcome


def _sentence(what: BaseException | Warning | str) -> str:
    """Put an exception or a warning into one line."""
    text = " ".join(str(what).split())
    return f"{type(what).__name__}: {text}" if text else type(what).__name__


def load(solvers: Sequence[Solver]) -> tuple[dict[str, Callable[[Task], Outcome]], dict[str, str]]:
    """Import the solvers; return the adapters of those that are there, and why others are not."""
    adapters, missing = {}, {}
    for solver in solvers:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                adapters[solver.name] = solver.load()
        except Exception as error:
            absent = isinstance(error, ModuleNotFoundError) and error.name == solver.package
            missing[solver.name] = (
                f"not installed: pip install {solver.package}"
                if absent
                else f"cannot be imported: {_sentence(error)}"
            )
    return adapters, missing


def run(
    problems: Sequence[Problem],
    solvers: Sequence[Solver] | None = None,
    *,
    repeats: int = 5,
    progress: Progress = lambda *_: None,
    ways: Sequence[Way] = WAYS,
) -> Results:
    """
    Solve the problems with all solvers, and time them.

    Parameters
    ----------
    problems
        What to solve.
    solvers
        Who takes part, pyminpack first; None for the whole table. Those that are not installed
        are left out.
    repeats
        How often a fit is timed at most; 0 for no times.
    progress
        Called before each problem.
    ways
        The ways to solve each problem.

    Returns
    -------
    Results
    """
    table = SOLVERS if solvers is None else solvers
    adapters, missing = load(table)
    present = [each for each in table if each.name in adapters]
    versions = {each.name: each.version() for each in present}
    about = environment({each.package: each.version() for each in present})
    records: dict[str, dict[Key, Record]] = {name: {} for name in adapters}
    for done, problem in enumerate(problems):
        progress("solving", done, len(problems), problem.name)
        for way in ways:
            for name, adapter in adapters.items():
                records[name][problem.name, way] = solve(name, adapter, problem, way)
    times = _times(problems, ways, adapters, records, repeats, progress) if repeats else {}
    return Results(about, versions, missing, problems, ways, records, times, repeats)


def _times(
    problems: Sequence[Problem],
    ways: Sequence[Way],
    adapters: Mapping[str, Callable[[Task], Outcome]],
    records: Mapping[str, Mapping[Key, Record]],
    repeats: int,
    progress: Progress,
) -> dict[Key, dict[str, float]]:
    """Time the fits of those who solved a problem that pyminpack solved too."""
    times: dict[Key, dict[str, float]] = {}
    for done, problem in enumerate(problems):
        progress("timing", done, len(problems), problem.name)
        for way in ways:
            key = problem.name, way
            able = [name for name in adapters if records[name][key].is_solved]
            if way.tolerance != TIMED or OURS not in able or len(able) < 2:
                continue
            clocks = {
                name: by_the_clock(_fit(adapters[name], task_of(problem, way))) for name in able
            }
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                rounds = time_in_turn(clocks, (_BUDGET, min(_LEAST_ROUNDS, repeats), repeats))
            times[key] = {name: min(seconds) for name, seconds in rounds.items()}
    return times


def _fit(adapter: Callable[[Task], Outcome], task: Task) -> Callable[[], object]:
    return lambda: adapter(task)
