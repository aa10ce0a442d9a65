"""NIST's 27 certified problems: every digit the fits have, and every fit that must fail.

With exact Jacobians the digits end where the sum of squares no longer tells parameters apart:
the sum is known to a relative eta = eps * max(1, |y| / |r|), since residuals r are differences of
numbers as large as y, and a move of sqrt(eta (m - n)) standard errors changes it by no more than
that. What lies below, MINPACK cannot see, for it judges a step by the sum of squares.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np
import pytest
from bits import needs_scipy, scipy_leastsq
from complex_step import complex_step
from nist_cases import (
    DATASETS,
    FAILURES,
    FLAT,
    MAXFEV,
    SLACK,
    SOLVED,
    Case,
    Dataset,
    Digits,
    cases,
    digits,
    load_record,
    log_relative_error,
    options,
    solve,
)

import pyminpack
from pyminpack import Report
from pyminpack.compare.nist_derivatives import DERIVATIVES

# It takes 488 of the 500 calls it may: rounding decides whether it arrives.
ON_THE_EDGE: Final = {"MGH09/1/default/exact"}

# Digits of parameters, standard errors and rss from start 2, tight tolerances, exact Jacobian.
FLOORS: Final = {
    "Bennett5": (9, 9, 10),
    "BoxBOD": (7, 7, 10),
    "Chwirut1": (8, 8, 10),
    "Chwirut2": (6, 7, 10),  # b1 is known to a quarter of itself
    "DanWood": (8, 8, 10),
    "ENSO": (6, 7, 10),  # b8 is smaller than half its standard error
    "Eckerle4": (8, 8, 10),
    "Gauss1": (8, 8, 10),
    "Gauss2": (7, 7, 10),
    "Gauss3": (8, 8, 10),
    "Hahn1": (6, 7, 10),  # |y| / |r| is 190, and b4 is known to a fifth of itself
    "Kirby2": (7, 7, 10),
    "Lanczos1": (10, 2, 2),  # rss 1.4e-25: the residuals themselves are rounding of y
    "Lanczos2": (8, 8, 9),
    "Lanczos3": (6, 6, 10),  # |y| / |r| is 34,000, and the columns of J are nearly dependent
    "MGH09": (6, 6, 10),  # b2 is smaller than its standard error
    "MGH10": (8, 8, 10),
    "MGH17": (6, 5, 10),  # |y| / |r| is 500, and b2 and b3 nearly cancel
    "Misra1a": (9, 9, 10),
    "Misra1b": (9, 9, 10),
    "Misra1c": (9, 9, 10),
    "Misra1d": (8, 8, 10),
    "Nelson": (6, 6, 10),  # b2 is smaller than its standard error
    "Rat42": (7, 7, 10),
    "Rat43": (7, 7, 10),
    "Roszman1": (6, 7, 10),  # b2 is known to half of itself
    "Thurber": (7, 6, 10),  # a condition of 500 takes more from the errors than from b
}

CASES: Final = tuple(cases())

each_set = pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS.keys())
each_case = pytest.mark.parametrize("case", CASES, ids=[case.key for case in CASES])


@cache
def solved(case: Case) -> Report:
    """Fit once, however many tests look at it."""
    return solve(case, DATASETS[case.name])


def measured(case: Case) -> Digits:
    """Digits of the fit of `case`."""
    return digits(solved(case), DATASETS[case.name])


def test_the_collection_is_complete() -> None:
    assert len(DATASETS) == 27
    assert FLOORS.keys() == DATASETS.keys()
    levels = [dataset.level for dataset in DATASETS.values()]
    assert {level: levels.count(level) for level in levels} == {
        "lower": 8,
        "average": 11,
        "higher": 8,
    }


@each_set
def test_certified_parameters_give_the_certified_rss(dataset: Dataset) -> None:
    if dataset.name == "Lanczos1":
        pytest.skip("11 digits of the parameters do not fix a sum of squares of 1e-25")
    residual = dataset.residual(dataset.certified)
    assert log_relative_error(residual @ residual, dataset.rss) > 9.9


@each_set
@pytest.mark.parametrize("place", ["start 1", "start 2", "certified"])
def test_jacobian_is_exact_to_rounding(dataset: Dataset, place: str) -> None:
    b = {"start 1": dataset.starts[0], "start 2": dataset.starts[1]}.get(place, dataset.certified)
    exact = complex_step(dataset.model, b)
    assert exact.shape == dataset.jacobian(b).shape == (dataset.y.size, b.size)
    # An element that is a difference of larger ones is only as good as its column.
    slack = 1e-13 * np.abs(exact).max(axis=0)
    np.testing.assert_array_less(np.abs(dataset.jacobian(b) - exact), 1e-11 * np.abs(exact) + slack)


def test_derivatives_are_those_of_the_formulas() -> None:
    assert DERIVATIVES.keys() == {dataset.formula for dataset in DATASETS.values()}


@pytest.mark.parametrize(
    "formula", ["b1*x+__import__('os').getpid()", "b1*x.size", "b1*tan(b2*x)", "b9*x"]
)
def test_a_formula_may_use_nothing_but_the_model_language(formula: str) -> None:
    dataset = replace(DATASETS["Misra1a"], formula=formula)
    with pytest.raises(ValueError, match="unknown names in the formula"):
        dataset.model(dataset.certified)


@pytest.mark.parametrize(
    ("value", "certified", "expected"),
    [
        (1.0, 1.0, 11.0),
        (1.0 + 1e-14, 1.0, 11.0),
        (1.001e-5, 1e-5, 3.0),
        (-2.02, -2.0, 2.0),
        (30.0, 1.0, 0.0),
        (1e-4, 0.0, 4.0),
        (np.nan, 1.0, 0.0),
        (np.inf, 1.0, 0.0),
    ],
)
def test_log_relative_error(value: float, certified: float, expected: float) -> None:
    assert log_relative_error(value, certified) == pytest.approx(expected)


@each_case
def test_no_digit_is_lost_against_the_record(case: Case) -> None:
    least = load_record()[case.key].least
    found = measured(case)
    lost = {
        figure: (now, before)
        for figure, now, before in zip(Digits._fields, found, least, strict=True)
        if now < before - SLACK
    }
    assert not lost, "digits now and in the record"


@each_set
def test_tight_fits_from_the_near_start_reach_the_floor(dataset: Dataset) -> None:
    found = measured(Case(dataset.name, 2, "tight", "exact"))
    floor = FLOORS[dataset.name]
    assert all(now >= least for now, least in zip(found, floor, strict=True)), (found, floor)


def test_the_fits_that_fail_are_the_listed_ones() -> None:
    failing = {case.key for case in CASES if measured(case).parameters < SOLVED}
    assert failing - ON_THE_EDGE == FAILURES.keys()


@pytest.mark.parametrize("key", FAILURES)
def test_a_failure_has_the_stated_reason(key: str) -> None:
    name, start, setting, jacobian = key.split("/")
    case = Case(name, int(start), setting, jacobian)
    dataset, result = DATASETS[name], solved(case)
    if FAILURES[key] is MAXFEV:
        assert result.ier == 5
    elif FAILURES[key] is FLAT:
        assert result.ier in {1, 2, 3}
        assert result.parameters[0] == pytest.approx(dataset.y.mean())
    else:
        assert result.ier == 2
        np.testing.assert_array_equal(result.parameters, dataset.starts[0])


@needs_scipy
@each_case
def test_original_minpack_gives_the_same(case: Case) -> None:
    dataset = DATASETS[case.name]
    arguments = (dataset.residual, dataset.starts[case.start - 1])
    extras = {"full_output": True, **options(case, dataset)}
    x, _, infodict, _, ier = pyminpack.leastsq(*arguments, **extras)
    original_x, _, original, _, original_ier = scipy_leastsq(*arguments, **extras)

    assert ier == original_ier
    assert infodict.keys() == original.keys()
    np.testing.assert_array_equal(x, original_x)
    for key in infodict:
        np.testing.assert_array_equal(infodict[key], original[key], err_msg=key)
