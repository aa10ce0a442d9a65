"""NaN, infinities, overflow, underflow and rank 0: every fit ends, and says what is true."""

from __future__ import annotations

import math
import tracemalloc
from functools import cache
from typing import Any

import argonne
import numpy as np
import pytest
from alone import run_alone
from bits import Counted, assert_same_bits, packed
from extremes import INF, LINE, LINES, NAN, PROBLEMS, STARTS, Run, digest, grid, run

from pyminpack import leastsq

FOUND = (1, 2, 3, 4)

pytestmark = [pytest.mark.shim, pytest.mark.filterwarnings("error")]


def norm(values: Any) -> float:
    """Return the norm of the values; where that overflows, by scaling, too large to compare."""
    return math.hypot(*(math.ldexp(float(v), -8) for v in values))


def assert_bookkeeping(one: Run) -> None:
    x, cov_x, info, message, ier = one.result
    assert ier in range(1, 10)
    assert message
    assert info["nfev"] == len(one.points) <= one.budget
    assert info.get("njev", 0) == len(one.jacobians)
    assert (x.shape, info["fvec"].shape) == (one.x0.shape, one.values[0].shape)
    if ier not in FOUND:
        assert cov_x is None
    if cov_x is not None:
        assert np.isfinite(cov_x).all()
        np.testing.assert_array_equal(cov_x, cov_x.T)


def assert_truth(one: Run) -> None:
    """Assert that x was tried and fvec found there, and that x is no worse than the start."""
    x, _, info, _, ier = one.result
    at = [k for k, point in enumerate(one.points) if np.array_equal(point, x, equal_nan=True)]
    assert any(one.values[k].tobytes() == info["fvec"].tobytes() for k in at)
    if np.isfinite(one.x0).all() and np.isfinite(one.values[0]).all():
        assert np.isfinite(x).all()
        assert np.isfinite(info["fvec"]).all()
        assert norm(info["fvec"]) <= norm(one.values[0]) * (1 + 1e-12)
    if ier != 9:
        n = x.size
        assert np.isfinite(info["fvec"]).all()
        assert np.isfinite(np.triu(info["fjac"].T[:n])).all()
    if one.is_tame:
        assert ier != 9


@cache
def runs(name: str) -> list[Run]:
    """Return the fits of one problem from all starts with all options."""
    return [run(PROBLEMS[name], *how) for how in grid()]


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_fit_ends_in_time_and_tells_the_truth(name: str) -> None:
    for one in runs(name):
        assert_bookkeeping(one)
        assert_truth(one)
    assert len({one.result[-1] for one in runs(name)}) > 1


@pytest.mark.skipif(not argonne.AVAILABLE, reason=argonne.REASON)
@pytest.mark.parametrize("name", PROBLEMS)
def test_where_numbers_stay_finite_the_bits_are_argonnes(name: str) -> None:
    finite = [one for one in runs(name) if one.result[-1] != 9]
    assert len(finite) > 20
    compared = [one for one in finite if argonne.NAN_LOSES or one.is_tame]
    if not compared:
        pytest.skip(argonne.NAN_REASON)
    for one in compared:
        with np.errstate(all="ignore"):
            theirs = argonne.argonne_leastsq(PROBLEMS[name].residual, one.x0, **one.options)
        assert_same_bits(one.packed, theirs)


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_same_fit_twice_is_the_same(name: str) -> None:
    for first, how in zip(runs(name)[::3], grid(every=3), strict=True):
        second = run(PROBLEMS[name], *how)
        assert_same_bits(first.packed, second.packed)
        for a, b in zip(first.points, second.points, strict=True):
            assert a.tobytes() == b.tobytes()


def print_digest() -> None:
    print(digest())


@pytest.mark.parametrize(
    "state",
    [{"PYTHONMALLOC": "debug"}, {"PYTHONMALLOC": "malloc", "MALLOC_PERTURB_": "165"}],
    ids=str,
)
def test_every_bit_is_the_same_in_any_state_of_memory(state: dict[str, str]) -> None:
    assert run_alone(print_digest, **state).split() == [digest()]


# NaN and infinities where the grid does not put them


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("j", range(3))
@pytest.mark.parametrize("with_jacobian", [False, True])
def test_one_element_of_x0_not_finite(bad: float, j: int, with_jacobian: bool) -> None:
    x0 = np.ones(3)
    x0[j] = bad
    one = run(LINES, x0, with_jacobian, {})
    x, cov_x, info, _, ier = one.result
    assert (ier, info["nfev"], cov_x) == (9, 1, None)
    np.testing.assert_array_equal(x, x0)


@pytest.mark.parametrize("bad", [NAN, INF])
def test_an_element_of_x0_not_finite_that_func_ignores(bad: float) -> None:
    x, cov_x, info, _, ier = leastsq(lambda x: [x[0] - 2.0, 3.0], [1.0, bad], full_output=True)
    assert (ier, cov_x) == (9, None)
    assert x[0] == pytest.approx(1.0 if np.isnan(bad) else 2.0)
    assert info["nfev"] <= 9


@pytest.mark.parametrize("first_bad", range(2, 12))
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_everything_not_finite_from_some_call_on(bad: float, first_bad: int) -> None:
    def func(x: Any) -> Any:
        r = np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])
        return r if counted.calls < first_bad else r + bad

    counted = Counted(func)
    x, _, info, _, ier = leastsq(counted, [-1.2, 1.0], full_output=True)
    assert ier in (*FOUND, 5, 6, 7, 9)
    assert np.isfinite(x).all()
    assert np.isfinite(info["fvec"]).all()
    assert norm(info["fvec"]) <= norm([-4.4, 2.2]) * (1 + 1e-12)
    assert counted.calls == info["nfev"] <= 600 + 3


@pytest.mark.parametrize("x0", [1.7e308, -1.7e308, 1e300])
@pytest.mark.parametrize("with_jacobian", [False, True])
def test_nan_is_never_called_success(x0: float, with_jacobian: bool) -> None:
    one = run(LINE, np.array([x0]), with_jacobian, {})
    x, _, info, _, ier = one.result
    assert np.isfinite(x).all()
    assert np.isfinite(info["fvec"]).all()
    assert ier == 9 or abs(x[0] - 1.0) < 1e-6


@pytest.mark.parametrize("start", [[0.0, 1.0], [0.0064671, -0.1015252]])
def test_a_step_to_infinity_and_nan_leaves_the_best_point(start: list[float]) -> None:
    matrix = np.array([[1.0, 0.0], [1e200, 1e-160]])

    def func(x: Any) -> Any:
        with np.errstate(all="ignore"):
            return matrix @ x - [0.0, 1e300]

    counted = Counted(func)
    x, _, info, _, ier = leastsq(
        counted, start, Dfun=lambda x: matrix, diag=[1e300, 1e-300], full_output=True
    )
    assert ier == 9
    assert x.tolist() == start
    np.testing.assert_array_equal(info["fvec"], func(x))
    assert counted.calls == info["nfev"]


@pytest.mark.parametrize("option", ["factor", "diag"])
def test_an_infinite_scale_is_no_license_for_nan(option: str) -> None:
    for problem, start in ((LINE, 0.0), (LINES, 5.0)):
        one = run(problem, np.full(2, start), True, {option: INF})
        x, _, info, _, _ = one.result
        assert np.isfinite(x).all()
        np.testing.assert_array_equal(info["fvec"], problem.residual(x))


def test_steps_of_differences_that_vanish() -> None:
    """The step for so small an x rounds to zero, and MINPACK takes the step for x = 0."""
    for tiny in (5e-324, 1e-316):
        one = run(LINE, np.array([tiny]), False, {})
        assert one.points[1][0] == np.sqrt(2.22044604926e-16)
        assert one.result[-1] in FOUND


@pytest.mark.thread_unsafe(reason="counts the memory of the process")
def test_what_is_saved_before_a_step_to_infinity_is_freed() -> None:
    matrix = np.zeros((50_000, 2))
    matrix[0] = 1e200, 1e-160
    matrix[1, 0] = 1.0

    def func(x: Any) -> Any:
        residuals = np.zeros(50_000)
        residuals[:2] = matrix[:2] @ x - [1e300, 0.0]
        return residuals

    def fit() -> Any:
        with np.errstate(all="ignore"):
            return leastsq(
                func, [0.0, 1.0], Dfun=lambda x: matrix, diag=[1e300, 1e-300], full_output=True
            )[-1]

    tracemalloc.start()
    try:
        assert fit() == 9
        before, _ = tracemalloc.get_traced_memory()
        assert [fit() for _ in range(3)] == [9, 9, 9]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 400_000


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


# Little to do


@pytest.mark.parametrize("n", [1, 2, 7])
def test_maxfev_1_is_one_trial(n: int) -> None:
    one = run(LINES, np.full(n, 9.0), False, {"maxfev": 1, "ftol": 0.0, "xtol": 0.0})
    assert (one.result[-1], one.result[2]["nfev"]) == (5, 1 + n + 1)
    one = run(LINES, np.full(n, 9.0), True, {"maxfev": 1, "ftol": 0.0, "xtol": 0.0})
    assert (one.result[-1], one.result[2]["nfev"], one.result[2]["njev"]) == (5, 2, 1)


@pytest.mark.parametrize("with_jacobian", [False, True])
@pytest.mark.parametrize("start", [s for s in STARTS if abs(s) < 1e100])
def test_zero_residuals_are_a_solution_at_once(start: float, with_jacobian: bool) -> None:
    one = run(PROBLEMS["zero"], np.full(2, start), with_jacobian, {})
    x, cov_x, info, _, ier = one.result
    assert (x.tolist(), cov_x, ier) == ([start, start], None, 4)
    assert info["nfev"] == (1 if with_jacobian else 3)
    assert not info["fvec"].any()
    assert not info["qtf"].any()


def test_rank_0_and_zero_columns_have_no_covariance() -> None:
    for name in ("zero", "constant", "step", "zero columns", "rank 1"):
        one = run(PROBLEMS[name], np.full(3, 0.7), True, {})
        assert one.result[-1] in FOUND
        assert one.result[1] is None or name == "rank 1"


def test_a_variable_without_influence_stays_where_it_was() -> None:
    for start in (0.0, 0.7, 1e300, 1e-320):
        x, *_, ier = run(PROBLEMS["zero columns"], np.array([0.5, start, start]), True, {}).result
        assert ier in FOUND
        assert x.tolist() == [pytest.approx(3.0), start, start]


def test_a_covariance_beyond_the_doubles_is_none_and_one_below_is_zero() -> None:
    assert run(PROBLEMS["lines e-200"], np.full(2, 0.5), True, {}).result[1] is None
    np.testing.assert_array_equal(
        run(PROBLEMS["lines e200"], np.full(2, 0.5), True, {}).result[1], np.zeros((2, 2))
    )


@pytest.mark.parametrize("scale", [1e-200, 1e-100, 1e-30, 1.0, 1e30, 1e100, 1e200])
@pytest.mark.parametrize("with_jacobian", [False, True])
def test_residuals_of_any_scale_have_the_same_solution(scale: float, with_jacobian: bool) -> None:
    def func(x: Any) -> Any:
        return scale * np.array([x[0] ** 2 - 2.0, x[1] - 3.0, x[0] * x[1] - 1.0])

    def dfun(x: Any) -> Any:
        return scale * np.array([[2.0 * x[0], 0.0], [0.0, 1.0], [x[1], x[0]]])

    options = {"Dfun": dfun} if with_jacobian else {}
    found = packed(leastsq(func, [1.0, 1.0], full_output=True, **options))
    plain = leastsq(lambda x: func(x) / scale, [1.0, 1.0])[0]
    assert found["ier"] in FOUND
    np.testing.assert_allclose(found["x"], plain, rtol=1e-6)


def test_one_variable_and_one_residual() -> None:
    for start in (-1e150, -1e-3, 0.0, 1e-3, 7.0, 1e150):
        for with_jacobian in (False, True):
            one = run(LINE, np.array([start]), with_jacobian, {})
            assert one.result[-1] in FOUND
            assert one.result[0] == pytest.approx(np.ones(1), abs=1e-6)


@pytest.mark.parametrize("n", [1, 2, 5, 30])
def test_as_many_residuals_as_variables(n: int) -> None:
    target = np.arange(1.0, n + 1.0)
    for dfun in (None, lambda x: np.diag(3.0 * x**2)):
        x, ier = leastsq(lambda x: x**3 - target, np.ones(n), Dfun=dfun)
        assert ier in FOUND
        np.testing.assert_allclose(x, np.cbrt(target), rtol=1e-7)
