"""What the shim promises in corners that the rows of the contract leave out."""

from __future__ import annotations

import gc
import itertools
import sys
import tracemalloc
import weakref
from array import array
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits, packed

from pyminpack import _core, leastsq

START = [4.0, 5.0, 6.0]
JACOBIAN = np.vstack([np.eye(3), np.full((2, 3), 0.5)])


def linear(x: Any) -> Any:
    return JACOBIAN @ x - [1.0, 2.0, 3.0, 0.5, 0.1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", list(np.ndindex(5, 3)))
def test_a_jacobian_not_finite_is_no_gradient_of_zero(bad: float, where: tuple[int, int]) -> None:
    """Not even where the tolerance takes any gradient for small enough."""
    jacobian = JACOBIAN.copy()
    jacobian[where] = bad
    x, *_, ier = leastsq(linear, START, Dfun=lambda x: jacobian, gtol=1.0, full_output=True)
    assert (x.tolist(), ier) == (START, 9)


def test_an_argument_that_is_only_watched_is_not_used_again() -> None:
    watchers: list[Any] = []

    def func(x: Any) -> Any:
        assert all(watcher() is None for watcher in watchers)
        watchers.append(weakref.ref(x))
        return linear(x)

    leastsq(func, START)
    assert len(watchers) > 5


def test_more_residuals_than_a_c_int_counts() -> None:
    many = np.broadcast_to(1.0, (2**31,))
    with pytest.raises(ValueError, match=f"func returned {2**31} residuals.* {2**31 - 1}$"):
        leastsq(lambda x: many, START)


class AsArray:
    """A sequence whose items are not to be had, but which is an array to those who ask."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __len__(self) -> int:
        raise AssertionError("asked for its length")

    def __getitem__(self, index: int) -> float:
        raise AssertionError("asked for an item")


class ByMethod(AsArray):
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values


class ByInterface(AsArray):
    @property
    def __array_interface__(self) -> Any:
        return self.values.__array_interface__


class ByStruct(AsArray):
    @property
    def __array_struct__(self) -> Any:
        return self.values.__array_struct__


@pytest.mark.parametrize(
    "form", [ByMethod, ByInterface, ByStruct, memoryview, lambda r: array("f", r.tolist())]
)
def test_the_precision_of_the_residuals_is_that_of_their_memory(form: Any) -> None:
    """What has an array's memory is read as that array: its dtype sets the default of epsfcn."""

    def single(x: Any) -> Any:
        return np.exp(linear(x / 10)).astype(np.float32)

    ours = leastsq(lambda x: form(single(x)), START, full_output=True)
    assert_same_bits(packed(ours), packed(leastsq(single, START, full_output=True)))


@pytest.mark.parametrize("number", [np.complex64(1.0), np.complex128(1.0), 1j])
def test_complex_numbers_among_objects(number: Any) -> None:
    values = np.array([1.0, 2.0, number], dtype=object)
    with pytest.raises(TypeError, match=r"element 2 is of type .*complex"):
        leastsq(lambda x: values, START)


def test_an_object_that_is_no_number_is_named() -> None:
    with pytest.raises(TypeError, match=r"^func returned an object of type 'object'; it must"):
        leastsq(lambda x: object(), START)


class Rows:
    """A sequence of rows that is no list and no array."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> list[float]:
        return [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]][index]


def test_a_sequence_of_rows_is_told_to_be_one_dimensional() -> None:
    with pytest.raises(ValueError, match=r"shape \(4, 2\); residuals must be one-dimensional"):
        leastsq(lambda x: Rows(), START)


def later(values: Any) -> Any:
    """A function that returns something else from its third call on, `values(r)`."""
    calls: list[None] = []

    def func(x: Any) -> Any:
        calls.append(None)
        return values(linear(x).tolist()) if len(calls) > 2 else linear(x)

    return func


@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("position", [0, 4])
def test_an_integer_beyond_every_double(kind: Any, position: int) -> None:
    def values(r: list[Any]) -> Any:
        r[position] = 10**400
        return kind(r)

    with pytest.raises(OverflowError, match="too large to convert to float"):
        leastsq(later(values), START)


@pytest.mark.parametrize("minus_one", [-1, -1.0, np.float64(-1.0)])
def test_minus_one_is_a_residual_like_any_other(minus_one: Any) -> None:
    *_, info, _, ier = leastsq(lambda x: [minus_one] * 4, START, full_output=True)
    assert (ier, info["fvec"].tolist()) == (4, [-1.0] * 4)


class Nameless:
    """A Jacobian of the wrong shape, whose name is not to be had either."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, x: Any) -> Any:
        return np.ones((7, 7))

    @property
    def __name__(self) -> str:
        raise self.error


def test_the_name_of_a_function_may_be_missing_but_not_broken() -> None:
    with pytest.raises(TypeError, match=r"'Dfun' argument\. Shape should be \(5, 3\) but it is"):
        leastsq(linear, START, Dfun=Nameless(AttributeError("none")))
    with pytest.raises(KeyError, match="broken"):
        leastsq(linear, START, Dfun=Nameless(KeyError("broken")))


def solve(func: Any, col_deriv: Any = False, maxfev: int = 99) -> Any:
    """Call the shim itself."""
    options = 1e-8, 1e-8, 0.0, 100.0, maxfev, None, None, False, _core.QR_AUTO
    return _core.solve(func, None, np.array(START), (), col_deriv, *options)


def test_the_shim_takes_any_maxfev_that_fits_a_c_int() -> None:
    assert solve(linear, maxfev=0)[-1] == 0  # to MINPACK it is improper
    assert solve(linear, maxfev=2**31 - 1)[-1] in (1, 2, 3)
    for beyond in (-1, 2**31):
        with pytest.raises(OverflowError, match="maxfev must fit a C int"):
            solve(linear, maxfev=beyond)


def test_a_truth_value_that_raises() -> None:
    class Untrue:
        def __bool__(self) -> bool:
            raise trouble

    trouble = ZeroDivisionError("trouble")
    with pytest.raises(ZeroDivisionError) as caught:
        solve(linear, Untrue())
    assert caught.value is trouble


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="functions of C no longer count")
@pytest.mark.thread_unsafe(reason="the limit of recursion is everybody's")
def test_a_call_of_func_counts_as_recursion() -> None:
    """Otherwise functions of C alone that fit within fits would overflow the stack."""
    # Made beforehand, so that nothing but the call itself can meet the limit.
    options = (1e-8, 1e-8, 0.0, 100.0, 99, None, None, False, _core.QR_AUTO)
    arguments = (np.negative, None, np.array(START), (), False, *options)
    before = sys.getrecursionlimit()

    def one_level_down() -> Any:
        return _core.solve(*arguments)

    def refusal(limit: int) -> str | None:
        try:
            sys.setrecursionlimit(limit)
            one_level_down()
        except RecursionError as error:
            return str(error)
        finally:
            sys.setrecursionlimit(before)
        return None

    # Which call meets the limit first depends on what the interpreter has specialised.
    text = "maximum recursion depth exceeded in a function that leastsq calls"
    assert any(refusal(limit) == text for _ in range(100) for limit in range(2, 500))


class Overlong:
    """A sequence that says it has two items and has one more than are listed of any."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> float:
        raise AssertionError("asked for an item")

    def __iter__(self) -> Any:
        return itertools.repeat(1.0, 2**22 + 1)


def test_a_sequence_is_listed_to_its_limit_and_not_one_item_further() -> None:
    with pytest.raises(ValueError, match=f"more than {2**22} items, and says that it has 2$"):
        leastsq(lambda x: Overlong(), START)


def test_residuals_in_a_list_are_not_counted_as_inner_items() -> None:
    """Of which no more than 2**22 are looked into."""
    many, more = [1.0] * (2**22 + 1), np.zeros(2**22 + 2)
    with pytest.raises(TypeError, match=f"N={2**22 + 2} must not exceed .* M={2**22 + 1}$"):
        leastsq(lambda x: many, more)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_improper_input_is_told_before_a_start_that_is_not_finite(bad: float) -> None:
    *_, ier = leastsq(lambda x: [1.0, 2.0], [bad, 1.0], ftol=-1.0, full_output=True)
    assert ier == 0


def test_as_many_inner_items_as_are_looked_into_name_the_shape() -> None:
    row = [1.0] * 2**21
    with pytest.raises(ValueError, match=rf"shape \(2, {2**21}\); residuals must be"):
        leastsq(lambda x: [row, row], START)
    with pytest.raises(ValueError, match=f"nested sequences of more than {2**22} items$"):
        leastsq(lambda x: [row, row, [1.0]], START)


def test_a_jacobian_may_have_twice_its_items_and_2_to_the_22_more() -> None:
    row = [0.0] * (2**22 + 31)
    with pytest.raises(ValueError, match=f"^Dfun .* of more than {2**22 + 2 * 5 * 3} items$"):
        leastsq(linear, START, Dfun=lambda x: [row])


class Faltering:
    """A sequence, and its own iterator, that gives one item and then raises."""

    def __init__(self, seen: Any) -> None:
        self.seen = seen

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> float:
        raise AssertionError("asked for an item")

    def __iter__(self) -> Any:
        self.seen.append(weakref.ref(self))
        self.items = iter([np.ones(())])
        return self

    def __next__(self) -> Any:
        for item in self.items:
            self.seen.append(weakref.ref(item))
            return item
        raise LookupError("trouble")


def test_nothing_of_a_sequence_that_fails_while_it_is_listed_stays_behind() -> None:
    seen: list[Any] = []
    for call in (1, 3):
        calls = itertools.count(1)

        def func(x: Any, calls: Any = calls, call: int = call) -> Any:
            return Faltering(seen) if next(calls) == call else linear(x)

        with pytest.raises(LookupError, match="trouble"):
            leastsq(func, START)
    gc.collect()
    assert [reference() for reference in seen] == [None] * 4


@pytest.mark.parametrize("diagonal", [[1.0, 1e-200], [1e-200, 1.0]])
def test_one_infinite_variance_is_enough_for_no_covariance(diagonal: list[float]) -> None:
    factor, order = np.diag(diagonal), np.array([1, 2], np.int32)
    assert _core.covariance(factor, order) is None


def test_values_at_odd_addresses_and_strides() -> None:
    """./dev sanitize would notice if one were read as if it were aligned."""

    def odd(values: Any) -> Any:
        kind = np.dtype({"names": ["value"], "formats": ["f8"], "offsets": [1], "itemsize": 11})
        array = np.zeros(values.shape, kind)
        array["value"] = values
        return array["value"]

    ours = leastsq(lambda x: odd(linear(x)), START, Dfun=lambda x: odd(JACOBIAN), full_output=True)
    usual = leastsq(linear, START, Dfun=lambda x: JACOBIAN, full_output=True)
    assert_same_bits(packed(ours), packed(usual))


def test_a_fit_that_leaves_the_gil_to_factor_and_keeps_it_to_retry() -> None:
    """Many residuals of few variables: whoever takes the GIL twice would wait for ever."""
    matrix = np.random.default_rng(1).normal(size=(30_000, 10))
    x, ier = leastsq(lambda x: matrix @ (x - 1.0), np.zeros(10))
    assert ier in (1, 2, 3)
    np.testing.assert_allclose(x, 1.0, rtol=1e-12)


@pytest.mark.thread_unsafe(reason="counts the memory of the process")
def test_what_is_saved_before_a_step_to_infinity_is_freed() -> None:
    matrix = np.zeros((50_000, 2))
    matrix[0] = 1e200, 1e-160
    matrix[1, 0] = 1.0

    def func(x: Any) -> Any:
        residuals = np.zeros(50_000)
        residuals[:2] = matrix[:2] @ x - [1e300, 0.0]
        return residuals

    def fit() -> Any:
        with np.errstate(all="ignore"):
            return leastsq(
                func, [0.0, 1.0], Dfun=lambda x: matrix, diag=[1e300, 1e-300], full_output=True
            )[-1]

    tracemalloc.start()
    try:
        assert fit() == 9
        before, _ = tracemalloc.get_traced_memory()
        assert [fit() for _ in range(3)] == [9, 9, 9]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 400_000
