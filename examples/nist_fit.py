"""Fit data sets of NIST, compare with the certified values, and draw the result.

Run `python examples/nist_fit.py --help` for the names it takes.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from nist import TIGHT, Dataset, Vector, fit, load, log_relative_error
from picture_file import add_output, print_path

from pyminpack import Report
from pyminpack.compare.style import STYLE, figure_of, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DEFAULT_NAMES: Final = ("Thurber", "Gauss3", "ENSO")
PICTURE: Final = "nist_fit.png"
MAX_COLUMNS: Final = 4

AXES: Final = {
    "Bennett5": ("log time", "magnetism"),
    "BoxBOD": ("incubation time (days)", "oxygen demand (mg/l)"),
    "Chwirut1": ("metal distance", "ultrasonic response"),
    "Chwirut2": ("metal distance", "ultrasonic response"),
    "DanWood": ("absolute temperature (1000 K)", "energy radiated"),
    "ENSO": ("time (months)", "pressure, Easter Island \N{MINUS SIGN} Darwin"),
    "Eckerle4": ("wavelength", "transmittance"),
    "Hahn1": ("temperature (K)", "thermal expansion of copper"),
    "Nelson": ("number of the observation", "log dielectric breakdown strength"),
    "Rat42": ("growing time", "pasture yield"),
    "Rat43": ("growing time", "onion dry weight"),
    "Thurber": ("log density", "electron mobility"),
}
"""What NIST says x and y are; of the other sets they are plain "x" and "y"."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit the data sets named on the command line, print tables, write one picture."""
    datasets = load()
    options = _parser(datasets.keys()).parse_args(arguments)
    chosen = [datasets[name] for name in options.names]
    fits = [fit(each, each.starts[0], Dfun=each.jacobian, **TIGHT) for each in chosen]
    for dataset, result in zip(chosen, fits, strict=True):
        print("\n".join(comparison(dataset, result)), end="\n\n")
    print_path(lambda: draw(chosen, fits, options.output))
    return 0


def _parser(known: Collection[str]) -> argparse.ArgumentParser:
    """Make the command line: names out of `known`, and where the picture goes."""

    def name(text: str) -> str:
        if text not in known:
            names = ", ".join(sorted(known))
            raise argparse.ArgumentTypeError(f"unknown data set {text!r}; there are {names}")
        return text

    parser = argparse.ArgumentParser(
        description="Fit NIST reference data sets with pyminpack from NIST's first start "
        "and compare the result with the certified values.",
        epilog=f"Data sets: {', '.join(sorted(known))}.",
    )
    parser.add_argument(
        "names",
        nargs="*",
        type=name,
        default=list(DEFAULT_NAMES),
        help=f"data sets to fit (default: {' '.join(DEFAULT_NAMES)})",
    )
    add_output(parser)
    return parser


def comparison(dataset: Dataset, result: Report) -> Iterator[str]:
    """Yield lines that set a fit beside the certified values."""
    m, n = dataset.y.size, dataset.certified.size
    yield f"{dataset.name} ({dataset.level} difficulty): {m} observations, {n} parameters"
    yield f"  y = {dataset.formula}"
    yield ""
    yield from _table(dataset, result)
    yield ""
    assert result.chi_square is not None
    digits = log_relative_error(result.chi_square, dataset.rss)
    yield (
        f"  residual sum of squares {result.chi_square:.10e}, certified {dataset.rss:.10e}: "
        f"{digits:.1f} digits"
    )
    yield (
        f"  {result.iterations} iterations: {result.nfev} calls of the residual function, "
        f"{result.njev} of the Jacobian"
    )
    yield from textwrap.wrap(
        f"stopped: {result.message}", width=100, initial_indent="  ", subsequent_indent="    "
    )


def _table(dataset: Dataset, result: Report) -> Iterator[str]:
    """Yield rows of a table: a parameter each, estimated, certified, digits of agreement."""
    row = "  {:9}  {:>17}  {:>17}  {:>17}  {:>17}  {:>8}  {:>8}"
    yield row.format("", "", "", "certified", "certified", "digits", "digits")
    yield row.format(
        "parameter", "estimate", "standard error", "value", "std error", "value", "error"
    )
    columns = (
        result.parameters,
        result.standard_errors,
        dataset.certified,
        dataset.standard_errors,
    )
    value_digits = log_relative_error(result.parameters, dataset.certified)
    error_digits = log_relative_error(result.standard_errors, dataset.standard_errors)
    for j in range(dataset.certified.size):
        yield row.format(
            result.names[j],
            *(f"{column[j]:.10e}" for column in columns),
            f"{value_digits[j]:.1f}",
            f"{error_digits[j]:.1f}",
        )


def draw(datasets: Sequence[Dataset], fits: Sequence[Report], directory: Path) -> Path:
    """Draw data, fits and residuals into a PNG in `directory` and return its path.

    Raises ImportError when matplotlib is not installed.
    """
    import matplotlib as mpl
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = min(len(datasets), MAX_COLUMNS)
    rows = -(-len(datasets) // columns)
    with mpl.rc_context(STYLE):
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
        figure = figure_of(5.2 * columns, 6.4 * rows, layout=layout)
        grid = figure.add_gridspec(2 * rows, columns, height_ratios=(3, 1) * rows)
        for k, (dataset, result) in enumerate(zip(datasets, fits, strict=True)):
            row, column = divmod(k, columns)
            above = figure.add_subplot(grid[2 * row, column])
            below = figure.add_subplot(grid[2 * row + 1, column], sharex=above)
            _draw_one(dataset, result, above, below)
            figure.align_ylabels((above, below))
        directory.mkdir(parents=True, exist_ok=True)
        return save(figure, directory / PICTURE, dpi=144)


def _draw_one(dataset: Dataset, result: Report, above: Axes, below: Axes) -> None:
    """Draw data, fit and confidence band into `above`, residuals into `below`."""

    def model(x: Vector, *b: float) -> Vector:
        return replace(dataset, x=x).model(np.array(b))

    x_label, y_label = AXES.get(dataset.name, (None, "y"))
    axes = (above, below)
    result.plot(model, dataset.x, dataset.y, axes=axes, xlabel=x_label, ylabel=y_label)
    digits = log_relative_error(result.parameters, dataset.certified).min()
    above.set_title(dataset.name, fontsize=15, fontweight="bold", loc="left", pad=24)
    above.text(
        0.0,
        1.025,
        f"parameters agree with NIST to {digits:.1f} digits, {result.iterations} iterations",
        transform=above.transAxes,
        fontsize=10.5,
    )
    above.tick_params(labelbottom=False)


if __name__ == "__main__":
    raise SystemExit(main())
