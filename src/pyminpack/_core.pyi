"""The shim: the border between Python and C."""

from collections.abc import Callable
from typing import Any, Final, Self, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

QR_AUTO: int
QR_MINPACK: int
QR_BLOCKED: int
INSTRUCTION_SET: int  # of the blocked factorisation: 0 baseline, 1 AVX2, 2 AVX-512; -1: none

_Solution = tuple[
    NDArray[np.float64],  # x (N,)
    NDArray[np.float64],  # fvec (M,); None, as the other arrays below, unless full
    NDArray[np.float64],  # fjac (N, M)
    NDArray[np.intc],  # ipvt (N,)
    NDArray[np.float64],  # qtf (N,)
    int,  # nfev
    int,  # njev
    int,  # info
]

_Short = tuple[NDArray[np.float64], int]  # x, info

def solve(
    func: Callable[..., Any],
    dfun: Callable[..., Any] | None,
    x0: NDArray[np.float64],
    args: tuple[Any, ...],
    col_deriv: object,
    ftol: float,
    xtol: float,
    gtol: float,
    factor: float,
    maxfev: int,
    epsfcn: float | None,
    diag: NDArray[np.float64] | None,
    full: bool,
    qr: int,
    /,
) -> _Solution: ...
def solve_plain(*leastsq_arguments: object) -> _Solution | _Short | None: ...
def covariance(
    fjac: NDArray[np.float64], ipvt: NDArray[np.intc], /
) -> NDArray[np.float64] | None: ...
def sum_of_squares(array: NDArray[np.float64], /) -> float: ...
def read_capsule(object: object, /) -> tuple[int, bytes | None, int] | None: ...

@final
class Residuals:
    calls: Final[int]  # of f

    def __new__(
        cls,
        f: Callable[..., Any],
        xdata: Any,
        ydata: NDArray[np.float64],  # (M,)
        weights: NDArray[np.float64] | None,  # (M,) or (M, M)
        x: NDArray[np.float64],  # where f was called first,
        values: Any,  # and what it returned
        convert: Callable[[Any, int], NDArray[np.float64]],
        /,
    ) -> Self: ...
    def __call__(self, x: NDArray[np.float64], /) -> NDArray[np.float64]: ...

@final
class Compiled:
    m: Final[int]
    data: Final[Any]

    def __new__(
        cls,
        residual: int,  # addresses, 0 for none
        combined: int,
        jacobian: int,
        m: int,
        memory: object,  # None, an address, or what has the buffer protocol
        data: object,  # kept, as are
        k: int | None,
        owners: object,
        /,
    ) -> Self: ...
    def __call__(self, x: ArrayLike, /) -> NDArray[np.float64]: ...
    def jacobian(self, x: ArrayLike, /) -> NDArray[np.float64]: ...
    @property
    def has_jacobian(self) -> bool: ...
    @property
    def k(self) -> int | None: ...

_Points = tuple[NDArray[np.float64], NDArray[np.intp]]  # (k, N), and whose they are

_Table = NDArray[np.float64]

# x0 (B, N), diag (1 or B, N), weights and ydata (1 or B, M)
_Given = tuple[_Table, _Table | None, _Table | None, _Table | None]

# x, ier, nfev, njev, fnorm, sums of squares, cov_x: written to
_Results = tuple[
    _Table,
    NDArray[np.intc],
    NDArray[np.intc],
    NDArray[np.intc],
    NDArray[np.float64],
    NDArray[np.float64] | None,
    NDArray[np.float64] | None,
]

# ftol, xtol, gtol, factor, maxfev, epsfcn, qr
_Options = tuple[float, float, float, float, int, float | None, int]

@final
class Lockstep:
    done: Final[int]  # fits

    def __new__(
        cls,
        given: _Given,
        results: _Results,
        options: _Options,
        differences: bool,
        size: int,  # fits under way at once; 0: as suits
        /,
    ) -> Self: ...
    def points(self) -> _Points | None: ...
    def take(self, residuals: NDArray[np.float64], /) -> None: ...
    def jacobian_points(self) -> _Points | None: ...
    def take_jacobian(self, jacobians: NDArray[np.float64], /) -> None: ...
    def set_epsfcn(self, type_num: int, /) -> None: ...

@final
class Batch:
    def __new__(
        cls,
        given: _Given,
        results: _Results,
        options: _Options,
        func: Compiled,
        dfun: Compiled | None,
        data: NDArray[Any] | None,  # a row for each fit
        /,
    ) -> Self: ...
    def run(self) -> bool: ...
    def stop(self) -> None: ...
    @property
    def done(self) -> int: ...
