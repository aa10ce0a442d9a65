"""`jac`, weighted with every kind of `sigma`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from curves import (
    COVARIANCE,
    DECAY,
    LINE,
    SIGMA,
    Recorded,
    T,
    decay,
    decay_jacobian,
    line,
    line_jacobian,
)

from pyminpack import curve_fit, leastsq

WEIGHTS: dict[str, Any] = {
    "none": None,
    "scalar": 0.3,
    "vector": SIGMA,
    "matrix": COVARIANCE,
}

each_weight = pytest.mark.parametrize("sigma", WEIGHTS.values(), ids=WEIGHTS)


def transposed(*args: Any) -> Any:
    return decay_jacobian(*args).T


@each_weight
def test_the_weighted_jacobian_is_that_of_the_weighted_residuals(sigma: Any) -> None:
    root = np.eye(12)
    if sigma is not None:
        array = np.asarray(sigma)
        root = np.linalg.cholesky(array) if array.ndim == 2 else np.diag(np.full(12, array))
    options = {"full_output": True, "gtol": 1e-10}
    popt, _, infodict, _, ier = curve_fit(
        decay, T, DECAY, [1, 1, 0], sigma=sigma, jac=decay_jacobian, **options
    )
    x, _, expected, _, same_ier = leastsq(
        lambda p: np.linalg.solve(root, decay(T, *p) - DECAY),
        [1, 1, 0],
        Dfun=lambda p: np.linalg.solve(root, decay_jacobian(T, *p)),
        **options,
    )
    assert ier == same_ier
    np.testing.assert_allclose(popt, x, rtol=1e-9)
    np.testing.assert_allclose(infodict["qtf"], expected["qtf"], rtol=0, atol=1e-9)
    triangle, same = (np.triu(info["fjac"].T[:3]) for info in (infodict, expected))
    np.testing.assert_allclose(triangle, same, rtol=1e-9)


@each_weight
def test_it_leads_where_differences_lead(sigma: Any) -> None:
    by_differences = curve_fit(decay, T, DECAY, sigma=sigma)
    by_jacobian = curve_fit(decay, T, DECAY, sigma=sigma, jac=decay_jacobian)
    np.testing.assert_allclose(by_jacobian[0], by_differences[0], rtol=1e-5)
    np.testing.assert_allclose(by_jacobian[1], by_differences[1], rtol=1e-4)


@each_weight
def test_derivatives_down_the_columns(sigma: Any) -> None:
    by_rows = curve_fit(decay, T, DECAY, sigma=sigma, jac=decay_jacobian, full_output=True)
    by_columns = curve_fit(
        decay, T, DECAY, sigma=sigma, jac=transposed, col_deriv=1, full_output=True
    )
    np.testing.assert_allclose(by_columns[0], by_rows[0], rtol=1e-10)
    np.testing.assert_allclose(by_columns[2]["fjac"], by_rows[2]["fjac"], rtol=1e-6, atol=1e-12)
    if np.ndim(sigma) < 2:
        assert_same_bits(by_columns[0], by_rows[0])


@each_weight
@pytest.mark.parametrize("shape", [(12,), (12, 1)])
def test_one_parameter(sigma: Any, shape: tuple[int, ...]) -> None:
    def ray(t: Any, a: float) -> Any:
        return a * t

    def jac(t: Any, a: float) -> Any:
        return t.reshape(shape)

    popt, _ = curve_fit(ray, T, LINE, sigma=sigma, jac=jac)
    np.testing.assert_allclose(popt, curve_fit(ray, T, LINE, sigma=sigma)[0], rtol=1e-6)
    if shape == (12,):
        by_columns, _ = curve_fit(ray, T, LINE, sigma=sigma, jac=jac, col_deriv=True)
        np.testing.assert_allclose(by_columns, popt, rtol=1e-12)


@each_weight
@pytest.mark.parametrize(
    "form",
    [
        np.ndarray.tolist,
        np.asfortranarray,
        lambda j: j[::-1].copy()[::-1],
        lambda j: j.astype(">f8"),
        lambda j: j.astype(object),
        np.ma.array,
    ],
    ids=["list", "by columns", "strided", ">f8", "object", "masked"],
)
def test_forms_of_what_jac_returns(form: Any, sigma: Any) -> None:
    expected, _ = curve_fit(line, T, LINE, sigma=sigma, jac=line_jacobian)
    found, _ = curve_fit(line, T, LINE, sigma=sigma, jac=lambda *args: form(line_jacobian(*args)))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    if np.ndim(sigma) < 2:
        assert_same_bits(found, expected)


@each_weight
def test_what_jac_returns_is_left_alone(sigma: Any) -> None:
    matrix = line_jacobian(T, 0.0, 0.0)
    matrix.flags.writeable = False
    *_, infodict, _, _ = curve_fit(
        line, T, LINE, sigma=sigma, jac=lambda *args: matrix, full_output=True
    )
    assert_same_bits(matrix, line_jacobian(T, 0.0, 0.0))
    assert not np.shares_memory(matrix, infodict["fjac"])


def test_jac_gets_what_f_gets() -> None:
    jac = Recorded(line_jacobian)
    curve_fit(line, T.tolist(), LINE, [1, 1], jac=jac)
    for xdata, parameters in zip(jac.xdata, jac.parameters, strict=True):
        assert_same_bits(xdata, T)
        assert {type(p) for p in parameters} == {np.float64}


@each_weight
@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ones((2, 12)), r"the 'jac' argument 'jac'. Shape should be \(12, 2\) .* is \(2, 12\)"),
        (np.ones(12), r"Shape should be \(12, 2\) but it is \(12,\)"),
        (np.ones((12, 3)), r"Shape should be \(12, 2\) but it is \(12, 3\)"),
        (1.0, r"Shape should be \(12, 2\) but it is \(\)"),
        (np.ones((12, 2)) * 1j, "jac returned values of dtype complex128; it must return real"),
        (None, "jac returned an object of type 'NoneType'"),
        ([["1", "2"]] * 12, "jac returned values of dtype <U1"),
        (np.full((12, 2), None), "jac returned values of dtype object"),
    ],
)
def test_what_jac_must_not_return(value: Any, message: str, call: int, sigma: Any) -> None:
    calls = 0

    def jac(t: Any, a: float, b: float, c: float = 0.0) -> Any:
        nonlocal calls
        calls += 1
        return value if calls == call else line_jacobian(t, a, b)

    with pytest.raises(TypeError, match=message):
        curve_fit(line, T, LINE, [1.0, 1.0], sigma=sigma, jac=jac)


def test_a_jac_without_a_name() -> None:
    class Jacobian:
        def __call__(self, *args: Any) -> Any:
            return np.ones((2, 12))

        def __bool__(self) -> bool:
            return False

    with pytest.raises(TypeError, match=r"output shape of the 'jac' argument\. Shape should be"):
        curve_fit(line, T, LINE, jac=Jacobian())


@pytest.mark.parametrize("jac", ["2-point", "3-point", "cs", 3, True, False, np.ones((12, 2))])
def test_jac_has_to_be_callable(jac: Any) -> None:
    with pytest.raises(TypeError, match="jac must be callable, or None for forward differences"):
        curve_fit(line, T, LINE, jac=jac)
