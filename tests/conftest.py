"""Fixtures that build or find the libraries the tests compare."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

# Where other processes want the processors, the threads of NumPy's BLAS spin: an SVD of 200 columns
# then takes a second. To be set before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argonne
import pytest
from tooling import ROOT, find_tool, shared_library, tool_path


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Leave addresses out of the names of tests, on which the processes of xdist must agree."""
    parametrize = metafunc.parametrize

    def without_addresses(*arguments: Any, ids: Any = None, **options: Any) -> None:
        def name(value: Any) -> Any:
            made = ids(value)
            return re.sub(r" at 0x[0-9a-f]+", "", made) if isinstance(made, str) else made

        parametrize(*arguments, ids=name if callable(ids) else ids, **options)

    metafunc.parametrize = without_addresses  # type: ignore[method-assign]


def _run(*command: str) -> None:
    """Run a build command; fail with its output."""
    environment = {**os.environ, "PATH": tool_path()}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="session")
def native_build() -> Path:
    """Build minpack/ as a shared library, and the programs of tests/native; return the folder."""
    if ready := os.environ.get("PYMINPACK_NATIVE_BUILD"):
        return Path(ready)
    meson = find_tool("meson")
    find_tool("ninja")
    find_tool("gfortran")
    filelock = pytest.importorskip("filelock", reason="filelock: ./dev test installs it")
    build = ROOT / "build" / "native"
    build.parent.mkdir(exist_ok=True)
    # The processes of pytest-xdist would build it at the same time.
    with filelock.FileLock(build.with_suffix(".lock")):
        if not (build / "build.ninja").exists():
            _run(meson, "setup", str(build), str(ROOT), "-Dnative-tests=true", "-Dwerror=true")
        _run(meson, "compile", "-C", str(build), "native-tests")
    return build / "tests" / "native"


@pytest.fixture(scope="session")
def own_library(native_build: Path) -> argonne.Library:
    """Our minpack/, with the same wrappers as Argonne's."""
    return argonne.Library(str(native_build / shared_library("minpack_own")))


@pytest.fixture(scope="session")
def compiled_library(native_build: Path) -> Path:
    """The functions of tests/native/compiled_functions.c as a shared library."""
    return native_build / shared_library("compiled_functions")


@pytest.fixture
def without_matplotlib(tmp_path: Path) -> str:
    """Make a PYTHONPATH on which importing matplotlib fails as if it were not there."""
    package = tmp_path / "stub" / "matplotlib"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'matplotlib'\", name='matplotlib')\n"
    )
    inherited = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join(filter(None, [str(package.parent), inherited]))


@pytest.fixture(scope="session")
def system_pyminpack() -> ModuleType:
    """The same package with the shim built on an installed MINPACK-1 (-Dminpack=system)."""
    if "PYMINPACK_INSTRUMENTED_SITE" in os.environ:
        pytest.skip("the build that is looked at is another")
    meson = find_tool("meson")
    find_tool("ninja")
    find_tool("gfortran")
    filelock = pytest.importorskip("filelock", reason="filelock: ./dev test installs it")
    build = ROOT / "build" / "system"
    site = build.with_name("system-site")
    build.parent.mkdir(exist_ok=True)
    with filelock.FileLock(build.with_suffix(".lock")):
        if not (build / "build.ninja").exists():
            options = ["-Dminpack=system", "-Dwerror=true", f"-Dpython.platlibdir={site}"]
            try:
                _run(meson, "setup", str(build), str(ROOT), *options)
            except AssertionError as failure:
                if "needs an installed MINPACK-1 library" in str(failure):
                    pytest.skip("MINPACK-1 is not installed to link with; ./dev test installs it")
                raise
        _run(meson, "compile", "-C", str(build))
        _run(meson, "install", "-C", str(build), "--no-rebuild", "--only-changed")
    folder = site / "pyminpack"
    spec = importlib.util.spec_from_file_location(
        "pyminpack_system", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pyminpack_system"] = module
    spec.loader.exec_module(module)
    return module
