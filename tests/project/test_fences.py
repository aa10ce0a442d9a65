"""What holds of the sources themselves: the house rules, their prototypes, and no known fault."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tooling import ROOT, find_tool, tool_path

FORTRAN = sorted((ROOT / "minpack").rglob("*.f90"))
C = sorted((ROOT / "src").rglob("*.[ch]"))

COMPILER = os.environ.get("CC", "cc")


def run(
    *command: str | Path, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a tool; stdout has both its streams."""
    return subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PATH": tool_path(), **environment},
    )


def replace_once(path: Path, old: str, new: str) -> None:
    """Edit a file; `old` must be there once."""
    text = path.read_text()
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new))


# The house rules that neither a compiler nor `./dev lint` knows.


FORBIDDEN = re.compile(
    r"\b(save|stop|allocatable|allocate|print|matmul|ieee_arithmetic)\b|\b(read|write|open)\s*\("
)


@pytest.mark.parametrize("path", FORTRAN, ids=lambda path: path.name)
def test_fortran_obeys_the_house_rules(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        code = line.lower().split("!")[0]
        assert not FORBIDDEN.search(code), f"{path.name}:{number}: {line}"


@pytest.mark.parametrize("path", FORTRAN, ids=lambda path: path.name)
def test_fortran_initialises_no_local_variable(path: Path) -> None:
    # An initialiser makes the variable static, and fits in two threads would share it.
    for line in path.read_text().splitlines():
        kind, _, variables = line.split("!")[0].partition("::")
        if "=" in variables and not kind.startswith("use"):
            assert "parameter" in kind, f"{path.name}: {line}"


@pytest.mark.parametrize("path", C, ids=lambda path: path.name)
def test_c_keeps_no_object_in_a_static(path: Path) -> None:
    # Interpreters and threads would share it.
    assert not re.findall(
        r"(?m)^\s*static\s+(?!const\b)Py\w*Object\s*\*\s*\w+\s*[=;\[]", path.read_text()
    )


@pytest.mark.parametrize("path", C, ids=lambda path: path.name)
def test_no_macro_of_c_jumps(path: Path) -> None:
    for macro in re.findall(r"(?m)^[ \t]*#[ \t]*define\b(?:.*\\\n)*.*$", path.read_text()):
        assert not re.search(r"\b(goto|return|break|continue)\b", macro), macro


# The border between Fortran and C: what one declares is what the other defines.


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Return a copy of what meson builds the package from, to be spoilt."""
    for name in ("minpack", "src"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("meson.build", "meson.options"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def need_gcc() -> None:
    """Skip the test where the compilers are others."""
    find_tool(COMPILER)
    find_tool("gfortran")
    if "Free Software Foundation" not in run(COMPILER, "--version").stdout:
        pytest.skip(f"{COMPILER} is not GCC")


def test_the_linker_agrees_with_the_prototypes(sources: Path) -> None:
    """
    Link C and Fortran with both their declarations at hand (-flto).

    GCC compares the number of arguments, by value or by reference, the type that each reference is
    to and its size (int, unsigned, long, float, double), and what a function returns. It does not
    see whether a subroutine is declared to return something, `const`, the order of arguments of one
    type, or what is in a struct that a reference is to; the next tests see what gfortran can print.
    """
    need_gcc()
    meson = find_tool("meson")
    find_tool("ninja")
    # The callers agree with minpack.h, or would not compile: only the linker is to notice.
    spoilt = ["-Dc_args=-Wno-incompatible-pointer-types", "-Dwerror=true", "-Db_lto=true"]
    strict = "-Dc_link_args=-Wlto-type-mismatch -Werror=lto-type-mismatch"
    done = run(meson, "setup", "lto", ".", *spoilt, strict, cwd=sources)
    assert done.returncode == 0, done.stdout
    done = run(meson, "compile", "-C", "lto", cwd=sources)
    assert done.returncode == 0, done.stdout
    assert "lto-type-mismatch" not in done.stdout

    header = sources / "src" / "core" / "minpack.h"
    for right, wrong, name in (
        ("const double *f, double step,", "const double *f, float step,", "lm_quotient"),
        ("double lm_norm(", "float lm_norm(", "lm_norm"),
        (
            "const double *tol,\n            double *wa)",
            "const double *tol,\n            float *wa)",
            "covar_",
        ),
    ):
        replace_once(header, right, wrong)
        done = run(meson, "compile", "-C", "lto", cwd=sources)
        assert done.returncode != 0, wrong
        assert re.search(rf"type of .{name}. does not match original declaration", done.stdout), (
            wrong
        )
        replace_once(header, wrong, right)


def printed_by_gfortran(modules: Path, path: str) -> str:
    """Return what gfortran makes of a source's interface in C."""
    options = ("-std=f2018", "-fc-prototypes", "-fsyntax-only", f"-I{modules}", str(ROOT / path))
    with tempfile.TemporaryDirectory() as folder:  # where it writes its own module
        done = run("gfortran", *options, cwd=Path(folder))
    assert done.returncode == 0, done.stdout
    return re.sub(r"/\*.*?\*/", "", done.stdout)


def components(struct: str) -> list[tuple[str, str]]:
    """Return the kind and the name of each, in order."""
    found = []
    for declaration in struct.split(";"):
        if words := declaration.split(maxsplit=1):
            for name in words[1].split(","):
                kind = "pointer" if "*" in name else words[0]
                found.append((kind, name.replace("*", "").strip()))
    return found


def test_the_struct_of_a_fit_is_the_same_in_fortran_and_c(native_build: Path) -> None:
    need_gcc()
    modules = native_build.parents[1] / "minpack" / "libminpack.a.p"
    fortran = re.search(
        r"typedef struct lm_fit \{(.*?)\} lm_fit;",
        printed_by_gfortran(modules, "minpack/lm/advance.f90"),
        re.DOTALL,
    )
    if fortran is None:
        pytest.skip("this gfortran does not print the types that a module uses")
    header = (ROOT / "src" / "core" / "minpack.h").read_text()
    c = re.search(
        r"typedef struct \{([^}]*)\} LmFit;", re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    )
    assert c is not None
    assert components(fortran[1]) == components(c[1])


def test_gfortrans_prototypes_are_those_of_c(native_build: Path, tmp_path: Path) -> None:
    """Compare `covar_` and the callbacks; gfortran cannot print what takes a procedure."""
    need_gcc()
    modules = native_build.parents[1] / "minpack" / "libminpack.a.p"
    sources = ("minpack/minpack1/callbacks.f90", "minpack/linalg/covar.f90")
    printed = "\n".join(printed_by_gfortran(modules, source) for source in sources)
    if "_callback" not in printed:
        pytest.skip("this gfortran prints no abstract interfaces")
    for word in ("residual_callback (", "jacobian_callback (", "covar_ ("):
        assert word in printed
    (tmp_path / "fortran.h").write_text(printed)
    of_fcn = re.findall(
        r"typedef void \w+_fcn\([^)]*\);", (ROOT / "src" / "core" / "argonne.c").read_text()
    )
    header = tmp_path / "c.h"
    header.write_text("\n".join([(ROOT / "src" / "core" / "minpack.h").read_text(), *of_fcn]))
    (tmp_path / "check.c").write_text(
        '#include "fortran.h"\n#include "c.h"\n'
        "residual_fcn residual_callback;\njacobian_fcn jacobian_callback;\n"
    )
    compile_it = (COMPILER, "-std=c11", "-fsyntax-only", "check.c")
    done = run(*compile_it, cwd=tmp_path)
    assert done.returncode == 0, done.stdout

    for right, wrong in (
        ("typedef void residual_fcn(const int *m", "typedef void residual_fcn(int *m"),
        ("typedef void residual_fcn(", "typedef int residual_fcn("),
        ("const int *ldfjac, int *iflag);", "const int *ldfjac);"),
        ("void covar_(", "int covar_("),
        ("const double *tol,\n            double *wa)", "double *tol,\n            double *wa)"),
    ):
        replace_once(header, right, wrong)
        assert "conflicting types" in run(*compile_it, cwd=tmp_path).stdout, wrong
        replace_once(header, wrong, right)


# What a compiler can tell of the C without running it: tools/analyze.sh, as ./dev analyze.


def analyze(tool: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one of the analyses over the C in a folder."""
    return run(ROOT / "tools" / "analyze.sh", tool, folder, PYTHON=sys.executable)


def need_analysis(tool: str) -> None:
    """Skip the test where the tool is not installed."""
    if tool == "gcc":
        need_gcc()
    elif shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed; ./dev analyze installs it")


@pytest.mark.parametrize("tool", ["gcc", "cppcheck"])
def test_analysis_finds_nothing(tool: str) -> None:
    need_analysis(tool)
    done = analyze(tool, ROOT / "src")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("tool", "right", "wrong", "finding"),
    [
        ("gcc", "    PyMem_Free(wa);", "    PyMem_Free(wa);\n    PyMem_Free(wa);", "double-free"),
        (
            "cppcheck",
            "npy_intp shape[2];\n\n    if (nargs != 2)",
            "npy_intp shape[1];\n\n    if (nargs != 2)",
            "arrayIndexOutOfBounds",
        ),
    ],
)
def test_analysis_finds_a_fault(
    sources: Path, tool: str, right: str, wrong: str, finding: str
) -> None:
    need_analysis(tool)
    folder = sources / "src"
    (spoilt,) = (path for path in folder.rglob("*.c") if right in path.read_text())
    for source in set(folder.rglob("*.c")) - {spoilt}:
        source.unlink()
    replace_once(spoilt, right, wrong)
    done = analyze(tool, folder)
    assert done.returncode != 0
    assert finding in done.stdout
