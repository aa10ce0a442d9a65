"""`pyminpack.leastsq` against Argonne's MINPACK, bit for bit, on random problems and options.

The residuals avoid BLAS, whose sums may depend on where in memory an array happens to lie.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import argonne
import numpy as np
import pytest
from bits import Counted, assert_same_bits, packed
from numpy.random import Generator
from numpy.typing import NDArray

import pyminpack

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(not argonne.AVAILABLE, reason=argonne.REASON),
]

Array = NDArray[np.float64]

SEEDS = range(24)
LARGE_SEEDS = range(4)


@dataclass
class Model:
    """r(x) = weight * g(A x + shift) - y, where each row has a g of its own."""

    matrix: Array
    shift: Array
    weight: Array
    y: Array
    kind: NDArray[np.int64]
    x0: Array

    def _inner(self, x: Array) -> Array:
        u: Array = (self.matrix * x).sum(axis=1) + self.shift
        return u

    def residual(self, x: Array) -> Array:
        u = self._inner(x)
        g = (u, np.tanh(u), np.sin(u), np.exp(-u * u), u * u, np.exp(0.3 * u))
        f: Array = self.weight * self.kind.choose(g) - self.y
        return f

    def jacobian(self, x: Array) -> Array:
        u = self._inner(x)
        bell, growth = -2 * u * np.exp(-u * u), 0.3 * np.exp(0.3 * u)
        ones, sech = np.ones_like(u), np.cosh(u) ** -2.0
        slope = self.kind.choose((ones, sech, np.cos(u), bell, 2 * u, growth))
        j: Array = (self.weight * slope)[:, None] * self.matrix
        return j


def draw_sizes(rng: Generator, large: bool = False) -> tuple[int, int]:
    if large:
        return int(rng.integers(100, 201)), int(rng.integers(20, 31))
    n = int(rng.integers(1, 13))
    return int(rng.integers(n, min(4 * n, 40) + 2)), n


def draw_model(rng: Generator, large: bool = False) -> Model:
    m, n = draw_sizes(rng, large)
    matrix = rng.normal(size=(m, n)) / math.sqrt(n)
    noise = rng.choice([0.0, 0.01, 1.0])
    model = Model(
        matrix=matrix,
        shift=rng.normal(size=m) * 0.3,
        weight=rng.uniform(0.5, 2.0, m),
        y=np.zeros(m),
        kind=rng.integers(0, 6, m),
        x0=rng.normal(size=n) * rng.choice([0.1, 1.0, 5.0]),
    )
    model.y = model.residual(rng.normal(size=n)) + noise * rng.normal(size=m)
    return model


def draw_options(rng: Generator, n: int) -> dict[str, Any]:
    """Draw each option with one chance in two; 400 calls are enough for any other fit."""
    options: dict[str, Any] = {
        "ftol": 10.0 ** rng.uniform(-16, -1),
        "xtol": 10.0 ** rng.uniform(-16, -1),
        "gtol": 10.0 ** rng.uniform(-16, -1),
        "factor": 10.0 ** rng.uniform(-1, 3),
        "epsfcn": 10.0 ** rng.uniform(-14, -4),
        "maxfev": int(rng.integers(1, 51)),
        "diag": 10.0 ** rng.uniform(-6, 6, n),
    }
    drawn = {name: value for name, value in options.items() if rng.random() < 0.5}
    return {"maxfev": 400} | drawn


# Each family turns an ordinary random model into one that is difficult in its own way.


def ordinary(model: Model, rng: Generator) -> None:
    pass


def duplicated_columns(model: Model, rng: Generator) -> None:
    n = model.x0.size
    model.matrix = model.matrix[:, rng.integers(0, n, n)]


def dependent_rows(model: Model, rng: Generator) -> None:
    m, n = model.matrix.shape
    kept = rng.integers(0, max(1, n // 2), m)
    for name in ("matrix", "shift", "weight", "kind"):
        setattr(model, name, getattr(model, name)[kept])


def zero_columns(model: Model, rng: Generator) -> None:
    model.matrix[:, rng.random(model.x0.size) < 0.4] = 0.0


def zeros_in_x0(model: Model, rng: Generator) -> None:
    model.x0[rng.random(model.x0.size) < 0.5] = 0.0


def bad_column_scales(model: Model, rng: Generator) -> None:
    scales = 10.0 ** rng.uniform(-150, 150, model.x0.size)
    model.matrix *= scales
    model.x0 /= scales


def bad_row_scales(model: Model, rng: Generator) -> None:
    scales = 10.0 ** rng.uniform(-20, 20, model.y.size)
    model.weight *= scales
    model.y *= scales


def zero_residual(model: Model, rng: Generator) -> None:
    model.y = model.residual(model.x0) + model.y


def constant_residual(model: Model, rng: Generator) -> None:
    model.weight[:] = 0.0


def huge(model: Model, rng: Generator) -> None:
    """Make products of residuals and slopes overflow, which brings NaN into lmpar."""
    model.weight *= 1e200
    model.y *= 1e200


def tiny(model: Model, rng: Generator) -> None:
    model.weight *= 1e-200
    model.y *= 1e-200


def mixed_sizes(model: Model, rng: Generator) -> None:
    scales = 10.0 ** rng.choice([-170.0, -20.0, 0.0, 20.0, 120.0], model.y.size)
    model.weight *= scales
    model.y *= scales


def overflowing(model: Model, rng: Generator) -> None:
    """Make most rows exponentials so steep that trial points overflow."""
    model.kind[rng.random(model.kind.size) < 0.8] = 5
    model.matrix *= 300.0 / np.abs((model.matrix * model.x0).sum(axis=1)).max()
    model.y += 1e3


Family = Callable[[Model, Generator], None]
FAMILIES: list[Family] = [
    ordinary,
    duplicated_columns,
    dependent_rows,
    zero_columns,
    zeros_in_x0,
    bad_column_scales,
    bad_row_scales,
    zero_residual,
    constant_residual,
    huge,
    tiny,
    mixed_sizes,
    overflowing,
]


def compare(func: Any, x0: Array, options: dict[str, Any], dfun: Any = None) -> dict[str, Any]:
    """Solve with both, compare, check the counts, and return our fit."""
    with np.errstate(all="ignore"):
        ours_func, ours_dfun = Counted(func), dfun and Counted(dfun)
        result = pyminpack.leastsq(ours_func, x0, Dfun=ours_dfun, full_output=True, **options)
        theirs = argonne.argonne_leastsq(func, x0, Dfun=dfun, **options)
    ours = packed(result)
    assert_same_bits(ours, theirs)
    assert ours_func.calls == ours["nfev"]
    assert (ours_dfun.calls if dfun else 0) == ours["njev"]
    return ours


def make(family: Family, seed: int) -> tuple[Model, dict[str, Any]]:
    rng = np.random.default_rng([FAMILIES.index(family), seed])
    model = draw_model(rng)
    family(model, rng)
    return model, draw_options(rng, model.x0.size)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_families(family: Family, seed: int) -> None:
    if family is huge and not argonne.NAN_LOSES:
        pytest.skip(argonne.NAN_REASON)
    model, options = make(family, seed)
    compare(model.residual, model.x0, options)
    compare(model.residual, model.x0, options, model.jacobian)
    compare(model.residual, model.x0, {"maxfev": 400}, model.jacobian)
    columns = options | {"col_deriv": True}
    compare(model.residual, model.x0, columns, lambda x: model.jacobian(x).T)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_the_families_are_what_they_say(family: Family) -> None:
    """Both first results are finite, and each family has the trait it is there for."""
    traits = set()
    with np.errstate(all="ignore"):
        for seed in SEEDS:
            model, _ = make(family, seed)
            f, j = model.residual(model.x0), model.jacobian(model.x0)
            assert np.isfinite(f).all()
            assert np.isfinite(j).all()
            finite = [True]
            watched = _watching(model.residual, finite)
            pyminpack.leastsq(watched, model.x0, Dfun=model.jacobian, full_output=True, maxfev=400)
            # Columns brought to one size, or a badly scaled matrix would pass as deficient.
            largest = np.abs(j).max(axis=0)
            even = j / np.where(largest > 0, largest, 1.0)
            checks = {
                "deficient": np.linalg.matrix_rank(even) < j.shape[1],
                "no residual": not f.any(),
                "no slope": not j.any(),
                "gradient overflows": not np.isfinite((j.T * f).sum(axis=1)).all(),
                "square underflows": ((f != 0) & (f * f == 0)).any(),
                "trial overflows": not finite[0],
                "zero in x0": not model.x0.all(),
            }
            traits |= {trait for trait, present in checks.items() if present}
    needed: dict[Family, set[str]] = {
        duplicated_columns: {"deficient"},
        dependent_rows: {"deficient"},
        zero_columns: {"deficient"},
        zeros_in_x0: {"zero in x0"},
        zero_residual: {"no residual"},
        constant_residual: {"no slope", "deficient"},
        huge: {"gradient overflows"},
        tiny: {"square underflows"},
        mixed_sizes: {"square underflows"},
        overflowing: {"trial overflows"},
    }
    assert needed.get(family, set()) <= traits


def _watching(func: Callable[[Array], Array], finite: list[bool]) -> Callable[[Array], Array]:
    def watched(x: Array) -> Array:
        f = func(x)
        finite[0] &= bool(np.isfinite(f).all())
        return f

    return watched


@pytest.mark.parametrize("seed", LARGE_SEEDS)
def test_large(seed: int) -> None:
    rng = np.random.default_rng([100, seed])
    model = draw_model(rng, large=True)
    for options in ({}, draw_options(rng, model.x0.size)):
        compare(model.residual, model.x0, options)
        compare(model.residual, model.x0, options, model.jacobian)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_as_many_residuals_as_unknowns(n: int) -> None:
    for seed in SEEDS:
        rng = np.random.default_rng([101, n, seed])
        model = draw_model(rng)
        while model.x0.size < n:
            model = draw_model(rng)
        rows = slice(0, n)
        square = Model(
            model.matrix[rows, rows],
            *(getattr(model, name)[rows] for name in ("shift", "weight", "y", "kind", "x0")),
        )
        options = draw_options(rng, n)
        compare(square.residual, square.x0, options)
        compare(square.residual, square.x0, options, square.jacobian)


# What the function returns need not be an array of doubles.


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("seed", SEEDS)
def test_short_floats(seed: int, dtype: type[np.floating[Any]]) -> None:
    rng = np.random.default_rng([102, seed])
    model = draw_model(rng)
    options = draw_options(rng, model.x0.size)

    def short(x: Array) -> Any:
        return model.residual(x).astype(dtype)

    def short_slopes(x: Array) -> Any:
        return model.jacobian(x).astype(dtype)

    # Without epsfcn the step of the differences comes from the precision of the results.
    compare(short, model.x0, {})
    compare(short, model.x0, options)
    compare(short, model.x0, options, short_slopes)


@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("seed", SEEDS)
def test_python_numbers(seed: int, kind: type) -> None:
    """Residuals of Python floats and ints, by the math module."""
    rng = np.random.default_rng([103, seed])
    t = sorted(rng.uniform(0.0, 4.0, int(rng.integers(3, 25))))
    pairs = [(s, 2.0 * math.exp(-1.3 * s) + 0.5 + rng.normal() * 0.05) for s in t]

    def residual(x: Array) -> Any:
        a, b, c = (float(v) for v in x)
        return kind(a * math.exp(max(-50.0, min(50.0, b * s))) + c - r for s, r in pairs)

    def rounded(x: Array) -> Any:
        return kind(round(1e6 * r) for r in residual(x))

    x0 = rng.normal(size=3) * 0.5
    options = draw_options(rng, 3)
    compare(residual, x0, {})
    compare(residual, x0, options)
    compare(rounded, x0, options | {"epsfcn": 1e-6})


@pytest.mark.parametrize("seed", SEEDS)
def test_other_memory_layouts(seed: int) -> None:
    """Strided, big-endian and read-only results hold the same numbers."""
    rng = np.random.default_rng([104, seed])
    model = draw_model(rng)
    options = draw_options(rng, model.x0.size)

    def strided(x: Array) -> Array:
        return np.repeat(model.residual(x), 2)[::2]

    def swapped(x: Array) -> Any:
        return model.residual(x).astype(">f8")

    def reversed_slopes(x: Array) -> Array:
        j = np.asfortranarray(model.jacobian(x)[::-1])[::-1]
        j.flags.writeable = False
        return j

    plain = compare(model.residual, model.x0, options)
    for func in (strided, swapped):
        assert_same_bits(compare(func, model.x0, options), plain)
    plain = compare(model.residual, model.x0, options, model.jacobian)
    assert_same_bits(compare(strided, model.x0, options, reversed_slopes), plain)


@pytest.mark.parametrize("maxfev", range(1, 51))
def test_every_budget(maxfev: int) -> None:
    """A budget may run out anywhere in a fit, within a difference Jacobian included."""
    rng = np.random.default_rng(105)
    model = draw_model(rng)
    tight = {"ftol": 0.0, "xtol": 0.0, "maxfev": maxfev}
    fit = compare(model.residual, model.x0, tight)
    assert fit["nfev"] <= maxfev + model.x0.size + 1
    compare(model.residual, model.x0, tight, model.jacobian)


@pytest.mark.parametrize("seed", SEEDS)
def test_arguments_are_passed_on(seed: int) -> None:
    rng = np.random.default_rng([106, seed])
    model = draw_model(rng)

    def func(x: Array, gain: float, offset: Array) -> Array:
        return gain * model.residual(x) + offset

    def dfun(x: Array, gain: float, offset: Array) -> Array:
        return gain * model.jacobian(x)

    args = (1.7, rng.normal(size=model.y.size))
    compare(func, model.x0, {"args": args})
    compare(func, model.x0, {"args": args}, dfun)
