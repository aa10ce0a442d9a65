"""Many fits of a func of NumPy: all step together, and func is called once for each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._leastsq import _FLOAT64
from ._model import real_array

def run(lockstep, func, Dfun, args, count, col_deriv):
    first = True
    while (points := lockstep.points()) is not None:
        values = func(*points, *args)
        values = np.ascontiguousarray(values)
        if first:
            lockstep.set_epsfcn(values.dtype.num)
            first = False
        lockstep.take(np.ascontiguousarray(values, dtype=float))
        if Dfun is not None:
            points = lockstep.jacobian_points()
            if points is not None:
                J = Dfun(*points, *args)
                lockstep.take_jacobian(J)
