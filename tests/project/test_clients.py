"""Other people's code runs on our `leastsq` and `curve_fit` as it does on SciPy's."""

from __future__ import annotations

import functools
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from alone import SUPPORT, run_alone
from bits import SCIPY_HAS_OUR_BITS, Counted, assert_same_bits, needs_scipy, packed, scipy_leastsq
from nist_cases import EXAMPLES, load

import pyminpack

assert_close = functools.partial(np.testing.assert_allclose, rtol=1e-7)

scipy = pytest.importorskip("scipy", reason="SciPy is the client here")


def run_scipys_own_tests(plugin: str, selection: str) -> None:
    """Run tests of SciPy's with one of our functions in their place."""
    pytest.importorskip("scipy.optimize.tests.test_minpack", reason="this SciPy ships no tests")
    command = [sys.executable, "-m", "pytest", "-q", "-p", plugin, "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--pyargs", "scipy.optimize.tests.test_minpack", "-k", selection],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(scipy.__file__).parent,
        # SciPy's folder has a package called signal, which is not to be taken for Python's module.
        env={
            **os.environ,
            "PYTHONPATH": str(SUPPORT),
            "PYTHONSAFEPATH": "1",
            "PYTEST_ADDOPTS": "",
        },
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "failed" not in done.stdout
    (calls,) = re.findall(r"^(\d+) calls were pyminpack's$", done.stdout, re.MULTILINE)
    assert int(calls) > 50


def test_scipys_own_tests_of_leastsq_and_curve_fit() -> None:
    run_scipys_own_tests("swap_leastsq", "LeastSq or CurveFit")


def test_scipys_own_tests_of_curve_fit_on_ours() -> None:
    # All of them pass. What is in them of bounds, trf and dogbox is SciPy's own.
    run_scipys_own_tests("swap_curve_fit", "CurveFit")


def test_scipys_curve_fit_gives_the_same_on_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.optimize import _minpack_py, curve_fit

    t = np.linspace(0.0, 4.0, 30)
    y = 2.5 * np.exp(-1.3 * t) + 0.5 + 0.01 * np.sin(9 * t)

    def model(t: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
        return a * np.exp(-b * t) + c

    theirs = curve_fit(model, t, y, full_output=True)
    monkeypatch.setattr(_minpack_py, "leastsq", pyminpack.leastsq)
    ours = curve_fit(model, t, y, full_output=True)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-7)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-5)
    if SCIPY_HAS_OUR_BITS:
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert ours[2]["nfev"] == theirs[2]["nfev"]
    assert ours[4] in (1, 2, 3, 4)


def test_lmfit_gives_the_same_on_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    lmfit = pytest.importorskip("lmfit", reason="lmfit is the client here")
    x = np.linspace(-4.0, 4.0, 101)
    y = lmfit.lineshapes.gaussian(x, 3.0, 0.4, 0.9) + 0.02 * np.cos(11 * x)
    model = lmfit.models.GaussianModel()
    start = model.make_params(amplitude=1.0, center=0.0, sigma={"value": 2.0, "min": 0.1})

    theirs = model.fit(y, start, x=x)
    monkeypatch.setattr(lmfit.minimizer, "scipy_leastsq", pyminpack.leastsq)
    ours = model.fit(y, start, x=x)
    for name in ours.params:
        assert ours.params[name].value == pytest.approx(theirs.params[name].value, rel=1e-7)
        assert ours.params[name].stderr == pytest.approx(theirs.params[name].stderr, rel=1e-5)
    # lmfit takes off the calls that SciPy's leastsq makes beside the algorithm's; ours makes none.
    assert ours.ier in (1, 2, 3, 4)
    assert ours.errorbars


# lmfit, by the three lines of its example


def fit_the_lmfit_example() -> None:
    from lmfit import minimizer

    counted = Counted(pyminpack.leastsq)
    pyminpack.leastsq = counted
    example = importlib.import_module("lmfit_fit")
    assert minimizer.scipy_leastsq is counted
    ours = example.fit()
    assert counted.calls == 1
    with patch.object(minimizer, "scipy_leastsq", scipy_leastsq):
        theirs = example.fit()
    assert counted.calls == 1

    assert ours.params.keys() == theirs.params.keys()
    for name in theirs.params:
        assert_same_bits(ours.params[name].value, theirs.params[name].value, name)
    for name in ("residual", "best_fit", "chisqr", "redchi", "aic", "bic", "rsquared"):
        assert_same_bits(getattr(ours, name), getattr(theirs, name), name)
    assert (ours.ier, ours.success, ours.message) == (theirs.ier, theirs.success, theirs.message)
    # SciPy's leastsq makes two calls beside the algorithm's, and ours makes none.
    assert ours.nfev == theirs.nfev - 2
    # SciPy inverts R by LAPACK.
    np.testing.assert_allclose(ours.covar, theirs.covar, rtol=1e-10)
    for name in theirs.params:
        assert ours.params[name].stderr == pytest.approx(theirs.params[name].stderr, rel=1e-10)


@needs_scipy
def test_the_lmfit_example_goes_through_ours_with_the_bits_of_scipy() -> None:
    pytest.importorskip("lmfit", reason="lmfit is the client here")
    assert run_alone(fit_the_lmfit_example) == ""


def test_the_lmfit_example_agrees_with_nist() -> None:
    pytest.importorskip("lmfit", reason="lmfit is the client here")
    command = [sys.executable, "-W", "error", str(EXAMPLES / "lmfit_fit.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "# fitting method   = leastsq" in done.stdout
    rows = [line.split() for line in done.stdout.rsplit("digits\n", 1)[1].splitlines()]
    certified = load()["Gauss3"].certified
    assert [float(row[2]) for row in rows] == pytest.approx(certified[[0, 2, 3, 5, 6]])
    # Its Jacobian is by differences, and its parameters are not NIST's.
    assert min(float(row[3]) for row in rows) > 6


def test_lmfits_minimize_and_its_aborts_work_on_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    lmfit = pytest.importorskip("lmfit", reason="lmfit is the client here")
    counted = Counted(pyminpack.leastsq)
    monkeypatch.setattr(lmfit.minimizer, "scipy_leastsq", counted)
    t = np.linspace(0.0, 3.0, 20)

    def residuals(params: lmfit.Parameters) -> np.ndarray:
        values = params.valuesdict()
        return values["a"] * np.exp(-values["k"] * t) - 2 * np.exp(-0.7 * t)

    params = lmfit.create_params(a={"value": 1.0, "min": 0}, k={"value": 1.0, "max": 5})
    result = lmfit.minimize(residuals, params)
    assert result.params["a"].value == pytest.approx(2.0)
    assert result.params["k"].value == pytest.approx(0.7)
    assert counted.calls == 1
    # lmfit raises in the residuals what it then catches outside of leastsq.
    stopped = lmfit.minimize(residuals, params, max_nfev=7)
    assert stopped.aborted
    assert counted.calls == 2
    # Of lmfit's limit SciPy takes two calls away.
    assert not lmfit.minimize(residuals, params, max_nfev=result.nfev + 1).aborted
    monkeypatch.setattr(lmfit.minimizer, "scipy_leastsq", scipy_leastsq)
    assert lmfit.minimize(residuals, params, max_nfev=result.nfev + 1).aborted


def test_lmfit_hears_of_a_jacobian_that_is_not_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    lmfit = pytest.importorskip("lmfit", reason="lmfit is the client here")
    params = lmfit.create_params(a=1.0, b=2.0)

    def residuals(params: lmfit.Parameters) -> np.ndarray:
        return np.full(5, params["a"].value)

    def jacobian(params: lmfit.Parameters) -> np.ndarray:
        return np.full((5, 2), np.nan)

    options = {"Dfun": jacobian, "nan_policy": "propagate"}
    theirs = lmfit.minimize(residuals, params, **options)
    monkeypatch.setattr(lmfit.minimizer, "scipy_leastsq", pyminpack.leastsq)
    ours = lmfit.minimize(residuals, params, **options)
    assert (theirs.ier, theirs.success) == (4, True)
    assert (ours.ier, ours.success, ours.errorbars) == (9, False, False)


@needs_scipy
def test_large_lmfit_fits_have_the_bits_with_a_partial(monkeypatch: pytest.MonkeyPatch) -> None:
    lmfit = pytest.importorskip("lmfit", reason="lmfit is the client here")
    x = np.linspace(-4.0, 4.0, 25_000)
    y = lmfit.lineshapes.gaussian(x, 3.0, 0.4, 0.9) + 0.02 * np.cos(11 * x)
    model = lmfit.models.GaussianModel()
    start = model.make_params(amplitude=1.0, center=0.0, sigma=2.0)
    theirs = model.fit(y, start, x=x).params

    exact = functools.partial(pyminpack.leastsq, qr="minpack")
    for leastsq, same in ((exact, assert_same_bits), (pyminpack.leastsq, assert_close)):
        monkeypatch.setattr(lmfit.minimizer, "scipy_leastsq", leastsq)
        ours = model.fit(y, start, x=x).params
        for name in theirs:
            same(ours[name].value, theirs[name].value)


# astropy, which looks the name up in SciPy


def fit_by_astropy() -> None:
    from astropy.modeling import fitting, models

    x = np.linspace(-5.0, 5.0, 200)
    y = 3 * np.exp(-0.5 * (x - 1.3) ** 2 / 0.8**2) + 0.01 * np.sin(17 * x)
    start = models.Gaussian1D(amplitude=1.0, mean=0.0, stddev=1.0)

    counted = Counted(pyminpack.leastsq)
    fits = []
    for leastsq in (scipy_leastsq, counted):
        fitter = fitting.LevMarLSQFitter(calc_uncertainties=True)
        with patch.object(scipy.optimize, "leastsq", leastsq):
            fits.append((fitter(start, x, y), fitter.fit_info))
    (theirs, their_info), (ours, our_info) = fits
    assert counted.calls == 1
    assert_same_bits(ours.parameters, theirs.parameters)
    for name in ("fvec", "fjac", "ipvt", "qtf"):
        assert_same_bits(our_info[name], their_info[name], name)
    assert our_info["nfev"] == their_info["nfev"]
    np.testing.assert_allclose(ours.stds.stds, theirs.stds.stds, rtol=1e-10)


@needs_scipy
def test_astropy_gives_the_same_on_ours() -> None:
    pytest.importorskip("astropy", reason="astropy is the client here")
    assert run_alone(fit_by_astropy) == ""


# What a test of astropy depends on: a model that nearly all data are too far away for


@needs_scipy
@pytest.mark.parametrize("row", [0, 17, 9999])
def test_a_jacobian_with_a_single_row_that_is_not_zero(row: int) -> None:
    jacobian = np.zeros((10_000, 5))
    jacobian[row] = [0.3, -0.7, 1.1, 0.9, -0.2]
    f0 = np.cos(np.arange(10_000.0))

    def func(x: np.ndarray) -> np.ndarray:
        return jacobian @ x + f0

    def fit(leastsq: Any, **options: Any) -> Any:
        return leastsq(func, np.zeros(5), Dfun=lambda x: jacobian, full_output=True, **options)

    theirs = fit(scipy_leastsq)
    assert theirs[1] is None
    exact = fit(pyminpack.leastsq, qr="minpack")
    assert_same_bits(packed(exact), packed(theirs))
    assert exact[1] is None
    # What is exactly zero there is rounding by blocks.
    by_blocks = fit(pyminpack.leastsq, qr="blocked")
    rest = np.abs(np.triu(by_blocks[2]["fjac"].T[:5])[1:])
    assert rest.max() < 1e-15
    assert (by_blocks[2]["fvec"] ** 2).sum() == pytest.approx((exact[2]["fvec"] ** 2).sum())


@pytest.mark.parametrize("qr", ["minpack", "blocked"])
def test_a_jacobian_with_two_such_rows_is_rounding_either_way(qr: str) -> None:
    jacobian = np.zeros((10_000, 5))
    jacobian[[17, 9999]] = [[0.3, -0.7, 1.1, 0.9, -0.2], [0.8, 0.1, -0.6, 0.5, 0.4]]
    _, _, info, _, _ = pyminpack.leastsq(
        lambda x: jacobian @ x + 1.0,
        np.zeros(5),
        Dfun=lambda x: jacobian,
        full_output=True,
        maxfev=1,
        qr=qr,
    )
    rest = np.abs(np.triu(info["fjac"].T[:5])[2:])
    assert 0 < rest.max() < 1e-15
