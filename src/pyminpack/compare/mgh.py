"""The eighteen nonlinear least-squares problems of More, Garbow and Hillstrom (1981).

Every residual is written so that a complex `x` gives a complex result: the derivative tests
differentiate by the complex step, which has no cancellation and checks to the last digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Problem:
    """One test function of a fixed size.

    `minimum` is the published residual norm of the local minimum the standard start leads to.
    """

    number: int
    name: str
    n: int
    m: int
    start: Array
    residual: Callable[[Array], Array]
    jacobian: Callable[[Array], Array]
    minimum: float

    def start_at(self, factor: float) -> Array:
        """Return the start of the test driver: scaled, or all `factor` where it is zero."""
        if factor != 1.0 and not self.start.any():
            return np.full(self.n, factor)
        return factor * self.start


@dataclass(frozen=True)
class Case:
    """A problem and the factor its start is multiplied by."""

    problem: Problem
    factor: float

    @property
    def start(self) -> Array:
        return self.problem.start_at(self.factor)

    def __str__(self) -> str:
        return f"{self.problem.name}-{self.problem.n}x{self.problem.m}-{self.factor:g}"


def _linear_full_rank(n: int, m: int) -> Problem:
    matrix = np.eye(m, n) - 2.0 / m

    def residual(x: Array) -> Array:
        f = np.full(m, -2.0 / m * x.sum() - 1.0)
        f[:n] += x
        return f

    return Problem(
        1, "linear_full", n, m, np.ones(n), residual, lambda x: matrix.copy(), math.sqrt(m - n)
    )


def _linear_rank_one(n: int, m: int) -> Problem:
    rows, columns = np.arange(1.0, m + 1), np.arange(1.0, n + 1)
    best = math.sqrt(m * (m - 1) / (2.0 * (2 * m + 1)))

    def residual(x: Array) -> Array:
        f: Array = rows * (columns * x).sum() - 1.0
        return f

    def jacobian(x: Array) -> Array:
        return rows[:, None] * columns

    return Problem(2, "linear_rank1", n, m, np.ones(n), residual, jacobian, best)


def _linear_rank_one_zeros(n: int, m: int) -> Problem:
    rows, columns = np.arange(0.0, m), np.arange(1.0, n + 1)
    rows[-1] = columns[0] = columns[-1] = 0.0
    best = math.sqrt((m * m + 3 * m - 6) / (2.0 * (2 * m - 3)))

    def residual(x: Array) -> Array:
        f: Array = rows * (columns * x).sum() - 1.0
        return f

    def jacobian(x: Array) -> Array:
        return rows[:, None] * columns

    return Problem(3, "linear_rank1_zeros", n, m, np.ones(n), residual, jacobian, best)


def _rosenbrock() -> Problem:
    def residual(x: Array) -> Array:
        return np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])

    def jacobian(x: Array) -> Array:
        return np.array([[-20.0 * x[0], 10.0], [-1.0, 0.0]])

    return Problem(4, "rosenbrock", 2, 2, np.array([-1.2, 1.0]), residual, jacobian, 0.0)


def _helical_valley() -> Problem:
    turn = 2.0 * math.pi

    def residual(x: Array) -> Array:
        if x[0].real == 0.0:
            theta = math.copysign(0.25, x[1].real)
        else:
            theta = np.arctan(x[1] / x[0]) / turn + (0.5 if x[0].real < 0.0 else 0.0)
        radius = np.sqrt(x[0] * x[0] + x[1] * x[1])
        return np.array([10.0 * (x[2] - 10.0 * theta), 10.0 * (radius - 1.0), x[2]])

    def jacobian(x: Array) -> Array:
        square = x[0] * x[0] + x[1] * x[1]
        radius, around = math.sqrt(square), 100.0 / (turn * square)
        return np.array(
            [
                [around * x[1], -around * x[0], 10.0],
                [10.0 * x[0] / radius, 10.0 * x[1] / radius, 0.0],
                [0.0, 0.0, 1.0],
            ]
        )

    start = np.array([-1.0, 0.0, 0.0])
    return Problem(5, "helical_valley", 3, 3, start, residual, jacobian, 0.0)


def _powell_singular() -> Problem:
    root5, root10 = math.sqrt(5.0), math.sqrt(10.0)

    def residual(x: Array) -> Array:
        a, b = x[1] - 2.0 * x[2], x[0] - x[3]
        return np.array([x[0] + 10.0 * x[1], root5 * (x[2] - x[3]), a * a, root10 * b * b])

    def jacobian(x: Array) -> Array:
        a, b = 2.0 * (x[1] - 2.0 * x[2]), 2.0 * root10 * (x[0] - x[3])
        return np.array(
            [[1.0, 10.0, 0.0, 0.0], [0.0, 0.0, root5, -root5], [0.0, a, -2 * a, 0.0], [b, 0, 0, -b]]
        )

    start = np.array([3.0, -1.0, 0.0, 1.0])
    return Problem(6, "powell_singular", 4, 4, start, residual, jacobian, 0.0)


def _freudenstein_roth() -> Problem:
    def residual(x: Array) -> Array:
        a, b = x
        return np.array(
            [a - 13.0 + ((5.0 - b) * b - 2.0) * b, a - 29.0 + ((b + 1.0) * b - 14.0) * b]
        )

    def jacobian(x: Array) -> Array:
        b = x[1]
        return np.array([[1.0, (10.0 - 3.0 * b) * b - 2.0], [1.0, (3.0 * b + 2.0) * b - 14.0]])

    start = np.array([0.5, -2.0])
    return Problem(7, "freudenstein_roth", 2, 2, start, residual, jacobian, 6.998875)


BARD = "14 18 22 25 29 32 35 39 37 58 73 96 134 210 439"


def _bard() -> Problem:
    y = np.array(BARD.split(), float) / 100.0
    u = np.arange(1.0, 16.0)
    v = 16.0 - u
    w = np.minimum(u, v)

    def residual(x: Array) -> Array:
        f: Array = y - (x[0] + u / (v * x[1] + w * x[2]))
        return f

    def jacobian(x: Array) -> Array:
        common = u / (v * x[1] + w * x[2]) ** 2
        return np.column_stack([np.full(15, -1.0), v * common, w * common])

    return Problem(8, "bard", 3, 15, np.ones(3), residual, jacobian, 0.09063596)


KOWALIK_U = "4 2 1 0.5 0.25 0.167 0.125 0.1 0.0833 0.0714 0.0625"
KOWALIK_Y = "1957 1947 1735 1600 844 627 456 342 323 235 246"


def _kowalik_osborne() -> Problem:
    u = np.array(KOWALIK_U.split(), float)
    y = np.array(KOWALIK_Y.split(), float) / 1e4

    def residual(x: Array) -> Array:
        f: Array = y - x[0] * u * (u + x[1]) / (u * (u + x[2]) + x[3])
        return f

    def jacobian(x: Array) -> Array:
        below = u * (u + x[2]) + x[3]
        value = u * (u + x[1]) / below
        slope = x[0] * value / below
        return np.column_stack([-value, -x[0] * u / below, slope * u, slope])

    start = np.array([0.25, 0.39, 0.415, 0.39])
    return Problem(9, "kowalik_osborne", 4, 11, start, residual, jacobian, 0.01753584)


MEYER = "34780 28610 23650 19630 16370 13720 11540 9744 8261 7030 6005 5147 4427 3820 3307 2872"


def _meyer() -> Problem:
    y = np.array(MEYER.split(), float)
    t = 45.0 + 5.0 * np.arange(1.0, 17.0)

    def residual(x: Array) -> Array:
        f: Array = x[0] * np.exp(x[1] / (t + x[2])) - y
        return f

    def jacobian(x: Array) -> Array:
        shifted = t + x[2]
        growth = np.exp(x[1] / shifted)
        slope = x[0] * growth / shifted
        return np.column_stack([growth, slope, -x[1] * slope / shifted])

    start = np.array([0.02, 4000.0, 250.0])
    return Problem(10, "meyer", 3, 16, start, residual, jacobian, 9.377945)


def _watson(n: int, best: float) -> Problem:
    t = np.arange(1.0, 30.0) / 29.0
    powers = t[:, None] ** np.arange(n)
    slopes = np.zeros((29, n))
    slopes[:, 1:] = np.arange(1.0, n) * powers[:, :-1]

    def residual(x: Array) -> Array:
        f = np.empty(31, x.dtype)
        f[:29] = (slopes * x).sum(axis=1) - (powers * x).sum(axis=1) ** 2 - 1.0
        f[29] = x[0]
        f[30] = x[1] - x[0] * x[0] - 1.0
        return f

    def jacobian(x: Array) -> Array:
        j = np.zeros((31, n))
        j[:29] = slopes - 2.0 * (powers * x).sum(axis=1)[:, None] * powers
        j[29, 0] = j[30, 1] = 1.0
        j[30, 0] = -2.0 * x[0]
        return j

    return Problem(11, "watson", n, 31, np.zeros(n), residual, jacobian, best)


def _box() -> Problem:
    t = np.arange(1.0, 11.0) / 10.0
    known = np.exp(-10.0 * t) - np.exp(-t)

    def residual(x: Array) -> Array:
        f: Array = np.exp(-t * x[0]) - np.exp(-t * x[1]) + known * x[2]
        return f

    def jacobian(x: Array) -> Array:
        return np.column_stack([-t * np.exp(-t * x[0]), t * np.exp(-t * x[1]), known])

    start = np.array([0.0, 10.0, 20.0])
    return Problem(12, "box3d", 3, 10, start, residual, jacobian, 0.0)


def _jennrich_sampson() -> Problem:
    i = np.arange(1.0, 11.0)

    def residual(x: Array) -> Array:
        f: Array = 2.0 + 2.0 * i - np.exp(i * x[0]) - np.exp(i * x[1])
        return f

    def jacobian(x: Array) -> Array:
        return np.column_stack([-i * np.exp(i * x[0]), -i * np.exp(i * x[1])])

    start = np.array([0.3, 0.4])
    return Problem(13, "jennrich_sampson", 2, 10, start, residual, jacobian, 11.15178)


def _brown_dennis() -> Problem:
    t = np.arange(1.0, 21.0) / 5.0
    sine = np.sin(t)

    def parts(x: Array) -> tuple[Array, Array]:
        return x[0] + t * x[1] - np.exp(t), x[2] + sine * x[3] - np.cos(t)

    def residual(x: Array) -> Array:
        a, b = parts(x)
        f: Array = a * a + b * b
        return f

    def jacobian(x: Array) -> Array:
        a, b = parts(x)
        return 2.0 * np.column_stack([a, t * a, b, sine * b])

    start = np.array([25.0, 5.0, -5.0, -1.0])
    return Problem(14, "brown_dennis", 4, 20, start, residual, jacobian, 292.9543)


def _chebyquad(n: int, m: int, best: float) -> Problem:
    degree = np.arange(1, m + 1)
    integral = np.zeros(m)
    integral[1::2] = -1.0 / (degree[1::2] ** 2 - 1.0)

    def residual(x: Array) -> Array:
        f = np.empty(m, x.dtype)
        before, now, twice = np.ones_like(x), 2.0 * x - 1.0, 4.0 * x - 2.0
        for i in range(m):
            f[i] = now.sum() / n - integral[i]
            before, now = now, twice * now - before
        return f

    def jacobian(x: Array) -> Array:
        j = np.empty((m, n))
        before, now, twice = np.ones_like(x), 2.0 * x - 1.0, 4.0 * x - 2.0
        slope_before, slope = np.zeros_like(x), np.full_like(x, 2.0)
        for i in range(m):
            j[i] = slope / n
            slope_before, slope = slope, 4.0 * now + twice * slope - slope_before
            before, now = now, twice * now - before
        return j

    start = np.arange(1.0, n + 1) / (n + 1)
    return Problem(15, "chebyquad", n, m, start, residual, jacobian, best)


def _brown_almost_linear(n: int) -> Problem:
    def residual(x: Array) -> Array:
        f: Array = x + (x.sum() - (n + 1.0))
        f[-1] = x.prod() - 1.0
        return f

    def jacobian(x: Array) -> Array:
        j = np.eye(n) + 1.0
        for k in range(n):
            # Leaving the factor out, not dividing by it, is exact where a component is zero.
            j[-1, k] = np.delete(x, k).prod()
        return j

    start = np.full(n, 0.5)
    return Problem(16, "brown_almost_linear", n, n, start, residual, jacobian, 0.0)


OSBORNE_1 = """844 908 932 936 925 908 881 850 818 784 751 718 685 658 628 603 580
558 538 522 506 490 478 467 457 448 438 431 424 420 414 411 406"""


def _osborne_1() -> Problem:
    y = np.array(OSBORNE_1.split(), float) / 1000.0
    t = 10.0 * np.arange(33.0)

    def residual(x: Array) -> Array:
        f: Array = y - (x[0] + x[1] * np.exp(-t * x[3]) + x[2] * np.exp(-t * x[4]))
        return f

    def jacobian(x: Array) -> Array:
        a, b = np.exp(-t * x[3]), np.exp(-t * x[4])
        return np.column_stack([np.full(33, -1.0), -a, -b, t * x[1] * a, t * x[2] * b])

    start = np.array([0.5, 1.5, -1.0, 0.01, 0.02])
    return Problem(17, "osborne1", 5, 33, start, residual, jacobian, 0.007392493)


OSBORNE_2 = """1366 1191 1112 1013 991 885 831 847 786 725 746 679 608 655 616 606 602 626
651 724 649 649 694 644 624 661 612 558 533 495 500 423 395 375 372 391 396 405 428 429 523
562 607 653 672 708 633 668 645 632 591 559 597 625 739 710 729 720 636 581 428 292 162 98 54"""


def _osborne_2() -> Problem:
    y = np.array(OSBORNE_2.split(), float) / 1000.0
    t = np.arange(65.0) / 10.0

    def peaks(x: Array) -> tuple[Array, Array]:
        """Return the four decaying terms without their heights, and the distances to them."""
        away = t[:, None] - x[8:]
        return np.column_stack([np.exp(-t * x[4]), np.exp(-x[5:8] * away**2)]), away

    def residual(x: Array) -> Array:
        f: Array = y - (x[:4] * peaks(x)[0]).sum(axis=1)
        return f

    def jacobian(x: Array) -> Array:
        terms, away = peaks(x)
        bells = x[1:4] * terms[:, 1:]
        decay = t * x[0] * terms[:, 0]
        return np.column_stack([-terms, decay, bells * away**2, -2.0 * bells * x[5:8] * away])

    start = np.array([1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5])
    return Problem(18, "osborne2", 11, 65, start, residual, jacobian, 0.2003440)


def _cases() -> list[Case]:
    """Return the cases of MINPACK's driver: each problem from 1, 2 or 3 starts."""
    table: list[tuple[Problem, int]] = []
    for linear in (_linear_full_rank, _linear_rank_one, _linear_rank_one_zeros):
        table += [(linear(5, 10), 1), (linear(5, 50), 1)]
    small = (_rosenbrock, _helical_valley, _powell_singular, _freudenstein_roth)
    table += [(make(), 3) for make in small]
    table += [(_bard(), 3), (_kowalik_osborne(), 3), (_meyer(), 2)]
    watson_minimum = ((6, 0.04782959), (9, 0.001183115), (12, 0.00002173104))
    table += [(_watson(n, best), 3) for n, best in watson_minimum]
    table += [(_box(), 1), (_jennrich_sampson(), 1), (_brown_dennis(), 3)]
    table += [(_chebyquad(1, 8, 1.886238), 3), (_chebyquad(8, 8, 0.05930324), 1)]
    table += [(_chebyquad(9, 9, 0.0), 1), (_chebyquad(10, 10, 0.08064710), 1)]
    table += [(_brown_almost_linear(n), starts) for n, starts in ((10, 3), (30, 1), (40, 1))]
    table += [(_osborne_1(), 1), (_osborne_2(), 1)]
    return [Case(p, factor) for p, starts in table for factor in (1.0, 10.0, 100.0)[:starts]]


CASES = _cases()
PROBLEMS = [case.problem for case in CASES if case.factor == 1.0]
