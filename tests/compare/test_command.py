"""``python -m pyminpack.compare`` as a user runs it, on a data set or two."""

from __future__ import annotations

import io
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_solvers import like_ours, solver

from pyminpack.compare import SOLVERS
from pyminpack.compare.__main__ import main
from pyminpack.compare.progress import Progress
from pyminpack.compare.solvers import OURS

FEW = ("--only", "Misra1a/2", "--only", "rosenbrock-2x2/1", "--solvers", OURS)
QUICK = (*FEW, "--no-time")


def command(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in `folder`, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pyminpack.compare", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def with_fake() -> Iterator[None]:
    """Have one other solver in the table, and no more."""
    before = list(SOLVERS)
    SOLVERS[1:] = [solver(like_ours)]
    yield
    SOLVERS[:] = before


@pytest.fixture(autouse=True)
def no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing where the pictures are not what is tested: it takes longest of all."""
    if "without_matplotlib" not in request.fixturenames:
        monkeypatch.setattr("pyminpack.compare.__main__.draw_all", lambda *_: [])


@pytest.fixture
def without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def test_it_writes_the_report_and_its_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = command(*FEW[:-2], "--repeats", "1", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "pyminpack-compare"
    written = {path.name for path in folder.iterdir()}
    assert written >= {"comparison.md", "compare-digits.png", "compare-solved.png"}
    report = (folder / "comparison.md").read_text(encoding="utf-8")
    for name in written - {"comparison.md"}:
        assert f"]({name})" in report
    assert str(tmp_path) not in report
    # A summary, and what was written.
    assert done.stdout.startswith("solver ")
    for name in written:
        assert f"pyminpack-compare{os.sep}{name}\n" in done.stdout
    for stage in ("solving", "timing"):
        assert f"{stage} 1 of 2: MINPACK/rosenbrock-2x2/1\n" in done.stderr


def test_every_installed_solver_takes_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*QUICK[:-3], "--no-time", "--json", "--output", str(tmp_path)]) == 0
    solvers = json.loads(capsys.readouterr().out)["solvers"]
    assert list(solvers) == [each.name for each in SOLVERS]
    for each in SOLVERS:
        try:
            __import__(each.module)
        except ImportError:
            assert solvers[each.name]["missing"]
        else:
            assert solvers[each.name]["version"] == each.version()


def test_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--quiet", "--output", str(tmp_path / "new" / "folder")]) == 0
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "new" / "folder" / "comparison.md").exists()


def test_json_on_the_standard_output_is_alone_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*QUICK, "--json", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert {fit["problem"] for fit in json.loads(printed.out)["fits"]} == {
        "MINPACK/rosenbrock-2x2/1", "NIST/Misra1a/2"
    }  # fmt: skip
    assert "solving 1 of 2" in printed.err
    assert (tmp_path / "comparison.md").exists()


def test_json_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results" / "all.json"
    assert main([*QUICK, "--json", str(file), "--output", str(tmp_path)]) == 0
    assert json.loads(file.read_text(encoding="utf-8"))["schema"] == 1
    assert f"\n{file}\n" in capsys.readouterr().out


@pytest.mark.usefixtures("with_fake")
def test_solvers_are_chosen_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for chosen, expected in (("fake", [OURS, "fake"]), (OURS, [OURS]), ("", [OURS])):
        arguments = ["--only", "Misra1a/2", "--no-time", "--json", "--output", str(tmp_path)]
        assert main([*arguments, "--solvers", chosen]) == 0
        assert list(json.loads(capsys.readouterr().out)["solvers"]) == expected


@pytest.mark.usefixtures("with_fake")
@pytest.mark.parametrize(("option", "repeats"), [(("--repeats", "2"), 2), (("--no-time",), 0)])
def test_repeats(
    option: tuple[str, ...], repeats: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--only", "Misra1a/2", *option, "--json", "--output", str(tmp_path)]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["settings"]["repeats"] == repeats
    timed = [fit for fit in content["fits"] if fit["seconds"] is not None]
    assert len(timed) == (4 if repeats else 0)


def test_the_list(capsys: pytest.CaptureFixture[str], with_fake: None) -> None:
    SOLVERS.append(solver(like_ours, "absent", "no_such_module"))
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Solvers:"
    assert "  absent           not installed: pip install no_such_module" in lines
    assert lines[1].startswith("  pyminpack        pyminpack 0")
    assert "  NIST/Thurber/1,2" in lines
    assert "  MINPACK/bard-3x15/1,10,100" in lines
    assert len(lines) == 1 + 3 + 1 + 28 + 27


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for option in ("--output DIR", "--quiet", "--json [FILE]", "--only NAME", "--solvers A,B",
                   "--repeats N", "--no-time", "--list"):  # fmt: skip
        assert option in text
    assert "Exit status: 0; 1 when a fit of pyminpack was not what it promises" in text
    assert "default: ./pyminpack-compare" in text.replace("- ", "-")


# What it cannot do it says in one sentence, with status 2.


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the sentence with which the command refuses these arguments."""
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("pyminpack.compare: ")
    assert line.endswith(".")
    return line.partition(": ")[2]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--solvers", "nobody"), "there is no solver 'nobody', but pyminpack, scipy-leastsq, "),
        (("--only", "Turber"), "no problem has 'turber' in its name; --list shows the names."),
        (("--repeats", "0"), "argument --repeats: '0' is not a number of repeats, 1 or more."),
        (("--repeats", "x"), "argument --repeats: 'x' is not a number of repeats, 1 or more."),
        (("--no-such-option",), "unrecognized arguments: --no-such-option."),
    ],
)
def test_arguments_that_are_wrong(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(capsys, *arguments).startswith(sentence)


def test_a_wanted_solver_that_is_not_installed(
    capsys: pytest.CaptureFixture[str], with_fake: None
) -> None:
    SOLVERS.append(solver(like_ours, "absent", "no_such_module"))
    sentence = refusal(capsys, "--solvers", "fake,absent")
    assert sentence == "absent cannot take part: not installed: pip install no_such_module."


def test_a_folder_that_cannot_be_written_into(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr("pyminpack.compare.__main__.run", lambda *_, **__: pytest.fail("it ran"))
    for option in (("--output", str(file / "folder")), ("--output", str(file))):
        assert refusal(capsys, *option).startswith(f"cannot write into {option[1]}: ")
    monkeypatch.chdir(tmp_path)
    assert refusal(capsys, "--json", str(file / "x.json")).startswith(f"cannot write into {file}: ")


def test_a_file_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "comparison.md"
    report.mkdir()
    sentence = refusal(capsys, *QUICK, "--quiet", "--output", str(tmp_path))
    assert sentence == f"cannot write {report}: Is a directory."


def test_an_interrupt(tmp_path: Path, capsys: pytest.CaptureFixture[str], with_fake: None) -> None:
    def interrupted(module: Any, task: Any) -> Any:
        raise KeyboardInterrupt

    SOLVERS[1:] = [solver(interrupted)]
    sentence = refusal(capsys, "--quiet", "--output", str(tmp_path))
    assert sentence == "interrupted before the report was written."
    assert not list(tmp_path.iterdir())


def test_a_broken_promise_is_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], with_fake: None
) -> None:
    def miscounting(module: Any, task: Any) -> Any:
        return like_ours(module, task, nfev=1)

    SOLVERS[:] = [solver(miscounting, OURS)]
    assert main([*QUICK, "--quiet", "--output", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("pyminpack.compare: broken promise: func is called nfev times")
    assert (tmp_path / "comparison.md").exists()


@pytest.mark.usefixtures("without_matplotlib")
def test_without_matplotlib_all_but_the_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*QUICK, "--quiet", "--output", str(tmp_path)]) == 0
    sentence = "There are no pictures, because matplotlib is not installed: pip install matplotlib."
    assert capsys.readouterr().err == f"pyminpack.compare: {sentence}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["comparison.md"]
    assert sentence in (tmp_path / "comparison.md").read_text(encoding="utf-8")


def test_a_broken_matplotlib_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ImportError("no numpy inside", name="numpy.inside")

    monkeypatch.setattr("pyminpack.compare.__main__.draw_all", broken)
    with pytest.raises(ImportError, match="no numpy inside"):
        main([*QUICK, "--quiet", "--output", str(tmp_path)])


def test_it_is_a_module_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["compare", "--list"])
    monkeypatch.delitem(sys.modules, "pyminpack.compare.__main__")
    with pytest.raises(SystemExit) as end:
        runpy.run_module("pyminpack.compare", run_name="__main__")
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("Solvers:")


# Progress.


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    terminal = Terminal()
    progress = Progress(terminal)
    progress("solving", 0, 2, "MINPACK/a-name-that-is-long/100")
    progress("solving", 1, 2, "short")
    progress.clear()
    first, second = "solving 1 of 2: MINPACK/a-nam", "solving 2 of 2: short"
    assert terminal.getvalue() == (
        f"\r{first}" + f"\r{second}" + " " * (29 - len(second)) + "\r" + " " * 21 + "\r"
    )
    progress.clear()
    assert terminal.getvalue().endswith("\r" + " " * 21 + "\r")


def test_progress_is_plain_lines_elsewhere() -> None:
    file = io.StringIO()
    progress = Progress(file)
    progress("solving", 0, 2, "a")
    progress("timing", 1, 2, "b")
    progress.clear()
    assert file.getvalue() == "solving 1 of 2: a\ntiming 2 of 2: b\n"


def test_quiet_progress_is_none() -> None:
    terminal = Terminal()
    progress = Progress(terminal, quiet=True)
    progress("solving", 0, 2, "a")
    progress.clear()
    assert terminal.getvalue() == ""


def test_import_pyminpack_imports_nothing_of_it() -> None:
    code = (
        "import pyminpack, sys; print(*(n for n in sys.modules if 'compare' in n or 'json' in n))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
