"""What `func` and `Dfun` may return, row by row: NaN and infinities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bits import Counted
from linear import LINEAR_JACOBIAN, LINEAR_START, linear
from rosenbrock import (
    START,
    rosenbrock,
    rosenbrock_jacobian,
)

from pyminpack import leastsq

pytestmark = [pytest.mark.shim, pytest.mark.callbacks]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dfun", [None, rosenbrock_jacobian])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_residuals_not_finite_at_x0(bad: float, dfun: Any, where: int) -> None:
    def func(x: Any) -> Any:
        r = rosenbrock(x)
        r[where] = bad
        return r

    counted = Counted(func)
    x, cov_x, info, mesg, ier = leastsq(counted, START, Dfun=dfun, full_output=True)
    assert ier == 9
    assert "not finite" in mesg
    assert x.tolist() == START
    assert cov_x is None
    assert counted.calls == info["nfev"] == 1
    np.testing.assert_array_equal(info["fvec"], func(np.array(START)))
    with pytest.warns(RuntimeWarning, match="not finite"):
        x, ier = leastsq(func, START, Dfun=dfun)
    assert ier == 9


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("where", [(0, 0), (0, 1), (2, 0), (2, 1)])
def test_dfun_with_nan_or_inf(bad: float, call: int, where: tuple[int, int]) -> None:
    def dfun(x: Any) -> Any:
        J = rosenbrock_jacobian(x)
        if jacobian.calls == call:
            J[where] = bad
        return J

    jacobian = Counted(dfun)
    func = Counted(rosenbrock)
    x, cov_x, info, mesg, ier = leastsq(func, START, Dfun=jacobian, full_output=True)
    assert ier == 9
    assert "not finite" in mesg
    assert cov_x is None
    assert jacobian.calls == info["njev"] == call
    assert func.calls == info["nfev"]
    np.testing.assert_array_equal(info["fvec"], rosenbrock(x))
    if call == 1:
        assert x.tolist() == START
    else:
        assert np.linalg.norm(info["fvec"]) < np.linalg.norm(rosenbrock(START))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize("jacobian", [1, 3])
def test_difference_columns_with_nan_or_inf(bad: float, column: int, jacobian: int) -> None:
    at = []

    def clean(x: Any) -> Any:
        at.append(x.copy())
        return rosenbrock(x)

    leastsq(clean, START)
    steps = [
        k
        for k, x in enumerate(at[:-2])
        if x[0] != at[k + 1][0]
        and x[1] == at[k + 1][1]
        and at[k + 2][0] == x[0]
        and at[k + 2][1] != x[1]
    ]
    first_difference = steps[jacobian - 1] + 1

    def func(x: Any) -> Any:
        r = rosenbrock(x)
        if counted.calls == first_difference + column + 1:
            r[1] = bad
        return r

    counted = Counted(func)
    x, cov_x, info, _, ier = leastsq(counted, START, full_output=True)
    assert ier == 9
    assert cov_x is None
    assert counted.calls == info["nfev"] == first_difference + 2
    np.testing.assert_array_equal(info["fvec"], rosenbrock(x))


def test_differences_that_overflow_are_a_jacobian_not_finite() -> None:
    x, cov_x, info, _, ier = leastsq(lambda x: [1e304 * x[0], 1.0], 2.0, full_output=True)
    assert (x.tolist(), cov_x, ier) != ([2.0], None, 9) or info["nfev"] == 2
    steep = leastsq(lambda x: [-1e300 if x[0] == 1.0 else 1e304], 1.0, full_output=True)
    assert steep[4] == 9
    assert steep[0].tolist() == [1.0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dfun", [False, True])
def test_nan_or_inf_at_a_trial_point_is_a_rejected_step(bad: float, dfun: bool) -> None:
    def func(x: Any) -> Any:
        return np.array([np.log(x[0]) if x[0] > 0 else bad, 0.1])

    counted = Counted(func)
    with np.errstate(all="ignore"):
        x, _, info, _, ier = leastsq(
            counted, [9.0], Dfun=(lambda x: [[1.0 / x[0]], [0.0]]) if dfun else None, full_output=1
        )
    assert ier in (1, 2, 3, 4)
    assert x[0] == pytest.approx(1.0)
    assert info["nfev"] == counted.calls


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dfun", [False, True])
def test_residuals_not_finite_are_never_taken_for_success(bad: float, dfun: bool) -> None:
    """Not even where the prediction overflows, and MINPACK takes any step for an improvement."""
    answers = [1.0, bad] if dfun else [1.0, 1.0 + 1e-11, bad]
    counted = Counted(lambda x: [answers[min(counted.calls, len(answers)) - 1]])
    options: dict[str, Any] = {"Dfun": lambda x: [[1e-3]]} if dfun else {}
    x, cov_x, info, _, ier = leastsq(counted, [1.0], diag=[1e-200], full_output=True, **options)
    assert (x.tolist(), cov_x, ier) == ([1.0], None, 9)
    assert info["fvec"].tolist() == [1.0]
    assert info["nfev"] == counted.calls >= len(answers)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", list(np.ndindex(5, 3)))
def test_a_jacobian_not_finite_is_no_gradient_of_zero(bad: float, where: tuple[int, int]) -> None:
    """Not even where the tolerance takes any gradient for small enough."""
    jacobian = LINEAR_JACOBIAN.copy()
    jacobian[where] = bad
    x, *_, ier = leastsq(linear, LINEAR_START, Dfun=lambda x: jacobian, gtol=1.0, full_output=True)
    assert (x.tolist(), ier) == (LINEAR_START, 9)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_improper_input_is_told_before_a_start_that_is_not_finite(bad: float) -> None:
    *_, ier = leastsq(lambda x: [1.0, 2.0], [bad, 1.0], ftol=-1.0, full_output=True)
    assert ier == 0
