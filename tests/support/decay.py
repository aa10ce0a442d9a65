"""A decay with a rest, and its fit: what the tests of reports report on."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyminpack import leastsq

T = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0])
Y = np.array([4.98, 3.72, 2.98, 2.47, 2.16, 1.74, 1.61])
SIGMA = np.array([0.05, 0.03, 0.03, 0.02, 0.02, 0.04, 0.02])


def model(t: Any, height: float, rate: float, rest: float) -> Any:
    return height * np.exp(-rate * t) + rest


def residuals(b: Any, sigma: Any = 1.0) -> Any:
    return (model(T, *b) - Y) / sigma


def jacobian(b: Any, sigma: Any = 1.0) -> Any:
    decay = np.exp(-b[1] * T)
    columns = np.array([decay, -b[0] * T * decay, np.ones_like(T)])
    return (columns / sigma).T


START = [1.0, 1.0, 0.0]

FULL = leastsq(residuals, START, full_output=True)


def full(**replaced: Any) -> tuple[Any, ...]:
    """Return a full tuple with something else in it."""
    names = ("x", "cov_x", "infodict", "mesg", "ier")
    return tuple({**dict(zip(names, FULL, strict=True)), **replaced}.values())


def info(**replaced: Any) -> dict[str, Any]:
    """Return its infodict with something else in it; None takes an item out."""
    return {key: value for key, value in {**FULL[2], **replaced}.items() if value is not None}
