"""What the shim does between the steps of a fit: the GIL, and numbers that overflow."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bits import Counted
from together import Spinner

from pyminpack import leastsq

# Turns of another thread that it only gets while MINPACK works without the GIL.
MANY = 20


def turns_after_calls(func: Callable[[Any], Any], n: int, **options: Any) -> list[int]:
    """Fit, and return how many turns another thread got after each call, until the next."""
    begins: list[int] = []
    ends: list[int] = []

    def noted(function: Any) -> Any:
        def call(x: Any) -> Any:
            begins.append(spinner.turns)
            result = function(x)
            ends.append(spinner.turns)
            return result

        return call

    if "Dfun" in options:
        options["Dfun"] = noted(options["Dfun"])
    with Spinner() as spinner:
        leastsq(noted(func), np.zeros(n), full_output=True, **options)
        begins.append(spinner.turns)
    return [after - before for before, after in zip(ends, begins[1:], strict=True)]


@pytest.mark.thread_unsafe(reason="other threads would take turns too")
@pytest.mark.parametrize(("qr", "n"), [("minpack", 300), ("blocked", 700)])
@pytest.mark.parametrize("with_jacobian", [False, True])
def test_another_thread_makes_progress_while_a_shorter_step_is_sought(
    with_jacobian: bool, qr: str, n: int
) -> None:
    matrix = np.random.default_rng(4).normal(size=(n, n))
    calls_before = 2 if with_jacobian else 1 + n

    def func(x: Any) -> Any:
        residuals = matrix @ x - 1.0
        return residuals * np.nan if counted.calls == trial else residuals

    # Dfun is called before the trial, but not counted.
    trial = calls_before if with_jacobian else calls_before + 1
    counted = Counted(func)
    options = {"Dfun": lambda x: matrix} if with_jacobian else {}
    turns = turns_after_calls(counted, n, maxfev=trial + 1, qr=qr, **options)
    assert counted.calls > trial
    assert turns[calls_before] > MANY


@pytest.mark.thread_unsafe(reason="other threads would take turns too")
def test_another_thread_makes_progress_during_every_factorisation_of_differences() -> None:
    m, n = 1000, 300
    matrix = np.random.default_rng(5).normal(size=(m, n))
    func = Counted(lambda x: matrix @ x - 1.0)
    turns = turns_after_calls(func, n, qr="minpack", ftol=0.0, xtol=0.0, maxfev=n + 3)
    # The start, a Jacobian, a trial that is accepted, and the second Jacobian.
    assert func.calls > 2 * n + 2
    assert turns[n] > MANY
    assert turns[2 * n + 1] > MANY


@pytest.mark.parametrize("qr", ["minpack", "blocked"])
@pytest.mark.parametrize("with_jacobian", [False, True])
def test_a_jacobian_whose_norm_overflows_leads_to_no_call_of_func(
    with_jacobian: bool, qr: str
) -> None:
    """Its elements are finite, and so would be the trial point."""
    jacobian = np.array([[1.7e308, 0.0], [1.7e308, 0.0], [0.0, 1.0]])
    calls: list[Any] = []

    def func(x: Any) -> Any:
        calls.append(x)
        far = 1.7e308 * (x[0] - 1.0)
        return np.array([1.0 + far, 1.0 + far, 1.0 + x[1]])

    options = {"Dfun": lambda x: jacobian} if with_jacobian else {}
    x, _, info, _, ier = leastsq(
        func, [1.0, 1.0], diag=[1.0, 1.0], qr=qr, full_output=True, **options
    )
    assert (x.tolist(), ier) == ([1.0, 1.0], 9)
    assert info["nfev"] == len(calls) == (1 if with_jacobian else 3)


@pytest.mark.parametrize("qr", ["minpack", "blocked"])
@pytest.mark.parametrize("where", [0, 1])
def test_func_is_not_called_where_one_variable_is_nan(where: int, qr: str) -> None:
    """The step is infinite and points back from infinity; the other variable stays."""
    slope, start = np.zeros((2, 2)), np.ones(2)
    slope[where, where], start[where] = 1e-100, np.inf
    calls: list[Any] = []

    def func(x: Any) -> Any:
        calls.append(x)
        return np.roll([1e300, 0.0], where)

    with np.errstate(all="ignore"):
        x, *_, ier = leastsq(
            func, start, Dfun=lambda x: slope, diag=[1.0, 1.0], qr=qr, full_output=True
        )
    assert (x.tolist(), ier) == (start.tolist(), 9)
    assert len(calls) == 1


def test_only_the_point_is_looked_at_before_func_is_called() -> None:
    """Behind it lies diag * step, which here begins with infinity times zero."""
    slope = np.array([[0.0, 0.0], [0.0, 1.0]])
    x, *_, ier = leastsq(
        lambda x: np.array([0.0, x[1] - 3.0]),
        [1.0, 1.0],
        Dfun=lambda x: slope,
        diag=[np.inf, 1.0],
        full_output=True,
    )
    assert x.tolist() == [1.0, 3.0]
    assert ier in (1, 2, 3)


def test_the_first_result_is_gone_when_func_is_called_again() -> None:
    results: list[Any] = []

    def func(x: Any) -> Any:
        assert all(result() is None for result in results)
        residuals = x - 1.0
        results.append(weakref.ref(residuals))
        return residuals

    leastsq(func, [5.0, 5.0])
    assert len(results) > 3


def test_r_of_a_fit_by_blocks_that_ends_by_ftol() -> None:
    matrix = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])
    _, _, info, _, ier = leastsq(
        lambda x: matrix @ x - [1.0, 2.0, 4.0],
        [1.0, 1.0],
        Dfun=lambda x: matrix,
        ftol=1e-3,
        xtol=0.0,
        qr="blocked",
        full_output=True,
    )
    assert ier == 1
    r = np.triu(info["fjac"].T[:2])
    ordered = matrix[:, info["ipvt"] - 1]
    np.testing.assert_allclose(r.T @ r, ordered.T @ ordered, rtol=1e-12)
