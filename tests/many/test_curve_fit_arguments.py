"""`curve_fit_many`: bad input, what f and jac may not return, exceptions, and the result."""

from __future__ import annotations

import functools
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from curves_many import TIMES, VALUES, T, fraction, fractions, line, line_jacobian

import pyminpack
from pyminpack import CurveFitMany, ManyFits, compiled, curve_fit_many, leastsq_many


def never(t: Any, a: Any, b: Any) -> Any:
    pytest.fail("called")


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"f": 3}, TypeError, "f must be callable"),
        ({"jac": "2-point"}, TypeError, "jac must be callable"),
        ({"f": lambda *args: 1.0}, ValueError, "f takes any number of them"),
        ({"f": lambda t: 1.0}, ValueError, "at least one of them, and takes 1"),
        ({"ydata": VALUES[0]}, ValueError, r"shape \(12,\); curve_fit makes a single fit"),
        ({"ydata": 1.0}, ValueError, r"has shape \(\)"),
        ({"ydata": VALUES[None]}, ValueError, r"has shape \(1, 9, 12\); reshape it to rows"),
        ({"ydata": np.empty((0, 12))}, ValueError, r"empty, and has shape \(0, 12\)"),
        ({"ydata": np.empty((3, 0))}, ValueError, "empty"),
        ({"ydata": VALUES + 0j}, TypeError, "ydata must be real numbers, not of dtype complex"),
        ({"ydata": [["a", "b"]]}, TypeError, "ydata must be real numbers"),
        ({"ydata": [[1.0, 2.0], [3.0]]}, ValueError, "inhomogeneous"),
        ({"ydata": VALUES[:, :1]}, TypeError, "parameters=2 must not exceed .* points=1"),
        ({"p0": []}, TypeError, "p0 is empty"),
        ({"p0": np.empty((9, 0))}, TypeError, "p0 is empty"),
        ({"p0": np.ones((8, 2))}, ValueError, r"or \(9, N\), .*, not \(8, 2\)"),
        ({"p0": np.ones((1, 9, 2))}, ValueError, "p0 must have shape"),
        ({"p0": [1j, 2.0]}, TypeError, "p0 must be real numbers"),
        ({"p0": ["1", "2"]}, TypeError, "p0 must be real numbers"),
        ({"p0": np.ones(13)}, TypeError, "parameters=13 must not exceed"),
        ({"sigma": np.ones(11)}, ValueError, r"incorrect shape: \(11,\); .* \(9, 12\) or \(9, 1\)"),
        ({"sigma": np.ones((8, 12))}, ValueError, r"incorrect shape: \(8, 12\)"),
        ({"sigma": np.eye(12)}, ValueError, "Covariance matrices"),
        ({"sigma": np.zeros(12)}, ValueError, "zeros or NaNs, and contains 0.0"),
        ({"sigma": np.nan}, ValueError, "zeros or NaNs, and contains nan"),
        ({"sigma": np.full((9, 1), 0.0)}, ValueError, "zeros or NaNs"),
        ({"sigma": 1j}, TypeError, "sigma must be real numbers"),
        ({"weights": np.ones(11)}, ValueError, r"weights must have shape \(12,\) or \(9, 12\)"),
        ({"weights": np.ones((8, 12))}, ValueError, "weights must have shape"),
        ({"weights": -np.ones(12)}, ValueError, "not negative"),
        ({"weights": np.full(12, np.nan)}, ValueError, "finite"),
        ({"weights": ["a"] * 12}, TypeError, "weights must be real numbers"),
        ({"check_finite": True, "xdata": T * np.nan}, ValueError, r"xdata\[0\] is nan"),
        ({"nan_policy": "propagate"}, ValueError, "not supported"),
        ({"nan_policy": "drop"}, ValueError, "nan_policy must be one of"),
        ({"bounds": (0.0, 1.0)}, ValueError, "bounds must be -inf and inf"),
        ({"bounds": 3}, TypeError, "bounds must be two"),
        ({"method": "trf"}, ValueError, "method 'trf' is not here"),
        ({"method": "nm"}, ValueError, "method must be 'lm' or None"),
        ({"ftol": -1.0}, TypeError, "Improper input parameters"),
        ({"ftol": "1"}, TypeError, "ftol"),
        ({"factor": 0}, TypeError, "Improper input parameters"),
        ({"diag": [1.0, -1.0]}, TypeError, "Improper input parameters"),
        ({"diag": [1.0]}, ValueError, "diag must have shape"),
        ({"maxfev": 1.5}, TypeError, "maxfev"),
        ({"qr": "svd"}, ValueError, "qr must be"),
        ({"chunk_size": 0}, ValueError, "chunk_size must be at least 1"),
        ({"chunk_size": 1.5}, TypeError, "chunk_size"),
        ({"progress": 3}, TypeError, "progress must be"),
        ({"full_output": True}, TypeError, "unexpected keyword argument"),
    ],
)
def test_bad_input(change: dict[str, Any], error: Any, text: str) -> None:
    given = {"f": never, "xdata": T, "ydata": VALUES, **change}
    with pytest.raises(error, match=text) as info:
        curve_fit_many(**given)
    assert not hasattr(info.value, "fits") or info.value.fits.ier.max() == 0


def test_a_build_on_another_minpack_has_the_same_bits(system_pyminpack: Any) -> None:
    ours, theirs = (
        module.curve_fit_many(line, T, VALUES, qr="minpack")
        for module in (pyminpack, system_pyminpack)
    )
    for name in ("popt", "pcov", "ier", "nfev"):
        assert_same_bits(getattr(ours, name), getattr(theirs, name), name)


def test_compiled_functions_are_for_leastsq_many() -> None:
    import ctypes

    signature = ctypes.CFUNCTYPE(
        ctypes.c_int,
        *(ctypes.c_void_p, ctypes.c_int, ctypes.c_int),
        *(ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_double), ctypes.c_int),
    )
    function = compiled(signature(lambda *args: -1), 12)
    with pytest.raises(TypeError, match="f must be a Python function of xdata"):
        curve_fit_many(function, T, VALUES, [1.0])
    with pytest.raises(TypeError, match="jac must be a Python function of xdata"):
        curve_fit_many(never, T, VALUES, jac=function)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.ones(11), r"shape \(11,\) for parameters of shape \(1, 1\), .* shape \(1, 12\)"),
        (np.ones((9, 12)), r"shape \(9, 12\)"),
        (np.ones((12, 1)), r"shape \(12, 1\).* ravel\(\) xdata, not the result"),
        (np.ones((1, 1, 12)), r"shape \(1, 1, 12\)"),
        ([], r"shape \(0,\)"),
    ],
)
def test_values_of_the_wrong_shape(value: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        curve_fit_many(lambda t, a: value, T, VALUES)


@pytest.mark.parametrize("value", [1j, "a", None, np.array(["a"]), {}])
def test_values_that_are_no_real_numbers(value: Any) -> None:
    with pytest.raises(TypeError, match=r"f returned .*; it must return real numbers"):
        curve_fit_many(lambda t, a: value, T, VALUES)
    with pytest.raises(TypeError, match=r"jac returned .*; it must return real numbers"):
        curve_fit_many(line, T, VALUES, jac=lambda t, a, b: value)


def test_rows_for_another_number_of_points() -> None:
    def f(t: Any, a: Any, b: Any) -> Any:
        return line(t, a, b) if len(a) == 1 else np.ones((2, 12))

    with pytest.raises(ValueError, match=r"shape \(2, 12\) for parameters of shape \(\d+, 1\)"):
        curve_fit_many(f, T, VALUES)


@pytest.mark.parametrize("shape", [(12,), (12, 3), (3, 12, 2), (1, 2, 12), (1, 1, 12, 2)])
def test_jacobians_of_the_wrong_shape(shape: tuple[int, ...]) -> None:
    def slopes(t: Any, a: Any, b: Any) -> Any:
        return np.ones(shape)

    with pytest.raises(TypeError, match=r"mismatch .*'jac' argument 'slopes'.* \(1, 12, 2\)"):
        curve_fit_many(line, T, VALUES[:1], jac=slopes)
    with pytest.raises(TypeError, match=r"Shape should be \(1, 12, 2\)"):
        curve_fit_many(line, T, VALUES[:1], jac=functools.partial(slopes))


class Stop(Exception):
    pass


@pytest.mark.parametrize("kind", [Stop, KeyboardInterrupt])
def test_an_exception_brings_the_fits_so_far(kind: type[BaseException]) -> None:
    t, y = fractions(40)
    calls = []
    error = kind("enough")

    def f(*args: Any) -> Any:
        calls.append(len(args[1]))
        if len(calls) == 40:
            raise error
        return fraction(*args)

    with pytest.raises(kind) as info:
        curve_fit_many(f, t, y, np.ones(3), chunk_size=5)
    assert info.value is error
    fits = error.fits  # type: ignore[attr-defined]
    whole = curve_fit_many(fraction, t, y)
    done = fits.ier != 0
    assert isinstance(fits, CurveFitMany)
    assert 0 < done.sum() < 40
    assert_same_bits(fits.popt[done], whole.popt[done])
    assert_same_bits(fits.pcov[done], whole.pcov[done])
    assert np.isnan(fits.popt[~done]).all()
    assert np.isnan(fits.pcov[~done]).all()


def test_progress() -> None:
    told: list[tuple[int, int]] = []
    curve_fit_many(line, T, VALUES, progress=lambda *numbers: told.append(numbers))
    assert told[-1] == (9, 9)


def test_nothing_is_said_of_failures() -> None:
    y = VALUES.copy()
    y[0] *= 1e300
    y[1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fits = curve_fit_many(line, T, y, check_finite=False)
        assert not fits.success.all()
        assert np.isinf(fits.perr).any()


def test_result() -> None:
    fits = curve_fit_many(line, T, VALUES, jac=line_jacobian)
    popt, pcov = fits
    assert popt is fits.popt is fits.x
    assert pcov is fits.pcov
    assert isinstance(fits, ManyFits)
    assert repr(fits) == "<CurveFitMany: 9 of 9 fits converged>"
    assert_same_bits(fits.perr, np.sqrt(np.stack([np.diag(c) for c in pcov])))
    assert "ftol" in fits.message(0)
    assert fits.messages[0] == fits.message(0)


def test_messages_speak_of_f_and_p0() -> None:
    y = VALUES.copy()
    y[1] = np.nan
    fits = curve_fit_many(line, T, y, maxfev=1, check_finite=False)
    assert fits.message(0) == "The number of calls to f has reached maxfev = 1."
    assert "p0" in fits.message(1)
    assert repr(fits) == (
        "<CurveFitMany: 0 of 9 fits converged; not: ier 5: 8 (0, 2, 3, 4, 5, ...); ier 9: 1 (1)>"
    )


def test_result_can_be_pickled() -> None:
    fits = curve_fit_many(line, T, VALUES)
    again = pickle.loads(pickle.dumps(fits))
    assert type(again) is CurveFitMany
    for name in ("popt", "pcov", "ier", "nfev", "njev", "fnorm", "cov_x"):
        assert_same_bits(getattr(again, name), getattr(fits, name))
    assert again.messages == fits.messages


def test_it_is_leastsq_many_on_the_residuals() -> None:
    ours = curve_fit_many(fraction, TIMES, VALUES)
    theirs = leastsq_many(
        lambda X, index: fraction(TIMES, *X.T[:, :, None]) - VALUES[index],
        np.ones((9, 3)),
        cov_x=True,
    )
    for name in ("x", "ier", "nfev", "fnorm", "cov_x"):
        assert_same_bits(getattr(ours, name), getattr(theirs, name), name)
