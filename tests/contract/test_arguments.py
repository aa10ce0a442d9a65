"""What `leastsq` promises of its arguments, row by row."""

from __future__ import annotations

import inspect
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from bits import Counted
from wrappers import Subclass

import pyminpack
from pyminpack import leastsq

pytestmark = pytest.mark.shim

T = np.linspace(0.0, 4.0, 9)
Y = 3.0 * np.exp(-0.7 * T) + np.array([0.02, -0.01, 0.03, 0.0, -0.02, 0.01, 0.0, -0.03, 0.02])


def decay(x: Any, t: Any = T, y: Any = Y) -> Any:
    return x[0] * np.exp(-x[1] * t) - y


def decay_jacobian(x: Any, t: Any = T, y: Any = Y) -> Any:
    return np.column_stack([np.exp(-x[1] * t), -x[0] * t * np.exp(-x[1] * t)])


BEST, _ = leastsq(decay, [1.0, 1.0])


def refuse_to_be_called(*args: Any) -> Any:
    raise AssertionError("func was called before its arguments were checked")


def test_signature() -> None:
    *parameters, qr = inspect.signature(leastsq).parameters.values()
    assert {p.kind for p in parameters} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert (qr.name, qr.default, qr.kind) == ("qr", "auto", inspect.Parameter.KEYWORD_ONLY)
    assert [(p.name, p.default) for p in parameters] == [
        ("func", inspect.Parameter.empty),
        ("x0", inspect.Parameter.empty),
        ("args", ()),
        ("Dfun", None),
        ("full_output", 0),
        ("col_deriv", 0),
        ("ftol", 1.49012e-08),
        ("xtol", 1.49012e-08),
        ("gtol", 0.0),
        ("maxfev", 0),
        ("epsfcn", None),
        ("factor", 100),
        ("diag", None),
    ]


# x0: anything real


@pytest.mark.parametrize(
    "x0",
    [
        [1, 1],
        (1.0, True),
        np.ones(2, np.float32),
        np.ones((2, 1)),
        np.ones((1, 2), np.int8),
        np.ones(4)[::2],
        np.ones(2, ">f8"),
        np.ones(2, np.longdouble),
        np.ones(2).view(Subclass),
        np.ma.array([1.0, 1.0]),
        memoryview(np.ones(2)),
        [np.float32(1), Fraction(1) == 1],
    ],
    ids=repr,
)
def test_x0_is_flattened_and_copied_to_float64_before_the_first_call(x0: Any) -> None:
    seen = []

    def func(x: Any) -> Any:
        seen.append((type(x), x.dtype, x.shape))
        return decay(x)

    x, ier = leastsq(func, x0)
    assert set(seen) == {(np.ndarray, np.dtype(np.float64), (2,))}
    np.testing.assert_array_equal(x, BEST)
    assert ier in (1, 2, 3, 4)


def test_a_scalar_x0_is_one_variable() -> None:
    x, ier = leastsq(lambda x: x - 3.0, 1)
    assert x.shape == (1,)
    assert x[0] == pytest.approx(3.0)
    assert ier in (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("x0", "dtype"),
    [
        ([1j, 1.0], "complex128"),
        (np.ones(2, np.complex64), "complex64"),
        ([Decimal(1), Decimal(2)], "object"),
        (None, "object"),
        ((i for i in range(2)), "object"),
        (["1", "2"], "<U1"),
        (b"12", "|S2"),
        (np.array(["2001-01-01"], "M8[D]"), "datetime64"),
        (np.zeros(1, [("a", float)]), r"\[\('a', '<f8'\)\]"),
    ],
)
def test_x0_complex_object_string(x0: Any, dtype: str) -> None:
    with pytest.raises(TypeError, match=f"x0 .*dtype {dtype}".replace("|", r"\|")):
        leastsq(refuse_to_be_called, x0)


@pytest.mark.parametrize("x0", [[], np.empty(0), np.empty((0, 3)), ()])
def test_x0_empty(x0: Any) -> None:
    with pytest.raises(TypeError, match="x0 is empty"):
        leastsq(refuse_to_be_called, x0)


@pytest.mark.parametrize("m", [0, 3])
def test_x0_empty_with_full_output_is_improper_input(m: int) -> None:
    func = Counted(lambda x: np.ones(m))
    x, cov_x, info, mesg, ier = leastsq(func, [], full_output=True)
    assert (x.shape, cov_x, info["nfev"], func.calls, ier) == ((0,), None, 0, 1, 0)
    assert info["fvec"].tolist() == [0.0] * m
    assert info["fjac"].shape == (0, m)
    assert mesg == "Improper input parameters. x0 is empty."


def test_the_callers_x0_is_never_touched() -> None:
    x0 = np.array([1.0, 1.0])
    x, _ = leastsq(decay, x0)
    assert x0.tolist() == [1.0, 1.0]
    assert not np.shares_memory(x, x0)


# args


@pytest.mark.parametrize("y", [Y, Y.tolist(), 2.5, None, "text", {"a": 1}], ids=repr)
def test_args_not_a_tuple_is_wrapped_in_one(y: Any) -> None:
    seen = []

    def func(x: Any, *args: Any) -> Any:
        seen.append(args)
        return x

    leastsq(func, [1.0], y)
    assert all(len(args) == 1 and args[0] is y for args in seen)


def test_args_go_to_func_and_dfun() -> None:
    x, ier = leastsq(decay, [1.0, 1.0], (T, Y), decay_jacobian)
    np.testing.assert_allclose(x, BEST, rtol=1e-7)
    assert ier in (1, 2, 3, 4)


# func, Dfun not callable


@pytest.mark.parametrize("bad", [None, 3, "func", [decay]], ids=repr)
def test_func_not_callable(bad: Any) -> None:
    with pytest.raises(TypeError, match=f"func must be callable.*{type(bad).__name__}"):
        leastsq(bad, [1.0, 1.0])


@pytest.mark.parametrize("bad", [0, 3, "Dfun", [decay]], ids=repr)
def test_dfun_not_callable_before_anything_is_evaluated(bad: Any) -> None:
    with pytest.raises(TypeError, match=f"Dfun must be callable.*{type(bad).__name__}"):
        leastsq(refuse_to_be_called, [1.0, 1.0], Dfun=bad)


# N > M


@pytest.mark.parametrize("full_output", [False, True])
def test_more_variables_than_residuals(full_output: bool) -> None:
    func = Counted(lambda x: x[:2])
    with pytest.raises(
        TypeError,
        match=r"^Improper input: func input vector length N=3 must not exceed func output vector "
        r"length M=2$",
    ):
        leastsq(func, [1.0, 2.0, 3.0], full_output=full_output)
    assert func.calls == 1


@pytest.mark.parametrize("nothing", [[], (), np.empty(0)], ids=repr)
def test_no_residuals_at_all(nothing: Any) -> None:
    with pytest.raises(TypeError, match="N=1 must not exceed func output vector length M=0"):
        leastsq(lambda x: nothing, [1.0])


# maxfev


@pytest.mark.parametrize("maxfev", [0, -1, -(10**30)])
@pytest.mark.parametrize("n", [1, 4])
def test_maxfev_0_or_negative_is_200_or_with_dfun_100_times_n_plus_1(maxfev: int, n: int) -> None:
    creep = iter(1.0 - 1e-6 * k for k in range(10**6))
    for dfun, budget in ((None, 200 * (n + 1)), (lambda x: 1e-9 * np.eye(n), 100 * (n + 1))):
        _, _, info, mesg, ier = leastsq(
            lambda x: np.full(n, next(creep)),
            np.ones(n),
            Dfun=dfun,
            maxfev=maxfev,
            epsfcn=1.0,
            full_output=True,
            ftol=0.0,
            xtol=0.0,
        )
        assert ier == 5
        assert f"maxfev = {budget}." in mesg
        assert budget <= info["nfev"] <= budget + n + 1


@pytest.mark.parametrize("maxfev", [1, 2, 5, 10, np.int8(7), True])
def test_maxfev_is_tested_after_an_inner_step_and_may_overshoot(maxfev: Any) -> None:
    func = Counted(decay)
    _, _, info, mesg, ier = leastsq(func, [9.0, 0.1], maxfev=maxfev, full_output=1, ftol=0, xtol=0)
    assert ier == 5
    assert f"maxfev = {int(maxfev)}." in mesg
    assert int(maxfev) <= info["nfev"] <= int(maxfev) + 3
    assert func.calls == info["nfev"]


@pytest.mark.parametrize("maxfev", [10.0, np.float64(10), "10", None, Fraction(10)], ids=repr)
def test_maxfev_not_an_integer(maxfev: Any) -> None:
    with pytest.raises(TypeError, match=f"maxfev must be an integer.*{type(maxfev).__name__}"):
        leastsq(refuse_to_be_called, [1.0], maxfev=maxfev)


def test_a_maxfev_beyond_a_c_int_is_as_good_as_none() -> None:
    x, ier = leastsq(decay, [1.0, 1.0], maxfev=10**30)
    np.testing.assert_array_equal(x, BEST)
    assert ier in (1, 2, 3, 4)


# epsfcn


def first_step(func: Any, epsfcn: Any) -> float:
    points: list[float] = []

    def recorded(x: Any) -> Any:
        points.append(x[0])
        return func(x)

    leastsq(recorded, [1.0], epsfcn=epsfcn, maxfev=1, full_output=True)
    return points[1] - points[0]


@pytest.mark.parametrize(
    ("dtype", "eps"),
    [
        (np.float16, 2.0**-10),
        (np.float32, 2.0**-23),
        (np.float64, 2.22044604926e-16),
        (np.longdouble, 2.22044604926e-16),
        (np.int64, 2.22044604926e-16),
        (bool, 2.22044604926e-16),
    ],
)
def test_epsfcn_none_is_the_epsilon_of_the_first_results_dtype(dtype: Any, eps: float) -> None:
    def func(x: Any) -> Any:
        return np.array([3.0, 1.0]).astype(dtype)

    assert first_step(func, None) == (1.0 + np.sqrt(eps)) - 1.0


def test_epsfcn_none_looks_at_the_first_result_only() -> None:
    results = iter([np.float32([3.0, 1.0])])
    step = first_step(lambda x: next(results, np.array([2.0, 1.0])), None)
    assert step == (1.0 + np.sqrt(2.0**-23)) - 1.0


def test_epsfcn_none_with_a_list_of_floats() -> None:
    assert first_step(lambda x: [x[0], 1.0], None) == (1.0 + np.sqrt(2.22044604926e-16)) - 1.0


@pytest.mark.parametrize("epsfcn", [0.0, -1.0, 1e-30, -np.inf])
def test_epsfcn_below_epsmch_is_epsmch(epsfcn: float) -> None:
    assert first_step(lambda x: [x[0], 1.0], epsfcn) == (1.0 + np.sqrt(2.22044604926e-16)) - 1.0


def test_epsfcn_is_the_square_of_the_step() -> None:
    assert first_step(lambda x: [x[0], 1.0], 1e-6) == (1.0 + np.sqrt(1e-6)) - 1.0


def test_epsfcn_is_ignored_with_dfun() -> None:
    fits = [leastsq(decay, [1, 1], Dfun=decay_jacobian, epsfcn=e)[0] for e in (None, 1.0, -5.0)]
    np.testing.assert_array_equal(fits[0], fits[1])
    np.testing.assert_array_equal(fits[0], fits[2])


# Improper values

IMPROPER = [
    ({"ftol": -1e-9}, "ftol must not be negative, and is -1e-09"),
    ({"xtol": -2.0}, "xtol must not be negative, and is -2"),
    ({"gtol": -np.inf}, "gtol must not be negative, and is -inf"),
    ({"factor": 0.0}, "factor must be positive, and is 0"),
    ({"factor": -100}, "factor must be positive, and is -100"),
    ({"diag": [1.0, 0.0]}, r"diag must be positive, and diag\[1\] is 0"),
    ({"diag": [-3.0, 1.0]}, r"diag must be positive, and diag\[0\] is -3"),
]


@pytest.mark.parametrize(("options", "which"), IMPROPER, ids=str)
def test_improper_values_raise(options: Any, which: str) -> None:
    for dfun in (None, decay_jacobian):
        with pytest.raises(TypeError, match=rf"^Improper input parameters\. {which}"):
            leastsq(decay, [1.0, 1.0], Dfun=dfun, **options)


@pytest.mark.parametrize(("options", "which"), IMPROPER, ids=str)
def test_improper_values_with_full_output(options: Any, which: str) -> None:
    func = Counted(decay)
    x, cov_x, info, mesg, ier = leastsq(func, [1.0, 2.0], full_output=True, **options)
    assert ier == 0
    assert func.calls == 1
    assert info["nfev"] == 0
    assert x.tolist() == [1.0, 2.0]
    assert cov_x is None
    shapes = {"fvec": (9,), "fjac": (2, 9), "ipvt": (2,), "qtf": (2,)}
    for key, shape in shapes.items():
        assert info[key].shape == shape
        assert not info[key].any()
    assert mesg.startswith("Improper input parameters. ")
    assert which.split()[0].rstrip("[") in mesg


def test_every_improper_value_is_named() -> None:
    with pytest.raises(TypeError, match=r"ftol .*xtol .*gtol .*factor .*diag "):
        leastsq(decay, [1.0, 1.0], ftol=-1, xtol=-1, gtol=-1, factor=-1, diag=[0, 0])


# NaN


@pytest.mark.parametrize("name", ["ftol", "xtol", "gtol", "factor", "epsfcn"])
def test_nan_in_an_option(name: str) -> None:
    for full_output in (False, True):
        with pytest.raises(ValueError, match=f"{name} must not be NaN"):
            leastsq(refuse_to_be_called, [1.0], full_output=full_output, **{name: np.nan})


def test_nan_in_diag() -> None:
    with pytest.raises(ValueError, match="diag must not contain NaN"):
        leastsq(refuse_to_be_called, [1.0, 1.0], diag=[1.0, np.nan])


@pytest.mark.parametrize("name", ["ftol", "xtol", "gtol", "factor", "epsfcn"])
@pytest.mark.parametrize("bad", ["1e-8", b"1", 1j, [1.0, 2.0], object()], ids=repr)
def test_an_option_that_is_no_real_number(name: str, bad: Any) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a real number.*{type(bad).__name__}"):
        leastsq(refuse_to_be_called, [1.0], **{name: bad})


@pytest.mark.parametrize("one", [1, np.float32(1), np.int64(1), Fraction(1), Decimal(1), True])
def test_an_option_may_be_any_real_number(one: Any) -> None:
    expected = leastsq(decay, [1.0, 1.0], ftol=1.0, xtol=1.0, factor=1.0, epsfcn=1.0)[0]
    found = leastsq(decay, [1.0, 1.0], ftol=one, xtol=one, factor=one, epsfcn=one)[0]
    np.testing.assert_array_equal(found, expected)


# diag


@pytest.mark.parametrize(
    "diag", [1.0, [1.0], [1.0, 1.0, 1.0], [[1.0, 1.0]], np.ones((2, 1)), []], ids=repr
)
def test_diag_of_the_wrong_length_or_shape(diag: Any) -> None:
    with pytest.raises(ValueError, match=r"diag must have shape \(2,\)"):
        leastsq(refuse_to_be_called, [1.0, 1.0], diag=diag)


@pytest.mark.parametrize("diag", [["a", "b"], [1j, 1], [None, 1]], ids=repr)
def test_diag_that_is_not_real(diag: Any) -> None:
    with pytest.raises(TypeError, match="diag must be real numbers"):
        leastsq(refuse_to_be_called, [1.0, 1.0], diag=diag)


@pytest.mark.parametrize(
    "diag",
    [[1, 2], (1.0, 2.0), np.float32([1, 2]), np.array([1.0, 9, 2])[::2], [True, 2]],
    ids=repr,
)
def test_diag_may_be_any_real_vector(diag: Any) -> None:
    expected = leastsq(decay, [1.0, 1.0], diag=np.array([1.0, 2.0]))[0]
    np.testing.assert_array_equal(leastsq(decay, [1.0, 1.0], diag=diag)[0], expected)


def test_what_func_does_to_diag_does_not_matter() -> None:
    diag = np.ones(2)

    def func(x: Any) -> Any:
        diag[:] = np.nan
        return decay(x)

    expected = leastsq(decay, [1.0, 1.0], diag=np.ones(2))[0]
    np.testing.assert_array_equal(leastsq(func, [1.0, 1.0], diag=diag)[0], expected)


def test_diag_is_left_alone() -> None:
    diag = np.array([1.0, 2.0])
    leastsq(decay, [1.0, 1.0], diag=diag)
    assert diag.tolist() == [1.0, 2.0]


# full_output, col_deriv: any truth value


@pytest.mark.parametrize("true", [True, 1, 2, np.True_, "yes", [0], np.array([1])], ids=repr)
def test_true_flags(true: Any) -> None:
    result = leastsq(
        decay, [1, 1], Dfun=lambda x: decay_jacobian(x).T, full_output=true, col_deriv=true
    )
    assert len(result) == 5


@pytest.mark.parametrize("false", [False, 0, None, np.False_, "", [], np.array([0])], ids=repr)
def test_false_flags(false: Any) -> None:
    result = leastsq(decay, [1, 1], Dfun=decay_jacobian, full_output=false, col_deriv=false)
    assert len(result) == 2


def test_the_public_names() -> None:
    assert set(pyminpack.__all__) <= set(dir(pyminpack))
