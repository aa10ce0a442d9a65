"""`curve_fit_many`: every fit has the bits of `curve_fit` alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from curves_many import (
    TIMES,
    VALUES,
    T,
    assert_as_alone,
    check,
    fraction,
    fraction_jacobian,
    fractions,
    line,
    line_jacobian,
)
from nist_cases import DATASETS

from pyminpack import curve_fit, curve_fit_many

SIGMA = 0.1 + 0.02 * np.arange(12)
ROWS = SIGMA * np.linspace(1.0, 2.0, 9)[:, None]


@pytest.mark.parametrize("jac", [None, fraction_jacobian])
@pytest.mark.parametrize("chunk_size", [None, 1, 2, 7, 100])
def test_bits_of_each_fit(jac: Any, chunk_size: Any) -> None:
    fits = check(fraction, TIMES, VALUES, jac=jac, chunk_size=chunk_size)
    assert fits.success.all()
    assert (fits.njev > 0).all() == (jac is not None)


@pytest.mark.parametrize("sigma", [0.3, [0.3], SIGMA, ROWS, ROWS[:, :1] * np.ones(12), -SIGMA])
@pytest.mark.parametrize("absolute_sigma", [False, True])
@pytest.mark.parametrize("jac", [None, fraction_jacobian])
def test_sigma(sigma: Any, absolute_sigma: bool, jac: Any) -> None:
    check(fraction, TIMES, VALUES, sigma=sigma, absolute_sigma=absolute_sigma, jac=jac)


def test_one_sigma_for_each_row() -> None:
    ours = curve_fit_many(fraction, TIMES, VALUES, sigma=ROWS[:, :1])
    theirs = curve_fit_many(fraction, TIMES, VALUES, sigma=ROWS[:, :1] * np.ones(12))
    assert_same_bits(ours.pcov, theirs.pcov)


def test_infinite_sigma_counts_as_in_curve_fit() -> None:
    sigma = SIGMA.copy()
    sigma[4] = np.inf
    check(fraction, TIMES, VALUES, sigma=sigma)


@pytest.mark.parametrize(
    "options",
    [
        {"ftol": 1e-3, "xtol": 1e-3},
        {"gtol": 1e-2},
        {"maxfev": 9},
        {"epsfcn": 1e-8},
        {"factor": 0.5},
        {"diag": [1.0, 2.0, 3.0]},
        {"diag": np.linspace(1.0, 3.0, 27).reshape(9, 3)},
        {"qr": "blocked"},
        {"qr": "minpack"},
        {"method": "lm", "bounds": (-np.inf, [np.inf])},
    ],
)
def test_options(options: dict[str, Any]) -> None:
    check(fraction, TIMES, VALUES, **options)


def test_starts() -> None:
    generator = np.random.default_rng(7)
    check(fraction, TIMES, VALUES, [2, 1, 0])
    check(fraction, TIMES, VALUES, generator.uniform(0.5, 2.0, (9, 3)))
    check(lambda t, a: a * t, T, VALUES, 3.0)


@pytest.mark.parametrize(("m", "count"), [(3, 4), (4, 300), (60, 2), (2300, 2)])
@pytest.mark.parametrize("jac", [None, fraction_jacobian])
def test_sizes(m: int, count: int, jac: Any) -> None:
    t, y = fractions(count, m)
    which = range(0, count, max(1, count // 20))
    for options in ({}, {"absolute_sigma": True, "sigma": 0.2}):
        fits = curve_fit_many(fraction, t, y, jac=jac, **options)
        assert_as_alone(fits, fraction, t, y, jac=jac, which=which, **options)


def test_as_many_points_as_parameters_give_no_covariance() -> None:
    t, y = fractions(3, 3)
    assert np.isinf(curve_fit_many(fraction, t, y).pcov).all()
    assert np.isfinite(curve_fit_many(fraction, t, y, absolute_sigma=True).pcov).all()


def test_a_parameter_without_effect_gives_no_covariance() -> None:
    fits = check(lambda t, a, b: a * t + 0.0 * b, T, VALUES)
    assert np.isinf(fits.pcov).all()
    assert np.isinf(fits.perr).all()


def test_huge_residuals_give_no_covariance() -> None:
    y = np.vstack([VALUES[:2], VALUES[:1] * 1e160])
    fits = check(line, T, y, epsfcn=1e-10, jac=line_jacobian)
    assert np.isfinite(fits.pcov[:2]).all()
    assert np.isinf(fits.pcov[2]).all()


def test_failures_harm_no_other_fit() -> None:
    y = VALUES.copy()
    y[2, 5] = np.nan
    y[4, 0] = np.inf
    p0 = np.ones((9, 3))
    p0[7] = np.nan
    fits = check(fraction, TIMES, y, p0, check_finite=False)
    assert np.flatnonzero(~fits.success).tolist() == [2, 4, 7]
    assert fits.ier[[2, 4, 7]].tolist() == [9, 9, 9]
    whole = curve_fit_many(fraction, TIMES, VALUES)
    for fit in (0, 1, 3, 5, 6, 8):
        assert_same_bits(fits.popt[fit], whole.popt[fit])
        assert_same_bits(fits.pcov[fit], whole.pcov[fit])


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_nist(name: str) -> None:
    dataset = DATASETS[name]
    moves = np.linspace(0.97, 1.03, 2)[:, None]
    p0 = np.vstack([start * moves for start in dataset.starts])
    scales = np.array([[1.0], [1.001], [0.999], [1.002]])

    # Row by row, for the values of elementary functions may depend on how many are made at once.
    def f(x: Any, *b: Any) -> Any:
        if np.ndim(b[0]) == 0:
            return dataset.model(b)
        return np.stack([dataset.model(row) for row in np.hstack(b)])

    def jac(x: Any, *b: Any) -> Any:
        if np.ndim(b[0]) == 0:
            return dataset.jacobian(np.array(b))
        return np.stack([dataset.jacobian(row) for row in np.hstack(b)])

    check(f, dataset.x, dataset.y * scales, p0, chunk_size=3)
    check(f, dataset.x, dataset.y * scales, p0, jac=jac)


def test_dtypes_of_the_model() -> None:
    for kind in (np.float32, np.float16, np.longdouble, np.float64):

        def f(t: Any, a: Any, b: Any, kind: Any = kind) -> Any:
            return (a + b * t).astype(kind)

        check(f, T, VALUES, [1.0, 1.0])


def test_what_broadcasts() -> None:
    plain = curve_fit_many(lambda t, a: a + 0.0 * t, T, VALUES)
    for f in (
        lambda t, a: a,
        lambda t, a: (a + 0.0 * t).tolist(),
        lambda t, a: (a + 0.0 * t).astype(object),
        lambda t, a: np.asfortranarray(a + 0.0 * t),
        lambda t, a: np.repeat(a + 0.0 * t, 2, axis=1)[:, ::2],
    ):
        fits = curve_fit_many(f, T, VALUES)
        assert_same_bits(fits.popt, plain.popt)
        assert_same_bits(fits.pcov, plain.pcov)


@pytest.mark.parametrize("value", [3, [3.0] * 12, np.full((1, 12), 3.0), np.float32(3.0)])
def test_a_model_without_parameters_in_it(value: Any) -> None:
    fits = curve_fit_many(lambda t, a: value, T, VALUES)
    assert_same_bits(fits.popt, np.ones((9, 1)))
    assert np.isinf(fits.pcov).all()


def test_jacobians_that_broadcast() -> None:
    plain = curve_fit_many(line, T, VALUES, jac=line_jacobian)
    matrix = np.stack([np.ones(12), T], axis=-1)
    for jac, options in (
        (lambda t, a, b: matrix, {}),
        (lambda t, a, b: matrix[None].tolist(), {}),
        (lambda t, a, b: matrix.T, {"col_deriv": True}),
        (lambda t, a, b: np.swapaxes(line_jacobian(t, a, b), 1, 2), {"col_deriv": 1}),
    ):
        fits = curve_fit_many(line, T, VALUES, jac=jac, **options)
        assert_same_bits(fits.popt, plain.popt)
        assert_same_bits(fits.pcov, plain.pcov)


def test_jacobian_of_one_parameter_needs_no_last_axis() -> None:
    for options in ({}, {"col_deriv": True}):
        fits = curve_fit_many(
            lambda t, a: a * t, T, VALUES, jac=lambda t, a: t + 0.0 * a, **options
        )
        assert_as_alone(fits, lambda t, a: a * t, T, VALUES, jac=lambda t, a: t)


def test_parameters_are_fresh_columns() -> None:
    shapes = []

    def f(t: Any, a: Any, b: Any) -> Any:
        assert a.dtype == b.dtype == np.float64
        assert a.flags.c_contiguous
        shapes.append((a.shape, b.shape))
        values = a + b * t
        a[...] = np.nan
        b[...] = np.nan
        return values

    fits = curve_fit_many(f, T, VALUES)
    assert_same_bits(fits.popt, curve_fit_many(line, T, VALUES).popt)
    assert shapes[0] == ((1, 1), (1, 1))
    assert all(a == b and a[1] == 1 for a, b in shapes)


def test_data_are_not_changed_and_may_change() -> None:
    y, p0, sigma = VALUES.copy(), np.ones((9, 2)), SIGMA.copy()

    def f(t: Any, a: Any, b: Any) -> Any:
        y[:], p0[:], sigma[:] = 0.0, 7.0, 1.0
        return line(t, a, b)

    fits = curve_fit_many(f, T, y, p0, sigma)
    expected = curve_fit_many(line, T, VALUES, np.ones((9, 2)), SIGMA)
    assert_same_bits(fits.popt, expected.popt)
    assert_same_bits(fits.pcov, expected.pcov)


def test_xdata_of_any_kind() -> None:
    popt = curve_fit_many(line, T, VALUES).popt
    both = np.vstack([T, np.ones_like(T)])
    plane = curve_fit_many(lambda x, a, b: a * x[1] + b * x[0], both, VALUES)
    assert_same_bits(plane.popt, popt)
    assert_same_bits(curve_fit_many(line, T.tolist(), VALUES.tolist()).popt, popt)
    whatever = {"t": T}
    assert_same_bits(curve_fit_many(lambda x, a, b: a + b * x["t"], whatever, VALUES).popt, popt)
    seen = []
    curve_fit_many(lambda x, a: seen.append(x) or a, (3, 4), VALUES[:, :2])
    assert all(x.dtype == np.float64 for x in seen)


def test_integers_and_dates_are_numbers() -> None:
    y = np.arange(24).reshape(2, 12) ** 2
    check(line, np.arange(12), y)
    check(line, np.arange(12, dtype="m8[s]"), y.astype("m8[s]"))


def test_a_row_of_a_batch_is_a_fit() -> None:
    popt, pcov = curve_fit_many(fraction, TIMES, VALUES)
    one, covariance = curve_fit(fraction, TIMES, VALUES[3])
    assert_same_bits(popt[3], one)
    assert_same_bits(pcov[3], covariance)
