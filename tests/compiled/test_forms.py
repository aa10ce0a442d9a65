"""`compiled` takes functions in every form, and refuses those of another signature."""

from __future__ import annotations

import ctypes
import subprocess
import sysconfig
from collections.abc import Callable
from ctypes import c_double, c_float, c_int, c_long, c_void_p
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from native_forms import (
    C_COMBINED,
    C_RESIDUAL,
    COMBINED,
    COMBINED_TYPES,
    DATA,
    DOUBLES,
    RESIDUAL,
    RESIDUAL_TYPES,
    M,
    X,
    address_of,
    capsule_of,
    function_of,
    jacobian,
    residuals,
)
from tooling import ROOT, find_tool

from pyminpack import compiled

C_NAMES = {kind: text.encode() for kind, text in ((6, C_RESIDUAL), (8, C_COMBINED))}
FUNCTIONS = {6: "decay", 8: "decay_combined"}
TYPES: dict[int, Any] = {6: RESIDUAL_TYPES, 8: COMBINED_TYPES}
CDEF = """
int decay(void *p, int m, int n, const double *x, double *fvec, int iflag);
int decay_combined(void *p, int m, int n, const double *x, double *fvec,
                   double *fjac, int ldfjac, int iflag);
"""


def plain(path: Path, kind: int) -> Any:
    return function_of(path, FUNCTIONS[kind])


def typed(path: Path, kind: int) -> Any:
    return function_of(path, FUNCTIONS[kind], TYPES[kind])


def with_arrays(path: Path, kind: int) -> Any:
    arrays = {c_void_p: c_void_p, c_int: c_int, DOUBLES: np.ctypeslib.ndpointer(np.float64)}
    return function_of(path, FUNCTIONS[kind], [arrays[each] for each in TYPES[kind]])


def with_void(path: Path, kind: int) -> Any:
    types = [c_void_p if each is DOUBLES else each for each in TYPES[kind]]
    return function_of(path, FUNCTIONS[kind], types)


def prototype(path: Path, kind: int) -> Any:
    return {6: RESIDUAL, 8: COMBINED}[kind](address_of(plain(path, kind)))


def address(path: Path, kind: int) -> Any:
    return address_of(plain(path, kind))


def numpy_address(path: Path, kind: int) -> Any:
    return np.uint64(address_of(plain(path, kind)))


def capsule(path: Path, kind: int) -> Any:
    return capsule_of(address_of(plain(path, kind)), C_NAMES[kind])


def nameless_capsule(path: Path, kind: int) -> Any:
    return capsule_of(address_of(plain(path, kind)), None)


NAME = b"some.module.attribute"


def named_capsule(path: Path, kind: int) -> Any:
    return capsule_of(address_of(plain(path, kind)), NAME)


def scipy_callable(path: Path, kind: int) -> Any:
    return pytest.importorskip("scipy").LowLevelCallable(typed(path, kind))


def scipy_callable_of_capsule(path: Path, kind: int) -> Any:
    return pytest.importorskip("scipy").LowLevelCallable(capsule(path, kind))


def cffi_function(path: Path, kind: int) -> Any:
    ffi = pytest.importorskip("cffi").FFI()
    ffi.cdef(CDEF)
    return getattr(ffi.dlopen(str(path)), FUNCTIONS[kind])


def cffi_void(path: Path, kind: int) -> Any:
    ffi = pytest.importorskip("cffi").FFI()
    return ffi.cast("void *", address_of(plain(path, kind)))


KNOWN = [typed, with_arrays, with_void, prototype, capsule, scipy_callable,
         scipy_callable_of_capsule, cffi_function]  # fmt: skip
UNKNOWN = [plain, address, numpy_address, nameless_capsule, named_capsule, cffi_void]

each_known = pytest.mark.parametrize("form", KNOWN)
each_unknown = pytest.mark.parametrize("form", UNKNOWN)
each_form = pytest.mark.parametrize("form", [*KNOWN, *UNKNOWN])


def assert_works(c: Any, has_jacobian: bool) -> None:
    assert c.has_jacobian is has_jacobian
    np.testing.assert_allclose(c(X), residuals(X), rtol=1e-13)
    if has_jacobian:
        np.testing.assert_allclose(c.jacobian(X), jacobian(X), rtol=1e-13)


@each_form
def test_residuals_alone(form: Any, compiled_library: Path) -> None:
    for jac in (None, False, np.False_):
        assert_works(compiled(form(compiled_library, 6), M, jac, DATA), False)


@each_known
def test_a_jacobian_is_found_where_the_types_are_known(form: Any, compiled_library: Path) -> None:
    fcn = form(compiled_library, 8)
    for jac in (None, True, np.True_):
        assert_works(compiled(fcn, M, jac, DATA), True)
    assert_works(compiled(fcn, M, False, DATA), False)


@each_unknown
def test_true_says_that_there_is_a_jacobian(form: Any, compiled_library: Path) -> None:
    assert_works(compiled(form(compiled_library, 8), M, True, DATA), True)


@each_known
def test_a_function_known_to_have_no_jacobian(form: Any, compiled_library: Path) -> None:
    fcn = form(compiled_library, 6)
    with pytest.raises(TypeError, match=r"^fcn has the signature\n.*\nand must have\n.*ldfjac"):
        compiled(fcn, M, True, DATA)
    with pytest.raises(TypeError, match=r"^jac has the signature\n.*\nand must have\n.*ldfjac"):
        compiled(address(compiled_library, 8), M, fcn, DATA)
    with pytest.raises(TypeError, match=r"^jac has the signature\n.*\nand must have\n.*ldfjac"):
        compiled(fcn, M, address(compiled_library, 6), DATA)


@each_form
@pytest.mark.parametrize("kind", [6, 8])
def test_two_functions(form: Any, kind: int, compiled_library: Path) -> None:
    jac = form(compiled_library, 8)
    assert_works(compiled(typed(compiled_library, kind), M, jac, DATA), True)
    # Two that are the same give both, and other two do not.
    assert_works(compiled(address(compiled_library, kind), M, jac, DATA), True)


def test_each_function_is_called_for_its_own(compiled_library: Path) -> None:
    for kind in (6, 8):
        fcn = function_of(compiled_library, "tell" if kind == 6 else "tell_combined", TYPES[kind])
        c = compiled(fcn, M, function_of(compiled_library, "decay_combined"), DATA)
        assert_same_bits(c(X)[:4], [0.0, M, 3.0, 1.0])
        np.testing.assert_allclose(c.jacobian(X), jacobian(X), rtol=1e-13)


def cffi_callback() -> Any:
    ffi = pytest.importorskip("cffi").FFI()

    def fill(p: Any, m: int, n: int, x: Any, fvec: Any, iflag: int) -> int:
        fvec[0] = 2 * x[0]
        return 0

    return ffi.callback("int(void *, int, int, const double *, double *, int32_t)", fill)


def ctypes_callback() -> Any:
    def fill(p: Any, m: int, n: int, x: Any, fvec: Any, iflag: int) -> int:
        fvec[0] = 2 * x[0]
        return 0

    return RESIDUAL(fill)


@pytest.mark.parametrize("make", [cffi_callback, ctypes_callback])
def test_functions_that_call_python(make: Callable[[], Any]) -> None:
    c = compiled(make(), 1)
    assert_same_bits(c([3.0]), [6.0])
    assert c.data is None


@pytest.fixture(scope="module")
def cffi_module(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A module that cffi made with a C compiler, which has the functions of decay."""
    cffi = pytest.importorskip("cffi")
    folder = tmp_path_factory.mktemp("cffi")
    native = ROOT / "tests" / "native" / "compiled_functions.c"
    ffi = cffi.FFI()
    ffi.cdef(CDEF)
    ffi.set_source("_decay_of_cffi", native.read_text())
    ffi.emit_c_code(str(folder / "_decay_of_cffi.c"))
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    subprocess.run(
        [
            *(find_tool("cc"), "-shared", "-fPIC", f"-I{sysconfig.get_path('include')}"),
            *("_decay_of_cffi.c", "-o", f"_decay_of_cffi{suffix}", "-lm"),
        ],
        cwd=folder,
        check=True,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield __import__("_decay_of_cffi")


@pytest.mark.parametrize("kind", [6, 8])
def test_functions_of_a_module_of_cffi(kind: int, cffi_module: Any) -> None:
    ffi, lib = cffi_module.ffi, cffi_module.lib
    name = FUNCTIONS[kind]
    for fcn in (ffi.addressof(lib, name), getattr(lib, name)):
        assert_works(compiled(fcn, M, data=DATA), kind == 8)


@pytest.fixture(scope="module")
def numba() -> ModuleType:
    return pytest.importorskip("numba", reason="numba is not there for this Python")


def test_functions_of_numba(numba: Any) -> None:
    t = numba.types
    doubles = t.CPointer(t.float64)

    @numba.cfunc(t.int32(t.voidptr, t.int32, t.int32, doubles, doubles, t.int32))
    def double(p: Any, m: int, n: int, x: Any, fvec: Any, iflag: int) -> int:
        fvec[0] = 2 * x[0]
        return 0

    @numba.cfunc(t.intc(doubles, t.intc, t.intc, doubles, doubles, doubles, t.intc, t.intc))
    def combined(
        p: Any, m: int, n: int, x: Any, fvec: Any, fjac: Any, ldfjac: int, iflag: int
    ) -> int:
        if iflag == 1:
            fvec[0] = p[0] * x[0]
        else:
            fjac[0] = p[0]
        return 0

    assert_same_bits(compiled(double, 1)([3.0]), [6.0])
    assert_same_bits(compiled(double.address, 1)([3.0]), [6.0])
    c = compiled(combined, 1, data=5.0)
    assert_same_bits(c([3.0]), [15.0])
    assert_same_bits(c.jacobian([3.0]), [[5.0]])


def test_signatures_of_numba_that_are_refused(numba: Any) -> None:
    t = numba.types
    doubles = t.CPointer(t.float64)

    @numba.cfunc(t.int64(t.voidptr, t.int64, t.int64, doubles, doubles, t.int64))
    def with_long(p: Any, m: int, n: int, x: Any, fvec: Any, iflag: int) -> int:
        return 0

    @numba.cfunc(t.float64(t.Array(t.float64, 1, "C")))
    def with_array(x: Any) -> float:
        return float(x[0])

    with pytest.raises(
        TypeError, match=r"has the signature\n   long \(void \*, long, long, double \*"
    ):
        compiled(with_long, 1)
    with pytest.raises(TypeError, match=r"has the signature\n   \(Array\(float64"):
        compiled(with_array, 1)


def test_a_function_of_numba_for_python(numba: Any) -> None:
    @numba.njit
    def f(x: Any) -> Any:
        return x

    with pytest.raises(TypeError, match="fcn must be compiled"):
        compiled(f, 1)


def changed(at: int, other: Any, types: Any = RESIDUAL_TYPES) -> Any:
    return [other if i == at else each for i, each in enumerate(types)]


class Vector:
    """Converts arguments of ctypes in a way of its own."""

    @classmethod
    def from_param(cls, value: Any) -> Any:
        return value


@pytest.mark.parametrize(
    ("at", "other"),
    [
        *((0, other) for other in (DOUBLES, ctypes.c_char_p, ctypes.POINTER(DOUBLES), Vector)),
        *((0, other) for other in (np.ctypeslib.ndpointer(), Vector())),
        *((3, other) for other in (c_void_p, np.ctypeslib.ndpointer(), Vector)),
        (5, ctypes.c_int32),
    ],
)
def test_types_that_will_do(at: int, other: Any, compiled_library: Path) -> None:
    fcn = function_of(compiled_library, "decay", changed(at, other))
    assert_works(compiled(fcn, M, data=DATA), False)


@pytest.mark.parametrize(
    ("at", "other", "shown"),
    [
        (0, c_int, r"\(int, int, int, double \*, double \*, int\)"),
        (0, c_double, r"\(double, int"),
        (0, ctypes.py_object, r"\(object, int"),
        (1, c_long, r"\(void \*, long, int"),
        (1, c_double, r"\(void \*, double, int"),
        (2, ctypes.POINTER(c_int), r"\(void \*, int, int \*, "),
        (3, ctypes.POINTER(c_float), r"int, float \*, double"),
        (3, c_double, r"int, double, double"),
        (4, ctypes.POINTER(DOUBLES), r"double \*, double \*\*, int"),
        (4, np.ctypeslib.ndpointer(np.float32), r"double \*, float32 \*, int"),
        (4, np.ctypeslib.ndpointer(">f8"), r"double \*, >f8 \*, int"),
        (4, RESIDUAL, r"double \*, function \*, int"),
        (5, ctypes.c_short, r"double \*, short\)"),
    ],
)
def test_types_that_are_refused(at: int, other: Any, shown: str, compiled_library: Path) -> None:
    if other is c_long and c_long is c_int:
        pytest.skip("long is int here")
    fcn = function_of(compiled_library, "decay", changed(at, other))
    with pytest.raises(TypeError, match=rf"fcn has the signature\n   int .*{shown}") as caught:
        compiled(fcn, M, data=DATA)
    assert "int fcn(void *p, int m, int n, const double *x, double *fvec, int iflag)\nor" in str(
        caught.value
    )


@pytest.mark.parametrize("count", [0, 1, 5, 7, 9])
def test_a_number_of_arguments_that_is_refused(count: int, compiled_library: Path) -> None:
    types = (*COMBINED_TYPES, c_int)[:count]
    with pytest.raises(TypeError, match="fcn has the signature"):
        compiled(function_of(compiled_library, "decay", types), M, data=DATA)


def test_a_structure_as_an_argument(compiled_library: Path) -> None:
    class Data(ctypes.Structure):
        _fields_ = (("t", c_double * M), ("y", c_double * M))

    fcn = function_of(compiled_library, "decay", changed(0, ctypes.POINTER(Data)))
    data = Data.from_buffer_copy(DATA)
    assert_works(compiled(fcn, M, data=data), False)
    fcn = function_of(compiled_library, "decay", changed(0, Data))
    with pytest.raises(TypeError, match=r"int \(Data, int"):
        compiled(fcn, M, data=data)


@pytest.mark.parametrize("restype", [None, c_double, c_long, c_void_p, ctypes.c_bool])
@pytest.mark.parametrize("types", [None, RESIDUAL_TYPES])
def test_what_it_returns(restype: Any, types: Any, compiled_library: Path) -> None:
    if restype is c_long and c_long is c_int:
        pytest.skip("long is int here")
    fcn = function_of(compiled_library, "decay", types)
    fcn.restype = restype
    shown = r"(void|double|long|void \*|bool) \((\.\.\.|void \*, int.*)\)"
    for jac in (None, True, False, function_of(compiled_library, "decay_combined")):
        with pytest.raises(TypeError, match=rf"fcn has the signature\n   {shown}\nand must"):
            compiled(fcn, M, jac, DATA)


def test_a_converter_of_what_it_returns(compiled_library: Path) -> None:
    fcn = function_of(compiled_library, "decay", RESIDUAL_TYPES)
    for converter in (int, lambda status: status):
        fcn.restype = converter
        assert_works(compiled(fcn, M, data=DATA), False)


@pytest.mark.parametrize(
    "name",
    [
        b"int (void *, int, int, double const *, double *, int)",
        b"int(void*,int,int,const double*restrict,double*,int32_t)",
        b" signed int ( struct data * , int, int , double *, double *, int ) ",
        b"int (void *, int, int, double *, double *, int) noexcept nogil",
        b"npy_int32 (void *, npy_int32, int, npy_float64 *, double *, int)",
        b"int fcn(void *p, int m, int n, const double *x, double *fvec, int iflag)",
        b"int (struct data *p, int32_t m, signed int n, double *x, double *fvec, int)",
        b"no signature (at all",
        b"\xff\xfe",
        b"",
    ],
)
def test_names_of_capsules(name: bytes, compiled_library: Path) -> None:
    fcn = capsule_of(address(compiled_library, 6), name)
    assert_works(compiled(fcn, M, data=DATA), False)


@pytest.mark.parametrize(
    "name",
    [
        b"double (double, void *)",
        b"void (void *, int, int, double *, double *, int)",
        b"int (void *, int *, int *, double *, double *, int *)",
        b"int (void *, int, int, float *, double *, int)",
        b"int (void *, int, int, double **, double *, int)",
        b"int (struct data, int, int, double *, double *, int)",
        b"int (void *, unsigned int, int, double *, double *, int)",
        b"int fcn(void *p, int m, int n, const double *x, double *fvec, long iflag)",
        b"int fcn(void *p, int m, int n, const double *x, double **fvec, int iflag)",
        b"int ()",
    ],
)
def test_names_of_capsules_that_are_refused(name: bytes, compiled_library: Path) -> None:
    fcn = capsule_of(address(compiled_library, 6), name)
    with pytest.raises(TypeError, match="fcn has the signature"):
        compiled(fcn, M, data=DATA)


@pytest.mark.parametrize(
    "types",
    [
        "int(*)(void *)",
        "void(*)(void *, int, int, double *, double *, int)",
        "int(*)(void *, int, int, double *, double *, int, ...)",
    ],
)
def test_signatures_of_cffi_that_are_refused(types: str, compiled_library: Path) -> None:
    ffi = pytest.importorskip("cffi").FFI()
    with pytest.raises(TypeError, match="fcn has the signature"):
        compiled(ffi.cast(types, address(compiled_library, 6)), M)
    with pytest.raises(TypeError, match=r"fcn must be a pointer to a function, not .* double \*"):
        compiled(ffi.new("double *"), M)


def test_a_function_that_needs_the_gil() -> None:
    with pytest.raises(TypeError, match="GIL only"):
        compiled(ctypes.PYFUNCTYPE(c_int, *RESIDUAL_TYPES)(lambda *args: 0), M)
    with pytest.raises(TypeError, match="GIL only"):
        compiled(ctypes.pythonapi.Py_IsInitialized, M)


def null_functions() -> list[Any]:
    cffi = pytest.importorskip("cffi").FFI()
    return [0, np.int64(0), RESIDUAL(), RESIDUAL(0), cffi.NULL]


def test_null_pointers(compiled_library: Path) -> None:
    for null in null_functions():
        with pytest.raises(ValueError, match="fcn is a null pointer"):
            compiled(null, M)
        with pytest.raises(ValueError, match="jac is a null pointer"):
            compiled(typed(compiled_library, 6), M, null)


@pytest.mark.parametrize("number", [-1, 1, 4095, -(2**63), 2**64, 2**200])
def test_numbers_that_are_no_addresses(number: int, compiled_library: Path) -> None:
    with pytest.raises(ValueError, match=f"fcn is {number}, which is no address of a function"):
        compiled(number, M)
    with pytest.raises(ValueError, match=f"jac is {number}, which is no address of a function"):
        compiled(typed(compiled_library, 6), M, number)


@pytest.mark.parametrize("value", [None, True, False, np.True_, 3.0, "decay", [], object(), DATA])
def test_what_is_no_function(value: Any) -> None:
    with pytest.raises(TypeError, match="fcn must be a function of ctypes or cffi"):
        compiled(value, M)


@pytest.mark.parametrize("value", [3.0, "decay", [], object()])
def test_what_is_no_jacobian(value: Any, compiled_library: Path) -> None:
    with pytest.raises(TypeError, match="jac must be a function of ctypes or cffi"):
        compiled(typed(compiled_library, 6), M, value)


@pytest.mark.parametrize("value", [residuals, np.sin, int, lambda x: x, len, "".join])
def test_what_is_not_compiled(value: Any, compiled_library: Path) -> None:
    hint = "Decorate a Python function with numba.cfunc, or make a ctypes.CFUNCTYPE of it; leastsq"
    with pytest.raises(TypeError, match=f"fcn must be compiled.*{hint}"):
        compiled(value, M)
    with pytest.raises(TypeError, match="jac must be compiled"):
        compiled(typed(compiled_library, 6), M, value)


def test_what_is_compiled_already(compiled_library: Path) -> None:
    c = compiled(typed(compiled_library, 6), M)
    with pytest.raises(TypeError, match=r"fcn was made by compiled\(\) already"):
        compiled(c, M)


@pytest.mark.parametrize("m", [0, -1, 2**31, 2**70])
def test_numbers_of_residuals_that_are_refused(m: int, compiled_library: Path) -> None:
    with pytest.raises(ValueError, match=f"m must be from 1 to 2147483647, not {m}"):
        compiled(typed(compiled_library, 6), m)


@pytest.mark.parametrize("m", [None, 3.0, "3", [3]])
def test_what_is_no_number_of_residuals(m: Any, compiled_library: Path) -> None:
    with pytest.raises(TypeError, match="m must be an integer, not of type"):
        compiled(typed(compiled_library, 6), m)


def test_a_number_of_residuals_of_numpy(compiled_library: Path) -> None:
    c = compiled(typed(compiled_library, 6), np.int16(M), data=DATA)
    assert c.m == M
    assert type(c.m) is int
