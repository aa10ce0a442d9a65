"""FitError and OptimizeWarning: what they carry, through which doors they go, where they point."""

from __future__ import annotations

import copy
import inspect
import multiprocessing
import pickle
import warnings
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from curves import COVARIANCE, DECAY, LINE, SIGMA, Recorded, T, decay, decay_jacobian, line

import pyminpack
from pyminpack import FitError, OptimizeWarning, curve_fit, leastsq


def stopped(**options: Any) -> FitError:
    """Return what a fit raises that is stopped on its way."""
    with pytest.raises(FitError) as caught:
        curve_fit(decay, T, DECAY, **{"maxfev": 5, **options})
    return caught.value


ATTRIBUTES = ("popt", "pcov", "infodict", "mesg", "ier")


@pytest.mark.parametrize("full_output", [False, True])
@pytest.mark.parametrize("jac", [None, decay_jacobian])
def test_a_fit_that_is_stopped_is_a_runtime_error_with_all_that_leastsq_has(
    jac: Any, full_output: bool
) -> None:
    error = stopped(jac=jac, full_output=full_output)
    assert isinstance(error, RuntimeError)
    x, _, infodict, _, ier = leastsq(
        lambda p: decay(T, *p) - DECAY,
        np.ones(3),
        Dfun=jac and (lambda p: jac(T, *p)),
        full_output=True,
        maxfev=5,
    )
    assert_same_bits(error.popt, x)
    assert_same_bits(error.infodict, infodict)
    assert error.ier == ier == 5
    assert error.mesg == "The number of calls to f has reached maxfev = 5."
    assert str(error) == f"Optimal parameters not found: {error.mesg}"
    assert error.args == (str(error),)


def test_it_has_the_covariance_at_the_last_jacobian() -> None:
    seen: list[Any] = []

    def jac(*args: Any) -> Any:
        seen.append(decay_jacobian(*args))
        return seen[-1]

    for absolute in (False, True):
        error = stopped(jac=jac, absolute_sigma=absolute, maxfev=3)
        fvec = error.infodict["fvec"]
        variance = 1.0 if absolute else fvec @ fvec / 9
        expected = np.linalg.inv(seen[-1].T @ seen[-1]) * variance
        np.testing.assert_allclose(error.pcov, expected, rtol=1e-8)


@pytest.mark.parametrize("options", [{"ftol": 0, "xtol": 0}, {"ftol": 0, "xtol": 0, "gtol": 0}])
def test_tolerances_that_are_too_small(options: dict[str, float]) -> None:
    error = stopped(maxfev=0, **options)
    assert error.ier in (6, 7, 8)
    popt, pcov = curve_fit(decay, T, DECAY)
    np.testing.assert_allclose(error.popt, popt, rtol=1e-6)
    np.testing.assert_allclose(error.pcov, pcov, rtol=1e-4)


@pytest.mark.parametrize("option", [{"ftol": -1.0}, {"factor": 0}, {"diag": [0, 1, 1]}], ids=str)
def test_improper_options(option: dict[str, Any]) -> None:
    error = stopped(**option)
    assert error.ier == 0
    assert str(error).startswith("Optimal parameters not found: Improper input parameters. ")
    assert_same_bits(error.popt, np.ones(3))
    assert_same_bits(error.pcov, np.full((3, 3), np.inf))
    assert error.infodict["nfev"] == 1


def not_finite_at_p0(t: Any, a: float, b: float) -> Any:
    return np.full_like(t, np.nan)


def not_finite_later(t: Any, a: float, b: float) -> Any:
    return line(t, a, b) + (np.nan if b != 1 else 0)


@pytest.mark.parametrize("f", [not_finite_at_p0, not_finite_later])
def test_what_is_not_finite_is_not_converged(f: Any) -> None:
    model = Recorded(f)
    with pytest.raises(FitError, match="residuals at p0 or the Jacobian are not finite") as caught:
        curve_fit(model, T, LINE)
    error = caught.value
    assert error.ier == 9
    assert_same_bits(error.popt, np.ones(2))
    assert_same_bits(error.pcov, np.full((2, 2), np.inf))
    assert error.infodict["nfev"] == model.calls


@pytest.mark.parametrize("p0", [[np.nan, 1.0], [np.inf, 1.0]])
def test_a_p0_that_is_not_finite(p0: Any) -> None:
    with np.errstate(invalid="ignore"), pytest.raises(FitError, match="not finite") as caught:
        curve_fit(line, T, LINE, p0)
    assert_same_bits(caught.value.popt, np.array(p0))


@pytest.mark.parametrize("sigma", [2.0, SIGMA, COVARIANCE], ids=["scalar", "vector", "matrix"])
def test_nfev_is_the_number_of_calls_here_too(sigma: Any) -> None:
    for maxfev in range(1, 15):
        model = Recorded(decay)
        try:
            *_, infodict, _, _ = curve_fit(
                model, T, DECAY, sigma=sigma, maxfev=maxfev, full_output=True
            )
        except FitError as error:
            infodict = error.infodict
        assert model.calls == infodict["nfev"]
        assert model.repeats == 0


# Through processes


def assert_same_error(found: Any, expected: FitError) -> None:
    assert type(found) is type(expected)
    assert str(found) == str(expected)
    for name in ATTRIBUTES:
        assert_same_bits(getattr(found, name), getattr(expected, name), name)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_survives_pickling(protocol: int) -> None:
    error = stopped()
    error.add_note("a note")
    error.more = "more"  # type: ignore[attr-defined]
    found = pickle.loads(pickle.dumps(error, protocol))
    assert_same_error(found, error)
    assert found.__notes__ == ["a note"]
    assert found.more == "more"


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_it_survives_copying(duplicate: Any) -> None:
    assert_same_error(duplicate(stopped()), stopped())


class OwnError(FitError):
    """Somebody's own, which takes the same arguments."""


def test_a_subclass_survives_pickling() -> None:
    error = stopped()
    own = OwnError(error.popt, error.pcov, error.infodict, error.mesg, error.ier)
    assert_same_error(pickle.loads(pickle.dumps(own)), own)


def fit_elsewhere(maxfev: int) -> Any:
    return curve_fit(decay, T, DECAY, maxfev=maxfev, full_output=True)


def test_results_and_errors_come_out_of_other_processes() -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        result, failure = pool.submit(fit_elsewhere, 0), pool.submit(fit_elsewhere, 5)
        for found, expected in zip(result.result(), fit_elsewhere(0), strict=True):
            assert_same_bits(found, expected)
        error = failure.exception()
    assert_same_error(error, stopped())


def test_a_warning_survives_pickling() -> None:
    warning = pickle.loads(pickle.dumps(OptimizeWarning("text")))
    assert type(warning) is OptimizeWarning
    assert warning.args == ("text",)


def test_names() -> None:
    assert issubclass(OptimizeWarning, UserWarning)
    for kind in (FitError, OptimizeWarning):
        assert kind.__module__ == "pyminpack"
        assert getattr(pyminpack, kind.__name__) is kind
        assert kind.__name__ in pyminpack.__all__
    assert "curve_fit" in pyminpack.__all__


# Warnings


def test_the_warning_points_at_the_callers_line() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        here = inspect.currentframe()
        assert here is not None
        curve_fit(line, [1.0, 2.0], [3.0, 5.0])
        expected = here.f_lineno - 1
    (warning,) = caught
    assert warning.category is OptimizeWarning
    assert (warning.filename, warning.lineno) == (__file__, expected)
    assert str(warning.message).startswith("Covariance of the parameters could not be estimated")


def test_a_warning_made_an_error_is_one() -> None:
    with pytest.raises(OptimizeWarning):
        curve_fit(line, [1.0, 2.0], [3.0, 5.0])


def test_a_failure_warns_of_nothing() -> None:
    # All warnings are errors in these tests.
    for options in ({"maxfev": 2}, {"ftol": -1.0}, {"ftol": 0.0, "xtol": 0.0, "maxfev": 0}):
        stopped(**options)


# What f and jac raise


class Trouble(BaseException):
    pass


@pytest.mark.parametrize("kind", [ValueError, TypeError, RuntimeError, KeyboardInterrupt, Trouble])
@pytest.mark.parametrize("call", range(1, 6))
@pytest.mark.parametrize("sigma", [None, SIGMA, COVARIANCE], ids=["none", "vector", "matrix"])
def test_the_same_exception_reaches_the_caller(sigma: Any, call: int, kind: Any) -> None:
    trouble = kind("trouble")

    def raising(function: Any) -> Recorded:
        def f(t: Any, a: float, b: float, c: float) -> Any:
            if recorded.calls == call:
                raise trouble
            return function(t, a, b, c)

        recorded = Recorded(f)
        return recorded

    for arguments in (
        {"f": raising(decay)},
        {"f": decay, "jac": raising(decay_jacobian)},
    ):
        with pytest.raises(kind) as caught:
            curve_fit(xdata=T, ydata=DECAY, sigma=sigma, xtol=1e-12, **arguments)
        assert caught.value is trouble
        assert caught.value.__context__ is None


@pytest.mark.parametrize("call", [1, 3])
@pytest.mark.parametrize("kind", [KeyError, ValueError, TypeError, KeyboardInterrupt])
def test_an_exception_while_converting(kind: Any, call: int) -> None:
    trouble = kind("trouble")

    class Bad:
        def fail(self, *args: Any, **kwargs: Any) -> Any:
            raise trouble

        __array__ = __float__ = fail

    class BadNumber:
        __float__ = Bad.fail

    for bad in (Bad(), BadNumber(), [1.0, BadNumber()] * 6):
        model = Recorded(line)
        model.model = lambda t, a, b, m=model, bad=bad: bad if m.calls == call else line(t, a, b)
        with pytest.raises(kind) as caught:
            curve_fit(model, T, LINE, [1.0, 1.0])
        assert caught.value is trouble
