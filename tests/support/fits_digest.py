"""Print what fits of every kind come to, bit for bit: a digest a line, after its ier.

tests/hostile/test_memory_state.py runs this with memory in various states.

Usage: fits_digest.py [NUMBER], which is left in the memory that each fit is given.
"""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Iterator

import blocked_scenarios
import numpy as np
from allocation_rounds import ending, outcome
from leak_scenarios import FOUND, Function, Scenario, endings, fitting, results


def litter(number: float) -> None:
    """Fill memory with a number and give it back: to NumPy, to Python and to the system."""
    sizes = [*range(1, 64), 200, 224, 1200]
    arrays = [np.full(size, number) for size in sizes for _ in range(8)]
    texts = [array.tobytes() for array in arrays]
    del arrays, texts


def larger() -> Iterator[Scenario]:
    """Fits whose workspace is not of pymalloc's small blocks."""
    t = np.linspace(0.1, 1.0, 200)
    for rank in (6, 4):
        matrix = np.stack([t ** (j % rank) for j in range(6)], axis=1)
        func = Function(lambda x, matrix=matrix: np.exp(0.1 * (matrix @ x)) - t)
        start = np.zeros(6)
        yield fitting(f"rank {rank}", FOUND, func, x0=start, full_output=True)
        for maxfev in (1, 3, 9):
            yield fitting("maxfev", 5, func, x0=start, maxfev=maxfev, full_output=True)
        dfun = Function(
            lambda x, matrix=matrix: 0.1 * np.exp(0.1 * (matrix @ x))[:, None] * matrix,
            lambda x, matrix=matrix: np.full_like(matrix, np.inf),
            at=2,
        )
        yield fitting("inf in Dfun", 9, func, x0=start, Dfun=dfun, full_output=True)
        broken = Function(func.usual, lambda x: np.full_like(t, np.nan), at=11)
        yield fitting("NaN in a difference", 9, broken, x0=start, full_output=True)


def tolerances() -> Iterator[Scenario]:
    """Fits that end by each of the tests of convergence."""
    for options in ({"ftol": 1e-3}, {"xtol": 1e-1, "ftol": 0.0}, {"xtol": 1e-1, "ftol": 1e-1}):
        func = Function(lambda x: [10.0 * (x[1] - x[0] ** 2), 1.0 - x[0], 0.5])
        yield fitting("tolerance", FOUND, func, x0=[-1.2, 1.0], full_output=True, **options)


def main() -> None:
    warnings.simplefilter("ignore")
    by_blocks = (*blocked_scenarios.blocked(), *blocked_scenarios.larger())
    for scenario in (*results(), *endings(), *larger(), *tolerances(), *by_blocks):
        for number in map(float, sys.argv[1:]):
            litter(number)
        result = outcome(scenario.once)
        assert scenario.allows(ending(result)), f"{scenario.name}: {result}"
        digest = hashlib.sha256(repr(result).encode()).hexdigest()
        print(f"{scenario.name}: {ending(result)} {digest}")


if __name__ == "__main__":
    main()
