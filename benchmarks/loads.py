"""Many fits of one model, each to data of its own: what many.py times.

Residuals and Jacobians are written for one fit and for many, each as one writes it in NumPy, and
compute the same products in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .problems import EPSFCN, Vector

Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class Load:
    """Fits that are alike.

    Attributes
    ----------
    name
        Unique; also what `--only` looks at.
    x0, data
        A row for each fit.
    residuals, jacobian
        Of one fit, called with x and its row of data; the Jacobian is one by columns.
    many_residuals, many_jacobian
        Of many, as `leastsq_many` calls them.
    options
        What is passed to every solver, keyword by keyword.
    source
        The file with the compiled function for the same residuals and Jacobian.
    curve, slopes, xdata
        The model with its Jacobian, as `curve_fit` and `curve_fit_many` take them.
    """

    name: str
    x0: Vector
    data: Vector
    residuals: Callable[[Vector, Vector], Vector]
    many_residuals: Callable[..., Vector]
    jacobian: Callable[[Vector, Vector], Vector] | None = None
    many_jacobian: Callable[..., Vector] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    curve: Callable[..., Vector] | None = None
    slopes: Callable[..., Vector] | None = None
    xdata: Vector | None = None


# A Gaussian peak on 5 by 5 pixels: amplitude, x0, y0, width, offset. The exponential is that of a
# row times that of a column.

SIDE = 5
PIXELS = np.arange(float(SIDE))
# At most 10 iterations, and the evaluation at the starting point.
GPUFIT = {"ftol": 1e-4, "xtol": 1e-4, "maxfev": 11}


def peak_residuals(x: Vector, counts: Vector) -> Vector:
    distances = PIXELS - x[1:3, None]
    along_x, along_y = np.exp(distances * distances * (-0.5 / (x[3] * x[3])))
    peak = x[0] * (along_y[:, None] * along_x) + x[4]
    residuals: Vector = peak.ravel() - counts
    return residuals


def peak_jacobian(x: Vector, counts: Vector) -> Vector:
    distances = PIXELS - x[1:3, None]
    squares = distances * distances
    half = 0.5 / (x[3] * x[3])
    along_x, along_y = np.exp(squares * -half)
    columns = np.empty((5, SIDE, SIDE))
    np.multiply(along_y[:, None], along_x, out=columns[0])
    peak = x[0] * columns[0]
    columns[1] = peak * distances[0] * (2 * half)
    columns[2] = peak * distances[1][:, None] * (2 * half)
    columns[3] = peak * (squares[0] + squares[1][:, None]) * (2 * half / x[3])
    columns[4] = 1
    return columns.reshape(5, SIDE * SIDE)


def peaks_residuals(points: Vector, index: Numbers, counts: Vector) -> Vector:
    distances = PIXELS - points[:, 1:3, None]
    widths = points[:, 3, None, None]
    along = np.exp(distances * distances * (-0.5 / (widths * widths)))
    peaks = along[:, 1, :, None] * along[:, 0, None, :]
    peaks *= points[:, 0, None, None]
    peaks += points[:, 4, None, None]
    residuals: Vector = peaks.reshape(-1, SIDE * SIDE)
    residuals -= counts[index]
    return residuals


def peaks_jacobian(points: Vector, index: Numbers, counts: Vector) -> Vector:
    distances = PIXELS - points[:, 1:3, None]
    squares = distances * distances
    widths = points[:, 3, None, None]
    half = 0.5 / (widths * widths)
    along = np.exp(squares * -half)
    columns = np.empty((len(points), 5, SIDE, SIDE))
    np.multiply(along[:, 1, :, None], along[:, 0, None, :], out=columns[:, 0])
    peaks = points[:, 0, None, None] * columns[:, 0]
    np.multiply(peaks, distances[:, 0, None, :], out=columns[:, 1])
    np.multiply(peaks, distances[:, 1, :, None], out=columns[:, 2])
    columns[:, 1:3] *= 2 * half[:, None]
    np.multiply(peaks, squares[:, 0, None, :] + squares[:, 1, :, None], out=columns[:, 3])
    columns[:, 3] *= 2 * half / widths
    columns[:, 4] = 1
    return columns.reshape(-1, 5, SIDE * SIDE)


def gaussian_peaks(count: int) -> Load:
    """Return what Gpufit is timed with: 500 photons or so at the top, and Poisson's noise."""
    rng = np.random.default_rng(0)
    true = np.empty((count, 5))
    true[:, 0], true[:, 3], true[:, 4] = 500.0, 1.0, 10.0
    true[:, 1:3] = rng.uniform(1.5, 2.5, size=(count, 2))
    nothing = np.zeros((count, SIDE * SIDE))
    expected = peaks_residuals(true, np.arange(count), nothing)
    return Load(
        "Gaussian peaks", true * rng.uniform(0.9, 1.1, size=true.shape),
        rng.poisson(expected).astype(np.float64), peak_residuals, peaks_residuals, peak_jacobian,
        peaks_jacobian, GPUFIT, "gaussian.c",
    )  # fmt: skip


# An exponential: 50 points, 3 parameters

TIMES = np.linspace(0.0, 4.0, 50, dtype=np.float64)


def decay(t: Vector, a: Any, b: Any, c: Any) -> Vector:
    values: Vector = a * np.exp(-b * t) + c
    return values


def decay_slopes(t: Vector, a: Any, b: Any, c: Any) -> Vector:
    shrunk = np.exp(-b * t)
    slopes = np.empty((*shrunk.shape, 3))
    slopes[..., 0] = shrunk
    slopes[..., 1] = -a * t * shrunk
    slopes[..., 2] = 1
    return slopes


def decay_residuals(x: Vector, y: Vector) -> Vector:
    residuals: Vector = decay(TIMES, *x) - y
    return residuals


def decay_jacobian(x: Vector, y: Vector) -> Vector:
    columns = np.empty((3, TIMES.size))
    np.exp(-x[1] * TIMES, out=columns[0])
    np.multiply(-x[0] * TIMES, columns[0], out=columns[1])
    columns[2] = 1
    return columns


def decays_residuals(points: Vector, index: Numbers, y: Vector) -> Vector:
    residuals: Vector = decay(TIMES, *points.T[:, :, None]) - y[index]
    return residuals


def decays_jacobian(points: Vector, index: Numbers, y: Vector) -> Vector:
    a, b = points.T[:2, :, None]
    columns = np.empty((len(points), 3, TIMES.size))
    np.exp(-b * TIMES, out=columns[:, 0])
    np.multiply(-a * TIMES, columns[:, 0], out=columns[:, 1])
    columns[:, 2] = 1
    return columns


def exponentials(count: int, derivatives: bool) -> Load:
    rng = np.random.default_rng(0)
    true = rng.uniform([2.0, 1.0, 0.4], [3.0, 1.6, 0.6], size=(count, 3))
    y = decay(TIMES, *true.T[:, :, None]) + 0.01 * rng.normal(size=(count, TIMES.size))
    x0 = np.tile([1.0, 1.0, 0.0], (count, 1))
    if not derivatives:
        return Load(
            "exponentials, by differences", x0, y, decay_residuals, decays_residuals,
            options={"epsfcn": EPSFCN}, curve=decay, xdata=TIMES,
        )  # fmt: skip
    return Load(
        "exponentials, with a Jacobian", x0, y, decay_residuals, decays_residuals, decay_jacobian,
        decays_jacobian, curve=decay, slopes=decay_slopes, xdata=TIMES,
    )  # fmt: skip
