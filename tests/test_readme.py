"""README tells the truth: its example runs, its files exist, its commands are there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    namespace: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), namespace)
    np.testing.assert_allclose(namespace["b"], [3.46644, 0.853509, 1.49722], rtol=1e-5)
    assert (np.asarray(namespace["standard_errors"]) < 0.05).all()
    assert namespace["ier"] in (1, 2, 3, 4)
    np.testing.assert_allclose(namespace["popt"], namespace["b"], rtol=1e-6)
    np.testing.assert_allclose(
        np.sqrt(np.diag(np.asarray(namespace["pcov"]))), namespace["standard_errors"], rtol=1e-4
    )
    assert str(namespace["mesg"]) in capsys.readouterr().out


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "minpack/README.md"])
def test_the_files_it_names_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    named = re.findall(r"`((?:minpack|src|tests|examples|tools|docs|benchmarks)/[\w./-]*)`", text)
    linked = [
        (Path(page).parent / link).as_posix() for link in re.findall(r"\]\((\w[\w./]*)\)", text)
    ]
    assert named or linked
    for name in named + linked:
        assert (ROOT / name).exists(), name


def test_the_commands_it_shows_are_there() -> None:
    listed = subprocess.run([ROOT / "dev"], capture_output=True, text=True, check=True).stdout
    text = README + (ROOT / "CONTRIBUTING.md").read_text()
    shown = set(re.findall(r"\./dev (\w+)", text)) - {"alone"}
    assert {"demo", "test"} <= shown
    for command in shown:
        assert re.search(rf"^{command}\b", listed, re.MULTILINE), command


def test_every_fortran_module_is_in_the_folders_readme() -> None:
    text = (ROOT / "minpack" / "README.md").read_text()
    for source in (ROOT / "minpack").glob("*.f90"):
        assert f"| `{source.stem}` |" in text
        assert re.match(rf"module {source.stem}\n", source.read_text())
