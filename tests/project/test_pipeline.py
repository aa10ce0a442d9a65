"""The pipeline of the examples as a user runs it: one group that fails is no harm to the others."""

from __future__ import annotations

import csv
import importlib.util
import math
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from tooling import ROOT

EXAMPLES = ROOT / "examples"
PLATE = EXAMPLES / "data" / "plate.csv"

PARAMETERS = ("a", "k", "c")
BLANK, DRY, CUT_SHORT, EMPTY = "D11", "F5", "G9", "H12"
IN_TROUBLE = [BLANK, DRY, CUT_SHORT, EMPTY]
CONCENTRATED = "B7"


def run(script: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def pipeline(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run(EXAMPLES / "pipeline.py", *arguments)


def rows(text: str) -> dict[str, dict[str, str]]:
    return {row["group"]: row for row in csv.DictReader(text.splitlines())}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict[str, str]], str]:
    """Return what the pipeline writes for the plate, and what it says."""
    output = tmp_path_factory.mktemp("pipeline") / "decays.csv"
    process = pipeline("--output", output)
    assert process.returncode == 0, process.stderr
    assert process.stdout == ""
    return rows(output.read_text()), process.stderr


@pytest.fixture(scope="module")
def plate() -> ModuleType:
    """Return the module that makes the plate."""
    path = EXAMPLES / "data" / "make_plate.py"
    spec = importlib.util.spec_from_file_location("make_plate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def readings(well: str) -> np.ndarray:
    """Return the times and signals, shape (2, m), that the file has of a well."""
    with PLATE.open() as file:
        lines = [line for line in csv.DictReader(file) if line["well"] == well]
    pairs = [(line["minutes"], line["signal"]) for line in lines]
    return np.array([pair for pair in pairs if pair[1] not in ("", "OVER")], dtype=float).T


def test_the_data_are_what_their_program_makes() -> None:
    made = run(EXAMPLES / "data" / "make_plate.py")
    assert made.returncode == 0, made.stderr
    assert made.stdout == PLATE.read_text()


def test_the_decays_are_found_within_their_errors(done: tuple, plate: ModuleType) -> None:
    found, _ = done
    assert len(found) == 96
    far = []
    for well in found.keys() - IN_TROUBLE - {CONCENTRATED}:
        row, truth = found[well], plate.truth(well)
        assert row["ier"] in "1234"
        for name in PARAMETERS:
            error = float(row[f"{name}_error"])
            assert 0 < error < 0.2
            far.append((float(row[name]) - getattr(truth, name)) / error)
        # 12 readings and 3 parameters leave 9 degrees of freedom: chi-square is below 30.
        assert float(row["rss"]) < 30 * plate.NOISE**2
    # Student's t of few degrees of freedom, 273 of them.
    assert 0.8 < np.std(far) < 1.3
    assert np.abs(far).max() < 5


def test_missing_readings_are_left_out(done: tuple, plate: ModuleType) -> None:
    found, _ = done
    assert int(found["A1"]["points"]) == 12
    assert int(found["C3"]["points"]) == 10
    assert int(found[CONCENTRATED]["points"]) == 11
    assert float(found[CONCENTRATED]["a"]) == pytest.approx(2 * plate.truth("B7").a, rel=0.02)
    assert float(found[CONCENTRATED]["k"]) == pytest.approx(plate.truth("B7").k, rel=0.02)


def test_what_fails_is_reported_with_its_reason_and_is_not_fatal(done: tuple) -> None:
    found, said = done
    first, *lines = said.splitlines()
    assert first == "92 of 96 groups were fitted"
    assert [line.split(",")[0].strip() for line in lines] == IN_TROUBLE
    assert "the errors cannot be estimated" in lines[0]
    assert "maxfev = 800" in lines[1]
    assert "parameters=3 must not exceed the number of data points=2" in lines[2]
    assert "ydata must not be empty" in lines[3]

    assert found[BLANK]["ier"] in "1234"
    assert float(found[BLANK]["c"]) == pytest.approx(0.05)
    assert found[BLANK]["a_error"] == "inf"
    # Where it stopped is written, but no errors, which are those at a minimum.
    assert found[DRY]["ier"] == "5"
    assert found[DRY]["nfev"] == "800"
    assert float(found[DRY]["rss"]) < 0.01
    assert found[DRY]["a_error"] == ""
    for well in (CUT_SHORT, EMPTY):
        assert found[well]["ier"] == "-1"
        assert {found[well][name] for name in (*PARAMETERS, "a_error", "rss")} == {""}
    assert [row["message"] == "" for row in found.values()] == [False] * 96


@pytest.mark.parametrize("well", ["A1", "C3", CONCENTRATED, "H11"])
def test_the_numbers_are_scipys(done: tuple, well: str) -> None:
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is the oracle here")
    found, _ = done
    t, y = readings(well)

    def decay(t: np.ndarray, a: float, k: float, c: float) -> np.ndarray:
        return a * np.exp(-k * t) + c

    p, covariance = optimize.curve_fit(decay, t, y, (1.0, 0.05, 0.1))
    ours = [float(found[well][name]) for name in PARAMETERS]
    errors = [float(found[well][f"{name}_error"]) for name in PARAMETERS]
    np.testing.assert_allclose(ours, p, rtol=1e-6)
    np.testing.assert_allclose(errors, np.sqrt(np.diag(covariance)), rtol=1e-4)


def test_another_file_with_other_columns(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    lines = [f"{t},x,{3 * math.exp(-0.5 * t) + 1}" for t in range(8)]
    # The last one is cut off.
    data.write_text("\n".join(["time,name,v", *lines, "1,y"]), encoding="utf-8-sig")

    process = pipeline(data, "--group", "name", "--x", "time", "--y", "v")
    assert process.returncode == 0, process.stderr
    found = rows(process.stdout)
    assert list(found) == ["x", "y"]
    assert [float(found["x"][name]) for name in PARAMETERS] == pytest.approx([3.0, 0.5, 1.0])
    assert found["y"]["points"] == "0"
    assert "1 of 2 groups" in process.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--x", "time"], "no column 'time' in the file, which has well, minutes, signal"),
        (["nowhere.csv"], "nowhere.csv"),
    ],
)
def test_what_cannot_be_read_is_said(arguments: list[str], complaint: str) -> None:
    process = pipeline(*arguments)
    assert process.returncode == 2
    assert complaint in process.stderr
    assert "Traceback" not in process.stderr
