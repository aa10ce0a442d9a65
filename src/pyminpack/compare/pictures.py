"""Digits, problems solved and times, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .figures import digits_of, solved, spread, time_ratios
from .nist import CERTIFIED_DIGITS
from .problems import JACOBIANS, NIST, SOLVED_DIGITS, TOLERANCES, Vector, Way
from .run import TIMED, Results
from .solvers import OURS
from .style import STYLE, TEXT_COLOUR, figure_of, save
from .tables import floored, ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS: Final = {"differences": "differences", "exact": "exact Jacobian"}

COLOURS: Final = {"differences": "#E69F00", "exact": "#0072B2"}
"""Of the palette of Okabe and Ito, which those who do not see red or green tell apart too."""
ERROR_COLOUR: Final = "#b00020"
RULE_COLOUR: Final = "#e6e9ed"

TITLE: Final[dict[str, Any]] = {"fontsize": 11, "fontweight": "bold", "pad": 8}

SHOWN: Final = (Way("default", "differences"), Way("tight", "exact"))
"""The ways whose digits are drawn: what one gets without effort, and with all of it."""


def draw_all(results: Results, folder: Path) -> list[Path]:
    """Draw what the results have figures for; return the paths.

    Raises ImportError when matplotlib is not installed.
    """
    import matplotlib as mpl

    collections = list(dict.fromkeys(problem.collection for problem in results.problems))
    drawn = []
    with mpl.rc_context(STYLE):
        if NIST in collections:
            drawn.append(draw_digits(results, folder / "compare-digits.png"))
        drawn.append(draw_solved(results, collections, folder / "compare-solved.png"))
        if any(time_ratios(results, solver) for solver in results.others):
            drawn.append(draw_times(results, folder / "compare-times.png"))
    return drawn


def draw_digits(results: Results, path: Path) -> Path:
    """Draw a map: sets of NIST down, solvers across, for the two ways of `SHOWN`."""
    solvers = list(results.versions)
    sets = list(dict.fromkeys(p.set for p in results.problems if p.collection == NIST))
    figure = figure_of(2.9 + 1.04 * len(solvers), 2.0 + 0.245 * len(sets))
    panels = figure.subplots(1, 2, sharey=True, squeeze=False)[0]
    for axes, way in zip(panels, SHOWN, strict=True):
        image = _map(axes, _worst(results, way, sets), sets, solvers)
        axes.set_title(str(way), **TITLE)
    bar = figure.colorbar(image, ax=list(panels), fraction=0.02, pad=0.012, aspect=60)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=9.5)
    bar.set_label("digits of the worst parameter, from the worse start", fontsize=9.5)
    return save(figure, path)


def _worst(results: Results, way: Way, sets: Sequence[str]) -> Vector:
    """Return the digits, sets by solvers, of the worse start; NaN where a fit raised an error."""
    worst = np.full((len(sets), len(results.versions)), np.inf)
    for column, solver in enumerate(results.versions):
        for record in results.of(solver, NIST, **way._asdict()):
            found = digits_of(record, "parameters")
            row = sets.index(record.problem.set)
            # The minimum of NaN and a number is NaN.
            worst[row, column] = np.minimum(worst[row, column], np.nan if found is None else found)
    return worst


def _map(axes: Axes, digits: Vector, sets: Sequence[str], solvers: Sequence[str]) -> Any:
    """Draw one panel and return its image."""
    image = axes.imshow(digits, cmap="viridis", vmin=0, vmax=CERTIFIED_DIGITS, aspect="auto")
    for (row, column), value in np.ndenumerate(digits):
        failed = bool(np.isnan(value))
        dark = value < 0.45 * CERTIFIED_DIGITS
        axes.text(
            column,
            row,
            "error" if failed else f"{floored(value):.1f}",
            ha="center",
            va="center",
            fontsize=8,
            color=ERROR_COLOUR if failed else "white" if dark else "black",
            weight="bold" if value < SOLVED_DIGITS else "normal",
        )
    axes.set_xticks(range(len(solvers)), solvers, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(sets)), sets)
    axes.tick_params(length=0, labelsize=9.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    # White lines between the cells.
    axes.grid(visible=False)
    axes.set_xticks(np.arange(len(solvers) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(sets) + 1) - 0.5, minor=True)
    axes.grid(visible=True, which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    return image


def draw_solved(results: Results, collections: Sequence[str], path: Path) -> Path:
    """Draw a panel for each collection: solvers down, the number of fits solved across."""
    solvers = list(results.versions)
    figure = figure_of(9.0, 1.6 + 0.6 * len(solvers))
    panels = figure.subplots(1, len(collections), sharey=True, squeeze=False)[0]
    for axes, collection in zip(panels, collections, strict=True):
        _solved_panel(axes, results, collection)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9.5)
    return save(figure, path)


def _solved_panel(axes: Axes, results: Results, collection: str) -> None:
    """Draw four marks for each solver, one under the other: nothing hides another."""
    among = 0
    ways = [(tolerance, kind) for tolerance in TOLERANCES for kind in JACOBIANS]
    for (tolerance, kind), down in zip(ways, (-0.27, -0.09, 0.09, 0.27), strict=True):
        counts = []
        for solver in results.versions:
            count, among = solved(results, solver, collection, tolerance=tolerance, jacobian=kind)
            counts.append(count)
        axes.plot(
            counts,
            np.arange(len(counts)) + down,
            linestyle="none",
            marker="o",
            markersize=6.5,
            markerfacecolor=COLOURS[kind] if tolerance == "tight" else "white",
            markeredgecolor=COLOURS[kind],
            markeredgewidth=1.6,
            label=f"{tolerance}, {KINDS[kind]}",
        )
    axes.axvline(among, color="#9aa4af", linewidth=1.2)
    axes.locator_params(axis="x", integer=True)
    axes.set_title(f"{collection}: solved, of {among} fits", loc="left", **TITLE)
    _solvers_down(axes, list(results.versions))


def _solvers_down(axes: Axes, solvers: Sequence[str]) -> None:
    axes.set_yticks(range(len(solvers)), solvers)
    axes.set_ylim(len(solvers) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    for row in range(1, len(solvers)):
        axes.axhline(row - 0.5, color=RULE_COLOUR, linewidth=0.8)


def draw_times(results: Results, path: Path) -> Path:
    """Draw the ratios of all fits as dots, and their geometric means, a row a solver."""
    figure = figure_of(9.0, 1.7 + 0.62 * len(results.others))
    axes = figure.add_subplot()
    for row, solver in enumerate(results.others):
        for kind, down in zip(JACOBIANS, (-0.2, 0.2), strict=True):
            ratios = time_ratios(results, solver, jacobian=kind)
            if (found := spread(ratios)) is None:
                continue
            look: dict[str, Any] = {"color": COLOURS[kind], "linewidths": 0}
            axes.scatter(ratios, np.full(len(ratios), row + down), s=16, alpha=0.35, **look)
            label = KINDS[kind] if solver == results.others[0] else None
            look = {"color": COLOURS[kind], "markeredgecolor": "white", "markersize": 9}
            axes.plot(found.mean, row + down, "D", label=label, **look)
            _beside(axes, row + down, ratio(found.mean))
    _beside(axes, -0.7, "mean")
    axes.axvline(1.0, color=TEXT_COLOUR, linewidth=1.2)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    # Between the powers of ten only what leaves room for the numbers.
    low, high = axes.get_xlim()
    between = "25" if high < 1000 * low else ""
    axes.xaxis.set_minor_formatter(
        lambda value, _: f"{value:g}" if f"{value:e}"[0] in between else ""
    )
    axes.tick_params(which="minor", labelsize=9.5)
    axes.set_title(f"Time over {OURS}'s, {TIMED} tolerances", loc="left", **TITLE)
    axes.set_xlabel("a dot is a fit, a diamond the geometric mean")
    _solvers_down(axes, results.others)
    figure.legend(loc="outside upper right", ncols=2, fontsize=9.5)
    return save(figure, path)


def _beside(axes: Axes, height: float, words: str) -> None:
    """Write right of the frame."""
    axes.annotate(
        words,
        (1.0, height),
        xycoords=("axes fraction", "data"),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        fontsize=9.5,
        annotation_clip=False,
    )
