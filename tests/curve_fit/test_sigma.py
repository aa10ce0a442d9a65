"""`sigma` and `absolute_sigma`: scalar, vector, covariance matrix, and what is none of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from curves import COVARIANCE, LINE, SIGMA, T, line, line_jacobian

from pyminpack import OptimizeWarning, curve_fit, leastsq

PLAIN = curve_fit(line, T, LINE)
WEIGHTED = curve_fit(line, T, LINE, sigma=SIGMA)
CORRELATED = curve_fit(line, T, LINE, sigma=COVARIANCE)


@pytest.mark.parametrize("jac", [None, line_jacobian])
@pytest.mark.parametrize("sigma", [2, 2.0, np.float32(2), np.array(2.0), [2.0], (2,), "object"])
def test_scalar_sigma_works_with_and_without_jac(sigma: Any, jac: Any) -> None:
    sigma = np.array(2.0, dtype=object) if sigma == "object" else sigma
    popt, pcov = curve_fit(line, T, LINE, sigma=sigma, jac=jac, absolute_sigma=True)
    expected = curve_fit(line, T, LINE, sigma=np.full(12, 2.0), jac=jac, absolute_sigma=True)
    assert_same_bits(popt, expected[0])
    assert_same_bits(pcov, expected[1])
    np.testing.assert_allclose(popt, PLAIN[0], rtol=1e-7)


@pytest.mark.parametrize(
    "sigma",
    [
        SIGMA.tolist(),
        tuple(SIGMA),
        SIGMA.astype(object),
        SIGMA[::-1][::-1],
        SIGMA.astype(">f8"),
    ],
    ids=["list", "tuple", "object", "strided", ">f8"],
)
def test_vector_sigma(sigma: Any) -> None:
    popt, pcov = curve_fit(line, T, LINE, sigma=sigma)
    assert_same_bits(popt, WEIGHTED[0])
    assert_same_bits(pcov, WEIGHTED[1])


def test_the_sign_of_sigma_does_not_matter() -> None:
    popt, pcov = curve_fit(line, T, LINE, sigma=-SIGMA)
    np.testing.assert_allclose(popt, WEIGHTED[0], rtol=1e-7)
    np.testing.assert_allclose(pcov, WEIGHTED[1], rtol=1e-6)


def test_weights_are_those_of_residuals_multiplied_by_hand() -> None:
    def weighted(p: Any) -> Any:
        return (1.0 / SIGMA) * (line(T, *p) - LINE)

    assert_same_bits(WEIGHTED[0], leastsq(weighted, [1.0, 1.0])[0])


@pytest.mark.parametrize(
    "sigma",
    [COVARIANCE.tolist(), COVARIANCE.astype(object), COVARIANCE.T, np.asfortranarray(COVARIANCE)],
    ids=["list", "object", "transposed", "by columns"],
)
def test_matrix_sigma(sigma: Any) -> None:
    popt, pcov = curve_fit(line, T, LINE, sigma=sigma)
    np.testing.assert_allclose(popt, CORRELATED[0], rtol=1e-12)
    np.testing.assert_allclose(pcov, CORRELATED[1], rtol=1e-12)


def test_a_diagonal_matrix_is_a_vector_of_variances() -> None:
    popt, pcov = curve_fit(line, T, LINE, sigma=np.diag(SIGMA**2))
    np.testing.assert_allclose(popt, WEIGHTED[0], rtol=1e-7)
    np.testing.assert_allclose(pcov, WEIGHTED[1], rtol=1e-6)


def test_a_matrix_for_a_single_point() -> None:
    popt, pcov = curve_fit(lambda t, a: a * t, [2.0], [3.0], sigma=[[4.0]], absolute_sigma=True)
    np.testing.assert_allclose([popt[0], pcov[0, 0]], [1.5, 1.0], rtol=1e-7)


@pytest.mark.parametrize("jac", [None, line_jacobian])
def test_a_matrix_of_great_range(jac: Any) -> None:
    # Rows that differ by ten powers of ten: elimination with exchanged rows would lose them.
    scale = 10.0 ** np.linspace(-5, 5, 12)
    mixed = COVARIANCE * np.outer(scale, scale)
    popt, pcov = curve_fit(line, T, LINE, sigma=mixed, jac=jac, absolute_sigma=True, xtol=1e-12)
    root = np.linalg.cholesky(COVARIANCE)
    matrix = np.linalg.solve(root, line_jacobian(T, 0, 0) / scale[:, None])
    expected, *_ = np.linalg.lstsq(matrix, np.linalg.solve(root, LINE / scale), rcond=None)
    np.testing.assert_allclose(popt, expected, rtol=1e-8)
    np.testing.assert_allclose(pcov, np.linalg.inv(matrix.T @ matrix), rtol=1e-5)


def test_sigma_is_left_alone() -> None:
    for sigma in (SIGMA.copy(), COVARIANCE.copy()):
        before = sigma.copy()
        sigma.flags.writeable = False
        *_, infodict, _, _ = curve_fit(line, T, LINE, sigma=sigma, full_output=True)
        assert_same_bits(sigma, before)
        assert not np.shares_memory(sigma, infodict["fvec"])


def test_an_infinite_sigma_leaves_the_point_out() -> None:
    sigma, ydata = np.ones(12), LINE.copy()
    sigma[5], ydata[5] = np.inf, 1e6
    popt, _ = curve_fit(line, T, ydata, sigma=sigma)
    expected, _ = curve_fit(line, np.delete(T, 5), np.delete(LINE, 5))
    np.testing.assert_allclose(popt, expected, rtol=1e-7)
    with pytest.warns(OptimizeWarning, match="full rank"):
        curve_fit(line, T, LINE, sigma=np.inf)


@pytest.mark.parametrize("jac", [None, line_jacobian])
@pytest.mark.parametrize("sigma", [0.5, SIGMA, COVARIANCE], ids=["scalar", "vector", "matrix"])
def test_absolute_sigma_keeps_the_scale(sigma: Any, jac: Any) -> None:
    kwargs = {"jac": jac, "sigma": sigma}
    larger = {**kwargs, "sigma": sigma * (9 if np.ndim(sigma) == 2 else 3)}
    _, absolute = curve_fit(line, T, LINE, absolute_sigma=True, **kwargs)
    _, relative = curve_fit(line, T, LINE, **kwargs)
    np.testing.assert_allclose(
        curve_fit(line, T, LINE, absolute_sigma=True, **larger)[1], absolute * 9, rtol=1e-6
    )
    np.testing.assert_allclose(curve_fit(line, T, LINE, **larger)[1], relative, rtol=1e-6)
    *_, infodict, _, _ = curve_fit(line, T, LINE, full_output=True, **kwargs)
    chi_squared = infodict["fvec"] @ infodict["fvec"]
    np.testing.assert_allclose(relative, absolute * chi_squared / 10, rtol=1e-12)


@pytest.mark.parametrize("truth", [1, np.True_, "yes"])
def test_absolute_sigma_is_any_truth(truth: Any) -> None:
    expected = curve_fit(line, T, LINE, sigma=SIGMA, absolute_sigma=True)[1]
    assert_same_bits(curve_fit(line, T, LINE, sigma=SIGMA, absolute_sigma=truth)[1], expected)


def test_absolute_sigma_is_asked_before_the_fit() -> None:
    with pytest.raises(ValueError, match="truth value"):
        curve_fit(lambda t, a: pytest.fail("called"), T, LINE, absolute_sigma=np.ones(3))


@pytest.mark.parametrize(
    "shape", [(0,), (5,), (13,), (12, 1), (1, 12), (5, 5), (12, 5), (1, 1), (2, 2, 2), (12, 12, 1)]
)
def test_a_sigma_of_the_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"`sigma` has incorrect shape: \(.*\(12,\) or \(12, 12\)"):
        curve_fit(line, T, LINE, sigma=np.ones(shape))


@pytest.mark.parametrize("value", [0.0, -0.0, np.nan, 1e-320])
def test_a_sigma_without_an_inverse(value: float) -> None:
    sigma = np.ones(12)
    sigma[3] = value
    message = f"sigma must not contain zeros or NaNs, and contains {value}"
    for given in (value, sigma):
        with pytest.raises(ValueError, match=message):
            curve_fit(line, T, LINE, sigma=given)


@pytest.mark.parametrize(
    "sigma", [SIGMA + 0j, np.diag(SIGMA) + 0j, ["1"] * 12, "2", {1: 2}, [object()] * 12]
)
def test_a_sigma_that_is_no_real_numbers(sigma: Any) -> None:
    with pytest.raises(TypeError, match="sigma must be real numbers"):
        curve_fit(line, T, LINE, sigma=sigma)


@pytest.mark.parametrize("jac", [None, line_jacobian])
@pytest.mark.parametrize(
    ("sigma", "eigenvalue"), [(-np.eye(12), "-1"), (np.ones((12, 12)), ""), (0 * np.eye(12), "0")]
)
def test_a_matrix_that_is_not_positive_definite(sigma: Any, eigenvalue: str, jac: Any) -> None:
    message = rf"`sigma` must be positive definite .* least eigenvalue is {eigenvalue}"
    with pytest.raises(ValueError, match=message) as caught:
        curve_fit(line, T, LINE, sigma=sigma, jac=jac)
    assert type(caught.value) is ValueError


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_matrix_that_is_not_finite(value: float) -> None:
    sigma = COVARIANCE.copy()
    sigma[2, 7] = value
    with pytest.raises(ValueError, match="sigma must not contain infs or NaNs"):
        curve_fit(line, T, LINE, sigma=sigma)


def test_a_matrix_that_is_not_symmetric() -> None:
    sigma = COVARIANCE.copy()
    sigma[2, 3] *= 1 + 1e-12
    curve_fit(line, T, LINE, sigma=sigma)
    with pytest.raises(ValueError, match="sigma must be symmetric"):
        curve_fit(line, T, LINE, sigma=np.tril(COVARIANCE))
    # What is symmetric to rounding beside great variances may not be so beside small ones.
    sigma[2, 3] *= 1 + 1e-6
    with pytest.raises(ValueError, match="sigma must be symmetric"):
        curve_fit(line, T, LINE, sigma=sigma)
