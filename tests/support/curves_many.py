"""Many fits of a model against `curve_fit` alone, bit for bit."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from bits import assert_same_bits
from numpy.typing import NDArray

from pyminpack import CurveFitMany, FitError, OptimizeWarning, curve_fit, curve_fit_many

Array = NDArray[Any]

T = np.linspace(0.0, 4.0, 12)


def line(t: Any, a: Any, b: Any) -> Any:
    return a + b * t


def line_jacobian(t: Any, a: Any, b: Any) -> Any:
    return np.stack(np.broadcast_arrays(1.0 + 0.0 * a, t + 0.0 * a), axis=-1)


# With +, -, * and / alone the values have the same bits anywhere, however many are made at once.
def fraction(t: Any, a: Any, b: Any, c: Any) -> Any:
    return a / (1.0 + b * t) + c


def fraction_jacobian(t: Any, a: Any, b: Any, c: Any) -> Any:
    under = 1.0 + b * t
    columns = (1.0 / under, -a * t / (under * under), 1.0 + 0.0 * c)
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def fractions(count: int = 9, m: int = 12, seed: int = 3) -> tuple[Array, Array]:
    """Make (M,) times and (B, M) noisy values."""
    generator = np.random.default_rng(seed)
    t = np.linspace(0.0, 4.0, m)
    a, b, c = generator.uniform([2.0, 0.5, -1.0], [5.0, 2.0, 1.0], (count, 3)).T[:, :, None]
    return t, fraction(t, a, b, c) + generator.normal(0.0, 0.1, (count, m))


TIMES, VALUES = fractions()


def of_fit(value: Any, fit: int, count: int) -> Any:
    """Return what of an argument belongs to one fit."""
    array = None if value is None else np.asarray(value)
    if array is None or array.ndim < 2:
        return value
    assert len(array) == count
    return array[fit]


def alone(*args: Any, **options: Any) -> tuple[Array, Array, int, str]:
    """Return popt, pcov, ier and the message of curve_fit, infinity for the pcov of a failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)
        try:
            popt, pcov, _, mesg, ier = curve_fit(*args, full_output=True, **options)
        except FitError as error:
            return error.popt, np.full_like(error.pcov, np.inf), error.ier, error.mesg
    return popt, pcov, ier, mesg


def assert_as_alone(
    fits: CurveFitMany, f: Any, xdata: Any, ydata: Any, p0: Any = None, which: Any = None, **kw: Any
) -> None:
    """Assert that each of the fits is, bit for bit, what curve_fit makes of it."""
    count = len(ydata)
    rows = {name: kw.pop(name, None) for name in ("sigma", "diag")}
    for fit in range(count) if which is None else which:
        own = {name: of_fit(value, fit, count) for name, value in rows.items()}
        start = of_fit(p0, fit, count)
        popt, pcov, ier, mesg = alone(f, xdata, ydata[fit], start, **own, **kw)
        assert_same_bits(fits.popt[fit], popt, f"fit {fit}: popt")
        assert_same_bits(fits.pcov[fit], pcov, f"fit {fit}: pcov")
        assert fits.ier[fit] == ier
        assert fits.message(fit) in mesg


def check(
    f: Any, xdata: Any, ydata: Any, p0: Any = None, chunk_size: Any = None, **options: Any
) -> CurveFitMany:
    """Make the fits, assert that each is as alone, and return them."""
    fits = curve_fit_many(f, xdata, ydata, p0, chunk_size=chunk_size, **options)
    assert_as_alone(fits, f, xdata, ydata, p0, **options)
    return fits
