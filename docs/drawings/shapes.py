"""Boxes and arrows, for the drawings that are made of them."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

Point = tuple[float, float]


def box(axes: Axes, corner: Point, width: float, height: float, colour: str) -> None:
    """Draw a box in a colour, and lightly filled with it."""
    style = "round,pad=0,rounding_size=0.13"
    for face, alpha, edge in ((colour, 0.14, "none"), ("none", 1.0, colour)):
        axes.add_patch(
            FancyBboxPatch(
                corner,
                width,
                height,
                style,
                facecolor=face,
                alpha=alpha,
                edgecolor=edge,
                linewidth=1.4,
            )
        )


def arrow(axes: Axes, colour: str, tail: Point, head: Point, curve: float = 0.0) -> None:
    """Draw an arrow, bent to the left of its way when `curve` is negative."""
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.4, "shrinkA": 1, "shrinkB": 1}
    axes.annotate("", head, tail, arrowprops=style | {"connectionstyle": f"arc3,rad={curve}"})
