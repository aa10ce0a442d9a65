"""Other people's code runs on our `leastsq` as it does on SciPy's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bits import SCIPY_HAS_OUR_BITS

import pyminpack

scipy = pytest.importorskip("scipy", reason="SciPy is the client here")


def test_scipys_own_tests_of_leastsq_and_curve_fit() -> None:
    pytest.importorskip("scipy.optimize.tests.test_minpack", reason="this SciPy ships no tests")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "swap_leastsq", "-p", "no:cacheprovider"]
    selection = ["--pyargs", "scipy.optimize.tests.test_minpack", "-k", "LeastSq or CurveFit"]
    done = subprocess.run(
        [*command, *selection],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(scipy.__file__).parent,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "PYTEST_ADDOPTS": ""},
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


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
