"""The page about clients tells the truth: its code runs and prints what it shows."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from alone import run_alone
from tooling import ROOT

PAGE = ROOT / "docs" / "clients.md"

BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


def run_page() -> None:
    """Run the blocks one after the other, and print how many printed what the page shows."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    shown = 0
    for code, text in BLOCK.findall(PAGE.read_text()):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, PAGE.name, "exec"), namespace)
        assert printed.getvalue() == text, f"{code}\nprinted\n{printed.getvalue()}"
        shown += bool(text)
    print(shown)


def test_the_code_runs_and_prints_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("astropy", "dask.array", "lmfit", "pandas", "scipy"):
        pytest.importorskip(name, reason=f"the page uses {name}")
    # Paths on the page begin there; what it replaces in lmfit ends with the process.
    monkeypatch.chdir(ROOT)
    assert run_alone(run_page) == f"{PAGE.read_text().count('```text')}\n"


def test_the_pipeline_says_what_is_shown(tmp_path: Path) -> None:
    indented = re.findall(r"(?:^    .*\n)+", PAGE.read_text(), re.MULTILINE)
    (k,) = [k for k, text in enumerate(indented) if "examples/pipeline.py" in text]
    command = indented[k].split()
    assert command[0] == "python"
    command[-1] = str(tmp_path / command[-1])
    done = subprocess.run(
        [sys.executable, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr == re.sub("^    ", "", indented[k + 1], flags=re.MULTILINE)
    assert Path(command[-1]).exists()
