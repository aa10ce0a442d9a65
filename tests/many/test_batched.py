"""The factorisation of several matrices at a time: the bits of qrfac for each, or a refusal."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from argonne import Library
from bits import assert_same_bits

from pyminpack import _core

WIDTHS = {"baseline": 2, "avx2": 4}


@pytest.fixture(params=WIDTHS)
def factor(request: pytest.FixtureRequest, native_build: Path) -> Callable[..., Any]:
    """Return the function that factors (width, m, n) and (width, m) in one of the variants."""
    name = request.param
    if name != "baseline" and _core.INSTRUCTION_SET < 1:
        pytest.skip("this processor has no AVX2")
    (path,) = [p for p in native_build.glob("*minpack_own*") if p.suffix in (".so", ".dylib")]
    library = ctypes.CDLL(str(path))
    isa, width = list(WIDTHS).index(name), WIDTHS[name]
    assert library.batched_width(isa) == width

    def run(matrices: Any, rhs: Any) -> Any:
        _, m, n = matrices.shape
        a = matrices[:width].transpose(2, 1, 0).copy(order="C")
        b = rhs[:width].T.copy(order="C")
        ipvt = np.empty((n, width), np.intc)
        norms, work = np.empty((2, n, width)), np.empty((n, width))
        arrays = (a, b, ipvt, norms, work)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
        if not library.batched_qr(isa, m, n, *pointers):
            return None
        return a.transpose(2, 1, 0), b.T, ipvt.T, norms[0].T, norms[1].T

    return run


def reflected(u: Any, rhs: Any) -> Any:
    """Apply the reflections that qrfac left, each sum from its first term to its last."""
    b = rhs.tolist()
    for j in range(u.shape[1]):
        total = 0.0
        for i in range(j, len(b)):
            total += u[i, j].item() * b[i]
        total /= u[j, j].item()
        for i in range(j, len(b)):
            b[i] -= total * u[i, j].item()
    return b


SHAPES = [(1, 1), (2, 1), (3, 3), (4, 2), (7, 5), (8, 4), (25, 5), (9, 9), (60, 3), (40, 17)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e12])
def test_the_bits_of_qrfac(
    shape: tuple[int, int], scale: float, factor: Callable[..., Any], own_library: Library
) -> None:
    rng = np.random.default_rng([*shape, int(np.log10(scale)) + 20])
    matrices = scale * rng.normal(size=(4, *shape))
    if shape[0] > shape[1] + 1:  # zeros among others; elsewhere the rank would be lost
        matrices[:, 0] *= rng.integers(0, 2, (4, shape[1]))
    matrices[1, :, 0] *= 1e3
    rhs = rng.normal(size=(4, shape[0]))
    found = factor(matrices, rhs)
    assert found is not None
    for index, (a, b, ipvt, rdiag, acnorm) in enumerate(zip(*found, strict=True)):
        expected = own_library.qrfac(matrices[index], pivot=True)
        assert_same_bits(a, expected[0])
        assert_same_bits(ipvt, expected[1])
        assert_same_bits(rdiag, expected[2])
        assert_same_bits(acnorm, expected[3])
        assert_same_bits(b, np.array(reflected(expected[0], rhs[index])))


@pytest.mark.parametrize("value", [0.0, 1e-30, 1e25, np.nan, np.inf])
@pytest.mark.parametrize("index", [0, 1])
def test_what_is_unusual_is_refused(value: float, index: int, factor: Callable[..., Any]) -> None:
    rng = np.random.default_rng(7)
    matrices, rhs = rng.normal(size=(4, 6, 3)), rng.normal(size=(4, 6))
    assert factor(matrices, rhs) is not None
    matrices[index, :, 1] = value
    assert factor(matrices, rhs) is None


def test_columns_that_depend_on_one_another_are_refused(factor: Callable[..., Any]) -> None:
    rng = np.random.default_rng(8)
    matrices, rhs = rng.normal(size=(4, 6, 3)), rng.normal(size=(4, 6))
    matrices[1, :, 2] = 2.0 * matrices[1, :, 0]
    assert factor(matrices, rhs) is None
