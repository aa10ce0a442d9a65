"""A report as a picture: data, fit, confidence band, residuals; and without matplotlib."""

from __future__ import annotations

import doctest
import importlib.metadata
import io
import subprocess
import sys
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from decay import FULL, SIGMA, START, T, Y, full, jacobian, model, residuals
from tooling import ROOT

from pyminpack import _report, leastsq, report
from pyminpack._report.band import normal_quantile, standard_deviation, student_quantile

pytestmark = pytest.mark.thread_unsafe(reason="matplotlib is not made for threads")

stats = pytest.importorskip("scipy.stats", reason="SciPy's quantiles are the oracle")
matplotlib = pytest.importorskip("matplotlib", reason="the pictures need it")
figure_module = pytest.importorskip("matplotlib.figure")

FOUND = report(FULL, names=model)
BAND = "95 % confidence band"


def parts(axes: Any) -> tuple[Any, Any, Any]:
    """Return the line of the fit, the band (None without) and the data of one panel."""
    (line,) = (each for each in axes.lines if each.get_linestyle() == "-")
    bands = [each for each in axes.collections if type(each).__name__ != "LineCollection"]
    assert len(bands) <= 1
    (dots,) = axes.containers
    return line, (bands[0] if bands else None), dots


def edges(band: Any, x: Any) -> tuple[Any, Any]:
    """Return the lower and the upper edge of a band at the abscissae it was drawn over."""
    (path,) = band.get_paths()
    low, high = [], []
    for at in x:
        y = path.vertices[path.vertices[:, 0] == at][:, 1]
        low.append(y.min())
        high.append(y.max())
    return np.array(low), np.array(high)


def analytic(t: Any, b: Any) -> Any:
    """Return the derivatives of the model, shape (3, M)."""
    decay = np.exp(-b[1] * t)
    return np.array([decay, -b[0] * t * decay, np.ones_like(t)])


# What is in it


@pytest.mark.parametrize("sigma", [None, SIGMA])
def test_data_fit_confidence_band_and_residuals(sigma: Any) -> None:
    figure = FOUND.plot(model, T, Y, sigma, xlabel="time (s)", ylabel="voltage (mV)")
    above, below = figure.axes

    line, band, dots = parts(above)
    x, y = line.get_data()
    np.testing.assert_array_equal([x[0], x[-1]], [T.min(), T.max()])
    assert x.size >= 500
    np.testing.assert_array_equal(y, model(x, *FULL[0]))
    np.testing.assert_array_equal(dots.lines[0].get_data(), [T, Y])
    assert dots.has_yerr == (sigma is not None)

    g = analytic(x, FULL[0])
    half = stats.t.ppf(0.975, 4) * np.sqrt(np.einsum("jm,jk,km->m", g, FOUND.covariance, g))
    low, high = edges(band, x)
    np.testing.assert_allclose(high, y + half, rtol=1e-9)
    np.testing.assert_allclose(low, y - half, rtol=1e-9)

    line, band, dots = parts(below)
    assert set(line.get_ydata()) == {0.0}
    np.testing.assert_array_equal(dots.lines[0].get_data(), [T, Y - model(T, *FULL[0])])
    assert dots.has_yerr == (sigma is not None)
    low, high = edges(band, x)
    np.testing.assert_allclose(high, half, rtol=1e-6)
    np.testing.assert_allclose(low, -half, rtol=1e-6)

    assert {each.get_text() for each in above.get_legend().texts} == {"data", "fit", BAND}
    assert [above.get_ylabel(), below.get_ylabel()] == ["voltage (mV)", "residual"]
    assert below.get_xlabel() == "time (s)"


@pytest.mark.parametrize(
    "sigma", [0.25, np.full(7, 0.25), np.full((7, 7), 0.01) + 0.0525 * np.eye(7)]
)
def test_error_bars_of_each_kind_of_sigma(sigma: Any) -> None:
    for axes in FOUND.plot(model, T, Y, sigma).axes:
        _, _, dots = parts(axes)
        (bars,) = dots.lines[2]
        for (_, low), (_, high) in bars.get_segments():
            assert high - low == pytest.approx(0.5)


def test_labels_of_its_own() -> None:
    above, below = FOUND.plot(model, T, Y, level=0.6827).axes
    assert (below.get_xlabel(), above.get_ylabel()) == ("x", "y")
    assert "68.27 % confidence band" in [each.get_text() for each in above.get_legend().texts]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_it_can_be_written_to_a_file(kind: str) -> None:
    stream = io.BytesIO()
    FOUND.plot(model, T, Y, SIGMA).savefig(stream, format=kind)
    assert len(stream.getvalue()) > 10_000


def test_the_picture_is_no_wider_than_a_page() -> None:
    figure = FOUND.plot(model, T, Y)
    width, height = figure.get_size_inches() * figure.dpi
    assert 800 <= width <= 1000
    assert 500 <= height <= width


def test_pyplot_knows_nothing_of_it() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/support');"
        "from decay import *; from pyminpack import report;"
        "report(FULL).plot(model, T, Y);"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "False\n"


def test_the_settings_of_matplotlib_are_left_alone() -> None:
    before = dict(matplotlib.rcParams)
    FOUND.plot(model, T, Y)
    assert dict(matplotlib.rcParams) == before


def test_the_examples_in_docstrings() -> None:
    done = doctest.testmod(_report)
    assert (done.attempted > 10, done.failed) == (True, 0)


# Where it is drawn


def test_axes_that_are_given() -> None:
    figure = figure_module.Figure()
    pair = figure.subplots(2, 1, sharex=True)
    pair[0].plot([0.0, 4.0], [1.0, 5.0], "--", label="mine")
    assert FOUND.plot(model, T, Y, axes=pair) is figure
    assert figure.axes == list(pair)
    texts = [each.get_text() for each in pair[0].get_legend().texts]
    assert texts == ["mine", "fit", BAND, "data"]


def test_axes_of_a_part_of_a_figure() -> None:
    part = figure_module.Figure().subfigures(1, 2)[1]
    assert FOUND.plot(model, T, Y, axes=iter(part.subplots(2, 1))) is part


def test_on_a_logarithmic_axis_the_curve_is_as_smooth_everywhere() -> None:
    pair = figure_module.Figure().subplots(2, 1, sharex=True)
    pair[0].set_xscale("log")
    FOUND.plot(model, T[1:], Y[1:], axes=pair)
    line, _, _ = parts(pair[0])
    ratios = line.get_xdata()[1:] / line.get_xdata()[:-1]
    assert ratios.max() / ratios.min() == pytest.approx(1.0)


def test_zero_on_a_logarithmic_axis() -> None:
    pair = figure_module.Figure().subplots(2, 1)
    pair[0].set_xscale("log")
    FOUND.plot(model, T, Y, axes=pair)
    assert parts(pair[0])[0].get_xdata()[0] == 0.0


@pytest.mark.parametrize("order", [slice(None, None, -1), [3, 0, 5, 1, 6, 2, 4]], ids=repr)
@pytest.mark.parametrize("make", [np.array, list, tuple, lambda x: np.float32(x)])
def test_data_in_any_order_and_form(order: Any, make: Any) -> None:
    above, _ = FOUND.plot(model, make(T[order]), make(Y[order])).axes
    line, _, _ = parts(above)
    assert (np.diff(line.get_xdata()) > 0.0).all()


# Data that have no abscissa


def plane(x: Any, a: float, b: float, c: float) -> Any:
    return a + b * x[0] + c * x[1]


PLANE = np.array([T, T**2])


@pytest.mark.parametrize(
    "form", [PLANE, PLANE.tolist(), {0: T, 1: T**2}], ids=["array", "list", "dict"]
)
def test_other_xdata_are_drawn_over_the_index(form: Any) -> None:
    fit = leastsq(lambda b: plane(PLANE, *b) - Y, START, full_output=True)
    above, below = report(fit).plot(plane, form, Y).axes
    line, band, dots = parts(above)
    np.testing.assert_array_equal(line.get_data(), [np.arange(7), plane(PLANE, *fit[0])])
    np.testing.assert_array_equal(dots.lines[0].get_data(), [np.arange(7), Y])
    assert below.get_xlabel() == "index"
    half = stats.t.ppf(0.975, 4) * np.sqrt(
        np.diag(np.array([T**0, *PLANE]).T @ report(fit).covariance @ np.array([T**0, *PLANE]))
    )
    _, high = edges(band, np.arange(7))
    np.testing.assert_allclose(high, plane(PLANE, *fit[0]) + half, rtol=1e-9)


class Column:
    """Numbers that are no array but give one of themselves, as those of pandas do."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return T

    def __rmul__(self, other: Any) -> Any:
        return other * T


def test_a_column_of_a_table_is_an_abscissa() -> None:
    above, below = FOUND.plot(model, Column(), Y).axes
    np.testing.assert_array_equal(parts(above)[2].lines[0].get_xdata(), T)
    assert below.get_xlabel() == "x"


@pytest.mark.parametrize(
    "x", [T + 1j, np.array(list("abcdefg")), object()], ids=["complex", "text", "object"]
)
def test_whatever_is_no_real_number_is_drawn_over_the_index(x: Any) -> None:
    _, below = FOUND.plot(lambda x, *b: model(T, *b), x, Y).axes
    assert below.get_xlabel() == "index"


def test_points_without_a_value_are_left_out() -> None:
    y = np.where(T == 1.0, np.nan, Y)
    above, below = FOUND.plot(model, T, y, SIGMA).axes
    for axes in (above, below):
        assert np.isnan(parts(axes)[2].lines[0].get_ydata()).tolist() == np.isnan(y).tolist()
    above.figure.savefig(io.BytesIO())


def test_a_label_for_the_index() -> None:
    _, below = FOUND.plot(lambda x, *b: model(T, *b), None, Y, xlabel="channel").axes
    assert below.get_xlabel() == "channel"


def test_a_model_that_is_constant() -> None:
    fit = leastsq(lambda b: b[0] - Y, [1.0], full_output=True)
    above, _ = report(fit).plot(lambda t, mean: mean, T, Y).axes
    line, band, _ = parts(above)
    assert set(line.get_ydata()) == {fit[0][0]}
    low, high = edges(band, line.get_xdata()[:1])
    interval = stats.t.interval(0.95, 6, Y.mean(), stats.sem(Y))
    np.testing.assert_allclose([low[0], high[0]], interval, rtol=1e-6)


# The band


def test_no_band_where_the_covariance_is_not_known() -> None:
    for found in (report(FULL[::4]), report(full(cov_x=None, ier=5))):
        figure = found.plot(model, T, Y)
        assert [parts(axes)[1] for axes in figure.axes] == [None, None]
        texts = [each.get_text() for each in figure.axes[0].get_legend().texts]
        assert sorted(texts) == ["data", "fit"]


def width_at_0(found: Any, level: float = 0.95) -> float:
    above, _ = found.plot(model, T, Y, level=level).axes
    _, band, _ = parts(above)
    low, high = edges(band, [0.0])
    return float(high[0] - low[0]) / 2.0


def deviation_at_0(found: Any) -> float:
    g = analytic(T[:1], found.parameters)[:, 0]
    return float(np.sqrt(g @ found.covariance @ g))


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_the_quantile_is_students_unless_sigma_is_absolute(level: float) -> None:
    absolute = report(leastsq(residuals, START, (SIGMA,), full_output=True), absolute_sigma=True)
    short = report((FULL[0], FOUND.covariance))  # the degrees of freedom are those of the data
    for found, q in (
        (FOUND, stats.t.ppf((1 + level) / 2, 4)),
        (short, stats.t.ppf((1 + level) / 2, 4)),
        (absolute, stats.norm.ppf((1 + level) / 2)),
        (
            replace(short, parameters=short.parameters, absolute_sigma=True),
            stats.norm.ppf((1 + level) / 2),
        ),
    ):
        assert width_at_0(found, level) == pytest.approx(q * deviation_at_0(found), rel=1e-7)


def test_a_covariance_without_degrees_of_freedom_is_that_of_an_absolute_sigma() -> None:
    fit = leastsq(lambda b: model(T[:3], *b) - Y[:3], START, full_output=True)
    found = report((fit[0], report(fit, absolute_sigma=True).covariance))
    above, _ = found.plot(model, T[:3], Y[:3]).axes
    low, high = edges(parts(above)[1], [0.0])
    q = stats.norm.ppf(0.975)
    assert (high[0] - low[0]) / 2.0 == pytest.approx(q * deviation_at_0(found), rel=1e-6)


def test_the_band_covers_the_true_value_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    truth, t = np.array([1.0, 0.5]), np.linspace(0.0, 1.0, 5)
    a = np.array([t**0, t]).T
    trials, covered = 600, 0
    for _ in range(trials):
        y = a @ truth + rng.standard_normal(5)
        found = report(leastsq(lambda b, y=y: a @ b - y, truth, Dfun=lambda b: a, full_output=True))
        deviation = standard_deviation(
            lambda b: a @ b, found.parameters, found.standard_errors, found.covariance
        )
        half = student_quantile(0.9, 3) * deviation
        covered += abs((a @ (found.parameters - truth))[2]) <= half[2]
    # Within three standard deviations of the binomial distribution.
    assert abs(covered / trials - 0.9) < 3.0 * np.sqrt(0.9 * 0.1 / trials)


@pytest.mark.parametrize(
    ("scales", "noise"),
    [
        ([1.0, 1.0, 1.0], 1e-2),
        ([1e-9, 1e9, 1.0], 1e-2),
        ([1.0, 1.0, 1.0], 1e-12),
        ([1e150, 1e-150, 1.0], 1.0),
    ],
)
def test_the_derivatives_are_right_whatever_the_magnitudes(scales: Any, noise: float) -> None:
    scales = np.array(scales)
    b = np.array([3.5, 0.85, 1.5]) * scales
    gram = np.linalg.inv(jacobian(b / scales).T @ jacobian(b / scales)) * noise**2
    g = analytic(T, b / scales)
    exact = np.sqrt(np.einsum("jm,jk,km->m", g, gram, g))
    covariance = gram * np.outer(scales, scales)
    found = standard_deviation(
        lambda p: model(T, *(p / scales)), b, np.sqrt(np.diag(covariance)), covariance
    )
    np.testing.assert_allclose(found, exact, rtol=1e-4 if noise < 1e-9 else 1e-7)


def test_a_phase_that_only_small_steps_see() -> None:
    x = np.linspace(1e5, 1e5 + 1.0, 20)
    b, error = np.array([100.0]), np.array([1e-7])
    found = standard_deviation(lambda p: np.sin(p[0] * x), b, error, np.array([error**2]))
    np.testing.assert_allclose(found, np.abs(np.cos(b[0] * x) * x) * 1e-7, rtol=1e-3, atol=1e-7)


def test_parameters_without_errors_leave_no_band() -> None:
    for b in ([0.0, 2.0], [1.0, 0.0]):
        zero = np.zeros((2, 2))
        found = standard_deviation(lambda p: p[0] + p[1] * T, np.array(b), zero[0], zero)
        assert found.tolist() == [0.0] * 7


LEVELS = [1e-6, 0.01, 0.5, 0.6827, 0.9, 0.95, 0.99, 0.9999, 1 - 1e-6]
FREEDOMS = [*range(1, 40), 99, 100, 500, 999, 1000, 1001, 5000, 10**6, 10**9]


@pytest.mark.parametrize("level", LEVELS)
def test_students_quantiles(level: float) -> None:
    found = np.array([student_quantile(level, freedom) for freedom in FREEDOMS])
    # SciPy's own are right to ten digits, but for one or two that its distribution contradicts.
    theirs = stats.t.isf((1.0 - level) / 2.0, FREEDOMS)
    right = np.isclose(2.0 * stats.t.cdf(theirs, FREEDOMS) - 1.0, level, rtol=1e-8, atol=0.0)
    assert right.sum() >= len(FREEDOMS) - 2
    np.testing.assert_allclose(found[right], theirs[right], rtol=5e-10)


@pytest.mark.parametrize("level", LEVELS)
def test_quantiles_that_have_a_formula(level: float) -> None:
    assert student_quantile(level, 1) == pytest.approx(np.tan(np.pi * level / 2), rel=1e-9)
    tail = (1.0 - level) * (1.0 + level)
    assert student_quantile(level, 2) == pytest.approx(level * np.sqrt(2.0 / tail), rel=1e-9)
    assert NormalDist().cdf(normal_quantile(level)) == pytest.approx((1.0 + level) / 2.0)


# What it refuses


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((3, T, Y), {}, TypeError, "f must be callable"),
        ((model, T, 1j * Y), {}, TypeError, "ydata must be real numbers"),
        ((model, T, np.ones((7, 1))), {}, ValueError, "ydata must be one-dimensional"),
        ((model, T, []), {}, ValueError, "ydata must not be empty"),
        ((model, T, Y[1:]), {}, ValueError, r"f must return an array of shape \(6,\).*\(7,\)"),
        ((lambda t, *b: model(T, *b), T, Y), {}, ValueError, r"\(1000,\).*not of shape \(7,\)"),
        ((lambda t, *b: "text", T, Y), {}, TypeError, "what f returns must be real numbers"),
        ((model, T, Y, SIGMA[1:]), {}, ValueError, r"sigma must be of shape \(7,\).*\(6,\)"),
        ((model, T, Y, "small"), {}, TypeError, "sigma must be real numbers"),
        ((model, T, Y), {"level": 95}, ValueError, "level must be between 0 and 1, not 95"),
        ((model, T, Y), {"level": 0.0}, ValueError, "level must be between 0 and 1"),
        ((model, T, Y), {"level": np.nan}, ValueError, "level must not be NaN"),
        ((model, T, Y), {"level": "high"}, TypeError, "level must be a real number"),
        ((model, T, Y), {"axes": [1, 2, 3]}, ValueError, "axes must be 2, .*, not 3"),
    ],
)
def test_arguments_that_cannot_be(arguments: Any, options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        FOUND.plot(*arguments, **options)


def test_whatever_the_model_raises_reaches_the_caller() -> None:
    class Mine(Exception):
        pass

    def broken(t: Any, *b: float) -> Any:
        raise Mine

    with pytest.raises(Mine):
        FOUND.plot(broken, T, Y)


# Without matplotlib


def test_missing_matplotlib_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError) as caught:
        FOUND.plot(model, T, Y)
    assert str(caught.value) == (
        "The picture needs matplotlib, which installs with: pip install 'pyminpack[plot]'"
    )
    assert caught.value.name == "matplotlib"
    assert caught.value.__suppress_context__
    assert str(FOUND)


def test_an_installed_matplotlib_that_is_broken_says_so_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(matplotlib, "figure")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"^import of matplotlib\.figure halted"):
        FOUND.plot(model, T, Y)


def test_the_extra_that_the_sentence_names_has_matplotlib() -> None:
    try:
        requirements = importlib.metadata.requires("pyminpack") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("what was installed without pip has no metadata")
    assert any("matplotlib" in each and "plot" in each for each in requirements)
