"""If you run one file, run this: a little of every promise, in a second or two.

It needs pytest and NumPy. The recorded bits were computed by Argonne's library; sums, products and
roots alone lead to them, so they are those of every machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from native_forms import in_python

import pyminpack
from pyminpack import FitError, compiled, curve_fit, curve_fit_many, leastsq, leastsq_many, report

START = [-1.2, 1.0]
T = np.arange(8.0)
Y = np.array([4.9, 2.6, 1.8, 1.4, 1.1, 1.0, 0.8, 0.7])

# By whether Dfun is given: x, fvec, fjac, nfev and ier of a fit that was stopped on its way.
RECORDED = {
    False: (
        ["-0x1.1eaf6ebd390e6p-2", "0x1.56f86b75383b0p-5"],
        ["-0x1.75e89acfeef08p-2", "0x1.47abdbaf4e43ap+0"],
        [
            *("-0x1.3ffffff229435p+3", "-0x1.65ba682911b5bp+2"),
            *("-0x1.665b4a5d21704p+2", "0x1.0000003b9ecb0p+0"),
        ],
        22,
        5,
    ),
    True: (
        ["0x1.0000000000000p+0", "0x1.f8e67295feb93p-1"],
        ["-0x1.1bfe189033108p-3", "0x0.0p+0"],
        [
            *("0x1.1ac5482ed3ec4p+4", "0x1.cf87127b75d66p-5"),
            *("-0x1.3f7cc18b9d678p+3", "0x1.21b46b8d29a60p-1"),
        ],
        20,
        5,
    ),
}


def rosenbrock(x: Any) -> list[float]:
    return [10.0 * (x[1] - x[0] * x[0]), 1.0 - x[0]]


def slopes(x: Any) -> list[list[float]]:
    return [[-20.0 * x[0], 10.0], [-1.0, 0.0]]


def decline(t: Any, height: Any, rate: Any) -> Any:
    return height / (1.0 + rate * t)


def hexadecimal(values: Any) -> list[str]:
    return [value.hex() for value in np.ravel(values).tolist()]


@pytest.mark.parametrize("dfun", [None, slopes])
def test_the_bits_on_the_way(dfun: Any) -> None:
    x, _, info, _, ier = leastsq(rosenbrock, START, Dfun=dfun, maxfev=20, full_output=True)
    found = (hexadecimal(x), hexadecimal(info["fvec"]), hexadecimal(info["fjac"]))
    assert (*found, info["nfev"], ier) == RECORDED[dfun is not None]


def test_the_end() -> None:
    x, cov_x, info, message, ier = leastsq(rosenbrock, START, full_output=True)
    assert x.tolist() == [1.0, 1.0]
    assert info["fvec"].tolist() == [0.0, 0.0]
    assert ier == 2
    assert "xtol" in message or "relative error" in message
    np.testing.assert_allclose(cov_x, [[1.0, 2.0], [2.0, 4.01]], rtol=1e-6)


def test_args_are_handed_on_and_x0_is_left_alone() -> None:
    start = np.array([2.0, 3.0])
    x, ier = leastsq(lambda x, *goal: x - goal, start, args=(5.0, 7.0))
    assert (x.tolist(), start.tolist()) == ([5.0, 7.0], [2.0, 3.0])
    assert ier in (1, 2, 3, 4)


def test_an_exception_comes_through_as_it_is() -> None:
    trouble = KeyError("trouble")

    def func(x: Any) -> Any:
        calls.append(x)
        if len(calls) > 3:
            raise trouble
        return rosenbrock(x)

    calls: list[Any] = []
    with pytest.raises(KeyError) as caught:
        leastsq(func, START)
    assert caught.value is trouble
    assert len(calls) == 4
    assert leastsq(rosenbrock, START)[0].tolist() == [1.0, 1.0]


def test_what_is_no_number_is_named() -> None:
    with pytest.raises(TypeError, match="func returned"):
        leastsq(lambda x: ["one", "two"], START)


def test_nan_is_no_success() -> None:
    x, *_, ier = leastsq(lambda x: x * np.nan, START, full_output=True)
    assert x.tolist() == START
    assert ier not in (1, 2, 3, 4)


def test_a_large_fit_by_blocks() -> None:
    matrix = np.vander(np.linspace(-1.0, 1.0, 500), 30)
    truth = np.arange(30.0)
    x, ier = leastsq(lambda x: matrix @ (x - truth), np.zeros(30), Dfun=lambda x: matrix)
    assert ier in (1, 2, 3, 4)
    np.testing.assert_allclose(matrix @ x, matrix @ truth, rtol=1e-9)


def test_curve_fit_and_its_report() -> None:
    popt, pcov, info, message, ier = curve_fit(decline, T, Y, [1.0, 1.0], full_output=True)
    np.testing.assert_allclose(Y - decline(T, *popt), -info["fvec"])
    text = str(report((popt, pcov, info, message, ier), names=["height", "rate"]))
    assert "height" in text
    assert "rate" in text


def test_curve_fit_raises_what_has_not_converged() -> None:
    with pytest.raises(FitError):
        curve_fit(decline, T, Y, [100.0, 100.0], maxfev=2)


def test_many_fits_have_the_bits_of_one() -> None:
    starts = np.array([START, [2.0, 2.0], [0.5, -1.0]])

    def func(x: Any, index: Any) -> Any:
        return np.stack([10.0 * (x[:, 1] - x[:, 0] * x[:, 0]), 1.0 - x[:, 0]], axis=1)

    fits = leastsq_many(func, starts)
    for k, start in enumerate(starts):
        assert hexadecimal(fits.x[k]) == hexadecimal(leastsq(rosenbrock, start)[0])


def test_many_curves_have_the_bits_of_one() -> None:
    rows = np.stack([Y, Y[::-1], 2.0 * Y])
    fits = curve_fit_many(decline, T, rows, [4.0, 0.5])
    for k, row in enumerate(rows):
        assert hexadecimal(fits.x[k]) == hexadecimal(curve_fit(decline, T, row, [4.0, 0.5])[0])


def test_a_compiled_function_has_the_bits_of_its_twin() -> None:
    def func(data: Any, m: int, n: int, x: Any, fvec: Any, iflag: int) -> int:
        fvec[0], fvec[1] = rosenbrock(x)
        return 0

    ours = leastsq(compiled(in_python(func), 2), START)[0]
    assert hexadecimal(ours) == hexadecimal(leastsq(rosenbrock, START)[0])


def test_show_config_names_the_version() -> None:
    assert pyminpack.show_config(mode="dict")["pyminpack"] == pyminpack.__version__
