"""The forms in which a user may hand over numbers: dtypes, memory layouts and containers."""

from __future__ import annotations

import array
import collections
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from wrappers import ArrayLike, Sequence, Subclass

Array = NDArray[Any]


class Interface:
    """Has the numbers where `__array_interface__` says."""

    def __init__(self, values: Array) -> None:
        self.values = values

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self.values.__array_interface__


class Struct(Interface):
    """Has the numbers where `__array_struct__` says."""

    __array_interface__ = property()  # type: ignore[assignment]

    @property
    def __array_struct__(self) -> Any:
        return self.values.__array_struct__


# Memory layouts: views of any number of dimensions, equal to their argument.


def _every_other(a: Array) -> Array:
    room = np.empty([2 * size for size in a.shape], a.dtype)
    room[...] = np.zeros((), a.dtype)
    view = room[(slice(None, None, 2),) * a.ndim]
    view[...] = a
    return view


def _reversed(a: Array) -> Array:
    backwards = (slice(None, None, -1),) * a.ndim
    return a[backwards].copy()[backwards]


def _misaligned(a: Array) -> Array:
    room = np.empty(a.nbytes + 1, np.uint8)[1:]
    room[:] = np.frombuffer(a.tobytes(), np.uint8)
    return room.view(a.dtype).reshape(a.shape)


def _inside(a: Array) -> Array:
    return np.pad(a, 1)[(slice(1, -1),) * a.ndim]


def _read_only(a: Array) -> Array:
    a = a.copy()
    a.flags.writeable = False
    return a


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "contiguous": lambda a: np.array(a, order="C"),
    "fortran": lambda a: np.array(a, order="F"),
    "every other": _every_other,
    "reversed": _reversed,
    "misaligned": _misaligned,
    "inside": _inside,
    "read-only": _read_only,
}


# Containers. Those of `_KEEPING` show NumPy the dtype, the others only the numbers.


def _objects(items: list[Any]) -> Array:
    room = np.empty(len(items), object)
    for i, item in enumerate(items):
        room[i] = item
    return room


def _fraction(v: Any) -> Any:
    # There is no negative zero among the fractions.
    return Fraction(float(v)) if math.isfinite(v) and v != 0 else float(v)


def _mixed(a: Array) -> list[Any]:
    kinds = itertools.cycle((float, np.float64, Decimal, np.array, _fraction))
    return [kind(float(v)) for v, kind in zip(a, kinds, strict=False)]


def _masked(a: Array) -> Any:
    return np.ma.array(a, mask=np.arange(a.size).reshape(a.shape) % 3 == 1)


_KEEPING: dict[str, Callable[[Array], Any]] = {
    "array": lambda a: a,
    "subclass": lambda a: a.view(Subclass),
    "masked": _masked,
    "memoryview": memoryview,
    "array_like": lambda a: ArrayLike(a),
    "interface": Interface,
    "struct": Struct,
    "list of scalars": list,
    "list of 0-d": lambda a: [np.array(v) for v in a],
}
_PLAIN: dict[str, Callable[[Array], Any]] = {
    "list": lambda a: a.tolist(),
    "tuple": lambda a: tuple(a.tolist()),
    "deque": lambda a: collections.deque(a.tolist()),
    "sequence": lambda a: Sequence(a.tolist()),
    "array.array": lambda a: array.array("d", a.astype(float)),
    "object": lambda a: a.astype(object),
    "strided object": lambda a: np.repeat(a.astype(object), 2, axis=-1)[..., ::2],
    "nested object": lambda a: _objects([np.array(v) for v in a]),
    "fractions": lambda a: [_fraction(v) for v in a],
    "decimals": lambda a: tuple(Decimal(float(v)) for v in a),
    "mixed": _mixed,
}
_SINGLE: dict[str, Callable[[Array], Any]] = {
    "scalar": lambda a: a[0],
    "python scalar": lambda a: a.tolist()[0],
    "0-d": lambda a: a.reshape(()),
    "0-d object": lambda a: a.astype(object).reshape(()),
    "fraction": lambda a: _fraction(a[0]),
}
CONTAINERS = {**_KEEPING, **_PLAIN, **_SINGLE}

# NumPy takes Python objects for numbers in residuals, where pyminpack says how, but in x0 and diag
# they are refused.
_OF_OBJECTS = {"object", "strided object", "nested object", "fractions", "decimals", "mixed"}
_OF_OBJECTS |= {"0-d object", "fraction"}
_VECTOR_ONLY = {"list of 0-d", "array.array", "nested object", "fractions", "decimals", "mixed"}
VECTOR = [*_KEEPING, *_PLAIN]
START = [name for name in VECTOR if name not in _OF_OBJECTS]
MATRIX = [name for name in VECTOR if name not in _VECTOR_ONLY]

FLOATS = ["f8", ">f8", "g", "f4", ">f4", "f2", ">f2"]
INTEGERS = ["?", "i1", "u1", "i2", ">i2", "u2", "i4", "i8", ">i8", "u4", "u8", ">u8"]


@dataclass(frozen=True)
class Form:
    """A way to write float64 numbers down, which may round them on the way."""

    container: str = "array"
    dtype: str = "f8"
    layout: str = "contiguous"

    def _rounded(self, values: Array) -> Array:
        dtype = np.dtype(self.dtype)
        if dtype.kind == "f":
            return values.astype(dtype)
        if dtype.kind == "b":
            return np.nan_to_num(values) > 0
        # What a cast makes of a number that does not fit is the machine's choice.
        low, high = (0.0 if dtype.kind == "u" else -1.0), 2.0 ** (8 * dtype.itemsize - 2)
        return np.nan_to_num(values).clip(low * high, high).round().astype(dtype)

    def __call__(self, values: Array) -> Any:
        """Write the numbers down."""
        return CONTAINERS[self.container](LAYOUTS[self.layout](self._rounded(values)))

    def value(self, values: Array) -> NDArray[np.float64]:
        """Return what is to be read in what `__call__` writes."""
        return self._rounded(values).astype(np.float64)

    @property
    def epsilon(self) -> float:
        """The machine epsilon that the numbers seem to have."""
        seen = self.container in _KEEPING or self.container in ("scalar", "0-d")
        size = np.dtype(self.dtype).str[1:] if seen else "f8"
        return {"f2": 2.0**-10, "f4": 2.0**-23}.get(size, 2.0**-52)


def _forms(containers: list[str], dtypes: list[str]) -> list[Form]:
    return [Form(*parts) for parts in itertools.product(containers, dtypes, LAYOUTS)]


def _either(containers: list[str]) -> st.SearchStrategy[Form]:
    """Draw from float64 or from any dtype: most numbers are float64 in life."""
    exact, rounded = _forms(containers, FLOATS[:3]), _forms(containers, 3 * FLOATS[3:] + INTEGERS)
    return st.sampled_from(exact) | st.sampled_from(rounded)


_START_SINGLE = [name for name in _SINGLE if name not in _OF_OBJECTS]

# Forms of a vector of residuals, of x0, of diag and of a Jacobian; and of what has one element.
VECTORS = _either(VECTOR)
SINGLES = VECTORS | _either([*_SINGLE])
STARTS = _either(START)
SINGLE_STARTS = STARTS | _either(_START_SINGLE)
SCALES = st.sampled_from(_forms(START, FLOATS[:3]))
MATRICES = _either(MATRIX)
