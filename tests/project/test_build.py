"""What the build says when something is missing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tooling import ROOT, find_tool, tool_path


def configure(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run meson's configuration in `folder`."""
    return subprocess.run(
        [find_tool("meson"), "setup", str(folder), str(ROOT), *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": tool_path(), **environment},
    )


def test_a_missing_fortran_compiler_gives_one_clear_sentence(tmp_path: Path) -> None:
    find_tool("ninja")
    done = configure(tmp_path, FC="no-such-compiler")
    assert done.returncode != 0
    (sentence,) = (line for line in done.stdout.splitlines() if "ERROR" in line)
    assert "pyminpack needs a Fortran compiler and found none; install gfortran" in sentence
    for system in ("Debian", "Ubuntu", "Fedora", "macOS", "Windows"):
        assert system in sentence


def test_link_time_optimisation_of_two_kinds_is_refused(tmp_path: Path) -> None:
    find_tool("clang")
    find_tool("gfortran")
    find_tool("ninja")
    done = configure(tmp_path, "-Db_lto=true", CC="clang")
    assert done.returncode != 0
    (sentence,) = (line for line in done.stdout.splitlines() if "ERROR" in line)
    assert "-Db_lto=true needs C and Fortran compilers of one kind" in sentence
    assert "clang and gcc" in sentence


def test_a_missing_system_minpack_gives_one_clear_sentence(tmp_path: Path) -> None:
    find_tool("gfortran")
    find_tool("ninja")
    done = configure(tmp_path, "-Dminpack=system", "-Dsystem-library=no-such-minpack")
    assert done.returncode != 0
    (sentence,) = (line for line in done.stdout.splitlines() if "ERROR" in line)
    assert "-Dminpack=system needs an installed MINPACK-1 library" in sentence
    assert "minpack-dev" in sentence
