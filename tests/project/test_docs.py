"""The pages tell the truth: their code prints what they show, their links lead somewhere."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pages import PAGES, ROOT, Block, anchors_of, blocks_of, links_of, prose_of, text_of
from tooling import find_tool

# What Sphinx makes something of; nothing that a reader would type.
DIRECTIVES = {"{toctree}", "{eval-rst}", "{fortran-modules}", "{drawing}"}
LAYOUT = {"{grid}", "{grid-item-card}"}

# What it does to lmfit ends with a process; tests/project/test_docs_clients.py runs it in one.
OF_ITS_OWN = {"docs/clients.md"}

# FCN has arguments that not every program needs.
NATIVE = {
    "c": ("cc", ".c", "-Wextra"),
    "fortran": ("gfortran", ".f90", "-Wno-unused-dummy-argument"),
}
# What a compiler must not say of the files that a page's commands compile.
FINDINGS = {"cc": ["-Wall", "-Werror"], "gfortran": ["-Wall", *NATIVE["fortran"][2:], "-Werror"]}


def pages_with(*languages: str) -> list[str]:
    """Return the pages that have blocks of these languages."""
    return [p for p in PAGES if any(block.language in languages for block in blocks_of(p))]


def file_of(block: Block) -> str | None:
    """Return the file that a block in C or Fortran is, as its first line says; else None."""
    found = re.match(r"(?:/\*|!) (\w+\.(?:c|h|f90))\b", block.code)
    return found[1] if found and block.language in NATIVE else None


def programs_of(page: str) -> list[Block]:
    """Return the blocks in C and Fortran that are whole programs."""
    return [b for b in blocks_of(page) if b.language in NATIVE and file_of(b) is None]


def run_compiler(command: str) -> None:
    """Run a command of a page if it is one of a compiler."""
    name, _, arguments = command.partition(" ")
    if name in FINDINGS:
        subprocess.run([find_tool(name), *shlex.split(arguments), *FINDINGS[name]], check=True)


def assert_shown(page: str, block: Block, printed: str) -> None:
    """Check that a program printed what the page shows, where `...` stands for anything."""
    shown = block.shown or ""
    same = doctest.OutputChecker().check_output(shown, printed, doctest.ELLIPSIS)
    assert same, f"{page}, line {block.line}: printed\n{printed}\nand the page shows\n{shown}"


def run_page(page: str) -> dict[str, object]:
    """Run the Python of a page, in order and in one namespace; compare what it prints.

    Files that it shows are written and compiled where the page does so.
    """
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks_of(page):
        if name := file_of(block):
            Path(name).write_text(block.code)
        if block.language == "sh":
            for command in block.code.splitlines():
                run_compiler(command)
        if block.language != "python":
            continue
        # So that a traceback shows the line of the page.
        program = compile("\n" * (block.line - 1) + block.code, str(ROOT / page), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(program, namespace)
        if block.shown is not None:
            assert_shown(page, block, printed.getvalue())
    return namespace


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let pages write files where they do no harm, and draw without a screen."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("page", [p for p in pages_with("python") if p not in OF_ITS_OWN])
def test_the_python_runs_and_prints_what_is_shown(page: str) -> None:
    for module in ("matplotlib", "numba"):
        if f"import {module}" in text_of(page):
            pytest.importorskip(module)
    run_page(page)


def test_the_readmes_examples_find_what_they_should(elsewhere: Path) -> None:
    pytest.importorskip("matplotlib")
    found = run_page("README.md")
    np.testing.assert_allclose(found["b"], [3.46644, 0.853509, 1.49722], rtol=1e-5)
    standard_errors = np.asarray(found["standard_errors"])
    assert (standard_errors < 0.05).all()
    assert found["ier"] in (1, 2, 3, 4)
    np.testing.assert_allclose(found["popt"], found["b"], rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(found["pcov"])), standard_errors, rtol=1e-4)
    # Fonts and lines look a little different with every matplotlib; the size does not.
    drawn, shown = (
        (folder / "fit.png").read_bytes()[:24] for folder in (elsewhere, ROOT / "docs" / "images")
    )
    assert drawn == shown


@pytest.mark.parametrize("page", [page for page in PAGES if programs_of(page)])
def test_the_programs_in_c_and_fortran_run_and_print_what_is_shown(
    page: str, native_build: Path, tmp_path: Path
) -> None:
    for number, block in enumerate(programs_of(page)):
        compiler, suffix, option = NATIVE[block.language]
        program = tmp_path / f"program{number}"
        source = program.with_suffix(suffix)
        source.write_text(block.code)
        subprocess.run(
            [
                *(find_tool(compiler), "-Wall", option, "-Werror", str(source), "-o", str(program)),
                *(f"-L{native_build}", "-lminpack_own", f"-Wl,-rpath,{native_build}", "-lm"),
            ],
            check=True,
        )
        done = subprocess.run([program], capture_output=True, text=True, check=True, timeout=30)
        assert_shown(page, block, done.stdout)


def test_the_step_in_the_drawing_is_what_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(ROOT / "docs" / "drawings")
    lm_step = importlib.import_module("lm_step")
    x, j, f = lm_step.START, lm_step.jacobian(lm_step.START), lm_step.f
    d = np.linalg.norm(j, axis=0)
    bound = lm_step.FACTOR * np.linalg.norm(d * x)
    gauss_newton, p = np.linalg.solve(j, -f(x)), lm_step.first_step()

    # The Gauss-Newton step is outside of the ellipse and leads uphill; the one taken does neither.
    assert np.linalg.norm(d * gauss_newton) > 2 * bound
    assert np.linalg.norm(f(x + gauss_newton)) > np.linalg.norm(f(x))
    assert np.linalg.norm(f(x + p)) < np.linalg.norm(f(x))
    assert abs(np.linalg.norm(d * p) / bound - 1) <= 0.1
    # It is on the curve: one number lambda fulfils both equations of the page.
    parameters = -(j.T @ (f(x) + j @ p)) / (d**2 * p)
    np.testing.assert_allclose(parameters[0], parameters[1], rtol=1e-10)
    assert parameters[0] > 0


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_kind_that_is_checked(page: str) -> None:
    for block in blocks_of(page):
        kind = block.language.partition(" ")[0]
        known = {"python", "sh", *NATIVE, *DIRECTIVES, *LAYOUT}
        assert kind in known, f"{page}, line {block.line}: {block.language!r}"


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_it_shows_are_there(page: str) -> None:
    listed = subprocess.run([ROOT / "dev"], capture_output=True, text=True, check=True).stdout
    commands = set(re.findall(r"^(\w+)\s", listed, re.MULTILINE)) - {"usage"}
    assert {"demo", "test", "docs"} <= commands
    # "`./dev` alone lists them" is prose.
    assert set(re.findall(r"\./dev (\w+)", text_of(page))) - {"alone"} <= commands
    for block in blocks_of(page):
        if block.language == "sh":
            for line in block.code.splitlines():
                checked = re.match(rf"\./dev \w+|({'|'.join(FINDINGS)}) ", line)
                assert checked, f"{page}: nobody checks {line!r}"


@pytest.mark.parametrize("page", PAGES)
def test_the_files_it_names_exist(page: str) -> None:
    folders = "minpack|src|tests|examples|tools|docs|benchmarks"
    for name in re.findall(rf"`((?:{folders})/[\w./-]*)`", prose_of(page)):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_somewhere(page: str) -> None:
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page}: {link}"
        if anchor:
            assert anchor in anchors_of(target.resolve().relative_to(ROOT).as_posix()), link


def test_the_pages_have_links() -> None:
    assert sum(len(links_of(page)) for page in PAGES) > 40


# As minpack/README.md has it: the names of the modules in a folder, of which each file holds one.
MODULE_OF = {
    "minpack1": "{}",
    "linalg": "{}",
    "lm": "lm_{}_mod",
    "qr": "qr_{}",
    "kernels": "kernels_{}",
}


def test_every_fortran_module_is_in_the_folders_readme() -> None:
    sources = sorted((ROOT / "minpack").rglob("*.[fF]90"))
    assert {source.parent.name for source in sources} == MODULE_OF.keys()
    for source in sources:
        folder = source.parent
        text = (folder / "README.md").read_text(encoding="utf-8")
        assert re.search(rf"\[`{source.stem}(\.\w+)?`\]\({source.name}\)", text), source
        module = MODULE_OF[folder.name].format(source.stem)
        assert re.findall(r"^module (\w+)$", source.read_text(), re.MULTILINE) == [module]
        assert source.read_text().startswith(f"module {module}\n")


def test_every_c_file_is_in_the_folders_readme() -> None:
    sources = sorted(path for name in ("minpack", "src") for path in (ROOT / name).rglob("*.c"))
    assert len(sources) > 30
    for source in sources:
        text = (source.parent / "README.md").read_text(encoding="utf-8")
        assert re.search(rf"`{source.stem}(\.c)?`", text), source


def folders() -> dict[Path, list[Path]]:
    """Return the files of the repository by their folders."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("no repository of git")
    found: dict[Path, list[Path]] = {}
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.exists():
            found.setdefault(path.parent, []).append(path)
    return found


# Pages and what belongs to them; what a tool reads by itself.
WITHOUT_README = {"docs", "docs/images", "docs/drawings", ".github/workflows"}


def test_every_folder_of_many_files_has_a_readme() -> None:
    for folder, files in folders().items():
        name = folder.relative_to(ROOT).as_posix()
        if len(files) > 5 and name not in WITHOUT_README:
            assert folder / "README.md" in files, name
            assert f"{name}/README.md".removeprefix("./") in PAGES
