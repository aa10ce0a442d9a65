"""How many parameters `curve_fit` finds that f has, where no p0 tells."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from curves import LINE, T, line

from pyminpack import curve_fit

PLAIN = curve_fit(line, T, LINE, [1.0, 1.0])[0]


class Methods:
    def __call__(self, t: Any, a: float, b: float) -> Any:
        return line(t, a, b)

    def method(self, t: Any, a: float, b: float) -> Any:
        return line(t, a, b)

    @classmethod
    def of_class(cls, t: Any, a: float, b: float) -> Any:
        return line(t, a, b)

    @staticmethod
    def static(t: Any, a: float, b: float) -> Any:
        return line(t, a, b)


class ArrayLike:
    def __init__(self, t: Any, a: float, b: float) -> None:
        self.values = line(t, a, b)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values


@functools.wraps(line)
def wrapped(*args: Any) -> Any:
    return line(*args)


def with_signature(*args: Any) -> Any:
    return line(*args)


with_signature.__signature__ = inspect.signature(line)


def with_an_attribute(t: Any, a: float, b: float) -> Any:
    return line(t, a, b)


with_an_attribute.units = "m"


@pytest.mark.parametrize(
    "f",
    [
        line,
        lambda t, a, b: line(t, a, b),
        lambda t, a, /, b: line(t, a, b),
        lambda t, a, b=5.0: line(t, a, b),
        lambda t, a, b, *, c=0.0: line(t, a, b) + c,
        lambda t, a, b, *c: line(t, a, b),
        lambda t, a, b, **c: line(t, a, b),
        Methods(),
        Methods().method,
        Methods.of_class,
        Methods().of_class,
        Methods.static,
        functools.partial(lambda z, t, a, b: line(t, a, b), 0),
        functools.partial(lambda t, a, b, c: line(t, a, b) + c, c=0.0),
        ArrayLike,
        wrapped,
        with_signature,
        with_an_attribute,
    ],
)
def test_two_parameters(f: Any) -> None:
    popt, _ = curve_fit(f, T, LINE)
    assert_same_bits(popt, PLAIN)


def test_one_parameter_beside_any_number() -> None:
    assert curve_fit(lambda t, a, *more: a * t, T, LINE)[0].shape == (1,)


@pytest.mark.parametrize(
    ("f", "why"),
    [
        (lambda t, *p: p[0] * t, "f takes any number of them. Give p0"),
        (lambda *p: p[1] * p[0], "f takes any number of them. Give p0"),
        (np.vectorize(line), "f takes any number of them. Give p0"),
        (lambda t: t, "f must take xdata and at least one of them, and takes 1"),
        (lambda t, *, a: a * t, "f must take xdata and at least one of them, and takes 1"),
        (lambda: T, "f must take xdata and at least one of them, and takes 0"),
        (max, "no signature found for builtin .* Give p0"),
    ],
)
def test_what_cannot_be_counted(f: Any, why: str) -> None:
    with pytest.raises(ValueError, match=rf"Unable to determine number of fit parameters\. {why}"):
        curve_fit(f, T, LINE)


def test_a_signature_that_is_none() -> None:
    class Odd(Methods):
        __signature__ = "t, a, b"

    with pytest.raises(ValueError, match="Unable to determine number of fit parameters") as caught:
        curve_fit(Odd(), T, LINE)
    assert isinstance(caught.value.__cause__, (TypeError, ValueError))


def test_with_p0_nothing_is_counted() -> None:
    class Silent:
        @property
        def __signature__(self) -> Any:
            raise AssertionError

        def __call__(self, t: Any, *p: float) -> Any:
            return line(t, *p)

    assert_same_bits(curve_fit(Silent(), T, LINE, [1.0, 1.0])[0], PLAIN)
    assert_same_bits(curve_fit(lambda t, *p: line(t, *p), T, LINE, [1.0, 1.0])[0], PLAIN)
    popt, _ = curve_fit(np.multiply, T, LINE, [1.0])
    assert popt == pytest.approx(T @ LINE / (T @ T))


def test_defaults_are_parameters_and_start_at_1() -> None:
    starts: list[Any] = []

    def f(t: Any, a: float, b: float = 7.0) -> Any:
        starts.append((a, b))
        return line(t, a, b)

    curve_fit(f, T, LINE)
    assert starts[0] == (1.0, 1.0)


def test_a_keyword_that_f_needs_is_what_f_says_of_it() -> None:
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'b'"):
        curve_fit(lambda t, a, *, b: line(t, a, b), T, LINE)
