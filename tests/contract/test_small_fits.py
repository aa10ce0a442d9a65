"""The usual arguments and the unusual ones, and the memory that small fits do without."""

from __future__ import annotations

import gc
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits, packed

from pyminpack import _core, leastsq

START = np.array([4.0, 5.0, 6.0])
JACOBIAN = np.vstack([np.eye(3), np.full((2, 3), 0.5)])
ROOM = 128  # doubles of x and workspace: SOLVE_ROOM


def linear(x: Any) -> Any:
    return JACOBIAN @ x - [1.0, 2.0, 3.0, 0.5, 0.1]


PLAIN: tuple[Any, ...] = (
    linear, None, START, (), 0, 1e-8, 1e-8, 0.0, 100, 0, None, None, 0, "auto",
)  # fmt: skip


class Number(float):
    pass


class Whole(int):
    pass


class Text(str):
    pass


class Several(tuple[Any, ...]):
    pass


class Callable:
    """What may be called, and counts it."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: Any) -> Any:
        self.calls += 1
        return linear(x)


def with_changes(*changes: tuple[int, Any]) -> list[Any]:
    arguments = list(PLAIN)
    for place, value in changes:
        arguments[place] = value
    return arguments


def solved(*changes: tuple[int, Any]) -> Any:
    return _core.solve(*with_changes(*changes))


MISALIGNED = np.frombuffer(b"." + START.tobytes(), np.uint8)[1:].view(np.float64)
MOST = 2**31 - 1 - 4
# What is read with more care than the usual kinds are, and what that comes to.
UNUSUAL: list[tuple[int, Any, Any]] = [
    *((2, x0, START) for x0 in ([4.0, 5, 6.0], START.astype(int), START.reshape(1, 3, 1))),
    *((2, x0, START) for x0 in (START.view(np.recarray), START.astype(">f8"), MISALIGNED)),
    (2, [[4], [5.0], [6]], START),
    (3, Several(), ()),
    *((place, value, True) for place in (4, 12) for value in (np.True_, "yes", Whole(1))),
    *((place, value, False) for place in (4, 12) for value in (None, 0.0, "")),
    *((place, value, float(value)) for place in (5, 6, 7, 8)
      for value in (np.float64(1e-8), np.float32(1e-8), Number(1.0), Whole(1), True, 2**70,
                    Fraction(1, 3), np.array(0.5))),
    *((9, maxfev, int(maxfev)) for maxfev in (True, Whole(7), np.int8(9))),
    *((9, maxfev, MOST) for maxfev in (2**31 - 4, 2**31, 2**70)),
    *((9, maxfev, 0) for maxfev in (-1, -(2**70), False)),
    *((10, epsfcn, float(epsfcn)) for epsfcn in (np.float32(1e-8), True, 2**70)),
    *((11, diag, np.ones(3)) for diag in ([1, 1.0, 1.0], np.ones(3, ">f8"), np.ones(3, bool))),
    (13, Text("auto"), "auto"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value", "usual"), UNUSUAL)
@pytest.mark.parametrize("dfun", [None, lambda x: JACOBIAN])
def test_what_is_unusual_comes_to_the_same(dfun: Any, place: int, value: Any, usual: Any) -> None:
    if place == 4 and dfun is not None and usual:
        dfun = lambda x: JACOBIAN.T  # noqa: E731
    found = solved((1, dfun), (place, value))
    expected = solved((1, dfun), (place, usual))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert_same_bits(ours, theirs)


REFUSED: list[tuple[int, Any, type[Exception]]] = [
    (0, None, TypeError),
    (1, "no function", TypeError),
    *((2, x0, TypeError) for x0 in (START[:0], [1j], ["1.0"], None)),
    *((place, np.nan, ValueError) for place in (5, 6, 7, 8, 10)),
    *((place, value, TypeError) for place in (5, 6, 7, 8, 10) for value in ("1", b"1", 1j)),
    *((place, 10**400, OverflowError) for place in (5, 6, 7, 8, 10)),
    *((9, maxfev, TypeError) for maxfev in (1.0, "1", None)),
    *((13, qr, ValueError) for qr in (0, None, "aut", "automatic", b"auto")),
]


@pytest.mark.parametrize(("place", "value", "error"), REFUSED)
def test_what_is_refused_calls_nothing(place: int, value: Any, error: type[Exception]) -> None:
    func, dfun = Callable(), Callable()
    with pytest.raises(error):
        solved((0, func), (1, dfun), (place, value))
    assert func.calls == dfun.calls == 0


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [(4, True)],
        [(9, 40)],
        [(9, -1)],
        [(9, 2**31 - 5)],
        [(10, 1e-12)],
        [(10, 0)],
        [(7, 0), (8, 1)],
        [(8, 0.5)],
        [(1, lambda x: JACOBIAN)],
        [(1, lambda x: JACOBIAN.T), (4, 1)],
        [(2, np.arange(24.0)[4:19:6])],
    ],
)
def test_a_list_for_x0_leads_where_the_array_does(changes: list[tuple[int, Any]]) -> None:
    given = with_changes(*changes, (12, True))
    short = fit(given)
    long = fit([*given[:2], given[2].tolist(), *given[3:]])
    assert_same_bits(packed(short), packed(long))
    x, ier = fit([*given[:12], 0, "auto"])
    assert x.tobytes() == short[0].tobytes()
    assert ier == short[-1]


def fit(given: list[Any]) -> Any:
    """Call leastsq with what is in the order of the shim."""
    func, dfun, x0, args, columns, ftol, xtol, gtol, factor, maxfev, epsfcn, diag, full, qr = given
    return leastsq(
        func, x0, args, dfun, full, columns, ftol, xtol, gtol, maxfev, epsfcn, factor, diag, qr=qr
    )


def falling(x: Any) -> Any:
    """Give e times less after each step of Gauss and Newton, for ever."""
    return np.exp(-x)


@pytest.mark.parametrize(
    ("dfun", "nfev"), [(None, 401), (lambda x: -falling(x), 200)], ids=["differences", "Dfun"]
)
def test_the_usual_limit_of_evaluations(dfun: Any, nfev: int) -> None:
    *_, info, message, ier = leastsq(falling, np.zeros(1), Dfun=dfun, full_output=True)
    assert (info["nfev"], ier) == (nfev, 5)
    assert message.endswith(f"maxfev = {nfev // 2 * 2}.")
    with pytest.warns(RuntimeWarning, match=f"maxfev = {nfev // 2 * 2}\\.$"):
        leastsq(falling, np.zeros(1), Dfun=dfun)


@pytest.mark.parametrize("n", [1, 5, 9, ROOM - 1, ROOM, ROOM + 1, 300])
@pytest.mark.parametrize("full", [False, True])
def test_fits_on_either_side_of_the_room_on_the_stack(n: int, full: bool) -> None:
    sizes = {n, n + 1, 2 * n, 3 * n, (ROOM - 7 * n) // (n + 2)}
    for m in sorted(m for size in sizes for m in (size - 1, size, size + 1) if m >= n):
        slope, start = np.eye(m, n) + 0.01, np.arange(1.0, n + 1)
        goal = slope @ (start + 1)
        x = leastsq(lambda x, a=slope, b=goal: a @ x - b, start, full_output=full)[0]
        np.testing.assert_allclose(x, start + 1, rtol=1e-6)


@pytest.mark.parametrize("n", [3, ROOM + 1])
def test_the_result_is_an_array_that_func_did_not_keep(n: int) -> None:
    kept: list[Any] = []

    def func(x: Any) -> Any:
        kept.append(x)
        return x - 1.0

    x, _ = leastsq(func, np.zeros(n))
    assert all(x is not one and not np.shares_memory(x, one) for one in kept)
    assert x.flags.owndata
    assert x.flags.c_contiguous
    assert x.flags.writeable
    values = x.tobytes()
    for one in kept:
        one[:] = np.nan
    assert x.tobytes() == values


def test_the_result_is_its_callers_alone() -> None:
    seen: list[int] = []

    def func(x: Any) -> Any:
        x.shape = (3, 1)  # of no use any more
        return x[:, 0] - 1.0

    x, _ = leastsq(func, np.zeros(3))
    assert x.shape == (3,)
    x, _ = leastsq(lambda x: seen.append(id(x)) or x - 1.0, np.zeros(3))
    gc.collect()
    if hasattr(sys, "getrefcount"):
        assert sys.getrefcount(x) <= 2


def test_a_start_that_func_changes() -> None:
    start = START.copy()

    def func(x: Any) -> Any:
        start[:] = np.nan
        return linear(x)

    ours, usual = leastsq(func, start, full_output=True), leastsq(linear, START, full_output=True)
    assert_same_bits(packed(ours), packed(usual))


@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        lambda r: [float(value) for value in r],
        lambda r: [Number(value) for value in r],
        lambda r: [*r[:3], 1, 2],
        lambda r: [*r[:3], 2**62, -(2**63)],
        lambda r: [*r[:3], 2**63, 2**64],
        lambda r: [*r[:3], 2**70, 3],
        lambda r: [*r[:3], np.float32(1.0), np.int64(2)],
        lambda r: [*r[:3], True, False],
    ],
)
def test_sequences_of_numbers(form: Any) -> None:
    ours = leastsq(lambda x: form(linear(x)), START, full_output=True)
    usual = leastsq(
        lambda x: np.array([float(v) for v in form(linear(x))]), START, full_output=True
    )
    assert_same_bits(packed(ours), packed(usual))


@pytest.mark.parametrize("bad", [10**400, -(10**400)])
def test_an_int_that_no_double_holds(bad: int) -> None:
    for at in (1, 2):
        calls = 0

        def func(x: Any, at: int = at) -> Any:
            nonlocal calls
            calls += 1
            return [*x.tolist(), bad] if calls == at else [*x.tolist(), 1.0]

        with pytest.raises(OverflowError, match="int too large to convert to float"):
            leastsq(func, START)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ([1.0, "x"], TypeError, "func returned values of dtype <U"),
        ([None, 1.0], ValueError, "changed size .* 3 elements at the first call and 2 now"),
        ([1.0] * 4, ValueError, "changed size .* 3 elements at the first call and 4 now"),
        ([10**400, None, 1.0], OverflowError, "int too large"),
        ([1.0, None, 10**400], TypeError, "element 1 is of type 'NoneType'"),
    ],
)
def test_what_is_wrong_with_a_list_is_told_in_numpys_order(
    bad: list[Any], error: type[Exception], message: str
) -> None:
    calls = 0

    def func(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return [1.0, 2.0, 3.0] if calls == 1 else bad

    with pytest.raises(error, match=message):
        leastsq(func, START)
