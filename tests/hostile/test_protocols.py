"""How the shim asks an object for its numbers: what it may run into while it does."""

from __future__ import annotations

import gc
import itertools
import weakref
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bits import Counted, assert_same_bits, packed
from linear import LINEAR_START, linear
from rosenbrock import PLAIN, fit, rosenbrock
from wrappers import Sequence

from pyminpack import leastsq

pytestmark = pytest.mark.shim


class Dying:
    """Gives its array away, and does something to it when it goes."""

    def __init__(self, values: Any, last: Callable[[Any], None]) -> None:
        self.values = values
        self.last = last

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values

    def __del__(self) -> None:
        self.last(self.values)


LAST_ACTS: list[Callable[[Any], None]] = [
    lambda values: setattr(values, "dtype", "i1"),
    lambda values: setattr(values, "dtype", "f4"),
    lambda values: setattr(values, "shape", (1, 3)),
    lambda values: values.resize(1, refcheck=False),
    lambda values: values.resize(1000, refcheck=False),
    lambda values: values.fill(np.nan),
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("last", LAST_ACTS)
def test_a_result_that_changes_its_array_when_it_is_dropped(last: Any) -> None:
    assert_same_bits(fit(lambda x: Dying(rosenbrock(x), last)), PLAIN)


class Endless:
    """Has items, and no length."""

    def __init__(self) -> None:
        self.asked = 0

    def __getitem__(self, i: int) -> float:
        self.asked += 1
        if self.asked > 10_000:
            raise AssertionError("is being listed")
        return 1.0


def test_items_without_a_length_are_refused_and_not_listed() -> None:
    with pytest.raises(TypeError, match=r"^func returned an object of type 'Endless'"):
        leastsq(lambda x: Endless(), [1.0, 2.0])
    with pytest.raises(TypeError, match="must return real numbers"):
        leastsq(lambda x: [Endless(), 1.0], [1.0, 2.0])


class Unending(Sequence):
    """Has a length, and items without end."""

    def __iter__(self) -> Any:
        return itertools.repeat(1.0)


def test_a_sequence_without_end_is_not_listed_for_ever() -> None:
    with pytest.raises(ValueError, match=r"^func returned a sequence of type 'Unending' that has"):
        leastsq(lambda x: Unending(x), [1.0, 2.0])
    with pytest.raises(ValueError, match=r"more than \d+ items, and says that it has 2$"):
        leastsq(rosenbrock, [1.0, 2.0], Dfun=lambda x: [Unending(x), Unending(x)])


@pytest.mark.parametrize("method", ["__len__", "__iter__", "__next__", "__getitem__"])
@pytest.mark.parametrize("call", [1, 3])
def test_an_exception_while_a_sequence_is_listed(method: str, call: int) -> None:
    trouble = LookupError("trouble")

    def fail(self: Any, *args: Any) -> Any:
        raise trouble

    methods: dict[str, Any] = {method: fail}
    if method == "__next__":
        methods["__iter__"] = lambda self: self
    raising = type("Raising", (Sequence,), methods)

    def func(x: Any) -> Any:
        return raising(rosenbrock(x)) if counted.calls == call else rosenbrock(x)

    counted = Counted(func)
    with pytest.raises(LookupError) as caught:
        leastsq(counted, [1.0, 2.0])
    assert caught.value is trouble
    assert counted.calls == call


def test_small_lists_that_pretend_to_be_huge() -> None:
    nested: Any = 1.0
    for _ in range(4):
        nested = [nested] * 10_000
    with pytest.raises(ValueError, match=r"^func returned nested sequences of more than 4194304"):
        leastsq(lambda x: nested, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"^Dfun returned nested sequences of more than"):
        leastsq(rosenbrock, [1.0, 2.0], Dfun=lambda x: nested)


def test_a_jacobian_as_a_list_of_many_rows() -> None:
    rows = [[1.0, 2.0], [3.0, 5.0]] * 1_100_000
    matrix = np.array(rows)
    y = matrix @ [-2.0, 3.0]
    x, _ = leastsq(lambda x: matrix @ x - y, [-1.0, 1.0], Dfun=lambda x: rows, ftol=1.0)
    np.testing.assert_allclose(x, [-2.0, 3.0], rtol=1e-9)


class Raising(type):
    def __getattr__(cls, name: str) -> Any:
        raise cls.trouble


@pytest.mark.parametrize("kind", [KeyboardInterrupt, MemoryError, ZeroDivisionError])
def test_an_exception_while_a_result_is_asked_what_it_is(kind: Any) -> None:
    trouble = kind("trouble")
    asked = Raising("Asked", (Sequence,), {"trouble": trouble})
    with pytest.raises(kind) as caught:
        leastsq(lambda x: asked(rosenbrock(x)), [1.0, 2.0])
    assert caught.value is trouble


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

    ours = leastsq(lambda x: form(single(x)), LINEAR_START, full_output=True)
    assert_same_bits(packed(ours), packed(leastsq(single, LINEAR_START, full_output=True)))


@pytest.mark.parametrize("number", [np.complex64(1.0), np.complex128(1.0), 1j])
def test_complex_numbers_among_objects(number: Any) -> None:
    values = np.array([1.0, 2.0, number], dtype=object)
    with pytest.raises(TypeError, match=r"element 2 is of type .*complex"):
        leastsq(lambda x: values, LINEAR_START)


def test_an_object_that_is_no_number_is_named() -> None:
    with pytest.raises(TypeError, match=r"^func returned an object of type 'object'; it must"):
        leastsq(lambda x: object(), LINEAR_START)


class Rows:
    """A sequence of rows that is no list and no array."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> list[float]:
        return [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]][index]


def test_a_sequence_of_rows_is_told_to_be_one_dimensional() -> None:
    with pytest.raises(ValueError, match=r"shape \(4, 2\); residuals must be one-dimensional"):
        leastsq(lambda x: Rows(), LINEAR_START)


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
            leastsq(func, LINEAR_START)
    gc.collect()
    assert [reference() for reference in seen] == [None] * 4
