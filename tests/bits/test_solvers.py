"""Cases of minpack/ that random matrices and published problems do not meet by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import argonne
import numpy as np
import pytest
from argonne import Doubles, Library
from test_routines import EPS, NAMED, record, same, triangle

from pyminpack.compare.mgh import Problem

pytestmark = pytest.mark.skipif(not argonne.AVAILABLE, reason=argonne.REASON)


def test_lmpar_stops_on_the_edge_of_its_tolerance(own_library: Library) -> None:
    """A length of exactly nine or eleven tenths of delta is near enough."""
    rng = np.random.default_rng(1)
    on_edge = 0
    for k in range(40):
        n = 1 + k % 4
        r, ipvt, qtb = triangle(rng, rng.normal(size=(n + 2, n)), 0)
        diag = rng.uniform(0.5, 2.0, n)
        par = float(rng.uniform(0.5, 2.0))
        step = own_library.qrsolv(r, ipvt, np.sqrt(par) * diag, qtb).x
        length = own_library.enorm(diag * step)
        # Products round: the bound that meets the equality is one of the neighbours, if any.
        for ulps in range(-20, 21):
            delta = length / 0.9 * (1 + ulps * np.finfo(float).eps)
            if delta - length == 0.1 * delta:
                fit = same(own_library, "lmpar", r, ipvt, diag, qtb, delta, par)
                on_edge += fit.par == par
    assert on_edge > 2


@pytest.mark.parametrize("exponent", [-310, -300, -160, 150, 300])
def test_lmpar_at_the_limits(own_library: Library, exponent: int) -> None:
    """Where products leave the range the bounds on par decide what becomes of the step."""
    rng = np.random.default_rng([2, abs(exponent)])
    for k in range(400):
        n = 1 + k % 3
        r = rng.normal(size=(n, n)) * 10.0**exponent
        qtb = rng.normal(size=n) * 10.0 ** rng.integers(290, 308)
        delta = float(abs(rng.normal()) * 10.0 ** rng.integers(-308, -290))
        par = float(rng.choice([0.0, 1.0]))
        same(own_library, "lmpar", r, np.arange(1, n + 1), np.ones(n), qtb, delta, par)


def test_qrfac_between_columns_of_one_length(own_library: Library) -> None:
    """Columns of the same numbers in another order differ in the last bits of their norms."""
    rng = np.random.default_rng(3)
    orders = set()
    for _ in range(40):
        a = np.zeros((6, 6))
        # The first step takes all but noise off the other columns: their norms are computed anew.
        a[0] = [2e9, *[1e9] * 5]
        a[1] = [0.0, 50.0, *[rng.normal()] * 4]
        a[2:, 2:] = np.column_stack([rng.permutation([0.3, -1.1, 0.7, 2.3]) for _ in range(4)])
        orders.add(tuple(same(own_library, "qrfac", a, True).ipvt))
    assert len(orders) > 4


def test_qrfac_on_the_edge_of_a_fresh_norm(own_library: Library) -> None:
    """A norm of which exactly the machine precision is left, after 0.05, is computed anew."""
    rng = np.random.default_rng(4)
    precision, eps = own_library.dpmpar(1), np.finfo(float).eps
    found = 0
    for _ in range(1500):
        # The column (p, q, s) loses p and then q to steps that leave it as it is otherwise.
        k = int(rng.integers(41, 80))
        first = np.sqrt(precision / 0.05 / (k * 2.0**-53))
        second = first * np.sqrt(k * 2.0**-53)
        ulps = 1 + eps * rng.integers(-3, 4, 2)
        p, q, s = np.sqrt(1 - first**2) * ulps[0], first * ulps[1], second
        whole = own_library.enorm([p, q, s])
        norm = whole * np.sqrt(1 - (p / whole) ** 2)
        norm *= np.sqrt(max(0.0, 1 - (q / norm) ** 2))
        if 0.05 * (norm / whole) ** 2 != precision or norm == s:
            continue
        found += 1
        a = np.diag([9.0, 8.0, 0.0, 0.0])
        a[:3, 2] = p, q, s
        a[2, 3] = (norm + s) / 2  # the third pivot, if the other column's norm is not larger
        factors = same(own_library, "qrfac", a, True)
        assert (factors.ipvt[2] == 3) == (s > norm)
    assert found > 2


def test_qrsolv_between_elements_of_one_size(own_library: Library) -> None:
    """Where an element of R and one of D are equal in magnitude, R's decides the sign."""
    rng = np.random.default_rng(5)
    for k in range(60):
        n = 1 + k % 4
        r = rng.integers(-3, 4, (n, n)).astype(float)
        ipvt = rng.permutation(n) + 1
        diag = np.empty(n)
        diag[ipvt - 1] = np.abs(r.diagonal()) * rng.choice([-1.0, 1.0], n)
        same(own_library, "qrsolv", r, ipvt, diag, rng.integers(-3, 4, n))


@pytest.mark.parametrize("gtol", [0.5, 0.1, 1e-3])
@pytest.mark.parametrize("name", NAMED)
def test_the_gradient_test_comes_before_the_scaling(
    own_library: Library, name: str, gtol: float
) -> None:
    """A fit that ends there returns the scaling of the steps that were taken."""
    p = NAMED[name]
    for start in (p.start, 10 * p.start, p.start + 0.1):
        fit, _ = record(own_library, "lmder", p, start, p.m, ftol=0, xtol=0, gtol=gtol, maxfev=50)
        assert fit.info > 0


class Scripted:
    """Residuals that are `first` at the start and `then` elsewhere; the Jacobian stays."""

    m, n = 2, 1

    def __init__(
        self, first: list[float], then: list[float], jacobian: float, start: float = 1.0
    ) -> None:
        self.first, self.then, self.slope = first, then, jacobian
        self.start = np.array([start])

    def residual(self, x: Doubles) -> Doubles:
        return np.array(self.first if x[0] == self.start[0] else self.then)

    def jacobian(self, x: Doubles) -> Doubles:
        return np.array([[self.slope], [0.0]])


def fit_scripted(own: Library, p: Scripted, **options: Any) -> Any:
    tight = {"ftol": 0.0, "xtol": 0.0, "maxfev": 6} | options
    return record(own, "lmder", cast(Problem, p), p.start, p.m, **tight)[0]


@pytest.mark.parametrize("edge", [0.0001, 0.25, 0.75])
def test_a_ratio_on_the_edge(own_library: Library, edge: float) -> None:
    """A step that brings exactly 0.0001, 1/4 or 3/4 of the reduction that was predicted."""
    rng = np.random.default_rng(6)
    met = 0
    while met < 20:
        a, b = 0.5 + rng.random(), rng.random()
        fnorm = np.hypot(a, b)
        fnorm1 = fnorm * np.sqrt(1 - edge * (a / fnorm) ** 2)
        # Rounded as it is in the solver, the actual reduction asks for this predicted one.
        a = fnorm * np.sqrt((1 - (fnorm1 / fnorm) ** 2) / edge) * (1 + rng.integers(-2, 3) * EPS)
        b = np.sqrt(fnorm**2 - a**2) * (1 + rng.integers(-2, 3) * EPS)
        fnorm = own_library.enorm([a, b])
        if (1 - (fnorm1 / fnorm) ** 2) / (a / fnorm) ** 2 == edge:
            met += 1
            for factor in (100.0, 0.3):
                fit_scripted(own_library, Scripted([a, b], [fnorm1, 0.0], 1.0), factor=factor)


def test_a_ratio_of_three_quarters_within_the_bound(own_library: Library) -> None:
    """Where the step is held back by the bound that ratio alone makes the bound wider."""
    rng = np.random.default_rng(8)
    for _ in range(200):
        a, b, factor = 1.0, rng.random(), 0.2 + 0.2 * rng.random()
        fnorm = own_library.enorm([a, b])
        predicted = (2 * a * factor - factor**2) / fnorm**2
        fnorm1 = fnorm * np.sqrt(1 - 0.75 * predicted)
        p = Scripted([a, b], [fnorm1, 0.0], 1.0, start=0.0)
        fit_scripted(own_library, p, factor=factor, maxfev=3)


def test_a_norm_ten_times_larger_counts_as_such(own_library: Library) -> None:
    """Tolerances above one tell whether its reduction was squared."""
    for then in (9.0, 10.0, 11.0):
        p = Scripted([1.0, 0.0], [then, 0.0], 1.0)
        assert fit_scripted(own_library, p, ftol=2.0).info == (1 if then >= 10.0 else 5)
        fit_scripted(own_library, p)


def test_a_prediction_of_nothing(own_library: Library) -> None:
    """A step so small that its predicted reduction underflows to zero is not taken."""
    p = Scripted([1e-170, 1.0], [0.0, 1.0], 1.0, start=0.0)
    fit = fit_scripted(own_library, p, ftol=1e-8)
    assert (fit.info, fit.x[0]) == (1, 0.0)
    p = Scripted([1e-170, 1.0], [0.0, 1.0], 1.0)
    assert fit_scripted(own_library, p, xtol=1e300).info == 3


def nearly_predicting(own: Library, reduction: float) -> Iterator[tuple[Scripted, float, float]]:
    """Yield problems and values of `factor` whose predicted reduction rounds to nearly that.

    The step has the length delta = factor, and the prediction is 2*a*delta - delta**2. Residuals of
    norm `fnorm` stay as they are.
    """
    rng = np.random.default_rng(7)
    for _ in range(60):
        a = np.sqrt(reduction) * (1.02 + 0.2 * rng.random())
        fnorm = own.enorm([a, 1.0])
        p = Scripted([a, 1.0], [0.0, fnorm], 1.0, start=0.0)
        yield p, a - np.sqrt(a**2 - reduction), fnorm


def test_a_reduction_twice_the_predicted_one(own_library: Library) -> None:
    """Half the ratio is then one, which still counts as agreement, and more does not."""
    ends = set()
    for p, factor, fnorm in nearly_predicting(own_library, 2.0**-53):
        p.then = [0.0, np.nextafter(fnorm, 0.0)]
        for ftol in (0.0, 1e-15):
            ends.add(fit_scripted(own_library, p, ftol=ftol, factor=factor, maxfev=2).info)
    assert ends == {1, 5, 6}


def test_a_predicted_reduction_of_the_machine_precision(own_library: Library) -> None:
    ends = set()
    for p, factor, _ in nearly_predicting(own_library, own_library.dpmpar(1)):
        ends.add(fit_scripted(own_library, p, factor=factor, maxfev=2).info)
    assert ends == {5, 6}


def test_a_bound_of_the_machine_precision(own_library: Library) -> None:
    """A step that brings nothing halves the bound: to just the precision, or nearly."""
    rng = np.random.default_rng(9)
    ends = set()
    for k in range(90):
        a = 0.5 + rng.random()
        p = Scripted([a, 0.0], [a, 0.0], 1.0)
        factor = 2 * own_library.dpmpar(1) * (1 + (k % 3 - 1) * EPS)
        ends.add(fit_scripted(own_library, p, factor=factor, maxfev=2).info)
    assert ends == {5, 7}


def test_a_gradient_of_the_machine_precision(own_library: Library) -> None:
    precision = own_library.dpmpar(1)
    for a, info in ((precision, 8), (precision * (1 + 2 * EPS), 6)):
        p = Scripted([a, 1.0], [0.0, 1.0], 1.0, start=0.0)
        assert fit_scripted(own_library, p).info == info


@pytest.mark.parametrize("solver", ["lmder", "lmdif"])
def test_a_limit_of_one_evaluation_is_proper(own_library: Library, solver: str) -> None:
    p = NAMED["bard-3"]
    fit, _ = record(own_library, solver, p, p.start, p.m, maxfev=1)
    assert fit.info == 5
