"""The oracle: Argonne's own compiled MINPACK, by ctypes.

`Library` puts the same wrappers on any shared library with MINPACK-1's Fortran symbols. A wrapper
copies its arrays, fills pure outputs with a sentinel so that an element the routine leaves alone
shows as such, and returns all outputs. Scratch arrays are not returned.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from ctypes import c_double, c_int32, c_void_p
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]
Integers = NDArray[np.int32]
Fcn = Callable[..., "int | None"]

SENTINEL = -7.25e77
INT_SENTINEL = -77

_DIFFERENCES = ctypes.CFUNCTYPE(None, *[c_void_p] * 5)
_DERIVATIVES = ctypes.CFUNCTYPE(None, *[c_void_p] * 7)


class Qrfac(NamedTuple):
    a: Doubles
    ipvt: Integers
    rdiag: Doubles
    acnorm: Doubles


class Qrsolv(NamedTuple):
    r: Doubles
    x: Doubles
    sdiag: Doubles


class Lmpar(NamedTuple):
    r: Doubles
    par: float
    x: Doubles
    sdiag: Doubles


class Fdjac2(NamedTuple):
    x: Doubles
    fvec: Doubles
    fjac: Doubles
    iflag: int
    own_m: bool


class Fit(NamedTuple):
    """Outputs of lmder and lmdif; `own_m` tells that every fcn call got the caller's own m."""

    x: Doubles
    fvec: Doubles
    fjac: Doubles
    diag: Doubles
    ipvt: Integers
    qtf: Doubles
    info: int
    nfev: int
    njev: int
    own_m: bool


class EasyFit(NamedTuple):
    """Outputs of lmder1; lmdif1 has neither `fjac` nor `ipvt`, which stay empty."""

    x: Doubles
    fvec: Doubles
    fjac: Doubles
    ipvt: Integers
    info: int
    own_m: bool


class Chkder(NamedTuple):
    xp: Doubles
    err: Doubles


def _doubles(values: ArrayLike) -> Doubles:
    return np.array(values, np.float64, order="F")


def _blank(*shape: int) -> Doubles:
    return np.full(shape, SENTINEL, np.float64, order="F")


def _blank_integers(n: int) -> Integers:
    return np.full(n, INT_SENTINEL, np.int32)


def _by_reference(arg: Any) -> Any:
    """Make the one kind of argument Fortran knows: an address."""
    if isinstance(arg, np.ndarray):
        return c_void_p(arg.ctypes.data)
    if isinstance(arg, float):
        return ctypes.byref(c_double(arg))
    if isinstance(arg, int):  # bool too: a LOGICAL is an INTEGER of 0 or 1
        return ctypes.byref(c_int32(arg))
    return ctypes.byref(arg) if isinstance(arg, c_int32 | c_double) else arg


def _window(address: int, size: int) -> Doubles:
    """Return a live view of `size` doubles of the solver's memory."""
    return np.ctypeslib.as_array((c_double * size).from_address(address))


class _Callback:
    """Stands between Fortran and a Python `fcn`.

    `fcn(x, fvec, iflag)`, or `fcn(x, fvec, fjac, iflag)` with derivatives, gets live views of the
    solver's arrays. An int it returns becomes the new iflag. After an exception, which is kept,
    `fcn` is not called again.
    """

    def __init__(self, fcn: Fcn, m: int, derivatives: bool) -> None:
        self.fcn = fcn
        self.m = c_int32(m)
        self.own_m = True
        self.error: BaseException | None = None
        # The function pointer lives as long as this object, hence as long as the solver runs.
        self.pointer: Any = (
            _DERIVATIVES(self._derivatives) if derivatives else _DIFFERENCES(self._differences)
        )

    def _differences(self, m: int, n: int, x: int, fvec: int, iflag: int) -> None:
        size, count = c_int32.from_address(m).value, c_int32.from_address(n).value
        self._call(m, iflag, _window(x, count), _window(fvec, size))

    def _derivatives(
        self, m: int, n: int, x: int, fvec: int, fjac: int, ldfjac: int, iflag: int
    ) -> None:
        size, count = c_int32.from_address(m).value, c_int32.from_address(n).value
        rows = c_int32.from_address(ldfjac).value
        matrix = _window(fjac, rows * count).reshape(count, rows).T[:size]
        self._call(m, iflag, _window(x, count), _window(fvec, size), matrix)

    def _call(self, m: int, iflag: int, *arrays: Doubles) -> None:
        self.own_m &= m == ctypes.addressof(self.m)
        flag = c_int32.from_address(iflag)
        if self.error is not None:
            flag.value = -1
            return
        try:
            answer = self.fcn(*arrays, flag.value)
            if answer is not None:
                flag.value = answer
        except BaseException as error:  # Ctrl-C too must not unwind through Fortran frames
            self.error = error
            flag.value = -1

    def finish(self) -> bool:
        """Raise what the function raised, else tell whether m was always the caller's own."""
        if self.error is not None:
            raise self.error
        return self.own_m


class Library:
    """MINPACK's routines in one shared library, given by name, path or as a CDLL."""

    def __init__(self, library: str | ctypes.CDLL) -> None:
        self.dll = ctypes.CDLL(library) if isinstance(library, str) else library
        self.has_covar = hasattr(self.dll, "covar_")
        for name in ("enorm_", "dpmpar_"):
            if hasattr(self.dll, name):
                getattr(self.dll, name).restype = c_double

    def _call(self, name: str, *args: Any) -> Any:
        # Scalars made here would die before the call if only their addresses were kept.
        references = [_by_reference(arg) for arg in args]
        return getattr(self.dll, name)(*references)

    def enorm(self, x: ArrayLike, n: int | None = None) -> float:
        v = _doubles(x)
        return float(self._call("enorm_", n or v.size, v))

    def dpmpar(self, i: int) -> float:
        return float(self._call("dpmpar_", i))

    def qrfac(self, a: ArrayLike, pivot: bool, m: int | None = None) -> Qrfac:
        """Factor the first `m` rows of `a`, whose own number of rows is lda."""
        a = _doubles(a)
        lda, n = a.shape
        ipvt = _blank_integers(n)
        rdiag, acnorm, wa = _blank(n), _blank(n), _blank(n)
        rows = lda if m is None else m
        self._call("qrfac_", rows, n, a, lda, pivot, ipvt, n, rdiag, acnorm, wa)
        return Qrfac(a, ipvt, rdiag, acnorm)

    def qrsolv(self, r: ArrayLike, ipvt: ArrayLike, diag: ArrayLike, qtb: ArrayLike) -> Qrsolv:
        r, p = _doubles(r), np.array(ipvt, np.int32)
        ldr, n = r.shape
        x, sdiag, wa = _blank(n), _blank(n), _blank(n)
        self._call("qrsolv_", n, r, ldr, p, _doubles(diag), _doubles(qtb), x, sdiag, wa)
        return Qrsolv(r, x, sdiag)

    def lmpar(
        self,
        r: ArrayLike,
        ipvt: ArrayLike,
        diag: ArrayLike,
        qtb: ArrayLike,
        delta: float,
        par: float,
    ) -> Lmpar:
        r, p, d, q = _doubles(r), np.array(ipvt, np.int32), _doubles(diag), _doubles(qtb)
        ldr, n = r.shape
        x, sdiag, wa1, wa2 = (_blank(n) for _ in range(4))
        found = c_double(par)
        self._call("lmpar_", n, r, ldr, p, d, q, float(delta), found, x, sdiag, wa1, wa2)
        return Lmpar(r, found.value, x, sdiag)

    def covar(self, r: ArrayLike, ipvt: ArrayLike, tol: float) -> Doubles:
        """Return `r` overwritten by the covariance matrix."""
        r = _doubles(r)
        ldr, n = r.shape
        self._call("covar_", n, r, ldr, np.array(ipvt, np.int32), float(tol), _blank(n))
        return r

    def chkder(
        self,
        x: ArrayLike,
        fvec: ArrayLike,
        fjac: ArrayLike,
        fvecp: ArrayLike,
        mode: int,
        m: int | None = None,
    ) -> Chkder:
        x, f, j, fp = _doubles(x), _doubles(fvec), _doubles(fjac), _doubles(fvecp)
        xp, err = _blank(x.size), _blank(f.size)
        rows = f.size if m is None else m
        self._call("chkder_", rows, x.size, x, f, j, j.shape[0], xp, fp, mode, err)
        return Chkder(xp, err)

    def fdjac2(
        self,
        fcn: Fcn,
        x: ArrayLike,
        fvec: ArrayLike,
        epsfcn: float,
        ldfjac: int | None = None,
        iflag: int = 0,
    ) -> Fdjac2:
        x, f = _doubles(x), _doubles(fvec)
        rows = f.size if ldfjac is None else ldfjac
        fjac, flag = _blank(rows, x.size), c_int32(iflag)
        call = _Callback(fcn, f.size, derivatives=False)
        head = (call.pointer, call.m, x.size, x, f, fjac, rows, flag)
        self._call("fdjac2_", *head, float(epsfcn), _blank(f.size))
        return Fdjac2(x, f, fjac, flag.value, call.finish())

    def lmder(self, fcn: Fcn, x: ArrayLike, m: int, **options: Any) -> Fit:
        """Call lmder; the options are those of `lmdif` without `epsfcn`."""
        return self._fit("lmder_", fcn, x, m, None, **options)

    def lmdif(self, fcn: Fcn, x: ArrayLike, m: int, *, epsfcn: float = 0.0, **options: Any) -> Fit:
        return self._fit("lmdif_", fcn, x, m, epsfcn, **options)

    def _fit(
        self,
        name: str,
        fcn: Fcn,
        x: ArrayLike,
        m: int,
        epsfcn: float | None,
        *,
        ftol: float = 1.49012e-8,
        xtol: float = 1.49012e-8,
        gtol: float = 0.0,
        maxfev: int = 1000,
        diag: ArrayLike | None = None,
        mode: int = 1,
        factor: float = 100.0,
        nprint: int = 0,
        ldfjac: int | None = None,
    ) -> Fit:
        x = _doubles(x)
        n, rows = x.size, m if ldfjac is None else ldfjac
        # Improper sizes are refused by the solver itself, after it was given room for them.
        fvec, fjac = _blank(max(m, 0)), _blank(max(rows, m, 0), n)
        scales = _blank(n) if diag is None else _doubles(diag)
        ipvt, qtf = _blank_integers(n), _blank(n)
        info, nfev, njev = c_int32(INT_SENTINEL), c_int32(INT_SENTINEL), c_int32(0)
        work = [_blank(n), _blank(n), _blank(n), _blank(max(m, 0))]
        call = _Callback(fcn, m, derivatives=epsfcn is None)
        stop = (float(ftol), float(xtol), float(gtol), maxfev)
        scaling = (scales, mode, float(factor), nprint)
        head: tuple[Any, ...]
        if epsfcn is None:
            head = (call.pointer, call.m, n, x, fvec, fjac, rows, *stop, *scaling)
            self._call(name, *head, info, nfev, njev, ipvt, qtf, *work)
        else:
            head = (call.pointer, call.m, n, x, fvec, *stop, float(epsfcn), *scaling)
            self._call(name, *head, info, nfev, fjac, rows, ipvt, qtf, *work)
        counts = (info.value, nfev.value, njev.value)
        return Fit(x, fvec, fjac, scales, ipvt, qtf, *counts, call.finish())

    def lmder1(
        self,
        fcn: Fcn,
        x: ArrayLike,
        m: int,
        tol: float,
        ldfjac: int | None = None,
        lwa: int | None = None,
    ) -> EasyFit:
        x = _doubles(x)
        n, rows = x.size, m if ldfjac is None else ldfjac
        fvec, fjac, ipvt = _blank(max(m, 0)), _blank(max(rows, m, 0), n), _blank_integers(n)
        info, size = c_int32(INT_SENTINEL), 5 * n + m if lwa is None else lwa
        call, wa = _Callback(fcn, m, derivatives=True), _blank(5 * n + max(m, 0))
        head = (call.pointer, call.m, n, x, fvec, fjac, rows, float(tol))
        self._call("lmder1_", *head, info, ipvt, wa, size)
        return EasyFit(x, fvec, fjac, ipvt, info.value, call.finish())

    def lmdif1(self, fcn: Fcn, x: ArrayLike, m: int, tol: float, lwa: int | None = None) -> EasyFit:
        x = _doubles(x)
        n = x.size
        room = m * n + 5 * n + m
        fvec, wa, info = _blank(max(m, 0)), _blank(max(room, 0)), c_int32(INT_SENTINEL)
        call, size = _Callback(fcn, m, derivatives=False), room if lwa is None else lwa
        head = (call.pointer, call.m, n, x, fvec, float(tol))
        self._call("lmdif1_", *head, info, _blank_integers(n), wa, size)
        return EasyFit(x, fvec, _blank(0, 0), _blank_integers(0), info.value, call.finish())


# Where every processor can fuse a product and a sum, compilers make it of them unless they are told
# not to. Nobody told those of the installed libraries, which so round once where the algorithm, and
# minpack/ everywhere, rounds twice.
FUSED = platform.machine() not in ("x86_64", "AMD64")
FUSED_REASON = f"on {platform.machine()} the libraries fuse products and sums"


def _load(name: str, package: str) -> tuple[Library | None, str]:
    if FUSED:
        return None, FUSED_REASON
    try:
        return Library(name), ""
    except OSError:
        return None, f"{name} is not installed (Debian: {package})"


ARGONNE, REASON = _load("libminpack.so.1", "libminpack1")
AVAILABLE = ARGONNE is not None
CMINPACK, CMINPACK_REASON = _load("libcminpack.so.1", "libcminpack1")


def _nan_loses() -> bool:
    """Whether lmpar gives up a par of NaN for the lower bound, which here is 99; the upper is 100.

    What Fortran's max and min make of a NaN is the compiler's choice, and it has changed.
    """
    if ARGONNE is None:
        return False
    found = ARGONNE.lmpar([[1.0]], [1], [1.0], [1.0], 0.01, np.nan)
    return found.par == 99.0


NAN_LOSES = _nan_loses()
NAN_REASON = REASON or "in this build of Argonne's library a NaN may be the larger of two numbers"


def may_meet_nan(*numbers: ArrayLike) -> bool:
    """Whether products of such numbers may leave the range, where that makes another fit of it.

    What is not finite itself does not: MINPACK shortens its step.
    """
    if NAN_LOSES:
        return False
    sizes = np.abs(np.concatenate([np.ravel(each).astype(np.float64) for each in numbers]))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    return bool(((sizes < 1e-75) | (sizes > 1e75)).any())


def cminpack_covar(r: ArrayLike, ipvt: ArrayLike, tol: float) -> Doubles:
    """Return `r` overwritten by the covariance matrix, by cminpack's C interface.

    Argonne's library as Debian builds it has no covar; cminpack keeps its arithmetic.
    """
    assert CMINPACK is not None, CMINPACK_REASON
    r, p = _doubles(r), np.array(ipvt, np.int32)
    ldr, n = r.shape
    room = _blank(n)
    pointers = [c_void_p(array.ctypes.data) for array in (r, p, room)]
    CMINPACK.dll.covar(
        c_int32(n), pointers[0], c_int32(ldr), pointers[1], c_double(tol), pointers[2]
    )
    return r


def _default_epsfcn(first: Any) -> float:
    dtype = np.asarray(first).dtype
    known = dtype in (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64))
    return float(np.finfo(dtype if known else np.float64).eps)


def argonne_leastsq(
    func: Callable[..., Any],
    x0: ArrayLike,
    args: tuple[Any, ...] = (),
    Dfun: Callable[..., Any] | None = None,
    col_deriv: bool | int = 0,
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    maxfev: int = 0,
    epsfcn: float | None = None,
    factor: float = 100.0,
    diag: ArrayLike | None = None,
) -> dict[str, Any]:
    """Solve as `scipy.optimize.leastsq` would, with Argonne's library.

    `func` is called once more than `nfev` says, to learn the number of residuals.
    """
    assert ARGONNE is not None, REASON
    x = np.array(x0, np.float64).ravel()
    first = func(x.copy(), *args)
    m, n = np.size(first), x.size

    def differences(x: Doubles, fvec: Doubles, iflag: int) -> None:
        fvec[:] = np.asarray(func(x.copy(), *args), np.float64)

    def derivatives(x: Doubles, fvec: Doubles, fjac: Doubles, iflag: int) -> None:
        if iflag != 2:
            differences(x, fvec, iflag)
            return
        assert Dfun is not None
        j = np.asarray(Dfun(x.copy(), *args), np.float64)
        fjac[:] = j.T if col_deriv else j.reshape(m, n)

    budget = maxfev if maxfev > 0 else (200 if Dfun is None else 100) * (n + 1)
    mode = 1 if diag is None else 2
    options: dict[str, Any] = {"ftol": ftol, "xtol": xtol, "gtol": gtol, "maxfev": budget}
    options |= {"factor": factor, "diag": diag, "mode": mode}
    if Dfun is None:
        eps = _default_epsfcn(first) if epsfcn is None else epsfcn
        fit = ARGONNE.lmdif(differences, x, m, epsfcn=eps, **options)
    else:
        fit = ARGONNE.lmder(derivatives, x, m, **options)
    assert fit.own_m
    shared = {"x": fit.x, "fvec": fit.fvec, "fjac": fit.fjac.T.copy(), "ipvt": fit.ipvt}
    return {**shared, "qtf": fit.qtf, "nfev": fit.nfev, "njev": fit.njev, "ier": fit.info}
