"""`check_finite` and `nan_policy`: NaN and infinity in the data."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from curves import COVARIANCE, LINE, SIGMA, Recorded, T, line, line_jacobian

from pyminpack import FitError, curve_fit

PLAIN = curve_fit(line, T, LINE)
KEPT = np.delete(np.arange(12), [3, 5])


def with_values(array: Any, value: float, *at: int) -> Any:
    changed = array.copy()
    changed[..., list(at)] = value
    return changed


def without(*args: Any, sigma: Any = None, **kwargs: Any) -> Any:
    """Fit the line to all points but 3 and 5."""
    return curve_fit(line, T[KEPT], LINE[KEPT], *args, sigma=sigma, **kwargs)


def assert_same(found: Any, expected: Any) -> None:
    assert_same_bits(found[0], expected[0])
    assert_same_bits(found[1], expected[1])


# check_finite


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("check_finite", "nan_policy"), [(None, None), (True, None), (True, "raise"), (True, "omit")]
)
def test_what_is_not_finite_is_named(check_finite: Any, nan_policy: Any, value: float) -> None:
    options = {"check_finite": check_finite, "nan_policy": nan_policy}
    bad, worse = with_values(T, value, 3), with_values(np.vstack([T, T]), value, 5)
    for xdata, ydata, name in (
        (bad, LINE, rf"xdata must not contain infs or NaNs, and xdata\[3\] is {value}"),
        (bad.tolist(), LINE, r"xdata\[3\]"),
        (worse, LINE, r"xdata\[0, 5\]"),
        (worse[:, ::-1], LINE, r"xdata\[0, 6\]"),
        (T, with_values(LINE, value, 3), r"ydata must not contain infs or NaNs, and ydata\[3\]"),
    ):
        with pytest.raises(ValueError, match=name):
            curve_fit(lambda *args: pytest.fail("called"), xdata, ydata, [1.0], **options)


def test_huge_data_are_finite() -> None:
    popt, _ = curve_fit(line, T * 1e200, LINE, [1e-200, 1.0])
    np.testing.assert_allclose(popt, PLAIN[0] * [1e-200, 1.0], rtol=1e-6)
    curve_fit(line, (T * 1e200)[::-1], LINE[::-1], [1e-200, 1.0])
    unaligned = np.frombuffer(b"x" + T.tobytes(), np.float64, offset=1)
    assert_same(curve_fit(line, unaligned, LINE), PLAIN)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_without_the_check_the_fit_fails_with_all_it_has(value: float) -> None:
    for xdata, ydata in ((T, with_values(LINE, value, 3)), (with_values(T, value, 3), LINE)):
        with pytest.raises(FitError, match="not finite") as caught:
            curve_fit(line, xdata, ydata, check_finite=False)
        assert caught.value.ier == 9
        assert_same_bits(caught.value.popt, np.ones(2))


def test_f_may_make_sense_of_nan() -> None:
    def model(t: Any, a: float, b: float) -> Any:
        return line(np.nan_to_num(t, nan=T[3]), a, b)

    assert_same(curve_fit(model, with_values(T, np.nan, 3), LINE, check_finite=False), PLAIN)


def test_what_is_no_array_is_not_looked_into() -> None:
    xdata = SimpleNamespace(t=with_values(T, np.nan, 3))
    assert_same(curve_fit(lambda x, a, b: line(T, a, b), xdata, LINE), PLAIN)


# nan_policy


@pytest.mark.parametrize("policy", ["raise", "omit"])
@pytest.mark.parametrize("check_finite", [None, False, True])
def test_without_nan_no_policy_changes_anything(policy: Any, check_finite: Any) -> None:
    assert_same(curve_fit(line, T, LINE, nan_policy=policy, check_finite=check_finite), PLAIN)


@pytest.mark.parametrize("check_finite", [None, False])
def test_raise(check_finite: Any) -> None:
    options = {"nan_policy": "raise", "check_finite": check_finite}
    table = with_values(np.vstack([T, T]), np.nan, 5)
    for xdata, ydata, name in (
        (T, with_values(LINE, np.nan, 3), r"ydata\[3\]"),
        (with_values(T, np.nan, 5), LINE, r"xdata\[5\]"),
        (table, LINE, r"xdata\[0, 5\]"),
        (with_values(T + 0j, np.nan, 5), LINE, r"xdata\[5\]"),
        (Column(with_values(T, np.nan, 5)), LINE, r"xdata\[5\]"),
        ([1.0, None], [1.0, 2.0], r"xdata\[1\]"),
    ):
        with pytest.raises(ValueError, match=f"The input contains nan values: {name} is NaN"):
            curve_fit(lambda *args: pytest.fail("called"), xdata, ydata, [1.0], **options)


@pytest.mark.parametrize("jac", [None, line_jacobian])
@pytest.mark.parametrize("check_finite", [None, False])
def test_omit(check_finite: Any, jac: Any) -> None:
    model = Recorded(line)
    found = curve_fit(
        model,
        with_values(T, np.nan, 5),
        with_values(LINE, np.nan, 3),
        nan_policy="omit",
        check_finite=check_finite,
        jac=jac,
        full_output=True,
    )
    assert_same(found, without(jac=jac))
    assert found[2]["fvec"].shape == (10,)
    for xdata in model.xdata:
        assert_same_bits(xdata, T[KEPT])


@pytest.mark.parametrize("jac", [None, line_jacobian])
@pytest.mark.parametrize("sigma", [2.0, [2.0], SIGMA, COVARIANCE], ids=["0-d", "1", "1-d", "2-d"])
def test_omit_takes_the_same_points_out_of_sigma(sigma: Any, jac: Any) -> None:
    kept = np.asarray(sigma)
    kept = kept[KEPT][:, KEPT] if kept.ndim == 2 else kept[KEPT] if kept.size == 12 else sigma
    for absolute in (False, True):
        found = curve_fit(
            line,
            with_values(T, np.nan, 5),
            with_values(LINE, np.nan, 3),
            sigma=sigma,
            absolute_sigma=absolute,
            nan_policy="omit",
            jac=jac,
        )
        assert_same(found, without(sigma=kept, absolute_sigma=absolute, jac=jac))


def test_omit_wants_the_sigma_of_all_points() -> None:
    with pytest.raises(ValueError, match=r"`sigma` has incorrect shape: \(10,\)"):
        curve_fit(line, T, with_values(LINE, np.nan, 3, 5), sigma=SIGMA[KEPT], nan_policy="omit")


@pytest.mark.parametrize(
    ("xdata", "shape"),
    [
        (np.vstack([T, T**2]), (2, 10)),
        (np.vstack([T, T**2]).tolist(), (2, 10)),
        (np.broadcast_to(T, (2, 3, 12)), (2, 3, 10)),
        (np.column_stack([T, T**2]), (10, 2)),
        (np.broadcast_to(T[:, None, None], (12, 2, 3)), (10, 2, 3)),
        (np.broadcast_to(T, (12, 12)), (12, 10)),
    ],
    ids=str,
)
def test_omit_with_several_axes(xdata: Any, shape: tuple[int, ...]) -> None:
    array = np.array(xdata)
    last = array.shape[-1] == 12
    model = Recorded(lambda x, a, b: line(x[(0,) * (x.ndim - 1)] if last else x[:, 0], a, b))
    if array.ndim == 3 and not last:
        model = Recorded(lambda x, a, b: line(x[:, 0, 0], a, b))
    ydata = with_values(LINE, np.nan, 3)
    # NaN in any of the predictors leaves the point out.
    array[(-1,) * (array.ndim - 1) + (5,) if last else (5,) + (-1,) * (array.ndim - 1)] = np.nan
    given = array.tolist() if isinstance(xdata, list) else array
    assert_same(curve_fit(model, given, ydata, nan_policy="omit"), without())
    assert {given.shape for given in model.xdata} == {shape}


def test_omit_where_points_and_xdata_do_not_match() -> None:
    def f(x: Any, a: float, b: float) -> Any:
        return line(T, a, b)

    short = np.array([1.0, np.nan, 3.0])
    for xdata, ydata in ((short, LINE), (np.array(np.nan), LINE), (short[:1], with_nan())):
        with pytest.raises(ValueError, match="nan_policy='omit' has to know the points of xdata"):
            curve_fit(f, xdata, ydata, nan_policy="omit")
    # Where nothing has to go, nothing has to match.
    assert_same(curve_fit(f, short[:1], LINE, nan_policy="omit"), PLAIN)


def with_nan() -> Any:
    return with_values(LINE, np.nan, 3)


class Column:
    """What pandas has for columns, as far as needed here."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values

    def __getitem__(self, keep: Any) -> Column:
        return Column(self.values[keep])


@pytest.mark.parametrize("columns", [(), (2,)])
def test_omit_with_what_gives_an_array_of_itself(columns: tuple[int, ...]) -> None:
    values = np.array(np.broadcast_to(T, (*columns, 12)).T)
    values[5] = np.nan
    model = Recorded(lambda x, a, b: line(x.values[:, 0] if columns else x.values, a, b))
    assert_same(curve_fit(model, Column(values), with_nan(), nan_policy="omit"), without())
    assert all(type(xdata) is Column for xdata in model.xdata)


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_omit_with_points_that_are_no_numbers(kind: Any) -> None:
    words = kind(["a" * n for n in range(1, 13)])
    model = Recorded(lambda x, a, b: line(np.array([len(word) for word in x]), a, b))
    found = curve_fit(model, words, with_values(LINE, np.nan, 3, 5), nan_policy="omit")
    expected, _ = curve_fit(line, 1.0 + KEPT, LINE[KEPT])
    assert_same_bits(found[0], expected)
    assert {type(xdata) for xdata in model.xdata} == {type(words)}


@pytest.mark.parametrize("xdata", [None, SimpleNamespace(t=T), (T, T[:5]), 3.0])
def test_omit_with_an_xdata_that_has_no_points(xdata: Any) -> None:
    with pytest.raises(ValueError, match="nan_policy='omit' cannot leave points out of xdata"):
        curve_fit(lambda x, a, b: line(T, a, b), xdata, with_nan(), nan_policy="omit")
    f = Recorded(lambda x, a, b: line(T, a, b))
    assert_same(curve_fit(f, xdata, LINE, nan_policy="omit"), PLAIN)


def test_none_is_missing_too() -> None:
    xdata, ydata = T.tolist(), LINE.tolist()
    xdata[5] = ydata[3] = None
    assert_same(curve_fit(line, xdata, ydata, nan_policy="omit"), without())


def test_omit_with_a_single_ydata() -> None:
    def difference(t: Any, a: float, b: float) -> Any:
        return line(t, a, b) - np.interp(t, T, LINE)

    xdata = with_values(T, np.nan, 3, 5)
    found = curve_fit(difference, xdata, 0.0, nan_policy="omit", sigma=2.0)
    assert_same(found, curve_fit(difference, T[KEPT], np.zeros(10), sigma=2.0))


def test_omit_of_too_many() -> None:
    for ydata, left in ((np.full(12, np.nan), 0), (with_values(LINE, np.nan, *range(11)), 1)):
        with pytest.raises(TypeError, match=f"must not exceed the number of data points={left}"):
            curve_fit(line, T, ydata, nan_policy="omit")


@pytest.mark.parametrize("policy", ["raise", "omit"])
@pytest.mark.parametrize("check_finite", [None, False])
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_in_ydata_is_refused(policy: Any, check_finite: Any, value: float) -> None:
    ydata = with_values(LINE, value, 3)
    message = rf"ydata contains infinity \(1 times\), and nan_policy='{policy}' is about NaN only"
    with pytest.raises(ValueError, match=message):
        curve_fit(line, T, ydata, nan_policy=policy, check_finite=check_finite)
    if policy == "omit":
        with pytest.raises(ValueError, match=message):
            curve_fit(line, with_values(T, np.nan, 5), ydata, nan_policy="omit")
        # A point that goes for its NaN takes its infinity along.
        both = curve_fit(
            line, with_values(T, np.nan, 3), with_values(ydata, np.nan, 5), nan_policy="omit"
        )
        assert_same(both, without())


@pytest.mark.parametrize("policy", ["raise", "omit"])
def test_infinity_in_xdata_is_f_s_to_judge(policy: Any) -> None:
    def limit(t: Any, a: float, b: float) -> Any:
        return a + b / t

    xdata = np.array([1.0, 2.0, 4.0, np.inf])
    popt, _ = curve_fit(limit, xdata, [5.0, 3.5, 2.8, 2.0], nan_policy=policy)
    expected, _ = curve_fit(lambda u, a, b: a + b * u, 1 / xdata, [5.0, 3.5, 2.8, 2.0])
    np.testing.assert_allclose(popt, expected, rtol=1e-7)
    with pytest.raises(FitError, match="not finite"):
        curve_fit(line, with_values(T, np.inf, 3), LINE, nan_policy=policy)


@pytest.mark.parametrize("policy", ["bogus", "", "RAISE", 3, True, ["omit"], np.array(["omit"])])
@pytest.mark.parametrize("check_finite", [None, False, True])
def test_unknown_policies(policy: Any, check_finite: Any) -> None:
    with pytest.raises(ValueError, match=r"nan_policy must be one of \{None, 'raise', 'omit'\}"):
        curve_fit(line, T, LINE, nan_policy=policy, check_finite=check_finite)


def test_propagate_is_not_supported() -> None:
    with pytest.raises(
        ValueError, match=r"`nan_policy='propagate'` is not supported.*check_finite"
    ):
        curve_fit(line, T, LINE, nan_policy="propagate")
