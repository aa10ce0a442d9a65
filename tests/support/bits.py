"""Comparison of results bit for bit, and the shape in which solvers are compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import argonne
import numpy as np
import pytest
from numpy.typing import NDArray


def _find_scipy() -> tuple[Any, str]:
    try:
        import scipy
        from scipy import optimize
    except ImportError:
        return None, "none"
    return optimize.leastsq, scipy.__version__


scipy_leastsq, _scipy_version = _find_scipy()
SCIPY_HAS_OUR_BITS = _scipy_version == "1.14.1" and not argonne.FUSED
needs_scipy = pytest.mark.skipif(
    not SCIPY_HAS_OUR_BITS,
    reason=argonne.FUSED_REASON
    if argonne.FUSED
    else f"SciPy 1.14.1 is the last with Fortran MINPACK; this is {_scipy_version}",
)


def _ordinals(a: NDArray[Any]) -> NDArray[Any]:
    """Map doubles to integers in the order of the doubles, so that neighbours differ by one."""
    i = a.view(np.int64).astype(object)
    return np.where(i < 0, -(i + 2**63), i)


def _as_words(a: NDArray[Any]) -> NDArray[Any]:
    """Return the bit patterns of doubles, with every NaN the same.

    Sign and payload of a NaN depend on the operand order a compiler picks, not on the algorithm.
    """
    return np.where(np.isnan(a), np.uint64(2**64 - 1), a.copy(order="C").view(np.uint64))


def _report(name: str, at: tuple[Any, ...], ours: Any, theirs: Any, count: int, size: int) -> str:
    where = f"{name}[{', '.join(str(int(k)) for k in at)}]" if at else name
    text = f"{where}: ours {ours!r}, theirs {theirs!r}"
    if isinstance(ours, float) and np.isfinite(ours) and np.isfinite(theirs):
        pair = _ordinals(np.array([ours, theirs]))
        text += f" ({float(ours).hex()} and {float(theirs).hex()}, {pair[0] - pair[1]:+d} ulp)"
    return f"{text}; {count} of {size} elements differ"


def assert_same_bits(ours: Any, theirs: Any, name: str = "value") -> None:
    """Assert that two results are equal in type, shape and every bit.

    Mappings and NamedTuples are compared field by field, and the first differing element is named.
    """
    if isinstance(theirs, tuple) and hasattr(theirs, "_asdict"):
        ours, theirs = ours._asdict(), theirs._asdict()
    if isinstance(theirs, Mapping):
        assert ours.keys() == theirs.keys(), f"{name}: {list(ours)} against {list(theirs)}"
        for key in theirs:
            assert_same_bits(ours[key], theirs[key], str(key))
        return
    a, b = np.asarray(ours), np.asarray(theirs)
    assert a.dtype == b.dtype, f"{name}: dtype {a.dtype} against {b.dtype}"
    assert a.shape == b.shape, f"{name}: shape {a.shape} against {b.shape}"
    if a.tobytes() == b.tobytes():
        return
    different = _as_words(a) != _as_words(b) if a.dtype == np.float64 else a != b
    if different.any():
        at = tuple(np.argwhere(different)[0])
        count = int(different.sum())
        raise AssertionError(_report(name, at, a[at].item(), b[at].item(), count, a.size))


def packed(result: tuple[Any, ...]) -> dict[str, Any]:
    """Turn what `leastsq(..., full_output=True)` returns into the dict the oracle returns."""
    x, _, info, _, ier = result
    names = ("fvec", "fjac", "ipvt", "qtf", "nfev")
    fit = {"x": x, **{key: info[key] for key in names}, "njev": info.get("njev", 0), "ier": ier}
    return {key: np.asarray(value) if np.ndim(value) else int(value) for key, value in fit.items()}


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return self.function(*args, **kwargs)
