"""What `curve_fit` returns: SciPy's and NIST's numbers, and a call of f for each that it counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits, needs_scipy
from curves import (
    COVARIANCE,
    DECAY,
    LINE,
    SIGMA,
    Recorded,
    T,
    decay,
    decay_jacobian,
    line,
    line_jacobian,
)
from nist_cases import (
    DATASETS,
    TIGHT,
    Case,
    Dataset,
    Digits,
    load_record,
    log_relative_error,
    solve,
)

from pyminpack import FitError, OptimizeWarning, curve_fit, leastsq

WEIGHTS: dict[str, dict[str, Any]] = {
    "none": {},
    "scalar": {"sigma": 0.3},
    "vector": {"sigma": SIGMA},
    "matrix": {"sigma": COVARIANCE},
}
PLAIN = curve_fit(line, T, LINE)

each_set = pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS.keys())


# The form of it


@pytest.mark.parametrize("jac", [None, line_jacobian])
@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_types_and_shapes(weights: dict[str, Any], jac: Any) -> None:
    assert len(curve_fit(line, T, LINE, jac=jac, **weights)) == 2
    result = curve_fit(line, T, LINE, jac=jac, full_output=True, **weights)
    assert type(result) is tuple
    popt, pcov, infodict, mesg, ier = result
    assert (type(mesg), type(ier), type(infodict["nfev"])) == (str, int, int)
    keys = ["fvec", "nfev", "njev", "fjac", "ipvt", "qtf"]
    assert list(infodict) == [key for key in keys if key != "njev" or jac]
    arrays = {
        "popt": (popt, (2,)),
        "pcov": (pcov, (2, 2)),
        "fvec": (infodict["fvec"], (12,)),
        "fjac": (infodict["fjac"], (2, 12)),
        "qtf": (infodict["qtf"], (2,)),
    }
    for name, (array, shape) in arrays.items():
        assert type(array) is np.ndarray, name
        assert (array.dtype, array.shape) == (np.float64, shape), name
        assert array.flags.writeable, name


def test_fvec_is_weighted() -> None:
    popt, _, infodict, _, _ = curve_fit(line, T, LINE, sigma=SIGMA, full_output=True)
    np.testing.assert_allclose(infodict["fvec"], (line(T, *popt) - LINE) / SIGMA, rtol=1e-12)


# SciPy's bits


def differential(options: dict[str, Any], f: Any, xdata: Any, ydata: Any, exact: bool) -> None:
    """Compare with SciPy 1.14.1; `exact`: bit for bit, else as rounding lets them agree."""
    from scipy.optimize import curve_fit as theirs

    *ours, infodict, _, ier = curve_fit(f, xdata, ydata, full_output=True, **options)
    *expected, original, _, original_ier = theirs(f, xdata, ydata, full_output=True, **options)
    assert ier == original_ier
    if not exact:
        np.testing.assert_allclose(ours[0], expected[0], rtol=1e-7)
        norm = np.linalg.norm(original["fvec"])
        np.testing.assert_allclose(infodict["fvec"], original["fvec"], rtol=0, atol=1e-6 * norm)
    else:
        assert_same_bits(ours[0], expected[0], "popt")
        for key in ("fvec", "fjac", "ipvt", "qtf"):
            assert_same_bits(infodict[key], original[key], key)
    # The covariances are inverted in different ways; and differences magnify rounding.
    scale = np.sqrt(np.outer(np.diag(expected[1]), np.diag(expected[1])))
    off = 1e-9 if exact or "jac" in options else 1e-5
    np.testing.assert_allclose(ours[1] / scale, expected[1] / scale, rtol=0, atol=off)


@needs_scipy
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("jac", [None, decay_jacobian])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_bits_are_scipys(weights: str, jac: Any, absolute: bool) -> None:
    options = {"p0": [1.0, 1.0, 0.0], "absolute_sigma": absolute, **WEIGHTS[weights]}
    if jac is not None:
        options["jac"] = jac
    if weights == "scalar":
        # With jac SciPy fails on a scalar.
        options["sigma"] = [0.3]
    differential(options, decay, T, DECAY, exact=weights != "matrix")


@needs_scipy
@pytest.mark.parametrize("seed", range(40))
def test_the_bits_are_scipys_on_random_problems(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m = int(rng.integers(6, 60))
    x = np.sort(rng.uniform(0.0, 3.0, m))

    def model(x: Any, a: float, b: float, c: float) -> Any:
        return a * np.exp(-b * x) + np.cos(c * x)

    y = model(x, *rng.uniform(0.5, 1.5, 3)) + 0.05 * rng.normal(size=m)
    sigma = [None, rng.uniform(0.1, 3.0), rng.uniform(0.1, 3.0, m), rng.integers(1, 9, m)][seed % 4]
    options = {"sigma": sigma, "epsfcn": [None, 1e-10][seed % 2]}
    differential(options, model, x, y, exact=True)


@needs_scipy
@pytest.mark.parametrize("seed", range(10))
def test_correlated_data_agree_with_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(12, 14)) * 10.0 ** rng.uniform(-3, 3, 12)[:, None]
    options = {"sigma": root @ root.T, "p0": [2, 1, 0.5], "jac": decay_jacobian}
    differential(options, decay, T, DECAY, exact=False)


# NIST


# From the first start of BoxBOD the Jacobian becomes zero in a column: tests/bits/test_nist.py.
STARTS = {name: (2,) if name == "BoxBOD" else (1, 2) for name in DATASETS}


@cache
def recorded_fit(name: str, start: int) -> tuple[Recorded, Any]:
    dataset = DATASETS[name]
    model = Recorded(lambda x, *b: dataset.model(np.array(b)))
    p0 = dataset.starts[start - 1]
    return model, curve_fit(model, dataset.x, dataset.y, p0, full_output=True, **TIGHT)


@each_set
def test_nists_certified_values(dataset: Dataset) -> None:
    """To the digits that leastsq's record has, which has its floor in tests/bits/test_nist.py."""
    case = Case(dataset.name, 2, "tight", "exact")
    popt, pcov, infodict, _, _ = curve_fit(
        lambda x, *b: dataset.model(np.array(b)),
        dataset.x,
        dataset.y,
        dataset.starts[1],
        jac=lambda x, *b: dataset.jacobian(np.array(b)),
        full_output=True,
        **TIGHT,
    )
    found = Digits(
        float(log_relative_error(popt, dataset.certified).min()),
        float(log_relative_error(np.sqrt(np.diag(pcov)), dataset.standard_errors).min()),
        float(log_relative_error(infodict["fvec"] @ infodict["fvec"], dataset.rss)),
    )
    least = load_record()[case.key].least
    assert all(now > before - 0.5 for now, before in zip(found, least, strict=True)), (found, least)
    assert_same_bits(popt, solve(case, dataset).parameters)


@each_set
def test_f_is_called_nfev_times_and_never_twice_in_a_row_with_the_same_parameters(
    dataset: Dataset,
) -> None:
    for start in STARTS[dataset.name]:
        model, (popt, _, infodict, _, _) = recorded_fit(dataset.name, start)
        assert model.calls == infodict["nfev"]
        assert model.repeats == 0
        straight = solve(Case(dataset.name, start, "tight", "difference"), dataset)
        assert_same_bits(popt, straight.parameters)
        # MINPACK's own count has the repeats in it.
        assert infodict["nfev"] <= straight.nfev


def test_minpack_does_ask_twice() -> None:
    starts = [(name, start) for name in DATASETS for start in STARTS[name]]
    asked = (solve(Case(*at, "tight", "difference"), DATASETS[at[0]]).nfev for at in starts)
    called = (recorded_fit(*at)[0].calls for at in starts)
    assert sum(called) < sum(asked)


# What is called, and how often


@pytest.mark.parametrize("p0", [None, [1, 1, 0]])
@pytest.mark.parametrize("options", [{}, {"ftol": 0.0, "xtol": 0.0}, {"qr": "blocked"}], ids=str)
@pytest.mark.parametrize("nan_policy", [None, "raise", "omit"])
@pytest.mark.parametrize("jac", [None, decay_jacobian])
@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_every_call_is_counted_once(
    weights: dict[str, Any], jac: Any, nan_policy: Any, options: dict[str, Any], p0: Any
) -> None:
    model = Recorded(decay)
    jacobian = None if jac is None else Recorded(jac)
    ydata = DECAY.copy()
    if nan_policy == "omit":
        ydata[3] = np.nan
    try:
        *_, infodict, _, _ = curve_fit(
            model, T, ydata, p0, jac=jacobian, nan_policy=nan_policy, full_output=True,
            **weights, **options,
        )  # fmt: skip
    except FitError as error:  # tolerances of zero are too small
        assert options.get("ftol") == 0
        infodict = error.infodict
    assert model.calls == infodict["nfev"]
    assert model.repeats == 0
    if jacobian is not None:
        assert jacobian.calls == infodict["njev"]


# Covariance


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_covariance_of_a_line(weights: dict[str, Any]) -> None:
    matrix = line_jacobian(T, 0.0, 0.0)
    sigma = np.asarray(weights.get("sigma", 1.0))
    covariance = sigma if sigma.ndim == 2 else np.diag(np.broadcast_to(sigma, 12) ** 2)
    gram = matrix.T @ np.linalg.solve(covariance, matrix)
    expected = np.linalg.solve(gram, matrix.T @ np.linalg.solve(covariance, LINE))
    residuals = matrix @ expected - LINE
    chi_squared = residuals @ np.linalg.solve(covariance, residuals)

    popt, pcov = curve_fit(line, T, LINE, absolute_sigma=True, **weights)
    np.testing.assert_allclose(popt, expected, rtol=1e-7)
    np.testing.assert_allclose(pcov, np.linalg.inv(gram), rtol=1e-6)
    assert_same_bits(pcov, pcov.T.copy())
    _, relative = curve_fit(line, T, LINE, **weights)
    np.testing.assert_allclose(relative, pcov * chi_squared / 10, rtol=1e-10)


def test_the_covariance_is_leastsqs_cov_x() -> None:
    _, cov_x, infodict, _, _ = leastsq(lambda p: line(T, *p) - LINE, [1.0, 1.0], full_output=True)
    fvec = infodict["fvec"]
    assert_same_bits(curve_fit(line, T, LINE, absolute_sigma=True)[1], cov_x)
    np.testing.assert_allclose(curve_fit(line, T, LINE)[1], cov_x * (fvec @ fvec / 10), rtol=1e-14)


def test_as_many_points_as_parameters() -> None:
    with pytest.warns(OptimizeWarning, match="as many points as parameters, 2.*absolute_sigma"):
        popt, pcov = curve_fit(line, [1.0, 2.0], [3.0, 5.0])
    np.testing.assert_allclose(popt, [2.0, 1.0], rtol=1e-7)
    assert_same_bits(pcov, np.full((2, 2), np.inf))
    for sigma in (None, [1.0, 1.0]):
        _, pcov = curve_fit(line, [1.0, 2.0], [3.0, 5.0], sigma=sigma, absolute_sigma=True)
        np.testing.assert_allclose(pcov, [[2.0, -3.0], [-3.0, 5.0]], rtol=1e-6)


@pytest.mark.parametrize("jac", [None, lambda t, a, b: np.column_stack([t, 0 * t])])
@pytest.mark.parametrize("absolute", [False, True])
def test_a_jacobian_without_full_rank(absolute: bool, jac: Any) -> None:
    with pytest.warns(OptimizeWarning, match="could not be estimated: .* not have full rank"):
        popt, pcov, _, _, ier = curve_fit(
            lambda t, a, b: a * t, T, LINE, jac=jac, absolute_sigma=absolute, full_output=True
        )
    assert popt == pytest.approx([T @ LINE / (T @ T), 1.0])
    assert_same_bits(pcov, np.full((2, 2), np.inf))
    assert ier in (1, 2, 3, 4)


def test_a_sum_of_squares_beyond_float64() -> None:
    with pytest.warns(OptimizeWarning, match="the sum of squares is too large"):
        _, pcov = curve_fit(lambda t, a: a * t, T, 1e200 * np.cos(9 * T), [1e200])
    assert_same_bits(pcov, np.full((1, 1), np.inf))


def test_a_perfect_fit_has_no_variance() -> None:
    popt, pcov = curve_fit(line, T, 2.0 * T, [2.0, 0.0])
    assert_same_bits(popt, np.array([2.0, 0.0]))
    assert not pcov.any()


# Several at a time


def test_nested_fits() -> None:
    expected = curve_fit(decay, T, DECAY, sigma=SIGMA)

    def f(t: Any, a: float, b: float, c: float) -> Any:
        assert_same_bits(curve_fit(line, T, LINE)[0], PLAIN[0])
        return decay(t, a, b, c)

    found = curve_fit(f, T, DECAY, sigma=SIGMA)
    assert_same_bits(found[0], expected[0])
    assert_same_bits(found[1], expected[1])


def test_threads() -> None:
    expected = {name: curve_fit(decay, T, DECAY, **weights) for name, weights in WEIGHTS.items()}

    def work(_: int) -> None:
        for name, weights in WEIGHTS.items():
            for _ in range(5):
                popt, pcov = curve_fit(decay, T, DECAY, **weights)
                assert_same_bits(popt, expected[name][0])
                assert_same_bits(pcov, expected[name][1])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
