"""Time the blocked factorisation against MINPACK's qrfac and qrsolv, and NumPy's QR.

usage: factorisation.py LIBRARY [MxN...]

LIBRARY is build/vendored/tests/native/libminpack_own.so, which ./dev test builds. Prints for each
shape the least time of interleaved repeats, GFlop/s with the count 2*m*n**2 - 2/3*n**3, and ratios:
how many times faster than Debian's libminpack1, and than numpy.linalg.qr(mode="r") in one thread.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

import argonne
import numpy as np
from blocked import RUNNABLE, Blocked

SHAPES = ["1000000x5", "1000000x10", "200000x50", "600x200", "1500x500", "2000x500", "4000x1000"]
BUDGET = 4.0  # seconds a shape


def least_times(routines: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Run all in turn until the budget is used up; return the least time of each."""
    least = dict.fromkeys(routines, np.inf)
    end, rounds = time.perf_counter() + BUDGET, 0
    while rounds < 3 or (time.perf_counter() < end and rounds < 200):
        for name, routine in routines.items():
            begin = time.perf_counter()
            routine()
            least[name] = min(least[name], time.perf_counter() - begin)
        rounds += 1
    return least


def report(library: argonne.Library, m: int, n: int) -> None:
    rng = np.random.default_rng(0)
    rows, f = rng.normal(size=(m, n)), rng.normal(size=m)
    columns = np.asfortranarray(rows)
    routines: dict[str, Callable[[], object]] = {"numpy": lambda: np.linalg.qr(rows, mode="r")}
    if argonne.ARGONNE is not None:
        theirs = argonne.ARGONNE
        # The wrapper copies the matrix first; that time is taken off.
        routines["qrfac"] = lambda: theirs.qrfac(columns, True)
        routines["copy"] = lambda: np.array(columns, order="F")
    for name, isa in RUNNABLE.items():
        own = Blocked(library.dll, isa)
        routines[f"{name} C"] = lambda own=own: own.factor(rows, f)
        routines[f"{name} F"] = lambda own=own: own.factor(columns, f)
        routines[f"{name} C, no pivots"] = lambda own=own: own.tall(rows, f)
    least = least_times(routines)
    reference = least["qrfac"] - least.pop("copy") if "qrfac" in least else np.nan
    for name, seconds in least.items():
        flops = 2.0 * m * n**2 - 2 / 3 * n**3
        print(f"{m:>8} x {n:<5} {name:24} {seconds * 1e3:10.3f} ms {flops / seconds * 1e-9:7.2f}"
              f" GFlop/s  qrfac/it {reference / seconds:6.2f}"
              f"  numpy/it {least['numpy'] / seconds:6.2f}", flush=True)  # fmt: skip


def report_damped(library: argonne.Library, n: int) -> None:
    rng = np.random.default_rng(0)
    r = np.asfortranarray(np.linalg.qr(rng.normal(size=(2 * n, n)), mode="r"))
    d, qtb, ipvt = rng.random(n), rng.normal(size=n), np.arange(1, n + 1, dtype=np.int32)
    routines: dict[str, Callable[[], object]] = {
        "qrsolv": lambda: library.qrsolv(r, ipvt, d, qtb),
    }
    for name, isa in RUNNABLE.items():
        own = Blocked(library.dll, isa)
        routines[name] = lambda own=own: own.damped(r, ipvt, d, qtb)
    for name, seconds in (least := least_times(routines)).items():
        print(f"damped {n:>5} {name:10} {seconds * 1e3:10.3f} ms"
              f"  qrsolv/it {least['qrsolv'] / seconds:6.2f}", flush=True)  # fmt: skip


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    library = argonne.Library(sys.argv[1])
    for shape in sys.argv[2:] or SHAPES:
        report(library, *(int(size) for size in shape.split("x")))
    if len(sys.argv) == 2:
        for n in (20, 40, 60, 100, 200, 500, 1000):
            report_damped(library, n)


if __name__ == "__main__":
    main()
