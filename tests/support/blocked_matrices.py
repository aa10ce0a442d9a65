"""Matrices of every kind, and what may be asked of a factorisation of them.

The bound. A reflection of b rows is applied to a column y with an error of at most c*b*u*||y||, u
being the unit roundoff and c a small constant (Higham, Accuracy and Stability, lemma 19.2), and r
of them with at most r*c*b*u*||y|| (lemma 19.3). Here a column meets n reflections for each block of
b rows, n*m/b in all, so J + dJ = Q*R with ||dJ(:,j)|| <= c*m*n*u*||J(:,j)||, as for reflections of
all m rows (theorem 19.4). That is the worst case; rounding errors that do not conspire grow with
the root (section 2.8), which gives c*sqrt(m*n)*u. Two factorisations, of J and of its triangle, of
c = 4 each make 8*sqrt(m*n)*u, which is `bound`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from argonne import Doubles, Library
from blocked import Factors
from numpy.random import Generator

EPS = np.finfo(float).eps


def bound(m: int, n: int) -> float:
    return 4 * EPS * float(np.sqrt(m * n))


def _nearly_dependent(rng: Generator, m: int, n: int) -> Doubles:
    noise = rng.normal(size=(m, n)) * 10.0 ** -rng.integers(5, 15, n)
    return rng.normal(size=(m, 1)) + noise


FAMILIES: dict[str, Callable[[Generator, int, int], Doubles]] = {
    "ordinary": lambda rng, m, n: rng.normal(size=(m, n)),
    "graded": lambda rng, m, n: rng.normal(size=(m, n)) * 10.0 ** np.linspace(0, -12, n),
    "graded upwards": lambda rng, m, n: rng.normal(size=(m, n)) * 10.0 ** np.linspace(-12, 0, n),
    "graded rows": lambda rng, m, n: rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-9, 9, (m, 1)),
    "rank two": lambda rng, m, n: rng.normal(size=(m, 2)) @ rng.normal(size=(2, n)),
    "nearly dependent": _nearly_dependent,
    "badly scaled": lambda rng, m, n: rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-150, 150, n),
    "huge": lambda rng, m, n: rng.normal(size=(m, n)) * 1e200,
    "tiny": lambda rng, m, n: rng.normal(size=(m, n)) * 1e-200,
    "rows of any size": lambda rng, m, n: (
        rng.normal(size=(m, n)) * 10.0 ** rng.uniform(-200, 200, (m, 1))
    ),
    "zero columns": lambda rng, m, n: rng.normal(size=(m, n)) * (rng.random(n) < 0.5),
    "zero": lambda rng, m, n: np.zeros((m, n)),
    "few rows": lambda rng, m, n: rng.normal(size=(m, n)) * (rng.random((m, 1)) < 0.02),
    "triangular": lambda rng, m, n: np.triu(rng.normal(size=(m, n))),
    "equal columns": lambda rng, m, n: np.repeat(rng.normal(size=(m, 1)), n, axis=1),
}


def scaled(a: Doubles) -> tuple[Doubles, Doubles]:
    """Divide columns by powers of two, so that none is longer than its root of rows."""
    largest = np.max(np.abs(a), axis=0, initial=0.0)
    exponents = np.where(largest > 0, np.frexp(largest)[1], 0)
    return np.ldexp(a, -exponents), exponents


def check(own: Library, a: Doubles, f: Doubles, got: Factors) -> None:
    """Assert what `bound` says of a factorisation, and that its pivots are MINPACK's."""
    m, n = a.shape
    tolerance = bound(m, n)
    s, exponents = scaled(a[:, got.pivots])
    q, qe = scaled(f[:, None])
    r = np.ldexp(got.r, -exponents).astype(np.longdouble)
    qtf = np.ldexp(got.qtf, -qe).astype(np.longdouble)
    s, rhs = s.astype(np.longdouble), q[:, 0].astype(np.longdouble)
    norms, length = np.sqrt((s**2).sum(0)), np.sqrt((rhs**2).sum())
    assert sorted(got.pivots) == list(range(n))
    assert np.array_equal(np.tril(got.r, -1), np.zeros((n, n)))
    assert np.array_equal(np.diag(got.r), got.rdiag)
    # Q drops out of R'*R = (J + dJ)'*(J + dJ), and dJ enters twice.
    assert np.all(np.abs(r.T @ r - s.T @ s) <= 2.01 * tolerance * np.outer(norms, norms))
    assert np.all(np.abs(r.T @ qtf - s.T @ rhs) <= 2.01 * tolerance * norms * length)
    assert np.sqrt((qtf**2).sum()) <= (1 + tolerance) * length
    acnorm = np.ldexp(got.acnorm[got.pivots], -exponents)
    assert np.all(np.abs(acnorm - norms) <= tolerance * norms)
    check_pivots(own, a, got, tolerance)


def check_pivots(own: Library, a: Doubles, got: Factors, tolerance: float) -> None:
    """Assert that MINPACK takes the same pivots up to a tie.

    Norms that are downdated carry the error of their squares from the whole column's square.
    """
    pivots = own.qrfac(a, True).ipvt - 1
    differing = np.flatnonzero(pivots != got.pivots)
    if differing.size == 0:
        return
    j = differing[0]
    peak = np.max(got.acnorm)
    if not peak > 0:
        return
    rest = (got.r[j:] / peak).astype(np.longdouble) ** 2
    remaining = {k: rest[:, i].sum() for i, k in enumerate(got.pivots)}
    ours, theirs = got.pivots[j], pivots[j]
    slack = (got.acnorm[ours] / peak) ** 2 + (got.acnorm[theirs] / peak) ** 2
    assert abs(remaining[ours] - remaining[theirs]) <= 2 * tolerance * slack
