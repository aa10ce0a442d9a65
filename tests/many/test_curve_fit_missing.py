"""`curve_fit_many`: weights, masks, and data that are not finite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from curves_many import TIMES, VALUES, T, fraction, fraction_jacobian, line

from pyminpack import CurveFitMany, curve_fit, curve_fit_many

GONE = np.zeros((9, 12), dtype=bool)
GONE[1, [0, 4]] = GONE[3, 11] = True
GONE[5, :9] = True
HOLES = np.where(GONE, np.nan, VALUES)
SIGMA = 0.1 + 0.02 * np.arange(12)


def same(ours: CurveFitMany, theirs: CurveFitMany) -> None:
    for name in ("popt", "pcov", "ier", "nfev", "fnorm"):
        assert_same_bits(getattr(ours, name), getattr(theirs, name), name)


@pytest.mark.parametrize("jac", [None, fraction_jacobian])
@pytest.mark.parametrize("options", [{}, {"sigma": SIGMA}, {"sigma": 0.2, "absolute_sigma": True}])
def test_omitted_data_leave_the_fit_to_the_others(jac: Any, options: dict[str, Any]) -> None:
    fits = curve_fit_many(fraction, TIMES, HOLES, nan_policy="omit", jac=jac, **options)
    whole = curve_fit_many(fraction, TIMES, VALUES, jac=jac, **options)
    for fit in range(9):
        if not GONE[fit].any():
            assert_same_bits(fits.popt[fit], whole.popt[fit])
            assert_same_bits(fits.pcov[fit], whole.pcov[fit])
            continue
        if fit == 5:  # as many data as parameters
            is_known = bool(options.get("absolute_sigma")) and bool(fits.success[fit])
            assert np.isinf(fits.pcov[fit]).all() != is_known
            continue
        popt, pcov = curve_fit(fraction, TIMES, HOLES[fit], nan_policy="omit", jac=jac, **options)
        np.testing.assert_allclose(fits.popt[fit], popt, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(fits.pcov[fit], pcov, rtol=1e-3)


@pytest.mark.parametrize("sigma", [None, SIGMA, SIGMA * np.ones((9, 1))])
def test_all_ways_to_say_that_data_are_missing(sigma: Any) -> None:
    omitted = curve_fit_many(fraction, TIMES, HOLES, sigma=sigma, nan_policy="omit")
    odd = VALUES.copy()
    odd[GONE] = 1e300
    for y in (HOLES, VALUES, odd, np.where(GONE, np.inf, VALUES)):
        for weights in (~GONE, (~GONE).astype(int), (~GONE).astype(float)):
            same(curve_fit_many(fraction, TIMES, y, sigma=sigma, weights=weights), omitted)
    for policy in ("raise", "omit"):
        fits = curve_fit_many(fraction, TIMES, HOLES, sigma=sigma, weights=~GONE, nan_policy=policy)
        same(fits, omitted)


def test_a_mask_for_all_rows() -> None:
    mask = np.ones(12, dtype=bool)
    mask[[2, 7]] = False
    fits = curve_fit_many(fraction, TIMES, VALUES, weights=mask)
    same(fits, curve_fit_many(fraction, TIMES, VALUES, weights=mask * np.ones((9, 1))))
    # A weight of zero changes no bit but those of the degrees of freedom.
    sigma = np.where(mask, 1.0, np.inf)
    for fit in range(9):
        popt, pcov = curve_fit(fraction, TIMES, VALUES[fit], sigma=sigma)
        assert_same_bits(fits.popt[fit], popt)
        np.testing.assert_allclose(fits.pcov[fit], pcov * (9 / 7), rtol=1e-14)


def test_what_the_model_gives_for_missing_data_does_not_matter() -> None:
    mask = np.ones(12, dtype=bool)
    mask[0] = False

    def f(t: Any, a: Any, b: Any) -> Any:
        values = line(t, a, b)
        values[:, 0] = np.nan
        return values

    same(curve_fit_many(f, T, VALUES, weights=mask), curve_fit_many(line, T, VALUES, weights=mask))


def test_sigma_of_missing_data_does_not_matter() -> None:
    plain = curve_fit_many(line, T, HOLES, sigma=SIGMA, nan_policy="omit")
    for value in (0.0, np.nan, -1.0):
        sigma = np.where(GONE, value, SIGMA)
        same(curve_fit_many(line, T, HOLES, sigma=sigma, nan_policy="omit"), plain)
        if value != -1.0:
            with pytest.raises(ValueError, match="zeros or NaNs"):
                curve_fit_many(line, T, VALUES, sigma=sigma)


def test_nan_in_xdata_leaves_the_point_out_of_all_fits() -> None:
    t = T.copy()
    t[3] = np.nan
    mask = ~np.isnan(t)
    expected = curve_fit_many(line, T, VALUES, weights=mask)
    same(curve_fit_many(line, t, VALUES, nan_policy="omit"), expected)
    both = np.vstack([t, T])
    ours = curve_fit_many(lambda x, a, b: a + b * x[0], both, VALUES, nan_policy="omit")
    same(ours, expected)
    with pytest.raises(ValueError, match=r"xdata\[3\] is NaN"):
        curve_fit_many(line, t, VALUES, nan_policy="raise")
    with pytest.raises(ValueError, match="points of xdata"):
        curve_fit_many(line, t[:5], VALUES, nan_policy="omit")


def test_weights_multiply_residuals() -> None:
    weights = np.linspace(0.5, 2.0, 108).reshape(9, 12)
    ours = curve_fit_many(line, T, VALUES, weights=weights, absolute_sigma=True)
    theirs = curve_fit_many(line, T, VALUES, sigma=1.0 / weights, absolute_sigma=True)
    np.testing.assert_allclose(ours.popt, theirs.popt, rtol=1e-6)
    np.testing.assert_allclose(ours.pcov, theirs.pcov, rtol=1e-6)
    both = curve_fit_many(line, T, VALUES, weights=weights, sigma=SIGMA)
    one = curve_fit_many(line, T, VALUES, sigma=SIGMA / weights)
    np.testing.assert_allclose(both.popt, one.popt, rtol=1e-6)


@pytest.mark.parametrize("absolute_sigma", [False, True])
@pytest.mark.parametrize("left", [0, 1, 2, 3])
def test_too_few_data_give_no_covariance(left: int, absolute_sigma: bool) -> None:
    y = VALUES.copy()
    y[4, left:] = np.nan
    fits = curve_fit_many(line, T, y, nan_policy="omit", absolute_sigma=absolute_sigma)
    whole = curve_fit_many(line, T, VALUES, absolute_sigma=absolute_sigma)
    is_known = left > 2 or (left == 2 and absolute_sigma)
    assert np.isfinite(fits.pcov[4]).all() == is_known
    assert np.isinf(fits.pcov[4]).all() != is_known
    others = np.arange(9) != 4
    assert_same_bits(fits.popt[others], whole.popt[others])
    assert_same_bits(fits.pcov[others], whole.pcov[others])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_named(value: float) -> None:
    y = VALUES.copy()
    y[2, 5] = value
    for options in ({}, {"check_finite": True}, {"check_finite": True, "nan_policy": "omit"}):
        with pytest.raises(ValueError, match=rf"ydata\[2, 5\] is {value}"):
            curve_fit_many(lambda *args: pytest.fail("called"), T, y, [1.0], **options)
    fits = curve_fit_many(line, T, y, check_finite=False)
    assert np.flatnonzero(fits.ier == 9).tolist() == [2]
    if math.isinf(value):
        for policy in ("raise", "omit"):
            with pytest.raises(ValueError, match=r"contains infinity \(1 times\)"):
                curve_fit_many(line, T, y, nan_policy=policy)
    else:
        with pytest.raises(ValueError, match=r"ydata\[2, 5\] is NaN, and nan_policy is 'raise'"):
            curve_fit_many(line, T, y, nan_policy="raise")
