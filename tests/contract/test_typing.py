"""The types that checkers see are those that are there; mypy reads this file, too."""

from __future__ import annotations

import typing
from typing import Any, assert_type

import numpy as np
import pytest
from numpy.typing import NDArray

import pyminpack
from pyminpack import leastsq, show_config
from pyminpack.typing import InfoDict

Short = tuple[NDArray[np.float64], int]
Full = tuple[NDArray[np.float64], NDArray[np.float64] | None, InfoDict, str, int]

START = [-1.2, 1.0]


def rosenbrock(x: NDArray[np.float64], scale: float = 10.0) -> list[float]:
    return [scale * (x[1] - x[0] ** 2), 1.0 - x[0]]


def jacobian(x: NDArray[np.float64], scale: float = 10.0) -> NDArray[np.float64]:
    return np.array([[-2.0 * scale * x[0], scale], [-1.0, 0.0]])


def test_a_short_result() -> None:
    for result in (
        assert_type(leastsq(rosenbrock, START), Short),
        assert_type(leastsq(rosenbrock, START, full_output=False), Short),
        assert_type(leastsq(rosenbrock, START, full_output=0), Short),
        assert_type(leastsq(rosenbrock, START, (), None, False), Short),
        assert_type(leastsq(rosenbrock, START, (10.0,), jacobian, 0, xtol=1e-10), Short),
    ):
        x, ier = result
        assert x.dtype == np.float64
        assert type(ier) is int


def test_a_full_result() -> None:
    for result in (
        assert_type(leastsq(rosenbrock, START, full_output=True), Full),
        assert_type(leastsq(rosenbrock, START, full_output=1), Full),
        assert_type(leastsq(rosenbrock, START, (), None, True), Full),
        assert_type(leastsq(rosenbrock, START, 10.0, jacobian, 1, qr="minpack"), Full),
        assert_type(leastsq(rosenbrock, START, Dfun=jacobian, full_output=True), Full),
    ):
        _, cov_x, infodict, mesg, ier = result
        assert cov_x is not None
        assert assert_type(cov_x, NDArray[np.float64]).dtype == np.float64
        assert type(assert_type(mesg, str)) is str
        assert type(assert_type(ier, int)) is int
        assert_type(infodict["ipvt"], NDArray[np.int32])
        assert_type(infodict.get("njev"), int | None)


def test_a_result_of_either_length() -> None:
    for full_output in (True, False):
        result = assert_type(leastsq(rosenbrock, START, full_output=full_output), tuple[Any, ...])
        assert len(result) == (5 if full_output else 2)
    result = assert_type(leastsq(rosenbrock, START, full_output=np.True_), tuple[Any, ...])
    assert len(result) == 5


@pytest.mark.parametrize("dfun", [None, jacobian])
def test_infodict_has_the_keys_and_types_of_its_type(dfun: Any) -> None:
    infodict: InfoDict = leastsq(rosenbrock, START, Dfun=dfun, full_output=True)[2]
    absent = {"njev"} if dfun is None else set()
    assert InfoDict.__optional_keys__ == {"njev"}
    assert infodict.keys() == InfoDict.__required_keys__ | InfoDict.__optional_keys__ - absent
    hints = typing.get_type_hints(InfoDict)
    for key, value in infodict.items():
        if isinstance(value, np.ndarray):
            # In NDArray[dtype], or in the np.ndarray of it that NumPy makes of that before 2.5.
            last = typing.get_args(hints[key])[-1]
            (dtype,) = typing.get_args(last) or (last,)
            assert value.dtype == dtype, key
        else:
            assert type(value) is hints[key], key


def test_what_numbers_the_options_may_be() -> None:
    _, ier = leastsq(
        rosenbrock,
        np.array(START, np.float32),
        ftol=np.float32(1e-6),
        gtol=np.array(0.0),
        maxfev=np.int64(500),
        factor=1,
        diag=(1, 1),
        col_deriv=np.False_,
    )
    assert ier in (1, 2, 3, 4)


def test_what_a_checker_refuses_is_refused() -> None:
    with pytest.raises(ValueError, match="qr must be"):
        leastsq(rosenbrock, START, qr="householder")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="func must be callable"):
        leastsq(START, START)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="ftol must be a real number"):
        leastsq(rosenbrock, START, ftol="1e-8")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="maxfev must be an integer"):
        leastsq(rosenbrock, START, maxfev=100.0)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="mode must be"):
        show_config("html")  # type: ignore[call-overload]


def test_show_config(capsys: pytest.CaptureFixture[str]) -> None:
    assert assert_type(show_config("dict"), dict[str, str])["pyminpack"] == pyminpack.__version__
    show_config(mode="stdout")
    assert pyminpack.__version__ in capsys.readouterr().out


def test_the_overloads_are_complete() -> None:
    """Each takes all arguments of the function itself, in its order."""
    names = leastsq.__code__.co_varnames[: leastsq.__code__.co_argcount]
    assert names[4] == "full_output"
    overloads = typing.get_overloads(leastsq)
    assert len(overloads) == 4
    for each in overloads:
        code = each.__code__
        named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        assert named == (*names, "qr")
