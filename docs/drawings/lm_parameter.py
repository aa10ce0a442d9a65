"""The search for the Levenberg-Marquardt parameter of the step in lm_step.py."""

from __future__ import annotations

import numpy as np
from lm_step import FACTOR, START, f, jacobian
from matplotlib import pyplot as plt
from matplotlib.figure import Figure


def draw(colours: dict[str, str]) -> Figure:
    """Draw phi, the band that ends the search, and what two iterations make of the first point."""
    j, f0 = jacobian(START), f(START)
    d = np.linalg.norm(j, axis=0)
    bound = FACTOR * np.linalg.norm(d * START)

    def phi_and_slope(parameter: float) -> tuple[float, float]:
        damped = j.T @ j + parameter * np.diag(d**2)
        q = d * np.linalg.solve(damped, -j.T @ f0)
        length = float(np.linalg.norm(q))
        return length - bound, float(-(d * q) @ np.linalg.solve(damped, d * q) / length)

    phi, slope = phi_and_slope(0.0)
    visited = -(phi + bound) / bound * phi / slope
    parameters = np.linspace(0.0, 1.6 * visited, 400)
    figure, axes = plt.subplots(figsize=(8.0, 4.0))
    axes.axhspan(-0.1 * bound, 0.1 * bound, color=colours["green"], alpha=0.2, linewidth=0)
    axes.axhline(0.0, color=colours["green"], linewidth=1)
    phis = [phi_and_slope(parameter)[0] for parameter in parameters]
    axes.plot(parameters, phis, color=colours["blue"], linewidth=2, label=r"$\varphi(\lambda)$")
    ends = np.array([0.0, -1.05 * phi / slope])
    axes.plot(ends, phi + slope * ends, "--", color=colours["grey"], label="tangent: Newton")
    # a / (b + parameter) - bound, with the value and the slope of phi at zero.
    b = -(phi + bound) / slope
    curve = (phi + bound) * b / (b + parameters) - bound
    axes.plot(parameters, curve, ":", color=colours["red"], label="$a / (b + \\lambda) - \\Delta$")
    points = np.array([[parameter, phi_and_slope(parameter)[0]] for parameter in (0.0, visited)])
    axes.plot(*points.T, "o", color=colours["red"], zorder=3, label="visited")
    axes.set(xlabel=r"parameter $\lambda$", ylabel=r"$\varphi$")
    axes.legend()
    return figure
