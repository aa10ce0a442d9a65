"""The confidence band of a fitted curve: the delta method, and the quantiles it needs."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    _Array = NDArray[np.float64]

_EPSILON = float(np.finfo(np.float64).eps)

# From here on four terms of an expansion for many degrees of freedom have ten digits and more.
_MANY = 1000


def standard_deviation(
    model: Callable[[_Array], _Array],
    parameters: _Array,
    standard_errors: _Array,
    covariance: _Array,
) -> _Array:
    """
    Return the standard deviation of the fitted curve at each point.

    ``model(parameters)`` returns a value for each point. The derivatives are central differences:
    a model that can be fitted is smooth on the scale of the standard errors, so the step is a small
    part of these, but long enough to leave most digits of the parameter.
    """
    derivatives = []
    for j, (parameter, error) in enumerate(zip(parameters, standard_errors, strict=True)):
        step = max(_EPSILON ** (1 / 3) * error, _EPSILON ** (2 / 3) * abs(parameter))
        above, below = parameters.copy(), parameters.copy()
        above[j] += step
        below[j] -= step
        difference = above[j] - below[j]
        if difference == 0.0:  # a parameter without error, at zero
            derivatives.append(np.zeros_like(model(parameters)))
        else:
            derivatives.append((model(above) - model(below)) / difference)
    gradient = np.array(derivatives)
    # Rounding may leave a variance of zero a little below it.
    variance = np.maximum(np.einsum("jm,jk,km->m", gradient, covariance, gradient), 0.0)
    deviation: _Array = np.sqrt(variance)
    return deviation


def normal_quantile(level: float) -> float:
    """Return q, such that a standard normal variable is between -q and q with that probability."""
    # The tail, as 1 + level would round away what sets a level near 1 apart from it.
    return -NormalDist().inv_cdf((1.0 - level) / 2.0)


def student_quantile(level: float, freedom: int) -> float:
    """
    Return q, such that Student's t is between -q and q with that probability.

    With theta = atan(t / sqrt(freedom)) the probability is a finite sum of powers of cos(theta)
    (Abramowitz and Stegun 26.7.3 and 26.7.4). It rises with theta ever more slowly, and t is larger
    than the normal quantile: from there Newton's method goes up to the solution without overshoot.
    """
    q = normal_quantile(level)
    if freedom >= _MANY:
        return _expanded(q, freedom)
    theta = math.atan(q / math.sqrt(freedom))
    # The derivative of the probability by theta, but for cos(theta)**(freedom - 1).
    slope = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    slope *= 2.0 / math.sqrt(math.pi)
    while True:
        missing = level - _student_probability(theta, freedom)
        step = missing / (slope * math.cos(theta) ** (freedom - 1))
        if step <= 4.0 * _EPSILON * theta:
            return math.sqrt(freedom) * math.tan(theta)
        theta += step


def _student_probability(theta: float, freedom: int) -> float:
    """Return the probability of |t| < sqrt(freedom) * tan(theta)."""
    sine, cosine = math.sin(theta), math.cos(theta)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = 0.0
    for k in range(1 + odd, freedom, 2):
        total += term
        term *= cosine * cosine * k / (k + 1)
    return 2.0 / math.pi * (theta + sine * total) if odd else sine * total


def _expanded(q: float, freedom: int) -> float:
    """Return the quantile of Student's t from the normal one (Abramowitz and Stegun 26.7.5)."""
    terms = (
        (q**3 + q) / 4.0,
        (5.0 * q**5 + 16.0 * q**3 + 3.0 * q) / 96.0,
        (3.0 * q**7 + 19.0 * q**5 + 17.0 * q**3 - 15.0 * q) / 384.0,
        (79.0 * q**9 + 776.0 * q**7 + 1482.0 * q**5 - 1920.0 * q**3 - 945.0 * q) / 92160.0,
    )
    return q + sum(term / float(freedom) ** k for k, term in enumerate(terms, start=1))
