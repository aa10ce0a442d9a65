"""Threads beside a fit by blocks: they get their turn, and can change what is being read."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from alone import run_alone
from bits import assert_same_bits
from blocked_problems import blocked, curve
from blocked_scenarios import MEDDLING, large_problem, meddling
from leak_scenarios import FOUND
from together import THREADS, Spinner, assert_same_bits_together, switching, together

from pyminpack import leastsq

pytestmark = pytest.mark.shim

CHANGED = "the array that Dfun returned changed its shape or memory while it was read"


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("m", "n"), [(800_000, 20), (8000, 300)])
def test_another_thread_makes_progress_while_a_jacobian_is_factored(
    m: int, n: int, order: Any
) -> None:
    matrix = np.asarray(np.random.default_rng(n).normal(size=(m, n)), order=order)
    turns: dict[str, int] = {}

    def func(x: Any) -> Any:
        turns["func"] = spinner.turns
        return matrix @ x - 1.0

    def dfun(x: Any) -> Any:
        turns["dfun"] = spinner.turns
        return matrix

    with Spinner() as spinner:
        leastsq(func, np.zeros(n), Dfun=dfun, maxfev=1, full_output=True, qr="blocked")
    # func is called last at the trial point, to which the factors led.
    assert turns["func"] - turns["dfun"] > 20


def meddle(*names: str) -> None:
    """Print how fits end whose Jacobian another thread changes while it is read."""
    matrix, target = large_problem()
    for name in names:
        scenario = meddling(name)
        with switching(1e-6):
            # The change need not come in time, but it does in one of so many fits.
            for _ in range(300):
                try:
                    ending = str(scenario.once()[1])
                except (TypeError, ValueError) as error:
                    ending = str(error)
                print(name, ending, sep=": ")
                if ending == CHANGED:
                    break
        # What comes next is as ever.
        x, ier = leastsq(lambda x: matrix @ x - target, np.zeros(50), Dfun=lambda x: matrix)
        assert ier in FOUND
        np.testing.assert_allclose(x, np.ones(50), rtol=1e-9)


NUMBER = "make a number of it"
LEGAL = re.compile(
    f"[1-59]|{CHANGED}|leastsq: there is a mismatch .*|Dfun returned values of dtype .*"
)


def check_endings(*names: str) -> None:
    lines = run_alone(meddle, *names, PYTHONWARNINGS="ignore::RuntimeWarning").splitlines()
    endings = [line.split(": ", 1) for line in lines]
    assert {name for name, _ in endings} == set(names)
    assert [pair for pair in endings if not LEGAL.fullmatch(pair[1])] == []
    assert any(ending == CHANGED for _, ending in endings)


def test_a_jacobian_that_changes_while_it_is_read() -> None:
    check_endings(*(name for name in MEDDLING if name != NUMBER))


def test_a_jacobian_that_becomes_a_number_while_it_is_read() -> None:
    check_endings(NUMBER)


class Late:
    """An array-like that changes its array when it goes."""

    def __init__(self, array: Any, change: Callable[[Any], Any]) -> None:
        self.array = array
        self.change = change

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.array

    def __del__(self) -> None:
        self.change(self.array)


def change_when_it_goes(qr: str) -> None:
    matrix, target = large_problem(50, 4)
    for name in ("empty", "restore a vector", NUMBER):

        def dfun(x: Any, change: Any = MEDDLING[name]) -> Any:
            return Late(matrix.copy(), change)

        for _ in range(20):
            x, ier = leastsq(lambda x: matrix @ x - target, np.zeros(4), Dfun=dfun, qr=qr)
            assert ier in FOUND
            np.testing.assert_allclose(x, np.ones(4), rtol=1e-9)


@pytest.mark.parametrize("qr", ["minpack", "blocked"])
def test_a_jacobian_that_changes_when_dfuns_result_goes(qr: str) -> None:
    run_alone(change_when_it_goes, qr, PYTHONWARNINGS="ignore::RuntimeWarning")


# The same bits

MANY = [(3, 2), (700, 7), (60, 60), (850, 50), (20_500, 10)]


@pytest.mark.parametrize("interval", [1e-6, 5e-3])
def test_fits_at_once_have_the_bits_they_have_alone(interval: float) -> None:
    def solve(m: int, n: int, dfun: bool) -> dict[str, Any]:
        problem = curve(m, n)
        options: dict[str, Any] = {"Dfun": problem.dfun} if dfun else {}
        return blocked(problem.func, problem.start, maxfev=6, **options)

    fits = [(m, n, dfun) for m, n in MANY for dfun in (True, False) if dfun or m * n < 9000]
    assert_same_bits_together(solve, fits, interval)


def compare_alone_and_beside_a_thread() -> None:
    """What is read in place while there is one thread is copied while there are more."""
    assert threading.active_count() == 1
    rng = np.random.default_rng(3)
    for m, n in ((60_001, 7), (30_000, 23), (3000, 90)):
        matrix = rng.normal(size=(m, n))
        target = rng.normal(size=m)

        def func(x: Any, matrix: Any = matrix, target: Any = target) -> Any:
            return np.tanh(matrix @ x) - target

        def dfun(x: Any, matrix: Any = matrix) -> Any:
            return matrix / np.cosh(matrix @ x)[:, None] ** 2

        def by_columns(x: Any, dfun: Any = dfun) -> Any:
            return np.ascontiguousarray(dfun(x).T)

        for jacobian, col_deriv in ((dfun, False), (by_columns, True)):
            options: dict[str, Any] = {"Dfun": jacobian, "col_deriv": col_deriv, "maxfev": 3}
            alone = blocked(func, np.full(n, 0.1), **options)
            with Spinner():
                assert_same_bits(blocked(func, np.full(n, 0.1), **options), alone)
            assert_same_bits(blocked(func, np.full(n, 0.1), **options), alone)


def test_a_fit_has_the_same_bits_alone_and_beside_a_thread() -> None:
    run_alone(compare_alone_and_beside_a_thread, OPENBLAS_NUM_THREADS="1")


def test_one_jacobian_for_all_threads() -> None:
    matrix, target = large_problem(5000, 30)
    matrix.flags.writeable = False

    def solve() -> dict[str, Any]:
        return blocked(lambda x: matrix @ x - target, np.zeros(30), Dfun=lambda x: matrix)

    alone = solve()

    def work() -> None:
        for _ in range(3):
            assert_same_bits(solve(), alone)

    with switching(1e-6):
        together(*[work] * THREADS)


def test_exceptions_in_some_threads_do_not_disturb_the_others() -> None:
    matrix, target = large_problem()

    def solve(fail: bool) -> dict[str, Any]:
        def dfun(x: Any) -> Any:
            if fail:
                raise KeyError
            return matrix

        return blocked(lambda x: matrix @ x - target, np.zeros(50), Dfun=dfun)

    alone = solve(False)

    def succeed() -> None:
        for _ in range(5):
            assert_same_bits(solve(False), alone)

    def fail() -> None:
        for _ in range(20):
            with pytest.raises(KeyError):
                solve(True)

    with switching(1e-6):
        together(*[succeed] * 4, *[fail] * 4)
