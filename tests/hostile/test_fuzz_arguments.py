"""Drawn arguments, good and bad: `leastsq` refuses what the contract says, before any call.

`_core` is called directly too, with objects that `leastsq` would never pass.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits, packed
from fuzzing import Calls, Tally, batches, examples, explore
from hypothesis import strategies as st
from misbehaviour import Trouble
from rosenbrock import PLAIN, START, WITH_JACOBIAN, fit, rosenbrock, rosenbrock_jacobian
from wrappers import ArrayLike

from pyminpack import _core, leastsq

pytestmark = pytest.mark.thorough

EXAMPLES = 1000
TALLY = Tally("arguments")


class Raising:
    """Raises whatever is asked of it."""

    def fail(self, *args: Any, **kwargs: Any) -> Any:
        raise Trouble

    __array__ = __bool__ = __float__ = __index__ = fail


# What may be passed for each argument, by what comes of it: an error before any call, "improper"
# input, which is MINPACK's to find, or nothing, when the fit is the usual one.

NOT_A_REAL = ["1", b"1", bytearray(b"1"), [1.0, 2.0], object(), {}, len]
NOT_A_REAL += [1j, np.complex64(1), np.complex128(1), np.array(1j)]
TOLERANCES: dict[Any, list[Any]] = {
    None: [1.49012e-8, np.float64(1.49012e-8), Decimal(repr(1.49012e-8)), np.array(1.49012e-8)],
    TypeError: [*NOT_A_REAL, None],
    ValueError: [np.nan, Decimal("nan"), Decimal("sNaN"), np.float32("nan"), np.array(np.nan)],
    OverflowError: [10**400, Fraction(10**400), -(10**400)],
    Trouble: [Raising()],
    "improper": [-1e-9, -np.inf, -1, Fraction(-1, 3), np.float16(-2)],
}
NO_NUMBERS = [object(), np.array(["2001"], "M8[D]"), np.zeros(2, [("a", float)])]
GTOL = TOLERANCES | {None: [0, 0.0, -0.0, False, Fraction(0), np.int8(0)]}
ARGUMENTS: dict[str, dict[Any, list[Any]]] = {
    "func": {None: [rosenbrock], TypeError: [None, 3, "func", [rosenbrock], object()]},
    "Dfun": {None: [None], TypeError: [0, "Dfun", [rosenbrock_jacobian], np.ones(2)]},
    "x0": {
        None: [START, tuple(START), np.array([START]), np.array(START, ">f8"), ArrayLike(START)],
        TypeError: [None, "12", b"12", [1j, 1], [Decimal(1), 1], ["a", "b"], {1.0}, *NO_NUMBERS],
        ValueError: [[[1.0], [2.0, 3.0]]],
        Trouble: [Raising(), [Raising(), 1.0]],
    },
    "args": {None: [()]},
    "full_output": {None: [1, True, "yes"], Trouble: [Raising()], ValueError: [np.ones(2)]},
    "col_deriv": {None: [0, None, "", []], Trouble: [Raising()], ValueError: [np.ones(2)]},
    "ftol": TOLERANCES,
    "xtol": TOLERANCES,
    "gtol": GTOL,
    "factor": TOLERANCES
    | {None: [100, 100.0, Decimal(100), np.int16(100)], "improper": [0, -0.0, -100, -np.inf]},
    "epsfcn": {
        **TOLERANCES,
        None: [None, 0.0, -1.0, -np.inf, 1e-30, 5e-324],
        TypeError: NOT_A_REAL,
        "improper": [],
    },
    "maxfev": {
        None: [0, -1, 600, -(10**30), 10**30, np.int64(10**6), np.uint64(2**63)],
        TypeError: [1.0, "3", None, Fraction(3), np.float32(3), np.ones(1), [3], 1j],
        Trouble: [Raising()],
    },
    "diag": {
        None: [None],
        TypeError: ["12", [1j, 1], ["a", "b"], object(), [None, 1.0], [Decimal(1), 1]],
        ValueError: [1.0, [1.0], np.ones(3), np.ones((1, 2)), [], [1.0, np.nan], [[1], [1, 2]]],
        Trouble: [Raising()],
        "improper": [[0.0, 1.0], [1.0, -0.0], (-1, 1), np.array([1.0, -np.inf])],
    },
}


@dataclass
class Passed:
    name: str
    verdict: Any
    value: Any


CHOICES = [
    Passed(name, verdict, value)
    for name, verdicts in ARGUMENTS.items()
    for verdict, values in verdicts.items()
    for value in values
]
GOOD = [choice for choice in CHOICES if choice.verdict is None]
BAD = [choice for choice in CHOICES if choice.verdict is not None]


@dataclass
class Call:
    arguments: list[Passed]  # of a name the last counts
    positional: bool


def calls() -> st.SearchStrategy[Call]:
    good = st.lists(st.sampled_from(GOOD), max_size=6)
    bad = st.lists(st.sampled_from(BAD), max_size=2)
    return st.builds(lambda a, b, c: Call(a + b, c), good, bad, st.booleans())


def perform(call: Call, passed: dict[str, Passed], func: Calls) -> Any:
    values: dict[str, Any] = {"func": func, "x0": START, "args": (), "Dfun": None}
    values |= {"full_output": 1, "col_deriv": 0, "ftol": 1.49012e-8, "xtol": 1.49012e-8}
    values |= {"gtol": 0.0, "maxfev": 0, "epsfcn": None, "factor": 100, "diag": None}
    if call.positional:
        values |= {name: choice.value for name, choice in passed.items()}
        return leastsq(*values.values())
    named: dict[str, Any] = {"func": func, "x0": START, "full_output": True}
    return leastsq(**named | {name: choice.value for name, choice in passed.items()})


def check_call(call: Call) -> None:
    func = Calls(lambda k, x, *args: rosenbrock(x))
    passed = {choice.name: choice for choice in call.arguments}
    if passed.get("func") and passed["func"].verdict is None:
        del passed["func"]
    verdicts = {choice.verdict for choice in passed.values()} - {None}
    errors = verdicts - {"improper"}
    try:
        result, caught = perform(call, passed, func), None
    except (TypeError, ValueError, OverflowError, Trouble) as raised:
        result, caught = None, raised
    if caught is None:
        assert not errors
        assert_fitted(result, func, improper="improper" in verdicts)
        TALLY.add("improper" if verdicts else "good")
    else:
        assert type(caught) in errors, repr(caught)
        assert func.count == 0
        TALLY.add(f"raised {type(caught).__name__}")
    assert_same_bits(fit(rosenbrock), PLAIN)


def assert_fitted(result: Any, func: Calls, improper: bool) -> None:
    x, _, info, mesg, ier = result
    if improper:
        assert (x.tolist(), info["nfev"], func.count, ier) == (START, 0, 1, 0)
        assert mesg.startswith("Improper input parameters. ")
        return
    assert_same_bits(packed(result), PLAIN)
    assert func.count == info["nfev"]


@batches(EXAMPLES)
def test_arguments(batch: tuple[int, int]) -> None:
    explore(check_call, calls(), batch, TALLY)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: f"{choice.name}-{choice.value!r}")
def test_every_argument_alone(choice: Passed) -> None:
    check_call(Call([choice], positional=False))


# The shim by itself: it may refuse anything, as long as it does so with an error of its own.

VECTORS: list[Any] = [
    np.array(START),
    np.array([0.5]),
    np.empty(0),
    np.ones((2, 2)),
    np.ones(()),
    np.ones(2, np.float32),
    np.ones(2, ">f8"),
    np.ones(4)[::2],
    np.ones(17, np.uint8)[1:].view(np.float64),
    np.array([np.nan, 1.0]),
    np.array([1.0, 0.0]),
    np.ones(2, object),
    START,
    None,
]
REALS: list[Any] = [0.0, 1e-8, -1.0, np.nan, np.inf, 1, 10**400, "1", None, 1j, Raising()]
FUNCTIONS: list[Callable[..., Any]] = [rosenbrock, lambda x: x, lambda x: np.ones(3), lambda x: []]
SLOPES: list[Any] = [None, None, rosenbrock_jacobian, lambda x: np.eye(x.size), 3]
TUPLES: list[Any] = [(), (), (1,), (None, "a"), [], None]
FLAGS: list[Any] = [0, True, None, Raising()]
LIMITS: list[Any] = [1, 40, 10**4, 0, -1, 2**31, 10**30, 1.0, None]
CHOICES: list[Any] = ["auto", "minpack", "blocked", "", "lapack", 3, None, Raising()]
SOLVE = [FUNCTIONS, SLOPES, VECTORS, TUPLES, FLAGS, *[REALS] * 4, LIMITS, REALS, VECTORS]
SOLVE += [FLAGS, CHOICES]
USUAL = (
    rosenbrock,
    None,
    np.array(START),
    (),
    0,
    1e-8,
    1e-8,
    0.0,
    100.0,
    40,
    None,
    None,
    1,
    "auto",
)


def changed_calls() -> st.SearchStrategy[tuple[Any, ...]]:
    """Draw a usual call of `_core.solve` in which a few arguments are replaced, or their number."""
    places = [(i, value) for i, values in enumerate(SOLVE) for value in values]
    changes = st.lists(st.sampled_from(places), max_size=4)
    return st.builds(_changed, changes, st.sampled_from([14, 14, 14, 14, 13, 15, 0]))


def _changed(changes: list[tuple[int, Any]], length: int) -> tuple[Any, ...]:
    arguments = list(USUAL)
    for i, value in changes:
        arguments[i] = value
    return (*arguments, None)[:length]


def check_solve(arguments: tuple[Any, ...]) -> None:
    try:
        solved = _core.solve(*arguments)
    except (TypeError, ValueError, OverflowError, IndexError, Trouble) as raised:
        TALLY.add(f"solve raised {type(raised).__name__}")
    else:
        assert (len(solved) == 2) is (not arguments[12] and solved[1] in (1, 2, 3, 4))
        if len(solved) == 2:
            solved = (solved[0], None, None, None, None, 0, None, solved[1], 0, 0, 0, 0, None)
        x, fvec, fjac, ipvt, qtf, nfev, njev, info, *_, maxfev, improper = solved
        assert info in range(10)
        assert bool(improper) is (info == 0)
        assert 0 <= (njev or 0) <= nfev <= maxfev + x.size + 1
        if arguments[12]:
            assert fjac.shape == (x.size, fvec.size)
            assert ipvt.shape == qtf.shape == x.shape
            assert_covariance(fjac, ipvt)
        else:
            assert [fvec, fjac, ipvt, qtf] == [None] * 4
        TALLY.add("solve returned")
    assert_same_bits(fit(rosenbrock, Dfun=rosenbrock_jacobian), WITH_JACOBIAN)


def assert_covariance(fjac: Any, ipvt: Any) -> None:
    """Assert that `_core.covariance` gives a matrix, None or an error of its own."""
    try:
        cov = _core.covariance(fjac, ipvt)
    except ValueError:
        TALLY.add("covariance raised")
        return
    assert cov is None or (cov.shape == (ipvt.size, ipvt.size) and np.isfinite(cov).all())
    TALLY.add("covariance returned")


@batches(EXAMPLES // 2)
def test_solve(batch: tuple[int, int]) -> None:
    explore(check_solve, changed_calls(), batch, TALLY)


PIVOTS: list[Any] = [
    np.array(pivots, np.int32)
    for n in range(4)
    for pivots in itertools.product((-1, 0, 1, 2, 3, 2**31 - 1), repeat=n)
]
PIVOTS += [np.array([1, 2]), np.ones(2), np.array([1, 9, 2], np.int32)[::2], np.int32(1), [1], None]
FACTORS: list[Any] = [
    values * np.ones(shape)
    for values in (1.0, 0.0, np.nan, np.inf, 1e-200, 1e300)
    for shape in [
        (0, 0),
        (0, 2),
        (1, 1),
        (1, 4),
        (2, 2),
        (2, 5),
        (3, 3),
        (3, 2),
        (2,),
        (),
        (1, 1, 1),
    ]
]
FACTORS += [np.eye(2, dtype=np.float32), np.eye(4)[::2, ::2], np.eye(2, dtype=">f8"), [[1.0]], None]


@batches(EXAMPLES // 2)
def test_covariance(batch: tuple[int, int]) -> None:
    pairs = st.tuples(st.sampled_from(FACTORS), st.sampled_from(PIVOTS))
    explore(lambda pair: assert_covariance(*pair), pairs, batch, TALLY)


def test_the_arguments_were_of_all_kinds() -> None:
    print(TALLY.report())
    TALLY.require(
        examples(EXAMPLES) + 2 * examples(EXAMPLES // 2),
        *(f"raised {kind}" for kind in ("TypeError", "ValueError", "OverflowError", "Trouble")),
        *(f"solve raised {kind}" for kind in ("TypeError", "ValueError", "Trouble")),
        "good",
        "improper",
        "solve returned",
        "covariance returned",
        "covariance raised",
    )
