"""What `curve_fit` takes besides data and model: bounds, method, options."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from curves import DECAY, LINE, SIGMA, Recorded, T, decay, line, line_jacobian, same

from pyminpack import FitError, curve_fit


class Bounds:
    def __init__(self, lb: Any, ub: Any) -> None:
        self.lb, self.ub = lb, ub


INF = np.inf


@pytest.mark.parametrize(
    "bounds",
    [
        (-INF, INF),
        [-INF, INF],
        ([-INF, -INF], [INF, INF]),
        (-INF, [INF, INF]),
        np.array([[-INF] * 2, [INF] * 2]),
        (None, None),
        Bounds(-INF, INF),
        Bounds(np.full(2, -INF), np.full(2, INF)),
    ],
)
def test_infinite_bounds(bounds: Any) -> None:
    same(line, T, LINE, bounds=bounds)


@pytest.mark.parametrize("method", [None, "lm"])
@pytest.mark.parametrize(
    "bounds",
    [
        (0, 10),
        (0, INF),
        (-INF, 10),
        ([-INF, 0], INF),
        (INF, -INF),
        (np.nan, np.nan),
        Bounds([0, 0], [INF, INF]),
        Bounds(-INF, 5.0),
    ],
)
def test_finite_bounds_say_what_to_use_instead(bounds: Any, method: Any) -> None:
    with pytest.raises(ValueError, match=r"bounds must be .*scipy\.optimize\.curve_fit.*log\(a\)"):
        curve_fit(line, T, LINE, bounds=bounds, method=method)


@pytest.mark.parametrize(
    ("bounds", "error", "message"),
    [
        (None, TypeError, "bounds must be two"),
        (3, TypeError, "bounds must be two"),
        ((1, 2, 3), ValueError, "bounds must be two.* not 3"),
        ((), ValueError, "bounds must be two.* not 0"),
        ("ab", TypeError, "bounds must be real numbers"),
        ((-INF + 0j, INF), TypeError, "bounds must be real numbers"),
    ],
)
def test_what_is_no_bounds(bounds: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        curve_fit(line, T, LINE, bounds=bounds)


def test_method_lm() -> None:
    same(line, T, LINE, method="lm")


@pytest.mark.parametrize("method", ["trf", "dogbox"])
def test_other_methods_say_what_to_use_instead(method: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"method '{method}'.*scipy\.optimize\.curve_fit\(.*'{method}'"
    ):
        curve_fit(line, T, LINE, method=method)


@pytest.mark.parametrize("method", ["LM", "", 3, False, np.array(["lm", "lm"])])
def test_unknown_methods(method: Any) -> None:
    with pytest.raises(ValueError, match="method must be 'lm' or None"):
        curve_fit(line, T, LINE, method=method)


@pytest.mark.parametrize(
    "options",
    [
        {"ftol": 1e-3},
        {"xtol": 1e-3},
        {"gtol": 1e-3},
        {"epsfcn": 1e-8},
        {"factor": 1.0},
        {"diag": (1.0, 2.0, 3.0)},
        {"maxfev": 100},
        {"maxfev": 0},
        {"qr": "blocked"},
        {"col_deriv": 1},  # without effect, as there is no jac
    ],
    ids=str,
)
def test_options_reach_leastsq(options: dict[str, Any]) -> None:
    from pyminpack import leastsq

    popt, _, infodict, _, ier = curve_fit(decay, T, DECAY, full_output=True, **options)
    x, _, expected, _, same_ier = leastsq(
        lambda p: decay(T, *p) - DECAY, [1.0] * 3, full_output=True, **options
    )
    assert_same_bits(popt, x)
    assert ier == same_ier
    for key in ("fvec", "fjac", "qtf", "ipvt"):
        assert_same_bits(infodict[key], expected[key], key)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"args": (1,)}, ValueError, "'args' is not a supported keyword argument.*partial"),
        ({"bogus": 1}, TypeError, r"curve_fit\(\) got an unexpected keyword argument 'bogus'$"),
        ({"loss": "linear"}, TypeError, "unexpected keyword argument 'loss'"),
        ({"max_nfev": 9}, TypeError, "'max_nfev'; its name is 'maxfev' here"),
        ({"Dfun": None}, TypeError, "'Dfun'; its name is 'jac' here"),
        ({"x0": [1, 1]}, TypeError, "'x0'; its name is 'p0' here"),
        ({"func": line}, TypeError, "'func'; its name is 'f' here"),
        ({"ftol": np.nan}, ValueError, "ftol must not be NaN"),
        ({"maxfev": 1.5}, TypeError, "maxfev must be an integer"),
        ({"diag": (1, 1, 1)}, ValueError, "diag must have shape"),
        ({"ftol": -1.0}, FitError, "Improper input parameters. ftol must not be negative"),
        ({"factor": 0}, FitError, "Improper input parameters. factor must be positive"),
        ({"diag": (0, 1)}, FitError, "Improper input parameters. diag must be positive"),
    ],
    ids=str,
)
def test_options_that_are_refused(options: dict[str, Any], error: Any, message: str) -> None:
    model = Recorded(line)
    with pytest.raises(error, match=message):
        curve_fit(model, T, LINE, **options)
    # A misspelt option is not found out after a long first evaluation.
    assert model.calls == (0 if "keyword" in message or "its name" in message else 1)


@pytest.mark.parametrize("f", [3, None, "line"])
@pytest.mark.parametrize("p0", [None, [1.0]])
def test_f_has_to_be_callable(f: Any, p0: Any) -> None:
    with pytest.raises(TypeError, match="f must be callable"):
        curve_fit(f, T, LINE, p0)


@pytest.mark.parametrize("truth", [1, np.True_, "yes"])
def test_full_output_is_any_truth(truth: Any) -> None:
    assert len(curve_fit(line, T, LINE, full_output=truth)) == 5
    assert len(curve_fit(line, T, LINE, full_output=not truth)) == 2


def test_positional_arguments_are_in_scipys_order() -> None:
    found = curve_fit(
        line, T, LINE, [1.0, 1.0], SIGMA, True, True, (-INF, INF), "lm", line_jacobian
    )
    expected = curve_fit(line, T, LINE, sigma=SIGMA, absolute_sigma=True, jac=line_jacobian)
    assert_same_bits(found[1], expected[1])


def test_a_fit_does_not_import_inspect() -> None:
    code = (
        "import sys, numpy; before = set(sys.modules); import pyminpack;"
        "pyminpack.curve_fit(lambda x, a: a * x, [1.0, 2.0], [2.0, 4.1]);"
        "print('inspect' in set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
