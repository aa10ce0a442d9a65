"""Fits per second against the number of fits, as PNG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyminpack.compare.style import figure_of, save

from . import many
from .many_report import CPUFIT, DERIVATIVES, DIFFERENCES, PEAKS, rates

PICTURES = {"bench-peaks.png": [PEAKS], "bench-exponentials.png": [DIFFERENCES, DERIVATIVES]}
"""The loads of each picture, a panel for each."""

# One call in red, compiled functions in blue, SciPy in grey; loops are dashed.
STYLES: dict[str, dict[str, Any]] = {
    many.TWO_WORKERS: {"color": "C0", "marker": "s", "linewidth": 2.5},
    many.COMPILED_MANY: {"color": "C0", "marker": "o", "linewidth": 2.5},
    many.COMPILED_LOOP: {"color": "C0", "marker": "o", "linestyle": "--"},
    many.MANY: {"color": "C3", "marker": "o", "linewidth": 2.5},
    many.LOOP: {"color": "C3", "marker": "o", "linestyle": "--"},
    many.CURVE_MANY: {"color": "C1", "marker": "^", "linewidth": 2.5},
    many.CURVE_LOOP: {"color": "C1", "marker": "^", "linestyle": "--"},
    many.SCIPY: {"color": "0.4", "marker": "o", "linestyle": "--"},
    many.SCIPY_CURVE: {"color": "0.4", "marker": "^", "linestyle": "--"},
}


def curves_of(load: dict[str, Any]) -> dict[str, list[tuple[int, float]]]:
    """Return for each way the numbers of fits that it made, and its fits per second."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for record in load["sizes"]:
        for name, rate in rates(record).items():
            curves.setdefault(name, []).append((record["times"][name]["fits"], rate))
    return curves


def draw(loads: dict[str, Any], path: Path) -> None:
    figure = figure_of(8 + 3 * (len(loads) - 1), 4.4)
    panels = figure.subplots(1, len(loads), sharey=True, squeeze=False)[0]
    for axes, (name, load) in zip(panels, loads.items(), strict=True):
        curves = curves_of(load)
        for way in (way for way in STYLES if way in curves):
            axes.loglog(*zip(*curves[way], strict=True), label=way, markersize=4, **STYLES[way])
        if name == PEAKS:
            label = "Cpufit in float32, as published"
            axes.axhspan(*CPUFIT, color="0.5", alpha=0.15, linewidth=0, label=label)
        m, n = load["shape"]
        axes.set(xlabel="fits B", title=f"{name}\n{m} residuals, {n} variables each")
        axes.grid(which="major", color="0.9")
    panels[0].set_ylabel("fits per second")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize="small")
    save(figure, path)


def draw_many(results: dict[str, Any], folder: Path) -> list[Path]:
    """Draw the pictures of PICTURES for whose loads there are results; return what was drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    # The newest SciPy's run comes last.
    found = results["runs"][-1].get("many", {})
    drawn = []
    for file, names in PICTURES.items():
        if loads := {name: found[name] for name in names if name in found}:
            drawn.append(folder / file)
            draw(loads, drawn[-1])
    return drawn
