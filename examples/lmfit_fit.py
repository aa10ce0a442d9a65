"""Fit two peaks with lmfit on pyminpack, and compare with NIST's certified values.

Run `python examples/lmfit_fit.py`; it needs lmfit.
"""

from __future__ import annotations

from typing import Final

import lmfit.minimizer
from lmfit.model import ModelResult
from lmfit.models import ExponentialModel, GaussianModel
from nist import load, log_relative_error

import pyminpack

# This, with the imports of the two modules, is all; the rest is as it would be without.
lmfit.minimizer.scipy_leastsq = pyminpack.leastsq

START: Final = {
    "ground_amplitude": 95,
    "ground_decay": 110,
    "left_amplitude": 4400,
    "left_center": 110,
    "left_sigma": 16,
    "right_amplitude": 2600,
    "right_center": 150,
    "right_sigma": 13,
}

CERTIFIED: Final = {
    "ground_amplitude": 0,
    "left_height": 2,
    "left_center": 3,
    "right_height": 5,
    "right_center": 6,
}
"""What lmfit and NIST both have, by its place among NIST's parameters."""


def fit() -> ModelResult:
    """Fit two Gaussian peaks on an exponential ground to the data set Gauss3."""
    model = (
        ExponentialModel(prefix="ground_")
        + GaussianModel(prefix="left_")
        + GaussianModel(prefix="right_")
    )
    data = load()["Gauss3"]
    tolerances = {"ftol": 1e-15, "xtol": 1e-15}
    return model.fit(data.y, model.make_params(**START), x=data.x, fit_kws=tolerances)


def main() -> int:
    """Fit and print lmfit's report and a table."""
    result = fit()
    print(result.fit_report(show_correl=False), end="\n\n")
    data = load()["Gauss3"]
    print(f"{'':18}{'value':>13}{'certified':>13}{'digits':>8}")
    for name, place in CERTIFIED.items():
        value, certified = result.params[name].value, data.certified[place]
        digits = log_relative_error(value, certified)
        print(f"{name:18}{value:13.8g}{certified:13.8g}{digits:8.1f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
