"""What README and docs/comparison.md show of a run of `./dev compare`."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tooling import ROOT

from pyminpack.compare import SOLVERS
from pyminpack.compare.problems import all_problems
from pyminpack.compare.report import SUMMARY, SUMMARY_HEADER
from pyminpack.compare.solvers import OURS

TOOL = ROOT / "tools" / "compare_docs.py"
PAGE = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def summary(text: str) -> str:
    first, last = SUMMARY
    assert text.count(first) == text.count(last) == 1
    return text.partition(first)[2].partition(last)[0]


def rows_of(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_readme_shows_the_summary_of_the_page() -> None:
    assert summary(README) == summary(PAGE)


def test_readmes_table_has_a_row_with_a_version_for_every_solver() -> None:
    header, _, *rows = rows_of(summary(README))
    assert header == SUMMARY_HEADER
    assert [row[0] for row in rows] == [solver.name for solver in SOLVERS]
    for row in rows:
        assert re.fullmatch(r"\d+\.\d+\.\d+", row[1])
        assert row[2].endswith(" of 108")
        assert row[3].endswith(" of 108")
        assert re.fullmatch(r"\d+\.\d", row[4])
        assert all(re.fullmatch(r"\d+(\.\d+)?", cell) for cell in row[5:7])
    for row in rows[1:]:
        assert all(re.fullmatch(r"\d+ of 214", cell) for cell in row[7:9])
    assert re.search(r"Python 3\.\d+\.\d+, NumPy \d+\.\d+\.\d+", summary(README))


def test_readme_shows_one_picture_of_it() -> None:
    (picture,) = re.findall(r"!\[[^]]+\]\((docs/images/compare-[\w.-]+)\)", README)
    assert (ROOT / picture).is_file()
    assert "](docs/comparison.md)" in README
    assert "python -m pyminpack.compare" in README
    assert "./dev compare" in README


def test_the_extra_that_readme_names_brings_every_solver() -> None:
    assert 'pip install ".[compare]"' in README
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = {solver.package for solver in SOLVERS} - {OURS}
    assert set(project["optional-dependencies"]["compare"]) == packages | {"matplotlib"}


def test_the_page_is_of_a_whole_run_and_its_pictures_are_there() -> None:
    assert len(all_problems()) == 53 + 54
    assert "on 53 MINPACK cases and 27 data sets of NIST" in " ".join(PAGE.split())
    pictures = re.findall(r"\]\((images/compare-\w+\.png)\)", PAGE)
    assert len(pictures) == 3
    for picture in pictures:
        assert (ROOT / "docs" / picture).is_file()
    assert "took no part" not in PAGE
    assert "BROKEN" not in PAGE
    assert f"| {OURS} | exact Jacobian |" in PAGE
    headings = set(re.findall(r"^## (.*)$", PAGE, re.M))
    assert headings == {
        "Summary", "Agreement with pyminpack", "Problems solved", "Digits", "Evaluations", "Times",
        "Errors and warnings", "What pyminpack promises", "How it is done",
    }  # fmt: skip


# The tool that writes them.


def publish(folder: Path, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, TOOL, folder, root], capture_output=True, text=True, check=False
    )


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return a report's folder, and a repository without one."""
    folder, root = tmp_path / "report", tmp_path / "root"
    folder.mkdir()
    (root / "docs").mkdir(parents=True)
    first, last = SUMMARY
    text = f"# Title\n{first}\nnew\n{last}\n![words](compare-digits.png)\n"
    (folder / "comparison.md").write_text(text)
    (folder / "compare-digits.png").write_bytes(b"digits")
    (root / "README.md").write_text(f"before\n{first}\nold\n{last}\nafter\n")
    return folder, root


def test_publishing(folders: tuple[Path, Path]) -> None:
    folder, root = folders
    done = publish(folder, root)
    assert done.returncode == 0, done.stderr
    first, last = SUMMARY
    assert (root / "README.md").read_text() == f"before\n{first}\nnew\n{last}\nafter\n"
    page = (root / "docs" / "comparison.md").read_text()
    assert page == f"# Title\n{first}\nnew\n{last}\n![words](images/compare-digits.png)\n"
    assert (root / "docs" / "images" / "compare-digits.png").read_bytes() == b"digits"


def test_publishing_without_a_place_or_a_picture(folders: tuple[Path, Path]) -> None:
    folder, root = folders
    (folder / "compare-digits.png").unlink()
    done = publish(folder, root)
    assert (done.returncode, done.stdout) == (1, "")
    assert "has no compare-digits.png, which README shows" in done.stderr
    (folder / "compare-digits.png").write_bytes(b"digits")
    (root / "README.md").write_text("nothing of it\n")
    done = publish(folder, root)
    assert done.returncode == 1
    assert "README.md must have <!-- summary --> and" in done.stderr
