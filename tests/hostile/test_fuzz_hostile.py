"""Functions that misbehave: `leastsq` does what the contract says, and the next fit works.

Where residuals and Jacobians are not finite, at any call, the oracle is Argonne's library, stopped
where the contract says ier 9.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import argonne
import numpy as np
import pytest
from bits import assert_same_bits, packed
from forms import MATRICES, SINGLES, VECTORS, Form
from fuzzing import Calls, Tally, batches, examples, explore, fit, reference
from hypothesis import strategies as st
from misbehaviour import (
    EXCEPTIONS,
    MANNERS,
    RAISING,
    RAISING_ITEMS,
    WRONG_TYPES,
    WRONG_VALUES,
    Fault,
    assert_kept,
)
from rosenbrock import PLAIN, START, WITH_JACOBIAN, rosenbrock, rosenbrock_jacobian
from strategies import NOT_FINITE, SPECIAL, Array, Problem, options, problems

from pyminpack import leastsq

pytestmark = pytest.mark.thorough

EXAMPLES = 1200
TALLY = Tally("hostile")

SMALL = problems(9, 4, nasty=False)


def assert_next_fit_works() -> None:
    assert_same_bits(fit(rosenbrock, START), PLAIN)
    assert_same_bits(fit(rosenbrock, START, Dfun=rosenbrock_jacobian), WITH_JACOBIAN)


@dataclass
class Fitted:
    """A problem, its options, and how it is fitted when nobody misbehaves."""

    problem: Problem
    options: dict[str, Any]
    has_jacobian: bool

    def run(self, func: Any = None, dfun: Any = None) -> tuple[Any, Calls, Calls]:
        """Fit with `func(k, x)` and `dfun(k, x)`; return the result and the counts of the calls."""
        residuals = Calls(func or (lambda k, x: self.problem.residual(x)))
        jacobian = Calls(dfun or (lambda k, x: self.problem.jacobian(x)))
        slope: dict[str, Any] = {"Dfun": jacobian} if self.has_jacobian else {}
        x0 = self.problem.x0
        result = leastsq(residuals, x0, full_output=True, **slope, **self.options)
        return result, residuals, jacobian

    @property
    def most(self) -> int:
        """The most calls of func that there may be."""
        n, limit = self.problem.n, int(self.options["maxfev"])
        return (limit if limit > 0 else 200 * (n + 1)) + n + 1


@st.composite
def fitted(draw: Any) -> Fitted:
    problem = draw(SMALL)
    return Fitted(problem, draw(options(problem.n)), draw(st.booleans()))


# Faults


@dataclass
class Faulty:
    fitted: Fitted
    in_jacobian: bool
    call: int
    fault: Fault
    trouble: BaseException


def _misshapen(shape: tuple[int, ...], form: Form) -> Fault:
    return Fault("shape", lambda r, trouble: form(np.ones(shape)), shape=shape)


SHAPES = st.builds(_misshapen, st.lists(st.integers(0, 9), max_size=3).map(tuple), st.just(Form()))
LENGTHS = st.builds(_misshapen, st.tuples(st.integers(0, 12)), VECTORS)
_MADE = RAISING + WRONG_TYPES + WRONG_VALUES
FAULTS = {
    False: st.sampled_from(_MADE + RAISING_ITEMS) | LENGTHS | SHAPES,
    True: st.sampled_from(_MADE) | SHAPES,
}


@st.composite
def faulty(draw: Any) -> Faulty:
    base = draw(fitted())
    in_jacobian = base.has_jacobian and draw(st.booleans())
    call = draw(st.integers(1, 3 if in_jacobian else 12))
    kind = draw(st.sampled_from(EXCEPTIONS))
    return Faulty(base, in_jacobian, call, draw(FAULTS[in_jacobian]), kind("trouble"))


def misshapen(case: Faulty, shape: tuple[int, ...]) -> tuple[type[BaseException], str] | None:
    """Return type and text of the error of a result of this shape; None if the shape is right."""
    m, n = case.fitted.problem.size
    if case.in_jacobian:
        right = shape == (m, n) or (n == 1 and shape == (m,))
        return None if right else (TypeError, f"Shape should be ({m}, {n}) but it is {shape}.")
    if len(shape) > 1:
        return ValueError, f"func returned an array of shape {shape}"
    size = int(np.prod(shape))
    if size == m:
        return None
    changed = "func returned {} elements at the first call and {} now"
    if case.call > 1:
        return ValueError, changed.format(m, size)
    if size < n:
        return TypeError, f"N={n} must not exceed func output vector length M={size}"
    if case.fitted.has_jacobian:
        return TypeError, f"Shape should be ({size}, {n}) but it is ({m}, {n})."
    return ValueError, changed.format(size, m)


def expected_error(case: Faulty) -> tuple[type[BaseException] | None, str] | None:
    """Return type and text of the error, no type for `trouble` itself; None if nothing is wrong."""
    fault = case.fault
    if fault.shape is None:
        return fault.error, fault.says
    wrong = misshapen(case, fault.shape)
    found = None if wrong is None else (wrong[0], re.escape(wrong[1]))
    if fault.name == "shape":
        return found
    # A shape is looked at before the numbers are, unless it shows only at the next call.
    first = case.call == 1 and not case.in_jacobian
    later = first and np.prod(fault.shape) >= case.fitted.problem.n
    return (fault.error, fault.says) if wrong is None or later else found


def run_faulty(case: Faulty) -> Any:
    problem = case.fitted.problem
    function = problem.jacobian if case.in_jacobian else problem.residual

    def misbehave(k: int, x: Array) -> Any:
        r = function(x)
        return case.fault.make(r, case.trouble) if k == case.call else r

    return case.fitted.run(**{"dfun" if case.in_jacobian else "func": misbehave})[0]


def check_fault(case: Faulty) -> None:
    plain, func, dfun = case.fitted.run()
    reached = case.call <= (dfun if case.in_jacobian else func).count
    expected = expected_error(case)
    if expected is None:
        return
    error, says = expected
    try:
        result, caught = run_faulty(case), None
    except BaseException as raised:
        if isinstance(raised, KeyboardInterrupt) and raised is not case.trouble:
            raise  # somebody wants this test to end
        result, caught = None, raised
    assert reached is (caught is not None), repr(caught)
    if caught is None:
        assert_same_bits(packed(result), packed(plain))
        TALLY.add("fault not reached")
    else:
        assert caught is case.trouble if error is None else type(caught) is error, repr(caught)
        assert error is None or re.search(says, str(caught)), repr(caught)
        TALLY.add(f"raised {type(caught).__name__}", f"fault {case.fault.name}")
    assert_next_fit_works()


@batches(EXAMPLES)
def test_faults(batch: tuple[int, int]) -> None:
    explore(check_fault, faulty(), batch, TALLY)


# Manners


@dataclass
class Mannered:
    fitted: Fitted
    func: list[str]
    dfun: list[str]


def mannered() -> st.SearchStrategy[Mannered]:
    some = st.lists(st.sampled_from(sorted(MANNERS)), min_size=1, max_size=3)
    return st.builds(Mannered, fitted(), some, some)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@batches(EXAMPLES // 2)
def test_manners(batch: tuple[int, int]) -> None:
    explore(check_manners, mannered(), batch, TALLY)


def check_manners(case: Mannered) -> None:
    memories: dict[str, list[Any]] = {}

    def polite(function: Any, names: list[str], whose: str) -> Any:
        def func(k: int, x: Array) -> Any:
            assert type(x) is np.ndarray
            assert x.dtype == np.float64
            assert x.shape == (case.fitted.problem.n,)
            assert x.flags.carray
            assert x.flags.owndata
            name = names[k % len(names)]
            memory = memories.setdefault(f"{whose} {name}", [])
            return MANNERS[name](x, function(x), memory)

        return func

    problem = case.fitted.problem
    func = polite(problem.residual, case.func, "func")
    dfun = polite(problem.jacobian, case.dfun, "Dfun")
    result, calls, slopes = case.fitted.run(func, dfun)
    found = packed(result)
    assert_same_bits(found, packed(case.fitted.run()[0]))
    assert (calls.count, slopes.count) == (found["nfev"], found["njev"])
    for name, memory in memories.items():
        if "keep" in name:
            assert_kept(memory)
        TALLY.add(f"manner {name}")
    assert_next_fit_works()


# Values that are not finite, and functions that are none


@dataclass
class Script:
    """At each call either the problem's residuals, some of them spoilt, or any numbers at all."""

    fitted: Fitted
    form: Form
    slope_form: Form
    seed: int
    palette: list[float]
    random: bool
    share: float  # of elements to be spoilt
    calls: list[int]  # at which they are; none: at every call

    def spoil(self, k: int, values: Array, stream: int) -> Array:
        rng = np.random.default_rng([self.seed, stream, k])
        values = rng.normal(size=values.shape) if self.random else values
        if self.calls and k not in self.calls:
            return values
        spoilt = rng.random(values.shape) < self.share
        return np.where(spoilt, rng.choice(self.palette, values.shape), values)

    def residuals(self, k: int, x: Array) -> Array:
        return self.spoil(k, self.fitted.problem.residual(x), 0)

    def jacobian(self, k: int, x: Array) -> Array:
        return self.spoil(k, self.fitted.problem.jacobian(x), 1)


@st.composite
def scripts(draw: Any) -> Script:
    base = draw(fitted())
    palette = st.lists(st.sampled_from(NOT_FINITE * 4 + SPECIAL), min_size=1, max_size=3)
    return Script(
        base,
        draw(SINGLES if base.problem.m == 1 else VECTORS),
        draw(MATRICES),
        draw(st.integers(0, 2**32 - 1)),
        draw(palette),
        draw(st.booleans()),
        draw(st.sampled_from([0.5, 0.1, 1.0, 0.02])),
        draw(st.lists(st.integers(1, 15), max_size=3)),
    )


def scripted_oracle(case: Script) -> dict[str, Any]:
    problem, settings = case.fitted.problem, case.fitted.options
    func = Calls(lambda k, x: case.form.value(case.residuals(k, x)))
    dfun = Calls(lambda k, x: case.slope_form.value(case.jacobian(k, x)))
    reals = {name for name, v in settings.items() if v is not None} - {"maxfev", "diag"}
    settled: dict[str, Any] = {"epsfcn": case.form.epsilon}
    settled |= {name: float(settings[name]) for name in reals}
    settled |= {"maxfev": int(settings["maxfev"]), "diag": settings.get("diag")}
    slopes = dfun if case.fitted.has_jacobian else None
    return reference(func, problem.x0, problem.m, slopes, **settled)


def check_script(case: Script) -> None:
    result, func, dfun = case.fitted.run(
        lambda k, x: case.form(case.residuals(k, x)),
        lambda k, x: case.slope_form(case.jacobian(k, x)),
    )
    found = packed(result)
    ier = found["ier"]
    assert 1 <= ier <= 9
    assert (func.count, dfun.count) == (found["nfev"], found["njev"])
    assert func.count <= case.fitted.most
    if ier > 4:
        assert result[1] is None
    # x0 is finite, and where func is not finite there, it is called no more.
    assert np.isfinite(found["x"]).all()
    assert np.isfinite(found["fvec"]).all() or found["nfev"] == 1
    if argonne.AVAILABLE:
        theirs = scripted_oracle(case)
        assert_same_bits({name: found[name] for name in theirs}, theirs)
    kind = "lmder" if case.fitted.has_jacobian else "lmdif"
    TALLY.add(f"ier {ier}", f"{kind} ier {ier}")
    assert_next_fit_works()


@batches(EXAMPLES)
def test_scripts(batch: tuple[int, int]) -> None:
    explore(check_script, scripts(), batch, TALLY)


def test_the_misbehaviour_was_of_all_kinds() -> None:
    print(TALLY.report())
    TALLY.require(
        2 * examples(EXAMPLES) + examples(EXAMPLES // 2),
        *(f"ier {ier}" for ier in (1, 2, 4, 5, 7, 9)),
        *(f"{kind} ier 9" for kind in ("lmdif", "lmder")),
        *(f"raised {kind}" for kind in ("TypeError", "ValueError", "OverflowError")),
        "fault shape",
        "fault not reached",
    )
    faults = RAISING + RAISING_ITEMS + WRONG_TYPES + WRONG_VALUES
    TALLY.require_most(*(f"fault {fault.name}" for fault in faults))
    TALLY.require_most(*(f"raised {type(kind('')).__name__}" for kind in EXCEPTIONS))
    TALLY.require_most(*(f"manner {who} {name}" for who in ("func", "Dfun") for name in MANNERS))
