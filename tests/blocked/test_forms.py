"""`qr="blocked"` reads whatever array Dfun returns, and its bits depend on nothing but numbers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from argonne import Doubles, Library
from bits import assert_same_bits, packed
from blocked import RUNNABLE, Blocked
from blocked_problems import BLOCKED_WORK, GIL_FREE_WORK, blocked, chunk_rows, curve
from wrappers import Subclass

from pyminpack import _core, leastsq

pytestmark = pytest.mark.thorough


def _strided(a: Doubles, down: int, right: int) -> Doubles:
    """Return the matrix in larger memory, every so many rows and columns of it."""
    m, n = a.shape
    room = np.full((m * abs(down), n * abs(right)), np.nan)
    view = room[::down, ::right]
    view[...] = a
    return view


def _misaligned(a: Doubles) -> Doubles:
    room = np.zeros(a.nbytes + 1, np.uint8)
    view = room[1:].view(np.float64).reshape(a.shape)
    view[...] = a
    assert not view.flags.aligned
    return view


def _read_only(a: Doubles) -> Doubles:
    a.flags.writeable = False
    return a


FORMS: dict[str, Callable[[Doubles], Any]] = {
    "by columns": np.asfortranarray,
    "rows backwards": lambda a: _strided(a, -1, 1),
    "columns backwards": lambda a: _strided(a, 1, -1),
    "both": lambda a: _strided(a, -1, -1),
    "far apart": lambda a: _strided(a, 3, 5),
    "far apart and backwards": lambda a: _strided(a, -3, -5),
    "columns backwards by columns": lambda a: _strided(a.T, -1, -2).T,
    "big-endian": lambda a: a.astype(">f8"),
    "long doubles": lambda a: a.astype(np.longdouble),
    "objects": lambda a: a.astype(object),
    "lists": lambda a: a.tolist(),
    "rows": list,
    "tuples": lambda a: tuple(map(tuple, a.tolist())),
    "misaligned": _misaligned,
    "read-only": _read_only,
    "a subclass": lambda a: a.view(Subclass),
    "a buffer": lambda a: memoryview(a.data),
}
# Without chunks and with them; few columns and many.
SIZES = [(5, 3), (700, 7), (130, 60), (5000, 20), (600, 64)]


@functools.cache
def reference(m: int, n: int) -> dict[str, Any]:
    problem = curve(m, n)
    return blocked(problem.func, problem.start, Dfun=problem.dfun)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("col_deriv", [False, True])
def test_any_form_of_the_jacobian(form: str, col_deriv: bool) -> None:
    for m, n in SIZES:
        if m * n > 50_000 and form in ("objects", "lists", "tuples"):
            continue
        problem = curve(m, n)

        def dfun(x: Doubles, dfun: Any = problem.dfun) -> Any:
            return FORMS[form](dfun(x).T.copy() if col_deriv else dfun(x))

        got = blocked(problem.func, problem.start, Dfun=dfun, col_deriv=col_deriv)
        assert_same_bits(got, reference(m, n))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int32, bool])
def test_other_types(dtype: Any) -> None:
    rng = np.random.default_rng(3)
    for m, n in SIZES[:4]:
        a, f = (5 * rng.normal(size=(m, n))).astype(dtype), rng.normal(size=m)
        same = a.astype(float)
        one, two = (
            blocked(lambda x, a=same, f=f: a @ x - f, np.zeros(n), Dfun=lambda x, b=b: b)
            for b in (a, same)
        )
        assert_same_bits(one, two)


@pytest.mark.parametrize(("m", "n"), [(9, 4), (800, 5), (30_000, 10)])
def test_zero_strides(m: int, n: int) -> None:
    """What broadcasting makes of a row, a column or a number."""
    column, row = np.linspace(1.0, 2.0, m)[:, None], np.linspace(1.0, 2.0, n)
    for values in (column, row, np.array(2.0)):
        thin = np.broadcast_to(values, (m, n))
        thick = thin.copy()
        one, two = (
            blocked(lambda x, a=thick: a @ x - 1.0, np.ones(n), Dfun=lambda x, a=a: a)
            for a in (thin, thick)
        )
        assert_same_bits(one, two)


@pytest.mark.parametrize("m", [1, 2, 700, GIL_FREE_WORK - 1, GIL_FREE_WORK])
@pytest.mark.parametrize("col_deriv", [False, True])
def test_one_variable(m: int, col_deriv: bool) -> None:
    t = np.linspace(0.5, 1.5, m)
    shapes = (t, t[:, None], t[None, :] if col_deriv else t[:, None], t[::-1].copy()[::-1])
    first = None
    for slope in shapes:
        if slope.ndim == 2 and slope.shape != ((1, m) if col_deriv else (m, 1)):
            continue
        got = blocked(
            lambda x: t * x - 1.0, [3.0], Dfun=lambda x, s=slope: s, col_deriv=col_deriv, maxfev=1
        )
        first = first or got
        assert_same_bits(got, first)
    assert first is not None
    # The first step of a linear problem is the last.
    assert first["x"][0] == pytest.approx(float(t.sum() / (t @ t)), rel=1e-12)


# Nothing but numbers


@pytest.mark.parametrize("dfun", [False, True])
@pytest.mark.parametrize(("m", "n"), SIZES)
def test_twice_the_same_bits_with_full_output_and_without(m: int, n: int, dfun: bool) -> None:
    problem = curve(m, n)
    options: dict[str, Any] = {"Dfun": problem.dfun} if dfun else {}
    first = blocked(problem.func, problem.start, **options)
    assert_same_bits(blocked(problem.func, problem.start, **options), first)
    x, ier = leastsq(problem.func, problem.start, qr="blocked", **options)
    assert_same_bits(x, first["x"])
    assert ier == first["ier"]


# Around the thresholds


def around(n: int, work: int) -> list[int]:
    """Return the largest number of residuals below so much work, and the next."""
    least = -(-work // n**2)
    return [least - 1, least]


@pytest.mark.parametrize("dfun", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 31, 50, 58])
def test_auto_below_and_from_the_threshold_on(n: int, dfun: bool) -> None:
    below, at = around(n, BLOCKED_WORK)
    for m, expected in ((below, "minpack"), (at, "blocked")):
        problem = curve(m, n)
        options: dict[str, Any] = {"Dfun": problem.dfun} if dfun else {}
        fits = {
            qr: blocked(problem.func, problem.start, qr=qr, maxfev=2, **options)
            for qr in ("auto", "minpack", "blocked")
        }
        assert_same_bits(fits["auto"], fits[expected])
        # Below R lie zeros, or what MINPACK needs for Q.
        assert np.any(fits["minpack"]["fjac"][:, n:]) == (m > n)
        assert not np.any(fits["blocked"]["fjac"][:, n:])


@pytest.mark.parametrize(("m", "n"), [(59, 58), (1999, 10), (2000, 10), (5000, 30)])
def test_minpack_has_argonnes_bits_at_any_size(
    system_pyminpack: ModuleType, m: int, n: int
) -> None:
    problem = curve(m, n)
    ways: tuple[dict[str, Any], ...] = ({"Dfun": problem.dfun}, {})
    for options in ways:
        ours, theirs = (
            packed(solver(problem.func, problem.start, full_output=True, maxfev=2, **options))
            for solver in (functools.partial(leastsq, qr="minpack"), system_pyminpack.leastsq)
        )
        assert_same_bits(ours, theirs)


def chunked_sizes(n: int, block: int) -> list[int]:
    """Return sizes around the least that is read by chunks, and some with all kinds of last."""
    below, at = around(n, GIL_FREE_WORK)
    lasts = [
        next(m for m in range(at, 9 * at) if m % chunk_rows(m, n, block) == rows)
        for rows in (0, 1, block - 1)
    ]
    return [below, at, *lasts]


@pytest.mark.parametrize("n", [5, 10, 47, 48, 70])
def test_chunks_change_no_bit(own_library: Library, n: int) -> None:
    """The factors are those of the kernel, which goes over the Jacobian at once."""
    kernel = Blocked(own_library.dll, _core.INSTRUCTION_SET)
    assert max(RUNNABLE.values()) == _core.INSTRUCTION_SET
    lasts = set()
    for m in chunked_sizes(n, kernel.block(n)):
        rng = np.random.default_rng(m)
        a, f = rng.normal(size=(m, n)), rng.normal(size=m)
        expected = kernel.tall(a, f)
        rows = chunk_rows(m, n, kernel.block(n))
        lasts.add(m % rows if rows else -1)
        for layout in (a, a.T.copy().T, a[::-1].copy()[::-1]):
            got = blocked(lambda x, f=f: f, np.zeros(n), Dfun=lambda x, b=layout: b, maxfev=1)
            r = got["fjac"].T[:n]
            if n < 48:
                minpack = own_library.qrfac(expected[:n, :n], True)
                assert np.array_equal(got["ipvt"], minpack.ipvt)
                assert np.array_equal(np.triu(r, 1), np.triu(minpack.a, 1))
                assert np.array_equal(np.diag(r), minpack.rdiag)
            else:
                factors = kernel.triangle(expected)
                assert np.array_equal(r, factors.r)
                assert np.array_equal(got["qtf"], factors.qtf)
    assert lasts >= {-1, 0, 1}
