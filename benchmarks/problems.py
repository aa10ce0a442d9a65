"""The problems that are timed, as one table.

What is beside the user's functions is of interest, not they. So the linear problems look their
residuals and their Jacobian up instead of computing them, and are solved in two Jacobians: the
first step leads to the solution, and the second Jacobian shows that it is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

# Above every contestant's machine epsilon, so that all take the same steps in their differences.
EPSFCN = 2.0**-50


@dataclass
class Problem:
    """One problem, the same for all contestants.

    Attributes
    ----------
    name
        Unique; also what `--only` looks at.
    group
        The table it belongs to: small, big, or the axis of a picture: M, N, evaluations.
    axes
        The pictures it belongs to besides.
    func, x0, dfun
        As `leastsq` takes them.
    options
        What is passed to every `leastsq`, keyword by keyword.
    native
        The function of floor.c that computes the same residuals, and the arrays it needs.
    matrix
        What has to be factored for each Jacobian, where that is always the same matrix.
    curve
        The model, xdata and ydata of which func gives the residuals, as `curve_fit` takes them.
    instead
        Whether lmfit and odrpack are run on it too.
    goal
        How many times faster than the newest SciPy it is meant to be, at least.
    beside
        Whether the goal leaves out the time that func and dfun take.
    """

    name: str
    group: str
    func: Callable[[Vector], Any]
    x0: Vector
    m: int
    dfun: Callable[[Vector], Vector] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    axes: tuple[str, ...] = ()
    native: tuple[str, tuple[Vector, ...]] | None = None
    matrix: Vector | None = None
    curve: tuple[Callable[..., Vector], Vector, Vector] | None = None
    instead: bool = False
    goal: float | None = None
    beside: bool = False


# Small fits


def identity(name: str, goal: float, **options: Any) -> Problem:
    x0 = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    return Problem(
        name, "small", lambda x: x, x0, 5, goal=goal,
        options={"epsfcn": EPSFCN, **options}, native=("identity", ()), instead=True,
    )  # fmt: skip


def rosenbrock() -> Problem:
    def func(x: Vector) -> list[float]:
        return [10 * (x[1] - x[0] ** 2), 1 - x[0]]

    return Problem(
        "rosenbrock, a list", "small", func, np.array([-1.2, 1.0]), 2, goal=1 / 0.6,
        options={"epsfcn": EPSFCN}, native=("rosenbrock", ()), instead=True,
    )  # fmt: skip


def exponential() -> Problem:
    t = np.linspace(0.0, 4.0, 50, dtype=np.float64)
    noise = 0.01 * np.random.default_rng(0).normal(size=t.size)
    y = np.asarray(2.5 * np.exp(-1.3 * t) + 0.5 + noise, dtype=np.float64)

    def model(t: Vector, a: float, b: float, c: float) -> Vector:
        values: Vector = a * np.exp(-b * t) + c
        return values

    def func(x: Vector) -> Vector:
        residuals: Vector = x[0] * np.exp(-x[1] * t) + x[2] - y
        return residuals

    return Problem(
        "exponential, 50 points", "small", func, np.array([1.0, 1.0, 0.0]), t.size,
        goal=1 / 0.85, options={"epsfcn": EPSFCN}, native=("exponential", (t, y)),
        curve=(model, t, y), instead=True,
    )  # fmt: skip


def powell(limit: int) -> Problem:
    """Powell's singular function, where each step only halves x: as long a fit as one likes."""

    def func(x: Vector) -> list[float]:
        a, b, c, d = x.tolist()
        return [a + 10 * b, 5**0.5 * (c - d), (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2]

    # With full_output nothing warns of the limit.
    options = {"epsfcn": EPSFCN, "maxfev": limit, "full_output": True}
    options.update(ftol=0.0, xtol=0.0)
    return Problem(
        f"powell, {limit} evaluations", "evaluations", func, np.array([3.0, -1.0, 0.0, 1.0]), 4,
        options=options,  native=("powell", ()),
    )  # fmt: skip


# Linear problems


@dataclass(frozen=True)
class Linear:
    """A matrix with columns of length about 1, residuals at x0, and those at the solution."""

    matrix: Vector
    x0: Vector
    first: Vector
    solution: Vector
    last: Vector


def linear_problem(m: int, n: int) -> Linear:
    rng = np.random.default_rng(m + n)
    matrix = rng.normal(size=(m, n)) / m**0.5
    last = rng.normal(size=m) / m**0.5
    # Residuals at a solution are at right angles to the columns. Columns like these need no
    # factorisation for that, only a second pass.
    gram = matrix.T @ matrix
    for _ in range(2):
        last -= matrix @ np.linalg.solve(gram, matrix.T @ last)
    x0 = np.ones(n)
    solution = x0 + rng.uniform(0.5, 1.0, size=n)
    return Linear(matrix, x0, last + matrix @ (x0 - solution), solution, last)


def linear(
    m: int,
    n: int,
    group: str = "big",
    columns: bool = False,
    goal: float | None = None,
    axes: tuple[str, ...] = (),
    **more: Any,
) -> Problem:
    """Return a fit whose func and dfun take no time; `columns`: dfun returns shape (N, M)."""
    data = linear_problem(m, n)
    given = np.ascontiguousarray(data.matrix.T) if columns else data.matrix
    start = data.x0[0]

    def func(x: Vector) -> Vector:
        # A copy, because SciPy writes into what the first call returns.
        return data.first.copy() if x[0] == start else data.last

    options = {"gtol": 1e-6, "col_deriv": columns, **more}
    full = ", full_output" if more.get("full_output") else ""
    side = " by columns" if columns else ""
    return Problem(
        f"{m} x {n}{side}{full}" + (f", against {group}" if group != "big" else ""),
        group,
        func,
        data.x0,
        m,
        lambda x: given,
        options,
        axes=axes,
        native=("table", (data.first, data.last, np.ascontiguousarray(data.matrix.T))),
        matrix=data.matrix,
        goal=goal,
        beside=True,
    )


class Differences:
    """Residuals of a linear problem for a solver that takes differences, looked up as well.

    A point that differs from the last one in a single element is a difference; any other is a new
    point: x0, or the solution.
    """

    def __init__(self, data: Linear) -> None:
        self.x0, self.base = data.x0, data.x0
        self.tables: list[list[Vector]] = []
        for x, f in ((data.x0, data.first), (data.solution, data.last)):
            steps = EPSFCN**0.5 * np.abs(x)
            self.tables.append([f, *(f + s * c for s, c in zip(steps, data.matrix.T, strict=True))])
        self.table = self.tables[0]

    def __call__(self, x: Vector) -> Vector:
        changed = np.flatnonzero(x != self.base)
        if changed.size == 1:
            return self.table[1 + int(changed[0])]
        if changed.size:
            at_start = bool((x == self.x0).all())
            self.base = self.x0 if at_start else x.copy()
            self.table = self.tables[0 if at_start else 1]
        # SciPy writes into what the first call returns.
        return self.table[0].copy() if self.base is self.x0 else self.table[0]


def differences(m: int, n: int, goal: float | None = None) -> Problem:
    data = linear_problem(m, n)
    options = {"gtol": 1e-6, "epsfcn": EPSFCN}
    return Problem(
        f"{m} x {n} by differences", "big", Differences(data), data.x0, m, None, options,
        goal=goal, beside=True,
    )  # fmt: skip


# Nonlinear and large


def nonlinear(m: int, n: int, goal: float | None = None) -> Problem:
    """Return a fit of tanh(A @ x), started where the first steps have to be held back."""
    rng = np.random.default_rng(m + n)
    matrix = rng.normal(size=(m, n)) / n**0.5
    y = np.tanh(matrix @ rng.normal(size=n)) + 0.05 * rng.normal(size=m)

    def func(x: Vector) -> Vector:
        residuals: Vector = np.tanh(matrix @ x) - y
        return residuals

    def dfun(x: Vector) -> Vector:
        slopes: Vector = 1 - np.tanh(matrix @ x) ** 2
        jacobian: Vector = matrix * slopes[:, None]
        return jacobian

    return Problem(
        f"{m} x {n}, tanh", "big", func, 3 * rng.normal(size=n), m, dfun, {"factor": 0.1},
        native=("tanh", (np.ascontiguousarray(matrix.T), y)), goal=goal, beside=True,
    )  # fmt: skip


# The table

SMALL: list[Callable[[], Problem]] = [
    partial(identity, "identity of length 5", 1 / 0.35),
    partial(identity, "identity, full_output", 1 / 0.30, full_output=True),
    rosenbrock,
    exponential,
]
TALL = [(1_000_000, 5), (1_000_000, 10), (200_000, 50)]
AGAINST_M = [100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000]
AGAINST_N = [5, 10, 20, 50, 100, 200]
AGAINST_EVALUATIONS = [10, 30, 100, 300, 1000]


def quick_table() -> Iterator[Callable[[], Problem]]:
    """Yield one of each kind, so small that only the tool is tried and nothing is measured."""
    yield from SMALL
    yield partial(linear, 400, 5)
    yield partial(linear, 400, 5, columns=True)
    yield partial(differences, 400, 5)
    yield partial(nonlinear, 60, 20)
    for size in (20, 60):
        yield partial(linear, size, 5, "M")
        yield partial(linear, 4 * size, size, "N")
        yield partial(powell, size)


def table(suite: str) -> Iterator[Callable[[], Problem]]:
    """Yield what makes the problems of a suite: quick, usual or full. Big ones are made in turn."""
    if suite == "quick":
        yield from quick_table()
        return
    yield from SMALL
    for m, n in TALL:
        yield partial(linear, m, n, goal=10, axes=("M",) if n == 10 else ())
        yield partial(linear, m, n, columns=True, goal=10)
    yield partial(linear, 1_000_000, 10, full_output=True)
    yield partial(differences, 1_000_000, 10, goal=7)
    yield partial(linear, 2000, 500, goal=5, axes=("N",))
    if suite == "full":
        yield partial(linear, 4000, 1000, goal=5, axes=("N",))
    yield partial(nonlinear, 600, 200, goal=5)
    yield partial(nonlinear, 1500, 500, goal=5)
    yield from (partial(linear, m, 10, "M") for m in AGAINST_M)
    yield from (partial(linear, 4 * n, n, "N") for n in AGAINST_N)
    yield from (partial(powell, limit) for limit in AGAINST_EVALUATIONS)
