"""Time against M, N and the number of evaluations, ours and theirs, as PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyminpack.compare.style import figure_of, save

from .report import ALONE, AXES, single_runs

LABELS = {
    "M": ("rows M", "A linear fit with 10 parameters"),
    "N": ("columns N", "A linear fit with 4 N rows"),
    "evaluations": ("evaluations of func", "Powell's singular function"),
}
# Ours on top of the others, and the two that are no solvers in grey.
STYLES: dict[str, dict[str, Any]] = {
    "pyminpack": {"color": "C3", "linewidth": 2.5, "marker": "o", "zorder": 5},
    "pyminpack qr=minpack": {"color": "C3", "linestyle": "--", "marker": "o", "zorder": 4},
    "Argonne in C": {"color": "0.3", "linestyle": "-.", "marker": "v"},
    "numpy qr": {"color": "0.6", "linestyle": "-.", "marker": "^"},
    ALONE: {"color": "0.6", "linestyle": ":"},
}
OTHERS = ["C0", "C1", "C2", "C4", "C5"]


def curves_of(runs: list[dict[str, Any]], axis: str) -> dict[str, list[tuple[float, float]]]:
    """Return points by name: all of the first run, and of the others what that has not."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for run in runs:
        found: dict[str, list[tuple[float, float]]] = {}
        for problem in run["problems"]:
            if axis in problem["groups"]:
                size = problem[AXES[axis]]
                for name, times in problem["times"].items():
                    found.setdefault(name, []).append((size, times["min"]))
        curves = {**found, **curves}
    return curves


def draw(runs: list[dict[str, Any]], axis: str, path: Path) -> None:
    label, title = LABELS[axis]
    figure = figure_of(8, 4.4)
    axes = figure.add_subplot()
    colors = iter(OTHERS)
    for name, points in sorted(curves_of(runs, axis).items()):
        if name == ALONE and axis != "evaluations":
            continue  # Looking up takes no time, and would only stretch the picture.
        style = STYLES.get(name) or {"color": next(colors), "marker": "s"}
        axes.loglog(*zip(*sorted(points), strict=True), label=name, markersize=4, **style)
    axes.set(xlabel=label, ylabel="seconds for a fit", title=title)
    axes.grid(which="major", color="0.9")
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    save(figure, path)


def draw_all(results: dict[str, Any], folder: Path) -> list[Path]:
    """Draw bench-m.png, bench-n.png and bench-evaluations.png; return what was drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    # The newest SciPy's run comes last and is the one whose other curves are drawn.
    runs = list(reversed(single_runs(results)))
    for axis in AXES:
        if curves_of(runs, axis):
            drawn.append(folder / f"bench-{axis.lower()}.png")
            draw(runs, axis, drawn[-1])
    return drawn
