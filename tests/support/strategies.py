"""Problems and options for the fuzz tests to draw.

A problem is a small expression in the variables, its Jacobian by the chain rule, and coefficients:
a few are drawn one by one and may be as nasty as a double can be, the rest come from a seeded
generator, because a matrix drawn element by element would take longer than the fits.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[np.float64]
Tree = tuple[Any, ...]

# Zeros, denormals, the smallest and the largest, and where squares and products leave the range.
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.1, 3.0, 1e-16, 1e16, -1e-16, 5e-324, -5e-324, 1e-310]
SPECIAL += [2.2250738585072014e-308, -1e-300, 1e-200, -1e-160, 1e150, -1e200, 1e200, 1e300]
SPECIAL += [-1.7976931348623157e308, 1.7976931348623157e308]
NOT_FINITE = [math.nan, math.inf, -math.inf]


# Any finite double, most often one that is special or of ordinary size.
NUMBERS = (
    st.sampled_from(SPECIAL)
    | st.floats(-9.0, 9.0)
    | st.floats(allow_nan=False, allow_infinity=False)
)


UNARY: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "sin": (np.sin, np.cos),
    "tanh": (np.tanh, lambda u: np.cosh(u) ** -2.0),
    "exp": (np.exp, np.exp),
    "bell": (lambda u: np.exp(-u * u), lambda u: -2.0 * u * np.exp(-u * u)),
    "square": (lambda u: u * u, lambda u: 2.0 * u),
    # Undefined where u is not positive: trial points without a residual.
    "sqrt": (np.sqrt, lambda u: 0.5 / np.sqrt(u)),
    "log": (np.log, np.reciprocal),
    "inverse": (np.reciprocal, lambda u: -1.0 / (u * u)),
}
LEAVES = 3


# An expression is a tuple: ("x", k) is row by row a linear function of the variables, the k-th.
_LEAF = st.builds(lambda k: ("x", k), st.integers(0, LEAVES - 1))
_POWERS = st.lists(NUMBERS, min_size=1, max_size=4).map(tuple)


def _deeper(inner: st.SearchStrategy[Tree], unary: list[str]) -> st.SearchStrategy[Tree]:
    applied = st.tuples(st.sampled_from(unary), inner)
    return applied | applied | st.tuples(st.sampled_from("+*"), inner, inner)


# u + 5 is positive at the start and no longer somewhere on the way, which ends in a NaN.
_FENCED = st.tuples(
    st.sampled_from(["sqrt", "log"]), st.tuples(st.just("poly"), st.just((1.0, 5.0)), _LEAF)
)
_EVEN = _deeper(_LEAF, ["sin", "tanh", "exp", "bell", "square"])
ORDINARY_TREES = _LEAF | _EVEN | _EVEN | _deeper(_LEAF | _FENCED, ["sin", "tanh"])
_ODD = _LEAF | st.tuples(st.just("poly"), _POWERS, _LEAF)
NASTY_TREES = _ODD | _deeper(_ODD | _deeper(_ODD, sorted(UNARY)), sorted(UNARY))


@dataclass
class Problem:
    """Residuals weight * tree(x) - y, pure functions of x, and their derivatives."""

    size: tuple[int, int]  # m and n
    tree: Tree
    seed: int
    palette: list[float]
    share: float  # of the coefficients: how many come from the palette
    columns: str  # what is wrong with the linear functions, if anything is
    target: str  # where y comes from
    exponent: int | str  # of the weights
    spread: float  # of x0
    m: int = field(init=False, repr=False)
    n: int = field(init=False, repr=False)
    leaves: list[tuple[Array, Array]] = field(init=False, repr=False)
    weight: Array = field(init=False, repr=False)
    y: Array = field(init=False, repr=False)
    x0: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.m, self.n = self.size
        with np.errstate(all="ignore"):
            self._fill(np.random.default_rng(self.seed))

    def _fill(self, rng: np.random.Generator) -> None:
        shape = (self.m, self.n)
        self.leaves = [
            (self._spoil(rng, self._mix(rng, shape)), self._mix(rng, (self.m,)))
            for _ in range(LEAVES)
        ]
        exponents: Any = self.exponent
        if self.exponent == "mixed":
            exponents = rng.choice([-300.0, -160.0, -20.0, 0.0, 20.0, 120.0], self.m)
        self.weight = rng.uniform(0.5, 2.0, self.m) * 10.0**exponents
        self.x0 = self.spread * self._mix(rng, (self.n,))
        self.y = np.zeros(self.m)
        self.y = self._target(rng)

    def _mix(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        nasty = rng.random(shape) < self.share
        return np.where(nasty, rng.choice(self.palette, shape), rng.normal(size=shape))

    def _spoil(self, rng: np.random.Generator, matrix: Array) -> Array:
        if self.columns == "some zero":
            matrix[:, rng.random(self.n) < 0.3] = 0.0
        elif self.columns == "some equal":
            matrix = matrix[:, rng.integers(0, self.n, self.n)]
        elif self.columns == "one a row":
            matrix[np.arange(self.n) != np.arange(self.m)[:, None] % self.n] = 0.0
        elif self.columns == "badly scaled":
            matrix *= 10.0 ** rng.uniform(-150, 150, self.n)
        return matrix

    def _target(self, rng: np.random.Generator) -> Array:
        if self.target == "palette":
            return self._mix(rng, (self.m,))
        if self.target == "zero":
            return np.zeros(self.m)
        if self.target == "far":
            # One residual dwarfs the others, so that these are all but orthogonal to any column.
            self.weight[0] = 0.0
            return np.where(np.arange(self.m) == 0, 1e17, rng.normal(size=self.m))
        y = self.residual(self.x0 + self.spread * rng.normal(size=self.n) * 0.3)
        noise = 0.05 * rng.normal(size=self.m) if self.target == "noisy" else 0.0
        return np.where(np.isfinite(y), y, 0.0) + noise * self.weight

    def _evaluate(self, tree: Tree, x: Array, slopes: bool) -> tuple[Array, Array]:
        """Return the value, shape (m,), and with `slopes` the derivatives, shape (m, n)."""
        kind, nothing = tree[0], np.zeros((self.m, self.n))
        if kind == "x":
            matrix, shift = self.leaves[tree[1]]
            return (matrix * x).sum(axis=1) + shift, matrix
        u, du = self._evaluate(tree[-1], x, slopes)
        if kind in UNARY:
            g, slope = UNARY[kind]
            return g(u), slope(u)[:, None] * du if slopes else nothing
        if kind == "poly":
            value, slope_of_u = np.zeros_like(u), np.zeros_like(u)
            for power in tree[1]:
                slope_of_u = slope_of_u * u + value
                value = value * u + power
            return value, slope_of_u[:, None] * du if slopes else nothing
        v, dv = self._evaluate(tree[1], x, slopes)
        if kind == "+":
            return u + v, du + dv if slopes else nothing
        return u * v, u[:, None] * dv + v[:, None] * du if slopes else nothing

    def residual(self, x: Array) -> Array:
        return self.weight * self._evaluate(self.tree, x, slopes=False)[0] - self.y

    def jacobian(self, x: Array) -> Array:
        return self.weight[:, None] * self._evaluate(self.tree, x, slopes=True)[1]


# Options that the contract calls legal, in the types in which a number may come.

TOLERANCES = [0.0, 0.0, 2.22044604926e-16, 1e-12, 1e-8, 1e-5, -0.0, 5e-324, 1e-300, 1e-17]
LOOSE = [0.1, 1.0, 10.0, 1e300, math.inf]
STEPS = [0.0, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4]
ODD_STEPS = [1.0, -0.0, -1.0, -math.inf, 5e-324, 1e10, 1e300, math.inf]
FACTORS = [100.0, 1.0, 0.1, 10.0, 1e3]
ODD_FACTORS = [1e-8, 1e8, 1e-200, 5e-324, 1e200, 1.7e308, math.inf]
SCALES = [1.0, 0.5, 7.0, 1e-3, 1e3]
ODD_SCALES = [1.0, 1e-8, 1e8, 1e-200, 1e200, 5e-324, 1e300, math.inf]
REAL_TYPES: list[Callable[[float], Any]] = [float, np.float64, np.longdouble, Decimal, np.array]


def _reals(usual: list[float], odd: list[float]) -> st.SearchStrategy[Any]:
    values = 4 * usual + odd
    return st.sampled_from([kind(v) for kind in REAL_TYPES for v in values])


def _limits(n: int) -> st.SearchStrategy[Any]:
    """Draw maxfev: nearly always one at which a fit that goes nowhere stops soon."""
    few = st.sampled_from([kind(k) for k in range(1, 4 * n + 4) for kind in (int, np.uint8)])
    enough = st.integers(30 * n, 60 * n)
    default = [0, -1] if n == 1 else []
    return enough | few | enough | st.sampled_from([400, 400, True, *default])


@functools.cache
def options(n: int) -> st.SearchStrategy[dict[str, Any]]:
    """Draw any of the legal options, and always a limit; diag is a float64 vector."""
    scales = [
        st.lists(st.sampled_from(values), min_size=n, max_size=n)
        for values in (SCALES, SCALES, ODD_SCALES)
    ]
    optional = {
        "ftol": _reals(TOLERANCES, LOOSE),
        "xtol": _reals(TOLERANCES, LOOSE),
        "gtol": _reals(TOLERANCES, [0.1, 1.0]),
        "epsfcn": st.none() | _reals(STEPS, ODD_STEPS),
        "factor": _reals(FACTORS, ODD_FACTORS),
        "diag": st.one_of(scales).map(np.array),
    }
    drawn = st.fixed_dictionaries({"maxfev": _limits(n)}, optional=optional)
    # Without a tolerance a fit goes on until rounding ends it.
    return drawn | drawn | drawn.map(lambda options: options | {"ftol": 0.0, "xtol": 0.0})


# Problems: ordinary ones that a fit works on for a while, and nasty ones.

EXPONENTS: list[int | str] = [0, 0, 0, 3, -8, 150, -160, 200, -200, -300, "mixed"]
COLUMNS = ["whole", "whole", "some zero", "some equal", "one a row", "badly scaled"]
SEEDS = st.integers(0, 2**32 - 1)
TARGETS = st.sampled_from(["noisy", "far", "palette", "exact", "zero"])

_ORDINARY: dict[str, st.SearchStrategy[Any]] = {
    "tree": ORDINARY_TREES,
    "seed": SEEDS,
    "palette": st.just([1.0]),
    "share": st.just(0.0),
    "columns": st.sampled_from(["whole", *COLUMNS[:-1]]),
    "target": TARGETS,
    "exponent": st.just(0),
    "spread": st.sampled_from([1.0, 0.01, 30.0]),
}
_NASTY: dict[str, st.SearchStrategy[Any]] = {
    "tree": NASTY_TREES,
    "seed": SEEDS,
    "palette": st.lists(NUMBERS, min_size=1, max_size=5),
    "share": st.sampled_from([0.0, 0.02, 0.1, 0.5, 1.0]),
    "columns": st.sampled_from(COLUMNS),
    "target": TARGETS,
    "exponent": st.sampled_from(EXPONENTS),
    "spread": st.sampled_from([1.0, 0.0, 1e-200, 1e100]),
}


@functools.cache
def _sizes(rows: int, columns: int) -> st.SearchStrategy[tuple[int, int]]:
    """Draw m >= n; as many residuals as variables is a case of its own."""
    pairs = [(m, n) for n in range(1, columns + 1) for m in range(n, rows + 1)]
    squares = [(1, 1)] * 4 + [(n, n) for n in range(1, columns + 1)]
    return st.sampled_from(pairs) | st.sampled_from(squares)


@functools.cache
def problems(rows: int = 30, columns: int = 8, nasty: bool = True) -> st.SearchStrategy[Problem]:
    """Draw a problem of at most so many rows and columns, ordinary or one time in three nasty."""
    size = _sizes(rows, columns)
    ordinary = st.builds(Problem, size, **_ORDINARY)
    return ordinary | ordinary | st.builds(Problem, size, **_NASTY) if nasty else ordinary
