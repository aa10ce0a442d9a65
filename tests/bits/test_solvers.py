"""lmder, lmdif and their easy drivers against Argonne's bit for bit, and each call they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import argonne
import numpy as np
import pytest
from argonne import Doubles, Library
from routines import EPS, NAMED, Recorder, record

from pyminpack.compare.mgh import CASES, Problem

pytestmark = pytest.mark.skipif(not argonne.AVAILABLE, reason=argonne.REASON)


SOME = ["rosenbrock-2", "helical_valley-3", "meyer-3", "brown_dennis-4", "watson-6", "osborne2-11"]
by_solver = pytest.mark.parametrize("solver", ["lmder", "lmdif"])


@by_solver
@pytest.mark.parametrize("case", CASES, ids=str)
def test_solvers(own_library: Library, solver: str, case: Any) -> None:
    p = case.problem
    record(own_library, solver, p, case.start, p.m, maxfev=300, ldfjac=p.m + 3)
    record(own_library, solver, p, case.start, p.m, maxfev=300, ftol=0, xtol=0, factor=0.1)


@by_solver
@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("nprint", [1, 2, 3, 7, 1000, -1])
def test_printing(own_library: Library, solver: str, name: str, nprint: int) -> None:
    p = NAMED[name]
    _, log = record(own_library, solver, p, p.start, p.m, nprint=nprint, maxfev=200)
    prints = [k for k, call in enumerate(log) if call[0] == 0]
    assert (len(prints) >= 2 and prints[-1] == len(log) - 1) if nprint > 0 else not prints


@by_solver
@pytest.mark.parametrize("nprint", [0, 1, 2])
@pytest.mark.parametrize("name", ["rosenbrock-2", "helical_valley-3", "bard-3", "osborne1-5"])
def test_stopped_at_every_call(own_library: Library, solver: str, nprint: int, name: str) -> None:
    p = NAMED[name]
    options = {"nprint": nprint, "maxfev": 60}
    _, log = record(own_library, solver, p, p.start, p.m, **options)
    for stop in range(1, len(log)):
        fit, shorter = record(own_library, solver, p, p.start, p.m, stop=stop, **options)
        assert fit.info == -7
        assert len(shorter) == stop + (nprint > 0)
    # The call that prints the end comes too late to stop anything.
    fit, _ = record(own_library, solver, p, p.start, p.m, stop=len(log), **options)
    assert (fit.info > 0) == (nprint > 0)


@by_solver
@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_scaling(own_library: Library, solver: str, name: str, mode: int) -> None:
    p, rng = NAMED[name], np.random.default_rng(6)
    for spread in (0, 2, 6):
        diag = 10.0 ** rng.uniform(-spread, spread, p.n)
        fit, _ = record(own_library, solver, p, p.start, p.m, mode=mode, diag=diag, maxfev=150)
        assert np.array_equal(fit.diag, diag) == (mode == 2)


def threshold(fit: Callable[[float], int], reached: set[int]) -> float:
    """Return the smallest double with which `fit` ends in one of the ways `reached`."""
    low, high = 0, int(np.float64(1e300).view(np.int64))
    while low < high:
        middle = (low + high) // 2
        if fit(float(np.int64(middle).view(np.float64))) in reached:
            high = middle
        else:
            low = middle + 1
    return float(np.int64(low).view(np.float64))


@pytest.mark.parametrize("tolerance", ["ftol", "xtol", "gtol"])
@pytest.mark.parametrize("name", NAMED)
def test_tolerances_to_the_last_bit(own_library: Library, name: str, tolerance: str) -> None:
    """The quantities tested for convergence never leave the solver; the tolerances show them."""
    p = NAMED[name]
    start = 1.1 * p.start + 0.01  # the start of one problem is stationary
    tight = {"ftol": 0.0, "xtol": 0.0, "gtol": 0.0, "maxfev": 2}

    def info(library: Library | None, value: float) -> int:
        options = tight | {tolerance: value}
        return int(library.lmder(Recorder(p), start, p.m, **options).info)  # type: ignore[union-attr]

    reached = {"ftol": {1, 3}, "xtol": {2, 3}, "gtol": {4}}[tolerance]
    least = threshold(lambda value: info(argonne.ARGONNE, value), reached)
    assert info(argonne.ARGONNE, least) in reached
    assert info(own_library, least) in reached
    below = float(np.nextafter(least, 0.0))
    assert least == 0.0 or info(own_library, below) == info(argonne.ARGONNE, below)


IMPROPER: dict[str, dict[str, Any]] = {
    "n": {"x": []},
    "m": {"m": 2},
    "no m": {"m": 0},
    "ldfjac": {"ldfjac": 14},
    "ftol": {"ftol": -1e-300},
    "xtol": {"xtol": -1.0},
    "gtol": {"gtol": -1.0},
    "maxfev": {"maxfev": 0},
    "negative maxfev": {"maxfev": -5},
    "factor": {"factor": 0.0},
    "negative factor": {"factor": -1.0},
    "diag": {"mode": 2, "diag": [1.0, 1.0, 0.0]},
    "negative diag": {"mode": 2, "diag": [-1.0, 1.0, 1.0]},
}


@by_solver
@pytest.mark.parametrize("nprint", [0, 1])
@pytest.mark.parametrize("what", IMPROPER)
def test_improper_input(own_library: Library, solver: str, nprint: int, what: str) -> None:
    p = NAMED["bard-3"]
    options = {"x": p.start, "m": p.m, "nprint": nprint} | IMPROPER[what]
    x, m = options.pop("x"), options.pop("m")
    fit, log = record(own_library, solver, p, x, m, **options)
    assert (fit.info, fit.nfev, len(log)) == (0, 0, nprint)


def test_diag_is_not_looked_at_unless_asked(own_library: Library) -> None:
    p = NAMED["bard-3"]
    fit, _ = record(own_library, "lmder", p, p.start, p.m, mode=1, diag=-np.ones(3))
    assert fit.info == 1


@pytest.mark.parametrize("solver", ["lmder1", "lmdif1"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_easy_solvers(own_library: Library, solver: str, case: Any) -> None:
    p = case.problem
    padding = {"ldfjac": p.m + 2} if solver == "lmder1" else {}
    for tol in (1e-8, 1e-2, 0.0):
        record(own_library, solver, p, case.start, p.m, tol, **padding)


@pytest.mark.parametrize("solver", ["lmder1", "lmdif1"])
def test_easy_solvers_refuse(own_library: Library, solver: str) -> None:
    p = NAMED["bard-3"]
    short = {"lmder1": 5 * 3 + 15 - 1, "lmdif1": 15 * 3 + 5 * 3 + 15 - 1}[solver]
    bad: list[tuple[Any, ...]] = [(p.start, p.m, -1.0), (p.start, 2, 1e-8), ([], p.m, 1e-8)]
    for args in bad:
        fit, log = record(own_library, solver, p, *args)
        assert (fit.info, log) == (0, [])
    fit, log = record(own_library, solver, p, p.start, p.m, 1e-8, lwa=short)
    assert (fit.info, log) == (0, [])
    fit, _ = record(own_library, solver, p, p.start, p.m, 1e-8, lwa=short + 1)
    assert fit.info == 1
    if solver == "lmder1":
        fit, log = record(own_library, solver, p, p.start, p.m, 1e-8, ldfjac=p.m - 1)
        assert (fit.info, log) == (0, [])


@pytest.mark.parametrize("solver", ["lmder", "lmdif"])
def test_exceptions_come_through(own_library: Library, solver: str) -> None:
    error = KeyError("mine")

    def fcn(x: Doubles, *rest: Any) -> None:
        raise error

    for library in (own_library, argonne.ARGONNE):
        with pytest.raises(KeyError) as caught:
            getattr(library, solver)(fcn, [1.0, 2.0], 3, nprint=1)
        assert caught.value is error


# Cases that published problems do not meet by themselves.


@pytest.mark.parametrize("gtol", [0.5, 0.1, 1e-3])
@pytest.mark.parametrize("name", NAMED)
def test_the_gradient_test_comes_before_the_scaling(
    own_library: Library, name: str, gtol: float
) -> None:
    """A fit that ends there returns the scaling of the steps that were taken."""
    p = NAMED[name]
    for start in (p.start, 10 * p.start, p.start + 0.1):
        fit, _ = record(own_library, "lmder", p, start, p.m, ftol=0, xtol=0, gtol=gtol, maxfev=50)
        assert fit.info > 0


class Scripted:
    """Residuals that are `first` at the start and `then` elsewhere; the Jacobian stays."""

    m, n = 2, 1

    def __init__(
        self, first: list[float], then: list[float], jacobian: float, start: float = 1.0
    ) -> None:
        self.first, self.then, self.slope = first, then, jacobian
        self.start = np.array([start])

    def residual(self, x: Doubles) -> Doubles:
        return np.array(self.first if x[0] == self.start[0] else self.then)

    def jacobian(self, x: Doubles) -> Doubles:
        return np.array([[self.slope], [0.0]])


def fit_scripted(own: Library, p: Scripted, **options: Any) -> Any:
    tight = {"ftol": 0.0, "xtol": 0.0, "maxfev": 6} | options
    return record(own, "lmder", cast(Problem, p), p.start, p.m, **tight)[0]


@pytest.mark.parametrize("edge", [0.0001, 0.25, 0.75])
def test_a_ratio_on_the_edge(own_library: Library, edge: float) -> None:
    """A step that brings exactly 0.0001, 1/4 or 3/4 of the reduction that was predicted."""
    rng = np.random.default_rng(6)
    met = 0
    while met < 20:
        a, b = 0.5 + rng.random(), rng.random()
        fnorm = np.hypot(a, b)
        fnorm1 = fnorm * np.sqrt(1 - edge * (a / fnorm) ** 2)
        # Rounded as it is in the solver, the actual reduction asks for this predicted one.
        a = fnorm * np.sqrt((1 - (fnorm1 / fnorm) ** 2) / edge) * (1 + rng.integers(-2, 3) * EPS)
        b = np.sqrt(fnorm**2 - a**2) * (1 + rng.integers(-2, 3) * EPS)
        fnorm = own_library.enorm([a, b])
        if (1 - (fnorm1 / fnorm) ** 2) / (a / fnorm) ** 2 == edge:
            met += 1
            for factor in (100.0, 0.3):
                fit_scripted(own_library, Scripted([a, b], [fnorm1, 0.0], 1.0), factor=factor)


def test_a_ratio_of_three_quarters_within_the_bound(own_library: Library) -> None:
    """Where the step is held back by the bound that ratio alone makes the bound wider."""
    rng = np.random.default_rng(8)
    for _ in range(200):
        a, b, factor = 1.0, rng.random(), 0.2 + 0.2 * rng.random()
        fnorm = own_library.enorm([a, b])
        predicted = (2 * a * factor - factor**2) / fnorm**2
        fnorm1 = fnorm * np.sqrt(1 - 0.75 * predicted)
        p = Scripted([a, b], [fnorm1, 0.0], 1.0, start=0.0)
        fit_scripted(own_library, p, factor=factor, maxfev=3)


def test_a_norm_ten_times_larger_counts_as_such(own_library: Library) -> None:
    """Tolerances above one tell whether its reduction was squared."""
    for then in (9.0, 10.0, 11.0):
        p = Scripted([1.0, 0.0], [then, 0.0], 1.0)
        assert fit_scripted(own_library, p, ftol=2.0).info == (1 if then >= 10.0 else 5)
        fit_scripted(own_library, p)


def test_a_prediction_of_nothing(own_library: Library) -> None:
    """A step so small that its predicted reduction underflows to zero is not taken."""
    p = Scripted([1e-170, 1.0], [0.0, 1.0], 1.0, start=0.0)
    fit = fit_scripted(own_library, p, ftol=1e-8)
    assert (fit.info, fit.x[0]) == (1, 0.0)
    p = Scripted([1e-170, 1.0], [0.0, 1.0], 1.0)
    assert fit_scripted(own_library, p, xtol=1e300).info == 3


def nearly_predicting(own: Library, reduction: float) -> Iterator[tuple[Scripted, float, float]]:
    """Yield problems and values of `factor` whose predicted reduction rounds to nearly that.

    The step has the length delta = factor, and the prediction is 2*a*delta - delta**2. Residuals of
    norm `fnorm` stay as they are.
    """
    rng = np.random.default_rng(7)
    for _ in range(60):
        a = np.sqrt(reduction) * (1.02 + 0.2 * rng.random())
        fnorm = own.enorm([a, 1.0])
        p = Scripted([a, 1.0], [0.0, fnorm], 1.0, start=0.0)
        yield p, a - np.sqrt(a**2 - reduction), fnorm


def test_a_reduction_twice_the_predicted_one(own_library: Library) -> None:
    """Half the ratio is then one, which still counts as agreement, and more does not."""
    ends = set()
    for p, factor, fnorm in nearly_predicting(own_library, 2.0**-53):
        p.then = [0.0, np.nextafter(fnorm, 0.0)]
        for ftol in (0.0, 1e-15):
            ends.add(fit_scripted(own_library, p, ftol=ftol, factor=factor, maxfev=2).info)
    assert ends == {1, 5, 6}


def test_a_predicted_reduction_of_the_machine_precision(own_library: Library) -> None:
    ends = set()
    for p, factor, _ in nearly_predicting(own_library, own_library.dpmpar(1)):
        ends.add(fit_scripted(own_library, p, factor=factor, maxfev=2).info)
    assert ends == {5, 6}


def test_a_bound_of_the_machine_precision(own_library: Library) -> None:
    """A step that brings nothing halves the bound: to just the precision, or nearly."""
    rng = np.random.default_rng(9)
    ends = set()
    for k in range(90):
        a = 0.5 + rng.random()
        p = Scripted([a, 0.0], [a, 0.0], 1.0)
        factor = 2 * own_library.dpmpar(1) * (1 + (k % 3 - 1) * EPS)
        ends.add(fit_scripted(own_library, p, factor=factor, maxfev=2).info)
    assert ends == {5, 7}


def test_a_gradient_of_the_machine_precision(own_library: Library) -> None:
    precision = own_library.dpmpar(1)
    for a, info in ((precision, 8), (precision * (1 + 2 * EPS), 6)):
        p = Scripted([a, 1.0], [0.0, 1.0], 1.0, start=0.0)
        assert fit_scripted(own_library, p).info == info


@pytest.mark.parametrize("solver", ["lmder", "lmdif"])
def test_a_limit_of_one_evaluation_is_proper(own_library: Library, solver: str) -> None:
    p = NAMED["bard-3"]
    fit, _ = record(own_library, solver, p, p.start, p.m, maxfev=1)
    assert fit.info == 5
