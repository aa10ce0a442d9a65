"""Fit a decay to each pixel of an image stack, and draw maps of what was found.

Run `python examples/pixel_map.py --help` for its arguments. The stack is made here: slices of a
phantom, a dish of water with nine tubes in it, as a magnetic resonance scanner sees them at 16 echo
times. Some pixels are dead, and of others an echo is missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from picture_file import add_output, print_path

from pyminpack import curve_fit_many
from pyminpack.compare.style import STYLE, figure_of, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

PICTURE: Final = "pixel_map.png"

ECHOES: Final[Array] = np.array([12.0 * k for k in range(1, 17)])
"""When the echoes come, in ms."""
TUBES: Final = (20.0, 30.0, 40.0, 55.0, 75.0, 100.0, 130.0, 160.0, 200.0)
"""Decay times in the tubes, in ms."""
WATER: Final = 90.0
NOISE: Final = 10.0
DIM: Final = 50.0
"""What never is brighter than this is air, where there is nothing to fit."""


class Phantom(NamedTuple):
    """A stack (M, rows, columns) of images, and the decay times (rows, columns) it was made of.

    The decay times are NaN where there is air.
    """

    stack: Array
    truth: Array


class Fits(NamedTuple):
    """What was found: of B fits arrays (B,), or maps of them (rows, columns).

    Where a fit did not converge the error is infinite.
    """

    decay_time: Array
    error: Array
    ier: NDArray[np.intc]


def make_phantom(size: int, seed: int = 1980) -> Phantom:
    """Make the images, with noise, dead pixels and missing echoes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    truth = np.where(np.hypot(x, y) < 0.95, WATER + 10 * x, np.nan)
    for k, decay_time in enumerate(TUBES):
        # One in the middle, the others around it.
        angle, distance = k * np.pi / 4, 0.62 * (k > 0)
        far = np.hypot(x - distance * np.cos(angle), y - distance * np.sin(angle))
        truth[far < 0.19] = decay_time
    height = 1000 - 300 * (x**2 + y**2)
    clean = np.where(np.isnan(truth), 0, decay(ECHOES[:, None, None], height, truth))
    stack = clean + rng.normal(0, NOISE, clean.shape)
    stack[rng.random(stack.shape) < 0.01] = np.nan
    stack[:, rng.random(truth.shape) < 0.005] = np.nan
    return Phantom(stack, truth)


def decay(time: Array, height: Array, decay_time: Array) -> Array:
    """Return the signal; all three are broadcast against each other."""
    signal: Array = height * np.exp(-time / decay_time)
    return signal


def guesses(signals: Array) -> Array:
    """Return a start (B, 2) for each row of `signals` (B, M).

    The area under a decay is its height times its decay time.
    """
    height = np.fmax.reduce(signals, axis=1)
    area = np.nansum(signals, axis=1) * (ECHOES[1] - ECHOES[0])
    return np.column_stack([height, area / height])


def is_air(stack: Array) -> NDArray[np.bool_]:
    """Return where no echo is bright (rows, columns); of a dead pixel nobody knows."""
    dark: NDArray[np.bool_] = np.fmax.reduce(stack, axis=0) < DIM
    return dark


def fit_rows(signals: Array) -> Fits:
    """Fit a decay to each row of `signals` (B, M), where NaN is missing."""
    start = guesses(signals)
    fits = curve_fit_many(decay, ECHOES, signals, start, nan_policy="omit", maxfev=200)
    return Fits(fits.popt[:, 1], fits.perr[:, 1], fits.ier)


def fit_maps(stack: Array, fit: Callable[[Array], Fits] = fit_rows) -> Fits:
    """Fit all pixels of a stack (M, rows, columns) but for the air; return maps.

    In the air they are NaN, and `ier` is 0.
    """
    dish = ~is_air(stack)
    decay_time, error = np.full((2, *dish.shape), np.nan)
    ier = np.zeros(dish.shape, np.intc)
    if dish.any():
        # A row a pixel. Rows in one piece are summed the same way however many there are.
        signals = np.ascontiguousarray(stack[:, dish].T)
        decay_time[dish], error[dish], ier[dish] = fit(signals)
    return Fits(decay_time, error, ier)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the stack, fit it, print a table of the tubes and draw the maps."""
    options = _parser().parse_args(arguments)
    phantom = make_phantom(options.size)
    maps = fit_maps(phantom.stack)
    print("\n".join(table(phantom, maps)))
    print_path(lambda: draw(phantom, maps, options.output))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Fit a decay to each pixel of an image stack, which is made for it."
    )
    parser.add_argument(
        "--size", metavar="N", type=int, default=96, help="rows and columns (default: 96)"
    )
    add_output(parser)
    return parser


def table(phantom: Phantom, maps: Fits) -> Iterator[str]:
    """Yield how many fits converged, and a row a tube: what was found, and how sure it is."""
    converged = (maps.ier >= 1) & (maps.ier <= 4)
    yield f"{converged.sum()} of {(maps.ier != 0).sum()} fits converged"
    row = "{:>9}  {:>7}  {:>9}  {:>9}  {:>14}"
    yield row.format("true (ms)", "pixels", "mean", "scatter", "standard error")
    for decay_time in TUBES:
        tube = (phantom.truth == decay_time) & np.isfinite(maps.error)
        found, errors = maps.decay_time[tube], maps.error[tube]
        numbers = found.mean(), found.std(ddof=1), np.sqrt((errors**2).mean())
        yield row.format(f"{decay_time:.0f}", found.size, *(f"{each:.2f}" for each in numbers))


def draw(phantom: Phantom, maps: Fits, directory: Path) -> Path:
    """Draw the first echo, the maps, and how far off they are, into a PNG; return its path.

    Raises ImportError when matplotlib is not installed.
    """
    import matplotlib as mpl

    first, off = phantom.stack[0], (maps.decay_time - phantom.truth) / maps.error
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = figure_of(16, 4.3)
        panels = figure.subplots(1, 4)
        _draw_one(panels[0], first, f"Echo at {ECHOES[0]:.0f} ms", cmap="gray", vmin=0)
        _draw_one(panels[1], maps.decay_time, "Decay time (ms)", vmin=0, vmax=max(TUBES))
        _draw_one(panels[2], maps.error, "Its standard error (ms)", vmin=0, vmax=8)
        title = "Off the truth, in standard errors"
        _draw_one(panels[3], off, title, cmap="RdBu", vmin=-4, vmax=4)
        directory.mkdir(parents=True, exist_ok=True)
        return save(figure, directory / PICTURE, dpi=144)


def _draw_one(axes: Axes, values: Array, title: str, **options: object) -> None:
    """Show a map with its scale; where there is nothing, the paper is seen."""
    image = axes.imshow(values, **options)  # type: ignore[arg-type]
    axes.set_title(title, fontsize=12, fontweight="bold", loc="left")
    axes.set_axis_off()
    axes.figure.colorbar(image, ax=axes, shrink=0.85)


if __name__ == "__main__":
    raise SystemExit(main())
