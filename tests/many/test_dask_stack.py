"""The stack in dask: the bits of one call, whatever the chunks, in threads and processes."""

from __future__ import annotations

import functools
import importlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from nist_cases import EXAMPLES
from tooling import find_tool, shared_library

assert str(EXAMPLES) in sys.path

import pixel_map  # noqa: E402

pytestmark = pytest.mark.process

SIZE = 40
# Those of the times first: cut, they are put together again.
CHUNKS = [(16, 40, 40), (16, 13, 40), (5, 8, 16), (1, 40, 7)]


@pytest.fixture(scope="module")
def dask_stack() -> ModuleType:
    pytest.importorskip("dask.array", reason="dask is not there for this Python")
    return importlib.import_module("dask_stack")


@pytest.fixture(scope="module")
def stack() -> np.ndarray:
    return pixel_map.make_phantom(SIZE).stack


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Compile the function of the example; return the path of the library."""
    path = tmp_path_factory.mktemp("library") / shared_library("decay")
    source = str(EXAMPLES / "decay.c")
    options = ["-O2", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-shared", "-fPIC"]
    subprocess.run([find_tool("cc"), *options, source, "-o", str(path), "-lm"], check=True)
    return str(path)


def computed(module: ModuleType, stack: Any, chunks: Any, fit: Any, **options: Any) -> np.ndarray:
    array = importlib.import_module("dask.array").from_array(stack, chunks=chunks)
    planes: np.ndarray = module.fit_stack(array, fit).compute(**options)
    return planes


def one_call(stack: np.ndarray) -> np.ndarray:
    return np.stack(pixel_map.fit_maps(stack))


def test_what_one_call_finds_is_worth_comparing(stack: np.ndarray) -> None:
    decay_time, error, ier = one_call(stack)
    assert (np.isfinite(decay_time) & np.isfinite(error)).sum() > SIZE**2 / 2
    assert (ier == 0).any()
    assert np.unique(decay_time).size > SIZE**2 / 2


@pytest.mark.parametrize("chunks", CHUNKS)
def test_any_chunks_give_the_bits_of_one_call(
    dask_stack: ModuleType, stack: np.ndarray, chunks: tuple[int, ...]
) -> None:
    planes = computed(dask_stack, stack, chunks, dask_stack.fit_block, scheduler="threads")
    assert_same_bits(planes, one_call(stack))


def test_pixels_one_by_one(dask_stack: ModuleType, stack: np.ndarray) -> None:
    part = np.ascontiguousarray(stack[:, 18:22, 18:22])
    planes = computed(dask_stack, part, (16, 1, 1), dask_stack.fit_block, scheduler="sync")
    assert_same_bits(planes, one_call(stack)[:, 18:22, 18:22])


def test_processes_give_the_bits_of_one_call(dask_stack: ModuleType, stack: np.ndarray) -> None:
    options = {"scheduler": "processes", "num_workers": 2}
    planes = computed(dask_stack, stack, (16, 20, 20), dask_stack.fit_block, **options)
    assert_same_bits(planes, one_call(stack))


def test_each_process_finds_the_compiled_function(
    dask_stack: ModuleType, stack: np.ndarray, library: str
) -> None:
    fit: Callable[..., Any] = functools.partial(dask_stack.fit_block_compiled, library=library)
    whole = fit(stack)
    options = {"scheduler": "processes", "num_workers": 2}
    assert_same_bits(computed(dask_stack, stack, (16, 20, 20), fit, **options), whole)
    assert_same_bits(computed(dask_stack, stack, (3, 40, 9), fit, scheduler="threads"), whole)
    # Those of NumPy but for rounding, and for the differences that stand for derivatives.
    same = one_call(stack)
    assert_same_bits(np.isfinite(whole), np.isfinite(same))
    np.testing.assert_allclose(whole[:2], same[:2], rtol=1e-4)


def test_the_script(library: str, tmp_path: Path) -> None:
    pytest.importorskip("dask.array", reason="dask is not there for this Python")
    script = str(EXAMPLES / "dask_stack.py")
    command = [sys.executable, "-W", "error", script, "--size", "32", "--workers", "2"]
    said = []
    for more in ([], ["--library", library]):
        done = subprocess.run(
            [*command, *more], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert re.match(r"\d+ of \d+ fits converged\n", said[0])
    ours, compiled = (np.array(re.findall(r"\d+\.\d\d", text), dtype=float) for text in said)
    assert len(ours) == 6
    np.testing.assert_allclose(compiled, ours, atol=0.011)
