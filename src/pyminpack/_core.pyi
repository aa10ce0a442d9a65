"""The shim: the border between Python and C."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Solution = tuple[
    NDArray[np.float64],  # x (N,)
    NDArray[np.float64],  # fvec (M,)
    NDArray[np.float64],  # fjac (N, M)
    NDArray[np.intc],  # ipvt (N,)
    NDArray[np.float64],  # qtf (N,)
    int,  # nfev
    int,  # njev
    int,  # info
]

def solve(
    func: Callable[..., Any],
    dfun: Callable[..., Any] | None,
    x0: NDArray[np.float64],
    args: tuple[Any, ...],
    col_deriv: bool,
    ftol: float,
    xtol: float,
    gtol: float,
    factor: float,
    maxfev: int,
    epsfcn: float | None,
    diag: NDArray[np.float64] | None,
    /,
) -> _Solution: ...
def covariance(
    fjac: NDArray[np.float64], ipvt: NDArray[np.intc], /
) -> NDArray[np.float64] | None: ...
