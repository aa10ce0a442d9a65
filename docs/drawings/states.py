"""The requests of the iteration, and what leads from one to the next."""

from __future__ import annotations

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from shapes import arrow, box

STATES = {
    "want_residual": ((0.0, 0.0), "residuals at x", "blue"),
    "want_jacobian": ((3.6, 0.0), "Jacobian at x", "blue"),
    "want_trial": ((7.2, 0.0), "residuals at x + p", "blue"),
    "finished": ((3.6, -2.1), "info says why", "red"),
}
WIDTH, HEIGHT = 2.2, 0.95

# Tail, head, curve; words, where they are and which of their ends is there.
WAYS = [
    ((-1.9, 0.0), (-1.1, 0.0), 0.0, "lm_begin", (-1.66, 0.14), "center"),
    ((1.1, 0.0), (2.5, 0.0), 0.0, "norm of f", (1.8, 0.14), "center"),
    ((4.7, 0.0), (6.1, 0.0), 0.0, "factors", (5.4, 0.14), "center"),
    ((7.2, 0.48), (3.6, 0.48), 0.45, "taken: x becomes x + p", (5.4, 1.2), "center"),
    ((8.3, -0.2), (8.3, 0.2), 1.9, "rejected:\nshorter p", (8.95, -0.16), "left"),
    ((3.6, -0.48), (3.6, -1.62), 0.0, "gradient is small", (3.72, -1.05), "left"),
    ((7.2, -0.48), (4.7, -2.1), -0.3, "a test holds", (6.72, -1.5), "left"),
    ((-1.9, -0.12), (2.5, -2.1), 0.3, "improper argument", (-0.1, -1.5), "left"),
]


def draw(colours: dict[str, str]) -> Figure:
    """Draw the states as boxes and the answers as arrows."""
    figure, axes = plt.subplots(figsize=(9.0, 4.4))
    for name, ((x, y), wants, colour) in STATES.items():
        box(axes, (x - WIDTH / 2, y - HEIGHT / 2), WIDTH, HEIGHT, colours[colour])
        bold = {"family": "monospace", "weight": "bold", "color": colours[colour]}
        axes.text(x, y + 0.16, name, ha="center", va="center", **bold)
        axes.text(x, y - 0.2, wants, ha="center", va="center", fontsize=9.5)
    for tail, head, curve, words, where, side in WAYS:
        arrow(axes, colours["ink"], tail, head, curve)
        axes.text(*where, words, ha=side, va="bottom", fontsize=9.5)
    axes.set(xlim=(-2.2, 10.2), ylim=(-2.7, 1.7))
    axes.axis("off")
    return figure
