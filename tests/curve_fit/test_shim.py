"""What `_core` has for curve_fit: whatever it is given, it refuses or serves, and leaks nothing."""

from __future__ import annotations

import gc
import sys
import weakref
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from bits import Counted, assert_same_bits
from wrappers import raising_in

from pyminpack import _core, curve_fit

pytestmark = pytest.mark.shim

M = 4
X = np.array([1.0, 2.0])
Y = np.arange(4.0)
VALUES = np.array([1.5, 2.5, 3.5, 4.5])


def made(**changes: Any) -> Any:
    given = {
        "f": lambda xdata, *p: VALUES * p[0],
        "xdata": None,
        "ydata": Y,
        "weights": None,
        "x": X,
        "values": VALUES,
        **changes,
    }
    return _core.Residuals(*given.values())


def test_residuals_of_the_first_values() -> None:
    f = Counted(lambda *args: VALUES)
    residuals = made(f=f)
    assert_same_bits(residuals(X.copy()), VALUES - Y)
    assert (residuals.calls, f.calls) == (1, 0)
    residuals(X + 1)
    residuals(X + 1)
    assert (residuals.calls, f.calls) == (2, 1)
    residuals(X)
    assert (residuals.calls, f.calls) == (3, 2)


def test_zeros_of_both_signs_are_two_points() -> None:
    f = Counted(lambda *args: VALUES)
    residuals = made(f=f, x=np.array([0.0, 0.0]))
    residuals(np.array([0.0, -0.0]))
    assert f.calls == 1
    nan = np.array([np.nan, 0.0])
    residuals(nan)
    residuals(nan)
    assert f.calls == 2


@pytest.mark.parametrize("step", [1, 2, -1, 0])
@pytest.mark.parametrize(
    "weights", [None, np.full(M, 3.0), np.tri(M), np.tri(M).T, np.ones((8, 8))[::2, ::2]]
)
def test_the_arithmetic(weights: Any, step: int) -> None:
    values = np.arange(20.0)[6:][: M * step or None : step][:M] if step > 0 else VALUES[::-1]
    if step == 0:
        values = np.broadcast_to(np.array([7.0]), M)
    expected = values - Y
    if weights is not None:
        expected = weights @ expected if weights.ndim == 2 else expected * weights
    residuals = made(values=values, weights=weights)
    found = residuals(X)
    assert_same_bits(found, expected)
    assert not np.shares_memory(found, values)


@pytest.mark.parametrize(
    "changes",
    [
        {"ydata": [1.0]},
        {"ydata": Y.astype(np.float32)},
        {"ydata": Y.reshape(2, 2)},
        {"ydata": np.arange(8.0)[::2]},
        {"ydata": Y.astype(">f8")},
        {"ydata": np.ma.array(Y)},
        {"x": [1.0]},
        {"x": X.astype(int)},
        {"x": np.ones((2, 1))},
        {"x": np.ones(4)[::2]},
        {"weights": 3.0},
        {"weights": np.ones(M + 1)},
        {"weights": np.ones(2 * M)[::2]},
        {"weights": np.ones(M, int)},
        {"weights": np.ones((M, M + 1))},
        {"weights": np.ones((M, M), int)},
        {"weights": np.ones((M, M, M))},
    ],
    ids=str,
)
def test_arguments_it_refuses(changes: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        made(**changes)


def test_how_it_is_made() -> None:
    with pytest.raises(TypeError, match="6 arguments"):
        _core.Residuals()
    with pytest.raises(TypeError, match="no keyword arguments"):
        _core.Residuals(len, None, Y, None, X, values=VALUES)
    with pytest.raises(TypeError, match="immutable type"):
        _core.Residuals.calls = 3
    with pytest.raises(AttributeError):
        made().calls = 3


@pytest.mark.parametrize(
    "args",
    [(), (X, X), ([1.0, 2.0],), (np.ones(3),), (np.ones((2, 1)),), (np.ones(4)[::2],), (X > 0,)],
    ids=str,
)
def test_calls_it_refuses(args: Any) -> None:
    with pytest.raises(TypeError, match="Residuals are called with a vector of 2 float64"):
        made()(*args)
    with pytest.raises(TypeError, match="Residuals are called with a vector of 2 float64"):
        made()(x=X)


OTHERS = [
    VALUES.tolist(),
    tuple(VALUES.tolist()),
    VALUES.astype(">f8"),
    VALUES.astype(np.float32),
    VALUES.astype(object),
    np.ma.array(VALUES),
    memoryview(VALUES),
    [Fraction(value) for value in VALUES.tolist()],
]


@pytest.mark.parametrize("values", OTHERS, ids=repr)
def test_other_values_are_converted(values: Any) -> None:
    residuals = made(values=values)
    assert_same_bits(residuals(X), VALUES - Y)
    residuals = made(f=lambda *args: values)
    assert_same_bits(residuals(X + 1), VALUES - Y)


@pytest.mark.parametrize("value", [3.0, 3, np.float64(3.0), np.array([3.0]), [3], np.array(3)])
def test_a_single_number_stands_for_all(value: Any) -> None:
    residuals = made(values=value, f=lambda *args: value)
    assert_same_bits(residuals(X), 3.0 - Y)
    assert_same_bits(residuals(X + 1), 3.0 - Y)


@pytest.mark.parametrize("weights", [None, np.full(1, 2.0), np.full((1, 1), 2.0)])
def test_a_single_ydata_and_its_weight_stand_for_all(weights: Any) -> None:
    residuals = made(ydata=np.array([0.5]), weights=weights)
    factor = 1.0 if weights is None else 2.0
    assert_same_bits(residuals(X), (VALUES - 0.5) * factor)
    assert residuals.m == M
    if weights is None:
        assert residuals.weights is None
    else:
        assert_same_bits(residuals.weights, np.full(M, 2.0))


@pytest.mark.parametrize(
    ("dtype", "epsilon"), [(np.float16, 2.0**-10), (np.float32, 2.0**-23), (int, 2.0**-52)]
)
def test_the_epsilon_is_that_of_the_first_values(dtype: Any, epsilon: float) -> None:
    assert made(values=VALUES.astype(dtype)).epsfcn == epsilon
    assert made().epsfcn == 2.0**-52


WRONG: list[tuple[Any, type[Exception], str]] = [
    (VALUES[:3], ValueError, r"f returned an array of shape \(3,\), .* shape \(4,\)$"),
    (VALUES.reshape(2, 2), ValueError, r"shape \(2, 2\).*; ravel\(\) it$"),
    (VALUES * 1j, TypeError, "f returned values of dtype complex128"),
    (None, TypeError, "f returned an object of type 'NoneType'"),
    ([1.0, "2", 3.0, 4.0], TypeError, "f returned values of dtype <U"),
    ([[1.0], [1.0, 2.0]], ValueError, "inhomogeneous"),
]


@pytest.mark.parametrize(("values", "error", "says"), WRONG, ids=lambda each: repr(each)[:30])
def test_values_it_refuses(values: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        made(values=values)
    residuals = made(f=lambda *args: values)
    with pytest.raises(error, match=says):
        residuals(X + 1)
    # A failure leaves all as it was.
    assert_same_bits(residuals(X), VALUES - Y)


def test_an_exception_of_f_or_of_what_it_returned() -> None:
    trouble = KeyError("trouble")
    bad = raising_in(trouble, "__array__")

    def fail(*args: Any) -> Any:
        raise trouble

    for residuals in (made(f=fail), made(f=lambda *args: bad)):
        with pytest.raises(KeyError) as caught:
            residuals(X + 1)
        assert caught.value is trouble
        assert_same_bits(residuals(X), VALUES - Y)
    with pytest.raises(KeyError):
        made(values=bad)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2,), (3,), (5,), (1001,), (3, 4), (2, 3, 4)])
def test_sum_of_squares(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).normal(size=shape)
    found = _core.sum_of_squares(np.asarray(array))
    assert type(found) is float
    assert found == pytest.approx(float(np.sum(array**2)), rel=1e-14)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200])
@pytest.mark.parametrize("at", range(9))
def test_a_sum_of_squares_that_is_not_finite(at: int, value: float) -> None:
    array = np.ones(9)
    array[at] = value
    assert not np.isfinite(_core.sum_of_squares(array))


@pytest.mark.parametrize(
    "array",
    [[1.0], 1.0, np.ones(3, int), np.ones(3, ">f8"), np.ones(4)[::2], np.ones((2, 3)).T],
    ids=str,
)
def test_what_sum_of_squares_refuses(array: Any) -> None:
    with pytest.raises(TypeError, match="C-contiguous float64"):
        _core.sum_of_squares(array)


READERS = [_core.real_array, _core.data_array, _core.returned_array, _core.any_array]
READERS += [_core.read_real, _core.read_integer]


@pytest.mark.parametrize("reader", READERS)
def test_what_reads_for_the_user_takes_a_name_and_a_value(reader: Any) -> None:
    for args in ((), ("x",), (1, 1), ("x", 1, 1, 1)):
        with pytest.raises(TypeError, match="the first arguments are a name and a value"):
            reader(*args)


def test_an_exception_about_the_kinds_that_are_read() -> None:
    with pytest.raises(ZeroDivisionError):
        _core.real_array("x", 1, raising_in(ZeroDivisionError(), "__bool__"))


def test_an_exception_of_an_element_of_xdata() -> None:
    xdata = np.array([raising_in(ZeroDivisionError(), "__float__")])
    with pytest.raises(ZeroDivisionError):
        _core.xdata_array(xdata)


@pytest.mark.parametrize(
    "lists",
    [
        [[1.0, 2.0], 3.0],
        [[1.0, 2.0], [3.0]],
        [[[1.0], [2.0]], [[3.0]]],
        [[[1.0], [2.0]], [3.0, 4.0]],
        [[[1.0], [2.0]], 3.0],
    ],
    ids=str,
)
def test_lists_of_several_lengths_are_no_array(lists: Any) -> None:
    with pytest.raises(ValueError, match="inhomogeneous"):
        _core.real_array("x", lists)


def test_lists_of_lists_of_numbers() -> None:
    for lists in (
        [[1, 2.5], (3, 4.0)],
        [[[1, 2]], [(3.0, 4.0)]],
        [[True, 2.0], [3, np.float64(4)]],
    ):
        assert_same_bits(_core.real_array("x", lists), np.array(lists, float))


def test_nothing_is_leaked() -> None:
    class Object:
        pass

    def model(xdata: Any, *p: float) -> Any:
        if p[0] > 5:
            raise KeyError
        return VALUES * p[0]

    given = {"f": model, "xdata": Object(), "ydata": Y.copy(), "weights": np.ones(M),
             "x": X.copy(), "values": VALUES.copy()}  # fmt: skip

    def counts() -> list[int]:
        return [sys.getrefcount(object) for object in given.values()]

    before = counts()
    for _ in range(50):
        residuals = made(**given)
        residuals(X + 1)
        with pytest.raises(KeyError):
            residuals(X + 10)
        with pytest.raises(TypeError):
            made(**{**given, "values": None})
    del residuals
    assert counts() == before


def test_a_cycle_through_it_is_found() -> None:
    class Model:
        def __call__(self, *args: Any) -> Any:
            return VALUES

    model = Model()
    model.residuals = made(f=model)  # type: ignore[attr-defined]
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_a_model_that_fits_with_itself() -> None:
    depth = 0

    def model(t: Any, a: float, b: float) -> Any:
        nonlocal depth
        if depth < 3:
            depth += 1
            curve_fit(model, t, Y)
            depth -= 1
        return a * t + b

    popt, _ = curve_fit(model, Y, 2 * Y + 1 + 0.1 * np.cos(Y))
    expected, _ = curve_fit(lambda t, a, b: a * t + b, Y, 2 * Y + 1 + 0.1 * np.cos(Y))
    assert_same_bits(popt, expected)
