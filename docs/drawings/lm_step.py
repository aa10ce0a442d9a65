"""One step of Levenberg-Marquardt, taken by pyminpack: what it sees, and what there is."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pyminpack import leastsq

Vector = NDArray[np.float64]

START = np.array([-0.95, 0.3])
FACTOR = 0.6
X_LIMITS, Y_LIMITS = (-2.2, 1.7), (-3.3, 2.1)


def f(x: Vector) -> Vector:
    """Return the residuals: Rosenbrock's valley, less narrow than his."""
    return np.array([2.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])


def jacobian(x: Vector) -> Vector:
    """Return their derivatives."""
    return np.array([[-4.0 * x[0], 2.0], [-1.0, 0.0 * x[0]]])


def first_step() -> Vector:
    """Return the first step that pyminpack tries from START."""
    tried: list[Vector] = []

    def watched(x: Vector) -> Vector:
        tried.append(x.copy())
        return f(x)

    leastsq(watched, START, Dfun=jacobian, factor=FACTOR)
    return tried[1] - tried[0]


def draw(colours: dict[str, str]) -> Figure:
    """Draw contours, bound, curve of all steps, and the step; once for the model, once for f."""
    j, f0 = jacobian(START), f(START)
    d = np.linalg.norm(j, axis=0)
    bound = FACTOR * np.linalg.norm(d * START)
    dampings = np.concatenate([[0.0], np.geomspace(1e-4, 1e4, 500)])
    steps = np.array([-np.linalg.solve(j.T @ j + a * np.diag(d**2), j.T @ f0) for a in dampings])
    angle = np.linspace(0.0, 2.0 * np.pi, 400)
    ellipse = START[:, None] + bound / d[:, None] * np.array([np.cos(angle), np.sin(angle)])

    grid = np.array(np.meshgrid(np.linspace(*X_LIMITS, 160), np.linspace(*Y_LIMITS, 160)))
    away = grid - START[:, None, None]
    model = f0[:, None, None] + np.einsum("ij,jkl->ikl", j, away)

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 5.6), sharey=True)
    landscape(left, colours, grid, (model**2).sum(axis=0))
    landscape(right, colours, grid, (f(grid) ** 2).sum(axis=0))
    left.set_title("What it sees: the linear model")
    right.set_title("What there is: the sum of squares")
    step = first_step()
    for axes in (left, right):
        axes.plot(*ellipse, color=colours["green"], linewidth=1.8)
        axes.plot(*(START + steps).T, color=colours["blue"], linewidth=1.8)
        mark(axes, START, "$x$", colours["ink"], (-14, 6))
        mark(axes, START + steps[0], "Gauss-Newton", colours["blue"], (-8, -4))
        axes.annotate(
            "",
            START + step,
            START,
            arrowprops={"arrowstyle": "-|>", "color": colours["red"], "linewidth": 2.2},
        )
        mark(axes, START + step, "$x + p$", colours["red"], (8, -2))
    left.annotate(
        r"$\|Dp\| = \Delta$",
        ellipse[:, 130],
        (-6, 6),
        textcoords="offset points",
        color=colours["green"],
        ha="right",
    )
    halfway = START + 0.5 * (step + steps[0])
    left.annotate(
        r"$p(\lambda)$", halfway, (8, 2), textcoords="offset points", color=colours["blue"]
    )
    left.set_ylabel("$x_2$")
    return figure


def landscape(axes: Axes, colours: dict[str, str], grid: Vector, squares: Vector) -> None:
    """Draw contours of a sum of squares: the darker, the less."""
    levels = np.geomspace(0.05, 60.0, 12)
    for level in levels:
        axes.contourf(*grid, squares, levels=[-1.0, level], colors=colours["gold"], alpha=0.06)
    axes.contour(*grid, squares, levels, colors=colours["grey"], linewidths=0.6, alpha=0.7)
    axes.set(xlabel="$x_1$", xlim=X_LIMITS, ylim=Y_LIMITS)
    axes.grid(False)


def mark(axes: Axes, at: Vector, text: str, colour: str, offset: tuple[int, int]) -> None:
    """Put a dot with a word beside it, left or right of it as the offset goes."""
    axes.plot(*at, "o", color=colour, markersize=6)
    side = "left" if offset[0] > 0 else "right"
    axes.annotate(text, at, offset, textcoords="offset points", color=colour, ha=side)
