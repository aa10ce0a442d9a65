"""What func, Dfun, progress or Ctrl-C raise reaches the caller, with the fits that are done."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
from alone import environment
from bits import assert_same_bits
from many import assert_same_fits, fractions
from misbehaviour import EXCEPTIONS, Trouble

from pyminpack import ManyFits, leastsq, leastsq_many

PROBLEM = fractions(12)
USUAL = leastsq_many(PROBLEM.func, PROBLEM.x0, cov_x=True)
EXACT = leastsq_many(PROBLEM.func, PROBLEM.x0, Dfun=PROBLEM.dfun, cov_x=True)


class Raising:
    """A function that raises, or does something else, at one of its calls."""

    def __init__(self, function: Any, at: int, error: BaseException | Any) -> None:
        self.function = function
        self.at = at
        self.error = error
        self.calls = 0

    def __call__(self, *given: Any) -> Any:
        self.calls += 1
        if self.calls == self.at:
            raise self.error
        return self.function(*given)


def assert_partial(fits: Any, whole: ManyFits) -> int:
    """Assert that these are results of which some are missing; return how many are there."""
    assert isinstance(fits, ManyFits)
    done = fits.ier != 0
    for name in ("x", "ier", "nfev", "njev", "fnorm"):
        assert_same_bits(getattr(fits, name)[done], getattr(whole, name)[done], name)
    assert np.isnan(fits.x[~done]).all()
    assert np.isnan(fits.fnorm[~done]).all()
    assert not fits.nfev[~done].any()
    assert not fits.success[~done].any()
    if fits.cov_x is not None:
        assert whole.cov_x is not None
        assert_same_bits(fits.cov_x[done], whole.cov_x[done], "cov_x")
        assert np.isnan(fits.cov_x[~done]).all()
    return int(done.sum())


@pytest.mark.parametrize("make", EXCEPTIONS)
@pytest.mark.parametrize("at", [1, 2, 25])
def test_the_same_exception_reaches_the_caller(make: Any, at: int) -> None:
    trouble = make("trouble")
    func = Raising(PROBLEM.func, at, trouble)
    with pytest.raises(type(trouble)) as caught:
        leastsq_many(func, PROBLEM.x0, chunk_size=3, cov_x=True)
    assert caught.value is trouble
    assert func.calls == at
    done = assert_partial(trouble.fits, USUAL)
    assert (done > 0) == (at == 25)
    assert_same_fits(leastsq_many(PROBLEM.func, PROBLEM.x0, cov_x=True), USUAL)


@pytest.mark.parametrize("at", [1, 2, 20])
def test_an_exception_of_dfun(at: int) -> None:
    trouble = Trouble("trouble")
    dfun = Raising(PROBLEM.dfun, at, trouble)
    with pytest.raises(Trouble) as caught:
        leastsq_many(PROBLEM.func, PROBLEM.x0, Dfun=dfun, chunk_size=3)
    assert caught.value is trouble
    done = assert_partial(trouble.fits, EXACT)  # type: ignore[attr-defined]
    assert (done > 0) == (at == 20)


def test_more_and_more_is_done() -> None:
    counts = []
    for at in range(1, 1000):
        try:
            leastsq_many(Raising(PROBLEM.func, at, Trouble()), PROBLEM.x0, chunk_size=3)
        except Trouble as error:
            counts.append(assert_partial(error.fits, USUAL))  # type: ignore[attr-defined]
        else:
            break
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert len(set(counts)) > 3


def test_what_is_attached_survives_pickling_and_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match="trouble") as caught:
        leastsq_many(Raising(PROBLEM.func, 25, ValueError("trouble")), PROBLEM.x0, chunk_size=3)
    fits = pickle.loads(pickle.dumps(caught.value)).fits
    missing = np.flatnonzero(fits.ier == 0).tolist()
    assert f"not: ier 0: {len(missing)} ({missing[0]}, " in repr(fits)
    assert "an exception came first" in fits.message(missing[0])


class Closed(Exception):
    """An exception that refuses attributes."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


def test_an_exception_that_takes_no_attribute_reaches_the_caller() -> None:
    trouble = Closed("trouble")
    with pytest.raises(Closed) as caught:
        leastsq_many(Raising(PROBLEM.func, 2, trouble), PROBLEM.x0)
    assert caught.value is trouble
    assert caught.value.__context__ is None
    assert not hasattr(trouble, "fits")


def test_an_inner_exception_has_the_fits_of_the_outer_call() -> None:
    trouble = ZeroDivisionError("trouble")

    def func(X: Any, index: Any) -> Any:
        return leastsq_many(Raising(PROBLEM.func, 1, trouble), PROBLEM.x0[:2])

    with pytest.raises(ZeroDivisionError):
        leastsq_many(func, PROBLEM.x0)
    assert trouble.fits.x.shape == PROBLEM.x0.shape  # type: ignore[attr-defined]


def test_a_warning_that_is_an_error() -> None:
    def func(X: Any, index: Any) -> Any:
        return np.sqrt(X - 2.0)

    with pytest.raises(RuntimeWarning, match="invalid value") as caught:
        leastsq_many(func, np.ones((2, 1)))
    assert caught.value.fits.ier.tolist() == [0, 0]  # type: ignore[attr-defined]


def test_fits_that_fail_raise_and_warn_of_nothing() -> None:
    fits = leastsq_many(PROBLEM.func, PROBLEM.x0, maxfev=5)
    assert (fits.ier == 5).all()
    with np.errstate(all="ignore"):
        assert (leastsq_many(lambda X, i: X * np.nan, PROBLEM.x0).ier == 9).all()


# Ctrl-C

ENDLESS: dict[str, Any] = {"ftol": 0.0, "xtol": 0.0, "maxfev": 10**7}


def interrupted() -> None:
    """Begin fits of which the last three never end, and tell which are done at Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    creep = 1.0
    told = False

    def func(X: Any, index: Any) -> Any:
        nonlocal creep, told
        creep -= 1e-12
        if index[0] >= 6 and not told:
            told = True
            print("only these are left", flush=True)
        return np.where(index[:, None] < 6, X - 1.0, creep)

    def dfun(X: Any, index: Any) -> Any:
        return np.where(index[:, None] < 6, 1.0, -1.0)

    try:
        leastsq_many(func, np.ones((9, 1)), Dfun=dfun, **ENDLESS)
    except KeyboardInterrupt as error:
        print((error.fits.ier != 0).tolist())  # type: ignore[attr-defined]
        print(leastsq(lambda x: x - 1.0, [3.0])[0])


@pytest.mark.thread_unsafe(reason="signals")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_a_real_ctrl_c() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", f"import {__name__} as here; here.interrupted()"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as python:
        guard = threading.Timer(50.0, python.kill)
        guard.start()
        try:
            assert python.stdout is not None
            assert python.stdout.readline() == "only these are left\n"
            assert python.poll() is None
            python.send_signal(signal.SIGINT)
            said, errors = python.communicate()
        finally:
            guard.cancel()
            python.kill()
    assert (errors, python.returncode) == ("", 0)
    assert said.splitlines() == [str([True] * 6 + [False] * 3), "[1.]"]
