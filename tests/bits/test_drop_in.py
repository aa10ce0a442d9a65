"""Programs written for MINPACK-1 link against minpack/ unchanged, and print the same bits."""

from __future__ import annotations

import subprocess
from pathlib import Path

import argonne
import pytest


def _output(program: Path) -> str:
    if not program.exists():
        pytest.skip(f"{program.name} was not built: there is no installed MINPACK-1 library")
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout


def test_a_c_program_links_and_fits(native_build: Path) -> None:
    lines = _output(native_build / "c_program_own").splitlines()
    assert [line.split()[0] for line in lines if "info" in line] == ["lmdif", "lmdif1", "lmder1"]
    for line in lines:
        if "info" in line:
            b1, b2, b3 = (float.fromhex(word) for word in line.split()[6:9])
            assert (b1, b2, b3) == pytest.approx((3.8302, 0.46483, 1.18220), rel=1e-4)


def test_a_fortran_77_program_links_and_fits(native_build: Path) -> None:
    lines = _output(native_build / "f77_program_own").splitlines()
    assert lines[0].split() == ["LMDER", "1", "10", "7", "3", "2", "1"]
    assert lines[3].split() == ["QRFAC", "3", "2", "1"]


@pytest.mark.skipif(argonne.FUSED, reason=argonne.FUSED_REASON)
@pytest.mark.parametrize("program", ["c_program", "f77_program"])
def test_they_print_what_argonnes_library_gives(native_build: Path, program: str) -> None:
    theirs = _output(native_build / f"{program}_argonne")
    assert _output(native_build / f"{program}_own") == theirs
