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

from pyminpack.compare.mgh import CASES, PROBLEMS, Problem

pytestmark = pytest.mark.skipif(not argonne.AVAILABLE, reason=argonne.REASON)

TINY, EPS = np.finfo(float).tiny, np.finfo(float).eps
NAMED = {f"{p.name}-{p.n}": p for p in PROBLEMS}
SOME = ["rosenbrock-2", "helical_valley-3", "meyer-3", "brown_dennis-4", "watson-6", "osborne2-11"]


def same(own: Library, routine: str, *args: Any, **options: Any) -> Any:
    """Call a routine in both libraries, compare all outputs and return ours."""
    ours = getattr(own, routine)(*args, **options)
    theirs = getattr(argonne.ARGONNE, routine)(*args, **options)
    assert_same_bits(ours, theirs, routine)
    return ours


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


class Recorder:
    """The user's fcn: logs what it is shown and stops the solver at call number `stop`."""

    def __init__(self, problem: Problem, stop: int = 0, code: int = -7) -> None:
        self.problem, self.stop, self.code = problem, stop, code
        self.log: list[tuple[int, Doubles, Doubles]] = []

    def __call__(self, x: Doubles, fvec: Doubles, *rest: Any) -> int | None:
        *fjac, iflag = rest
        # What an evaluation finds in its own result array is scratch, the rest is for the user.
        shown = [] if iflag == 1 or (iflag == 2 and not fjac) else [fvec]
        shown += [j.ravel() for j in fjac if iflag == 0]
        self.log.append((iflag, x.copy(), np.concatenate([np.empty(0), *shown])))
        if len(self.log) == self.stop:
            return self.code
        if iflag == 2 and fjac:
            fjac[0][:] = self.problem.jacobian(x)
        elif iflag != 0:
            fvec[:] = self.problem.residual(x)
        return None


def record(own: Library, routine: str, p: Problem, *args: Any, **options: Any) -> Any:
    """Run a routine in both libraries; compare outputs and all that fcn saw. Return fit and log."""
    stop = options.pop("stop", 0)
    ours, theirs = Recorder(p, stop), Recorder(p, stop)
    with np.errstate(over="ignore", invalid="ignore"):
        fit = getattr(own, routine)(ours, *args, **options)
        expected = getattr(argonne.ARGONNE, routine)(theirs, *args, **options)
    assert_same_bits(fit, expected, routine)
    assert fit.own_m
    assert [call[0] for call in ours.log] == [call[0] for call in theirs.log]
    for k, (call, other) in enumerate(zip(ours.log, theirs.log, strict=True)):
        assert_same_bits(call[1], other[1], f"x of call {k}")
        assert_same_bits(call[2], other[2], f"what call {k} was shown")
    return fit, ours.log


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


by_solver = pytest.mark.parametrize("solver", ["lmder", "lmdif"])


@by_solver
@pytest.mark.parametrize("case", CASES, ids=str)
def test_solvers(own_library: Library, solver: str, case: Any) -> None:
    p = case.problem
    record(own_library, solver, p, case.start, p.m, maxfev=300, ldfjac=p.m + 3)
    record(own_library, solver, p, case.start, p.m, maxfev=300, ftol=0, xtol=0, factor=0.1)


@by_solver
@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("nprint", [1, 2, 3, 7, 1000, -1])
def test_printing(own_library: Library, solver: str, name: str, nprint: int) -> None:
    p = NAMED[name]
    _, log = record(own_library, solver, p, p.start, p.m, nprint=nprint, maxfev=200)
    prints = [k for k, call in enumerate(log) if call[0] == 0]
    assert (len(prints) >= 2 and prints[-1] == len(log) - 1) if nprint > 0 else not prints


@by_solver
@pytest.mark.parametrize("nprint", [0, 1, 2])
@pytest.mark.parametrize("name", ["rosenbrock-2", "helical_valley-3", "bard-3", "osborne1-5"])
def test_stopped_at_every_call(own_library: Library, solver: str, nprint: int, name: str) -> None:
    p = NAMED[name]
    options = {"nprint": nprint, "maxfev": 60}
    _, log = record(own_library, solver, p, p.start, p.m, **options)
    for stop in range(1, len(log)):
        fit, shorter = record(own_library, solver, p, p.start, p.m, stop=stop, **options)
        assert fit.info == -7
        assert len(shorter) == stop + (nprint > 0)
    # The call that prints the end comes too late to stop anything.
    fit, _ = record(own_library, solver, p, p.start, p.m, stop=len(log), **options)
    assert (fit.info > 0) == (nprint > 0)


@by_solver
@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_scaling(own_library: Library, solver: str, name: str, mode: int) -> None:
    p, rng = NAMED[name], np.random.default_rng(6)
    for spread in (0, 2, 6):
        diag = 10.0 ** rng.uniform(-spread, spread, p.n)
        fit, _ = record(own_library, solver, p, p.start, p.m, mode=mode, diag=diag, maxfev=150)
        assert np.array_equal(fit.diag, diag) == (mode == 2)


def threshold(fit: Callable[[float], int], reached: set[int]) -> float:
    """Return the smallest double with which `fit` ends in one of the ways `reached`."""
    low, high = 0, int(np.float64(1e300).view(np.int64))
    while low < high:
        middle = (low + high) // 2
        if fit(float(np.int64(middle).view(np.float64))) in reached:
            high = middle
        else:
            low = middle + 1
    return float(np.int64(low).view(np.float64))


@pytest.mark.parametrize("tolerance", ["ftol", "xtol", "gtol"])
@pytest.mark.parametrize("name", NAMED)
def test_tolerances_to_the_last_bit(own_library: Library, name: str, tolerance: str) -> None:
    """The quantities tested for convergence never leave the solver; the tolerances show them."""
    p = NAMED[name]
    start = 1.1 * p.start + 0.01  # the start of one problem is stationary
    tight = {"ftol": 0.0, "xtol": 0.0, "gtol": 0.0, "maxfev": 2}

    def info(library: Library | None, value: float) -> int:
        options = tight | {tolerance: value}
        return int(library.lmder(Recorder(p), start, p.m, **options).info)  # type: ignore[union-attr]

    reached = {"ftol": {1, 3}, "xtol": {2, 3}, "gtol": {4}}[tolerance]
    least = threshold(lambda value: info(argonne.ARGONNE, value), reached)
    assert info(argonne.ARGONNE, least) in reached
    assert info(own_library, least) in reached
    below = float(np.nextafter(least, 0.0))
    assert least == 0.0 or info(own_library, below) == info(argonne.ARGONNE, below)


IMPROPER: dict[str, dict[str, Any]] = {
    "n": {"x": []},
    "m": {"m": 2},
    "no m": {"m": 0},
    "ldfjac": {"ldfjac": 14},
    "ftol": {"ftol": -1e-300},
    "xtol": {"xtol": -1.0},
    "gtol": {"gtol": -1.0},
    "maxfev": {"maxfev": 0},
    "negative maxfev": {"maxfev": -5},
    "factor": {"factor": 0.0},
    "negative factor": {"factor": -1.0},
    "diag": {"mode": 2, "diag": [1.0, 1.0, 0.0]},
    "negative diag": {"mode": 2, "diag": [-1.0, 1.0, 1.0]},
}


@by_solver
@pytest.mark.parametrize("nprint", [0, 1])
@pytest.mark.parametrize("what", IMPROPER)
def test_improper_input(own_library: Library, solver: str, nprint: int, what: str) -> None:
    p = NAMED["bard-3"]
    options = {"x": p.start, "m": p.m, "nprint": nprint} | IMPROPER[what]
    x, m = options.pop("x"), options.pop("m")
    fit, log = record(own_library, solver, p, x, m, **options)
    assert (fit.info, fit.nfev, len(log)) == (0, 0, nprint)


def test_diag_is_not_looked_at_unless_asked(own_library: Library) -> None:
    p = NAMED["bard-3"]
    fit, _ = record(own_library, "lmder", p, p.start, p.m, mode=1, diag=-np.ones(3))
    assert fit.info == 1


@pytest.mark.parametrize("solver", ["lmder1", "lmdif1"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_easy_solvers(own_library: Library, solver: str, case: Any) -> None:
    p = case.problem
    padding = {"ldfjac": p.m + 2} if solver == "lmder1" else {}
    for tol in (1e-8, 1e-2, 0.0):
        record(own_library, solver, p, case.start, p.m, tol, **padding)


@pytest.mark.parametrize("solver", ["lmder1", "lmdif1"])
def test_easy_solvers_refuse(own_library: Library, solver: str) -> None:
    p = NAMED["bard-3"]
    short = {"lmder1": 5 * 3 + 15 - 1, "lmdif1": 15 * 3 + 5 * 3 + 15 - 1}[solver]
    bad: list[tuple[Any, ...]] = [(p.start, p.m, -1.0), (p.start, 2, 1e-8), ([], p.m, 1e-8)]
    for args in bad:
        fit, log = record(own_library, solver, p, *args)
        assert (fit.info, log) == (0, [])
    fit, log = record(own_library, solver, p, p.start, p.m, 1e-8, lwa=short)
    assert (fit.info, log) == (0, [])
    fit, _ = record(own_library, solver, p, p.start, p.m, 1e-8, lwa=short + 1)
    assert fit.info == 1
    if solver == "lmder1":
        fit, log = record(own_library, solver, p, p.start, p.m, 1e-8, ldfjac=p.m - 1)
        assert (fit.info, log) == (0, [])


@pytest.mark.parametrize("solver", ["lmder", "lmdif"])
def test_exceptions_come_through(own_library: Library, solver: str) -> None:
    error = KeyError("mine")

    def fcn(x: Doubles, *rest: Any) -> None:
        raise error

    for library in (own_library, argonne.ARGONNE):
        with pytest.raises(KeyError) as caught:
            getattr(library, solver)(fcn, [1.0, 2.0], 3, nprint=1)
        assert caught.value is error
