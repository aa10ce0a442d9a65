"""What a user's function may do wrong at one call, and what it may do at any call without harm."""

from __future__ import annotations

import gc
import pickle
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosenbrock import rosenbrock
from wrappers import ArrayLike, Sequence, raising_in

from pyminpack import leastsq

Array = NDArray[np.float64]


class Trouble(BaseException):
    pass


def _group(text: str) -> BaseException:
    return ExceptionGroup(text, [KeyError(), ValueError()])


EXCEPTIONS: list[Callable[[str], BaseException]] = [
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    StopIteration,
    OverflowError,
    ZeroDivisionError,
    RecursionError,
    MemoryError,
    RuntimeWarning,
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    Trouble,
    _group,
]


# Faults: at call k the function returns `make(r, trouble)` instead of its result r, or raises.


@dataclass(frozen=True)
class Fault:
    name: str
    make: Callable[[Any, BaseException], Any]
    error: type[BaseException] | None = None  # None: the very exception object `trouble`
    says: str = ""
    shape: tuple[int, ...] | None = None  # of what is made, which may be the first thing wrong


def _raise(r: Any, trouble: BaseException) -> Any:
    raise trouble


def _raising_in(*methods: str) -> Callable[[Any, BaseException], Any]:
    return lambda r, trouble: raising_in(trouble, *methods)


def _raising_item(kind: Callable[[list[Any]], Any]) -> Callable[[Any, BaseException], Any]:
    def make(r: Any, trouble: BaseException) -> Any:
        return kind([*r.ravel()[:-1].tolist(), raising_in(trouble, "__float__")])

    return make


def _objects(items: list[Any]) -> Any:
    room = np.empty(len(items), object)
    room[:] = items
    return room


RAISING = [
    Fault("raise", _raise),
    Fault("raise in __array__", _raising_in("__array__")),
    Fault("raise in __getitem__", _raising_in("__len__", "__getitem__")),
    Fault("raise in __iter__", _raising_in("__len__", "__getitem__", "__iter__")),
    Fault("raise in __float__", _raising_in("__float__"), shape=()),
    Fault("raise in __index__", _raising_in("__index__"), shape=()),
]
# For vectors only: of a matrix a list of rows is expected.
RAISING_ITEMS = [
    Fault("raise in an item of a list", _raising_item(list)),
    Fault("raise in an item of objects", _raising_item(_objects)),
    Fault("raise in an item of a sequence", _raising_item(Sequence)),
]


def _first_is(value: Any, kind: str = "list") -> Callable[[Any, BaseException], Any]:
    """Replace the first element of an array of objects, or of a list of the same shape."""

    def make(r: Any, trouble: BaseException) -> Any:
        objects = r.astype(object)
        objects.flat[0] = value
        return objects.tolist() if kind == "list" else objects

    return make


def _generator(r: Any, trouble: BaseException) -> Any:
    yield from r


# Not real numbers, whatever the shape that was expected.
WRONG_TYPES = [
    Fault(name, make, TypeError, "returned .*must return real numbers")
    for name, make in {
        "complex": lambda r, trouble: r + 1j,
        "complex64": lambda r, trouble: r.astype(np.complex64),
        "complex in a list": _first_is(2j),
        "complex in objects": _first_is(2j, "objects"),
        "complex scalar": lambda r, trouble: 1j,
        "None": lambda r, trouble: None,
        "None in objects": _first_is(None, "objects"),
        "str": lambda r, trouble: "12",
        "bytes": lambda r, trouble: b"12",
        "strs": lambda r, trouble: r.astype(str),
        "str in objects": _first_is("1", "objects"),
        "generator": _generator,
        "set": lambda r, trouble: set(r.ravel().tolist()),
        "dict": lambda r, trouble: dict.fromkeys(r.ravel().tolist()),
        "object": lambda r, trouble: object(),
        "function": lambda r, trouble: rosenbrock,
        "type": lambda r, trouble: np.float64,
        "datetimes": lambda r, trouble: np.zeros(r.shape, "M8[s]"),
        "timedeltas": lambda r, trouble: np.zeros(r.shape, "m8[s]"),
        "records": lambda r, trouble: np.zeros(r.shape, [("a", float)]),
        "__array__ of complex": lambda r, trouble: ArrayLike(r + 1j),
    }.items()
]
WRONG_VALUES = [
    Fault("ragged", lambda r, trouble: [[1.0], [2.0, 3.0]], ValueError, "inhomogeneous"),
    Fault("huge int", _first_is(10**400), OverflowError, ""),
    Fault("signalling NaN", _first_is(Decimal("sNaN")), ValueError, "signaling"),
]


# Manners: `manner(x, r, memory)` returns what the function returns, which is the numbers of r. It
# may do what it likes to x, and `memory` is a list that lives as long as the fit.


def _keep(x: Any, r: Any, memory: list[Any]) -> Any:
    memory.append((x, x.copy()))
    return r


def _keep_view(x: Any, r: Any, memory: list[Any]) -> Any:
    memory.append((x[::-1], x[::-1].copy()))
    return r


def _keep_buffer(x: Any, r: Any, memory: list[Any]) -> Any:
    memory.append((memoryview(x), x.copy()))
    return r


def _keep_weakly(x: Any, r: Any, memory: list[Any]) -> Any:
    reference = weakref.ref(x)
    assert reference() is x
    memory.append(reference)
    return r


def _keep_result(x: Any, r: Any, memory: list[Any]) -> Any:
    """Spoil at the next call what was returned at the last."""
    for old in memory:
        old[...] = np.nan
    memory[:] = [r]
    return r


def _same_buffer(x: Any, r: Any, memory: list[Any]) -> Any:
    if not memory:
        memory.append(np.empty(r.shape))
    memory[0][...] = r
    return memory[0]


def _same_list(x: Any, r: Any, memory: list[Any]) -> Any:
    memory[:] = r.tolist()
    return memory


def _in_x(x: Any, r: Any, memory: list[Any]) -> Any:
    """Return x itself, grown to hold the result."""
    x.resize(r.shape, refcheck=False)
    x[...] = r
    return x


def _in_a_view_of_x(x: Any, r: Any, memory: list[Any]) -> Any:
    x.resize(2 * r.size, refcheck=False)
    x[::2] = r.ravel()
    return x[::2].reshape(r.shape)


def _in_the_last_x(x: Any, r: Any, memory: list[Any]) -> Any:
    memory.append(x)
    return _in_x(memory[-2] if len(memory) > 1 else r.copy(), r, memory)


def _abusing(abuse: Callable[[Any], Any]) -> Callable[[Any, Any, list[Any]], Any]:
    def manner(x: Any, r: Any, memory: list[Any]) -> Any:
        abuse(x)
        return r

    return manner


def _freeze(x: Any) -> None:
    x.flags.writeable = False


def _nest(x: Any) -> None:
    leastsq(rosenbrock, [0.5, x[0]], maxfev=9, full_output=True)


def _nest_and_fail(x: Any) -> None:
    for bad in (lambda y: y / None, lambda y: y[:0], lambda y: [1j], lambda y: leastsq(y, y)):
        try:
            leastsq(bad, x)
        except TypeError:
            continue
        raise AssertionError("the nested fit did not fail")


MANNERS: dict[str, Callable[[Any, Any, list[Any]], Any]] = {
    "keep": _keep,
    "keep a view": _keep_view,
    "keep a buffer": _keep_buffer,
    "keep weakly": _keep_weakly,
    "keep the result": _keep_result,
    "same buffer": _same_buffer,
    "same list": _same_list,
    "in x": _in_x,
    "in a view of x": _in_a_view_of_x,
    "in the last x": _in_the_last_x,
    "fill": _abusing(lambda x: x.fill(np.nan)),
    "reshape": _abusing(lambda x: setattr(x, "shape", (1, x.size))),
    "retype": _abusing(lambda x: setattr(x, "dtype", np.int64)),
    "swap bytes": _abusing(lambda x: setattr(x, "dtype", ">f8")),
    "resize": _abusing(lambda x: x.resize(50, refcheck=False)),
    "shrink": _abusing(lambda x: x.resize(0, refcheck=False)),
    "freeze": _abusing(_freeze),
    "restore": _abusing(lambda x: x.__setstate__(np.arange(7).__reduce__()[2])),
    "pickle": _abusing(lambda x: pickle.loads(pickle.dumps(x))),
    "collect": _abusing(lambda x: gc.collect(0)),
    "nest": _abusing(_nest),
    "nest and fail": _abusing(_nest_and_fail),
}


def assert_kept(memory: list[Any]) -> None:
    """Assert that what was kept of x still is what it was."""
    for pair in memory:
        if isinstance(pair, tuple):
            np.testing.assert_array_equal(np.asarray(pair[0]), pair[1])
