"""How pictures look; imports matplotlib only when one is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEXT_COLOUR: Final = "#22272e"

STYLE: Final[dict[Any, Any]] = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa4af",
    "axes.labelcolor": TEXT_COLOUR,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e9ed",
    "xtick.color": TEXT_COLOUR,
    "ytick.color": TEXT_COLOUR,
    "text.color": TEXT_COLOUR,
    "legend.frameon": False,
}
"""For matplotlib's rc_context."""


def figure_of(width: float, height: float, **more: Any) -> Figure:
    """Return an empty figure of that many inches, that no display shows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), **{"layout": "constrained", **more})
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path, dpi: int = 120) -> Path:
    """Write the figure as PNG and return its path."""
    # Without the version of matplotlib, the file changes only when the picture does.
    figure.savefig(path, dpi=dpi, metadata={"Software": None}, pil_kwargs={"optimize": True})
    return path
