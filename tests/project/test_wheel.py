"""What the installed package is made of: one small module that needs nobody."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pyminpack
from pyminpack import _core

elf = pytest.importorskip("elftools.elf.elffile", reason="pyelftools reads the module")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the module is no ELF file here")

LIBC = {
    *("libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"),
    *("libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"),
}


@pytest.fixture
def module() -> object:
    with Path(_core.__file__).open("rb") as stream:
        yield elf.ELFFile(stream)


def test_it_needs_only_libc_and_libm(module: object) -> None:
    needed = {tag.needed for tag in module.get_section_by_name(".dynamic").iter_tags("DT_NEEDED")}
    assert needed <= LIBC


def test_it_has_no_executable_stack(module: object) -> None:
    (stack,) = (s for s in module.iter_segments() if s["p_type"] == "PT_GNU_STACK")
    assert stack["p_flags"] & 1 == 0


def test_it_exports_one_symbol(module: object) -> None:
    symbols = module.get_section_by_name(".dynsym").iter_symbols()
    exported = [
        symbol.name
        for symbol in symbols
        if symbol["st_shndx"] != "SHN_UNDEF" and symbol["st_info"]["bind"] != "STB_LOCAL"
    ]
    assert exported == ["PyInit__core"]


def test_it_has_no_symbol_of_the_fortran_run_time(module: object) -> None:
    for section in (".dynsym", ".symtab"):
        table = module.get_section_by_name(section)
        names = [symbol.name for symbol in table.iter_symbols()] if table else []
        assert not [name for name in names if name.startswith("_gfortran")]


def test_only_numpy_is_required() -> None:
    requirements = importlib.metadata.requires("pyminpack") or []
    assert [r.split(">")[0] for r in requirements if "extra" not in r] == ["numpy"]


def test_only_numpy_is_imported() -> None:
    code = (
        "import numpy, sys; before = set(sys.modules); import pyminpack;"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Newer NumPy does without that part of Python itself.
    assert set(done.stdout.split()) - {"__future__"} == {"pyminpack"}


def test_the_version_is_that_of_the_metadata() -> None:
    assert pyminpack.__version__ == importlib.metadata.version("pyminpack")


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel of the installed files."""
    distribution = importlib.metadata.distribution("pyminpack")
    (tag,) = re.findall("^Tag: (.*)$", distribution.read_text("WHEEL") or "", re.MULTILINE)
    wheel = tmp_path / f"pyminpack-{distribution.version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in distribution.files or ():
            if file.name == "RECORD":
                # Python's own cache is no part of a wheel.
                lines = file.read_text().splitlines(keepends=True)
                kept = "".join(line for line in lines if "__pycache__" not in line)
                archive.writestr(str(file), kept)
            elif "__pycache__" not in str(file) and Path(file.locate()).is_file():
                archive.write(file.locate(), str(file))
    return wheel


def test_a_wheel_of_the_installed_files_is_at_most_600_kb(wheel: Path) -> None:
    assert wheel.stat().st_size <= 600_000


def test_auditwheel_finds_it_fit_for_the_manylinux_images(wheel: Path) -> None:
    pytest.importorskip("auditwheel", reason="auditwheel judges wheels; ./dev test installs it")
    command = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = " ".join(done.stdout.split())
    found = re.search(r'following platform tag: "manylinux_2_(\d+)_(\w+)"', said)
    assert found, said
    assert int(found[1]) <= 28
    assert found[2] == platform.machine()


def test_typed() -> None:
    folder = Path(pyminpack.__file__).parent
    assert (folder / "py.typed").exists()
    assert (folder / "_core.pyi").exists()
