"""How the shim asks an object for its numbers: what it may run into while it does."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bits import Counted, assert_same_bits
from rosenbrock import PLAIN, fit, rosenbrock
from wrappers import Sequence

from pyminpack import leastsq


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
