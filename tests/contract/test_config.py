"""`show_config` and the package's small print."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from linear import LINEAR_START, linear

import pyminpack
from pyminpack import _core

pytestmark = pytest.mark.shim


def test_show_config_tells_what_matters(capsys: pytest.CaptureFixture[str]) -> None:
    items = pyminpack.show_config(mode="dict")
    assert items["pyminpack"] == pyminpack.__version__
    assert items["NumPy"] == np.__version__
    assert items["MINPACK"] in ("vendored", "system")
    assert "gcc" in items["Fortran compiler"]
    assert items["blocked factorisation"] in ("baseline", "AVX2 and FMA", "AVX-512")
    for flag in ("-O3", "-ffp-contract=off"):
        assert flag in items["Fortran flags"]
    assert "fast-math" not in items["Fortran flags"] + items["C flags"]
    assert pyminpack.show_config() is None
    printed = capsys.readouterr().out
    for name, value in items.items():
        assert any(line.startswith(name) and value in line for line in printed.splitlines())


def test_show_config_refuses_another_mode() -> None:
    with pytest.raises(ValueError, match="mode must be 'stdout' or 'dict', not 'html'"):
        pyminpack.show_config(mode="html")


class Untrue:
    """Neither true nor false."""

    def __bool__(self) -> bool:
        raise ZeroDivisionError


GOOD: tuple[Any, ...] = (
    lambda x: x, None, np.ones(2), (), 0, 1e-8, 1e-8, 0.0, 100.0, 100, None, None, 1, "auto",
)  # fmt: skip


@pytest.mark.parametrize(
    ("position", "bad", "error"),
    [
        (0, None, TypeError),
        (1, 3, TypeError),
        (2, [1j, 2.0], TypeError),
        (2, ["1"], TypeError),
        (5, "x", TypeError),
        (5, np.nan, ValueError),
        (5, 10**400, OverflowError),
        (8, None, TypeError),
        (9, 1.5, TypeError),
        (10, "x", TypeError),
        (11, [1.0, 1.0, 1.0], ValueError),
        (11, np.ones(3), ValueError),
        (11, [None, 1.0], TypeError),
        (12, Untrue(), ZeroDivisionError),
        (13, None, ValueError),
        (13, 3, ValueError),
        (13, "lapack", ValueError),
    ],
)
def test_the_shim_refuses_what_leastsq_refuses(
    position: int, bad: Any, error: type[Exception]
) -> None:
    arguments = list(GOOD)
    assert _core.solve(*arguments)[7] in (1, 2, 3, 4)
    arguments[position] = bad
    with pytest.raises(error):
        _core.solve(*arguments)


def test_the_shim_counts_its_arguments() -> None:
    with pytest.raises(TypeError, match="14 arguments, not 13"):
        _core.solve(*GOOD[:-1])
    with pytest.raises(TypeError, match="2 arguments, not 1"):
        _core.covariance(np.ones((2, 2)))  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("fjac", "ipvt"),
    [
        ([[1.0]], np.array([1], np.intc)),
        (np.ones((2, 1)), np.array([1, 2], np.intc)),
        (np.ones((0, 3)), np.array([], np.intc)),
        (np.eye(2), np.array([1, 3], np.intc)),
        (np.eye(2), np.array([1, 1], np.intc)),
        (np.eye(2), np.array([0, 1], np.intc)),
        (np.eye(2), np.array([1], np.intc)),
        (np.eye(2), np.array([1, 2], np.int64)),
        (np.eye(2, dtype=np.float32), np.array([1, 2], np.intc)),
        (np.eye(4)[::2, ::2], np.array([1, 2], np.intc)),
    ],
)
def test_covariance_takes_only_factorisations(fjac: Any, ipvt: Any) -> None:
    with pytest.raises(ValueError, match="ipvt"):
        _core.covariance(fjac, ipvt)


@pytest.mark.parametrize("diagonal", [[1.0, 1e-200], [1e-200, 1.0]])
def test_one_infinite_variance_is_enough_for_no_covariance(diagonal: list[float]) -> None:
    factor, order = np.diag(diagonal), np.array([1, 2], np.int32)
    assert _core.covariance(factor, order) is None


def solve(func: Any, col_deriv: Any = False, maxfev: int = 99) -> Any:
    """Call the shim itself."""
    options = 1e-8, 1e-8, 0.0, 100.0, maxfev, None, None, False, "auto"
    return _core.solve(func, None, np.array(LINEAR_START), (), col_deriv, *options)


def test_the_shim_takes_any_maxfev() -> None:
    for maxfev in (0, -1, 2**31 - 1, 2**31, 10**30, -(10**30)):
        assert solve(linear, maxfev=maxfev)[-1] in (1, 2, 3)
    found = solve(lambda x: np.full(5, np.nan), maxfev=10**30)
    assert found[7:] == (9, 1e-8, 1e-8, 0.0, 2**31 - 1 - 4, None)


def test_a_truth_value_that_raises() -> None:
    class Untrue:
        def __bool__(self) -> bool:
            raise trouble

    trouble = ZeroDivisionError("trouble")
    with pytest.raises(ZeroDivisionError) as caught:
        solve(linear, Untrue())
    assert caught.value is trouble
