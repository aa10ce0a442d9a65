"""`./dev bench` as a tool, at sizes so small that its times mean nothing: no test asks for them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tooling import ROOT

import pyminpack

OURS = "pyminpack"
PICTURES = {"bench-m.png", "bench-n.png", "bench-evaluations.png"}
PICTURES |= {"bench-peaks.png", "bench-exponentials.png"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the whole tool; return its folder and what it printed."""
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "benchmarks", "--quick", "--write-docs"]
    command += ["--output", str(folder), "--docs", str(folder / "docs")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_every_table_is_printed(results: tuple[Path, str]) -> None:
    _, printed = results
    for title in ("Small fits", "Large fits", "Against the number of rows", "Against the number of"
                  " columns", "Against the number of evaluations", "Import", "20 Gaussian peaks",
                  "20 exponentials, by differences", "20 exponentials, with a Jacobian",
                  "A compiled Rosenbrock", "Goals of many fits"):  # fmt: skip
        assert f"\n{title}" in printed


def test_results_hold_a_time_of_every_contestant(results: tuple[Path, str]) -> None:
    folder, _ = results
    record = json.loads((folder / "results.json").read_text())
    (run,) = record["runs"]
    assert record["suite"] == "quick"
    assert set(record["machine"]) == {"processor", "cores", "system"}
    contestants = set(run["environment"]["contestants"])
    assert {OURS, f"{OURS} qr=minpack", "numpy qr", "func alone"} <= contestants
    assert {group for problem in run["problems"] for group in problem["groups"]} == {
        "small", "big", "M", "N", "evaluations"
    }  # fmt: skip
    timed = {name for problem in run["problems"] for name in problem["times"]}
    assert timed == contestants
    for problem in run["problems"]:
        assert all(0 < t["min"] <= t["median"] for t in problem["times"].values())
    assert all(run["imports"][module]["min"] > 0 for module in ("numpy", OURS))


def test_results_hold_a_time_of_every_way_to_make_many_fits(results: tuple[Path, str]) -> None:
    folder, _ = results
    (run,) = json.loads((folder / "results.json").read_text())["runs"]
    compiled = ["leastsq, compiled", "leastsq_many, compiled", "leastsq_many, compiled, 2 workers"]
    own = {"leastsq", "leastsq_many"}
    expected = {
        "Gaussian peaks": own | set(compiled if shutil.which("cc") else []),
        "exponentials, by differences": own | {"curve_fit", "curve_fit_many"},
        "exponentials, with a Jacobian": own | {"curve_fit", "curve_fit_many"},
    }
    assert set(run["many"]) == set(expected)
    for name, load in run["many"].items():
        assert [record["count"] for record in load["sizes"]] == [1, 20]
        for record in load["sizes"]:
            ways = {way for way in record["times"] if not way.endswith("of SciPy")}
            assert ways == expected[name]
            for way, times in record["times"].items():
                assert 0 < times["min"] <= times["median"]
                loops = {"leastsq", "curve_fit", "leastsq, compiled"}
                is_loop = way in loops or way.endswith("of SciPy")
                assert times["fits"] == (min(record["count"], 10) if is_loop else record["count"])
        assert all(each["compared"] == 10 for each in load["agreement"].values())
    names = [record["name"] for record in run["compiled"]]
    assert names == ["Rosenbrock, by differences", "Rosenbrock, with a Jacobian"]


def test_pictures_and_the_page_are_written(results: tuple[Path, str]) -> None:
    folder, _ = results
    page = (folder / "docs" / "performance.md").read_text()
    for images in (folder, folder / "docs" / "images"):
        assert {path.name for path in images.glob("*.png")} == PICTURES
        for path in images.glob("*.png"):
            assert path.read_bytes().startswith(b"\x89PNG")
    for name in PICTURES:
        assert f"](images/{name})" in page
    for heading in (
        "How it is measured", "Where pyminpack does not win", "Compiled functions and many fits"
    ):  # fmt: skip
        assert f"\n## {heading}\n" in page
    assert page.count("`./dev bench --quick --write-docs` measured it") == 2
    instructions = pyminpack.show_config("dict")["blocked factorisation"]
    assert f"; instruction set of the blocked factorisation: {instructions}.\n" in page
    assert str(ROOT) not in page
    assert str(folder) not in page


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Any:
    # The package tells NumPy's library to use one thread, which is to end with the test.
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import measure

    return measure


def wrong(name: str, by: float) -> Any:
    """Return a contestant like ours, whose answer has `name` off by that."""
    from benchmarks.contestants import Contestant, ours

    def prepare(problem: Any, reference: Any) -> Any:
        run = ours()[0].prepare(problem, reference)
        answer = run.answer()
        value = getattr(answer, name)
        changed = replace(answer, **{name: None if value is None else value + by})
        return replace(run, answer=lambda: changed)

    return Contestant("wrong", "", prepare)


@pytest.mark.parametrize(
    ("name", "by"), [("x", 1e-3), ("x", np.nan), ("nfev", 1), ("njev", 1), ("covariance", 1.0)]
)
def test_results_that_differ_are_caught_and_nothing_is_timed(
    name: str,
    by: float,
    measure: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    from benchmarks.contestants import ours

    monkeypatch.setattr(measure, "contestants", lambda *_: [*ours(), wrong(name, by)])
    monkeypatch.setattr(measure, "time_in_turn", lambda *_: pytest.fail("something was timed"))
    output = tmp_path / "run.json"
    assert measure.main([str(output), "--suite", "quick"]) == 1
    assert not output.exists()
    assert f"wrong: {'cov_x' if name == 'covariance' else name} " in capsys.readouterr().err


def test_contestants_that_agree_are_timed(
    measure: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from benchmarks.contestants import ours

    monkeypatch.setattr(measure, "contestants", lambda *_: [*ours(), wrong("x", 0.0)])
    monkeypatch.setattr(measure, "time_imports", lambda _: {})
    output = tmp_path / "run.json"
    assert measure.main([str(output), "--suite", "quick", "--only", "identity"]) == 0
    problems = json.loads(output.read_text())["problems"]
    assert [problem["name"] for problem in problems] == [
        "identity of length 5", "identity, full_output"
    ]  # fmt: skip
    assert all("wrong" in problem["times"] for problem in problems)


def test_what_is_not_installed_is_named_and_left_out(measure: Any) -> None:
    from benchmarks.contestants import installed

    def load() -> Any:
        raise ImportError("no such module")

    said: list[str] = []
    assert installed("thing", said.append, load) == []
    assert said == ["thing does not take part: no such module"]
