"""Many fits of a Python function: all step together, and it is called once for each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from .. import _core

if TYPE_CHECKING:  # numpy.typing would take longer to import than all of pyminpack
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .._core import Lockstep

    _Array = NDArray[np.float64]
    _Points = tuple[_Array, NDArray[np.intp]]


class Evaluating(Protocol):
    """What gives residuals and Jacobians, whatever the user's functions look like."""

    @property
    def Dfun(self) -> Callable[..., Any] | None: ...
    def residuals(self, points: _Points, /) -> tuple[_Array, int]: ...
    def jacobians(self, points: _Points, m: int, /) -> _Array: ...


class Evaluated(NamedTuple):
    """The user's functions and what they are called with after the points."""

    func: Callable[..., Any]
    Dfun: Callable[..., Any] | None
    args: tuple[Any, ...]
    col_deriv: bool
    fits: int  # how many

    def residuals(self, points: _Points) -> tuple[_Array, int]:
        """Return what func gives there, shape (k, M), and the number of the type that it had."""
        k = len(points[1])
        values, kind = _core.returned_array("func", self.func(*points, *self.args))
        if values.ndim != 2 or len(values) != k:
            raise self._wrong_residuals(values.shape, k)
        return values, kind

    def _wrong_residuals(self, shape: tuple[int, ...], k: int) -> ValueError:
        if len(shape) == 2 and shape[0] == self.fits:
            hint = (
                f"; that is a row for each of the {self.fits} fits: of what belongs to fits take "
                "what index says, data[index]"
            )
        elif len(shape) == 1 and k == 1:
            hint = f"; for a single point, too, there must be rows, shape (1, {shape[0]})"
        else:
            hint = ""
        return ValueError(
            f"func returned an array of shape {shape}, and must return a row of residuals for each "
            f"of the {k} points, shape ({k}, M){hint}"
        )

    def jacobians(self, points: _Points, m: int) -> _Array:
        """Return what Dfun gives there, shape (k, M, N)."""
        assert self.Dfun is not None
        k, n = points[0].shape
        values, _ = _core.returned_array("Dfun", self.Dfun(*points, *self.args))
        shape = (k, n, m) if self.col_deriv else (k, m, n)
        if values.shape != shape:
            if n > 1 or values.shape != (k, m):
                raise self._wrong_jacobians(shape, values.shape)
            values = values.reshape(shape)
        return values.transpose(0, 2, 1) if self.col_deriv else values

    def _wrong_jacobians(self, shape: tuple[int, ...], found: tuple[int, ...]) -> TypeError:
        name = getattr(self.Dfun, "__name__", None)
        hint = ""
        if len(found) == 3 and found[0] == self.fits and found[1:] == shape[1:]:
            hint = (
                f" That is a matrix for each of the {self.fits} fits: make those that index says."
            )
        return TypeError(
            "leastsq_many: there is a mismatch between the input and output shape of the 'Dfun' "
            f"argument{'' if name is None else f' {name!r}'}. Shape should be {shape} but it is "
            f"{found}.{hint}"
        )


def step_together(lockstep: Lockstep, evaluated: Evaluating, told: Callable[[int], None]) -> None:
    """Evaluate what the fits wait for until there are none, and tell how many are done."""
    m = 0
    while (points := lockstep.points()) is not None:
        told(lockstep.done)
        values, kind = evaluated.residuals(points)
        if m == 0:
            m = values.shape[1]
            lockstep.set_epsfcn(kind)
        if not values.flags.c_contiguous:
            values = _core.real_array("func", values)
        lockstep.take(values)
        del points, values  # which are large
        if evaluated.Dfun is not None and (points := lockstep.jacobian_points()) is not None:
            lockstep.take_jacobian(evaluated.jacobians(points, m))
    told(lockstep.done)
