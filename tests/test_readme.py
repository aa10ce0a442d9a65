"""README tells the truth: its example runs, its files exist, its commands are there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run_examples(count: int) -> dict[str, object]:
    """Run the first examples, each of which may use what those before it defined."""
    assert count <= len(EXAMPLES)
    namespace: dict[str, object] = {}
    for code in EXAMPLES[:count]:
        exec(compile(code, "README.md", "exec"), namespace)
    return namespace


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    namespace = run_examples(1)
    np.testing.assert_allclose(namespace["b"], [3.46644, 0.853509, 1.49722], rtol=1e-5)
    assert (np.asarray(namespace["standard_errors"]) < 0.05).all()
    assert namespace["ier"] in (1, 2, 3, 4)
    np.testing.assert_allclose(namespace["popt"], namespace["b"], rtol=1e-6)
    np.testing.assert_allclose(
        np.sqrt(np.diag(np.asarray(namespace["pcov"]))), namespace["standard_errors"], rtol=1e-4
    )
    assert str(namespace["mesg"]) in capsys.readouterr().out


def test_the_report_is_what_is_printed_and_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    run_examples(len(EXAMPLES))
    (printed,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    assert capsys.readouterr().out.endswith(printed)
    # Fonts and lines look a little different with every matplotlib; the size does not.
    headers = [
        (folder / "fit.png").read_bytes()[:24] for folder in (tmp_path, ROOT / "docs" / "images")
    ]
    assert headers[0] == headers[1]


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
