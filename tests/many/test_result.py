"""`ManyFits`: its arrays, unpacking, messages, representation and pickling."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
from many import assert_same_fits, fractions

import pyminpack
from pyminpack import ManyFits, leastsq, leastsq_many

PROBLEM = fractions(14)
PROBLEM.y[[2, 3, 5, 7, 8, 11], 0] = np.nan
FITS = leastsq_many(PROBLEM.func, PROBLEM.x0, cov_x=True, maxfev=20)


def fits_with(ier: list[int]) -> ManyFits:
    return dataclasses.replace(FITS, ier=np.array(ier, np.intc))


def test_its_arrays() -> None:
    count, n = PROBLEM.x0.shape
    kinds: dict[str, tuple[Any, tuple[int, ...]]] = {
        "x": (np.float64, (count, n)),
        "ier": (np.int32, (count,)),
        "nfev": (np.int32, (count,)),
        "njev": (np.int32, (count,)),
        "fnorm": (np.float64, (count,)),
        "cov_x": (np.float64, (count, n, n)),
    }
    for name, (dtype, shape) in kinds.items():
        array = getattr(FITS, name)
        assert (array.dtype, array.shape) == (dtype, shape), name
        assert array.flags.carray, name
        assert array.flags.owndata, name
    assert FITS.success.dtype == np.bool_
    np.testing.assert_array_equal(FITS.success, (FITS.ier > 0) & (FITS.ier < 5))
    assert FITS.options == {"ftol": 1.49012e-08, "xtol": 1.49012e-08, "gtol": 0.0, "maxfev": 20}


def test_unpacking() -> None:
    x, ier = FITS
    assert x is FITS.x
    assert ier is FITS.ier


def test_messages_are_those_of_leastsq() -> None:
    messages = FITS.messages
    assert len(messages) == 14
    for fit in range(14):
        result = leastsq(
            lambda x, fit=fit: PROBLEM.func(x[None], [fit])[0],
            PROBLEM.x0[fit],
            full_output=True,
            maxfev=20,
        )
        assert FITS.message(fit) == messages[fit] == result[3]
    assert FITS.message(-1) == messages[13]
    with pytest.raises(IndexError):
        FITS.message(14)
    for ier in range(1, 10):
        assert FITS.message(0) != "" != fits_with([ier]).message(0)
    assert fits_with([0]).messages == ["The fit was not made to its end: an exception came first."]
    assert fits_with([-7]).message(0) == ("The compiled function stopped the fit: it returned -7.")


@pytest.mark.parametrize(
    ("ier", "text"),
    [
        ([1], "<ManyFits: 1 of 1 fit converged>"),
        ([1, 2, 3, 4], "<ManyFits: 4 of 4 fits converged>"),
        ([5], "<ManyFits: 0 of 1 fit converged; not: ier 5: 1 (0)>"),
        ([1, 9, 1, 5, 9], "<ManyFits: 2 of 5 fits converged; not: ier 5: 1 (3); ier 9: 2 (1, 4)>"),
        ([-1, 0], "<ManyFits: 0 of 2 fits converged; not: ier -1: 1 (0); ier 0: 1 (1)>"),
        ([9] * 5, "<ManyFits: 0 of 5 fits converged; not: ier 9: 5 (0, 1, 2, 3, 4)>"),
        ([9] * 6, "<ManyFits: 0 of 6 fits converged; not: ier 9: 6 (0, 1, 2, 3, 4, ...)>"),
    ],
)
def test_its_representation(ier: list[int], text: str) -> None:
    assert repr(fits_with(ier)) == text


def test_pickling_and_copies() -> None:
    for fits in (FITS, leastsq_many(PROBLEM.func, PROBLEM.x0)):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert_same_fits(pickle.loads(pickle.dumps(fits, protocol)), fits)
        assert_same_fits(copy.copy(fits), fits)
        deep = copy.deepcopy(fits)
        assert_same_fits(deep, fits)
        assert not np.shares_memory(deep.x, fits.x)
        assert deep.messages == fits.messages


def test_it_cannot_be_changed_by_mistake() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        FITS.x = np.ones(3)  # type: ignore[misc]


def test_names() -> None:
    assert ManyFits.__module__ == "pyminpack"
    assert {"ManyFits", "leastsq_many"} <= set(pyminpack.__all__) & set(dir(pyminpack))
