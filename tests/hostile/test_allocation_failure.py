"""A fit that gets no memory raises MemoryError, whichever request is refused, and all is well."""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from alone import run_script
from bits import assert_same_bits, packed

from pyminpack import leastsq

pytestmark = [pytest.mark.shim, pytest.mark.process]

run_rounds = functools.partial(run_script, "allocation_rounds.py")
POINTER = np.dtype(np.intp).itemsize
DOUBLE = np.dtype(np.float64).itemsize


@pytest.mark.parametrize("place", ["leastsq", "shim"])
def test_each_allocation_of_python_and_the_shim_may_fail(place: str) -> None:
    hooks = pytest.importorskip("_testcapi", reason="_testcapi, of CPython's tests, is missing")
    if not hasattr(hooks, "set_nomemory"):
        pytest.skip("this _testcapi refuses no memory")
    run_rounds("python", place)


@pytest.mark.parametrize("allocator", ["python", "numpy"])
def test_each_allocation_about_a_compiled_function_may_fail(
    allocator: str, extension: Path, compiled_library: Path
) -> None:
    if allocator == "python":
        pytest.importorskip("_testcapi", reason="_testcapi, of CPython's tests, is missing")
    run_rounds(allocator, "compiled", extension.parent, compiled_library)


@pytest.mark.parametrize("place", ["many", "arrays"])
@pytest.mark.parametrize("allocator", ["python", "numpy"])
def test_each_allocation_in_many_fits_or_about_arrays_may_fail(
    allocator: str, place: str, extension: Path
) -> None:
    if allocator == "python":
        pytest.importorskip("_testcapi", reason="_testcapi, of CPython's tests, is missing")
    run_rounds(allocator, place, extension.parent)


@pytest.fixture(scope="module")
def extension(native_build: Path) -> Path:
    path = native_build / f"failing_allocator{importlib.machinery.EXTENSION_SUFFIXES[0]}"
    if not path.exists():
        pytest.skip(f"{native_build} is of another Python; ./dev clean removes it")
    return path


@pytest.mark.parametrize("place", ["leastsq", "shim"])
def test_each_allocation_of_an_arrays_data_may_fail(place: str, extension: Path) -> None:
    run_rounds("numpy", place, extension.parent)


@pytest.fixture(scope="module")
def failing_allocator(extension: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("failing_allocator", extension)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Sizes in bytes that nothing else in a fit of 301 variables with 1201 arguments has.
VARIABLES, ARGUMENTS = 301, 1201
WORKSPACES = {
    "arguments of a call": (ARGUMENTS + 2) * POINTER,
    "a vector for cov_x": VARIABLES * DOUBLE,
}


@pytest.mark.parametrize("name", WORKSPACES)
def test_each_workspace_of_the_shim_may_fail(name: str, failing_allocator: Any) -> None:
    def fit() -> dict[str, Any]:
        start, args = np.zeros(VARIABLES), (1.0,) * ARGUMENTS
        return packed(leastsq(lambda x, *args: x - 1.0, start, args, full_output=True))

    usual = fit()
    failing_allocator.refuse_size(WORKSPACES[name])
    try:
        with pytest.raises(MemoryError):
            fit()
    finally:
        refused = failing_allocator.restore_size()
    assert refused == 1
    assert_same_bits(fit(), usual)
