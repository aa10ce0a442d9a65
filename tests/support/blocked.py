"""The blocked factorisation by ctypes, in every instruction set this machine can run."""

from __future__ import annotations

import ctypes
import platform
from ctypes import c_double, c_int32, c_int64, c_void_p
from pathlib import Path
from typing import NamedTuple

import numpy as np
from argonne import Doubles, Integers

NEEDED = {"baseline": set(), "avx2": {"avx2", "fma"}, "avx512": {"avx512f", "avx512dq", "avx512vl"}}


def _processor_flags() -> set[str]:
    info = Path("/proc/cpuinfo")
    if platform.machine() not in ("x86_64", "AMD64") or not info.exists():
        return set()
    flags = [line for line in info.read_text().splitlines() if line.startswith("flags")]
    return set(flags[0].split()) if flags else set()


# By name, the number that the routines take.
RUNNABLE = {
    name: number
    for number, (name, needed) in enumerate(NEEDED.items())
    if needed <= _processor_flags()
}


class Factors(NamedTuple):
    """R of J*P = Q*R with zeros below, the permutation from 0, and what comes with them."""

    r: Doubles
    pivots: Integers
    rdiag: Doubles
    acnorm: Doubles
    qtf: Doubles


class Damped(NamedTuple):
    r: Doubles
    x: Doubles
    sdiag: Doubles


def _address(a: Doubles | Integers, offset: int = 0) -> c_void_p:
    return c_void_p(a.ctypes.data + offset)


class Blocked:
    """The routines of one instruction set; `rubbish` fills the workspace beforehand."""

    def __init__(self, dll: ctypes.CDLL, isa: int, rubbish: float = np.nan) -> None:
        self.dll, self.isa, self.rubbish = dll, c_int32(isa), rubbish

    def lead(self, n: int) -> int:
        """Return the leading dimension of a triangle."""
        return int(self.dll.qr_lead(c_int32(n)))

    def _work(self, n: int) -> Doubles:
        self.dll.qr_spare.restype = c_int64
        return np.full(self.dll.qr_spare(c_int32(n)), self.rubbish)

    def _call(self, routine: str, *args: object) -> None:
        getattr(self.dll, f"qr_{routine}")(self.isa, *args)

    def chunk(self, n: int, rows: int) -> tuple[int, int]:
        """Return how many rows to pack at a time if not fewer than `rows`, and their memory."""
        whole, size = c_int32(rows), c_int64()
        self.dll.qr_chunk(c_int32(n), ctypes.byref(whole), ctypes.byref(size))
        return whole.value, size.value

    def block(self, n: int) -> int:
        """Return how many rows are reduced at a time."""
        return self.chunk(n, 1)[0]

    def tall(self, a: Doubles, f: Doubles, portion: int | None = None) -> Doubles:
        """Return R and Q'*f, as columns of one array with `lead(n)` rows.

        The rows are read where they are; with `portion` so many at a time, from a copy.
        """
        m, n = a.shape
        r = np.full((self.lead(n), n + 1), self.rubbish, order="F")
        work, f = self._work(n), np.ascontiguousarray(f)
        triangle = _address(r), _address(work)
        self.dll.qr_start(c_int32(n), *triangle)
        for start in range(0, m, portion or m):
            rows, residuals = a[start : start + (portion or m)], f[start:]
            size = c_int32(rows.shape[0]), c_int32(n)
            strides = (c_int64 * 2)(*(stride // 8 for stride in a.strides))
            # The lowest address: where an index with a negative stride is at its end.
            low = sum(min(0, (k - 1) * s) for k, s in zip(rows.shape, a.strides, strict=True))
            given = *size, _address(rows, low), strides, _address(residuals)
            if portion is None:
                self._call("rows", *given, *triangle)
                continue
            blocks = np.full(self.chunk(n, rows.shape[0])[1], self.rubbish)
            self._call("pack", *given, _address(blocks))
            self._call("reduce", *size, _address(blocks), *triangle)
        self.dll.qr_end(c_int32(n), *triangle)
        return r

    def differences(self, points: Doubles, f: Doubles) -> Doubles:
        """Return what `tall` returns for the columns of `points` less f."""
        m, n = points.shape
        r, work = np.full((self.lead(n), n + 1), self.rubbish, order="F"), self._work(n)
        columns = [column.copy() for column in points.T]
        addresses = (c_void_p * n)(*(column.ctypes.data for column in columns))
        triangle = _address(r), _address(work)
        self.dll.qr_start(c_int32(n), *triangle)
        self._call("differences", c_int32(m), c_int32(n), addresses, _address(f), *triangle)
        self.dll.qr_end(c_int32(n), *triangle)
        return r

    def norm(self, x: Doubles) -> float:
        self.dll.qr_norm.restype = c_double
        return float(self.dll.qr_norm(self.isa, c_int32(x.size), _address(x)))

    def triangle(self, r: Doubles) -> Factors:
        """Factor what `tall` returns."""
        n = r.shape[1] - 1
        r, work = r.copy(order="F"), self._work(n)
        qtf, ipvt = r[:n, n].copy(), np.full(n, -77, np.int32)
        rdiag, acnorm = np.full(n, self.rubbish), np.full(n, self.rubbish)
        self._call("triangle", c_int32(n), _address(r), _address(qtf), _address(ipvt),
                   _address(rdiag), _address(acnorm), _address(work))  # fmt: skip
        return Factors(r[:n, :n], ipvt - 1, rdiag, acnorm, qtf)

    def factor(self, a: Doubles, f: Doubles) -> Factors:
        return self.triangle(self.tall(a, f))

    def damped(self, r: Doubles, ipvt: Integers, diag: Doubles, qtb: Doubles) -> Damped:
        """Solve with the first n rows of `r`; those of the result are as many."""
        n = r.shape[1]
        room = np.full((self.lead(n), n), self.rubbish, order="F")
        room[:n] = r[:n]
        x, sdiag, work = qtb.copy(), np.full(n, self.rubbish), self._work(n)
        self._call("damped", c_int32(n), _address(room), _address(ipvt), _address(diag),
                   _address(x), _address(sdiag), _address(work))  # fmt: skip
        return Damped(room[:n], x, sdiag)
