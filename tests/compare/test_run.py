"""A run of pyminpack.compare: what is solved, what is kept of it, and what it comes to."""

from __future__ import annotations

import gc
from functools import partial
from typing import Any

import numpy as np
import pytest
from fake_solvers import (
    hanging,
    hanging_on_the_jacobian,
    like_ours,
    of_one_number,
    ours,
    problems,
    raising,
    solver,
    warning,
    with_other_differences,
    without_numbers,
)

from pyminpack.compare import figures
from pyminpack.compare.figures import Promise, promises, spread, tally
from pyminpack.compare.problems import (
    JACOBIANS,
    NORM_ABSOLUTE,
    SOLVED_DIGITS,
    WAYS,
    Way,
    all_problems,
    choose,
)
from pyminpack.compare.run import HARD_LIMIT, Results, run, same_bits, solve
from pyminpack.compare.solvers import OURS, SOLVERS
from pyminpack.compare.timing import by_the_clock, time_in_turn

EXACT = Way("default", "exact")


def fits_of(*solvers: Any, names: tuple[str, ...] = ("Misra1a/2", "bard-3x15/1")) -> Results:
    """Run pyminpack and these on two problems; time nothing."""
    return run(problems(*names), [ours(), *solvers], repeats=0)


def test_all_cases_and_sets_from_both_starts_in_four_ways() -> None:
    everything = all_problems()
    names = [problem.name for problem in everything]
    assert len(set(names)) == len(names) == 53 + 2 * 27
    assert sum(problem.collection == "MINPACK" for problem in everything) == 53
    sets = {problem.set for problem in everything if problem.collection == "NIST"}
    assert len(sets) == 27
    assert {f"NIST/{name}/{start}" for name in sets for start in (1, 2)} <= set(names)
    both = ("differences", "exact")
    assert set(WAYS) == {(each, kind) for each in ("default", "tight") for kind in both}


def test_every_solver_solves_every_problem_in_every_way() -> None:
    done: list[tuple[Any, ...]] = []
    chosen = problems("Misra1a", "rosenbrock")
    results = run(chosen, repeats=0, progress=lambda *step: done.append(step))
    assert list(results.versions) + list(results.missing) == [each.name for each in SOLVERS]
    for name in results.versions:
        expected = {(problem.name, way) for problem in chosen for way in WAYS}
        assert results.records[name].keys() == expected
    assert done == [("solving", i, 5, problem.name) for i, problem in enumerate(chosen)]
    assert results.times == {}


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ([], 107),
        (["NIST"], 54),
        (["thurber"], 2),
        (["NIST/Thurber/1"], 1),
        (["bard-3x15/1"], 1),
        (["bard", "ENSO"], 5),
        (["ENSO", "ENSO/1"], 2),
    ],
)
def test_problems_are_chosen_by_parts_of_their_names(wanted: list[str], count: int) -> None:
    assert len(choose(all_problems(), wanted)) == count


def test_a_name_that_no_problem_has() -> None:
    with pytest.raises(LookupError, match="no problem has 'turber' in its name"):
        problems("Thurber", "Turber")


# What a solver does wrong is reported, and the run goes on.


def test_an_exception_is_kept_and_the_run_goes_on() -> None:
    results = fits_of(solver(raising))
    for record in results.of("fake"):
        assert record.error == "ValueError: no good: a | b"
        assert record.outcome is None
        assert record.digits is None
        assert not record.is_solved
        assert results.agreement(record) is None
    assert all(record.is_solved for record in results.of(OURS))
    (trouble,) = figures.troubles(results)
    assert (trouble.solver, trouble.kind, trouble.fits) == ("fake", "error", 8)
    assert trouble.example == "MINPACK/bard-3x15/1, default tolerances, differences"


def test_warnings_are_kept_once_a_fit() -> None:
    results = fits_of(solver(warning))
    for record in results.of("fake"):
        assert record.warnings == ("UserWarning: far from well",)
        assert record.is_solved
    (trouble,) = figures.troubles(results)
    assert (trouble.kind, trouble.text, trouble.fits) == ("warning", record.warnings[0], 8)


@pytest.mark.parametrize("hangs", [hanging, hanging_on_the_jacobian])
def test_a_solver_that_hangs_is_stopped(hangs: Any) -> None:
    (problem,) = problems("Misra1a/2")
    record = solve("fake", partial(hangs, None), problem, EXACT)
    assert record.error == f"LimitReachedError: stopped after {HARD_LIMIT} calls"
    assert HARD_LIMIT + 1 in (record.calls, record.jacobian_calls)


def test_an_answer_of_the_wrong_shape_is_an_error() -> None:
    (record, *_) = fits_of(solver(of_one_number)).of("fake")
    assert record.error == "TypeError: the adapter returned x of shape (1,) and dtype float64"


def test_an_answer_that_is_not_finite_solves_nothing() -> None:
    results = fits_of(solver(without_numbers))
    assert not any(record.is_solved for record in results.of("fake"))
    digits = [record.digits for record in results.of("fake", "NIST")]
    assert digits == [(0.0, None, 0.0)] * 4


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_whoever_wants_to_stop_is_not_held_up(error: type[BaseException]) -> None:
    def stopping(module: Any, task: Any) -> Any:
        raise error

    with pytest.raises(error):
        fits_of(solver(stopping))


# Digits, and what counts as solved.


def test_a_set_is_solved_when_the_worst_parameter_has_four_digits() -> None:
    (problem,) = problems("Misra1a/1")
    assert problem.dataset is not None
    certified = problem.dataset.certified
    for relative, solved in ((0.9e-4, True), (1.1e-4, False)):
        x = certified * np.array([1.0, 1.0 + relative])
        digits = problem.digits(x, None, problem.dataset.rss)
        assert digits is not None
        assert digits.parameters == pytest.approx(-np.log10(relative), abs=1e-6)
        assert (digits.parameters >= SOLVED_DIGITS) == problem.is_solved(x, 0.0) == solved
        assert digits.rss == 11.0
        assert digits.errors is None


def test_digits_of_standard_errors() -> None:
    (problem,) = problems("Misra1a/1")
    assert problem.dataset is not None
    errors = problem.dataset.standard_errors * np.array([1.0, 1.001])
    digits = problem.digits(problem.dataset.certified, errors, problem.dataset.rss)
    assert digits is not None
    assert digits.errors == pytest.approx(3.0)


def test_a_case_is_solved_near_the_published_norm() -> None:
    (bard, *_), (rosenbrock, *_) = problems("bard"), problems("rosenbrock")
    for problem, norm, solved in (
        (bard, 0.09063596, True),
        (bard, 0.0907, False),
        (bard, 0.05, True),
        (bard, np.nan, False),
        (rosenbrock, 0.9 * NORM_ABSOLUTE, True),
        (rosenbrock, 1.1 * NORM_ABSOLUTE, False),
    ):
        assert problem.is_solved(problem.x0, norm**2) == solved
        assert problem.digits(problem.x0, None, norm**2) is None


# Agreement.


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ([1.0, 2.0], [1.0, 2.0], True),
        ([1.0, 2.0], [1.0, np.nextafter(2.0, 3.0)], False),
        ([0.0], [-0.0], False),
        ([np.nan], [np.nan], True),
        ([1.0], [1.0, 1.0], False),
        ([1.0], np.ones(1, np.float32), False),
    ],
)
def test_same_bits(a: Any, b: Any, same: bool) -> None:
    assert same_bits(np.asarray(a), np.asarray(b)) is same


def test_a_solver_like_ours_agrees_in_everything() -> None:
    results = fits_of(solver(like_ours))
    for kind in JACOBIANS:
        found = tally(results, "fake", kind)
        assert found == (4, 4, 4, 4, 4)
        assert found.is_complete


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ier": 9}, (4, 0, 4, 4, 4)),
        ({"nfev": 1}, (4, 4, 0, 4, 4)),
        ({"fvec": np.zeros(3)}, (4, 4, 4, 4, 0)),
        ({"ier": None, "nfev": None, "fvec": None}, (4, None, None, 4, None)),
    ],
)
def test_what_differs_is_counted_by_itself(changes: dict[str, Any], expected: Any) -> None:
    found = tally(fits_of(solver(partial(like_ours, **changes))), "fake", "exact")
    assert found == expected
    assert not found.is_complete


def test_other_differences_agree_where_the_jacobian_is_exact() -> None:
    results = fits_of(solver(with_other_differences))
    assert tally(results, "fake", "exact").is_complete
    found = tally(results, "fake", "differences")
    assert found.fits == 4
    assert found.x is not None
    assert found.x < 4


def test_a_fit_with_an_error_agrees_in_nothing() -> None:
    def sometimes(module: Any, task: Any) -> Any:
        return raising(module, task) if task.y.size == 14 else like_ours(module, task)

    assert tally(fits_of(solver(sometimes)), "fake", "exact") == (4, 2, 2, 2, 2)


def test_scipys_leastsq_agrees_as_its_version_lets_expect() -> None:
    pytest.importorskip("scipy")
    results = run(problems("Misra", "MGH09", "bard", "osborne"), SOLVERS[:2], repeats=0)
    release = figures.release(results.versions["scipy-leastsq"])
    if release <= figures.LAST_FORTRAN_SCIPY:
        assert all(tally(results, "scipy-leastsq", kind).is_complete for kind in JACOBIANS)
    else:
        assert not tally(results, "scipy-leastsq", "differences").is_complete
    # leastsq calls func twice more than it says.
    assert figures.calls_beyond(results, "scipy-leastsq") == (2, 2)
    assert figures.calls_beyond(results, OURS) == (0, 0)


# Calls and times.


def test_ratios_of_calls_are_of_fits_that_both_solve() -> None:
    def twice(module: Any, task: Any) -> Any:
        like_ours(module, task)
        return like_ours(module, task)

    results = fits_of(solver(twice), names=("Misra1a/2", "BoxBOD/1"))
    # Nobody solves BoxBOD from there.
    for kind, which in (("exact", "calls"), ("exact", "jacobian_calls"), ("differences", "calls")):
        assert figures.call_ratios(results, "fake", which, jacobian=kind) == [2.0, 2.0]
    assert figures.call_ratios(results, "fake", "jacobian_calls", jacobian="differences") == []


def test_spread() -> None:
    assert spread([]) is None
    found = spread([0.5, 2.0, 8.0])
    assert found is not None
    assert found == (3, pytest.approx(2.0), 0.5, 8.0)


def test_times_are_of_usual_tolerances_and_of_those_who_solve() -> None:
    done: list[str] = []
    results = run(
        problems("Misra1a/2", "BoxBOD/1"),
        [ours(), solver(like_ours), solver(raising, "raising")],
        repeats=2,
        progress=lambda stage, *_: done.append(stage),
    )
    assert done == ["solving"] * 2 + ["timing"] * 2
    assert results.repeats == 2
    assert results.times.keys() == {("NIST/Misra1a/2", way) for way in WAYS if way[0] == "default"}
    for times in results.times.values():
        assert times.keys() == {OURS, "fake"}
        assert all(seconds > 0 for seconds in times.values())
    assert len(figures.time_ratios(results, "fake")) == 2
    assert figures.time_ratios(results, "raising") == []


def test_all_take_turns_there_and_back() -> None:
    calls: list[str] = []

    def clock(name: str) -> Any:
        def seconds(repeats: int) -> float:
            calls.append(name)
            return 0.02 * repeats

        return seconds

    times = time_in_turn({name: clock(name) for name in "abc"}, (60.0, 3, 4))
    assert times == {name: [0.02] * 4 for name in "abc"}
    assert "".join(calls) == "abc" + "abccbaabccba"


def test_short_fits_are_repeated_until_the_clock_does_not_matter() -> None:
    repeats: list[int] = []

    def clock(number: int) -> float:
        repeats.append(number)
        return 1e-5 * number

    times = time_in_turn({"a": clock}, (1e-9, 2, 9))
    assert times == {"a": [pytest.approx(1e-5)] * 2}
    assert repeats == [1, 1, 99, 99] or repeats == [1, 1, 100, 100]


@pytest.mark.parametrize("enabled", [True, False])
def test_garbage_is_not_collected_while_the_clock_runs(enabled: bool) -> None:
    states: list[bool] = []

    def clock(repeats: int) -> float:
        states.append(gc.isenabled())
        return 1.0

    try:
        (gc.enable if enabled else gc.disable)()
        time_in_turn({"a": clock}, (0.0, 2, 2))
        assert states == [enabled, False, False]
        assert gc.isenabled() is enabled
    finally:
        gc.enable()


def test_a_clock_counts_calls() -> None:
    calls: list[int] = []
    assert by_the_clock(lambda: calls.append(1))(7) > 0
    assert len(calls) == 7


# Promises.


def promised(results: Results) -> list[bool | None]:
    return [each.is_kept for each in promises(results)]


def test_pyminpack_keeps_its_promises() -> None:
    found = promises(fits_of())
    assert [each.is_kept for each in found] == [True, True, None, True]
    assert found[0].found == "in all 8 fits"
    assert found[2] == Promise(found[2].text, None, "SciPy's leastsq took no part")


@pytest.mark.parametrize(
    ("change", "which"),
    [
        (partial(like_ours, nfev=1), 0),
        (partial(like_ours, njev=1), 0),
        (warning, 1),
        (raising, 1),
        (without_numbers, 3),
    ],
)
def test_a_broken_promise_is_noticed(change: Any, which: int) -> None:
    results = run(problems("Misra1a/2"), [solver(change, OURS)], repeats=0)
    broken = promises(results)[which]
    assert broken.is_kept is False
    assert broken.found.startswith("not in ")


@pytest.mark.parametrize(
    ("version", "machine", "kept"),
    [
        ("1.14.1", "x86_64", True),
        ("1.9.3", "AMD64", True),
        ("1.15.0", "x86_64", None),
        ("1.14.1", "arm64", None),
    ],
)
def test_the_bits_are_promised_where_scipy_has_the_fortran(
    version: str, machine: str, kept: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("pyminpack.compare.solvers.Solver.version", lambda _: version)
    assert promised(fits_of(solver(like_ours, "scipy-leastsq")))[2] is kept
    if kept:
        other = fits_of(solver(with_other_differences, "scipy-leastsq"))
        assert promised(other)[2] is False
        assert promised(fits_of(solver(raising, "scipy-leastsq")))[2] is False


def test_the_near_starts_are_judged_only_where_they_were_tried() -> None:
    assert promised(fits_of(names=("Misra1a/1",)))[3] is None
    assert promised(fits_of(names=("rosenbrock",)))[3] is None
