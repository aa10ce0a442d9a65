"""What `leastsq` returns, row by row."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest
from rosenbrock import START, rosenbrock, rosenbrock_jacobian

from pyminpack import leastsq

pytestmark = pytest.mark.shim

T = np.linspace(0.0, 3.0, 20)
Y = 2.0 * np.exp(-1.3 * T) + 0.5 + 0.01 * np.cos(7.0 * T)


def decay(x: Any) -> Any:
    return x[0] * np.exp(-x[1] * T) + x[2] - Y


def decay_jacobian(x: Any) -> Any:
    e = np.exp(-x[1] * T)
    return np.column_stack([e, -x[0] * T * e, np.ones_like(T)])


def test_full_output_false() -> None:
    result = leastsq(decay, [1.0, 1.0, 0.0])
    assert type(result) is tuple
    x, ier = result
    assert type(ier) is int
    assert type(x) is np.ndarray


@pytest.mark.parametrize("dfun", [None, decay_jacobian])
def test_full_output_true(dfun: Any) -> None:
    x, cov_x, info, mesg, ier = leastsq(decay, [1.0, 1.0, 0.0], Dfun=dfun, full_output=True)
    keys = ["fvec", "nfev", "njev", "fjac", "ipvt", "qtf"]
    assert list(info) == [key for key in keys if key != "njev" or dfun]
    assert type(ier) is type(info["nfev"]) is type(info.get("njev", 0)) is int
    assert type(mesg) is str
    arrays = {
        "x": (x, np.float64, (3,)),
        "cov_x": (cov_x, np.float64, (3, 3)),
        "fvec": (info["fvec"], np.float64, (20,)),
        "fjac": (info["fjac"], np.float64, (3, 20)),
        "ipvt": (info["ipvt"], np.int32, (3,)),
        "qtf": (info["qtf"], np.float64, (3,)),
    }
    for name, (value, dtype, shape) in arrays.items():
        assert type(value) is np.ndarray, name
        assert value.dtype == dtype, name
        assert value.shape == shape, name
        assert value.flags.c_contiguous, name
        assert value.flags.writeable, name


def test_two_fits_share_no_memory() -> None:
    first, second = (leastsq(decay, [1.0, 1.0, 0.0], full_output=True) for _ in range(2))
    for key in ("fvec", "fjac", "ipvt", "qtf"):
        assert not np.shares_memory(first[2][key], second[2][key])
    assert not np.shares_memory(first[0], second[0])


def test_fvec_is_the_residual_at_the_returned_x() -> None:
    for options in ({}, {"maxfev": 3}, {"maxfev": 12}, {"Dfun": decay_jacobian}):
        x, _, info, _, _ = leastsq(decay, [5.0, 0.1, 3.0], full_output=True, **options)
        np.testing.assert_array_equal(info["fvec"], decay(x))


def test_fvec_is_always_1_d() -> None:
    assert leastsq(lambda x: np.float64(x[0]), 1.0, full_output=True)[2]["fvec"].shape == (1,)


def factored_jacobian() -> tuple[dict[str, Any], Any]:
    """Return infodict of a fit that ends after one Jacobian, and that Jacobian."""
    start = np.array([1.0, 1.0, 0.0])
    info = leastsq(decay, start, Dfun=decay_jacobian, full_output=True, maxfev=1)[2]
    return info, decay_jacobian(start)


def test_r_is_the_upper_triangle_of_fjac_transposed() -> None:
    info, jacobian = factored_jacobian()
    r = np.triu(info["fjac"].T[:3])
    permuted = jacobian[:, info["ipvt"] - 1]
    np.testing.assert_allclose(r.T @ r, permuted.T @ permuted, rtol=1e-13)
    assert (np.diff(np.abs(np.diag(r))) <= 0).all()


def test_ipvt_is_1_based() -> None:
    info, jacobian = factored_jacobian()
    assert sorted(info["ipvt"]) == [1, 2, 3]
    assert info["ipvt"][0] - 1 == np.argmax(np.linalg.norm(jacobian, axis=0))


def test_qtf_is_the_first_n_of_q_transposed_f() -> None:
    info, jacobian = factored_jacobian()
    r = np.triu(info["fjac"].T[:3])
    q = np.linalg.solve(r.T, jacobian[:, info["ipvt"] - 1].T)
    np.testing.assert_allclose(info["qtf"], q @ decay([1.0, 1.0, 0.0]), rtol=1e-12)


@pytest.mark.parametrize("dfun", [None, decay_jacobian])
def test_cov_x_is_the_inverse_of_jtj(dfun: Any) -> None:
    x, cov_x, _, _, _ = leastsq(decay, [1.0, 1.0, 0.0], Dfun=dfun, full_output=True)
    jacobian = decay_jacobian(x)
    np.testing.assert_allclose(cov_x, np.linalg.inv(jacobian.T @ jacobian), rtol=1e-5)


def test_cov_x_is_symmetric_and_in_the_order_of_the_variables() -> None:
    scales = np.array([1e-3, 1.0, 1e3, 10.0])
    _, cov_x, info, _, _ = leastsq(lambda x: scales * x - 1.0, np.ones(4), full_output=True)
    np.testing.assert_array_equal(cov_x, cov_x.T)
    np.testing.assert_allclose(np.diag(cov_x), scales**-2.0, rtol=1e-6)
    assert info["ipvt"].tolist() == [3, 4, 2, 1]


def test_cov_x_is_none_when_r_has_an_exact_zero_on_its_diagonal() -> None:
    _, cov_x, info, _, ier = leastsq(
        lambda x: [x[0], 1.0, 0.0],
        [1.0, 1.0],
        Dfun=lambda x: [[1, 0], [0, 0], [0, 0]],
        full_output=1,
    )
    assert ier in (1, 2, 3, 4)
    assert info["fjac"][1, 1] == 0.0
    assert cov_x is None


def test_cov_x_is_none_when_it_is_not_finite() -> None:
    _, cov_x, _, _, ier = leastsq(
        lambda x: [1e-200 * x[0], 1e-200], [1.0], Dfun=lambda x: [[1e-200], [0.0]], full_output=1
    )
    assert ier in (1, 2, 3, 4)
    assert cov_x is None


def test_cov_x_is_none_when_ier_is_not_1_to_4() -> None:
    for options in ({"maxfev": 1}, {"ftol": 0.0, "xtol": 0.0}, {"factor": -1}):
        _, cov_x, _, _, ier = leastsq(decay, [1.0, 1.0, 0.0], full_output=True, **options)
        assert ier not in (1, 2, 3, 4)
        assert cov_x is None


# ier and mesg


def creeping() -> Any:
    """Return residuals that never settle."""
    # Unlike a generator, it may be asked by many threads at once.
    values = itertools.count(1.0, -1e-6)
    return lambda x: np.full(2, next(values))


ENDINGS = [
    (1, {"func": decay, "x0": [1, 1, 0], "ftol": 0.5, "xtol": 0.0}, ["reduction", "ftol = 0.5"]),
    (2, {"func": decay, "x0": [1, 1, 0], "ftol": 0.0, "xtol": 1e-4}, ["iterates", "xtol = 0.0001"]),
    (
        3,
        {"func": rosenbrock, "x0": [0.9, 0.8], "ftol": 0.9, "xtol": 9.0},
        ["ftol = 0.9", "xtol = 9"],
    ),
    (4, {"func": lambda x: [x[0], 2.0], "x0": 0.0}, ["cosine", "gtol = 0"]),
    (5, {"func": creeping(), "x0": [1, 1], "maxfev": 9, "epsfcn": 1.0}, ["reached maxfev = 9."]),
    (6, {"func": rosenbrock, "x0": START, "ftol": 0.0, "xtol": 0.0}, ["ftol = 0", "too small"]),
    (7, {"func": decay, "x0": [1, 1, 0], "ftol": 0.0, "xtol": 0.0}, ["xtol = 0", "too small"]),
    (
        8,
        {"func": lambda x: [x[0], 1e17], "x0": 1.0, "ftol": 0.0, "xtol": 0.0},
        ["gtol = 0", "too small"],
    ),
    (9, {"func": lambda x: [np.nan, x[0]], "x0": 1.0}, ["not finite"]),
]


@pytest.mark.parametrize(("ier", "problem", "words"), ENDINGS, ids=lambda v: str(v)[:2])
def test_every_ier_and_its_message(ier: int, problem: Any, words: list[str]) -> None:
    found = leastsq(full_output=True, **problem)
    assert found[4] == ier, found
    for word in words:
        assert word in found[3]


def test_tolerances_are_printed_so_that_they_can_be_read() -> None:
    mesg = leastsq(decay, [1.0, 1.0, 0.0], full_output=True)[3]
    assert "1.49012e-08" in mesg
    assert "0.000000" not in mesg


@pytest.mark.parametrize(
    "problem", [p for ier, p, _ in ENDINGS if ier > 4], ids=lambda p: str(p)[:20]
)
def test_5_to_9_warn_at_the_callers_line_when_full_output_is_false(problem: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = leastsq(**problem)
    assert len(result) == 2
    assert [w.category for w in caught] == [RuntimeWarning]
    assert caught[0].filename == __file__
    mesg = leastsq(**problem, full_output=True)[3]
    assert str(caught[0].message) == mesg


@pytest.mark.parametrize("problem", [p for _, p, _ in ENDINGS], ids=lambda p: str(p)[:20])
def test_nothing_warns_when_full_output_is_true(problem: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        leastsq(**problem, full_output=True)


def test_1_to_4_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for ier, problem, _ in ENDINGS[:4]:
            assert leastsq(**problem)[1] == ier


def test_njev_counts_dfun() -> None:
    info = leastsq(rosenbrock, START, Dfun=rosenbrock_jacobian, full_output=True)[2]
    assert 1 < info["njev"] < info["nfev"]
