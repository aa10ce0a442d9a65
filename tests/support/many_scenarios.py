"""What many fits can end with: rows as in leak_scenarios.py, for the same users."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from leak_scenarios import FOUND, MATRIX, Function, Object, Scenario, is_watchable, returning
from wrappers import ArrayLike, Sequence, Subclass, raising_in

from pyminpack import _core, leastsq_many

STARTS = np.array([[1.0, 1.0], [2.0, -1.0], [0.0, 5.0]])


class Vectorised(Function):
    """A function of (X, index) that does something else at one of the calls."""

    def __call__(self, X: Any, index: Any, *args: Any) -> Any:
        return super().__call__(X)


def linear(X: Any) -> Any:
    return np.stack([X[:, 0] - 3.0, X[:, 1] - 2.0, X[:, 0] + X[:, 1]], axis=1)


def curve(X: Any) -> Any:
    return np.stack([10.0 * (X[:, 1] - X[:, 0] ** 2), 0.25 - X[:, 0], X[:, 1]], axis=1)


def jacobian(X: Any) -> Any:
    return np.broadcast_to(MATRIX, (len(X), 3, 2))


def making(name: str, expected: Any, func: Any, *watched: Any, **options: Any) -> Scenario:
    """Return the scenario of a call of leastsq_many; everything handed to it is watched."""
    given = {"x0": STARTS, "args": (Object(),), "chunk_size": 2, "cov_x": True, **options}
    functions = [f for f in (func, given.get("Dfun")) if isinstance(f, Function)]

    def once() -> Any:
        for function in functions:
            function.calls = 0
        fits = leastsq_many(func, **given)
        return fits.x, fits.nfev, fits.njev, fits.fnorm, fits.cov_x, int(fits.ier[-1])

    parts = [part for f in functions for part in (f.usual, f.unusual)]
    watched = (func, *parts, *given.values(), *given["args"], *watched)
    return Scenario(name, expected, once, tuple(w for w in watched if is_watchable(w)))


def many() -> Iterator[Scenario]:
    """Success and every kind of failure, in differences and with a Jacobian."""
    func, dfun = Vectorised(linear), Vectorised(jacobian)
    for qr in ("minpack", "blocked"):
        yield making(f"differences, {qr}", FOUND, func, qr=qr)
        yield making(f"Dfun, {qr}", FOUND, func, Dfun=dfun, qr=qr)
        yield making(f"maxfev, {qr}", 5, Vectorised(curve), maxfev=2, qr=qr)
    across = Vectorised(lambda X: jacobian(X).transpose(0, 2, 1))
    yield making("col_deriv", FOUND, func, Dfun=across, col_deriv=True)
    tables = {"diag": np.ones((3, 2)), "weights": np.ones((3, 3), bool)}
    yield making("diag and weights", FOUND, func, **tables)
    forms: list[Any] = [np.ndarray.tolist, ArrayLike, Sequence, lambda v: v.view(Subclass)]
    for form in [*forms, lambda v: v.astype(object), lambda v: v.astype(">f8")]:
        yield making("a form", FOUND, Vectorised(lambda X, f=form: f(linear(X))), epsfcn=1e-12)
    yield making("progress", FOUND, func, progress=Function(returning(None)).usual)
    yield making("NaN at x0", 9, Vectorised(lambda X: linear(X) * np.nan))
    yield making("NaN in Dfun", 9, func, Dfun=Vectorised(lambda X: jacobian(X) * np.nan))
    nan = Vectorised(linear, lambda X: linear(X) * np.nan, at=3)
    yield making("NaN at a trial", (*FOUND, 9), nan, Dfun=dfun)
    for at in (1, 2, 5):
        trouble = ZeroDivisionError("trouble")
        bad = raising_in(trouble, "__call__")
        yield making("func raises", ZeroDivisionError, Vectorised(linear, bad, at), trouble)
        raising = Vectorised(jacobian, bad, min(at, 3))
        yield making("Dfun raises", ZeroDivisionError, func, trouble, Dfun=raising)
        for value in (np.ones((7, 7)), np.ones(3), 1j, None):
            wrong = Vectorised(linear, returning(value), at)
            yield making("no residuals", (TypeError, ValueError), wrong)
            wrong = Vectorised(jacobian, returning(value), min(at, 3))
            yield making("no Jacobian", (TypeError, ValueError), func, Dfun=wrong)
    yield making("too few", TypeError, Vectorised(lambda X: X[:, :1]))
    yield making("progress raises", TypeError, func, progress={}.__getitem__)
    for option in ({"diag": [1.0]}, {"weights": [np.nan]}, {"chunk_size": 0}, {"qr": "lapack"}):
        yield making("an option", ValueError, func, **option)
    yield making("ftol < 0", TypeError, func, ftol=-1.0)
    yield from steps()


def steps() -> list[Scenario]:
    """The shim itself: all its calls, and those that fail."""
    matrix, target = np.vstack([np.eye(2)] * 3), np.arange(6.0)
    options = (1e-8, 1e-8, 0.0, 100.0, 50, None)

    # Sums alone: the operators of NumPy 2.2 lose a MemoryError.
    def func(X: Any) -> Any:
        return np.add.reduce(matrix * X[:, np.newaxis], axis=2, out=np.empty((len(X), 6)))

    def scenario(qr: int, differences: bool, tables: Any, x0: Any) -> Scenario:
        def once() -> Any:
            rooms = (np.zeros((3, 2)), *np.zeros((3, 3), np.intc))
            rooms = (*rooms, np.zeros(3), np.zeros(3), np.zeros((3, 2, 2)))
            lockstep = _core.Lockstep((x0, *tables), rooms, (*options, qr), differences, 2)
            lockstep.set_epsfcn(12)
            while (points := lockstep.points()) is not None:
                lockstep.take(func(points[0]))
                if (points := lockstep.jacobian_points()) is not None:
                    lockstep.take_jacobian(np.broadcast_to(matrix, (len(points[0]), 6, 2)))
            return *rooms, 1

        return Scenario(f"steps, {qr}, {differences}", FOUND, once, (x0,))

    tables = (np.ones((3, 2)), np.ones((1, 6)), target[np.newaxis])
    return [
        scenario(qr, differences, given, STARTS)
        for qr in ("minpack", "blocked")
        for differences in (False, True)
        for given in ((None, None, None), tables)
    ]


def driven() -> Iterator[Scenario]:
    """Fits of the shim's driver alone: what it is given was made before, and nothing is kept."""
    rng = np.random.default_rng(20261122)
    residuals = {k: rng.normal(size=(k, 3)) for k in range(1, 10)}
    jacobians = {k: rng.normal(size=(k, 3, 2)) for k in range(1, 10)}
    tolerances = (1e-8, 1e-8, 0.0, 100.0, 30, None)
    counts = [np.zeros(3, np.intc) for _ in range(3)]
    results = (np.empty((3, 2)), *counts, np.empty(3), None, np.empty((3, 2, 2)))

    def once(differences: bool, qr: int) -> Any:
        given = (np.ones((3, 2)), None, None, None)
        lockstep = _core.Lockstep(given, results, (*tolerances, qr), differences, 2)
        while (points := lockstep.points()) is not None:
            lockstep.take(residuals[len(points[1])])
            if (points := lockstep.jacobian_points()) is not None:
                lockstep.take_jacobian(jacobians[len(points[1])])
        return (*results[:5], results[6], counts[0].item(0))

    for differences in (False, True):
        for qr in ("minpack", "blocked"):
            name = f"driven, {differences}, {qr}"
            yield Scenario(name, (*FOUND, 5), partial(once, differences, qr), ())
