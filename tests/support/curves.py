"""Models and data for `curve_fit`, and models that keep a record of their calls."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from bits import assert_same_bits

from pyminpack import curve_fit

T = np.linspace(0.0, 4.0, 12)
LINE = 2.0 * T + 1.0 + 0.1 * np.sin(9.0 * T)
DECAY = 2.5 * np.exp(-1.3 * T) + 0.5 + 0.01 * np.cos(11.0 * T)
SIGMA = 0.1 + 0.02 * np.arange(12)
# Neighbouring points have much in common.
COVARIANCE = np.outer(SIGMA, SIGMA) * 0.6 ** np.abs(np.subtract.outer(np.arange(12), np.arange(12)))


def line(t: Any, a: Any, b: Any) -> Any:
    return a * t + b


def line_jacobian(t: Any, a: Any, b: Any) -> Any:
    return np.column_stack([t, np.ones_like(t)])


def decay(t: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * t) + c


def decay_jacobian(t: Any, a: Any, b: Any, c: Any) -> Any:
    e = np.exp(-b * t)
    return np.column_stack([e, -a * t * e, np.ones_like(t)])


class Recorded:
    """A model that records what it is called with."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.xdata: list[Any] = []
        self.parameters: list[tuple[Any, ...]] = []
        self.__signature__ = inspect.signature(model)

    def __call__(self, xdata: Any, *parameters: Any) -> Any:
        self.xdata.append(xdata)
        self.parameters.append(parameters)
        return self.model(xdata, *parameters)

    @property
    def calls(self) -> int:
        return len(self.parameters)

    @property
    def repeats(self) -> int:
        """How often it was called with the parameters of the call before."""
        pairs = zip(self.parameters, self.parameters[1:], strict=False)
        return sum(before == after for before, after in pairs)


PLAIN = curve_fit(line, T, LINE)


def same(*args: Any, **kwargs: Any) -> None:
    """Assert that these arguments mean the same fit as the plain ones."""
    popt, pcov = curve_fit(*args, **kwargs)
    assert_same_bits(popt, PLAIN[0])
    assert_same_bits(pcov, PLAIN[1])
