"""What `compiled` returns: its calls, what it keeps alive, and that it does not change."""

from __future__ import annotations

import array
import copy
import ctypes
import gc
import pickle
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from native_forms import (
    COMBINED_TYPES,
    DATA,
    RESIDUAL,
    RESIDUAL_TYPES,
    M,
    X,
    address_of,
    capsule_of,
    function_of,
    in_python,
    jacobian,
    residuals,
)

from pyminpack import _core, compiled

pytestmark = pytest.mark.shim


@pytest.fixture
def decay(compiled_library: Path) -> Any:
    return compiled(function_of(compiled_library, "decay_combined", COMBINED_TYPES), M, data=DATA)


def of(library: Path, name: str, *args: Any, **options: Any) -> Any:
    types = COMBINED_TYPES if name in ("tell_combined", "refuse_jacobian") else RESIDUAL_TYPES
    return compiled(function_of(library, name, types), *args, **options)


def test_residuals_and_jacobian(decay: Any) -> None:
    fvec, fjac = decay(X), decay.jacobian(X)
    assert (type(fvec), fvec.dtype, fvec.shape) == (np.ndarray, np.float64, (M,))
    assert (type(fjac), fjac.dtype, fjac.shape) == (np.ndarray, np.float64, (M, 3))
    assert fjac.flags.f_contiguous
    assert fvec.flags.owndata
    assert fjac.flags.owndata
    np.testing.assert_allclose(fvec, residuals(X), rtol=1e-13)
    np.testing.assert_allclose(fjac, jacobian(X), rtol=1e-13)
    assert_same_bits(decay(X), fvec)
    assert decay(X) is not fvec


@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        lambda x: x.astype(np.float32),
        lambda x: x.astype(">f8"),
        lambda x: np.repeat(x, 2)[::2],
        lambda x: x[::-1].copy()[::-1],
        memoryview,
        lambda x: array.array("d", x),
        np.ma.array,
        lambda x: np.float16(x),
    ],
)
def test_forms_of_x(form: Any, decay: Any) -> None:
    assert_same_bits(decay(form(X)), decay(X))
    assert_same_bits(decay.jacobian(form(X)), decay.jacobian(X))


def test_integers_and_numbers_as_x(compiled_library: Path) -> None:
    c = of(compiled_library, "refuse_far", 2)
    for x in (3, 3.0, np.int8(3), [3], np.array(3), np.array([3], np.uint64), [3, 4]):
        assert_same_bits(c(x), [3.0, 3.0])
    assert_same_bits(c(True), [1.0, 1.0])


def test_x_is_left_alone() -> None:
    def spoil(p: Any, m: int, n: int, x: Any, fvec: Any, iflag: int) -> int:
        x[0] = 7.0
        fvec[0] = x[0]
        return 0

    x = np.array([1.0])
    assert_same_bits(compiled(in_python(spoil), 1)(x), [7.0])
    assert_same_bits(x, [1.0])


@pytest.mark.parametrize("x", [1j, [1j], "1.0", ["1.0"], None, [None], object(), b"1"], ids=repr)
def test_an_x_that_is_no_number(x: Any, decay: Any) -> None:
    for call in (decay, decay.jacobian):
        with pytest.raises(TypeError, match="x must be real numbers, not of dtype"):
            call(x)


@pytest.mark.parametrize("x", [[[1.0]], np.ones((2, 3)), np.ones((1, 1, 1))], ids=str)
def test_an_x_that_is_no_vector(x: Any, decay: Any) -> None:
    for call in (decay, decay.jacobian):
        with pytest.raises(ValueError, match=r"x must be a vector, and has \d dimensions"):
            call(x)


@pytest.mark.parametrize("n", [0, M + 1, 1000])
def test_an_x_of_another_size(n: int, decay: Any) -> None:
    for call in (decay, decay.jacobian):
        with pytest.raises(ValueError, match=f"at least one element and at most m=7, and has {n}"):
            call(np.ones(n))


def test_an_x_that_raises(decay: Any) -> None:
    class Trouble:
        def __array__(self, *args: Any, **options: Any) -> Any:
            raise KeyError("trouble")

    for call in (decay, decay.jacobian):
        with pytest.raises(KeyError, match="trouble"):
            call(Trouble())
    with pytest.raises(ValueError, match="inhomogeneous"):
        decay([[1.0], [1.0, 2.0]])


def test_it_is_called_with_x_alone(decay: Any) -> None:
    for args, options in ([(), {}], [(X, X), {}], [(), {"x": X}], [(X,), {"data": DATA}]):  # type: ignore[var-annotated]
        with pytest.raises(TypeError, match="called with x alone; its data are given to compiled"):
            decay(*args, **options)
    assert_same_bits(decay(X, **{}), decay(X))


def test_what_the_functions_get(compiled_library: Path) -> None:
    c = of(compiled_library, "tell", M, data=DATA)
    told = c(X)
    assert_same_bits(told[:4], [0.0, M, 3.0, 1.0])
    assert np.isnan(told[4:]).all()  # what it did not write
    # Without fjac for residuals alone; with the residuals at x for the Jacobian.
    c = of(compiled_library, "tell_combined", M)
    assert_same_bits(c(X), [1.0, M, 3.0, 1.0, 1.0, M, -1.0])
    fjac = c.jacobian(X)
    assert_same_bits(fjac[:, 0], [1.0, M, 3.0, 2.0, 0.0, M, -1.0])
    assert np.isnan(fjac[:, 1:]).all()


def test_a_negative_result(compiled_library: Path) -> None:
    c = of(compiled_library, "refuse_far", 2)
    assert_same_bits(c(9.0), [9.0, 9.0])
    with pytest.raises(RuntimeError, match="returned -7 when asked for the residuals"):
        c(11.0)
    assert_same_bits(c(10.0), [10.0, 10.0])
    c = of(compiled_library, "refuse_jacobian", 2)
    with pytest.raises(RuntimeError, match="returned -3 when asked for the Jacobian"):
        c.jacobian(9.0)
    with pytest.raises(RuntimeError, match="returned -7 when asked for the residuals"):
        c.jacobian(11.0)


def test_no_jacobian(compiled_library: Path) -> None:
    c = of(compiled_library, "refuse_far", 2)
    with pytest.raises(TypeError, match="this compiled function has no Jacobian"):
        c.jacobian(1.0)
    c = of(compiled_library, "refuse_jacobian", 2, False)
    assert_same_bits(c(9.0), [9.0, 9.0])
    with pytest.raises(TypeError, match="this compiled function has no Jacobian"):
        c.jacobian(1.0)


def test_other_threads_run_meanwhile(compiled_library: Path) -> None:
    data = np.zeros(2)
    c = of(compiled_library, "wait_for_thread", 1, data=data)

    def answer() -> None:
        while data[1] == 0.0 and not done.wait(0.001):
            pass
        data[0] = 1.0

    done = threading.Event()
    thread = threading.Thread(target=answer)
    thread.start()
    try:
        assert_same_bits(c([5.0]), [5.0])
    finally:
        done.set()
        thread.join()


def test_calls_in_threads(decay: Any) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: decay(X + i % 5), range(200)))
    for i, fvec in enumerate(found):
        assert_same_bits(fvec, decay(X + i % 5))


def test_it_cannot_be_changed(decay: Any) -> None:
    for name in ("m", "data", "k", "has_jacobian", "other"):
        with pytest.raises(AttributeError):
            setattr(decay, name, 3)
    with pytest.raises(TypeError, match="immutable type"):
        _core.Compiled.m = 3  # type: ignore[misc]
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Heir", (_core.Compiled,), {})


def test_it_cannot_be_pickled(decay: Any) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="addresses mean nothing in another process"):
            pickle.dumps(decay, protocol)
    for each in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            each(decay)


def test_how_it_is_printed(decay: Any, compiled_library: Path) -> None:
    assert repr(decay) == "<Compiled: m=7, a Jacobian, data of 112 bytes, k=None>"
    c = of(compiled_library, "tell", 8, k=5)
    assert repr(c) == "<Compiled: m=8, no Jacobian, no data, k=5>"
    c = of(compiled_library, "tell", 8, data=ctypes.c_void_p(0xABCDE))
    assert repr(c).lower().endswith("abcde, k=none>")


class Object:
    pass


class Holder(np.ndarray[Any, Any]):
    """An array that can be watched and may refer to anything."""


def holder() -> Any:
    return DATA.copy().view(Holder)


def test_the_data_live_as_long_as_it(compiled_library: Path) -> None:
    data = holder()
    gone = weakref.ref(data)
    c = of(compiled_library, "decay", M, data=data)
    del data
    gc.collect()
    assert gone() is not None
    np.testing.assert_allclose(c(X), residuals(X), rtol=1e-13)
    del c
    gc.collect()
    assert gone() is None


def test_memory_that_could_move_is_held(compiled_library: Path) -> None:
    for data in (bytearray(DATA.tobytes()), array.array("d", DATA.ravel())):
        c = of(compiled_library, "decay", M, data=data)
        with pytest.raises(BufferError):
            data.pop()
        np.testing.assert_allclose(c(X), residuals(X), rtol=1e-13)
        del c
        data.pop()
    view = memoryview(DATA)
    c = of(compiled_library, "decay", M, data=view)
    with pytest.raises(BufferError):
        view.release()
    del c
    view.release()


def test_a_pointer_lives_as_long_as_it(compiled_library: Path) -> None:
    data = (ctypes.c_double * DATA.size)(*DATA.ravel())
    pointer = ctypes.pointer(data)
    gone = weakref.ref(data)
    c = of(compiled_library, "decay", M, data=pointer)
    del data, pointer
    gc.collect()
    np.testing.assert_allclose(c(X), residuals(X), rtol=1e-13)
    del c
    gc.collect()
    assert gone() is None


def callback(token: Any) -> Any:
    def fill(p: Any, m: int, n: int, x: Any, fvec: Any, iflag: int) -> int:
        fvec[0] = x[0] if token else 0.0
        return 0

    return RESIDUAL(fill)


def scipy_callable(token: Any) -> Any:
    return pytest.importorskip("scipy").LowLevelCallable(callback(token))


def cffi_callback(token: Any) -> Any:
    ffi = pytest.importorskip("cffi").FFI()

    def fill(p: Any, m: int, n: int, x: Any, fvec: Any, iflag: int) -> int:
        fvec[0] = x[0] if token else 0.0
        return 0

    return ffi.callback("int(void *, int, int, double *, double *, int)", fill)


@pytest.mark.parametrize("make", [callback, scipy_callable, cffi_callback])
def test_the_machine_code_lives_as_long_as_it(make: Any, compiled_library: Path) -> None:
    token = Object()
    gone = weakref.ref(token)
    code = make(token)
    c = compiled(code, 1)
    both = compiled(code, 1, function_of(compiled_library, "tell_combined"))
    del token, code
    for each in (c, both):
        gc.collect()
        assert gone() is not None
        assert_same_bits(each([3.0]), [3.0])
    del c, both, each
    gc.collect()
    assert gone() is None


def test_cycles_through_it_are_found(compiled_library: Path) -> None:
    data = holder()
    data.residuals = of(compiled_library, "decay", M, data=data)
    gone = weakref.ref(data)
    del data
    gc.collect()
    assert gone() is None

    made: list[Any] = []
    token = Object()
    gone = weakref.ref(token)
    made.append(compiled(callback((token, made)), 1))
    del token, made
    gc.collect()
    assert gone() is None


def test_nothing_is_leaked(decay: Any, compiled_library: Path) -> None:
    data, function = holder(), function_of(compiled_library, "decay", RESIDUAL_TYPES)

    def counts() -> list[int]:
        return [sys.getrefcount(each) for each in (data, function, X, decay, np.dtype(float))]

    def once() -> None:
        c = compiled(function, M, data=data)
        c(X)
        repr(c)
        decay.jacobian(X)
        for x in (1j, [[1.0]], DATA.ravel()):
            with pytest.raises((TypeError, ValueError)):
                decay(x)
        with pytest.raises(ValueError, match="too short"):
            compiled(function, M, data=data, k=99)

    once()
    before = counts()
    for _ in range(50):
        once()
    assert counts() == before


# What Python never hands to C, and what C makes of it all the same.
GIVEN = {"residual": 4096, "combined": 0, "jacobian": 0, "m": 3, "memory": None, "data": None,
         "k": None, "owners": None}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"residual": 0}, ValueError),
        ({"combined": 4096}, ValueError),
        ({"residual": 0, "jacobian": 4096}, ValueError),
        ({"residual": 2**200}, OverflowError),
        ({"jacobian": 2**200}, OverflowError),
        ({"combined": -(2**200)}, OverflowError),
        ({"residual": None}, TypeError),
        ({"combined": 3.0}, TypeError),
        ({"m": 0}, ValueError),
        ({"m": 2**31}, OverflowError),
        ({"m": "3"}, TypeError),
        ({"memory": 2**200}, OverflowError),
        ({"memory": "text"}, TypeError),
        ({"memory": DATA.T}, ValueError),
        ({"k": -1}, ValueError),
        ({"k": sys.maxsize}, ValueError),
        ({"k": 2**200}, OverflowError),
        ({"k": 3.0}, TypeError),
        ({"k": 99, "memory": DATA}, ValueError),
    ],
    ids=str,
)
def test_what_the_type_refuses(changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        _core.Compiled(*{**GIVEN, **changes}.values())  # type: ignore[arg-type]


def test_how_the_type_is_called() -> None:
    made = _core.Compiled(*GIVEN.values())  # type: ignore[arg-type]
    assert repr(made) == "<Compiled: m=3, no Jacobian, no data, k=None>"
    with pytest.raises(TypeError, match="takes no keyword arguments"):
        _core.Compiled(**GIVEN)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="exactly 8 arguments"):
        _core.Compiled()  # type: ignore[call-arg]


def test_capsules(compiled_library: Path) -> None:
    address = address_of(function_of(compiled_library, "decay"))
    name = b"some name"
    assert _core.read_capsule(capsule_of(address, name, 1234)) == (address, name, 1234)
    assert _core.read_capsule(capsule_of(address, None)) == (address, None, 0)
    assert _core.read_capsule(address) is None
