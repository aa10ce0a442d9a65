"""Residuals by blocks stay in the arrays that func returns, where nobody else holds these.

Whatever func does with an array afterwards, and whatever kind it is, no bit of the fit changes.
"""

from __future__ import annotations

import itertools
import sysconfig
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from argonne import Doubles
from bits import assert_same_bits
from blocked_problems import blocked, curve
from rosenbrock import START, WITH_JACOBIAN, rosenbrock, rosenbrock_jacobian

from pyminpack import leastsq

pytestmark = pytest.mark.shim

# Without chunks, with them, with many differences, with steps that are sought without the GIL, and
# with differences that are much memory.
SIZES = [(700, 7), (40_000, 10), (300, 100), (300, 130)]
LARGE = [(800_001, 5)]

Manner = Callable[[Doubles], Any]


class Subclass(np.ndarray):
    pass


class Keeper:
    """What becomes of the results of earlier calls."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    def spoil(self) -> None:
        for array in self.kept:
            array[:] = np.nan

    def hold(self, f: Doubles) -> Doubles:
        self.spoil()
        self.kept = [f]
        return f

    def hold_the_base(self, f: Doubles) -> Doubles:
        return self.hold(f)[:]

    def hold_a_memoryview(self, f: Doubles) -> Doubles:
        self.spoil()
        self.kept = [np.asarray(memoryview(f))]
        return f

    def hold_weakly(self, f: Doubles) -> Doubles:
        self.kept = [array for ref in self.kept if (array := ref()) is not None]
        self.spoil()
        self.kept = [weakref.ref(f)]
        return f

    def reuse(self, f: Doubles) -> Doubles:
        if not self.kept:
            self.kept = [f.copy()]
        self.kept[0][:] = f
        return self.kept[0]


class SpoilsItself:
    """An object that gives an array away, and changes it when it goes."""

    def __init__(self, array: Doubles) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Doubles:
        return self.array

    def __del__(self) -> None:
        self.array[:] = np.nan


def frozen(f: Doubles) -> Doubles:
    f.flags.writeable = False
    return f


MANNERS: dict[str, Callable[[], Manner]] = {
    "fresh": lambda: lambda f: f,
    "held": lambda: Keeper().hold,
    "a view of what is held": lambda: Keeper().hold_the_base,
    "held by a memoryview": lambda: Keeper().hold_a_memoryview,
    "held weakly": lambda: Keeper().hold_weakly,
    "the same each time": lambda: Keeper().reuse,
    "a view": lambda: lambda f: f[:],
    "with gaps": lambda: lambda f: np.repeat(f, 2)[::2],
    "backwards": lambda: lambda f: f[::-1].copy()[::-1],
    "read-only": lambda: frozen,
    "a subclass": lambda: lambda f: f.view(Subclass),
    "big-endian": lambda: lambda f: f.astype(">f8"),
    "objects": lambda: lambda f: f.astype(object),
    "a list": lambda: lambda f: f.tolist(),
    "a tuple": lambda: lambda f: tuple(f.tolist()),
    "a list with an odd one": lambda: lambda f: [np.array(f[0]), *f[1:].tolist()],
    "an object that spoils it": lambda: SpoilsItself,
}


def alternating(*manners: Manner) -> Manner:
    """Return in one manner after the other, call by call."""
    turn = itertools.cycle(manners)
    return lambda f: next(turn)(f)


MANNERS["fresh and held in turn"] = lambda: alternating(lambda f: f, Keeper().hold)
MANNERS["held and fresh in turn"] = lambda: alternating(Keeper().hold, lambda f: f)


@pytest.mark.parametrize("dfun", [True, False])
@pytest.mark.parametrize(("m", "n"), SIZES)
@pytest.mark.parametrize("manner", MANNERS)
def test_any_manner_to_return_residuals(manner: str, m: int, n: int, dfun: bool) -> None:
    problem = curve(m, n)
    options: dict[str, Any] = {"Dfun": problem.dfun} if dfun else {}
    plain = blocked(lambda x: problem.func(x)[:], problem.start, **options)
    way = MANNERS[manner]()
    fit = blocked(lambda x: way(problem.func(x)), problem.start, **options)
    assert_same_bits(fit, plain)
    assert fit["ier"] in (1, 2, 3, 4)
    fvec = fit["fvec"]
    assert fvec.flags.owndata
    assert fvec.flags.writeable
    way = MANNERS[manner]()
    x, ier = leastsq(lambda x: way(problem.func(x)), problem.start, qr="blocked", **options)
    assert_same_bits(x, plain["x"])
    assert ier == plain["ier"]


@pytest.mark.parametrize("dfun", [True, False])
@pytest.mark.parametrize("manner", MANNERS)
def test_points_that_are_rejected(manner: str, dfun: bool) -> None:
    """The residuals at x are there after those at any others; also where a fit ends with these."""
    assert WITH_JACOBIAN["nfev"] - WITH_JACOBIAN["njev"] > 1
    options: dict[str, Any] = {"Dfun": rosenbrock_jacobian} if dfun else {}
    for maxfev in range(2, 24):
        plain = blocked(rosenbrock, START, maxfev=maxfev, **options)
        way = MANNERS[manner]()
        fit = blocked(lambda x, way=way: way(rosenbrock(x)), START, maxfev=maxfev, **options)
        assert_same_bits(fit, plain)
        assert fit["fvec"].tolist() == rosenbrock(fit["x"]).tolist()


@pytest.mark.parametrize("manner", ["held", "fresh and held in turn", "with gaps", "backwards"])
@pytest.mark.parametrize(("m", "n"), LARGE)
def test_differences_that_no_cache_holds(manner: str, m: int, n: int) -> None:
    test_any_manner_to_return_residuals(manner, m, n, dfun=False)


def address(array: Doubles) -> int:
    return int(array.__array_interface__["data"][0])


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="without a GIL older Pythons do not tell whether somebody else holds an array",
)
@pytest.mark.parametrize("dfun", [True, False])
def test_an_array_that_nobody_else_holds_is_taken_over(dfun: bool) -> None:
    problem = curve(50_000, 4)
    returned = []

    def func(x: Doubles) -> Doubles:
        f = problem.func(x)
        returned.append(address(f))
        return f

    options: dict[str, Any] = {"Dfun": problem.dfun} if dfun else {}
    fit = blocked(func, problem.start, **options)
    assert address(fit["fvec"]) in returned


@pytest.mark.parametrize("manner", ["held", "the same each time", "a view of what is held"])
def test_an_array_that_somebody_holds_is_never_handed_out(manner: str) -> None:
    problem = curve(700, 7)
    way = MANNERS[manner]()
    returned: list[Doubles] = []

    def func(x: Doubles) -> Any:
        f = way(problem.func(x))
        returned.append(f)
        return f

    fvec = blocked(func, problem.start, Dfun=problem.dfun)["fvec"]
    assert not any(np.shares_memory(fvec, f) for f in returned)


def test_residuals_that_are_the_argument() -> None:
    def func(x: Doubles) -> Doubles:
        x -= 3.0
        return x

    x, ier = leastsq(func, np.zeros(60), qr="blocked")
    assert np.allclose(x, 3.0)
    assert ier in (1, 2, 3, 4)


def test_improper_input_leaves_zeros_and_not_what_func_returned() -> None:
    problem = curve(700, 7)
    fit = blocked(problem.func, problem.start, ftol=-1.0)
    assert (fit["ier"], fit["nfev"]) == (0, 0)
    assert fit["fvec"].tolist() == [0.0] * 700
    assert not fit["fjac"].any()


@pytest.mark.parametrize("dfun", [True, False])
@pytest.mark.parametrize("manner", ["fresh", "held", "a list"])
def test_residuals_beyond_every_norm(manner: str, dfun: bool) -> None:
    """Finite residuals whose norm is not: MINPACK goes on, as it does with its own norm."""
    way = MANNERS[manner]()
    options: dict[str, Any] = {"Dfun": lambda x: np.full((6, 1), 1e307)} if dfun else {}
    fit = blocked(lambda x: way(np.full(6, 1.5e308) * (1 + 0 * x)), [1.0], **options)
    assert fit["fvec"].tolist() == [1.5e308] * 6
