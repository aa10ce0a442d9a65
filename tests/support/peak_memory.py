"""What memory a fit takes beside what func and Dfun return."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np

from pyminpack import leastsq


def peak_memory(matrix: Any, target: Any, dfun: bool, fresh: bool = False, **options: Any) -> int:
    """Return the most bytes that a linear fit holds of its own: func has its arrays ready.

    `fresh`: func makes a new one at each call, and these count, too.
    """
    m, n = matrix.shape
    buffer = np.empty(m)

    def func(x: Any) -> Any:
        if fresh:
            return matrix @ x - target
        np.matmul(matrix, x, out=buffer)
        np.subtract(buffer, target, out=buffer)
        return buffer

    if dfun:
        options["Dfun"] = lambda x: matrix
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        leastsq(func, np.zeros(n), **options)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
