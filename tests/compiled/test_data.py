"""The data of `compiled`: what is taken as it is, what is converted, what is refused."""

from __future__ import annotations

import array
import ctypes
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from native_forms import (
    DATA,
    DOUBLES,
    RESIDUAL_TYPES,
    M,
    X,
    address_of,
    capsule_of,
    function_of,
    residuals,
)

from pyminpack import compiled

N = 2 * M
SWAPPED = ">f8" if sys.byteorder == "little" else "<f8"


class Structure(ctypes.Structure):
    _fields_ = (("t", ctypes.c_double * M), ("y", ctypes.c_double * M))


@pytest.fixture
def decay(compiled_library: Path) -> Any:
    return function_of(compiled_library, "decay", RESIDUAL_TYPES)


@pytest.fixture
def add_up(compiled_library: Path) -> Any:
    return function_of(compiled_library, "add_up", RESIDUAL_TYPES)


def read_only() -> Any:
    data = DATA.copy()
    data.flags.writeable = False
    return data


BUFFERS = {
    "array": DATA.copy,
    "flat array": DATA.ravel,
    "3-D array": lambda: DATA.reshape(2, 1, M),
    "row of an array": lambda: np.stack([DATA, DATA])[1],
    "read-only array": read_only,
    "matrix": lambda: DATA.view(type("Subclass", (np.ndarray,), {})),
    "structured array": lambda: DATA.ravel().view([("Other", float), ("b>", float)]),
    "bytes of an array": lambda: DATA.view(np.uint8),
    "bytes": DATA.tobytes,
    "bytearray": lambda: bytearray(DATA.tobytes()),
    "memoryview": lambda: memoryview(DATA),
    "array.array": lambda: array.array("d", DATA.ravel()),
    "structure of ctypes": lambda: Structure.from_buffer_copy(DATA),
    "array of ctypes": lambda: (ctypes.c_double * N)(*DATA.ravel()),
    "native byte order": lambda: DATA.astype("=f8"),
}


@pytest.mark.parametrize("name", BUFFERS)
def test_memory_is_taken_as_it_is(name: str, decay: Any) -> None:
    data = BUFFERS[name]()
    for k in (None, 0, N):
        c = compiled(decay, M, data=data, k=k)
        assert c.data is data
        assert c.k == k
        np.testing.assert_allclose(c(X), residuals(X), rtol=1e-13)


@pytest.mark.parametrize("name", BUFFERS)
def test_data_too_short(name: str, decay: Any) -> None:
    with pytest.raises(ValueError, match="data too short: k=15 numbers are 120 bytes, and data"):
        compiled(decay, M, data=BUFFERS[name](), k=N + 1)


def test_changes_are_seen(decay: Any, add_up: Any) -> None:
    data = DATA.copy()
    c = compiled(decay, M, data=data)
    data[1] -= 1.0
    np.testing.assert_allclose(c(X), residuals(X) + 1.0, rtol=1e-13)
    data = np.array([1.0, 2.0])
    assert_same_bits(compiled(add_up, 2, data=data)([10.0, 20.0]), [10.0, 20.0])
    assert_same_bits(data, [11.0, 22.0])


NUMBERS = {
    "list": DATA.ravel().tolist,
    "tuple": lambda: tuple(DATA.ravel()),
    "list of lists": DATA.tolist,
    "list of arrays": lambda: list(DATA),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_lists_become_an_array(name: str, decay: Any) -> None:
    given = NUMBERS[name]()
    c = compiled(decay, M, data=given, k=N)
    assert c.data.dtype == np.float64
    assert_same_bits(c.data.ravel(), DATA.ravel())
    np.testing.assert_allclose(c(X), residuals(X), rtol=1e-13)


@pytest.mark.parametrize(
    "number", [1.5, np.float64(1.5), np.float32(1.5), np.longdouble(1.5), [Fraction(3, 2)]]
)
def test_a_number(number: Any, add_up: Any) -> None:
    c = compiled(add_up, 1, data=number, k=1)
    c([2.0])
    assert_same_bits(c.data.ravel(), [3.5])
    with pytest.raises(ValueError, match="data too short"):
        compiled(add_up, 1, data=number, k=2)


def test_a_list_stays_as_it_was(add_up: Any) -> None:
    given = [1, 2]
    c = compiled(add_up, 2, data=given)
    c([1, 1])
    c([1, 1])
    assert_same_bits(c.data, [3.0, 4.0])
    assert given == [1, 2]


def cffi_data() -> Iterator[Any]:
    ffi = pytest.importorskip("cffi").FFI()
    ffi.cdef("struct data { double t[7], y[7]; };")
    numbers = ffi.new("double[14]", DATA.ravel().tolist())
    structure = ffi.cast("struct data *", numbers)
    yield numbers
    yield ffi.cast("double *", numbers)
    yield ffi.cast("void *", numbers)
    yield structure
    yield structure[0]
    yield ffi.buffer(numbers)


def test_data_of_cffi(decay: Any) -> None:
    for data in cffi_data():
        c = compiled(decay, M, data=data, k=N)
        assert c.data is data
        np.testing.assert_allclose(c(X), residuals(X), rtol=1e-13)


def test_an_array_of_cffi_has_a_size(decay: Any) -> None:
    ffi = pytest.importorskip("cffi").FFI()
    with pytest.raises(ValueError, match="data too short"):
        compiled(decay, M, data=ffi.new("double[14]"), k=N + 1)
    with pytest.raises(TypeError, match=r"data must be None.* not of cffi's type int"):
        compiled(decay, M, data=ffi.cast("int", 3))
    with pytest.raises(ValueError, match="data are a null pointer"):
        compiled(decay, M, data=ffi.NULL)


def pointers() -> Iterator[Any]:
    address = DATA.ctypes.data
    yield DATA.ctypes.data_as(DOUBLES)
    yield ctypes.pointer(Structure.from_buffer_copy(DATA))
    yield ctypes.c_void_p(address)
    yield ctypes.cast(address, ctypes.c_char_p)
    yield capsule_of(address, None)


def test_pointers(decay: Any) -> None:
    for data in pointers():
        # How far they reach nobody knows.
        c = compiled(decay, M, data=data, k=10**6)
        assert c.data is data
        np.testing.assert_allclose(c(X), residuals(X), rtol=1e-13)


@pytest.mark.parametrize("null", [ctypes.c_void_p(), ctypes.c_void_p(0), DOUBLES()])
def test_null_pointers(null: Any, decay: Any) -> None:
    with pytest.raises(ValueError, match="data are a null pointer; None says that there are none"):
        compiled(decay, M, data=null)


def test_no_data(compiled_library: Path) -> None:
    tell = function_of(compiled_library, "tell", RESIDUAL_TYPES)
    for k in (None, 3):
        c = compiled(tell, M, k=k)
        assert (c.data, c.k) == (None, k)
        assert_same_bits(c(X)[:4], [1.0, M, 3.0, 1.0])
    c = compiled(tell, M, data=b"")
    assert c(X)[0] == 0.0


def user_data() -> Iterator[Any]:
    address = DATA.ctypes.data
    yield ctypes.c_void_p(address)
    yield DATA.ctypes.data_as(ctypes.c_void_p)
    yield capsule_of(address, None)
    ffi = pytest.importorskip("cffi").FFI()
    yield ffi.cast("void *", address)


def test_the_data_of_a_low_level_callable(decay: Any) -> None:
    scipy = pytest.importorskip("scipy")
    for data in user_data():
        function = scipy.LowLevelCallable(decay, data)
        c = compiled(function, M)
        assert c.data is data
        np.testing.assert_allclose(c(X), residuals(X), rtol=1e-13)
        # What is given here comes first.
        other = DATA - 1.0
        c = compiled(function, M, data=other)
        assert c.data is other
        assert compiled(scipy.LowLevelCallable(decay), M, data=data).data is data
    name = b"int (void *, int, int, double *, double *, int)"
    capsule = capsule_of(address_of(decay), name, DATA.ctypes.data)
    c = compiled(scipy.LowLevelCallable(capsule), M)
    np.testing.assert_allclose(c(X), residuals(X), rtol=1e-13)


@pytest.mark.parametrize("number", [0, 3, -1, True, np.True_, np.int32(3), 2**70])
def test_an_integer_is_refused(number: Any, decay: Any) -> None:
    with pytest.raises(TypeError, match=rf"not the integer {number}: write .*c_void_p\({number}\)"):
        compiled(decay, M, data=number)


@pytest.mark.parametrize(
    "data",
    ["text", {}, {1.0}, object(), print, 1j, ctypes.byref(ctypes.c_double()),
     ctypes.CFUNCTYPE(None)(), iter([1.0]), np.str_("text")],
    ids=lambda data: type(data).__name__,
)  # fmt: skip
def test_what_has_no_memory(data: Any, decay: Any) -> None:
    with pytest.raises(TypeError, match=r"data must be None, real numbers, .*, not of type '"):
        compiled(decay, M, data=data)


@pytest.mark.parametrize("data", [[1j], ["1.0"], [None], (b"1",)])
def test_lists_of_what_is_no_number(data: Any, decay: Any) -> None:
    with pytest.raises(TypeError, match="data must be real numbers, not of dtype"):
        compiled(decay, M, data=data)


@pytest.mark.parametrize("data", [DATA.T, DATA[:, ::2], DATA[::-1], memoryview(DATA[0])[::2]])
def test_memory_in_pieces(data: Any, decay: Any) -> None:
    with pytest.raises(ValueError, match=r"C-contiguous; give numpy.ascontiguousarray\(data\)"):
        compiled(decay, M, data=data)


def misaligned(dtype: Any) -> Any:
    memory = np.zeros(DATA.nbytes + 16, np.uint8)
    start = 8 - memory.ctypes.data % 8 + 1
    return memory[start : start + DATA.nbytes].view(dtype)


def test_memory_that_is_not_aligned(decay: Any) -> None:
    for dtype in (np.float64, np.complex128, np.int16):
        with pytest.raises(ValueError, match="data must be aligned in memory; give a copy"):
            compiled(decay, M, data=misaligned(dtype))
    # Bytes are always, but for those that are declared to be numbers.
    assert compiled(decay, M, data=misaligned(np.uint8)).k is None
    with pytest.raises(ValueError, match="data must be aligned in memory; give a copy"):
        compiled(decay, M, data=misaligned(np.uint8), k=N)


@pytest.mark.parametrize(
    "data",
    [
        DATA.astype(SWAPPED),
        memoryview(DATA.astype(SWAPPED)),
        np.zeros(3, [("a", float), ("b", SWAPPED)]),
        (ctypes.c_double.__ctype_be__ * 3)(),  # type: ignore[attr-defined]
    ],
    ids=["array", "memoryview", "structured", "ctypes"],
)
@pytest.mark.skipif(sys.byteorder == "big", reason="one of them is of the other order")
def test_the_other_byte_order(data: Any, decay: Any) -> None:
    with pytest.raises(ValueError, match="not in the byte order of this machine"):
        compiled(decay, M, data=data)


@pytest.mark.parametrize(
    "data", [np.array([1.0, None]), np.zeros(2, [("a", float), ("b", object)])], ids=str
)
def test_arrays_of_objects(data: Any, decay: Any) -> None:
    with pytest.raises(TypeError, match=r"Python objects.* give data.astype\(float\)"):
        compiled(decay, M, data=data)


def test_arrays_that_c_cannot_read(decay: Any) -> None:
    with pytest.raises(TypeError, match=r"data have no memory for C .* int64"):
        compiled(decay, M, data=np.zeros(N, "M8[s]"))
    with pytest.raises(TypeError, match=r"data must not be masked.*filled"):
        compiled(decay, M, data=np.ma.array(DATA))


@pytest.mark.parametrize("k", [-1, 2**63, 2**60, sys.maxsize])
def test_counts_that_are_refused(k: int, decay: Any) -> None:
    for data in (None, DATA):
        with pytest.raises(ValueError, match=f"k must be from 0 to {sys.maxsize // 8}, not {k}"):
            compiled(decay, M, data=data, k=k)


@pytest.mark.parametrize("k", [3.0, "3", [3]])
def test_what_is_no_count(k: Any, decay: Any) -> None:
    with pytest.raises(TypeError, match="k must be an integer, not of type"):
        compiled(decay, M, k=k)
