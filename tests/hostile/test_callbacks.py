"""Functions that fight back: references dropped, fits within fits, forks, switches and traces."""

from __future__ import annotations

import ctypes
import functools
import gc
import itertools
import multiprocessing
import operator
import os
import pickle
import sys
import threading
import types
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from alone import run_alone
from bits import Counted, assert_same_bits, packed
from rosenbrock import PLAIN, START, WITH_JACOBIAN, fit, rosenbrock, rosenbrock_jacobian

from pyminpack import leastsq

pytestmark = pytest.mark.shim

# What kind of callable


class ListOfResiduals(list[float]):
    def __init__(self, x: Any) -> None:
        super().__init__(rosenbrock(x).tolist())


class ArrayOfResiduals(np.ndarray):
    def __new__(cls, x: Any) -> Any:
        return rosenbrock(x).view(cls)


class Model:
    def residuals(self, x: Any) -> Any:
        return rosenbrock(x)

    @staticmethod
    def static(x: Any) -> Any:
        return rosenbrock(x)

    @classmethod
    def of_class(cls, x: Any) -> Any:
        return rosenbrock(x)

    def __call__(self, x: Any) -> Any:
        return rosenbrock(x)


def answers() -> Iterator[Any]:
    """Take x and give the residuals, one after the other."""
    x = yield
    while True:
        x = yield rosenbrock(x)


def started() -> Callable[[Any], Any]:
    generator = answers()
    next(generator)
    return generator.send


@pytest.mark.thread_unsafe(reason="a generator runs in one thread at a time")
@pytest.mark.parametrize(
    "func",
    [
        ListOfResiduals,
        ArrayOfResiduals,
        Model().residuals,
        Model.static,
        Model.__dict__["static"],
        Model.of_class,
        Model(),
        functools.partial(rosenbrock),
        functools.partial(Model.residuals, Model()),
        types.MethodType(lambda self, x: rosenbrock(x), 0),
        started(),
        weakref.proxy(rosenbrock),
    ],
    ids=str,
)
def test_any_callable_will_do(func: Any) -> None:
    assert_same_bits(fit(func), PLAIN)


@pytest.mark.parametrize(
    "func",
    [np.negative, list, tuple, np.asarray, memoryview, np.ndarray.copy, operator.pos, abs],
    ids=str,
)
def test_callables_without_any_python_code(func: Any) -> None:
    assert_same_bits(fit(func), fit(lambda x: np.asarray(func(x)).copy()))


@pytest.mark.parametrize("func", [len, id, type, iter, str, bytes, print, globals, slice], ids=str)
def test_callables_that_are_no_residuals(func: Any, capsys: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        leastsq(func, START)


@pytest.mark.parametrize("of_func", [True, False])
def test_a_wrong_number_of_parameters(of_func: bool) -> None:
    options = {"func": lambda: None} if of_func else {"func": rosenbrock, "Dfun": lambda: None}
    with pytest.raises(TypeError, match="takes 0 positional arguments but 1 was given"):
        leastsq(x0=START, **options)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, AttributeError, ZeroDivisionError])
def test_a_dfun_whose_name_raises(kind: type[BaseException]) -> None:
    class Nameless:
        @property
        def __name__(self) -> str:
            raise kind("trouble")

        def __call__(self, x: Any) -> Any:
            return [[1.0]]

    expected = TypeError if kind is AttributeError else kind
    with pytest.raises(expected, match=r"trouble|argument\. Shape should be"):
        leastsq(rosenbrock, START, Dfun=Nameless())


# Last references


class Suicidal:
    """Takes itself and what it knows out of the world at each call."""

    def __init__(self, owner: dict[str, Any]) -> None:
        self.owner = owner
        self.helper = rosenbrock

    def __call__(self, x: Any, *args: Any) -> Any:
        self.owner.clear()
        helper = self.helper
        self.__dict__.clear()
        gc.collect(0)
        self.owner, self.helper = {}, helper
        return helper(x)


@pytest.mark.parametrize("raises", [False, True])
def test_func_and_args_live_through_the_fit_and_no_longer(raises: bool) -> None:
    owner: dict[str, Any] = {"func": Suicidal({}), "args": (Model(),)}
    owner["func"].owner = owner
    watched = [weakref.ref(owner["func"]), weakref.ref(owner["args"][0])]
    alive: list[bool] = []

    def dfun(x: Any, model: Any) -> Any:
        alive.append(all(reference() is not None for reference in watched))
        if raises:
            raise ZeroDivisionError
        return rosenbrock_jacobian(x)

    def run() -> Any:
        return packed(leastsq(owner["func"], START, owner["args"], dfun, full_output=True))

    if raises:
        with pytest.raises(ZeroDivisionError):
            run()
    else:
        assert_same_bits(run(), WITH_JACOBIAN)
    assert alive
    assert all(alive)
    gc.collect()
    assert [reference() for reference in watched] == [None, None]


def test_a_method_whose_object_is_only_in_args() -> None:
    gone: list[Any] = []

    def func(x: Any, holder: list[Any]) -> Any:
        if holder:
            gone.append(weakref.ref(holder.pop()))
        gc.collect(0)
        return rosenbrock(x)

    assert_same_bits(fit(func, args=([Model()],)), PLAIN)
    assert [reference() for reference in gone] == [None]


def test_args_whose_contents_change() -> None:
    def func(x: Any, table: dict[str, Any], data: Any, items: list[Any]) -> Any:
        table.clear()
        table.update({str(k): k for k in range(len(items))})
        data.resize(data.size + 1, refcheck=False)
        items.append(items)
        return rosenbrock(x)

    assert_same_bits(fit(func, args=({}, np.zeros(1), [])), PLAIN)


def changing(x: Any) -> Any:
    changing.__code__ = changed.__code__
    return rosenbrock(x)


def changed(x: Any) -> Any:
    return rosenbrock(x)


def test_a_function_whose_code_changes_while_it_runs() -> None:
    before = changing.__code__
    try:
        assert_same_bits(fit(changing), PLAIN)
        assert changing.__code__ is changed.__code__
    finally:
        changing.__code__ = before


def test_x_in_a_cycle_of_garbage() -> None:
    class Node:
        def __init__(self, x: Any) -> None:
            self.x, self.values, self.me = x, x.tolist(), self

        def __del__(self) -> None:
            ends.append(self.x.tolist() == self.values)

    ends: list[bool] = []

    def func(x: Any) -> Any:
        Node(x)
        if len(ends) % 3 == 0:
            gc.collect()
        return rosenbrock(x)

    assert_same_bits(fit(func), PLAIN)
    gc.collect()
    assert len(ends) == PLAIN["nfev"]
    assert all(ends)


def test_a_weak_reference_to_x_never_sees_another_x() -> None:
    seen: list[tuple[Any, list[float]]] = []

    def func(x: Any) -> Any:
        for reference, values in seen:
            old = reference()
            assert old is None or old.tolist() == values
        seen.append((weakref.ref(x), x.tolist()))
        return rosenbrock(x)

    assert_same_bits(fit(func), PLAIN)
    assert len(seen) == PLAIN["nfev"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_x_given_other_strides_and_memory() -> None:
    def restride(x: Any) -> None:
        x.strides = (0,)

    def restate(x: Any) -> None:
        x.__setstate__((1, (2,), np.dtype(np.float64), False, bytes(16)))

    def overwrite(x: Any) -> None:
        ctypes.memset(x.ctypes.data, 0xFF, x.nbytes)

    for abuse in (restride, restate, overwrite):

        def func(x: Any, abuse: Any = abuse) -> Any:
            assert x.flags.carray
            r = rosenbrock(x)
            abuse(x)
            return r

        assert_same_bits(fit(func), PLAIN)


# Fits within fits


def test_fits_five_deep() -> None:
    found: dict[int, list[Any]] = {}

    def at_depth(depth: int) -> Any:
        def func(x: Any) -> Any:
            # One inner fit a fit, at the second call: in the middle of a Jacobian.
            if depth < 5 and counted.calls == 2:
                found.setdefault(depth + 1, []).append(fit(*at_depth(depth + 1)))
            return rosenbrock(x)

        counted = Counted(func)
        return (counted,)

    assert_same_bits(fit(*at_depth(0)), PLAIN)
    assert sorted(found) == [1, 2, 3, 4, 5]
    for fits in found.values():
        for one in fits:
            assert_same_bits(one, PLAIN)


def bottomless(x: Any) -> Any:
    return leastsq(bottomless, x)


def bottomless_jacobian(x: Any) -> Any:
    return leastsq(rosenbrock, x, Dfun=bottomless_jacobian)


def bottomless_conversion(x: Any) -> Any:
    class Item:
        def __float__(self) -> float:
            return float(leastsq(bottomless_conversion, x)[0][0])

    return [Item(), Item()]


def sink(*limits: int) -> None:
    """Fit within fits until Python says stop."""
    ways: tuple[dict[str, Any], ...] = (
        {"func": bottomless},
        {"func": rosenbrock, "Dfun": bottomless_jacobian},
        {"func": bottomless_conversion},
    )
    for limit, options in itertools.product(limits, ways):
        sys.setrecursionlimit(limit)
        with pytest.raises(RecursionError) as caught:
            leastsq(x0=START, **options)
        assert str(caught.value)
        assert_same_bits(fit(rosenbrock), PLAIN)


def test_recursion_error_comes_out_whole() -> None:
    before = sys.getrecursionlimit()
    try:
        sink(before)
    finally:
        sys.setrecursionlimit(before)


def test_recursion_error_with_another_limit() -> None:
    run_alone(sink, 200, 5000)


# Switches in the middle


def test_greenlets_that_switch_in_the_middle_of_func() -> None:
    greenlet = pytest.importorskip("greenlet", reason="greenlet switches C stacks")
    turns: list[int] = []
    found: dict[int, Any] = {}

    def fitting(me: int, **options: Any) -> Any:
        def func(x: Any) -> Any:
            turns.append(me)
            if not fits[1 - me].dead:
                fits[1 - me].switch()
            return rosenbrock(x)

        def run() -> None:
            found[me] = fit(func, **options)

        return greenlet.greenlet(run)

    fits = [fitting(0), fitting(1, Dfun=rosenbrock_jacobian)]
    for one in fits:
        while not one.dead:
            one.switch()
    assert turns[:6] == [0, 1, 0, 1, 0, 1]
    assert_same_bits(found[0], PLAIN)
    assert_same_bits(found[1], WITH_JACOBIAN)


def test_a_greenlet_killed_in_the_middle_of_func() -> None:
    greenlet = pytest.importorskip("greenlet", reason="greenlet switches C stacks")
    ends: list[str] = []

    def run() -> None:
        def func(x: Any) -> Any:
            greenlet.getcurrent().parent.switch()
            return rosenbrock(x)

        try:
            leastsq(func, START)
        except greenlet.GreenletExit:
            ends.append("killed")

    for _ in range(5):
        one = greenlet.greenlet(run)
        one.switch()
        one.switch()
        del one
        gc.collect()
    assert ends == ["killed"] * 5
    assert_same_bits(fit(rosenbrock), PLAIN)


def test_two_threads_that_take_turns_at_every_call() -> None:
    turns = [threading.Semaphore(1), threading.Semaphore(0)]
    found: dict[int, Any] = {}

    def run(me: int) -> None:
        def func(x: Any) -> Any:
            assert turns[me].acquire(timeout=20)
            r = rosenbrock(x)
            turns[1 - me].release()
            return r

        found[me] = fit(func)

    threads = [threading.Thread(target=run, args=(me,)) for me in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert_same_bits(found[0], PLAIN)
    assert_same_bits(found[1], PLAIN)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("call", [1, 2, 4])
def test_fork_in_the_middle_of_func(call: int) -> None:
    home = os.getpid()
    statuses: list[int] = []

    def func(x: Any) -> Any:
        if counted.calls == call:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of threads that may run
                child = os.fork()
            if child:
                statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        return rosenbrock(x)

    counted = Counted(func)
    try:
        assert_same_bits(fit(counted), PLAIN)
        assert_same_bits(fit(rosenbrock, Dfun=rosenbrock_jacobian), WITH_JACOBIAN)
    except BaseException:
        if os.getpid() != home:
            os._exit(1)
        raise
    if os.getpid() != home:
        os._exit(0)
    assert statuses == [0]


def test_results_survive_pickle_and_another_process() -> None:
    result = leastsq(rosenbrock, START, full_output=True)
    again = pickle.loads(pickle.dumps(result))
    assert_same_bits(packed(again), PLAIN)
    assert_same_bits(again[1], result[1])
    assert again[3:] == result[3:]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        call = pool.apply_async(leastsq, (rosenbrock, START), {"full_output": True})
        there = call.get(timeout=60)
    assert_same_bits(packed(there), PLAIN)


# What looks on


@contextmanager
def looking_on(install: Callable[[Any], None], events: list[str]) -> Iterator[None]:
    def look(frame: Any, event: str, arg: Any) -> Any:
        events.append(event)
        return look

    # A debugger or a coverage tool may be there already.
    before = sys.gettrace() if install is sys.settrace else sys.getprofile()
    install(look)
    try:
        yield
    finally:
        install(before)


@pytest.mark.parametrize("install", [sys.settrace, sys.setprofile])
def test_under_a_trace_or_profile_function(install: Any) -> None:
    events: list[str] = []
    with looking_on(install, events):
        found = fit(rosenbrock), fit(rosenbrock, Dfun=rosenbrock_jacobian)
    assert_same_bits(found[0], PLAIN)
    assert_same_bits(found[1], WITH_JACOBIAN)
    assert len(events) > PLAIN["nfev"]
    with looking_on(install, events), pytest.raises(ZeroDivisionError):
        leastsq(lambda x: 1 / 0, START)


def test_the_collector_at_every_allocation() -> None:
    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        found = [fit(lambda x: (rosenbrock(x).tolist(), [[]])[0]) for _ in range(3)]
        found.append(fit(lambda x: [np.float64(v) for v in rosenbrock(x)]))
        with_jacobian = fit(rosenbrock, Dfun=lambda x: rosenbrock_jacobian(x).tolist())
    finally:
        gc.set_threshold(*before)
    for one in found:
        assert_same_bits(one, PLAIN)
    assert_same_bits(with_jacobian, WITH_JACOBIAN)
