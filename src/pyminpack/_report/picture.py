"""A report as a picture: data, fit, confidence band, and residuals. Needs matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._data import as_ydata
from .._messages import not_callable
from .band import normal_quantile, standard_deviation, student_quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import ArrayLike, NDArray

    from . import Report

    _Array = NDArray[np.float64]

# Okabe and Ito's blue and vermilion: apart for colour-blind eyes, and apart in grey.
_DATA = "#4d555e"
_FIT = "#d55e00"
_BAND = "#0072b2"
_LINES = "#9aa4af"
_GRID = "#e6e9ed"

_POINTS = 1000  # of a smooth curve


def draw(
    report: Report,
    f: Callable[..., Any],
    xdata: Any,
    ydata: ArrayLike,
    sigma: ArrayLike | None,
    level: float,
    axes: Iterable[Axes] | None,
    xlabel: str | None,
    ylabel: str,
) -> Figure | SubFigure:
    """Draw what `Report.plot` promises."""
    if not callable(f):
        raise not_callable("f", f)
    level = _core.read_real("level", level)
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be between 0 and 1, not {level:g}")
    # As curve_fit hands them to f.
    x: Any = _core.xdata_array(xdata)
    y: _Array = as_ydata(ydata)
    errors = None if sigma is None else _error_bars(sigma, y.size)
    residuals = y - _values(f, x, report.parameters, y.size)
    above, below = _pair(axes)
    abscissa = _abscissa(x, y.size)
    curve_at: _Array
    if abscissa is None:
        abscissa = curve_at = np.arange(y.size, dtype=np.float64)
        xlabel = "index" if xlabel is None else xlabel
    else:
        x = curve_at = _grid(abscissa, above.get_xscale() == "log")

    def model(parameters: _Array) -> _Array:
        return _values(f, x, parameters, curve_at.size)

    curve = model(report.parameters)
    _draw_curve(above, below, curve_at, curve)
    if not np.isnan(report.standard_errors).any():
        deviation = standard_deviation(
            model, report.parameters, report.standard_errors, report.covariance
        )
        band = _quantile(report, level, y.size) * deviation
        label = f"{100.0 * level:g} % confidence band"
        _draw_band(above, below, curve_at, curve, band, label)
    _draw_dots(above, below, abscissa, y, residuals, errors)
    above.set_ylabel(ylabel)
    below.set_ylabel("residual")
    below.set_xlabel("x" if xlabel is None else xlabel)
    above.legend()
    return above.figure


def _pair(axes: Iterable[Axes] | None) -> tuple[Axes, Axes]:
    """Return axes above and below: those given, or new ones in a figure of their own."""
    if axes is not None:
        pair = tuple(axes)
        if len(pair) != 2:
            raise ValueError(f"axes must be 2, for the data and for the residuals, not {len(pair)}")
        return pair
    try:
        from matplotlib import figure as figures
    except ImportError as error:
        # A broken dependency of an installed matplotlib would need another cure.
        if error.name != "matplotlib":
            raise
        raise ImportError(
            "The picture needs matplotlib, which installs with: pip install 'pyminpack[plot]'",
            name="matplotlib",
        ) from None
    figure = figures.Figure(figsize=(6.4, 4.8), dpi=144, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for each in (above, below):
        each.spines[["top", "right"]].set_visible(False)
        each.spines[["left", "bottom"]].set_color(_LINES)
        each.grid(color=_GRID)
        each.set_axisbelow(True)
    figure.align_ylabels()
    return above, below


def _abscissa(x: Any, m: int) -> _Array | None:
    """Return what the data are drawn over; None if it is not M real numbers."""
    if not hasattr(x, "__array__"):
        return None
    array = _core.any_array("xdata", x)
    if array.shape != (m,) or array.dtype.kind not in "biuf":
        return None
    return _core.real_array("xdata", array)


def _error_bars(sigma: ArrayLike, m: int) -> _Array:
    """Return the standard deviations of the data out of what `curve_fit` takes as sigma."""
    errors = _core.real_array("sigma", sigma)
    if errors.shape == (m, m):
        errors = np.sqrt(np.diag(errors))
    if errors.shape not in ((), (m,)):
        raise ValueError(
            f"sigma must be of shape ({m},) as ydata is, ({m}, {m}), or a number, "
            f"not of shape {errors.shape}"
        )
    return np.broadcast_to(errors, (m,))


def _grid(x: _Array, logarithmic: bool) -> _Array:
    """Return abscissae for a smooth curve, evenly spaced on the axis."""
    first, last = float(np.nanmin(x)), float(np.nanmax(x))
    spaced = np.geomspace if logarithmic and first > 0.0 else np.linspace
    grid: _Array = spaced(first, last, _POINTS, dtype=np.float64)
    return grid


def _values(f: Callable[..., Any], x: Any, parameters: _Array, size: int) -> _Array:
    """Call the model, and check what it returns."""
    values = _core.real_array("what f returns", f(x, *parameters))
    if values.shape not in ((), (size,)):
        raise ValueError(
            f"f must return an array of shape ({size},), a value for each abscissa, "
            f"not of shape {values.shape}"
        )
    return np.broadcast_to(values, (size,))


def _quantile(report: Report, level: float, m: int) -> float:
    """Return the half width of the band in standard errors."""
    freedom = report.degrees_of_freedom
    if freedom is None:
        freedom = m - report.parameters.size
    # Standard errors without degrees of freedom are those of a sigma that is absolute.
    if report.absolute_sigma or freedom <= 0:
        return normal_quantile(level)
    return student_quantile(level, freedom)


def _draw_curve(above: Axes, below: Axes, x: _Array, curve: _Array) -> None:
    # Over the data, which may be so many that they would hide it.
    style: dict[str, Any] = {"color": _FIT, "linewidth": 1.6, "zorder": 3}
    above.plot(x, curve, label="fit", **style)
    below.axhline(0.0, **style)


def _draw_band(
    above: Axes, below: Axes, x: _Array, curve: _Array, band: _Array, label: str
) -> None:
    style: dict[str, Any] = {"color": _BAND, "alpha": 0.25, "linewidth": 0}
    above.fill_between(x, curve - band, curve + band, label=label, **style)
    below.fill_between(x, -band, band, **style)


def _draw_dots(
    above: Axes, below: Axes, x: _Array, y: _Array, residuals: _Array, errors: _Array | None
) -> None:
    size = 4.5 if y.size < 100 else 2.5
    style: dict[str, Any] = {"fmt": "o", "color": _DATA, "markersize": size, "linewidth": 1.0}
    above.errorbar(x, y, errors, label="data", **style)
    below.errorbar(x, residuals, errors, **style)
