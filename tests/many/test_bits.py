"""`leastsq_many` with a function of NumPy: each fit has the bits that `leastsq` gives it alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from many import PROBLEMS, Problem, alone, assert_same_fits, check, fractions

from pyminpack import leastsq_many

OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "ftol": {"ftol": 1e-2},
    "xtol": {"xtol": 1e-2, "ftol": 0.0},
    "gtol": {"gtol": 1e-2},
    "no tolerance": {"ftol": 0.0, "xtol": 0.0, "gtol": 0.0},
    "maxfev": {"maxfev": 6},
    "maxfev 1": {"maxfev": 1},
    "epsfcn": {"epsfcn": 1e-6},
    "epsfcn below": {"epsfcn": 0.0},
    "factor": {"factor": 0.1},
    "minpack": {"qr": "minpack"},
    "blocked": {"qr": "blocked"},
}


def settings(problem: Problem) -> dict[str, dict[str, Any]]:
    count, n = problem.x0.shape
    m = problem.t.size
    generator = np.random.default_rng(3)
    here = generator.uniform(size=(count, m)) > 0.15
    here[:, :n] = True
    return {
        **OPTIONS,
        "diag": {"diag": np.linspace(1.0, 3.0, n)},
        "diag of each": {"diag": generator.uniform(0.5, 2.0, (count, n))},
        "weights": {"weights": np.linspace(0.5, 1.5, m)},
        "weights of each": {"weights": generator.uniform(0.5, 2.0, (count, m)) * here},
        "a mask": {"weights": here},
        "one mask": {"weights": here[0].tolist()},
    }


@pytest.mark.parametrize("how", settings(PROBLEMS["fractions"]))
@pytest.mark.parametrize("jacobian", [False, True])
@pytest.mark.parametrize("name", ["fractions", "one variable", "as many residuals"])
def test_every_option(name: str, jacobian: bool, how: str) -> None:
    problem = PROBLEMS[name]
    options = settings(problem)[how]
    if jacobian:
        options = {**options, "Dfun": problem.dfun}
    check(problem.func, problem.x0, **options)


@pytest.mark.parametrize("jacobian", [False, True])
@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem(name: str, jacobian: bool) -> None:
    problem = PROBLEMS[name]
    options = {"Dfun": problem.dfun} if jacobian else {}
    which = range(0, len(problem.x0), 1 + len(problem.x0) // 20)
    fits = check(problem.func, problem.x0, which, **options)
    assert fits.success.all()


@pytest.mark.parametrize("how", ["minpack", "weights of each", "diag of each", "maxfev", "a mask"])
@pytest.mark.parametrize("jacobian", [False, True])
def test_by_blocks(jacobian: bool, how: str) -> None:
    problem = PROBLEMS["by blocks"]
    assert problem.t.size * problem.x0.shape[1] ** 2 >= 200_000
    options = settings(problem)[how]
    if jacobian:
        options = {**options, "Dfun": problem.dfun}
    check(problem.func, problem.x0, **options)


def test_auto_takes_blocks_where_leastsq_does() -> None:
    problem = PROBLEMS["by blocks"]
    auto, minpack, blocked = (
        leastsq_many(problem.func, problem.x0, qr=qr) for qr in ("auto", "minpack", "blocked")
    )
    assert_same_fits(auto, blocked)
    assert (auto.x != minpack.x).any()
    np.testing.assert_allclose(auto.fnorm, minpack.fnorm, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, ">f8", ">f4"])
def test_epsfcn_follows_the_dtype_of_the_first_result(dtype: Any) -> None:
    problem = PROBLEMS["fractions"]

    def func(X: Any, index: Any) -> Any:
        return problem.func(X, index).astype(dtype)

    fits = check(func, problem.x0)
    double = leastsq_many(problem.func, problem.x0)
    assert (fits.nfev != double.nfev).any() == (np.dtype(dtype).itemsize < 8)


@pytest.mark.parametrize("epsfcn", [-1.0, 0.0, -np.inf])
def test_an_epsfcn_below_that_of_the_machine(epsfcn: float) -> None:
    problem = PROBLEMS["fractions"]

    def func(X: Any, index: Any) -> Any:
        return problem.func(X, index).astype(np.float32)

    check(func, problem.x0, epsfcn=epsfcn)


def test_only_the_first_result_counts_for_epsfcn() -> None:
    problem = PROBLEMS["fractions"]
    calls: list[int] = []

    def func(X: Any, index: Any) -> Any:
        calls.append(len(X))
        values = problem.func(X, index)
        return values.astype(np.float32) if len(calls) == 1 else values

    given = leastsq_many(func, problem.x0, epsfcn=np.finfo(np.float32).eps)
    calls.clear()
    assert_same_fits(leastsq_many(func, problem.x0), given)
    assert (leastsq_many(problem.func, problem.x0).nfev != given.nfev).any()
    integers = leastsq_many(lambda X, index: np.ones((len(X), 4), int), np.ones((2, 2)))
    assert integers.ier.tolist() == [4, 4]


@pytest.mark.parametrize("name", ["two variables", "one variable", "by blocks"])
def test_col_deriv(name: str) -> None:
    problem = PROBLEMS[name]

    def across(X: Any, index: Any) -> Any:
        return problem.dfun(X, index).transpose(0, 2, 1)

    weights = np.linspace(0.5, 1.5, problem.t.size)
    for truth in (1, True, np.True_, "yes"):
        fits = check(problem.func, problem.x0, Dfun=across, col_deriv=truth, weights=weights)
    assert_same_fits(
        fits, leastsq_many(problem.func, problem.x0, Dfun=problem.dfun, weights=weights, cov_x=True)
    )


@pytest.mark.parametrize("jacobian", [False, True])
@pytest.mark.parametrize("how", ["none", "maxfev", "a mask", "diag of each"])
def test_chunk_size_changes_no_bit(how: str, jacobian: bool) -> None:
    problem = fractions(23)
    options = settings(problem)[how]
    if jacobian:
        options = {**options, "Dfun": problem.dfun}
    usual = leastsq_many(problem.func, problem.x0, cov_x=True, **options)
    for size in (1, 2, 7, 22, 23, 24, 10**6, np.int8(3)):
        fits = leastsq_many(problem.func, problem.x0, cov_x=True, chunk_size=size, **options)
        assert_same_fits(fits, usual)


def test_chunk_size_bounds_how_many_fits_come_at_once() -> None:
    problem = fractions(23)
    seen: list[set[int]] = []

    def func(X: Any, index: Any) -> Any:
        seen.append(set(index.tolist()))
        return problem.func(X, index)

    leastsq_many(func, problem.x0, chunk_size=5)
    assert max(map(len, seen)) == 5
    assert set().union(*seen) == set(range(23))


def test_the_first_call_is_for_fit_0_and_the_calls_are_few() -> None:
    problem = PROBLEMS["many"]
    calls: list[tuple[tuple[int, ...], Any]] = []

    def func(X: Any, index: Any) -> Any:
        assert (X.dtype, index.dtype) == (np.float64, np.intp)
        assert X.flags.carray
        assert index.shape == X.shape[:1]
        calls.append((X.shape, index))
        return problem.func(X, index)

    fits = leastsq_many(func, problem.x0)
    assert calls[0][0] == (1, 3)
    assert calls[0][1].tolist() == [0]
    assert len(calls) < 4 * fits.nfev.max()
    assert sum(shape[0] for shape, _ in calls) == fits.nfev.sum()
    evaluations = np.bincount(np.concatenate([index for _, index in calls]))
    np.testing.assert_array_equal(evaluations, fits.nfev)


def test_dfun_gets_each_fit_once_and_as_often_as_njev_says() -> None:
    problem = PROBLEMS["many"]
    calls: list[Any] = []

    def dfun(X: Any, index: Any) -> Any:
        assert len(set(index.tolist())) == len(index) == len(X)
        calls.append(index)
        return problem.dfun(X, index)

    fits = leastsq_many(problem.func, problem.x0, Dfun=dfun)
    np.testing.assert_array_equal(np.bincount(np.concatenate(calls)), fits.njev)


def test_args_reach_both_functions() -> None:
    problem = PROBLEMS["fractions"]

    def func(X: Any, index: Any, scale: float, *more: Any) -> Any:
        assert more == ("more",)
        return scale * problem.func(X, index)

    def dfun(X: Any, index: Any, scale: float, *more: Any) -> Any:
        assert more == ("more",)
        return scale * problem.dfun(X, index)

    args = (2.0, "more")
    fits = leastsq_many(func, problem.x0, args, dfun)
    doubled = leastsq_many(lambda *p: func(*p, *args), problem.x0, Dfun=lambda *p: dfun(*p, *args))
    assert_same_fits(fits, doubled)
    alone_with_one = leastsq_many(lambda X, index, a: X - a, np.ones((2, 1)), [3.0])
    np.testing.assert_array_equal(alone_with_one.x, [[3.0], [3.0]])


# What is not finite


@pytest.mark.parametrize("jacobian", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_fit_that_is_not_finite_at_its_start(bad: float, jacobian: bool) -> None:
    problem = fractions(9)
    problem.y[0, 3] = problem.y[4, 0] = problem.y[8, 11] = bad
    options = {"Dfun": problem.dfun} if jacobian else {}
    for size in (1, 3, None):
        fits = check(problem.func, problem.x0, chunk_size=size, **options)
        assert fits.ier[[0, 4, 8]].tolist() == [9, 9, 9]
        assert np.delete(fits.success, [0, 4, 8]).all()
        np.testing.assert_array_equal(fits.x[4], problem.x0[4])


@pytest.mark.parametrize("qr", ["minpack", "blocked"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_jacobian_that_is_not_finite(bad: float, qr: str) -> None:
    problem = fractions(9)

    def dfun(X: Any, index: Any) -> Any:
        jacobian = problem.dfun(X, index)
        jacobian[(index == 2), 5, 1] = bad
        # Later, when the fit has gone some way.
        jacobian[(index == 6) & (X[:, 0] != 1.0), 0, 0] = bad
        return jacobian

    fits = check(problem.func, problem.x0, Dfun=dfun, qr=qr)
    assert fits.ier[[2, 6]].tolist() == [9, 9]
    assert fits.njev[[2, 6]].tolist() == [1, 2]
    assert np.delete(fits.success, [2, 6]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("jacobian", [False, True])
def test_points_at_which_func_is_not_finite(bad: float, jacobian: bool) -> None:
    problem = fractions(9)

    def func(X: Any, index: Any) -> Any:
        values = problem.func(X, index)
        values[(index % 3 == 1) & (X[:, 0] > 2.0), 4] = bad
        return values

    options = {"Dfun": problem.dfun} if jacobian else {}
    fits = check(func, problem.x0, **options)
    assert (fits.x[1::3, 0] <= 2.0).all()


def test_a_difference_that_is_not_finite() -> None:
    problem = fractions(9)

    def func(X: Any, index: Any) -> Any:
        values = problem.func(X, index)
        values[(index == 5) & (X[:, 1] != 1.0)] = np.nan
        return values

    fits = check(func, problem.x0)
    assert fits.ier[5] == 9
    assert np.delete(fits.success, 5).all()


def test_a_step_that_overflows() -> None:
    """leastsq ends such a fit before func sees the point, and so do many fits."""
    scale = np.array([1e300, 1e-300])

    def func(X: Any, index: Any) -> Any:
        last = 1e200 * X[:, 0] + 1e-160 * X[:, 1] - 1e300
        return np.stack([X[:, 0], np.where(index == 1, last, X[:, 1])], axis=1)

    def dfun(X: Any, index: Any) -> Any:
        jacobian = np.zeros((len(X), 2, 2))
        jacobian[:] = np.eye(2)
        jacobian[index == 1, 1] = [1e200, 1e-160]
        return jacobian

    x0 = np.array([[0.0, 1.0]] * 3)
    with np.errstate(all="ignore"):
        for size in (1, 2, 3):
            fits = check(func, x0, Dfun=dfun, diag=scale, chunk_size=size)
            assert fits.ier[1] == 9
            assert fits.success[[0, 2]].all()


# Weights


def test_what_weighs_nothing_may_be_anything() -> None:
    problem = fractions(9)
    here = np.random.default_rng(5).uniform(size=problem.y.shape) > 0.2
    zeros = fractions(9)
    zeros.y[~here] = 0.0
    expected = leastsq_many(zeros.func, zeros.x0, Dfun=zeros.dfun, weights=here, cov_x=True)
    for bad in (np.nan, np.inf, 1e308):
        problem.y[~here] = bad

        def dfun(X: Any, index: Any, bad: float = bad) -> Any:
            return np.where(here[index, :, None], problem.dfun(X, index), bad)

        for weights in (here, here.astype(int), here * 1.0, here.astype(np.float16)):
            fits = leastsq_many(problem.func, problem.x0, Dfun=dfun, weights=weights, cov_x=True)
            assert_same_fits(fits, expected)
    assert expected.success.all()


def test_a_mask_is_a_fit_without_these_points() -> None:
    problem = fractions(3)
    here = np.ones((3, 12), bool)
    here[1, [0, 7]] = False
    fits = leastsq_many(problem.func, problem.x0, weights=here, cov_x=True)
    x, cov_x, *_ = alone(lambda X, index: problem.func(X, index)[:, here[1]], problem.x0, 1, None)
    np.testing.assert_allclose(fits.x[1], x, rtol=1e-6)
    assert fits.cov_x is not None
    np.testing.assert_allclose(fits.cov_x[1], cov_x, rtol=1e-4)


def test_a_fit_with_nothing_to_fit() -> None:
    problem = fractions(3)
    weights = np.ones((3, 12))
    weights[1] = 0.0
    fits = check(problem.func, problem.x0, weights=weights)
    np.testing.assert_array_equal(fits.x[1], problem.x0[1])
    assert fits.fnorm[1] == 0.0


def test_cov_x_is_computed_on_request() -> None:
    problem = fractions(3)
    assert leastsq_many(problem.func, problem.x0).cov_x is None
    singular = leastsq_many(
        lambda X, index: np.where(index == 1, X.T * [[1.0], [0.0]], X.T).T - 1.0,
        np.full((3, 2), 2.0),
        cov_x=True,
    )
    assert singular.success.all()
    assert singular.cov_x is not None
    assert np.isnan(singular.cov_x).all(axis=(1, 2)).tolist() == [False, True, False]
