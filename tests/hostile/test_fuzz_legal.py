"""Drawn problems, options and forms of everything: `leastsq` against Argonne's MINPACK bit for bit.

The oracle calls the same functions, written down as plain float64 arrays.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import argonne
import numpy as np
import pytest
from bits import assert_same_bits, packed
from forms import (
    CONTAINERS,
    FLOATS,
    INTEGERS,
    LAYOUTS,
    MATRICES,
    SCALES,
    SINGLE_STARTS,
    SINGLES,
    STARTS,
    VECTORS,
    Form,
)
from fuzzing import Calls, Tally, batches, examples, explore, reference
from hypothesis import strategies as st
from strategies import Array, Problem, options, problems

from pyminpack import leastsq

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(not argonne.AVAILABLE, reason=argonne.REASON),
]

EXAMPLES = 2000
TALLY = Tally("legal")

# What the functions are given beside x; the first number is a gain.
ARGS: list[Any] = [(), (0.5,), (2.0, "text", None), -3.0, np.array(1.5), (np.float32(0.25), [])]
TRUE = [True, 1, np.True_, "yes", np.array([1])]


@dataclass
class Slopes:
    """What Dfun returns; a Jacobian that is wrong is as legal as one that is right."""

    forms: list[Form]
    col_deriv: bool
    as_vector: bool  # of shape (m,), where n is 1
    gain: float


@dataclass
class Case:
    problem: Problem
    options: dict[str, Any]
    forms: list[Form]  # of the results, in turn
    start: Form
    scale: Form
    args: Any
    slopes: Slopes | None
    full_output: Any

    def gain(self, args: tuple[Any, ...]) -> float:
        return float(args[0]) if args else 1.0

    def residuals(self, k: int, x: Array, *args: Any, plain: bool = False) -> Any:
        form = self.forms[k % len(self.forms)]
        r = self.gain(args) * self.problem.residual(x)
        return form.value(r) if plain else form(r)

    def jacobian(self, k: int, x: Array, *args: Any, plain: bool = False) -> Any:
        assert self.slopes is not None
        form = self.slopes.forms[k % len(self.slopes.forms)]
        j = self.gain(args) * self.slopes.gain * self.problem.jacobian(x)
        if plain:
            return form.value(j)
        if self.slopes.as_vector:
            return form(j[:, 0])
        return form(j.T if self.slopes.col_deriv else j)


def _slopes(as_vector: st.SearchStrategy[bool]) -> st.SearchStrategy[Slopes]:
    gain = st.sampled_from([1.0, 1.0, 1.0, 0.5, -1.0, 0.0, 1e-200, 1e200])
    return st.builds(Slopes, FEW_MATRICES, st.booleans(), as_vector, gain)


FEW_MATRICES = st.lists(MATRICES, min_size=1, max_size=2)
SLOPES = {
    True: st.none() | _slopes(st.booleans()),
    False: st.none() | _slopes(st.just(False)),
}
PLAIN = st.just([Form()])
FORMS = {
    True: PLAIN | st.lists(SINGLES, min_size=1, max_size=3),
    False: PLAIN | st.lists(VECTORS, min_size=1, max_size=3),
}
START_FORMS = {True: SINGLE_STARTS, False: st.just(Form()) | STARTS}


@st.composite
def cases(draw: Any) -> Case:
    problem = draw(problems())
    m, n = problem.size
    return Case(
        problem,
        draw(options(n)),
        draw(FORMS[m == 1]),
        draw(START_FORMS[n == 1]),
        draw(SCALES),
        draw(st.sampled_from(ARGS)),
        draw(SLOPES[n == 1]),
        draw(st.sampled_from(TRUE)),
    )


def oracle(case: Case) -> dict[str, Any] | None:
    """Return what `leastsq` is to return; None where the oracle takes a NaN for another number."""
    args = case.args if isinstance(case.args, tuple) else (case.args,)
    numbers: list[Array] = []

    def seen(values: Array) -> Array:
        numbers.append(np.array(values))
        return values

    func = Calls(lambda k, x: seen(case.residuals(k, seen(x), *args, plain=True)))
    dfun = Calls(lambda k, x: seen(case.jacobian(k, x, *args, plain=True))) if case.slopes else None
    settled: dict[str, Any] = {"maxfev": int(case.options["maxfev"])}
    reals = case.options.keys() - {"maxfev", "diag", "epsfcn"}
    settled |= {name: float(case.options[name]) for name in reals}
    if "diag" in case.options:
        settled["diag"] = case.scale.value(case.options["diag"])
    epsfcn = case.options.get("epsfcn")
    settled["epsfcn"] = case.forms[1 % len(case.forms)].epsilon if epsfcn is None else float(epsfcn)
    found = reference(func, case.start.value(case.problem.x0), case.problem.m, dfun, **settled)
    return None if argonne.may_meet_nan(*numbers, settled.get("diag", 1.0)) else found


def ours(case: Case, full_output: Any) -> tuple[Any, Calls, Calls]:
    """Return what `leastsq` does, and the counts of the calls."""
    func, dfun = Calls(case.residuals), Calls(case.jacobian)
    passed = dict(case.options)
    if "diag" in passed:
        passed["diag"] = case.scale(passed["diag"])
    if case.slopes:
        passed |= {"Dfun": dfun, "col_deriv": case.slopes.col_deriv}
    x0 = case.start(case.problem.x0)
    return leastsq(func, x0, case.args, full_output=full_output, **passed), func, dfun


def check_covariance(cov_x: Any, info: dict[str, Any], ier: int) -> None:
    n, r = info["qtf"].size, info["fjac"].T
    if ier not in (1, 2, 3, 4) or not np.diag(r).all():
        assert cov_x is None
        return
    if cov_x is not None:
        assert np.isfinite(cov_x).all()
        np.testing.assert_array_equal(cov_x, cov_x.T)
    if argonne.CMINPACK is not None:
        expected = argonne.cminpack_covar(r[:n], info["ipvt"], 0.0)
        if np.isfinite(expected).all():
            assert_same_bits(cov_x, np.ascontiguousarray(expected), "cov_x")
        else:
            assert cov_x is None


def check_brief_output(case: Case, x: Array, ier: int, mesg: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        brief = ours(case, False)[0]
    assert_same_bits(brief[0], x, "x")
    assert brief[1] == ier
    expected = [mesg] if ier > 4 else []
    assert [str(warning.message) for warning in caught] == expected


def check(case: Case) -> None:
    theirs = oracle(case)
    result, func, dfun = ours(case, case.full_output)
    found = packed(result)
    x, cov_x, info, mesg, ier = result
    if theirs is None:
        TALLY.add("not compared")
    else:
        assert_same_bits({name: found[name] for name in theirs}, theirs)
    assert (func.count, dfun.count) == (found["nfev"], found["njev"])
    n, limit = case.problem.n, int(case.options["maxfev"])
    assert found["nfev"] <= (limit if limit > 0 else 200 * (n + 1)) + n + 1
    assert info["fjac"].shape == (n, case.problem.m)
    assert info["ipvt"].shape == info["qtf"].shape == x.shape == (n,)
    check_covariance(cov_x, info, ier)
    if case.problem.seed % 8 == 0:  # some are enough
        check_brief_output(case, x, ier, mesg)
    count(case, ier, cov_x, found)


def count(case: Case, ier: int, cov_x: Any, found: dict[str, Any]) -> None:
    kind = "lmder" if case.slopes else "lmdif"
    TALLY.add(f"ier {ier}", f"{kind} ier {ier}", f"cov_x {'None' if cov_x is None else 'given'}")
    TALLY.add(*(f"result {form.container}" for form in case.forms))
    TALLY.add(*(f"dtype {form.dtype}" for form in case.forms))
    TALLY.add(*(f"layout {form.layout}" for form in case.forms))
    TALLY.add(*(f"option {name}" for name in case.options), f"x0 {case.start.container}")
    if case.slopes:
        TALLY.add(*(f"Dfun {form.container}" for form in case.slopes.forms))
    long = found["nfev"] > 5 * (1 if case.slopes else case.problem.n + 1)
    TALLY.add("more than 4 iterations" if long else "at most 4 iterations")


@pytest.mark.thread_unsafe(reason="catches warnings")
@batches(EXAMPLES)
def test_bits(batch: tuple[int, int]) -> None:
    explore(check, cases(), batch, TALLY)


def test_the_cases_were_of_all_kinds() -> None:
    print(TALLY.report())
    TALLY.require(
        examples(EXAMPLES),
        *(f"ier {ier}" for ier in range(1, 10)),
        *(f"{kind} ier {ier}" for kind in ("lmdif", "lmder") for ier in (1, 2, 4, 5, 9)),
        *(f"option {name}" for name in ("ftol", "xtol", "gtol", "epsfcn", "factor", "diag")),
        "cov_x None",
        "cov_x given",
    )
    TALLY.require_most(
        *(f"result {name}" for name in CONTAINERS),
        *(f"dtype {name}" for name in FLOATS + INTEGERS),
        *(f"layout {name}" for name in LAYOUTS),
        *(f"{whose} {name}" for whose in ("Dfun", "x0") for name in ("array", "list", "subclass")),
    )
    assert TALLY.seen["more than 4 iterations"] >= examples(EXAMPLES) // 40
