"""`pyminpack.leastsq` against Argonne's MINPACK, bit for bit, on the driver's 53 cases."""

from __future__ import annotations

from typing import Any

import argonne
import numpy as np
import pytest
from bits import Counted, assert_same_bits, needs_scipy, packed, scipy_leastsq

import pyminpack
from pyminpack.compare.mgh import CASES, Array, Case

# Tolerances below the machine's precision make the fit end by every route: 4 to 8 included.
TOLERANCES: dict[str, dict[str, float]] = {
    "default": {},
    "tight": {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15},
    "tightest": {"ftol": 0.0, "xtol": 0.0, "gtol": 0.0},
    "loose": {"ftol": 1e-3, "xtol": 1e-2, "gtol": 1e-4},
}
MODES = ("differences", "rows", "columns")

needs_argonne = pytest.mark.skipif(not argonne.AVAILABLE, reason=argonne.REASON)
by_case = pytest.mark.parametrize("case", CASES, ids=str)
by_mode = pytest.mark.parametrize("mode", MODES)
by_tolerance = pytest.mark.parametrize("tolerance", TOLERANCES)


def options_of(case: Case, mode: str, tolerance: str) -> dict[str, Any]:
    options: dict[str, Any] = dict(TOLERANCES[tolerance])
    jacobian = case.problem.jacobian
    if mode == "rows":
        options["Dfun"] = jacobian
    if mode == "columns":
        options |= {"Dfun": lambda x: jacobian(x).T, "col_deriv": 1}
    return options


def fit_counted(case: Case, options: dict[str, Any]) -> dict[str, Any]:
    """Solve with pyminpack and check that the functions were called as often as it says."""
    func = Counted(case.problem.residual)
    counted = dict(options)
    dfun = Counted(options["Dfun"]) if "Dfun" in options else None
    if dfun:
        counted["Dfun"] = dfun
    result = pyminpack.leastsq(func, case.start, full_output=True, **counted)
    assert func.calls == result[2]["nfev"]
    assert ("njev" in result[2]) == (dfun is not None)
    if dfun:
        assert dfun.calls == result[2]["njev"]
    return packed(result)


@needs_argonne
@by_tolerance
@by_mode
@by_case
def test_same_bits_as_argonne(case: Case, mode: str, tolerance: str) -> None:
    options = options_of(case, mode, tolerance)
    with np.errstate(over="ignore", invalid="ignore"):
        theirs = argonne.argonne_leastsq(case.problem.residual, case.start, **options)
        ours = fit_counted(case, options)
    assert_same_bits(ours, theirs)


@needs_scipy
@pytest.mark.parametrize("tolerance", ["default", "tightest"])
@by_mode
@by_case
def test_same_bits_as_scipy(case: Case, mode: str, tolerance: str) -> None:
    options = options_of(case, mode, tolerance)
    with np.errstate(over="ignore", invalid="ignore"):
        theirs = scipy_leastsq(case.problem.residual, case.start, full_output=True, **options)
        ours = fit_counted(case, options)
    assert_same_bits(ours, packed(theirs))


@needs_argonne
def test_the_cases_end_in_every_way() -> None:
    """Without this the comparisons could all be of one easy path."""
    ends = set()
    with np.errstate(over="ignore", invalid="ignore"):
        for case in CASES:
            for tolerance in TOLERANCES:
                options = options_of(case, "rows", tolerance)
                fit = pyminpack.leastsq(
                    case.problem.residual, case.start, full_output=True, **options
                )
                ends.add(fit[4])
    assert ends == {1, 2, 3, 4, 5, 6, 7, 8}


@by_case
def test_rows_and_columns_give_one_fit(case: Case) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        rows = fit_counted(case, options_of(case, "rows", "default"))
        columns = fit_counted(case, options_of(case, "columns", "default"))
    assert_same_bits(rows, columns)


@by_case
def test_the_start_is_left_alone(case: Case) -> None:
    start: Array = case.start
    start.flags.writeable = False
    with np.errstate(over="ignore", invalid="ignore"):
        x, *_ = pyminpack.leastsq(
            case.problem.residual, start, Dfun=case.problem.jacobian, full_output=True, maxfev=9
        )
    np.testing.assert_array_equal(start, case.start)
    assert not np.shares_memory(x, start)
