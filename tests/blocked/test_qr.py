"""The blocked factorisation: backward stable, with MINPACK's pivots, in every instruction set.

The bound on errors is derived in blocked_matrices.py.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from argonne import Doubles, Library
from blocked import RUNNABLE, Blocked
from blocked_matrices import EPS, FAMILIES, bound, check, scaled
from numpy.random import Generator

BLOCKS = (384, 512)  # rows of a block for many columns and for few
SHAPES = [(1, 1), (40, 1), (7, 5), (33, 33), (300, 17), (530, 6), (260, 45)]


@pytest.fixture(params=RUNNABLE)
def blocked(request: pytest.FixtureRequest, own_library: Library) -> Blocked:
    if RUNNABLE[request.param] >= own_library.dll.qr_variants():
        pytest.skip(f"no code for {request.param} was built")
    return Blocked(own_library.dll, RUNNABLE[request.param])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_of_matrix(blocked: Blocked, own_library: Library, family: str) -> None:
    rng = np.random.default_rng(list(FAMILIES).index(family))
    for m, n in SHAPES:
        a, f = FAMILIES[family](rng, m, n), rng.normal(size=m)
        check(own_library, a, f, blocked.factor(a, f))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65])
def test_sizes_around_the_boundaries(blocked: Blocked, own_library: Library, n: int) -> None:
    rng = np.random.default_rng(n)
    sizes = {n, n + 1, *(b + d for b in BLOCKS for d in (-1, 0, 1)), 2 * BLOCKS[1] + 7}
    for m in sorted(sizes):
        a, f = rng.normal(size=(m, n)), rng.normal(size=m)
        got = blocked.factor(a, f)
        check(own_library, a, f, got)


@pytest.mark.parametrize(("m", "n"), [(200, 150), (800, 129)])
def test_large(blocked: Blocked, own_library: Library, m: int, n: int) -> None:
    rng = np.random.default_rng(n)
    a, f = rng.normal(size=(m, n)), rng.normal(size=m)
    got, minpack = blocked.factor(a, f), own_library.qrfac(a, True)
    check(own_library, a, f, got)
    # R itself moves by a multiple of the condition number (Higham, section 19.9).
    scale = bound(m, n) * np.linalg.cond(a) * np.linalg.norm(a)
    assert np.array_equal(got.pivots, minpack.ipvt - 1)
    assert np.all(np.abs(np.abs(got.rdiag) - np.abs(minpack.rdiag)) <= scale)
    upper = np.triu_indices(n, 1)
    assert np.all(np.abs(np.abs(got.r) - np.abs(minpack.a[:n]))[upper] <= scale)


def test_the_triangles_factors_have_the_signs_of_qrfac(
    blocked: Blocked, own_library: Library
) -> None:
    rng = np.random.default_rng(9)
    for n in (3, 20, 50):
        r = blocked.tall(rng.normal(size=(300, n)), rng.normal(size=300))
        got, minpack = blocked.triangle(r), own_library.qrfac(r[:n, :n], True)
        assert np.array_equal(np.sign(got.rdiag), np.sign(minpack.rdiag))


def _layouts(a: Doubles) -> dict[str, Doubles]:
    m, n = a.shape
    wide, long = np.full((m, 2 * n + 1), 7.0), np.full((3 * m, n), 7.0, order="F")
    wide[:, ::2][:, :n], long[::3] = a, a
    return {
        "by columns": np.asfortranarray(a),
        "every second column": wide[:, ::2][:, :n],
        "every third row": long[::3],
        "rows backwards": a[::-1].copy()[::-1],
        "columns backwards": a[:, ::-1].copy(order="F")[:, ::-1],
        "both": a[::-1, ::-1].copy()[::-1, ::-1],
    }


@pytest.mark.parametrize(("m", "n"), [(5, 3), (600, 7), (300, 50)])
def test_the_bits_do_not_depend_on_the_layout(blocked: Blocked, m: int, n: int) -> None:
    rng = np.random.default_rng(m)
    a, f = rng.normal(size=(m, n)), rng.normal(size=m)
    expected = blocked.tall(a, f)
    for name, b in _layouts(a).items():
        assert np.array_equal(b, a), name
        assert np.array_equal(blocked.tall(b, f)[:n], expected[:n]), name


def test_the_bits_do_not_depend_on_memory(blocked: Blocked) -> None:
    rng = np.random.default_rng(4)
    a, f = rng.normal(size=(600, 37)), rng.normal(size=600)
    others = [Blocked(blocked.dll, blocked.isa.value, x) for x in (0.0, np.inf, 1e300)]
    d, r = rng.random(37), blocked.factor(a, f)
    solved = blocked.damped(r.r, (r.pivots + 1).astype(np.int32), d, r.qtf)
    for offset, other in enumerate([blocked, *others]):
        room = np.empty(a.size + 8)  # another alignment
        moved = room[offset : offset + a.size].reshape(a.shape)
        moved[:] = a
        again = other.factor(moved, f)
        for field, value in again._asdict().items():
            assert np.array_equal(value, getattr(r, field)), field
        damped = other.damped(r.r, (r.pivots + 1).astype(np.int32), d, r.qtf)
        for field, value in damped._asdict().items():
            assert np.array_equal(value, getattr(solved, field)), field


@pytest.mark.parametrize(("m", "n"), [(2100, 3), (1100, 40), (900, 130)])
def test_the_bits_do_not_depend_on_the_portions(blocked: Blocked, m: int, n: int) -> None:
    """If all but the last are multiples of the block."""
    rng = np.random.default_rng(m)
    f, block = rng.normal(size=m), blocked.block(n)
    for scale in (1.0, 10.0 ** rng.uniform(-200, 200, (m, 1))):
        a = rng.normal(size=(m, n)) * scale
        expected = blocked.tall(a, f)[:n]
        for portion in (block, 2 * block, (m // block) * block, m, m + block):
            for name, b in _layouts(a).items():
                again = blocked.tall(b, f, portion)[:n]
                assert np.array_equal(again, expected), (portion, name)


@pytest.mark.parametrize(("m", "n"), [(5, 3), (513, 3), (1100, 40), (900, 130)])
def test_differences_are_factored_as_if_they_had_been_formed(
    blocked: Blocked, m: int, n: int
) -> None:
    rng = np.random.default_rng(m + n)
    f = rng.normal(size=m)
    points = f[:, np.newaxis] + 1e-8 * rng.normal(size=(m, n))
    formed = points - f[:, np.newaxis]
    assert np.array_equal(blocked.differences(points, f)[:n], blocked.tall(formed, f)[:n])


@pytest.mark.parametrize("portion", [1, 7, 100])
def test_any_portions_give_a_factorisation(
    blocked: Blocked, own_library: Library, portion: int
) -> None:
    rng = np.random.default_rng(portion)
    a, f = rng.normal(size=(700, 9)), rng.normal(size=700)
    check(own_library, a, f, blocked.triangle(blocked.tall(a, f, portion)))


def test_instruction_sets_agree(own_library: Library) -> None:
    """Each is as near to the exact factors as `bound` says, and so they are to each other."""
    if len(RUNNABLE) < 2 or own_library.dll.qr_variants() < 2:
        pytest.skip("this processor runs the baseline alone")
    every = [Blocked(own_library.dll, number) for number in RUNNABLE.values()]
    rng = np.random.default_rng(1)
    for m, n in ((5, 5), (600, 7), (900, 40), (300, 130)):
        a, f = rng.normal(size=(m, n)), rng.normal(size=m)
        one, *others = (each.factor(a, f) for each in every)
        for other in others:
            assert np.array_equal(other.pivots, one.pivots)
            # R'*R differ by twice what each may be off; R by that times the condition.
            scale = 2 * bound(m, n) * np.linalg.cond(a)
            assert np.linalg.norm(np.abs(other.r) - np.abs(one.r)) <= scale * np.linalg.norm(a)
            error = np.linalg.norm(np.abs(other.qtf) - np.abs(one.qtf))
            assert error <= scale * np.linalg.norm(f)
            assert np.array_equal(np.sign(other.rdiag), np.sign(one.rdiag))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_comes_to_an_end(blocked: Blocked, bad: float) -> None:
    rng = np.random.default_rng(6)
    for m, n in ((5, 3), (600, 20), (300, 50)):
        for at in ((0, 0), (m // 2, n // 2), (m - 1, n - 1)):
            a, f = rng.normal(size=(m, n)), rng.normal(size=m)
            a[at] = bad
            got = blocked.factor(a, f)
            assert not np.all(np.isfinite(got.r))
            blocked.damped(got.r, np.arange(1, n + 1, dtype=np.int32), np.ones(n), got.qtf)


# The norm


def check_norm(blocked: Blocked, x: Doubles) -> None:
    """Compare with the norm in twice the precision.

    A sum of n squares is off by n*u relative to itself at worst, in any order; the root halves
    that, scaling and the roundings of division, root and product add a few u.
    """
    largest = float(np.max(np.abs(x), initial=0.0))
    if largest == 0:
        assert blocked.norm(x) == 0
        return
    exponent = int(np.frexp(largest)[1])
    # Two steps, for 2**1074 is no double; each is exact for all that counts.
    scaled = np.ldexp(np.ldexp(x, -(exponent // 2)), -(exponent - exponent // 2))
    high = np.ldexp(np.rint(np.ldexp(scaled, 26)), -26)
    low = scaled - high
    # Three products without an error, for a total without any but the last rounding.
    exact = math.sqrt(math.fsum([*high * high, *2 * high * low, *low * low]))
    got = math.ldexp(math.ldexp(blocked.norm(x), -(exponent // 2)), -(exponent - exponent // 2))
    # A norm below the normal numbers has no more digits than these.
    absolute = math.ldexp(1.0, max(-1074 - exponent, -1074))
    assert abs(got - exact) <= (x.size / 4 + 4) * EPS * exact + absolute


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 127, 1000])
def test_norm(blocked: Blocked, n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.normal(size=n)
    for scale in (1.0, 1e200, 1e-200, 1e-310, 5e-324, 1e306 / n, 10.0 ** rng.uniform(-300, 300, n)):
        check_norm(blocked, x * scale)
    for at in {0, n // 2, n - 1}:
        lone = np.zeros(n)
        for value in (1.0, -1e308, 1e-308, 5e-324, np.finfo(float).max):
            lone[at] = value
            check_norm(blocked, lone)
            assert blocked.norm(lone) == pytest.approx(abs(value), rel=4 * EPS)
    check_norm(blocked, np.zeros(n))
    check_norm(blocked, -np.zeros(n))


def test_norm_of_nothing(blocked: Blocked) -> None:
    assert blocked.norm(np.zeros(0)) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_norm_of_what_is_not_finite_is_not_finite(blocked: Blocked, bad: float) -> None:
    for n in (1, 2, 5, 8, 17, 64, 200):
        for at in range(n):
            for scale in (1.0, 1e200, 1e-200, 0.0):
                x = np.full(n, scale)
                x[at] = bad
                assert not np.isfinite(blocked.norm(x)), (n, at, scale)


def test_a_norm_that_overflows_is_infinite(blocked: Blocked) -> None:
    assert blocked.norm(np.full(100, np.finfo(float).max)) == np.inf


# The damped problem


def _triangle(rng: Generator, n: int) -> Doubles:
    return np.asfortranarray(np.linalg.qr(rng.normal(size=(2 * n, n)), mode="r"))


def check_damped(own: Library, blocked: Blocked, r: Doubles, d: Doubles, qtb: Doubles) -> None:
    """Compare with `qrsolv_`: S up to the signs of its rows, and x up to the condition of S."""
    n = r.shape[1]
    ipvt = np.random.default_rng(n).permutation(n).astype(np.int32) + 1
    got, minpack = blocked.damped(r, ipvt, d, qtb), own.qrsolv(r, ipvt, d, qtb)
    assert np.array_equal(np.triu(got.r[:n]), np.triu(r[:n]))
    stack, exponents = scaled(np.vstack([np.triu(r[:n]), np.diag(d[ipvt - 1])]))
    s = (np.tril(got.r[:n], -1) + np.diag(got.sdiag)).T
    s, stack = np.ldexp(s, -exponents).astype(np.longdouble), stack.astype(np.longdouble)
    norms = np.sqrt((stack**2).sum(0))
    tolerance = bound(2 * n, n)
    # Products of all columns with some: NumPy takes its time over long doubles.
    some = np.unique(np.linspace(0, n - 1, 24).astype(int))
    error = np.abs(s[:, some].T @ s - stack[:, some].T @ stack)
    assert np.all(error <= 2.01 * tolerance * np.outer(norms[some], norms))
    if np.all(got.sdiag != 0) and np.all(np.isfinite(minpack.x)):
        # x solves a problem that is as near as S'*S is; both lose the same digits (theorem 20.1).
        error = np.ldexp(got.x[ipvt - 1], exponents) - np.ldexp(minpack.x[ipvt - 1], exponents)
        singular = np.linalg.svd(s.astype(float), compute_uv=False)
        size = np.linalg.norm(np.ldexp(minpack.x[ipvt - 1], exponents))
        size += np.linalg.norm(qtb) / singular[0]
        assert np.linalg.norm(error) <= 4 * tolerance * (singular[0] / singular[-1]) ** 2 * size


@pytest.mark.parametrize("n", [1, 2, 5, 7, 8, 9, 15, 16, 17, 70, 191, 192, 193])
def test_damped(blocked: Blocked, own_library: Library, n: int) -> None:
    rng = np.random.default_rng(n)
    r, qtb = _triangle(rng, n), rng.normal(size=n)
    for d in (rng.random(n), 1e-9 * rng.random(n), 10.0 ** rng.uniform(-9, 9, n)):
        check_damped(own_library, blocked, r, d, qtb)
        check_damped(own_library, blocked, r, d * (rng.random(n) < 0.5), qtb)
    scales = 10.0 ** rng.uniform(-150, 150, n)
    check_damped(own_library, blocked, r * scales, rng.random(n), qtb)
    check_damped(own_library, blocked, np.full((n + 3, n), 3.0, order="F"), rng.random(n) + 1, qtb)


def test_damped_and_singular(blocked: Blocked, own_library: Library) -> None:
    """From the first zero on the diagonal of S on, components of the solution are zero."""
    rng = np.random.default_rng(2)
    for n in (3, 40, 100):
        r, qtb, ipvt = _triangle(rng, n), rng.normal(size=n), np.arange(1, n + 1, dtype=np.int32)
        r[n // 2 :] = 0.0
        d = np.zeros(n)
        got, minpack = blocked.damped(r, ipvt, d, qtb), own_library.qrsolv(r, ipvt, d, qtb)
        assert np.array_equal(got.sdiag == 0, minpack.sdiag == 0)
        assert np.all(got.x[n // 2 :] == 0)
        assert np.allclose(got.x, minpack.x, rtol=1e-9)
