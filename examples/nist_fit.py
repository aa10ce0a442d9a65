"""Fit data sets of NIST, compare with the certified values, and draw the result.

Run `python examples/nist_fit.py --help` for the names it takes.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from nist import TIGHT, Dataset, Fit, Vector, fit, load, log_relative_error

from pyminpack.compare.style import STYLE, figure_of, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DEFAULT_NAMES: Final = ("Thurber", "Gauss3", "ENSO")
DEFAULT_OUTPUT: Final = Path(__file__).resolve().parent.parent / "build" / "demo"
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
    "Nelson": ("fitted value", "log dielectric breakdown strength"),
    "Rat42": ("growing time", "pasture yield"),
    "Rat43": ("growing time", "onion dry weight"),
    "Thurber": ("log density", "electron mobility"),
}
"""What NIST says x and y are; of the other sets they are plain "x" and "y"."""

DATA_COLOUR: Final = "#6b7785"
FIT_COLOUR: Final = "#c8102e"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit the data sets named on the command line, print tables, write one picture."""
    datasets = load()
    options = _parser(datasets.keys()).parse_args(arguments)
    chosen = [datasets[name] for name in options.names]
    # With the exact Jacobian MINPACK asks for one an iteration, so njev counts iterations.
    fits = [fit(each, each.starts[0], Dfun=each.jacobian, **TIGHT) for each in chosen]
    for dataset, result in zip(chosen, fits, strict=True):
        print("\n".join(report(dataset, result)), end="\n\n")
    try:
        path = draw(chosen, fits, options.output)
    except ImportError as error:
        # A broken dependency of an installed matplotlib would need another cure.
        if not (error.name or "matplotlib").startswith("matplotlib"):
            raise
        print("No picture without matplotlib, which installs with: pip install matplotlib")
    else:
        print(path)
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
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        default=DEFAULT_OUTPUT,
        help="directory for the picture (default: build/demo of the repository)",
    )
    return parser


def report(dataset: Dataset, result: Fit) -> Iterator[str]:
    """Yield lines that set a fit beside the certified values."""
    m, n = dataset.y.size, dataset.certified.size
    yield f"{dataset.name} ({dataset.level} difficulty): {m} observations, {n} parameters"
    yield f"  y = {dataset.formula}"
    yield ""
    yield from _table(dataset, result)
    yield ""
    digits = log_relative_error(result.rss, dataset.rss)
    yield (
        f"  residual sum of squares {result.rss:.10e}, certified {dataset.rss:.10e}: "
        f"{digits:.1f} digits"
    )
    yield (
        f"  {result.njev} iterations: {result.nfev} calls of the residual function, "
        f"{result.njev} of the Jacobian"
    )
    message = " ".join(result.message.split())
    yield from textwrap.wrap(
        f"stopped: {message}", width=100, initial_indent="  ", subsequent_indent="    "
    )


def _table(dataset: Dataset, result: Fit) -> Iterator[str]:
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
            f"b{j + 1}",
            *(f"{column[j]:.10e}" for column in columns),
            f"{value_digits[j]:.1f}",
            f"{error_digits[j]:.1f}",
        )


def draw(datasets: Sequence[Dataset], fits: Sequence[Fit], directory: Path) -> Path:
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


def _draw_one(dataset: Dataset, result: Fit, above: Axes, below: Axes) -> None:
    """Draw data and fitted curve into `above`, residuals into `below`."""
    abscissa, curve_x, curve_y = _curve(dataset, result.parameters)
    x_label, y_label = AXES.get(dataset.name, ("x", "y"))
    size = 26 if dataset.y.size < 60 else 12
    dots: dict[str, Any] = {"s": size, "color": DATA_COLOUR, "linewidths": 0, "alpha": 0.8}

    above.scatter(abscissa, dataset.y, label="NIST data", **dots)
    above.plot(curve_x, curve_y, color=FIT_COLOUR, linewidth=1.6, label="pyminpack fit")
    digits = log_relative_error(result.parameters, dataset.certified).min()
    above.set_title(dataset.name, fontsize=15, fontweight="bold", loc="left", pad=24)
    above.text(
        0.0,
        1.025,
        f"parameters agree with NIST to {digits:.1f} digits, {result.njev} iterations",
        transform=above.transAxes,
        fontsize=10.5,
    )
    above.set_ylabel(y_label)
    above.legend(loc="best", fontsize=10)
    above.tick_params(labelbottom=False)

    below.axhline(0.0, color=FIT_COLOUR, linewidth=1.2)
    # The residual function is model less data; a reader of plots expects data less model.
    below.scatter(abscissa, -dataset.residual(result.parameters), **dots)
    below.set_xlabel(x_label)
    below.set_ylabel("residual")


def _curve(dataset: Dataset, b: Vector) -> tuple[Vector, Vector, Vector]:
    """Return abscissae of the data (m,), and x and y of a smooth fitted curve.

    Two predictors have no one curve: there the data go over their fitted values, and the curve
    is the diagonal.
    """
    if dataset.x.ndim == 2:
        fitted = dataset.model(b)
        ends = np.array([fitted.min(), fitted.max()])
        return fitted, ends, ends
    grid = np.linspace(dataset.x.min(), dataset.x.max(), 2000)
    return dataset.x, grid, replace(dataset, x=grid).model(b)


if __name__ == "__main__":
    raise SystemExit(main())
