"""The derivatives of the models of NIST's data sets with respect to their parameters.

`DERIVATIVES` has them by formula, because several data sets share one. Each function takes the
predictor and the parameters and returns the columns of the Jacobian, of which a constant one may
be a number. Factors that two columns share are computed once, as a user would write it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

Columns = tuple[Any, ...]


def _bennett5(x: Any, b1: float, b2: float, b3: float) -> Columns:
    shifted = b2 + x
    power = shifted ** (-1.0 / b3)
    slope = b1 / b3 * power
    return power, -slope / shifted, slope * np.log(shifted) / b3


def _rise(x: Any, b1: float, b2: float) -> Columns:
    return -np.expm1(-b2 * x), b1 * x * np.exp(-b2 * x)


def _chwirut(x: Any, b1: float, b2: float, b3: float) -> Columns:
    value = np.exp(-b1 * x) / (b2 + b3 * x)
    slope = -value / (b2 + b3 * x)
    return -x * value, slope, x * slope


def _power(x: Any, b1: float, b2: float) -> Columns:
    value = x**b2
    return value, b1 * value * np.log(x)


def _enso(x: Any, *b: float) -> Columns:
    def cycle(period: float, cosine: float, sine: float) -> Columns:
        """Return the derivatives with respect to the period and to the two amplitudes."""
        angle = 2.0 * np.pi * x / period
        c, s = np.cos(angle), np.sin(angle)
        return (cosine * s - sine * c) * angle / period, c, s

    year = 2.0 * np.pi * x / 12.0
    return (1.0, np.cos(year), np.sin(year), *cycle(*b[3:6]), *cycle(*b[6:9]))


def _eckerle4(x: Any, b1: float, b2: float, b3: float) -> Columns:
    away = (x - b3) / b2
    bell = np.exp(-0.5 * away**2) / b2
    slope = b1 * bell / b2
    return bell, slope * (away**2 - 1.0), slope * away


def _gauss(x: Any, *b: float) -> Columns:
    def peak(height: float, centre: float, width: float) -> Columns:
        away = (x - centre) / width
        bell = np.exp(-(away**2))
        slope = 2.0 * height * bell * away / width
        return bell, slope, slope * away

    decay = np.exp(-b[1] * x)
    return (decay, -b[0] * x * decay, *peak(*b[2:5]), *peak(*b[5:8]))


def _rational(degree: int) -> Callable[..., Columns]:
    """A polynomial of that degree, over another whose constant term is 1."""

    def derivatives(x: Any, *b: float) -> Columns:
        powers = [x**k for k in range(degree + 1)]
        above = sum(value * power for value, power in zip(b, powers, strict=False))
        below = 1.0 + sum(
            value * power for value, power in zip(b[degree + 1 :], powers[1:], strict=True)
        )
        slope = -above / below**2
        return (*(power / below for power in powers), *(power * slope for power in powers[1:]))

    return derivatives


def _lanczos(x: Any, *b: float) -> Columns:
    columns: Columns = ()
    for height, rate in (b[:2], b[2:4], b[4:]):
        decay = np.exp(-rate * x)
        columns += (decay, -height * x * decay)
    return columns


def _mgh09(x: Any, b1: float, b2: float, b3: float, b4: float) -> Columns:
    below = x**2 + x * b3 + b4
    value = (x**2 + x * b2) / below
    slope = -b1 * value / below
    return value, b1 * x / below, x * slope, slope


def _mgh10(x: Any, b1: float, b2: float, b3: float) -> Columns:
    shifted = x + b3
    growth = np.exp(b2 / shifted)
    slope = b1 * growth / shifted
    return growth, slope, -b2 * slope / shifted


def _mgh17(x: Any, b1: float, b2: float, b3: float, b4: float, b5: float) -> Columns:
    first, second = np.exp(-x * b4), np.exp(-x * b5)
    return 1.0, first, second, -b2 * x * first, -b3 * x * second


def _misra1b(x: Any, b1: float, b2: float) -> Columns:
    base = 1.0 + b2 * x / 2.0
    return 1.0 - base**-2, b1 * x * base**-3


def _misra1c(x: Any, b1: float, b2: float) -> Columns:
    base = 1.0 + 2.0 * b2 * x
    return 1.0 - base**-0.5, b1 * x * base**-1.5


def _misra1d(x: Any, b1: float, b2: float) -> Columns:
    base = 1.0 + b2 * x
    return b2 * x / base, b1 * x / base**2


def _nelson(x1: Any, x2: Any, b1: float, b2: float, b3: float) -> Columns:
    value = x1 * np.exp(-b3 * x2)
    return 1.0, -value, b2 * x2 * value


def _rat42(x: Any, b1: float, b2: float, b3: float) -> Columns:
    # Both shares are computed from their own exponential: 1 - low would cancel near 1.
    low = 1.0 / (1.0 + np.exp(b2 - b3 * x))
    slope = b1 * low / (1.0 + np.exp(b3 * x - b2))
    return low, -slope, x * slope


def _rat43(x: Any, b1: float, b2: float, b3: float, b4: float) -> Columns:
    growth = np.exp(b2 - b3 * x)
    share = (1.0 + growth) ** (-1.0 / b4)
    value = b1 * share / b4
    slope = value / (1.0 + np.exp(b3 * x - b2))
    return share, -slope, x * slope, value * np.log1p(growth) / b4


def _roszman1(x: Any, b1: float, b2: float, b3: float, b4: float) -> Columns:
    away = x - b4
    below = np.pi * (away**2 + b3**2)
    return 1.0, -x, -away / below, -b3 / below


_EXPONENTIALS = "b1*exp(-b2*x)+b3*exp(-b4*x)+b5*exp(-b6*x)"
_PEAKS = "b1*exp(-b2*x)+b3*exp(-((x-b4)/b5)**2)+b6*exp(-((x-b7)/b8)**2)"
_CYCLES = (
    "b1+b2*cos(2*pi*x/12)+b3*sin(2*pi*x/12)+b5*cos(2*pi*x/b4)+b6*sin(2*pi*x/b4)"
    "+b8*cos(2*pi*x/b7)+b9*sin(2*pi*x/b7)"
)

DERIVATIVES: Final[dict[str, Callable[..., Columns]]] = {
    "b1*(b2+x)**(-1/b3)": _bennett5,
    "b1*(1-exp(-b2*x))": _rise,
    "exp(-b1*x)/(b2+b3*x)": _chwirut,
    "b1*x**b2": _power,
    _CYCLES: _enso,
    "(b1/b2)*exp(-0.5*((x-b3)/b2)**2)": _eckerle4,
    _PEAKS: _gauss,
    "(b1+b2*x+b3*x**2+b4*x**3)/(1+b5*x+b6*x**2+b7*x**3)": _rational(3),
    "(b1+b2*x+b3*x**2)/(1+b4*x+b5*x**2)": _rational(2),
    _EXPONENTIALS: _lanczos,
    "b1*(x**2+x*b2)/(x**2+x*b3+b4)": _mgh09,
    "b1*exp(b2/(x+b3))": _mgh10,
    "b1+b2*exp(-x*b4)+b3*exp(-x*b5)": _mgh17,
    "b1*(1-(1+b2*x/2)**(-2))": _misra1b,
    "b1*(1-(1+2*b2*x)**(-0.5))": _misra1c,
    "b1*b2*x/(1+b2*x)": _misra1d,
    "b1-b2*x1*exp(-b3*x2)": _nelson,
    "b1/(1+exp(b2-b3*x))": _rat42,
    "b1/(1+exp(b2-b3*x))**(1/b4)": _rat43,
    "b1-b2*x-arctan(b3/(x-b4))/pi": _roszman1,
}
"""By the formula of the model, the function that returns the columns of the Jacobian."""
