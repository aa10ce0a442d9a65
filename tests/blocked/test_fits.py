"""`qr="blocked"` finds what `qr="minpack"` finds, and its factors are as good.

Where the fits differ in more than rounding, the fit is chaotic: rounding in one step decides what
the later ones are. MINPACK itself tells which fits are: those that take another path (another ier,
another number of evaluations, or another sum of squares) when residuals or variables come in
another order, which changes nothing but rounding. All others must take the very same path by
blocks, but for what a few orders do not show: a path that MINPACK takes for one order in twelve.

R and qtf are MINPACK's up to the signs of rows, which two factorisations in turn change twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from argonne import Doubles, Integers, Library
from blocked import Factors
from blocked_matrices import FAMILIES, bound, check
from blocked_problems import blocked, curve, outcome
from nist_cases import DATASETS, FAILURES, SLACK, digits, fit, load_record, options
from nist_cases import Case as NistCase
from nist_cases import cases as nist_cases

from pyminpack import leastsq
from pyminpack.compare.mgh import CASES, Case

pytestmark = pytest.mark.thorough

FOUND = (1, 2, 3, 4)
Order = tuple[Integers, Integers]


def orders(m: int, n: int, count: int) -> Iterator[Order]:
    """Yield orders of residuals and variables, first the natural ones."""
    rng = np.random.default_rng(m)
    rows, columns = np.arange(m, dtype=np.int32), np.arange(n, dtype=np.int32)
    yield rows, columns
    yield rows[::-1], columns
    yield rows, columns[::-1]
    for _ in range(count - 3):
        yield rng.permutation(rows), rng.permutation(columns)


def in_order(case: Case, order: Order, qr: str, dfun: bool) -> tuple[int, int, float]:
    """Fit with residuals and variables in another order."""
    (rows, columns), p = order, case.problem
    back = np.argsort(columns)
    given: dict[str, Any] = {}
    if dfun:
        given["Dfun"] = lambda x: p.jacobian(x[back])[rows][:, columns]
    return outcome(lambda x: p.residual(x[back])[rows], case.start[columns], qr, **given)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dfun", [False, True])
def test_mgh(case: Case, dfun: bool) -> None:
    m, n = case.problem.m, case.problem.n
    theirs = [in_order(case, order, "minpack", dfun) for order in orders(m, n, 7)]
    ours = [in_order(case, order, "blocked", dfun) for order in orders(m, n, 3)]
    # Residuals are differences of numbers around 1, and a norm of 1e-12 is as good as none.
    least, most = (end(t[2] for t in theirs) for end in (min, max))
    near = most * 1e-6 + 1e-12
    if len({t[:2] for t in theirs}) == 1 and most - least <= near:
        # At a minimum of zero slope a rounding decides which test ends it, perhaps a step later.
        step = 1 if dfun else n + 1
        assert all(o[0] in (1, 2, 3, 4) or o[0] == theirs[0][0] for o in ours), (ours, theirs)
        assert any(abs(o[1] - theirs[0][1]) <= step for o in ours), (ours, theirs)
        assert all(least - near <= o[2] <= most + near for o in ours), (ours, theirs)
    else:
        assert {o[0] for o in ours} <= {1, 2, 3, 4, 5, 8}
        # Three paths of many: their ends may lie between or beyond those of seven.
        assert min(o[2] for o in ours) <= most + 0.1 * most + near, (ours, theirs)


NIST = [case for case in nist_cases() if case.key not in FAILURES]


@pytest.mark.parametrize("case", NIST, ids=lambda case: case.key)
def test_nist(case: NistCase) -> None:
    """The digits are those on record, which has the least of fits that differ by rounding."""
    dataset, least = DATASETS[case.name], load_record()[case.key].least
    start = dataset.starts[case.start - 1]
    result = fit(dataset, start, qr="blocked", **options(case, dataset))
    for got, wanted, name in zip(digits(result, dataset), least, least._fields, strict=True):
        assert got >= wanted - SLACK, name


# The factors of one Jacobian

SHAPES = [(1, 1), (9, 1), (600, 1), (7, 7), (33, 33), (50, 50), (700, 9), (130, 49)]


def factors(a: Doubles, f: Doubles, qr: str = "blocked", **given: Any) -> Factors:
    """Factor a matrix by way of a fit that ends after its first step."""
    start = np.zeros(a.shape[1])
    result = blocked(
        lambda x: f + (a @ x if np.any(x) else 0.0), start, Dfun=lambda x: a, maxfev=1, qr=qr,
        **given,
    )  # fmt: skip
    n = a.shape[1]
    r = np.triu(result["fjac"].T[:n])
    if qr == "blocked":
        assert np.array_equal(result["fjac"].T, np.vstack([r, np.zeros((a.shape[0] - n, n))]))
    largest = np.max(np.abs(a), axis=0, initial=0.0)
    exponents = np.where(largest > 0, np.frexp(largest)[1], 0)
    norms = np.ldexp(np.linalg.norm(np.ldexp(a, -exponents), axis=0), exponents)
    return Factors(r, result["ipvt"] - 1, np.diag(r).copy(), norms, result["qtf"])


@pytest.mark.parametrize("family", FAMILIES)
def test_factors(own_library: Library, family: str) -> None:
    rng = np.random.default_rng(sum(map(ord, family)))
    for m, n in SHAPES:
        a, f = FAMILIES[family](rng, m, n), rng.normal(size=m)
        check(own_library, a, f, factors(a, f))


@pytest.mark.parametrize(("m", "n"), [(40, 4), (60, 60), (3000, 12), (500, 70)])
def test_signs_and_r_are_those_of_minpack(m: int, n: int) -> None:
    """R, qtf and norms move by a multiple of the condition number (Higham, section 19.9)."""
    rng = np.random.default_rng(m)
    a, f = rng.normal(size=(m, n)), rng.normal(size=m)
    ours, theirs = factors(a, f), factors(a, f, "minpack")
    scale = 2 * bound(m, n) * np.linalg.cond(a)
    assert np.array_equal(ours.pivots, theirs.pivots)
    assert np.linalg.norm(np.abs(ours.r) - np.abs(theirs.r)) <= scale * np.linalg.norm(a)
    assert np.linalg.norm(np.abs(ours.qtf) - np.abs(theirs.qtf)) <= scale * np.linalg.norm(f)


@pytest.mark.parametrize("scale", ["one", "graded"])
@pytest.mark.parametrize(("m", "n"), [(5, 1), (40, 4), (60, 60), (3000, 12), (500, 70)])
def test_cov_x(m: int, n: int, scale: str) -> None:
    """C = (J'*J)^-1 changes by C*dJ'*(J^+)' and its transpose: 2*cond*||dJ||/||J|| relative to C.

    To invert R costs as much as dJ once more. All that in the scale of the columns.
    """
    rng = np.random.default_rng(n)
    d = np.ones(n) if scale == "one" else 10.0 ** rng.uniform(-8, 8, n)
    plain = rng.normal(size=(m, n))
    a, f = plain * d, rng.normal(size=m)
    ours, theirs = (
        leastsq(lambda x: a @ x - f, np.zeros(n), Dfun=lambda x: a, full_output=True, qr=qr)[1]
        for qr in ("blocked", "minpack")
    )
    assert np.array_equal(ours, ours.T)
    error = np.linalg.norm((ours - theirs) * np.outer(d, d))
    size = np.linalg.norm(theirs * np.outer(d, d))
    assert error <= 6 * bound(m, n) * np.linalg.cond(plain) * size


@pytest.mark.parametrize(("m", "n"), [(6, 3), (40, 40), (700, 9), (200, 60)])
def test_no_cov_x_of_what_has_no_full_rank(m: int, n: int) -> None:
    a = np.random.default_rng(m).normal(size=(m, n))
    a[:, n // 2] = 0.0
    x, cov_x, info, _, ier = leastsq(
        lambda x: a @ x - 1.0, np.ones(n), Dfun=lambda x: a, full_output=True, qr="blocked"
    )
    assert ier in FOUND
    assert cov_x is None
    assert info["ipvt"][-1] == n // 2 + 1
    assert x[n // 2] == 1.0
    assert info["fjac"][-1, n - 1] == 0.0


# Fits


@pytest.mark.parametrize("given", [{}, {"diag": True}, {"factor": 0.1}, {"factor": 1e3}], ids=str)
@pytest.mark.parametrize("dfun", [False, True])
@pytest.mark.parametrize(("m", "n"), [(1, 1), (30, 1), (600, 3), (20, 20), (300, 50), (64, 64)])
def test_curves(m: int, n: int, dfun: bool, given: dict[str, Any]) -> None:
    if m == n > 50 and not dfun:
        pytest.skip("of no residuals at all, differences make another fit with every rounding")
    problem = curve(m, n)
    chosen: dict[str, Any] = dict(given)
    if "diag" in given:
        chosen["diag"] = np.linspace(0.5, 2.0, n)
    if dfun:
        chosen["Dfun"] = problem.dfun
    ours, theirs = (
        leastsq(problem.func, problem.start, full_output=True, qr=qr, **chosen)
        for qr in ("blocked", "minpack")
    )
    assert (ours[4], ours[2]["nfev"]) == (theirs[4], theirs[2]["nfev"])
    assert ours[4] in FOUND
    assert ours[2].keys() == theirs[2].keys()
    assert (ours[2].get("njev"), ours[3]) == (theirs[2].get("njev"), theirs[3])
    # Differences divide the rounding of func by their step, the root of epsilon.
    tolerance = bound(m, n) * (1e2 if dfun else 1e9)
    jacobian = problem.dfun(ours[0])
    size = 1.0 + float(np.linalg.norm(theirs[0]))
    error = np.linalg.norm(ours[0] - theirs[0])
    assert error <= tolerance * float(np.linalg.cond(jacobian)) ** 2 * size
    np.testing.assert_array_equal(ours[2]["fvec"], problem.func(ours[0]))


# With a condition of 1e9 and more in every scale of the columns, ftol ends a fit anywhere.
ILL_CONDITIONED = ("nearly dependent", "graded rows", "rows of any size")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("m", "n"), [(700, 9), (49, 49)])
def test_linear_fits_end_at_the_same_sum_of_squares(family: str, m: int, n: int) -> None:
    rng = np.random.default_rng(m)
    a, f = FAMILIES[family](rng, m, n), rng.normal(size=m)
    with np.errstate(all="ignore"):
        (ier, _, norm), (their_ier, _, theirs) = (
            outcome(lambda x: a @ x - f, np.zeros(n), qr, Dfun=lambda x: a)
            for qr in ("blocked", "minpack")
        )
    size = float(np.linalg.norm(f))
    assert norm <= size * (1 + 1e-12)
    if family not in ILL_CONDITIONED:
        assert (ier in FOUND) == (their_ier in FOUND)
        assert ier in FOUND or ier == their_ier
        assert abs(norm - theirs) <= 1e-7 * size


def test_tied_pivots() -> None:
    """Ties that rounding does not touch go to the first column, as MINPACK's do."""
    for n in (3, 20, 47, 48, 60):
        f = np.random.default_rng(n).normal(size=100)
        for a in (np.eye(100, n), np.eye(100, n)[::-1], 3.0 * np.eye(100, n)[:, ::-1]):
            ours, theirs = (factors(a, f, qr) for qr in ("blocked", "minpack"))
            assert np.array_equal(ours.pivots, theirs.pivots)
            assert np.array_equal(np.abs(ours.r), np.abs(theirs.r))
            np.testing.assert_allclose(np.abs(ours.qtf), np.abs(theirs.qtf), rtol=bound(100, n))
        # Equal columns are reduced in groups, and rounded each in the way of its place.
        equal = np.repeat(f[:, None], n, axis=1)
        r = factors(equal, f).r
        assert np.linalg.norm(r[1:]) <= bound(100, n) * np.linalg.norm(r[0])
