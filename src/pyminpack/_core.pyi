"""The shim: the border between Python and C."""

from collections.abc import Callable
from typing import Any, Final, Self, SupportsFloat, SupportsIndex, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

INSTRUCTION_SET: int  # of the blocked factorisation: 0 baseline, 1 AVX2, 2 AVX-512

_Solution = tuple[
    NDArray[np.float64],  # x (N,)
    NDArray[np.float64],  # fvec (M,); None, as the other arrays below, unless full
    NDArray[np.float64],  # fjac (N, M)
    NDArray[np.intc],  # ipvt (N,)
    NDArray[np.float64],  # qtf (N,)
    int,  # nfev
    int | None,  # njev; None with differences
    int,  # info
    tuple[float, float, float, int, str],  # ftol, xtol, gtol, maxfev, what is improper
]

_Short = tuple[NDArray[np.float64], int]  # x, info

def solve(
    func: Callable[..., Any],
    dfun: Callable[..., Any] | None,
    x0: ArrayLike,
    args: object,
    col_deriv: object,
    ftol: SupportsFloat,
    xtol: SupportsFloat,
    gtol: SupportsFloat,
    factor: SupportsFloat,
    maxfev: SupportsIndex,
    epsfcn: SupportsFloat | None,
    diag: ArrayLike | None,
    full: object,
    qr: str,
    /,
) -> _Short | _Solution: ...
def covariance(
    fjac: NDArray[np.float64], ipvt: NDArray[np.intc], /
) -> NDArray[np.float64] | None: ...
def sum_of_squares(array: NDArray[np.float64], /) -> float: ...

# What the user gave under a name, or the function of that name returned.
def real_array(name: str, value: object, objects: object = False, /) -> NDArray[np.float64]: ...
def data_array(name: str, value: object, /) -> NDArray[np.float64]: ...
def returned_array(name: str, value: object, /) -> tuple[NDArray[np.float64], int]: ...
def any_array(name: str, value: object, /) -> NDArray[Any]: ...
def xdata_array(value: Any, /) -> Any: ...
def read_real(name: str, value: object, /) -> float: ...
def read_integer(name: str, value: object, /) -> int: ...
def read_capsule(object: object, /) -> tuple[int, bytes | None, int] | None: ...

@final
class Residuals:
    calls: Final[int]  # of f
    m: Final[int]
    weights: Final[NDArray[np.float64] | None]  # (M,) or (M, M)
    epsfcn: Final[float]

    def __new__(
        cls,
        f: Callable[..., Any],
        xdata: Any,
        ydata: NDArray[np.float64],  # (M,), or one for all
        weights: NDArray[np.float64] | None,  # (M,) or (M, M)
        x: NDArray[np.float64],  # where f was called first,
        values: Any,  # and what it returned
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

# x0 (B, N), diag as the user gave it, weights and ydata (1 or B, M)
_Given = tuple[_Table, Any, _Table | None, _Table | None]

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

# ftol, xtol, gtol, factor, maxfev, epsfcn, qr, as the user gave them
_Options = tuple[Any, ...]

@final
class Lockstep:
    done: Final[int]  # fits

    @property
    def options(self) -> dict[str, Any]: ...  # ftol, xtol, gtol and maxfev
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
    @property
    def options(self) -> dict[str, Any]: ...
