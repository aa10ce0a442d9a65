"""Ctrl-C, signal handlers and exceptions that come at the worst moment."""

from __future__ import annotations

import functools
import itertools
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from alarms import alarms
from alone import interrupt_each
from bits import Counted, assert_same_bits
from rosenbrock import PLAIN, START, WITH_JACOBIAN, fit, rosenbrock, rosenbrock_jacobian
from wrappers import Sequence

from pyminpack import leastsq

# Signals reach the main thread only.
pytestmark = [pytest.mark.shim, pytest.mark.thread_unsafe(reason="signals")]

# Long enough to be interrupted, and some ten seconds if nothing does it.
FOREVER: dict[str, Any] = {"ftol": 0.0, "xtol": 0.0, "maxfev": 10**7}


def creeping() -> Callable[[Any], Any]:
    """Return a function, of C alone, whose one residual falls a little at every call."""
    return functools.partial(next, itertools.count(1.0, -1e-12))


class Creeping:
    """The same in Python."""

    def __init__(self) -> None:
        self.creep = creeping()

    def __call__(self, x: Any) -> Any:
        return self.creep(x)


class Converted(Creeping):
    """The same with Python only in the conversion of the result."""

    def __float__(self) -> float:
        return self.creep(None)


# Fits that wait to be interrupted.


def fit_python() -> None:
    leastsq(Creeping(), 1.0, Dfun=lambda x: [-1.0], **FOREVER)


def fit_c() -> None:
    leastsq(creeping(), 1.0, Dfun=np.negative, **FOREVER)


def fit_conversions() -> None:
    leastsq(
        functools.partial(next, itertools.repeat(Converted())), 1.0, Dfun=np.negative, **FOREVER
    )


def fit_within_a_fit() -> None:
    leastsq(lambda x: fit_c(), 1.0)


def fit_again_and_again() -> None:
    """Every inner fit is over in a moment, and runs no Python code; the outer one none but that."""
    inner = functools.partial(leastsq, np.negative, [1.0], full_output=False)
    leastsq(creeping(), 1.0, Dfun=lambda x: inner()[0] - 1.0, **FOREVER)


def fit_big() -> None:
    """The factors are computed without the GIL."""
    matrix = np.random.default_rng(1).normal(size=(600, 100))
    while True:
        leastsq(lambda x: matrix @ x - 1.0, np.ones(100), Dfun=lambda x: matrix, full_output=True)


ENDLESS = [
    fit_python,
    fit_c,
    fit_conversions,
    fit_within_a_fit,
    fit_again_and_again,
    fit_big,
]


def interrupted() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    for endless in ENDLESS:
        print(endless.__name__, flush=True)
        try:
            endless()
        except KeyboardInterrupt:
            assert_same_bits(fit(rosenbrock), PLAIN)
            assert_same_bits(fit(rosenbrock, Dfun=rosenbrock_jacobian), WITH_JACOBIAN)
    print("done")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_a_real_ctrl_c_ends_the_fit_and_nothing_else() -> None:
    code = f"import {__name__} as here; here.interrupted()"
    interrupt_each(code, [endless.__name__ for endless in ENDLESS])


# Signal handlers


@pytest.mark.parametrize("endless", [fit_python, fit_c, fit_conversions])
def test_a_handler_that_fits_and_at_last_raises(endless: Callable[[], None]) -> None:
    trouble = TimeoutError("trouble")
    found: list[Any] = []

    def handler(number: int, frame: Any) -> None:
        found.append(fit(rosenbrock))
        if len(found) == 5:
            raise trouble

    with alarms(handler, 0.01), pytest.raises(TimeoutError) as caught:
        endless()
    assert caught.value is trouble
    for one in found:
        assert_same_bits(one, PLAIN)


def test_a_handler_that_does_nothing_changes_nothing() -> None:
    calls: list[int] = []

    def handler(number: int, frame: Any) -> None:
        calls.append(number)

    with alarms(handler, 0.001):
        deadline = time.monotonic() + 5.0
        while len(calls) < 20 and time.monotonic() < deadline:
            assert_same_bits(fit(rosenbrock), PLAIN)
    assert len(calls) >= 20


def test_interrupts_go_to_the_main_thread_alone() -> None:
    trouble = TimeoutError("trouble")
    found: list[Any] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            found.append(fit(rosenbrock))

    def handler(number: int, frame: Any) -> None:
        # Once: another would come before the timer is stopped where the machine is busy.
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        raise trouble

    thread = threading.Thread(target=work)
    thread.start()
    try:
        with pytest.raises(TimeoutError), alarms(handler, 0.05):
            fit_python()
    finally:
        stop.set()
        thread.join()
    assert found
    for one in found:
        assert_same_bits(one, PLAIN)


# Exceptions


def test_an_iterator_that_runs_dry() -> None:
    for length in range(6):
        results = iter([rosenbrock(np.array(START)) + k for k in range(length)])
        with pytest.raises(StopIteration):
            leastsq(lambda x, results=results: next(results), START)


def test_a_generator_that_is_running_already() -> None:
    def body() -> Iterator[Any]:
        yield
        leastsq(generator.send, START)

    generator = body()
    next(generator)
    with pytest.raises(ValueError, match="generator already executing"):
        next(generator)


def test_the_traceback_leads_to_the_line_in_func() -> None:
    def func(x: Any) -> Any:
        try:
            return {}["inner"]
        except KeyError as inner:
            raise ValueError("outer") from inner

    with pytest.raises(ValueError, match="outer") as caught:
        leastsq(func, START)
    assert isinstance(caught.value.__cause__, KeyError)
    names = [entry.name for entry in caught.traceback]
    assert names[-2:] == ["leastsq", "func"]


def test_one_exception_object_many_times() -> None:
    trouble = ValueError("trouble")

    def func(x: Any) -> Any:
        raise trouble

    for _ in range(3):
        with pytest.raises(ValueError, match="trouble") as caught:
            leastsq(func, START)
        assert caught.value is trouble
        trouble.__traceback__ = None


def test_warnings_turned_into_errors_inside_func() -> None:
    def func(x: Any) -> Any:
        return np.log(x - 5.0)

    with warnings.catch_warnings(), np.errstate(all="warn"):
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="invalid value"):
            leastsq(func, START)
        with pytest.raises(RuntimeWarning, match="maxfev = 1"):
            leastsq(rosenbrock, START, maxfev=1)
        assert_same_bits(fit(rosenbrock), PLAIN)
        warnings.simplefilter("ignore")
        assert leastsq(func, START)[1] == 9


class Dying(Sequence):
    """A result that does something when it is thrown away."""

    def __init__(self, items: Any, last_words: Callable[[], Any]) -> None:
        super().__init__(items)
        self.last_words = last_words

    def __del__(self) -> None:
        self.last_words()


def test_a_fit_when_a_result_is_thrown_away() -> None:
    found: list[Any] = []

    def last_words() -> None:
        found.append(fit(rosenbrock))

    assert_same_bits(fit(lambda x: Dying(rosenbrock(x).tolist(), last_words)), PLAIN)
    assert len(found) == PLAIN["nfev"]
    for one in found:
        assert_same_bits(one, PLAIN)


@pytest.mark.parametrize("bad", [[1.0], [1j, 2.0, 3.0], [[1.0, 2.0]]])
def test_a_fit_when_a_bad_result_is_thrown_away(bad: list[Any]) -> None:
    found: list[Any] = []

    def last_words() -> None:
        found.append(fit(rosenbrock))

    def func(x: Any) -> Any:
        return Dying(bad if counted.calls == 4 else rosenbrock(x).tolist(), last_words)

    counted = Counted(func)
    with pytest.raises((TypeError, ValueError)) as caught:
        leastsq(counted, START)
    assert str(caught.value)
    assert len(found) == 4
    for one in found:
        assert_same_bits(one, PLAIN)


def test_a_result_whose_end_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda event: unraisable.append(event.exc_type))

    def last_words() -> None:
        raise KeyError

    assert_same_bits(fit(lambda x: Dying(rosenbrock(x).tolist(), last_words)), PLAIN)
    assert unraisable == [KeyError] * PLAIN["nfev"]
