"""The numbers of a report, from every tuple that `leastsq` and `curve_fit` return."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from decay import FULL, SIGMA, START, T, Y, full, jacobian, model, residuals

import pyminpack
from pyminpack import FitError, Report, curve_fit, leastsq, report

optimize = pytest.importorskip("scipy.optimize", reason="SciPy's tuples are reported on too")

each_curve_fit = pytest.mark.parametrize(
    "curve_fit", [curve_fit, optimize.curve_fit], ids=lambda f: f.__module__
)
each_leastsq = pytest.mark.parametrize(
    "solver", [leastsq, optimize.leastsq], ids=lambda f: f.__module__
)


def expected_errors(fit: Any, *, absolute: bool, sigma: Any = 1.0) -> Any:
    """Standard errors by the formula of the textbooks, from a Jacobian of our own."""
    j = jacobian(fit[0], sigma)
    r = residuals(fit[0], sigma)
    variance = 1.0 if absolute else (r @ r) / (T.size - 3)
    return np.sqrt(np.diag(np.linalg.inv(j.T @ j)) * variance)


# Every tuple


@each_leastsq
def test_a_full_tuple_of_leastsq(solver: Any) -> None:
    fit = solver(residuals, START, full_output=True)
    found = report(fit)
    r = fit[2]["fvec"]
    np.testing.assert_array_equal(found.parameters, fit[0])
    np.testing.assert_allclose(found.standard_errors, expected_errors(fit, absolute=False), 1e-4)
    np.testing.assert_allclose(found.covariance, fit[1] * (r @ r) / 4, rtol=1e-9)
    assert found.chi_square == pytest.approx(r @ r)
    assert found.reduced_chi_square == pytest.approx((r @ r) / 4)
    assert found.degrees_of_freedom == 4
    assert (found.nfev, found.njev, found.ier) == (fit[2]["nfev"], None, fit[4])
    assert found.message == " ".join(fit[3].split())
    assert found.errors_from == "scaled by the root of the reduced chi-square"


@each_leastsq
def test_a_full_tuple_of_leastsq_whose_residuals_are_in_standard_errors(solver: Any) -> None:
    fit = solver(residuals, START, args=(SIGMA,), full_output=True)
    found = report(fit, absolute_sigma=True)
    np.testing.assert_allclose(found.covariance, fit[1], rtol=1e-9)
    np.testing.assert_allclose(
        found.standard_errors, expected_errors(fit, absolute=True, sigma=SIGMA), 1e-4
    )
    assert found.absolute_sigma is True
    assert found.errors_from == "not scaled (absolute_sigma=True)"
    assert found.chi_square == pytest.approx((residuals(fit[0], SIGMA) ** 2).sum())


@each_leastsq
def test_the_short_tuple_of_leastsq_has_parameters_only(solver: Any) -> None:
    fit = solver(residuals, START)
    found = report(fit)
    np.testing.assert_array_equal(found.parameters, fit[0])
    assert np.isnan(found.standard_errors).all()
    assert np.isnan(found.covariance).all()
    assert found.ier == fit[1]
    unknown = (found.chi_square, found.reduced_chi_square, found.degrees_of_freedom)
    assert unknown == (None, None, None)
    assert (found.nfev, found.njev, found.iterations, found.message) == (None, None, None, None)
    assert found.errors_from == "not known: leastsq gives them with full_output=True"


@each_curve_fit
@pytest.mark.parametrize("sigma", [None, SIGMA, np.diag(SIGMA**2)], ids=["none", "1-D", "2-D"])
@pytest.mark.parametrize("absolute", [False, True])
def test_a_full_tuple_of_curve_fit(curve_fit: Any, sigma: Any, absolute: bool) -> None:
    fit = curve_fit(
        model, T, Y, START, sigma=sigma, absolute_sigma=absolute, full_output=True, method="lm"
    )
    found = report(fit, absolute_sigma=absolute)
    np.testing.assert_allclose(found.covariance, fit[1], rtol=1e-9)
    np.testing.assert_allclose(found.standard_errors, np.sqrt(np.diag(fit[1])), rtol=1e-9)
    assert found.chi_square == pytest.approx((fit[2]["fvec"] ** 2).sum())
    assert (found.nfev, found.ier) == (fit[2]["nfev"], fit[4])


@each_curve_fit
def test_the_argument_decides_about_scaling_and_not_who_made_the_tuple(curve_fit: Any) -> None:
    fits = [
        curve_fit(
            model, T, Y, START, SIGMA, absolute_sigma=each, full_output=True, ftol=1e-14, xtol=0.0
        )
        for each in (False, True)
    ]
    fits.append(leastsq(residuals, START, (SIGMA,), full_output=True, ftol=1e-14, xtol=0.0))
    for absolute in (False, True):
        errors = expected_errors(fits[0], absolute=absolute, sigma=SIGMA)
        for fit in fits:
            found = report(fit, absolute_sigma=absolute)
            np.testing.assert_allclose(found.standard_errors, errors, rtol=1e-5)


@each_curve_fit
@pytest.mark.parametrize("absolute", [False, True])
def test_the_short_tuple_of_curve_fit(curve_fit: Any, absolute: bool) -> None:
    fit = curve_fit(model, T, Y, START, SIGMA, absolute)
    for told in (False, True):
        found = report(fit, absolute_sigma=told)
        np.testing.assert_array_equal(found.covariance, fit[1])
        np.testing.assert_array_equal(found.standard_errors, np.sqrt(np.diag(fit[1])))
        assert (found.chi_square, found.nfev, found.ier, found.message) == (None,) * 4
        assert found.errors_from == "as in pcov"


def test_the_tuple_of_another_solver_of_scipys() -> None:
    fit = optimize.curve_fit(model, T, Y, START, method="trf", full_output=True)
    found = report(fit)
    np.testing.assert_array_equal(found.covariance, fit[1])
    assert found.chi_square == pytest.approx((fit[2]["fvec"] ** 2).sum())
    assert (found.iterations, found.iterations_at_most) == (None, None)
    assert found.nfev == fit[2]["nfev"]


@pytest.mark.filterwarnings("ignore:Covariance of the parameters could not be estimated")
def test_another_solver_of_scipys_with_fewer_data_than_parameters() -> None:
    fit = optimize.curve_fit(model, T[:2], Y[:2], START, method="trf", full_output=True)
    found = report(fit)
    assert found.degrees_of_freedom == -1
    assert found.reduced_chi_square is None
    assert np.isnan(found.standard_errors).all()
    assert "none without degrees of freedom" in str(found)


def test_permutations_from_0_as_scipy_has_them_since_1_15() -> None:
    fit = leastsq(residuals, START, full_output=True)
    info = {**fit[2], "ipvt": (fit[2]["ipvt"] - 1).astype(np.int64)}
    assert info["ipvt"].tolist() != sorted(info["ipvt"])
    found = report((fit[0], fit[1], info, *fit[3:]))
    np.testing.assert_array_equal(found.covariance, report(fit).covariance)


def test_factors_of_other_layouts_and_types() -> None:
    fit = leastsq(residuals, START, full_output=True)
    info = {**fit[2], "fjac": np.asfortranarray(fit[2]["fjac"]), "fvec": list(fit[2]["fvec"])}
    np.testing.assert_array_equal(
        report((list(fit[0]), fit[1].tolist(), info, *fit[3:])).covariance, report(fit).covariance
    )


@pytest.mark.parametrize("qr", ["minpack", "blocked"])
def test_either_factorisation(qr: str) -> None:
    fit = leastsq(residuals, START, full_output=True, qr=qr)
    np.testing.assert_allclose(
        report(fit).standard_errors, expected_errors(fit, absolute=False), rtol=1e-4
    )


# Iterations and calls


def test_iterations_are_the_calls_of_the_jacobian() -> None:
    fit = leastsq(residuals, START, Dfun=jacobian, full_output=True)
    found = report(fit)
    assert found.njev == fit[2]["njev"]
    assert found.iterations == found.iterations_at_most == fit[2]["njev"]


def count_jacobians(points: list[Any]) -> int:
    """Count the differences with respect to the first parameter: the others are as before."""
    count = 0
    for k in range(1, len(points)):
        for base in points[:k]:
            h = points[k][0] - base[0]
            step = abs(h / base[0] - 2.0**-26) < 1e-9 if base[0] else False
            count += bool(step and (points[k][1:] == base[1:]).all())
            if step:
                break
    return count


@pytest.mark.parametrize("start", [START, [9.0, 0.1, 3.0], [5.0, 3.0, 0.5]], ids=repr)
@pytest.mark.parametrize("options", [{}, {"maxfev": 6}, {"gtol": 0.5}], ids=repr)
def test_with_differences_the_limit_of_the_iterations_holds(start: Any, options: Any) -> None:
    points: list[Any] = []

    def recorded(b: Any) -> Any:
        points.append(b.copy())
        return residuals(b)

    found = report(leastsq(recorded, start, full_output=True, **options))
    assert found.iterations is None
    assert found.njev is None
    iterations = count_jacobians(points)
    assert found.iterations_at_most is not None
    assert 1 <= iterations <= found.iterations_at_most
    assert found.iterations_at_most == len(points) // 4


def test_the_limit_is_reached_where_every_step_succeeds() -> None:
    fit = leastsq(lambda b: [b[0] - 1.0, 2.0], [0.5], full_output=True, gtol=1e-12)
    found = report(fit)
    assert found.nfev == 4  # the start, one for the differences, a step, and the differences again
    assert found.iterations_at_most == 2


# What is not known, or degenerate


def test_no_convergence_leaves_the_errors_unknown() -> None:
    fit = leastsq(residuals, START, full_output=True, maxfev=5)
    found = report(fit)
    assert fit[4] == 5
    assert np.isnan(found.standard_errors).all()
    assert found.errors_from == "not known: the fit did not converge"
    assert found.chi_square == pytest.approx((fit[2]["fvec"] ** 2).sum())


def test_what_an_error_of_curve_fit_has() -> None:
    with pytest.raises(FitError) as caught:
        curve_fit(model, T, Y, START, maxfev=5)
    error = caught.value
    found = report((error.popt, error.pcov, error.infodict, error.mesg, error.ier))
    assert found.ier == 5
    np.testing.assert_allclose(found.covariance, error.pcov, rtol=1e-9)
    with pytest.raises(FitError) as caught:
        curve_fit(lambda t, a: a * t + np.nan, T, Y, [1.0])
    error = caught.value
    found = report((error.popt, error.pcov, error.infodict, error.mesg, error.ier))
    assert found.errors_from == "not known: the fit did not converge"


@pytest.mark.parametrize("absolute", [False, True])
def test_a_jacobian_without_full_rank(absolute: bool) -> None:
    fit = leastsq(lambda b: b[0] * T - Y, [1.0, 1.0], full_output=True)
    assert fit[1] is None
    found = report(fit, absolute_sigma=absolute)
    assert np.isnan(found.standard_errors).all()
    assert np.isnan(found.correlation).all()
    assert found.errors_from == "not known: the Jacobian has not full rank"


@each_curve_fit
@pytest.mark.filterwarnings("ignore:Covariance of the parameters could not be estimated")
def test_an_infinite_pcov(curve_fit: Any) -> None:
    def unused(t: Any, a: float, b: float) -> Any:
        return a * t

    for full_output in (False, True):
        fit = curve_fit(unused, T, Y, [1.0, 1.0], full_output=full_output)
        assert np.isinf(fit[1]).all()
        found = report(fit)
        assert np.isnan(found.standard_errors).all()
        assert np.isnan(found.correlation).all()
        why = "the Jacobian has not full rank" if full_output else "pcov is not finite"
        assert found.errors_from == f"not known: {why}"


@each_curve_fit
@pytest.mark.filterwarnings("ignore:Covariance of the parameters could not be estimated")
def test_no_degrees_of_freedom(curve_fit: Any) -> None:
    few = slice(0, 6, 2)
    fits = [
        leastsq(lambda b: model(T[few], *b) - Y[few], START, full_output=True),
        curve_fit(model, T[few], Y[few], START, full_output=True),
    ]
    for fit in fits:
        found = report(fit)
        assert found.degrees_of_freedom == 0
        assert found.reduced_chi_square is None
        assert np.isnan(found.standard_errors).all()
        assert found.errors_from == "not known: there are as many parameters as data"
        # A sigma that is absolute needs none.
        assert np.isfinite(report(fit, absolute_sigma=True).standard_errors).all()


@each_curve_fit
def test_a_perfect_fit(curve_fit: Any) -> None:
    t = np.arange(5.0)
    fits = [
        leastsq(lambda b: b[0] + b[1] * t - (1.0 + 2.0 * t), [1.0, 2.0], full_output=True),
        curve_fit(lambda t, a, b: a + b * t, t, 1.0 + 2.0 * t, [1.0, 2.0], full_output=True),
    ]
    for fit in fits:
        found = report(fit)
        assert (found.chi_square, found.reduced_chi_square) == (0.0, 0.0)
        assert found.standard_errors.tolist() == [0.0, 0.0]
        # How parameters are correlated does not depend on the size of the residuals.
        assert found.correlation[0, 1] == pytest.approx(-np.sqrt(2.0 / 3.0), rel=1e-6)
        absolute = report(fit, absolute_sigma=True)
        assert absolute.standard_errors == pytest.approx([np.sqrt(0.6), np.sqrt(0.1)], rel=1e-6)


@each_curve_fit
def test_a_pcov_that_is_zero(curve_fit: Any) -> None:
    t = np.arange(5.0)
    fit = curve_fit(lambda t, a, b: a + b * t, t, 1.0 + 2.0 * t, [1.0, 2.0])
    found = report(fit)
    assert found.standard_errors.tolist() == [0.0, 0.0]
    assert np.isnan(found.correlation[0, 1])
    assert "0 %" in str(found)


def test_improper_input_was_no_fit() -> None:
    found = report(leastsq(residuals, START, full_output=True, ftol=-1.0))
    assert (found.ier, found.nfev, found.iterations) == (0, 0, 0)
    assert found.parameters.tolist() == START
    assert (found.chi_square, found.reduced_chi_square) == (None, None)
    assert found.errors_from == "not known: the fit did not converge"
    assert "ftol must not be negative" in str(found)


def test_residuals_that_are_not_finite() -> None:
    for bad in (np.nan, np.inf):
        fit = leastsq(lambda b, bad=bad: [b[0], bad], [1.0], full_output=True)
        found = report(fit)
        assert found.ier == 9
        assert found.chi_square is not None
        assert not np.isfinite(found.chi_square)
        assert np.isnan(found.standard_errors).all()
        assert f"{bad:g}" in str(found)


def test_a_pcov_of_which_some_is_not_finite() -> None:
    pcov = [[4.0, np.nan, 2.0], [np.nan, np.inf, np.nan], [2.0, np.nan, 9.0]]
    found = report(([1.0, 2.0, 3.0], pcov))
    np.testing.assert_array_equal(found.standard_errors, [2.0, np.nan, 3.0])
    np.testing.assert_allclose(
        found.correlation, [[1, np.nan, 1 / 3], [np.nan] * 3, [1 / 3, np.nan, 1]]
    )
    assert "not known" in str(found)


def test_one_parameter() -> None:
    fit = leastsq(lambda b: b[0] - Y, [1.0], full_output=True)
    found = report(fit, names=["mean"])
    assert found.parameters == pytest.approx([Y.mean()])
    assert found.standard_errors == pytest.approx([Y.std(ddof=1) / np.sqrt(Y.size)])
    assert found.correlation.tolist() == [[1.0]]


def test_many_parameters() -> None:
    n = 60
    rng = np.random.default_rng(1)
    a, y = rng.standard_normal((200, n)), rng.standard_normal(200)
    found = report(leastsq(lambda b: a @ b - y, np.zeros(n), Dfun=lambda b: a, full_output=True))
    covariance = np.linalg.inv(a.T @ a) * found.reduced_chi_square
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(found.standard_errors, np.sqrt(np.diag(covariance)))
    assert (np.abs(found.correlation) <= 1.0).all()
    assert (np.diag(found.correlation) == 1.0).all()


@pytest.mark.parametrize("size", [1e-200, 1e-100, 1e100, 1e200])
def test_huge_and_tiny_residuals(size: float) -> None:
    fit = leastsq(lambda b: size * (b[0] - Y), [1.0], full_output=True)
    found = report(fit)
    error = Y.std(ddof=1) / np.sqrt(Y.size)
    # Their squares are beyond float64, where the standard error is not.
    np.testing.assert_allclose(found.standard_errors, [error], rtol=1e-6)
    assert str(found)


@pytest.mark.parametrize("size", [1e-200, 1e-60, 1e60, 1e140])
def test_huge_and_tiny_parameters(size: float) -> None:
    fit = leastsq(lambda b: b[0] / size - Y, [size], full_output=True)
    found = report(fit)
    error = size * Y.std(ddof=1) / np.sqrt(Y.size)
    np.testing.assert_allclose(found.standard_errors, [error], rtol=1e-6)
    assert f"{Y.mean() * size:.1e}"[:2] in str(found)


def test_parameters_of_very_different_magnitudes() -> None:
    units = np.array([1e-170, 1e150, 1.0])
    fit = leastsq(
        lambda b: residuals(b / units), START * units + 1e-3 * units, full_output=True, xtol=1e-10
    )
    found, plain = report(fit), report(FULL)
    np.testing.assert_allclose(found.standard_errors / units, plain.standard_errors, rtol=1e-4)
    np.testing.assert_allclose(found.correlation, plain.correlation, atol=1e-4)


# The object


def test_a_report_is_frozen_and_independent_of_the_tuple() -> None:
    fit = full(x=FULL[0].copy())
    found = report(fit)
    fit[0][:] = 7.0
    np.testing.assert_array_equal(found.parameters, FULL[0])
    with pytest.raises(AttributeError):
        found.ier = 3  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        found.other = 3  # type: ignore[attr-defined]


def test_it_can_be_pickled() -> None:
    found = report(FULL, names=model)
    again = pickle.loads(pickle.dumps(found))
    assert type(again) is Report
    assert str(again) == str(found)
    np.testing.assert_array_equal(again.covariance, found.covariance)


def test_its_repr_tells_which_fit_it_is() -> None:
    assert (
        repr(report(FULL)) == "<Report: 3 parameters, 7 data, reduced chi-square 0.000934, ier 1>"
    )
    assert repr(report(([1.0], 2))) == "<Report: 1 parameter, ier 2>"
    assert repr(report(([1.0], [[4.0]]))) == "<Report: 1 parameter>"


def test_it_is_imported_when_it_is_asked_for() -> None:
    code = (
        "import sys, pyminpack; assert 'report' in dir(pyminpack);"
        "print(*[name for name in sys.modules if 'report' in name]);"
        "from pyminpack import *; print(report is pyminpack.report, Report is pyminpack.Report);"
        "print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["", "True True", "False"]
    assert {"Report", "report", "leastsq"} <= set(dir(pyminpack))
    with pytest.raises(AttributeError, match="module 'pyminpack' has no attribute 'reports'"):
        pyminpack.reports  # type: ignore[attr-defined]  # noqa: B018
