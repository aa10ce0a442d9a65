"""The table of solvers: each adapter alone, on problems whose solution is known."""

from __future__ import annotations

import doctest
import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fake_solvers import problems

from pyminpack import compare
from pyminpack.compare import SOLVERS, Outcome, Solver, Task
from pyminpack.compare.problems import LIMIT, TIGHT, WAYS, Way
from pyminpack.compare.run import load, run, solve
from pyminpack.compare.solvers import OURS, task_of

by_solver = pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: solver.name)
by_way = pytest.mark.parametrize("way", WAYS, ids=str)

SILENT_ON_ERRORS = {"scipy-lm", "scipy-trf"}
TELL_IER = {OURS, "scipy-leastsq", "scipy-curve_fit", "scipy-lm", "lmfit"}


@pytest.fixture
def table() -> Iterator[list[Solver]]:
    """The public table, which is put back as it was."""
    before = list(SOLVERS)
    yield SOLVERS
    SOLVERS[:] = before


def adapter_of(solver: Solver) -> Any:
    pytest.importorskip(solver.package)
    return solver.load()


def test_every_solver_is_in_the_table() -> None:
    assert [solver.name for solver in SOLVERS] == [
        OURS, "scipy-leastsq", "scipy-curve_fit", "scipy-lm", "scipy-trf", "lmfit", "odrpack"
    ]  # fmt: skip


@by_way
@by_solver
def test_an_adapter_fits_data(solver: Solver, way: Way) -> None:
    (problem,) = problems("Misra1a/2")
    record = solve(solver.name, adapter_of(solver), problem, way)
    assert record.error is None
    assert record.warnings == ()
    assert record.is_solved
    assert record.outcome is not None
    assert record.digits is not None
    assert record.digits.parameters > 6
    assert record.digits.rss > 9
    if solver.name in SILENT_ON_ERRORS:
        assert record.digits.errors is None
    else:
        assert record.digits.errors is not None
        assert record.digits.errors > 4.5
    assert record.calls > 0
    assert (record.jacobian_calls > 0) == (way.jacobian == "exact")
    assert (record.outcome.ier in {1, 2, 3, 4}) == (solver.name in TELL_IER)
    assert record.outcome.nfev is not None
    assert record.outcome.fvec is not None
    np.testing.assert_allclose(record.outcome.fvec, problem.residual(record.outcome.x), atol=1e-8)


@by_way
@by_solver
def test_an_adapter_solves_a_minpack_case(solver: Solver, way: Way) -> None:
    (problem,) = problems("MINPACK/rosenbrock-2x2/1")[:1]
    record = solve(solver.name, adapter_of(solver), problem, way)
    assert record.error is None
    assert record.is_solved
    assert record.outcome is not None
    assert record.digits is None
    np.testing.assert_allclose(record.outcome.x, [1.0, 1.0], atol=1e-5)


@by_solver
def test_tight_tolerances_reach_the_solver(solver: Solver) -> None:
    # With the usual tolerances, fits of this set end with 5 digits or fewer.
    (problem,) = problems("ENSO/2")
    adapter = adapter_of(solver)
    loose = solve(solver.name, adapter, problem, Way("default", "exact"))
    tight = solve(solver.name, adapter, problem, Way("tight", "exact"))
    assert loose.digits is not None
    assert tight.digits is not None
    assert tight.digits.parameters > 6 > loose.digits.parameters + 1


@by_solver
def test_the_limit_reaches_the_solver(solver: Solver, monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = problems("MGH10/1")
    adapter = adapter_of(solver)
    monkeypatch.setattr("pyminpack.compare.solvers.LIMIT", 7)
    record = solve(solver.name, adapter, problem, Way("default", "exact"))
    assert 5 <= record.calls <= 60
    assert not record.is_solved


def test_a_task_is_what_the_way_says() -> None:
    (problem,) = problems("Misra1a/1")
    tight = task_of(problem, Way("tight", "exact"))
    usual = task_of(problem, Way("default", "differences"))
    assert tight.tolerances("ftol", "sstol") == {"ftol": TIGHT, "sstol": TIGHT}
    assert usual.tolerances("ftol") == {}
    assert usual.jacobian is None
    assert tight.limit == usual.limit == LIMIT
    assert tight.jacobian is not None
    np.testing.assert_array_equal(tight.jacobian(tight.x0), problem.jacobian(problem.x0))
    np.testing.assert_array_equal(tight.model(tight.x0) - tight.y, tight.residual(tight.x0))
    with pytest.raises(ValueError, match="read-only"):
        tight.x0[0] = 1.0
    assert problem.x0.flags.writeable


def test_standard_errors_come_from_whatever_a_solver_offers() -> None:
    x, matrix = np.ones(2), np.array([[4.0, 1.0], [1.0, 9.0]])

    def errors_of(**offered: Any) -> Any:
        return Outcome(x, **offered).standard_errors(rss=8.0, degrees_of_freedom=2)

    np.testing.assert_array_equal(errors_of(inverse=matrix), [4.0, 6.0])
    np.testing.assert_array_equal(errors_of(covariance=matrix), [2.0, 3.0])
    np.testing.assert_array_equal(errors_of(errors=np.array([5.0, 7.0])), [5.0, 7.0])
    assert errors_of() is None
    assert Outcome(x, inverse=matrix).standard_errors(rss=0.0, degrees_of_freedom=0) is None


def test_versions_are_those_of_the_packages() -> None:
    assert Solver("a", "pyminpack.compare", lambda *_: None).version() == compare_version()
    assert Solver("b", "fake_solvers", lambda *_: None).version() == "unknown"


def compare_version() -> str:
    return str(importlib.import_module("pyminpack").__version__)


# This is the test of "adding one is ten lines": the adapter, and its row of the table.


def gauss_newton(numpy: Any, task: Task) -> Outcome:
    x, calls = task.x0.copy(), 0
    while calls < task.limit:
        fvec, calls = task.residual(x), calls + 1
        step = numpy.linalg.lstsq(task.jacobian(x), fvec)[0]
        x = x - step
        if abs(step).max() <= 1e-12 * abs(x).max():
            break
    return Outcome(x, nfev=calls)


NEW = Solver("gauss-newton", "numpy", gauss_newton)


def test_adding_a_solver_is_ten_lines(table: list[Solver]) -> None:
    # The eleventh is the row.
    assert len(inspect.getsource(gauss_newton).splitlines()) < 10
    table.append(NEW)
    results = run(problems("Misra1a/2"), repeats=1, ways=[Way("default", "exact")])
    (record,) = results.of("gauss-newton")
    assert record.is_solved
    assert record.digits is not None
    assert record.digits.parameters > 9
    assert results.versions["gauss-newton"] == np.__version__
    assert {OURS, "gauss-newton"} <= results.times["NIST/Misra1a/2", Way("default", "exact")].keys()


def test_the_example_of_the_package_adds_a_solver(table: list[Solver]) -> None:
    pytest.importorskip("scipy")
    (test,) = [each for each in doctest.DocTestFinder().find(compare) if each.examples]
    # The adapter still needs the names that the example has imported.
    assert doctest.DocTestRunner().run(test, clear_globs=False).failed == 0
    example = table[-1]
    assert example.name == "scipy-fmin"
    record = solve(example.name, example.load(), *problems("rosenbrock-2x2/1")[:1], WAYS[0])
    assert record.error is None
    assert record.outcome is not None
    np.testing.assert_allclose(record.outcome.x, [1.0, 1.0], atol=1e-3)
    assert record.calls == record.outcome.nfev


def test_what_is_not_installed_takes_no_part() -> None:
    there = Solver("there", "pyminpack", gauss_newton)
    absent = Solver("absent", "no_such_solver.inside", gauss_newton)
    incomplete = Solver("incomplete", "pyminpack.none", gauss_newton)
    adapters, missing = load([there, absent, incomplete])
    assert list(adapters) == ["there"]
    assert missing == {
        "absent": "not installed: pip install no_such_solver",
        "incomplete": "cannot be imported: ModuleNotFoundError: No module named 'pyminpack.none'",
    }
