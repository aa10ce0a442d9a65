"""The report of pyminpack.compare, its pictures, and the same as JSON."""

from __future__ import annotations

import json
import math
import re
import struct
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_solvers import (
    like_ours,
    ours,
    problems,
    raising,
    solver,
    warning,
    with_other_differences,
    without_numbers,
)

from pyminpack.compare.environment import environment
from pyminpack.compare.pictures import draw_all, draw_times
from pyminpack.compare.problems import WAYS
from pyminpack.compare.record import as_json
from pyminpack.compare.report import SUMMARY, SUMMARY_HEADER, report_of
from pyminpack.compare.run import Results, run
from pyminpack.compare.solvers import OURS
from pyminpack.compare.tables import as_markdown, as_text, floored, ratio

NO_ERRORS = partial(like_ours, inverse=None)
NAMES = ("Misra1a", "BoxBOD", "rosenbrock-2x2/1", "bard-3x15/1")


@pytest.fixture(scope="module")
def results() -> Results:
    """A run in which everything happens that a report tells of."""
    table = [
        ours(),
        solver(with_other_differences, "scipy-leastsq"),
        solver(NO_ERRORS, "silent"),
        solver(raising, "raising"),
        solver(warning, "warning"),
        solver(like_ours, "absent", "no_such_module"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pyminpack.compare.solvers.Solver.version", lambda _: "1.18.1")
        return run(problems(*NAMES), table, repeats=1)


@pytest.fixture(scope="module")
def report(results: Results) -> str:
    return report_of(results, [Path("somewhere/compare-digits.png")], "")


def section(report: str, heading: str) -> str:
    """Return what is under a heading, up to the next of its level."""
    level = heading.partition(" ")[0]
    (found,) = re.findall(rf"^{re.escape(heading)}\n(.*?)(?=^{level} |\Z)", report, re.M | re.S)
    return found


def table(text: str, start: str = "|") -> list[list[str]]:
    """Return the rows of the first table whose header begins like this, without the rule."""
    (found, *_) = re.findall(rf"^{re.escape(start)}[^\n]*\n(?:\|[^\n]*\n?)*", text, re.M)
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in found.splitlines()]
    assert {len(row) for row in rows} == {len(rows[0])}
    return [[cell.strip() for cell in row] for row in rows[:1] + rows[2:]]


def column(text: str, name: str, start: str = "|") -> list[str]:
    header, *rows = table(text, start)
    return [row[header.index(name)] for row in rows]


def test_versions_and_machine_are_stated(results: Results, report: str) -> None:
    head = report.partition("## Summary")[0]
    for known in ("processor", "cores", "system", "build", "versions"):
        assert results.environment[known] in head
    assert f"NumPy {np.__version__}" in head
    assert "pyminpack 1.18.1" in head
    assert "on 2 MINPACK cases and 2 data sets of NIST;" in " ".join(head.split())
    assert "- absent took no part: not installed: pip install no_such_module." in head


def test_the_summary(results: Results, report: str) -> None:
    found = section(report, "## Summary")
    first, last = SUMMARY
    inner = found.partition(first)[2].partition(last)[0]
    header, *rows = table(inner)
    assert header == SUMMARY_HEADER
    assert [row[0] for row in rows] == list(results.versions)
    by_name = {row[0]: row[1:] for row in rows}
    assert by_name[OURS][1:3] == ["6 of 8", "6 of 8"]
    assert by_name[OURS][4:] == ["1.00", "1.00", "\N{EN DASH}", "\N{EN DASH}"]
    assert by_name["raising"][1:5] == ["0 of 8", "0 of 8", "0.0", "\N{EN DASH}"]
    assert by_name["scipy-leastsq"][6] == "12 of 12"
    assert results.environment["system"] in " ".join(inner.split())
    assert results.environment["python"] in " ".join(inner.split())
    assert "![Digits of the parameters of NIST's sets, by solver](compare-digits.png)" in found


def test_agreement_in_ier_nfev_and_bits(report: str) -> None:
    found = section(report, "## Agreement with pyminpack")
    rows = {(row[0], row[1]): row[2:] for row in table(found)[1:]}
    assert rows["silent", "differences"] == ["12", "12", "12", "12", "12"]
    assert rows["scipy-leastsq", "exact Jacobian"] == ["12", "12", "12", "12", "12"]
    assert int(rows["scipy-leastsq", "differences"][3]) < 12
    assert rows["raising", "differences"] == ["12", *["\N{EN DASH}"] * 4]


def test_agreement_in_words_is_what_was_computed(results: Results, report: str) -> None:
    found = section(report, "## Agreement with pyminpack")
    everything = "agrees with pyminpack in everything, to the last bit, in all fits."
    assert f"- silent 1.18.1 {everything}" in found
    (line,) = [line for line in found.splitlines() if line.startswith("- scipy-leastsq 1.18.1 ")]
    assert "where the Jacobian is exact, and not with differences" in line
    assert re.search(r"the same bits in \d+ of 12 fits\.", line)
    assert "2^-52" in line
    assert "raising 1.18.1" not in found
    # The same numbers under the name of another do not get SciPy's reason.
    renamed = run(problems("Misra1a"), [ours(), solver(with_other_differences)], repeats=0)
    assert "2^-52" not in section(report_of(renamed, [], ""), "## Agreement with pyminpack")
    assert "and not with differences" in report_of(renamed, [], "")


def test_problems_solved(results: Results, report: str) -> None:
    found = section(report, "## Problems solved")
    assert table(found, "| MINPACK")[1][1:] == ["2 of 2"] * 4
    assert table(found, "| NIST")[1][1:] == ["3 of 4"] * 4
    listed = {row[0]: row[1:] for row in table(found, "| problem")[1:]}
    assert listed["NIST/BoxBOD/1"][0] == "0 of 4"
    assert listed["MINPACK/bard-3x15/1"] == ["4 of 4"] * 3 + ["0 of 4", "4 of 4"]
    alone = run(problems("Misra1a"), [ours()], repeats=0)
    text = report_of(alone, [], "")
    assert "Every problem is solved by all, in every way." in text
    assert "## Agreement" not in text
    assert "MINPACK cases and" not in text


def test_digits_of_each_set_and_solver(results: Results, report: str) -> None:
    found = section(report, "## Digits")
    assert "Standard errors are not offered by silent, raising." in found
    for way in WAYS:
        kind = "differences" if way.jacobian == "differences" else "exact Jacobian"
        ending = f"{way.tolerance} tolerances, {kind}"
        for figure in ("Parameters", "Standard errors", "Residual sum of squares"):
            rows = table(section(found, f"### {figure}: {ending}"))
            assert [row[0] for row in rows] == ["set", "BoxBOD", "Misra1a", "*median*"]
            silent = figure == "Standard errors"
            assert ("silent" in rows[0], "raising" in rows[0]) == (not silent, not silent)
        rows = table(section(found, f"### Parameters: {ending}"))
        for row in rows[1:-1]:
            expected = " / ".join(
                f"{floored(record.digits.parameters):.1f}"
                for record in results.of(OURS, "NIST", **way._asdict())
                if record.problem.set == row[0] and record.digits is not None
            )
            assert row[1] == expected
            assert row[4] == "error / error"
    errors = section(found, "### Standard errors: default tolerances, differences")
    # From its far start no covariance is to be had of BoxBOD.
    assert column(errors, OURS)[0].startswith("none / ")


def test_evaluations(report: str) -> None:
    found = section(report, "## Evaluations")
    rows = {(row[0], row[1]): row[2:] for row in table(found)[1:]}
    assert rows[OURS, "differences"][1:] == ["1.00 (1.00 to 1.00)", "\N{EN DASH}", "0"]
    assert rows[OURS, "exact Jacobian"][2] == "1.00 (1.00 to 1.00)"
    assert rows["raising", "differences"] == ["0", *["\N{EN DASH}"] * 3]
    calls = section(found, "### NIST: calls of f, default tolerances, differences")
    (boxbod, misra) = column(calls, OURS)
    assert re.fullmatch(r"\(\d+\) / \d+", boxbod)
    assert re.fullmatch(r"\d+ / \d+", misra)
    (name,) = re.findall(r"^### NIST: calls of f \+ .*", found, re.M)
    assert re.fullmatch(r"\d+\+\d+ / \d+\+\d+", column(section(found, name), OURS)[1])


@pytest.mark.parametrize(
    ("uncounted", "words"), [(1, "once more"), (2, "2 more times"), (0, None), (-1, None)]
)
def test_what_a_solver_leaves_out_of_its_nfev_is_said(uncounted: int, words: str | None) -> None:
    def other(module: Any, task: Any) -> Any:
        outcome = like_ours(module, task)
        return outcome._replace(nfev=outcome.nfev - uncounted)

    results = run(problems("Misra1a/2"), [ours(), solver(other)], repeats=0)
    found = section(report_of(results, [], ""), "## Evaluations")
    line = f"- fake calls f {words} than its nfev says, in every fit.\n"
    assert (line in found) == (words is not None)
    assert ("than its nfev says" in found) == (words is not None)


def test_time_ratios(report: str) -> None:
    found = section(report, "## Times")
    rows = {row[0]: row[1:] for row in table(found)[1:]}
    assert rows.keys() == {"scipy-leastsq", "silent", "raising", "warning"}
    number = r"\d+(\.\d+)?"
    for cell, fits in zip(rows["silent"], (2, 2, 3, 3), strict=True):
        assert re.fullmatch(rf"{number} \({number} to {number}\), {fits}", cell)
    assert rows["raising"] == ["\N{EN DASH}"] * 4


def test_errors_and_warnings(report: str) -> None:
    header, *rows = table(section(report, "## Errors and warnings"))
    assert header == ["solver", "what", "fits", "says", "such as"]
    assert [row[:4] for row in rows] == [
        ["raising", "error", "24", r"`ValueError: no good: a \| b`"],
        ["warning", "warning", "24", "`UserWarning: far from well`"],
    ]
    quiet = run(problems("Misra1a/2"), [ours()], repeats=0)
    text = report_of(quiet, [], "")
    assert "No solver raised or warned." in text
    assert "Nothing was timed in this run." in text


def test_promises_and_definitions_are_in_the_report(report: str) -> None:
    rows = table(section(report, "## What pyminpack promises"))
    assert [row[1] for row in rows[1:]] == ["kept", "kept", "not looked at", "kept"]
    broken = run(problems("Misra1a/2"), [solver(without_numbers, OURS)], repeats=0)
    assert "| BROKEN |" in report_of(broken, [], "")
    method = " ".join(section(report, "## How it is done").split())
    for definition in (
        "tight ones, which are 1e-15",
        "every parameter has at least 4 digits",
        "-log10(|q - c| / |c|)",
        "they may make 5000 evaluations",
        "more than 5200 calls is stopped",
        "in one process and take turns",
        "means are geometric",
    ):
        assert definition in method


def test_a_report_on_minpack_cases_alone() -> None:
    results = run(problems("rosenbrock-2x2/1"), [ours(), solver(raising)], repeats=0)
    report = report_of(results, [], "")
    assert "on 1 MINPACK case; " in " ".join(report.split())
    assert "## Digits" not in report
    assert "### NIST" not in report
    assert column(section(report, "## Summary"), "median digits") == ["\N{EN DASH}"] * 2
    # Of a solver that only fails there is nothing to say in words.
    assert "agrees with" not in report


def test_a_report_without_pictures_says_why(results: Results) -> None:
    report = report_of(results, [], "There are none, and this is why.")
    assert "There are none, and this is why.\n" in section(report, "## Summary")
    assert "![" not in report


def test_every_picture_is_in_the_report_once(results: Results, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    drawn = draw_all(results, tmp_path)
    assert [path.name for path in drawn] == [
        "compare-digits.png", "compare-solved.png", "compare-times.png"
    ]  # fmt: skip
    report = report_of(results, drawn, "")
    for path in drawn:
        assert report.count(f"]({path.name})") == 1
        picture = path.read_bytes()
        assert picture.startswith(b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", picture[16:24])
        assert 900 <= width <= 2000
        assert 250 <= height <= 1500


def test_only_what_there_are_figures_for_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    results = run(problems("rosenbrock-2x2/1"), [ours()], repeats=1)
    assert [path.name for path in draw_all(results, tmp_path)] == ["compare-solved.png"]


def test_times_over_many_powers_of_ten_are_drawn(results: Results, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    times = {key: {**each, "silent": 1e4 * each[OURS]} for key, each in results.times.items()}
    wide = Results(**{**vars(results), "times": times})
    assert draw_times(wide, tmp_path / "times.png").exists()


# JSON.

FIT = {
    "solver": str, "problem": str, "collection": str, "set": str, "start": int, "m": int, "n": int,
    "tolerance": str, "jacobian": str, "error": str, "warnings": list, "x": list, "ier": int,
    "nfev": int, "calls": int, "jacobian_calls": int, "rss": float, "digits": dict,
    "is_solved": bool, "same": dict, "seconds": float,
}  # fmt: skip
MAY_BE_NULL = {"error", "x", "ier", "nfev", "rss", "digits", "same", "seconds"}


@pytest.fixture(scope="module")
def content(results: Results) -> dict[str, Any]:
    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is not JSON")

    found: dict[str, Any] = json.loads(as_json(results), parse_constant=refuse)
    return found


def test_json_has_the_members_that_it_documents(content: dict[str, Any]) -> None:
    assert list(content) == [
        "schema", "environment", "solvers", "settings", "fits", "summary", "promises"
    ]  # fmt: skip
    for name in content:
        assert f"``{name}``" in (as_json.__doc__ or "")
    assert content["schema"] == 1
    assert content["environment"].keys() == {
        "processor", "cores", "system", "python", "versions", "build"
    }  # fmt: skip
    assert content["settings"] == {
        "tight": 1e-15, "limit": 5000, "hard_limit": 5200, "solved_digits": 4.0, "repeats": 1
    }  # fmt: skip
    assert content["solvers"][OURS] == {"version": "1.18.1", "missing": None}
    assert content["solvers"]["absent"]["version"] is None
    assert "pip install" in content["solvers"]["absent"]["missing"]


def test_json_has_every_fit(results: Results, content: dict[str, Any]) -> None:
    assert len(content["fits"]) == len(results.problems) * len(WAYS) * len(results.versions)
    for fit in content["fits"]:
        assert fit.keys() == FIT.keys()
        for name, kind in FIT.items():
            assert isinstance(fit[name], kind) or (fit[name] is None and name in MAY_BE_NULL)
        assert (fit["x"] is None) == (fit["error"] is not None)
        assert (fit["digits"] is None) == (fit["collection"] == "MINPACK" or fit["x"] is None)
        if fit["digits"]:
            assert fit["digits"].keys() == {"parameters", "errors", "rss"}
        if fit["same"]:
            assert fit["same"].keys() == {"ier", "nfev", "x", "fvec"}
        if fit["seconds"]:
            assert fit["tolerance"] == "default"
            assert fit["is_solved"]


def test_json_repeats_numbers_to_the_last_bit(results: Results, content: dict[str, Any]) -> None:
    fits = [fit for fit in content["fits"] if fit["solver"] == OURS]
    for fit, record in zip(fits, results.of(OURS), strict=True):
        assert record.outcome is not None
        np.testing.assert_array_equal(fit["x"], record.outcome.x)
        assert fit["rss"] == record.rss


def test_json_has_a_summary_and_the_promises(content: dict[str, Any]) -> None:
    summary = content["summary"]
    assert summary[OURS].keys() == {"solved", "same", "calls", "time"}
    assert summary[OURS]["solved"]["NIST"] == {"default": [6, 8], "tight": [6, 8]}
    assert summary["silent"]["same"]["exact"] == {
        "fits": 12, "ier": 12, "nfev": 12, "x": 12, "fvec": 12
    }  # fmt: skip
    assert summary["silent"]["calls"]["exact"]["mean"] == 1.0
    assert summary["raising"]["time"] == {"differences": None, "exact": None}
    assert [each["is_kept"] for each in content["promises"]] == [True, True, None, True]


def test_what_is_not_finite_is_null_in_json() -> None:
    results = run(problems("Misra1a/2"), [ours(), solver(without_numbers)], repeats=0)
    fits = json.loads(as_json(results))["fits"]
    assert [fit["x"] for fit in fits if fit["solver"] == "fake"] == [[None, None]] * 4
    assert all(math.isfinite(fit["rss"]) for fit in fits if fit["solver"] == OURS)


def test_the_machine_is_described_where_linux_does_not_describe_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.processor", lambda: "a processor")
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert environment({})["processor"] == "a processor"


# How numbers and tables are written.


@pytest.mark.parametrize(
    ("value", "text"), [(0.994, "0.99"), (9.99, "9.99"), (12.34, "12.3"), (123.4, "123")]
)
def test_ratios(value: float, text: str) -> None:
    assert ratio(value) == text


@pytest.mark.parametrize(
    ("value", "shown"), [(3.999, 3.9), (4.0, 4.0), (4.1, 4.1), (8.3, 8.3), (0.0, 0.0), (11.0, 11.0)]
)
def test_digits_are_rounded_down(value: float, shown: float) -> None:
    assert floored(value) == shown


def test_tables() -> None:
    rows = [["name", "a", "b"], ["long name", "1", "two"]]
    assert as_markdown(rows) == (
        "| name | a | b |\n|---|---:|---:|\n| long name | 1 | two |"
    )  # fmt: skip
    assert as_markdown(rows, words=(0, 2)).splitlines()[1] == "|---|---:|---|"
    assert as_text(rows) == "name       a    b\nlong name  1  two"
