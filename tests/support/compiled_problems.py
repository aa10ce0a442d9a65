"""Fits of compiled functions, with the same functions in Python: to the same bits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bits import assert_same_bits, packed
from native_forms import COMBINED_TYPES, RESIDUAL_TYPES, function_of
from numpy.typing import NDArray

from pyminpack import compiled

# At no call, the status 0 and nothing spoilt.
AS_USUAL = (0.0, 0.0, 0.0, 0.0)


def assert_same_fit(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> None:
    """Assert that leastsq returned the same twice, with full_output."""
    assert_same_bits(packed(ours), packed(theirs))
    assert ours[2].keys() == theirs[2].keys()
    assert ours[3] == theirs[3]
    assert (ours[1] is None) == (theirs[1] is None)
    if theirs[1] is not None:
        assert_same_bits(ours[1], theirs[1])


def combined(library: Path, name: str) -> Any:
    return function_of(library, name, COMBINED_TYPES)


def residual(library: Path, name: str) -> Any:
    return function_of(library, name, RESIDUAL_TYPES)


@dataclass
class Fractions:
    """What `scripted` computes. Data are the script, t and y."""

    data: NDArray[np.float64]
    name = "scripted"

    def __init__(self, seed: int = 0, script: tuple[float, ...] = AS_USUAL) -> None:
        t = np.linspace(0.0, 3.0, 9)
        noise = np.random.default_rng(seed).normal(0.0, 0.05, t.size)
        self.data = np.concatenate([script, t, 4.0 / (1.0 + 1.5 * t) + 0.5 + noise])
        self.t, self.y = self.data[4:].reshape(2, -1)
        self.x0 = np.ones(3)
        self.m = t.size

    def func(self, x: Any) -> Any:
        return self.obey(x[0] / (1.0 + x[1] * self.t) + x[2] - self.y)

    def dfun(self, x: Any) -> Any:
        under = 1.0 + x[1] * self.t
        columns = [1.0 / under, -x[0] * self.t / (under * under), np.ones(self.m)]
        return self.obey(np.stack(columns, axis=1))

    def obey(self, values: Any) -> Any:
        self.data[0] += 1.0
        if self.data[0] == self.data[1] and self.data[3] != 0.0:
            values.flat[-1] = self.data[3]
        return values

    def compiled(self, library: Path, jac: bool, **options: Any) -> Any:
        return compiled(
            combined(library, self.name), self.m, jac=jac, data=self.data.copy(), **options
        )


class Bent(Fractions):
    """What `bent` computes. Data are a matrix, column by column, and b."""

    name = "bent"

    def __init__(self, m: int, n: int) -> None:
        generator = np.random.default_rng(m)
        self.a = generator.normal(0.0, 1.0, (n, m)) + 3.0 * np.eye(n, m)
        self.b = generator.normal(0.0, 1.0, m)
        self.data = np.concatenate([self.a.ravel(), self.b])
        self.x0 = np.linspace(0.1, 0.2, n)
        self.m = m

    def sums(self, x: Any) -> Any:
        s = np.zeros(self.m)
        for column, value in zip(self.a, x, strict=True):
            s = s + column * value
        return s

    def func(self, x: Any) -> Any:
        s = self.sums(x)
        return s + 0.01 * s * s - self.b

    def dfun(self, x: Any) -> Any:
        return ((1.0 + 0.02 * self.sums(x)) * self.a).T


# Sizes where "auto" takes blocks, and where the GIL is let go of between the calls of Python.
PROBLEMS: dict[str, Any] = {
    "small": Fractions,
    "blocks": lambda: Bent(60, 60),
    "chunks": lambda: Bent(250, 100),
}


# Many fits of `scripted`.

COUNT = 7
M = 9


def table(scripts: Any = (AS_USUAL,) * COUNT) -> Any:
    return np.stack([Fractions(seed, script).data for seed, script in enumerate(scripts)])


def starts(count: int = COUNT) -> Any:
    return np.random.default_rng(5).uniform(0.5, 2.0, (count, 3))


def c_of(library: Path) -> Any:
    return combined(library, "scripted")
