"""A report as text: aligned, complete, and silent about what nobody knows."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from decay import FULL, START, T, Y, full, info, jacobian, model, residuals

from pyminpack import leastsq, report

FIT = leastsq(residuals, START, Dfun=jacobian, full_output=True)

PARAMETERS = """\
parameter  value     standard error  relative
height     3.466  +- 0.039           1.1 %
rate       0.854  +- 0.024           2.8 %
rest       1.497  +- 0.033           2.2 %
"""

CORRELATIONS = """\
correlations above 0.1
  rate    rest  +0.8436
  height  rest  -0.6849
  height  rate  -0.3591
"""


def facts(text: str) -> dict[str, str]:
    """Return the labelled facts at the end, each on one line."""
    joined = re.sub(r"\n +", " ", text.rpartition("\n\n")[2])
    return dict(re.split(r"  +", line, maxsplit=1) for line in joined.splitlines())


def table(text: str) -> list[str]:
    return text.split("\n\n")[1].splitlines()


def given(values: Any, errors: Any, correlation: float = 0.0, **options: Any) -> str:
    """Report on parameters and errors that are just so."""
    covariance = np.outer(errors, errors) * correlation
    np.fill_diagonal(covariance, np.square(errors))
    return str(report((np.array(values), covariance), **options))


def test_all_of_it_in_aligned_text() -> None:
    text = str(report(FIT, names=model))
    head, *blocks = text.split("\n\n")
    assert head == "Fit of 3 parameters to 7 data"
    assert [f"{block}\n" for block in blocks[:2]] == [PARAMETERS, CORRELATIONS]
    found = facts(text)
    assert list(found) == [
        "standard errors",
        "chi-square",
        "degrees of freedom",
        "reduced chi-square",
        "iterations",
        "calls",
        "why it stopped",
    ]
    assert found["standard errors"] == "scaled by the root of the reduced chi-square"
    r = FIT[2]["fvec"]
    assert found["chi-square"] == f"{r @ r:.6g}"
    assert found["degrees of freedom"] == "4"
    assert found["reduced chi-square"] == f"{r @ r / 4:.6g}"
    nfev, njev = FIT[2]["nfev"], FIT[2]["njev"]
    assert found["iterations"] == f"{njev}"
    assert found["calls"] == f"{nfev} of the function, {njev} of the Jacobian"
    assert found["why it stopped"] == f"ier {FIT[4]}: {FIT[3]}"


@pytest.mark.parametrize("fit", [FIT, FULL, FIT[:1] + FIT[4:], FIT[:2]], ids=len)
def test_no_line_is_longer_than_80_columns_or_ends_in_spaces(fit: Any) -> None:
    for line in str(report(fit)).splitlines():
        assert len(line) <= 80
        assert line == line.rstrip()


def test_the_values_of_the_facts_are_under_each_other() -> None:
    lines = str(report(FIT)).rpartition("\n\n")[2].splitlines()
    assert len(lines) > 7  # the message takes more than one
    for line in lines:
        assert re.match(r"(?:\S.{17}  | {20})\S", line.ljust(21)), line


def test_a_fit_with_differences_tells_the_limit_of_its_iterations() -> None:
    found = facts(str(report(FULL)))
    nfev = FULL[2]["nfev"]
    assert found["calls"] == f"{nfev} of the function"
    limit = f"at most {nfev // 4}; with differences MINPACK does not tell"
    assert found["iterations"] == limit


# What a tuple lacks


def test_a_short_tuple_of_leastsq() -> None:
    text = str(report((FIT[0], 1)))
    assert text.startswith("Fit of 3 parameters\n\nparameter  value\np[0]       3.4664444\n")
    assert "+-" not in text
    assert "correlation" not in text
    assert facts(text) == {
        "standard errors": "not known: leastsq gives them with full_output=True",
        "why it stopped": "ier 1: The actual and the predicted relative reduction of the sum of "
        "squares are both at most ftol.",
        "not known": "chi-square, degrees of freedom, reduced chi-square, iterations, calls; "
        "full_output=True gives them",
    }


@pytest.mark.parametrize(
    ("ier", "words"),
    [
        (0, "Improper input parameters."),
        (3, "at most ftol, and the .* at most xtol."),
        (4, "at most gtol in absolute value."),
        (5, "The number of calls to func has reached maxfev."),
        (7, "xtol is too small"),
        (9, "not finite"),
    ],
)
def test_why_a_short_tuple_stopped(ier: int, words: str) -> None:
    why = facts(str(report((FIT[0], ier))))["why it stopped"]
    assert re.match(f"ier {ier}: .*{words}", f"{why}")
    assert "=" not in why


def test_an_ier_that_is_not_minpacks() -> None:
    assert facts(str(report((FIT[0], 10))))["why it stopped"] == "ier 10"


def test_a_fit_that_a_compiled_function_stopped() -> None:
    reason = facts(str(report((FIT[0], -3))))["why it stopped"]
    assert reason == "ier -3: The compiled function stopped the fit: it returned -3."


def test_a_short_tuple_of_curve_fit() -> None:
    text = given([1.0, 2.0], [0.1, 0.2], 0.5)
    assert facts(text) == {
        "standard errors": "as in pcov",
        "not known": "chi-square, degrees of freedom, reduced chi-square, iterations, calls, "
        "why it stopped; full_output=True gives them",
    }


def test_a_fit_that_did_not_converge() -> None:
    text = str(report(leastsq(residuals, START, full_output=True, maxfev=5)))
    assert "+-" not in text
    found = facts(text)
    assert found["standard errors"] == "not known: the fit did not converge"
    assert found["why it stopped"] == "ier 5: The number of calls to func has reached maxfev = 5."
    assert "not known" not in found


def test_improper_input() -> None:
    found = facts(str(report(leastsq(residuals, START, full_output=True, factor=-1.0))))
    assert found["not known"] == "chi-square, reduced chi-square"
    assert found["iterations"] == "0"


def test_no_degrees_of_freedom() -> None:
    fit = leastsq(lambda b: model(T[:3], *b) - Y[:3], START, full_output=True)
    found = facts(str(report(fit)))
    assert found["degrees of freedom"] == "0"
    assert found["reduced chi-square"] == "none without degrees of freedom"
    assert found["standard errors"] == "not known: there are as many parameters as data"


def test_counts_have_all_their_digits() -> None:
    m = 1_234_567
    fit = leastsq(lambda b: np.full(m, b[0]) - 1.0, [1.0], full_output=True)
    assert facts(str(report(fit)))["degrees of freedom"] == "1234566"


def test_a_solver_that_does_not_count_differences() -> None:
    nothing = {key: FULL[2][key] for key in ("fvec", "nfev")}
    found = facts(str(report(full(infodict=nothing))))
    assert found["calls"] == f"{FULL[2]['nfev']} of the function, besides those for differences"
    assert found["not known"] == "iterations"


def test_no_count_of_the_calls() -> None:
    found = facts(str(report(full(infodict=info(nfev=None)))))
    assert found["not known"] == "iterations, calls"


def test_the_message_of_a_fit_is_told_without_its_line_breaks() -> None:
    why = facts(str(report(full(mesg="Both are\n  small   enough."))))["why it stopped"]
    assert why == f"ier {FULL[4]}: Both are small enough."
    assert facts(str(report(full(mesg=""))))["why it stopped"] == f"ier {FULL[4]}"


# Digits


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (1288.139, 4.66, "1288.1  +- 4.7  0.36 %"),
        (3.46644, 0.0962, "3.466  +- 0.096  2.8 %"),
        (3.46644, 0.0996, "3.47  +- 0.10  2.9 %"),
        (-0.0576, 0.00396, "-0.0576  +- 0.0040  6.9 %"),
        (-2523.5, 297.2, "-2524  +- 297  12 %"),
        (12.0, 340000.0, "12  +- 340000  2.8e+06 %"),
        (5.617e-9, 6.114e-9, "5.6e-09  +- 6.1e-09  109 %"),
        (6.02214e23, 3.1e20, "6.0221e+23  +- 3.1e+20  0.051 %"),
        (1.2e-20, 3e-8, "1e-20  +- 3.0e-08  2.5e+14 %"),
        (0.0, 0.25, "0.00  +- 0.25"),
        (0.0, 2.5e-8, "0.0e+00  +- 2.5e-08"),
        (5.0, 3e-17, "5  +- 3.0e-17  6.0e-16 %"),
        (1 / 3, 3e-17, "0.333333333333333  +- 3.0e-17  9.0e-15 %"),
        (1 / 3, 0.0, "0.33333333  +- 0  0 %"),
        (-0.0, 0.0, "-0  +- 0"),
        (1.0, 1e-11, "1.000000000000  +- 0.000000000010  1.0e-09 %"),
        (999999.7, 0.52, "999999.70  +- 0.52  5.2e-05 %"),
        (1e7, 1.0, "1.00000000e+07  +- 1.0e+00  1.0e-05 %"),
        (2.0, 20.0, "2  +- 20  1000 %"),
        (2.0, 2000.0, "2  +- 2000  1.0e+05 %"),
        (1e-320, 1e-321, "1.00e-320  +- 1.0e-321  10 %"),
        (np.nan, 0.5, "nan  +- 0.5"),
        (-np.inf, 0.5, "-inf  +- 0.5  0 %"),
        (2.5, np.nan, "2.5"),
        (1e300, 1e150, "1e+300  +- 1.0e+150  1.0e-148 %"),
    ],
)
def test_two_digits_of_the_error_and_the_value_to_the_same_place(
    value: float, error: float, expected: str
) -> None:
    found = report(([value], [[4.0]]), names=["a"])
    # Not through the covariance, whose entries would under- and overflow.
    found.standard_errors[0] = error
    row = table(str(found))[1]
    assert re.sub("   +", "  ", row.removeprefix("a").strip()) == expected


@pytest.mark.parametrize("seed", range(5))
def test_what_is_written_is_right_to_the_digits_that_are_written(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(40) * 10.0 ** rng.integers(-12, 12, 40)
    errors = np.abs(values) * 10.0 ** rng.uniform(-12, 2, 40)
    for row, value, error in zip(table(given(values, errors))[1:], values, errors, strict=True):
        _, written, sign, written_error = row.split()[:4]
        assert sign == "+-"
        assert abs(float(written) - value) <= 0.051 * error
        assert float(written_error) == pytest.approx(error, rel=0.051)
        digits = re.sub(r"e.*|[-.]", "", written).lstrip("0")
        assert len(digits) <= 15


def test_decimal_points_are_under_each_other() -> None:
    rows = table(given([1288.139, 0.0497, -75.4], [4.66, 0.0066, 5.6]))[1:]
    assert rows == [
        "p[0]       1288.1     +- 4.7              0.36 %",
        "p[1]          0.0497  +- 0.0066          13 %",
        "p[2]        -75.4     +- 5.6              7.4 %",
    ]
    for column in ("value", "+-"):
        starts = {row.index(".", 10 if column == "value" else 24) for row in rows}
        assert len(starts) == 1


def test_errors_of_which_some_are_not_known() -> None:
    rows = table(str(report(([1.0, 20.5], [[0.04, 0.0], [0.0, np.inf]]))))
    assert rows[1:] == [
        "p[0]        1.00  +- 0.20            20 %",
        "p[1]       20.5   not known",
    ]


def test_long_names_widen_their_column() -> None:
    rows = table(given([1.0, 2.0], [0.1, 0.1], names=["a", "a rather long name"]))
    assert rows[0].startswith("parameter           value")
    assert rows[1].startswith("a                   1.00")
    assert rows[2].startswith("a rather long name  2.00")


# Correlations


def correlations(text: str) -> list[str]:
    return text.split("\n\n")[2].splitlines()


def test_correlations_above_the_threshold_largest_first() -> None:
    covariance = np.array([[1, 0.3, -0.5], [0.3, 1, 0.05], [-0.5, 0.05, 1]])
    fit = ([1.0, 1.0, 1.0], covariance)
    assert correlations(str(report(fit))) == [
        "correlations above 0.1",
        "  p[0]  p[2]  -0.5000",
        "  p[0]  p[1]  +0.3000",
    ]
    assert correlations(str(report(fit, threshold=0.3))) == [
        "correlations above 0.3",
        "  p[0]  p[2]  -0.5000",
    ]
    assert len(correlations(str(report(fit, threshold=0.0)))) == 4
    assert correlations(str(report(fit, threshold=0.9))) == ["no correlation above 0.9"]


def test_one_parameter_has_no_correlations() -> None:
    assert "correlation" not in given([1.0], [0.1])


@pytest.mark.parametrize(
    ("r", "expected"),
    [
        (0.994, "+0.9940"),
        (0.9994, "+0.99940"),
        (-0.99998, "-0.999980"),
        (0.9999972, "+0.9999972"),
        (1.0, "+1.0000"),
        (-1.0, "-1.0000"),
        (math.nextafter(1.0, 0.0), "+0.99999999999999989"),
    ],
)
def test_a_correlation_looks_like_1_only_where_it_is(r: float, expected: str) -> None:
    assert correlations(given([1.0, 1.0], [1.0, 1.0], r))[1] == f"  p[0]  p[1]  {expected}"


def test_many_parameters_are_all_there() -> None:
    n = 60
    found = given(np.arange(n), np.full(n, 0.5), 0.2)
    assert len(table(found)) == n + 1
    assert len(correlations(found)) == n * (n - 1) // 2 + 1
