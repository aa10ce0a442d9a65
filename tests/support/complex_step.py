"""Derivatives to the last digits, for tests of those that are written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def complex_step(function: Callable[[Array], Any], x: Array) -> Array:
    """Differentiate by an imaginary step so small that its square vanishes; shape (m, n).

    f(x + ih) = f(x) + ih f'(x) + O(h^2), so Im f / h is f'. Unlike a difference quotient it
    subtracts nothing, so nothing cancels (W. Squire and G. Trapp, "Using complex variables to
    estimate derivatives of real functions", SIAM Review 40, 1998, 110-112).
    """
    step = 1e-200
    columns = []
    for j in range(x.size):
        z = x.astype(complex)
        z[j] += 1j * step
        columns.append(np.asarray(function(z)).imag / step)
    return np.column_stack(columns)
