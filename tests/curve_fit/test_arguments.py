"""What `curve_fit` takes: its signature, the forms of data, start and model, and refusals."""

from __future__ import annotations

import inspect
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from curves import LINE, PLAIN, SIGMA, Recorded, T, line, line_jacobian, same

from pyminpack import OptimizeWarning, curve_fit


def test_the_signature_is_scipys() -> None:
    assert str(inspect.signature(curve_fit).replace(return_annotation=inspect.Parameter.empty)) == (
        "(f: 'Callable[..., Any]', xdata: 'Any', ydata: 'ArrayLike', p0: 'ArrayLike | None' = None,"
        " sigma: 'ArrayLike | None' = None, absolute_sigma: 'bool' = False, check_finite: "
        "'bool | None' = None, bounds: 'Sequence[ArrayLike] | _Bounds' = (-inf, inf), method: "
        "\"Literal['lm'] | None\" = None, jac: 'Callable[..., Any] | None' = None, *, full_output: "
        "'bool' = False, nan_policy: \"Literal['raise', 'omit'] | None\" = None, **kwargs: 'Any')"
    )


def test_the_signature_is_that_of_the_installed_scipy() -> None:
    optimize = pytest.importorskip("scipy.optimize")

    def shape(function: Any) -> list[tuple[Any, ...]]:
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    assert shape(curve_fit) == shape(optimize.curve_fit)


# xdata of any shape or type


@pytest.mark.parametrize(
    "xdata",
    [
        T.tolist(),
        tuple(T.tolist()),
        T[::-1][::-1],
        T.astype(">f8"),
        T.astype(object),
        np.ma.array(T),
        [str(t) for t in T.tolist()],
        np.array([str(t) for t in T.tolist()], dtype="S"),
    ],
    ids=lambda xdata: type(xdata).__name__,
)
def test_xdata_of_numbers_becomes_an_array_of_float64(xdata: Any) -> None:
    model = Recorded(line)
    same(model, xdata, LINE)
    for given in model.xdata:
        assert type(given) is np.ndarray
        assert given.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.int8, np.uint64, np.bool_, np.float32, np.longdouble])
def test_xdata_of_another_dtype_becomes_float64(dtype: Any) -> None:
    model = Recorded(line)
    curve_fit(model, np.arange(12).astype(dtype), LINE)
    assert {given.dtype for given in model.xdata} == {np.dtype(np.float64)}


@pytest.mark.parametrize("dtype", ["M8[s]", "m8[s]"])
def test_dates_count_from_their_origin(dtype: str) -> None:
    model = Recorded(line)
    curve_fit(model, np.arange(12).astype(dtype), LINE)
    np.testing.assert_array_equal(model.xdata[0], np.arange(12.0))
    dates = np.array([0, 1, "NaT", 3], dtype=dtype)
    with pytest.raises(ValueError, match=r"xdata must not contain infs or NaNs, and xdata\[2\]"):
        curve_fit(line, dates, LINE[:4])


def test_an_array_of_float64_is_not_copied() -> None:
    model = Recorded(line)
    curve_fit(model, T, LINE)
    assert all(given is T for given in model.xdata)


@pytest.mark.parametrize(
    "xdata",
    [
        None,
        range(12),
        {"t": T},
        SimpleNamespace(t=T),
        {1, 2},
        ["a", "bb"],
        np.array(["a", "bb"]),
        [{}, {1: 2}],
        (T, T[:5]),
        np.array([(1.0,), (2.0,)], dtype=[("t", float)]),
        [1.0, np.complex128(2j), "3"],
        [Fraction(1), 1j],
    ],
    ids=repr,
)
def test_any_other_xdata_reaches_f_as_it_is(xdata: Any) -> None:
    model = Recorded(lambda x, a, b: a * T + b)
    same(model, xdata, LINE)
    assert all(given is xdata for given in model.xdata)


def test_numbers_of_other_types() -> None:
    model = Recorded(lambda x, a: a * x)
    curve_fit(model, [Fraction(1, 2), 3, 2.5], [1.0, 2.0, 3.0])
    assert_same_bits(model.xdata[0], np.array([0.5, 3.0, 2.5]))


@pytest.mark.parametrize("shape", [(2, 12), (12, 2), (2, 3, 4), (3, 4), ()])
def test_xdata_of_any_shape(shape: tuple[int, ...]) -> None:
    xdata = np.ones(shape)
    model = Recorded(lambda x, a, b: a * T + b)
    same(model, xdata, LINE)
    same(model, xdata.tolist(), LINE)
    assert {given.shape for given in model.xdata if isinstance(given, np.ndarray)} <= {shape}


def test_several_predictors_in_a_tuple() -> None:
    def plane(x: Any, a: float, b: float) -> Any:
        return a * x[0] + b * x[1]

    both = curve_fit(plane, np.vstack([T, T**2]), LINE)
    assert_same_bits(curve_fit(plane, (T, T**2), LINE)[0], both[0])


def test_complex_xdata_stays_complex() -> None:
    model = Recorded(lambda x, a, b: a * x.real + b * x.imag)
    popt, _ = curve_fit(model, T + 1j, LINE)
    np.testing.assert_allclose(popt, PLAIN[0], rtol=1e-6)
    curve_fit(model, (T + 1j).astype(np.complex64), LINE)
    assert {given.dtype for given in model.xdata} == {np.dtype(np.complex128)}
    with pytest.raises(ValueError, match="xdata must not contain infs or NaNs"):
        curve_fit(model, [1.0, complex(0, np.nan)], [1.0, 2.0])


# ydata


@pytest.mark.parametrize(
    "ydata",
    [
        LINE.tolist(),
        LINE[::-1][::-1],
        LINE.astype(">f8"),
        LINE.astype(object),
        [str(y) for y in LINE.tolist()],
        np.frombuffer(b"x" + LINE.tobytes(), np.float64, offset=1),
    ],
    ids=lambda ydata: type(ydata).__name__,
)
def test_forms_of_ydata(ydata: Any) -> None:
    same(line, T, ydata)


@pytest.mark.parametrize("empty", [[], np.empty(0), np.empty((0,), int)])
def test_empty_ydata(empty: Any) -> None:
    with pytest.raises(ValueError, match="ydata must not be empty"):
        curve_fit(line, T, empty)


@pytest.mark.parametrize("shape", [(3, 4), (12, 1), (1, 12)])
def test_ydata_of_more_dimensions(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"ydata must be one-dimensional, and has shape .* ravel"):
        curve_fit(line, T.reshape(shape), LINE.reshape(shape))


@pytest.mark.parametrize("ydata", [LINE + 1j, np.array([1.0, 2j], object), [{}] * 12, ["a"] * 12])
def test_ydata_that_is_no_real_numbers(ydata: Any) -> None:
    with pytest.raises(TypeError, match="ydata must be real numbers"):
        curve_fit(line, T, ydata)


def test_ydata_as_text_among_objects() -> None:
    texts = np.array([repr(value) for value in LINE.tolist()], object)
    texts[0] = texts[0].encode()
    assert_same_bits(curve_fit(line, T, texts)[0], curve_fit(line, T, LINE)[0])
    texts[3] = "three"
    with pytest.raises(TypeError, match="of which element 3 is of type 'str'"):
        curve_fit(line, T, texts)


@pytest.mark.parametrize("zero", [0, [0.0], np.zeros(1)])
def test_a_single_ydata_counts_for_all_points(zero: Any) -> None:
    def difference(t: Any, a: float, b: float) -> Any:
        return line(t, a, b) - LINE

    expected = curve_fit(difference, T, np.zeros(12), sigma=2.0, absolute_sigma=True)
    for found in (
        curve_fit(difference, T, zero, sigma=2.0, absolute_sigma=True),
        curve_fit(difference, T, zero, sigma=[[4.0]], absolute_sigma=True),
    ):
        assert_same_bits(found[0], expected[0])
        assert_same_bits(found[1], expected[1])


def test_ydata_is_not_looked_at_again() -> None:
    ydata = LINE.copy()

    def spoiling(t: Any, a: float, b: float) -> Any:
        ydata[:] = np.nan
        return line(t, a, b)

    same(spoiling, T, ydata)


def test_fewer_points_than_parameters() -> None:
    with pytest.raises(
        TypeError, match="number of func parameters=2 must not exceed the number of data points=1"
    ):
        curve_fit(line, [1.0], [3.0])


# p0


@pytest.mark.parametrize("p0", [[1, 1], (1.0, 1.0), np.ones((1, 2)), np.ones(2, object), [True, 1]])
def test_forms_of_p0(p0: Any) -> None:
    same(line, T, LINE, p0)


def test_a_scalar_p0_is_one_parameter() -> None:
    popt, pcov = curve_fit(lambda t, a: a * t, T, LINE, 3)
    assert popt.shape == (1,)
    assert pcov.shape == (1, 1)


def test_p0_is_left_alone() -> None:
    p0 = np.ones(2)
    popt, _ = curve_fit(line, T, LINE, p0)
    assert_same_bits(p0, np.ones(2))
    assert not np.shares_memory(p0, popt)


@pytest.mark.parametrize("p0", [[1j, 2], ["1", "2"], {1: 2}, (i for i in (1, 2)), [None, object()]])
def test_p0_that_is_no_real_numbers(p0: Any) -> None:
    with pytest.raises(TypeError, match="p0 must be real numbers"):
        curve_fit(line, T, LINE, p0)


def test_empty_p0() -> None:
    with pytest.raises(TypeError, match="p0 is empty"):
        curve_fit(line, T, LINE, [])


@pytest.mark.parametrize("p0", [[1.0], [1.0, 1.0, 1.0]])
def test_the_wrong_number_of_p0_is_what_f_says_of_it(p0: list[float]) -> None:
    with pytest.raises(TypeError, match="positional argument"):
        curve_fit(line, T, LINE, p0)


# f, and what it returns


def test_parameters_are_float64_scalars() -> None:
    model = Recorded(line)
    curve_fit(model, T, LINE, [1, 1])
    assert {type(p) for call in model.parameters for p in call} == {np.float64}
    # So that 1 / 0 is no exception but infinity, at a trial point for example.
    with np.errstate(divide="ignore"):
        popt, _ = curve_fit(lambda t, a: a + 1 / (1 / (a - a)) + 0 * t, T, LINE, 2.0)
    assert popt == pytest.approx(LINE.mean())


@pytest.mark.parametrize("n", [15, 16, 17, 40])
def test_more_parameters_than_a_call_keeps_on_the_stack(n: int) -> None:
    matrix = np.cos(np.outer(np.linspace(0.0, np.pi, 60), np.arange(n)))
    expected = np.linspace(1.0, 2.0, n)
    popt, _ = curve_fit(lambda m, *p: m @ np.array(p), matrix, matrix @ expected, np.ones(n))
    np.testing.assert_allclose(popt, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "form",
    [
        np.ndarray.tolist,
        lambda v: tuple(v.tolist()),
        lambda v: v[::-1].copy()[::-1],
        lambda v: v.astype(">f8"),
        lambda v: v.astype(object),
        lambda v: v.astype(np.longdouble),
        lambda v: np.frombuffer(b"x" + v.tobytes(), np.float64, offset=1),
        np.ma.array,
    ],
    ids=["list", "tuple", "strided", ">f8", "object", "longdouble", "unaligned", "masked"],
)
def test_forms_of_what_f_returns(form: Any) -> None:
    same(lambda t, a, b: form(line(t, a, b)), T, LINE)


@pytest.mark.parametrize("constant", [float, np.float64, lambda a: [a], lambda a: np.array([a])])
def test_f_may_return_one_number_for_all_points(constant: Any) -> None:
    popt, _ = curve_fit(lambda t, a: constant(a), T, LINE)
    assert popt == pytest.approx(LINE.mean())


def test_integers_of_f_are_numbers_too() -> None:
    def rounded(t: Any, a: float, b: float) -> Any:
        return np.round(line(t, a, b) * 1000).astype(int)

    popt, _ = curve_fit(rounded, T, LINE * 1000, epsfcn=1e-4)
    np.testing.assert_allclose(popt, PLAIN[0], rtol=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_differences_fit_the_precision_of_f(dtype: Any) -> None:
    def model(t: Any, a: float, b: float) -> Any:
        return line(t, a, b).astype(dtype)

    eps = float(np.finfo(dtype).eps)
    popt, _ = curve_fit(model, T, LINE)
    np.testing.assert_allclose(popt, PLAIN[0], rtol=eps**0.5)
    assert_same_bits(popt, curve_fit(model, T, LINE, epsfcn=eps)[0])
    assert_same_bits(popt, curve_fit(model, T, LINE, epsfcn=None)[0])
    # Whoever gives epsfcn means it.
    with pytest.warns(OptimizeWarning):
        assert_same_bits(curve_fit(model, T, LINE, epsfcn=2.0**-52)[0], np.ones(2))
    # A Jacobian leaves nothing to choose.
    with_jacobian = curve_fit(model, T, LINE, jac=line_jacobian)[0]
    np.testing.assert_allclose(with_jacobian, PLAIN[0], rtol=eps**0.5)


@pytest.mark.parametrize("call", [0, 1, 3])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (None, TypeError, "f returned an object of type 'NoneType'; it must return real numbers"),
        ("text", TypeError, "f returned an object of type 'str'"),
        (T + 1j, TypeError, "f returned values of dtype complex128"),
        ([None] * 12, TypeError, "f returned values of dtype object"),
        (["1"] * 12, TypeError, "f returned values of dtype <U1"),
        (
            T[:5],
            ValueError,
            r"f returned an array of shape \(5,\), and must return one number for ",
        ),
        (T[:, None], ValueError, r"f returned an array of shape \(12, 1\).*ravel"),
        (np.ones((1, 1)), ValueError, r"f returned an array of shape \(1, 1\)"),
        ([], ValueError, r"f returned an array of shape \(0,\)"),
    ],
)
def test_what_f_must_not_return(value: Any, error: Any, message: str, call: int) -> None:
    model = Recorded(lambda t, a, b: value if model.calls == call + 1 else line(t, a, b))
    with pytest.raises(error, match=message):
        curve_fit(model, T, LINE, [1.0, 1.0])


def test_what_f_returns_is_left_alone() -> None:
    kept: list[Any] = []

    def model(t: Any, a: float, b: float) -> Any:
        values = line(t, a, b)
        values.flags.writeable = False
        kept.append((values, values.copy()))
        return values

    *_, infodict, _, _ = curve_fit(model, T, LINE, sigma=SIGMA, full_output=True)
    for values, copy in kept:
        assert_same_bits(values, copy)
        assert not np.shares_memory(values, infodict["fvec"])


def test_f_may_return_the_same_array_each_time() -> None:
    buffer = np.empty(12)
    same(lambda t, a, b: np.add(a * t, b, out=buffer), T, LINE)


def test_f_may_return_xdata_or_ydata_itself() -> None:
    kept = LINE.copy()
    for model in (lambda t, a: LINE, lambda t, a: t):
        with pytest.warns(OptimizeWarning, match="does not have full rank"):
            popt, _ = curve_fit(model, T, LINE)
        assert_same_bits(popt, np.ones(1))
    assert_same_bits(LINE, kept)
