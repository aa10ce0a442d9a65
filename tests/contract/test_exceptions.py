"""What `func` and `Dfun` may do, row by row: exceptions, nested fits, threads."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from bits import Counted, assert_same_bits
from linear import LINEAR_START
from rosenbrock import (
    PLAIN,
    START,
    WITH_JACOBIAN,
    fit,
    rosenbrock,
    rosenbrock_jacobian,
)
from together import THREADS, together
from wrappers import raising_in

from pyminpack import _core, leastsq

pytestmark = [pytest.mark.shim, pytest.mark.callbacks]


class Trouble(BaseException):
    pass


@pytest.mark.parametrize("kind", [ValueError, KeyError, KeyboardInterrupt, SystemExit, Trouble])
@pytest.mark.parametrize("call", range(1, 7))
def test_the_same_exception_reaches_the_caller(kind: Any, call: int, capfd: Any) -> None:
    trouble = kind("trouble")

    def raising(function: Any) -> Counted:
        def func(x: Any) -> Any:
            if counted.calls == call:
                raise trouble
            return function(x)

        counted = Counted(func)
        return counted

    for options in (
        {"func": raising(rosenbrock)},
        {"func": raising(rosenbrock), "Dfun": rosenbrock_jacobian},
        {"func": rosenbrock, "Dfun": raising(rosenbrock_jacobian)},
    ):
        with pytest.raises(kind) as caught:
            leastsq(x0=START, **options)
        assert caught.value is trouble
        assert caught.value.__context__ is None
        assert_same_bits(fit(rosenbrock), PLAIN)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "methods", [("__array__",), ("__len__", "__getitem__"), ("__float__",), ("__index__",)], ids=str
)
@pytest.mark.parametrize("call", [1, 3])
@pytest.mark.parametrize("kind", [ValueError, KeyError, KeyboardInterrupt, Trouble])
def test_an_exception_while_converting(methods: Any, call: int, kind: Any) -> None:
    trouble = kind("trouble")
    bad = raising_in(trouble, *methods)

    def func(x: Any) -> Any:
        return bad if counted.calls == call else [x[0]]

    counted = Counted(func)
    with pytest.raises(kind) as caught:
        leastsq(counted, 5.0)
    assert caught.value is trouble
    assert_same_bits(fit(rosenbrock), PLAIN)


def test_an_exception_in_a_number_of_a_list() -> None:
    trouble = ZeroDivisionError("trouble")
    bad = raising_in(trouble, "__float__")
    with pytest.raises(ZeroDivisionError) as caught:
        leastsq(lambda x: [1.0, bad], 5.0)
    assert caught.value is trouble


def test_stop_iteration() -> None:
    with pytest.raises(StopIteration):
        leastsq(lambda x: next(iter(())), 1.0)


def test_nothing_is_leaked_when_func_raises() -> None:
    class Sentinel:
        pass

    sentinel = Sentinel()

    def func(x: Any, extra: Any) -> Any:
        raise ValueError

    before = sys.getrefcount(sentinel), sys.getrefcount(func)
    for _ in range(100):
        with pytest.raises(ValueError):  # noqa: PT011
            leastsq(func, START, args=(sentinel,))
    assert (sys.getrefcount(sentinel), sys.getrefcount(func)) == before


# Nested fits and threads


def test_nested_fits() -> None:
    def func(x: Any) -> Any:
        inner = fit(rosenbrock)
        assert_same_bits(inner, PLAIN)
        return rosenbrock(x)

    assert_same_bits(fit(func), PLAIN)


def test_threads() -> None:
    def work() -> None:
        for _ in range(20):
            assert_same_bits(fit(rosenbrock), PLAIN)
            assert_same_bits(fit(rosenbrock, Dfun=rosenbrock_jacobian), WITH_JACOBIAN)

    together(*[work] * THREADS)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="functions of C no longer count")
@pytest.mark.thread_unsafe(reason="the limit of recursion is everybody's")
def test_a_call_of_func_counts_as_recursion() -> None:
    """Otherwise functions of C alone that fit within fits would overflow the stack."""
    # Made beforehand, so that nothing but the call itself can meet the limit.
    options = (1e-8, 1e-8, 0.0, 100.0, 99, None, None, False, "auto")
    arguments = (np.negative, None, np.array(LINEAR_START), (), False, *options)
    before = sys.getrecursionlimit()

    def one_level_down() -> Any:
        return _core.solve(*arguments)

    def refusal(limit: int) -> str | None:
        try:
            sys.setrecursionlimit(limit)
            one_level_down()
        except RecursionError as error:
            return str(error)
        finally:
            sys.setrecursionlimit(before)
        return None

    # Which call meets the limit first depends on what the interpreter has specialised.
    text = "maximum recursion depth exceeded in a function that leastsq calls"
    assert any(refusal(limit) == text for _ in range(100) for limit in range(2, 500))
