"""Every routine of minpack/ on its own against Argonne's routine of the same name, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import argonne
import numpy as np
import pytest
from argonne import Doubles, Library
from bits import assert_same_bits
from numpy.random import Generator
from routines import EPS, NAMED, record, same

from pyminpack.compare.mgh import CASES

pytestmark = pytest.mark.skipif(not argonne.AVAILABLE, reason=argonne.REASON)

TINY = np.finfo(float).tiny


# dpmpar, enorm


@pytest.mark.parametrize("i", [1, 2, 3])
def test_dpmpar(own_library: Library, i: int) -> None:
    literal = {1: 2.22044604926e-16, 2: 2.22507385852e-308, 3: 1.79769313485e308}[i]
    assert same(own_library, "dpmpar", i) == literal


def _logarithmic(rng: Generator, n: int, low: float, high: float) -> Doubles:
    return rng.choice([-1.0, 1.0], n) * 10.0 ** rng.uniform(low, high, n)


# enorm keeps three sums: for what is below 3.834e-20, above 1.304e19/n, and between.
VECTORS: dict[str, Callable[[Generator, int], Doubles]] = {
    "ordinary": lambda rng, n: rng.normal(size=n),
    "any size": lambda rng, n: _logarithmic(rng, n, -323, 308),
    "large": lambda rng, n: _logarithmic(rng, n, 17, 20),
    "overflowing": lambda rng, n: _logarithmic(rng, n, 305, 308.2),
    "small": lambda rng, n: _logarithmic(rng, n, -21, -18),
    "denormal": lambda rng, n: 5e-324 * rng.integers(-50, 51, n).astype(float),
    "near the bounds": lambda rng, n: (
        rng.choice([3.834e-20, 1.304e19 / n, 1.304e19]) * (1.0 + rng.integers(-3, 4, n) * EPS)
    ),
    "all three sums": lambda rng, n: rng.normal(size=n) * rng.choice([1e-25, 1.0, 1e25], n),
    "sparse": lambda rng, n: _logarithmic(rng, n, -30, 30) * (rng.random(n) < 0.3),
    "equal": lambda rng, n: np.full(n, 10.0 ** rng.uniform(-300, 300)),
}


@pytest.mark.parametrize("family", VECTORS)
def test_enorm(own_library: Library, family: str) -> None:
    rng = np.random.default_rng(list(VECTORS).index(family))
    for k in range(300):
        same(own_library, "enorm", VECTORS[family](rng, 1 + k % 50))


@pytest.mark.parametrize("x", [[], [0.0], [-0.0, 0.0], [5e-324], [-1.7e308] * 3, [TINY, 1e308]])
def test_enorm_of_edges(own_library: Library, x: list[float]) -> None:
    same(own_library, "enorm", x)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 2, 4])
def test_enorm_of_what_is_not_finite(own_library: Library, bad: float, position: int) -> None:
    for others in (1.0, 1e-30, 1e30, 0.0, np.inf, np.nan):
        x = np.full(5, others)
        x[position] = bad
        assert not np.isfinite(same(own_library, "enorm", x))


def test_enorm_takes_only_n(own_library: Library) -> None:
    x = np.arange(1.0, 8.0)
    assert same(own_library, "enorm", x, n=3) == argonne.ARGONNE.enorm(x[:3])  # type: ignore[union-attr]


# qrfac and what works on its factors


def _nearly_dependent(rng: Generator, m: int, n: int) -> Doubles:
    """Make the column norms lose all digits on the way, so that they are computed anew."""
    columns = [rng.normal(size=m)] * n
    return np.column_stack([c + 10.0 ** -rng.integers(5, 15) * rng.normal(size=m) for c in columns])


MATRICES: dict[str, Callable[[Generator, int, int], Doubles]] = {
    "ordinary": lambda rng, m, n: rng.normal(size=(m, n)),
    "rank two": lambda rng, m, n: rng.normal(size=(m, 2)) @ rng.normal(size=(2, n)),
    "integers": lambda rng, m, n: rng.integers(-2, 3, (m, n)).astype(float),
    "equal columns": lambda rng, m, n: np.repeat(rng.normal(size=(m, 1)), n, axis=1),
    "nearly dependent": _nearly_dependent,
    "zero columns": lambda rng, m, n: rng.normal(size=(m, n)) * (rng.random(n) < 0.6),
    "zero": lambda rng, m, n: np.zeros((m, n)),
    "graded columns": lambda rng, m, n: rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-9, 9, n),
    "graded rows": lambda rng, m, n: rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-15, 15, (m, 1)),
    "any size": lambda rng, m, n: rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-150, 150, n),
    "huge": lambda rng, m, n: rng.normal(size=(m, n)) * 1e200,
    "tiny": lambda rng, m, n: rng.normal(size=(m, n)) * 1e-200,
    "triangular": lambda rng, m, n: np.triu(rng.normal(size=(m, n))),
    "negative zeros": lambda rng, m, n: -np.abs(rng.normal(size=(m, n))) * np.eye(m, n),
}
SHAPES = [(1, 1), (2, 1), (9, 1), (2, 2), (7, 7), (8, 3), (30, 10), (33, 12), (64, 31)]
by_matrix = pytest.mark.parametrize("family", MATRICES)


def matrices(family: str, shapes: list[tuple[int, int]]) -> Iterator[tuple[Generator, Doubles]]:
    rng = np.random.default_rng([1, list(MATRICES).index(family)])
    for m, n in shapes * 3:
        yield rng, MATRICES[family](rng, m, n)


@by_matrix
@pytest.mark.parametrize("pivot", [True, False])
def test_qrfac(own_library: Library, family: str, pivot: bool) -> None:
    for rng, a in matrices(family, [*SHAPES, (3, 5), (1, 4)]):
        same(own_library, "qrfac", a, pivot)
        padded = np.vstack([a, rng.normal(size=(4, a.shape[1]))])
        factors = same(own_library, "qrfac", padded, pivot, m=a.shape[0])
        np.testing.assert_array_equal(factors.a[a.shape[0] :], padded[a.shape[0] :])


@pytest.mark.parametrize("exponent", [-322, -315, -308, -290, -160, 160, 200, 290, 306])
@pytest.mark.parametrize("pivot", [True, False])
def test_qrfac_at_the_limits(own_library: Library, exponent: int, pivot: bool) -> None:
    for rng, a in matrices("ordinary", SHAPES):
        scaled = a * 10.0**exponent
        same(own_library, "qrfac", scaled, pivot)
        same(own_library, "qrfac", np.where(rng.random(a.shape) < 0.5, a, scaled), pivot)


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


def test_qrfac_factors(own_library: Library) -> None:
    """The comparison must not be of two routines that do nothing."""
    a = np.random.default_rng(2).normal(size=(9, 4))
    factors = own_library.qrfac(a, True)
    r = np.triu(factors.a[:4], 1) + np.diag(factors.rdiag)
    b = a[:, factors.ipvt - 1]
    np.testing.assert_allclose(r.T @ r, b.T @ b, rtol=0, atol=1e-13)


def triangle(rng: Generator, a: Doubles, padding: int) -> tuple[Doubles, argonne.Integers, Doubles]:
    """Factor as lmder does; return R over leftovers, the pivots and a right-hand side."""
    n = a.shape[1]
    factors = argonne.ARGONNE.qrfac(a, True)  # type: ignore[union-attr]
    r = np.vstack([factors.a[:n], rng.normal(size=(padding, n))])
    np.fill_diagonal(r[:n], factors.rdiag)
    return r, factors.ipvt, rng.normal(size=n) * np.abs(a).max(initial=0.0)


@by_matrix
def test_qrsolv(own_library: Library, family: str) -> None:
    for rng, a in matrices(family, SHAPES):
        n = a.shape[1]
        r, ipvt, qtb = triangle(rng, a, int(rng.integers(0, 3)))
        ordinary = rng.uniform(0.1, 2.0, n)
        for diag in (
            ordinary,
            ordinary * (rng.random(n) < 0.5),
            np.zeros(n),
            10.0 ** rng.uniform(-100, 100, n),
        ):
            same(own_library, "qrsolv", r, ipvt, diag, qtb)
            r[rng.integers(0, n)] *= rng.random() < 0.8
        same(own_library, "qrsolv", r, rng.permutation(n) + 1, ordinary, qtb)


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


def same_lmpar(own: Library, family: str, *pars: float) -> None:
    for rng, a in matrices(family, SHAPES):
        n = a.shape[1]
        r, ipvt, qtb = triangle(rng, a, int(rng.integers(0, 3)))
        diag = rng.choice([np.ones(n), 10.0 ** rng.uniform(-6, 6, n)])
        for delta in (1e-300, 1e-12, 1e-3, 1.0, 1e3, 1e12, 1e300):
            for par in pars:
                same(own, "lmpar", r, ipvt, diag, qtb, delta, par)
        same(own, "lmpar", r, ipvt, diag, np.zeros(n), 1.0, 0.5)


@by_matrix
def test_lmpar(own_library: Library, family: str) -> None:
    same_lmpar(own_library, family, 0.0, 1e-8, 1.0, 1e5)


@pytest.mark.skipif(not argonne.NAN_LOSES, reason=argonne.NAN_REASON)
@by_matrix
def test_lmpar_where_par_is_nan(own_library: Library, family: str) -> None:
    same_lmpar(own_library, family, np.nan)


def test_lmpar_near_its_answers(own_library: Library) -> None:
    """Bounds around the Gauss-Newton step's length, where the decision between them falls."""
    rng = np.random.default_rng(3)
    found = []
    for k in range(200):
        n = 1 + k % 12
        r, ipvt, qtb = triangle(rng, rng.normal(size=(n + 5, n)), 0)
        if k % 5 == 4:
            r[n - 1 :, n - 1] = 0.0
        diag = rng.uniform(0.5, 2.0, n)
        step = own_library.lmpar(r, ipvt, diag, qtb, 1e300, 0.0).x
        length = float(np.linalg.norm(diag * step))
        for share in (0.05, 0.5, 0.9, 1 / 1.1, 0.95, 1.0, 1.5):
            fit = same(own_library, "lmpar", r, ipvt, diag, qtb, share * length, 0.0)
            found.append(fit.par)
            same(own_library, "lmpar", r, ipvt, diag, qtb, share * length, fit.par)
    assert 0.2 < np.mean(np.array(found) == 0.0) < 0.8


needs_covar = pytest.mark.skipif(
    argonne.CMINPACK is None, reason=argonne.CMINPACK_REASON or "cminpack is there"
)


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


@needs_covar
@by_matrix
def test_covar(own_library: Library, family: str) -> None:
    assert own_library.has_covar
    for rng, a in matrices(family, SHAPES):
        r, ipvt, _ = triangle(rng, a, int(rng.integers(0, 3)))
        for tol in (0.0, EPS, 1e-8, 0.1, 1.0):
            theirs = argonne.cminpack_covar(r, ipvt, tol)
            assert_same_bits(own_library.covar(r, ipvt, tol), theirs, "covar")


def test_covar_inverts(own_library: Library) -> None:
    rng = np.random.default_rng(4)
    a = rng.normal(size=(9, 4))
    r, ipvt, _ = triangle(rng, a, 0)
    expected = np.linalg.inv(a.T @ a)
    np.testing.assert_allclose(own_library.covar(r, ipvt, 0.0), expected, rtol=1e-12)


# chkder


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("error", [0.0, 1e-9, 1e-6, 1e-3, 1.0])
def test_chkder(own_library: Library, name: str, error: float) -> None:
    p, rng = NAMED[name], np.random.default_rng(5)
    for x in (p.start, p.start * rng.uniform(0.5, 1.5, p.n), rng.normal(size=p.n) * 0.1):
        fvec, fjac = p.residual(x), p.jacobian(x) * (1 + error * rng.normal(size=(p.m, p.n)))
        near = same(own_library, "chkder", x, fvec, fjac, fvec, 1).xp
        fvecp = p.residual(near)
        same(own_library, "chkder", x, fvec, fjac, fvecp, 2)
        same(own_library, "chkder", x, fvec, np.vstack([fjac, fjac]), fvecp, 2)
        blind = fvec * (rng.random(p.m) < 0.5), fvecp * (rng.random(p.m) < 0.5)
        same(own_library, "chkder", x, blind[0], fjac, blind[1], 2)
        same(own_library, "chkder", x, fvec, fjac, fvec * (1 + 50 * EPS), 2)


def test_chkder_tells_noise_from_change(own_library: Library) -> None:
    """A change of a function counts from a hundred times the machine precision on."""
    change = np.arange(90.0, 111.0) * EPS
    for size in (1.0, -8.0, 1.7, 1e-300, 5e-324):
        fvec = np.full(change.size, size)
        fjac = np.linspace(-1.0, 1.0, change.size)[:, None] * size
        verdict = same(own_library, "chkder", [1.0], fvec, fjac, fvec * (1.0 + change), 2).err
        assert (verdict == 0.0).any() == (size != 5e-324)


# Routines with a callback


@pytest.mark.parametrize("case", CASES, ids=str)
def test_fdjac2(own_library: Library, case: Any) -> None:
    p, x = case.problem, case.start
    for epsfcn in (0.0, 1e-20, 1e-10, 1e-3):
        for iflag in (1, 2):
            fit, log = record(
                own_library, "fdjac2", p, x, p.residual(x), epsfcn, iflag=iflag, ldfjac=p.m + iflag
            )
            assert {call[0] for call in log} == {iflag}
            np.testing.assert_array_equal(fit.x, x)


def test_fdjac2_at_odd_points(own_library: Library) -> None:
    p = NAMED["watson-9"]
    x = np.array([0.0, -0.0, -1.5, 1e-300, 1e300, -1e-170, 5e-324, 1e16, -3.0])
    with np.errstate(over="ignore", invalid="ignore"):
        fvec = p.residual(x)
    _, log = record(own_library, "fdjac2", p, x, fvec, 0.0)
    assert len(log) == 9


@pytest.mark.parametrize("stop", range(1, 6))
def test_fdjac2_stopped(own_library: Library, stop: int) -> None:
    p = NAMED["osborne1-5"]
    fit, log = record(own_library, "fdjac2", p, p.start, p.residual(p.start), 0.0, stop=stop)
    assert (len(log), fit.iflag) == (stop, -7)
    assert fit.x[stop - 1] != p.start[stop - 1]
    assert (fit.fjac[:, stop - 1 :] == argonne.SENTINEL).all()
