"""`compiled`: functions in machine code for `leastsq`, with the memory that they read."""

from __future__ import annotations

import ctypes
import re
import sys
from _ctypes import CFuncPtr
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._messages import type_of
from .native import COMBINED, Native, cffi_address, find_cffi, native_function, wrong_signature

if TYPE_CHECKING:
    from typing import SupportsIndex

    from .._core import Compiled

_MOST_RESIDUALS = 2**31 - 1  # MINPACK counts in a C int

_WHAT = (
    "data must be None, real numbers, an object with the buffer protocol such as an array, "
    "or a pointer of ctypes or cffi"
)


def compiled(
    fcn: object,
    m: SupportsIndex,
    jac: object = None,
    data: object = None,
    *,
    k: SupportsIndex | None = None,
) -> Compiled:
    """
    Take a compiled function for residuals, and perhaps their Jacobian.

    `leastsq` takes the result in place of a Python function, and then runs without the GIL. The
    signatures are those of C's MINPACK, cminpack::

        int fcn(void *p, int m, int n, const double *x, double *fvec, int iflag)
        int fcn(void *p, int m, int n, const double *x, double *fvec,
                double *fjac, int ldfjac, int iflag)

    The first writes the `m` residuals at `x` to `fvec`. The second does so if `iflag` is 1; if it
    is 2 it writes the Jacobian to `fjac`, df_i/dx_j to ``fjac[i + j*ldfjac]``, and leaves `fvec`
    alone. `p` is the address of `data`. A negative result stops the fit.

    Parameters
    ----------
    fcn : ctypes or cffi function, numba.cfunc, PyCapsule, scipy.LowLevelCallable or int
        The function, or its address. Its types are checked where they are known: by cffi and numba,
        in ctypes with ``argtypes``, in a capsule if its name is a C signature.
    m : int
        The number of residuals.
    jac : bool or function, optional
        None: `fcn` gives the Jacobian if it is known to have the second signature. True: it has
        the second signature. False: no Jacobian is wanted of it. A function of the second
        signature, in any form: it gives the Jacobian, being called with `iflag` 2 alone, and `fcn`
        the residuals; if both are the same function it gives both.
    data : optional
        What `p` points to. None: it is NULL. An array, bytes, a ctypes structure or array or
        anything else with the buffer protocol: its memory as it is, C-contiguous, and not copied.
        A list, tuple or float: its numbers as float64. A pointer of ctypes or cffi, or a capsule:
        where it points to. If None, the `user_data` of `fcn` if that is a LowLevelCallable.
    k : int, optional
        How many float64 the functions read at `p`. Shorter data are then refused.

    Returns
    -------
    Compiled
        ``c(x)`` returns the residuals at `x`, shape (m,), and ``c.jacobian(x)`` the Jacobian,
        shape (m, n); a RuntimeError says that the function returned a negative number. The
        attributes `m`, `has_jacobian`, `data` and `k` tell what it was made of. It keeps the
        function and `data` alive, cannot be changed, and cannot be pickled.

    Raises
    ------
    TypeError
        If `fcn` or `jac` is no compiled function or has another signature, or if `data` are
        nothing that has an address.
    ValueError
        If an address is no address, `m` is out of range, or `data` are too short, not contiguous,
        not aligned, or not in the byte order of the machine.

    Notes
    -----
    Called for residuals alone, a function of the second signature gets NULL for `fjac`. The
    function may run in several threads at once, where fits do; with a ``ctypes.CFUNCTYPE`` made of
    Python code each call takes the GIL. `p` is not const: a function that writes there writes to
    `data`, even if that is read-only in Python.

    Examples
    --------
    Mostly the function is written in C, Fortran or for numba. Here ctypes makes one of Python:

    >>> import ctypes
    >>> import numpy as np
    >>> from pyminpack import compiled
    >>> doubles = ctypes.POINTER(ctypes.c_double)
    >>> c_int = ctypes.c_int
    >>> @ctypes.CFUNCTYPE(c_int, doubles, c_int, c_int, doubles, doubles, c_int)
    ... def line(p, m, n, x, fvec, iflag):
    ...     for i in range(m):
    ...         fvec[i] = x[0] + x[1] * i - p[i]
    ...     return 0
    >>> residuals = compiled(line, 3, data=np.array([1.0, 3.0, 5.0]))
    >>> residuals([1.0, 1.0])
    array([ 0., -1., -2.])
    >>> residuals
    <Compiled: m=3, no Jacobian, data of 24 bytes, k=None>
    """
    size = _number("m", m, 1, _MOST_RESIDUALS)
    count = None if k is None else _number("k", k, 0, sys.maxsize // 8)
    function = native_function("fcn", fcn)
    residual, combined, jacobian, owners = _resolve_functions(function, jac)
    own = function.user_data if data is None else None
    kept, memory = own or _memory_of(data)
    return _core.Compiled(residual, combined, jacobian, size, memory, kept, count, owners)


def _number(name: str, value: Any, least: int, most: int) -> int:
    number = _core.read_integer(name, value)
    if not least <= number <= most:
        raise ValueError(f"{name} must be from {least} to {most}, not {number}")
    return number


def _resolve_functions(function: Native, jac: object) -> tuple[int, int, int, object]:
    """Return the addresses for residuals, for residuals by iflag, for Jacobians, and the owners."""
    address = function.address
    is_combined = function.is_combined("fcn")
    if jac is None or isinstance(jac, (bool, np.bool_)):
        if is_combined is None:
            is_combined = bool(jac)
        if jac and not is_combined:
            raise wrong_signature("fcn", function.signature, [f"{COMBINED}\nto have a Jacobian"])
        if not is_combined:
            return address, 0, 0, function.owner
        return 0, address, address if jac is None or jac else 0, function.owner

    derivatives = native_function("jac", jac)
    if derivatives.is_combined("jac") is False:
        raise wrong_signature("jac", derivatives.signature, [COMBINED])
    owners = (function.owner, derivatives.owner)
    if is_combined is None:
        is_combined = address == derivatives.address
    elif not is_combined and address == derivatives.address:
        raise wrong_signature("jac", function.signature, [COMBINED])
    if is_combined:
        return 0, address, derivatives.address, owners
    return address, 0, derivatives.address, owners


def _memory_of(data: Any) -> tuple[object, object]:
    """Return the data to be kept, and an address or what has the buffer protocol, or None."""
    if data is None:
        return None, None
    if isinstance(data, (bool, int, np.bool_, np.integer)):
        raise TypeError(
            f"{_WHAT}, not the integer {data}: write {data}.0 for a number, and "
            f"ctypes.c_void_p({data}) for an address"
        )
    if isinstance(data, (float, np.floating, list, tuple)):
        numbers = _core.real_array("data", data, True)
        return numbers, numbers
    pointers = (ctypes._Pointer, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_wchar_p)
    if isinstance(data, pointers):
        return data, _not_null(ctypes.cast(data, ctypes.c_void_p).value)
    if (capsule := _core.read_capsule(data)) is not None:
        return data, capsule[0]
    if (ffi := find_cffi()) is not None and isinstance(data, ffi.CData):
        return data, _cffi_memory(ffi, data)
    check_buffer(data)
    return data, data


def _not_null(address: int | None) -> int:
    if not address:
        raise ValueError("data are a null pointer; None says that there are none")
    return address


def _cffi_memory(ffi: Any, data: Any) -> object:
    ctype = ffi.typeof(data)
    if ctype.kind == "array":  # which has a size
        return ffi.buffer(data)
    if ctype.kind in ("struct", "union"):
        data = ffi.addressof(data)
    elif ctype.kind != "pointer":
        raise TypeError(f"{_WHAT}, not of cffi's type {ctype.cname}")
    return _not_null(cffi_address(ffi, data))


def check_buffer(data: Any) -> None:
    """Refuse what C could not make sense of."""
    if isinstance(data, (str, CFuncPtr)):
        raise TypeError(f"{_WHAT}, not of type {type_of(data)}")
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError("data must not be masked: C sees no mask; give data.filled(...)")
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f"{_WHAT}, not of type {type_of(data)}") from None
    except ValueError as error:  # of NumPy, for dates
        raise TypeError(f"data have no memory for C ({error}); view them as int64") from error
    with view:
        if not view.c_contiguous:
            raise ValueError("data must be C-contiguous; give numpy.ascontiguousarray(data)")
        # The names of the members of a structure stand between colons.
        types = re.sub(":[^:]*:", "", view.format)
    if "O" in types:
        raise TypeError("data are Python objects, and C reads numbers; give data.astype(float)")
    if ("<" if sys.byteorder == "big" else ">") in types or "!" in types:
        raise ValueError(
            "data are not in the byte order of this machine; give "
            "data.astype(data.dtype.newbyteorder('='))"
        )
