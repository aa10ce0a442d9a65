"""The problem that the contract's tests fit, and things a user's function may return."""

from __future__ import annotations

from typing import Any

import numpy as np
from bits import packed

from pyminpack import leastsq

START = [-1.2, 1.0]


def rosenbrock(x: Any) -> Any:
    return np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0], 0.5])


def rosenbrock_jacobian(x: Any) -> Any:
    return np.array([[-20.0 * x[0], 10.0], [-1.0, 0.0], [0.0, 0.0]])


def fit(func: Any, **options: Any) -> dict[str, Any]:
    return packed(leastsq(func, START, full_output=True, **options))


PLAIN = fit(rosenbrock)
WITH_JACOBIAN = fit(rosenbrock, Dfun=rosenbrock_jacobian)


def read_only(r: Any) -> Any:
    r.flags.writeable = False
    return r
