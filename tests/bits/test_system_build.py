"""The shim on an installed MINPACK-1 (-Dminpack=system) and on ours: the same bits."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import argonne
import numpy as np
import pytest
from bits import assert_same_bits, packed

import pyminpack
from pyminpack.compare.mgh import CASES, Case


def test_which_minpack_is_inside(system_pyminpack: ModuleType) -> None:
    assert pyminpack.show_config(mode="dict")["MINPACK"] == "vendored"
    assert system_pyminpack.show_config(mode="dict")["MINPACK"] == "system"
    assert system_pyminpack._core.__file__ != pyminpack._core.__file__


@pytest.mark.skipif(argonne.FUSED, reason=argonne.FUSED_REASON)
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dfun", [False, True])
def test_the_same_bits(system_pyminpack: ModuleType, case: Case, dfun: bool) -> None:
    options: dict[str, Any] = {"Dfun": case.problem.jacobian} if dfun else {}
    with np.errstate(all="ignore"):
        ours, theirs = (
            module.leastsq(case.problem.residual, case.start, full_output=True, **options)
            for module in (pyminpack, system_pyminpack)
        )
    assert_same_bits(packed(ours), packed(theirs))
    assert ours[3] == theirs[3]
    if theirs[1] is None:
        assert ours[1] is None
    else:
        assert_same_bits(ours[1], theirs[1])


def test_not_finite_and_exceptions(system_pyminpack: ModuleType) -> None:
    assert system_pyminpack.leastsq(lambda x: x * np.nan, [1.0, 2.0], full_output=True)[4] == 9
    assert (
        system_pyminpack.leastsq(
            lambda x: x, [1.0, 2.0], Dfun=lambda x: np.diag([1.0, np.inf]), full_output=True
        )[4]
        == 9
    )
    with pytest.raises(ZeroDivisionError):
        system_pyminpack.leastsq(lambda x: 1 / 0, [1.0, 2.0])
