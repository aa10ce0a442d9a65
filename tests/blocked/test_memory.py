"""What memory a fit by blocks takes beside what func and Dfun return.

With Dfun, without full_output: a copy of at least two thousand rows or so, from large Jacobians a
twentieth. Where func holds what it returned, a vector of M besides, which is 1/N of the Jacobian:
from N = 20 on a tenth in all. Where N is such that steps are sought without the GIL, two of them.
"""

from __future__ import annotations

import sysconfig
from typing import Any

import numpy as np
import pytest
from argonne import Library
from blocked import Blocked
from blocked_problems import GIL_FREE_WORK, chunk_rows
from peak_memory import peak_memory

from pyminpack import _core

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.thread_unsafe(reason="measures the memory of all threads"),
]


def peak(m: int, n: int, dfun: bool, order: Any = "C", **options: Any) -> int:
    matrix = np.full((m, n), 0.5, order=order)
    matrix[np.arange(m), np.arange(m) % n] += 1.0
    return peak_memory(matrix, 1.0, dfun, qr="blocked", **options)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_tenth_of_a_large_jacobian(order: Any) -> None:
    m, n = 200_000, 50
    assert peak(m, n, True, order) <= 8 * m * n // 10


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("m", "n"), [(400_000, 5), (200_000, 10), (100_000, 50)])
def test_a_tenth_of_a_jacobian_of_few_columns(m: int, n: int, order: Any) -> None:
    """Where func's arrays are its own: there are the one at x, and two while func makes another."""
    matrix = np.full((m, n), 0.5, order=order)
    matrix[np.arange(m), np.arange(m) % n] += 1.0
    used = peak_memory(matrix, 1.0, True, fresh=True, qr="blocked")
    assert used - 3 * 8 * m <= 8 * m * n // 10


@pytest.mark.parametrize(("m", "n"), [(200_000, 5), (40_000, 20)])
def test_differences_of_fresh_arrays_need_no_copy(m: int, n: int) -> None:
    matrix = np.full((m, n), 0.5)
    matrix[np.arange(m), np.arange(m) % n] += 1.0
    used = peak_memory(matrix, 1.0, False, fresh=True, qr="blocked")
    # All differences, residuals at x, two more vectors while func makes the last one.
    assert 8 * m * n <= used <= 8 * m * (n + 3) + 200_000


def vectors(n: int) -> int:
    """Return 1 where a trial point's residuals wait for its verdict before they are copied."""
    others_run = n**3 >= GIL_FREE_WORK or sysconfig.get_config_var("Py_GIL_DISABLED")
    return 2 if others_run else 1


def parts(own_library: Library, m: int, n: int) -> int:
    """Return what a vector, or two, the copied rows and the triangle come to."""
    block = Blocked(own_library.dll, _core.INSTRUCTION_SET).block(n)
    rows = chunk_rows(m, n, block)
    # Each block has a few more rows, and its columns come by four with the residual's.
    copied = rows * (block + 16) // block * (n + 4)
    return 8 * (vectors(n) * m + copied + 4 * (n + 16) ** 2 + (block + 16) * (n + 4)) + 20_000


@pytest.mark.parametrize(
    ("m", "n"), [(200_000, 1), (200_000, 5), (200_000, 10), (20_000, 20), (600, 70), (9000, 130)]
)
def test_a_vector_or_two_and_a_few_rows(own_library: Library, m: int, n: int) -> None:
    used = peak(m, n, True)
    assert 8 * vectors(n) * m <= used <= parts(own_library, m, n)
    # And all that is returned: R in its place in fjac, and the residuals.
    full = peak(m, n, True, full_output=True)
    assert full <= parts(own_library, m, n) + 8 * m * (n + 1) + 8 * 2 * n * n


@pytest.mark.parametrize(("m", "n"), [(200_000, 2), (20_000, 20), (600, 70), (600, 130)])
def test_differences_need_the_jacobian(own_library: Library, m: int, n: int) -> None:
    used = peak(m, n, False)
    assert 8 * m * (n + vectors(n)) <= used <= 8 * m * n + parts(own_library, m, n)
