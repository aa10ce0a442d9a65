"""What a fit by blocks can end with: rows as in leak_scenarios.py, for the same users."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from leak_scenarios import (
    FOUND,
    MATRIX,
    Function,
    Scenario,
    curve,
    fitting,
    jacobian,
    linear,
    linear_array,
    returning,
)
from wrappers import raising_in


def blocked() -> Iterator[Scenario]:
    """Small fits, with every ending."""

    def by_blocks(name: str, expected: Any, func: Any, *watched: Any, **options: Any) -> Scenario:
        return fitting(f"{name}, by blocks", expected, func, *watched, qr="blocked", **options)

    func, dfun = Function(linear), Function(jacobian)
    trouble = ZeroDivisionError("trouble")
    bad = raising_in(trouble, "__call__")
    for full_output in (False, True):
        yield by_blocks("differences", FOUND, func, full_output=full_output)
        yield by_blocks("Dfun", FOUND, func, Dfun=dfun, full_output=full_output)
        improper = 0 if full_output else TypeError
        yield by_blocks("ftol < 0", improper, func, ftol=-1.0, full_output=full_output)
    across = Function(lambda x: MATRIX.T)
    yield by_blocks("col_deriv", FOUND, func, Dfun=across, col_deriv=True, full_output=True)
    lists = Function(lambda x: MATRIX.tolist())
    yield by_blocks("lists", FOUND, func, Dfun=lists, full_output=True)
    yield by_blocks("maxfev", 5, Function(curve), maxfev=2, full_output=True)
    for at in (1, 2, 4):
        yield by_blocks("func raises", ZeroDivisionError, Function(linear, bad, at), trouble)
    for at in (1, 2):
        raising = Function(jacobian, bad, at)
        yield by_blocks("Dfun raises", ZeroDivisionError, func, trouble, Dfun=raising)
        shape = Function(jacobian, returning(MATRIX.T), at)
        yield by_blocks("shape", TypeError, func, Dfun=shape)
        numbers = Function(jacobian, returning("123"), at)
        yield by_blocks("no numbers", TypeError, func, Dfun=numbers)
        spoilt = Function(jacobian, returning(MATRIX * np.nan), at)
        yield by_blocks("NaN in Dfun", 9, func, Dfun=spoilt, full_output=True)
    yield by_blocks("another size", ValueError, Function(linear, returning([1.0]), 3))
    yield by_blocks("NaN at x0", 9, Function(returning([np.nan] * 3)), full_output=True)
    broken = Function(linear, returning([np.nan] * 3), 2)
    yield by_blocks("NaN in a difference", 9, broken, full_output=True)
    yield fitting("no such way", ValueError, func, qr="lapack")


def small_successes() -> list[Scenario]:
    """Fits whose every allocation may fail."""
    array = Function(linear_array)
    dfun, transposed = Function(jacobian), Function(lambda x: MATRIX.T.tolist())
    options = {"qr": "blocked", "full_output": True}
    return [
        fitting("blocks, differences", FOUND, array, **options),
        fitting("blocks, Dfun", FOUND, array, Dfun=dfun, **options),
        fitting("blocks, lists", FOUND, array, Dfun=transposed, col_deriv=True, qr="blocked"),
        large(),
    ]


def large_problem(m: int = 850, n: int = 50) -> tuple[Any, Any]:
    """Return a matrix whose factorisation is worth the GIL's release, and its target."""
    rng = np.random.default_rng(m)
    matrix = rng.normal(size=(m, n))
    return matrix, matrix @ np.ones(n)


def large() -> Scenario:
    matrix, target = large_problem()
    # The operator of NumPy 2.2 loses the MemoryError.
    func, dfun = Function(lambda x: matrix.dot(x) - target), Function(lambda x: matrix)
    return fitting("blocks, large", FOUND, func, Dfun=dfun, x0=np.zeros(50), qr="blocked")


def larger() -> Iterator[Scenario]:
    """Fits of sizes where all of the code for blocks takes part."""
    for m, n in ((600, 7), (120, 60), (850, 50), (65, 64)):
        matrix, target = large_problem(m, n)
        for rank in (n, n // 2):
            low = matrix.copy()
            low[:, rank:] = 0.0
            func = Function(lambda x, a=low, t=target: a @ x - t)
            dfun = Function(lambda x, a=low: a)
            given = {"x0": np.zeros(n), "qr": "blocked", "full_output": True}
            yield fitting(f"{m} by {n}, rank {rank}", FOUND, func, Dfun=dfun, **given)
            yield fitting(f"{m} by {n}, differences", (*FOUND, 5), func, maxfev=2 * n, **given)


class Meddler:
    """Another thread, which does something to each array that it is given."""

    def __init__(self, meddle: Callable[[Any], Any]) -> None:
        self.meddle = meddle
        self.arrays: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.done: queue.SimpleQueue[None] = queue.SimpleQueue()
        threading.Thread(target=self.work, daemon=True).start()

    def work(self) -> None:
        while True:
            self.meddle(self.arrays.get())
            self.done.put(None)


def _reshape(a: Any) -> None:
    a.shape = a.shape[::-1]


MEDDLING: dict[str, Callable[[Any], Any]] = {
    "shrink": lambda a: a.resize((a.shape[0] // 2, a.shape[1]), refcheck=False),
    "grow": lambda a: a.resize((a.shape[0] * 2, a.shape[1]), refcheck=False),
    "empty": lambda a: a.resize((0,), refcheck=False),
    "reshape": _reshape,
    "flatten": lambda a: setattr(a, "shape", (a.size,)),
    "raise the dimension": lambda a: setattr(a, "shape", (*a.shape, 1)),
    "retype": lambda a: setattr(a, "dtype", np.int64),
    "complex": lambda a: setattr(a, "dtype", np.complex128),
    "swap bytes": lambda a: setattr(a, "dtype", ">f8"),
    "restore": lambda a: a.__setstate__(np.ones(a.shape).__reduce__()[2]),
    "restore a vector": lambda a: a.__setstate__(np.ones(3).__reduce__()[2]),
    "restore a number": lambda a: a.__setstate__(np.array(1.0).__reduce__()[2]),
    "restore objects": lambda a: a.__setstate__(np.array([None] * 9).__reduce__()[2]),
    "overwrite": lambda a: a.fill(0.5),
    "make a number of it": lambda a: a.resize((), refcheck=False),
}


def meddling(name: str) -> Scenario:
    """Return a fit whose Jacobian another thread changes while it is read."""
    matrix, target = large_problem()
    meddler: list[Meddler] = []

    def dfun(x: Any) -> Any:
        if not meddler:
            meddler.append(Meddler(MEDDLING[name]))
        jacobian = matrix.copy()
        meddler[0].arrays.put(jacobian)
        return jacobian

    slope = Function(dfun)
    expected = (TypeError, ValueError, 1, 2, 3, 4, 5, 9)
    func = Function(lambda x: matrix @ x - target)
    options = {"x0": np.zeros(50), "qr": "blocked", "maxfev": 2}
    fit = fitting(name, expected, func, Dfun=slope, **options)

    def once() -> Any:
        try:
            return fit.once()
        finally:
            for _ in range(slope.calls):
                meddler[0].done.get()

    return Scenario(name, expected, once, fit.watched)


def changed() -> Iterator[Scenario]:
    for name in ("shrink", "reshape", "restore"):
        yield meddling(name)
