"""The test problems themselves: derivatives, starts and published minima."""

from __future__ import annotations

import numpy as np
import pytest
from complex_step import complex_step

import pyminpack
from pyminpack.compare.mgh import CASES, PROBLEMS, Array, Case, Problem

by_case = pytest.mark.parametrize("case", CASES, ids=str)
by_problem = pytest.mark.parametrize(
    "problem", PROBLEMS, ids=[f"{p.name}-{p.n}x{p.m}" for p in PROBLEMS]
)


@by_case
def test_shapes_and_types(case: Case) -> None:
    p, x = case.problem, case.start
    f, j = p.residual(x), p.jacobian(x)
    assert p.m >= p.n
    assert (x.shape, f.shape, j.shape) == ((p.n,), (p.m,), (p.m, p.n))
    assert x.dtype == f.dtype == j.dtype == np.float64
    assert np.isfinite(f).all()
    assert np.isfinite(j).all()


@by_case
def test_calls_leave_nothing_behind(case: Case) -> None:
    p, x = case.problem, case.start
    first = p.residual(x).copy(), p.jacobian(x).copy()
    p.residual(x)[:] = np.nan
    p.jacobian(x)[:] = np.nan
    np.testing.assert_array_equal(p.residual(x), first[0])
    np.testing.assert_array_equal(p.jacobian(x), first[1])
    np.testing.assert_array_equal(x, case.start)


def assert_jacobian_is_exact(problem: Problem, x: Array) -> None:
    exact = complex_step(problem.residual, x)
    # An element that is a difference of larger ones is only as good as its column.
    slack = np.broadcast_to(1e-14 * np.abs(exact).max(axis=0), exact.shape)
    error = np.abs(problem.jacobian(x) - exact)
    assert (error <= 1e-11 * np.abs(exact) + slack).all(), error.max()


@by_case
def test_jacobian_at_the_start(case: Case) -> None:
    assert_jacobian_is_exact(case.problem, case.start)


@by_problem
def test_jacobian_near_the_start(problem: Problem) -> None:
    rng = np.random.default_rng(problem.number)
    zeros = problem.start == 0.0
    for _ in range(5):
        nearby = problem.start * rng.uniform(0.9, 1.1, problem.n)
        x = np.where(zeros, rng.uniform(-0.1, 0.1, problem.n), nearby)
        assert_jacobian_is_exact(problem, x)


def test_starts_are_scaled_and_zero_starts_are_filled() -> None:
    starts = {str(case): case.start for case in CASES}
    np.testing.assert_array_equal(starts["rosenbrock-2x2-100"], [-120.0, 100.0])
    np.testing.assert_array_equal(starts["watson-6x31-1"], np.zeros(6))
    np.testing.assert_array_equal(starts["watson-6x31-10"], np.full(6, 10.0))
    np.testing.assert_array_equal(starts["chebyquad-1x8-10"], [5.0])


@by_problem
def test_published_minimum_from_the_standard_start(problem: Problem) -> None:
    with np.errstate(over="ignore"):
        x, _, info, _, ier = pyminpack.leastsq(
            problem.residual,
            problem.start,
            Dfun=problem.jacobian,
            full_output=True,
            ftol=1e-12,
            maxfev=2000,
        )
    # 8 is how the singular Powell function ends: the gradient vanishes before the steps do.
    assert ier in (1, 2, 3, 4, 8)
    norm = np.linalg.norm(problem.residual(x))
    # The smallest minimum but zero is Watson's 2e-5: it is told from zero by six digits.
    assert norm == pytest.approx(problem.minimum, rel=2e-6, abs=1e-11)
    np.testing.assert_array_equal(info["fvec"], problem.residual(x))


@pytest.mark.parametrize(("side", "theta"), [(1.0, 0.25), (-1.0, -0.25)])
def test_the_helical_valley_where_its_angle_has_no_tangent(side: float, theta: float) -> None:
    (valley,) = (problem for problem in PROBLEMS if problem.name == "helical_valley")
    np.testing.assert_allclose(
        valley.residual(np.array([0.0, side, 3.0])), [10.0 * (3.0 - 10.0 * theta), 0.0, 3.0]
    )
