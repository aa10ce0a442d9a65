"""The layers of pyminpack, and what passes between them during a fit."""

from __future__ import annotations

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from shapes import arrow, box

LAYERS = [
    ("your program", "func(x) and Dfun(x), data", "grey"),
    ("src/pyminpack/", "Python: signatures, defaults, messages, results", "blue"),
    ("src/core/", "C: the shim. Arrays, calls of your functions, exceptions, the GIL", "green"),
    ("minpack/", "Fortran: MINPACK. Numbers and nothing else", "red"),
]

# Between two layers: what goes down, the file that is the border, what comes up.
BORDERS = [
    ("x0, args, options", "leastsq(func, x0, ...)", "x, cov_x, ier"),
    ("what was given", "src/pyminpack/_core.pyi", "arrays, info"),
    ("norm, factors", "src/core/minpack.h", "the next request"),
]

WIDTH, HEIGHT, GAP = 7.6, 0.78, 0.62


def draw(colours: dict[str, str]) -> Figure:
    """Draw a box a layer, the borders, and the way of a call of the user's function."""
    figure, axes = plt.subplots(figsize=(8.4, 5.2))
    for level, (where, what, colour) in enumerate(LAYERS):
        bottom = -level * (HEIGHT + GAP)
        box(axes, (0.0, bottom), WIDTH, HEIGHT, colours[colour])
        bold = {"family": "monospace", "weight": "bold", "color": colours[colour]}
        axes.text(0.25, bottom + 0.52, where, va="center", **bold)
        axes.text(0.25, bottom + 0.22, what, va="center", fontsize=9.5)
    for level, (down, border, up) in enumerate(BORDERS):
        top = -level * (HEIGHT + GAP)
        middle = top - GAP / 2
        arrow(axes, colours["ink"], (1.0, top), (1.0, top - GAP))
        arrow(axes, colours["ink"], (6.6, top - GAP), (6.6, top))
        axes.text(3.8, middle, border, ha="center", va="center", family="monospace", fontsize=9.5)
        for x, words, side in ((1.15, down, "left"), (6.45, up, "right")):
            axes.text(x, middle, words, ha=side, va="center", fontsize=8.5, color=colours["grey"])
    call_back(axes, colours["gold"])
    axes.set(xlim=(-0.1, 10.2), ylim=(-3 * (HEIGHT + GAP) - 0.1, HEIGHT + 0.1))
    axes.axis("off")
    return figure


def call_back(axes: Axes, colour: str) -> None:
    """Draw the way from the shim to the user's function."""
    shim, user = (HEIGHT / 2 - level * (HEIGHT + GAP) for level in (2, 0))
    arrow(axes, colour, (WIDTH, shim), (WIDTH, user), 0.45)
    words = "func or Dfun,\nwith an array\nof its own"
    axes.text(WIDTH + 0.85, (shim + user) / 2, words, color=colour, va="center")
