"""Compiled functions in the forms that Python knows: their addresses, and their types if known."""

from __future__ import annotations

import ctypes
import operator
import re
import sys
from _ctypes import CFuncPtr
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from .._messages import type_of

if TYPE_CHECKING:
    from collections.abc import Iterable

RESIDUALS = "int fcn(void *p, int m, int n, const double *x, double *fvec, int iflag)"
COMBINED = (
    "int fcn(void *p, int m, int n, const double *x, double *fvec, "
    "double *fjac, int ldfjac, int iflag)"
)
# What the arguments are: any pointer, integers, pointers to double.
_KINDS = {"piiddi": RESIDUALS, "piidddii": COMBINED}

_INTEGERS = {"int", "signed", "signed int", "int32_t", "npy_int32", "npy_intc", "npy_int"}
_NUMBERS = {"double *", "npy_double *", "npy_float64 *", "void *"}
_UNKNOWN = "?"  # a type of which nothing can be said

_QUALIFIERS = {"const", "restrict", "volatile"}
# Where the last word of a declaration is another, it is a name.
_LAST_WORDS = {"*", "int", "long", "short", "char", "signed", "unsigned", "double", "float"}

_MAX_ADDRESS = 256 ** ctypes.sizeof(ctypes.c_void_p) - 1
# No system has functions or data on the first page, where small numbers point to.
_MIN_ADDRESS = 4096

_FORMS = (
    "a function of ctypes or cffi, a numba.cfunc, a PyCapsule, a scipy.LowLevelCallable or "
    "an integer address"
)


class Signature(NamedTuple):
    """The types of a C function; those of the arguments are None where they are not known."""

    result: str
    arguments: tuple[str, ...] | None

    def __str__(self) -> str:
        arguments = "..." if self.arguments is None else ", ".join(self.arguments)
        return f"{self.result} ({arguments})"


class Native(NamedTuple):
    """A compiled function."""

    address: int
    signature: Signature | None
    owner: object  # as long as this lives the function may be called
    user_data: tuple[object, int] | None = None  # of a LowLevelCallable, and its address

    def is_combined(self, name: str) -> bool | None:
        """Tell whether it gives the Jacobian too; None if unknown, TypeError if it is neither."""
        if self.signature is None or (
            self.signature.arguments is None and self.signature.result in _INTEGERS
        ):
            return None
        for kinds, shown in _KINDS.items():
            if _fits(self.signature, kinds):
                return shown == COMBINED
        raise wrong_signature(name, self.signature, _KINDS.values())


def wrong_signature(name: str, found: object, expected: Iterable[str]) -> TypeError:
    """Return the error of a function that has another signature."""
    shown = "\nor ".join(expected)
    return TypeError(f"{name} has the signature\n   {found}\nand must have\n   {shown}")


def _fits(signature: Signature, kinds: str) -> bool:
    arguments = signature.arguments
    return (
        signature.result in _INTEGERS
        and arguments is not None
        and len(arguments) == len(kinds)
        and all(map(_is_of_kind, arguments, kinds))
    )


def _is_of_kind(found: str, kind: str) -> bool:
    if found == _UNKNOWN:
        return True
    if kind == "p":
        return found.endswith("*")
    return found in (_INTEGERS if kind == "i" else _NUMBERS)


def native_function(name: str, value: Any) -> Native:
    """Return the compiled function in any form; TypeError for what is none."""
    if isinstance(value, CFuncPtr):
        return _of_ctypes(name, value, value)
    if (capsule := _core.read_capsule(value)) is not None:
        address, text, _ = capsule
        return Native(_checked(name, address), _parsed(text), value)
    if isinstance(value, _class_of("scipy", "LowLevelCallable")):
        return _of_scipy(name, value)
    if isinstance(value, _class_of("numba.core.ccallback", "CFunc")):
        return _of_numba(name, value)
    if (ffi := find_cffi()) is not None and (pointer := _cffi_pointer(ffi, value)) is not None:
        return _of_cffi(name, ffi, pointer, value)
    if (number := _integer_of(value)) is not None:
        return Native(_checked(name, number), None, value)
    if isinstance(value, _core.Compiled):
        raise TypeError(f"{name} was made by compiled() already")
    if callable(value):
        raise TypeError(
            f"{name} must be compiled, and an object of type {type_of(value)} is not. Decorate a "
            "Python function with numba.cfunc, or make a ctypes.CFUNCTYPE of it; leastsq also "
            "takes it as it is"
        )
    raise TypeError(f"{name} must be {_FORMS}, not of type {type_of(value)}")


def _integer_of(value: Any) -> int | None:
    try:
        return None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        return None


def _checked(name: str, address: int | None) -> int:
    if not address:
        raise ValueError(f"{name} is a null pointer")
    if not _MIN_ADDRESS <= address <= _MAX_ADDRESS:
        raise ValueError(f"{name} is {address}, which is no address of a function")
    return address


def _class_of(module: str, name: str) -> Any:
    """Return a class of a module if that has been imported: without, there are no objects of it."""
    return getattr(sys.modules.get(module), name, ())


def _parsed(text: bytes | None) -> Signature | None:
    """Return the signature that the name of a capsule is, as in SciPy and Cython; else None."""
    name = (text or b"").decode("utf-8", "replace")
    found = re.fullmatch(r"\s*(\w[\w\s*]*?)\s*\(([\w\s*,]*)\)\s*(?:noexcept)?(?: nogil)?\s*", name)
    if found is None:
        return None
    result, arguments = found.groups()
    return Signature(_plain(result), tuple(map(_plain, arguments.split(","))))


def _plain(declared: str) -> str:
    """Return a type as C writes it, without qualifiers and the name of what has it."""
    words = [w for w in re.findall(r"\w+|\*", declared) if w not in _QUALIFIERS]
    if len(words) > 1 and words[-1] not in _LAST_WORDS and words[-2] not in ("struct", "union"):
        words.pop()
    return " ".join(words).replace("* *", "**")


def _of_scipy(name: str, value: Any) -> Native:
    # A tuple, of which only the parts without the pointers have names.
    address, text, user_data = _core.read_capsule(tuple.__getitem__(value, 0)) or (0, None, 0)
    own = (value.user_data, user_data) if user_data else None
    return Native(_checked(name, address), _parsed(text), value, own)


def _of_numba(name: str, value: Any) -> Native:
    try:
        function = value.ctypes
    except TypeError:  # types that are none of C
        raise wrong_signature(name, value._sig, _KINDS.values()) from None
    return _of_ctypes(name, function, value)


def _of_ctypes(name: str, function: Any, owner: object) -> Native:
    if function._flags_ & 4:  # ctypes names it FUNCFLAG_PYTHONAPI in its C alone
        raise TypeError(
            f"{name} may be called with the GIL only, being of ctypes.PyDLL or PYFUNCTYPE, and no "
            "compiled function is: take ctypes.CDLL or CFUNCTYPE"
        )
    address = _checked(name, ctypes.cast(function, ctypes.c_void_p).value)
    result, arguments = function.restype, function.argtypes
    # What is no type of ctypes converts the int that the function returns.
    is_type = result is None or hasattr(result, "from_param")
    returned = _ctypes_name(result) if is_type else "int"
    types = None if arguments is None else tuple(map(_ctypes_name, arguments))
    return Native(address, Signature(returned, types), owner)


def _ctypes_name(argument: Any) -> str:
    """Return a type of ctypes as C writes it."""
    if argument is None:
        return "void"
    if argument is ctypes.c_int:  # which is another name of c_long on some systems
        return "int"
    if hasattr(argument, "_dtype_"):  # numpy.ctypeslib.ndpointer
        dtype = argument._dtype_
        return "void *" if dtype is None else f"{'double' if dtype == np.float64 else dtype} *"
    if not isinstance(argument, type):
        return _UNKNOWN
    if issubclass(argument, ctypes._Pointer):
        pointee = _ctypes_name(argument._type_)
        return f"{pointee}*" if pointee.endswith("*") else f"{pointee} *"
    if issubclass(argument, CFuncPtr):
        return "function *"
    # The bases of ctypes' own types have no names there.
    if argument.__module__ == "ctypes":
        plain = argument.__name__.removeprefix("c_").removeprefix("py_")
        return f"{plain.removesuffix('_p')} *" if plain.endswith("_p") else plain
    return argument.__name__ if hasattr(argument, "_fields_") else _UNKNOWN


def find_cffi() -> Any:
    """Return what knows the types of all cffi's pointers; None without any."""
    backend = sys.modules.get("_cffi_backend")
    return None if backend is None else backend.FFI()


def _cffi_pointer(ffi: Any, value: Any) -> Any:
    """Return cffi's pointer to data or a function; None if the value is neither."""
    if isinstance(value, ffi.CData):
        return value
    if isinstance(value, BuiltinFunctionType) and isinstance(
        value.__self__, _class_of("_cffi_backend", "Lib")
    ):
        # A function of a module that cffi compiled, which calls the user's.
        return ffi.addressof(value.__self__, value.__name__)
    return None


def _of_cffi(name: str, ffi: Any, pointer: Any, owner: object) -> Native:
    ctype = ffi.typeof(pointer)
    address = cffi_address(ffi, pointer)
    if ctype.kind == "pointer" and ctype.cname == "void *":
        return Native(_checked(name, address), None, (pointer, owner))
    if ctype.kind != "function":
        raise TypeError(f"{name} must be a pointer to a function, not of cffi's type {ctype.cname}")
    arguments = tuple(argument.cname for argument in ctype.args)
    signature = Signature(ctype.result.cname, (*arguments, "...") if ctype.ellipsis else arguments)
    return Native(_checked(name, address), signature, (pointer, owner))


def cffi_address(ffi: Any, pointer: Any) -> int:
    """Return where a pointer or array of cffi points to."""
    return int(ffi.cast("uintptr_t", pointer))
