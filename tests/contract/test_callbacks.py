"""What `func` and `Dfun` may return and do, row by row: values, sizes and memory."""

from __future__ import annotations

import collections
import weakref
from array import array
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from bits import Counted, assert_same_bits, packed
from linear import LINEAR_JACOBIAN, LINEAR_START, linear
from rosenbrock import PLAIN, START, WITH_JACOBIAN, fit, read_only, rosenbrock, rosenbrock_jacobian
from wrappers import ArrayLike, Sequence, Subclass

from pyminpack import leastsq

pytestmark = [pytest.mark.shim, pytest.mark.callbacks]


def strided(r: Any) -> Any:
    return np.repeat(r, 3)[::3]


def reversed_in_memory(r: Any) -> Any:
    return r[::-1].copy()[::-1]


def misaligned(r: Any) -> Any:
    buffer = np.zeros(r.nbytes + 1, np.uint8)[1:]
    buffer[:] = np.frombuffer(r.tobytes(), np.uint8)
    return buffer.view(np.float64)


SAME_VALUES: list[Callable[[Any], Any]] = [
    np.ndarray.tolist,
    lambda r: tuple(r.tolist()),
    list,
    strided,
    reversed_in_memory,
    misaligned,
    read_only,
    lambda r: r.astype(">f8"),
    lambda r: r.view(Subclass),
    lambda r: np.ma.array(r, mask=[True, False, False]),
    lambda r: r.astype(object),
    lambda r: r.astype(np.longdouble),
    lambda r: [r[0], np.float64(r[1]), float(r[2])],
    lambda r: [r[0].item(), r[1].item(), Fraction(1, 2)],
    lambda r: [Decimal(float(v)) for v in r],
    lambda r: array("d", r),
    memoryview,
    collections.deque,
    lambda r: Sequence(r.tolist()),
    lambda r: ArrayLike(r.tolist()),
    lambda r: [np.array(v) for v in r],
]


@pytest.mark.parametrize("form", SAME_VALUES)
def test_residuals_of_any_real_form_are_converted(form: Callable[[Any], Any]) -> None:
    assert_same_bits(fit(lambda x: form(rosenbrock(x)), epsfcn=0.0), fit(rosenbrock, epsfcn=0.0))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16, np.float32, ">i2", ">f4"])
def test_residuals_of_any_real_dtype_are_converted(dtype: Any) -> None:
    def func(x: Any) -> Any:
        return np.round(rosenbrock(x) ** 2).clip(0, 100).astype(dtype)

    expected = fit(lambda x: func(x).astype(np.float64), epsfcn=1e-2)
    assert_same_bits(fit(func, epsfcn=1e-2), expected)
    assert_same_bits(fit(lambda x: func(x).tolist(), epsfcn=1e-2), expected)


@pytest.mark.parametrize("form", [float, int, np.float32, np.array, lambda v: [v], Fraction, bool])
def test_a_scalar_is_one_residual(form: Any) -> None:
    x, _, info, _, ier = leastsq(lambda x: form(x[0] - 2.0), 5.0, full_output=True)
    assert info["fvec"].shape == (1,)
    assert x.shape == (1,)
    assert ier in range(1, 9)
    with pytest.raises(TypeError, match="N=2 must not exceed func output vector length M=1"):
        leastsq(lambda x: form(x[0]), [1.0, 2.0])


def test_huge_ints_in_a_list() -> None:
    assert leastsq(lambda x: [2**70, 1], 1.0)[1] in (1, 2, 3, 4)
    with pytest.raises(OverflowError):
        leastsq(lambda x: [10**400, 1], 1.0)


def later(values: Any) -> Any:
    """A function that returns something else from its third call on, `values(r)`."""
    calls: list[None] = []

    def func(x: Any) -> Any:
        calls.append(None)
        return values(linear(x).tolist()) if len(calls) > 2 else linear(x)

    return func


@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("position", [0, 4])
def test_an_integer_beyond_every_double(kind: Any, position: int) -> None:
    def values(r: list[Any]) -> Any:
        r[position] = 10**400
        return kind(r)

    with pytest.raises(OverflowError, match="too large to convert to float"):
        leastsq(later(values), LINEAR_START)


@pytest.mark.parametrize("minus_one", [-1, -1.0, np.float64(-1.0)])
def test_minus_one_is_a_residual_like_any_other(minus_one: Any) -> None:
    *_, info, _, ier = leastsq(lambda x: [minus_one] * 4, LINEAR_START, full_output=True)
    assert (ier, info["fvec"].tolist()) == (4, [-1.0] * 4)


def test_values_at_odd_addresses_and_strides() -> None:
    """./dev sanitize would notice if one were read as if it were aligned."""

    def odd(values: Any) -> Any:
        kind = np.dtype({"names": ["value"], "formats": ["f8"], "offsets": [1], "itemsize": 11})
        array = np.zeros(values.shape, kind)
        array["value"] = values
        return array["value"]

    ours = leastsq(
        lambda x: odd(linear(x)),
        LINEAR_START,
        Dfun=lambda x: odd(LINEAR_JACOBIAN),
        full_output=True,
    )
    usual = leastsq(linear, LINEAR_START, Dfun=lambda x: LINEAR_JACOBIAN, full_output=True)
    assert_same_bits(packed(ours), packed(usual))


# Number of calls


@pytest.mark.parametrize("options", [{}, {"maxfev": 7}, {"ftol": 1e-15, "xtol": 1e-15}], ids=str)
def test_func_is_called_exactly_nfev_times_and_dfun_njev_times(options: Any) -> None:
    for dfun in (None, Counted(rosenbrock_jacobian)):
        func = Counted(rosenbrock)
        found = fit(func, Dfun=dfun, **options)
        assert func.calls == found["nfev"]
        assert found["njev"] == (dfun.calls if dfun else 0)
        trials = found["nfev"] - 1
        if dfun is None:
            assert trials >= 2


def test_nfev_counts_1_and_n_per_difference_jacobian_and_1_per_trial() -> None:
    points: list[tuple[float, ...]] = []

    def func(x: Any) -> Any:
        points.append(tuple(x))
        return rosenbrock(x)

    found = fit(func, maxfev=1)
    assert len(points) == found["nfev"] == 1 + 2 + 1
    assert points[0] == tuple(START)
    assert points[1][1] == START[1]
    assert points[2][0] == START[0]


# What is not real numbers


def generator(x: Any) -> Any:
    yield from x


NOT_NUMBERS = [
    (lambda x: x + 1j, "complex128"),
    (lambda x: (x + 1j).astype(np.complex64), "complex64"),
    (lambda x: [1j, 2.0], "complex128"),
    (lambda x: [1.0, complex(2)], "complex128"),
    (lambda x: [np.complex64(1), 2], "complex"),
    (lambda x: 1j, "complex"),
    (lambda x: np.array([None, 1.0]), "NoneType"),
    (lambda x: np.array(["1", "2"], object), "'str'"),
    (lambda x: np.array([1j, 2], object), "'complex'"),
    (lambda x: [None, 1.0], "NoneType"),
    (lambda x: [Decimal(1), "2"], "'str'"),
    (lambda x: "12", "'str'"),
    (lambda x: b"12", "'bytes'"),
    (lambda x: ["1", "2"], "<U1"),
    (lambda x: None, "NoneType"),
    (generator, "generator"),
    (lambda x: {1.0, 2.0}, "'set'"),
    (lambda x: {0: 1.0, 1: 2.0}, "'dict'"),
    (lambda x: object(), "'object'"),
    (lambda x: rosenbrock, "'function'"),
    (lambda x: np.array(["2001", "2002"], "M8[Y]"), "datetime64"),
    (lambda x: np.array([1, 2], "m8[s]"), "timedelta64"),
    (lambda x: np.zeros(2, [("a", float)]), "'a'"),
]


@pytest.mark.parametrize(("bad", "named"), NOT_NUMBERS)
@pytest.mark.parametrize("call", [1, 2, 4])
def test_what_is_not_real_numbers_is_a_type_error_that_says_what_it_was(
    bad: Any, named: str, call: int
) -> None:
    def func(x: Any) -> Any:
        func.calls += 1  # type: ignore[attr-defined]
        return bad(x) if func.calls == call else x - 3.0  # type: ignore[attr-defined]

    func.calls = 0  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match=f"^func returned .*{named}.*must return real numbers"):
        leastsq(func, START)
    assert_same_bits(fit(rosenbrock), PLAIN)


@pytest.mark.parametrize(("bad", "named"), NOT_NUMBERS)
def test_a_jacobian_that_is_not_real_numbers(bad: Any, named: str) -> None:
    with pytest.raises(TypeError, match=f"^Dfun returned .*{named}.*must return real numbers"):
        leastsq(lambda x: [x[0], 1.0], 1.0, Dfun=lambda x: bad(np.array([1.0, 2.0])))


def test_a_ragged_list() -> None:
    with pytest.raises(ValueError, match="inhomogeneous"):
        leastsq(lambda x: [[1.0], [2.0, 3.0]], START)


# Shapes and sizes of residuals


@pytest.mark.parametrize("shape", [(3, 1), (1, 3), (3, 2), (2, 2, 2), (1, 1)])
@pytest.mark.parametrize("call", [1, 2, 4])
def test_a_2_d_result(shape: tuple[int, ...], call: int) -> None:
    def func(x: Any) -> Any:
        func.calls += 1  # type: ignore[attr-defined]
        return np.ones(shape) if func.calls == call else rosenbrock(x)  # type: ignore[attr-defined]

    func.calls = 0  # type: ignore[attr-defined]
    text = str(shape).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=rf"^func returned an array of shape {text}.*ravel"):
        leastsq(func, START)


@pytest.mark.parametrize("size", [0, 1, 2, 4, 5, 1000])
@pytest.mark.parametrize("form", [np.array, list, tuple, ArrayLike])
@pytest.mark.parametrize("call", range(2, 8))
def test_size_differs_at_a_later_call(size: int, form: Any, call: int) -> None:
    def func(x: Any) -> Any:
        func.calls += 1  # type: ignore[attr-defined]
        return form(np.ones(size) if func.calls == call else rosenbrock(x))  # type: ignore[attr-defined]

    func.calls = 0  # type: ignore[attr-defined]
    with pytest.raises(
        ValueError,
        match=rf"^The array returned by a function changed size between calls.* 3 .* {size} ",
    ):
        leastsq(func, START)
    assert func.calls == call  # type: ignore[attr-defined]


# Whose memory


def test_the_same_preallocated_array_each_time() -> None:
    buffer = np.empty(3)

    def func(x: Any) -> Any:
        buffer[:] = rosenbrock(x)
        return buffer

    assert_same_bits(fit(func), PLAIN)


def test_the_same_preallocated_jacobian_each_time() -> None:
    buffer = np.empty((3, 2))

    def dfun(x: Any) -> Any:
        buffer[:] = rosenbrock_jacobian(x)
        return buffer

    assert_same_bits(fit(rosenbrock, Dfun=dfun), WITH_JACOBIAN)


@pytest.mark.parametrize("form", [lambda x: x, lambda x: x[:], lambda x: x[::-1], np.ravel])
def test_the_argument_itself_or_a_view_of_it(form: Any) -> None:
    def func(x: Any) -> Any:
        x *= 2.0
        x -= 6.0
        return form(x)

    assert_same_bits(fit(func), fit(lambda x: form(x * 2.0 - 6.0).copy()))


def keep(x: Any) -> None:
    keep.kept.append((x, x.copy()))  # type: ignore[attr-defined]


keep.kept = []  # type: ignore[attr-defined]


def keep_a_view(x: Any) -> None:
    keep.kept.append((x[:1], x[:1].copy()))  # type: ignore[attr-defined]


def keep_a_buffer(x: Any) -> None:
    keep.kept.append((memoryview(x), x.copy()))  # type: ignore[attr-defined]


def mutate(x: Any) -> None:
    x[:] = np.nan


def reshape(x: Any) -> None:
    x.shape = (2, 1)


def resize(x: Any) -> None:
    x.resize(50, refcheck=False)


def shrink(x: Any) -> None:
    x.resize(0, refcheck=False)


def freeze(x: Any) -> None:
    x.flags.writeable = False


def retype(x: Any) -> None:
    x.dtype = np.int64


def swap_bytes(x: Any) -> None:
    x.dtype = ">f8"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "abuse",
    [keep, keep_a_view, keep_a_buffer, mutate, reshape, resize, shrink, freeze, retype, swap_bytes],
)
def test_each_calls_x_is_its_own(abuse: Any) -> None:
    def abusing(function: Any) -> Any:
        def abused(x: Any) -> Any:
            assert type(x) is np.ndarray
            assert x.dtype == np.float64
            assert x.dtype.isnative
            assert x.shape == (2,)
            assert x.flags.carray
            assert x.flags.owndata
            value = function(x)
            abuse(x)
            return value

        return abused

    assert_same_bits(fit(abusing(rosenbrock)), PLAIN)
    found = fit(abusing(rosenbrock), Dfun=abusing(rosenbrock_jacobian))
    assert_same_bits(found, WITH_JACOBIAN)
    for kept, copy in keep.kept:  # type: ignore[attr-defined]
        np.testing.assert_array_equal(np.asarray(kept), copy)
    keep.kept.clear()  # type: ignore[attr-defined]


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_nested_lists_are_an_error_that_names_the_shape(depth: int) -> None:
    nested: Any = 1.0
    for _ in range(depth):
        nested = [nested, nested]
    text = str((2,) * depth).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=rf"^func returned an array of shape {text}"):
        leastsq(lambda x: nested, START)


def test_a_list_that_contains_itself() -> None:
    endless: list[Any] = []
    endless += [endless, endless]
    with pytest.raises(ValueError, match="func returned sequences nested more than 4 deep"):
        leastsq(lambda x: endless, START)
    with pytest.raises(ValueError, match="Dfun returned sequences nested more than 4 deep"):
        leastsq(rosenbrock, START, Dfun=lambda x: endless)


class Clearing:
    """A number whose conversion empties the list it stands in."""

    def __init__(self, home: list[Any], method: str) -> None:
        self.home = home
        self.method = method

    def __getattr__(self, name: str) -> Any:
        if self.method == "__getattr__":
            self.home.clear()
        raise AttributeError(name)

    def __float__(self) -> float:
        if self.method == "__float__":
            self.home.clear()
        return 1.0


@pytest.mark.parametrize("method", ["__float__", "__getattr__"])
def test_a_list_that_its_own_items_empty_while_it_is_converted(method: str) -> None:
    def func(x: Any) -> Any:
        home: list[Any] = []
        home += [Clearing(home, method), *(Fraction(k) for k in range(50))]
        return home

    def dfun(x: Any) -> Any:
        home: list[Any] = []
        home += [[Clearing(home, method), Fraction(k)] for k in range(51)]
        return home

    fvec = leastsq(func, START, Dfun=dfun, full_output=True)[2]["fvec"]
    assert fvec.tolist() == [1.0, *range(50)]


def test_a_list_subclass_that_knows_its_array() -> None:
    class Values(list[float]):
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.array([1.0, 2.0, 3.0])

    found = leastsq(lambda x: Values([7.0]), START, full_output=True, epsfcn=1.0)
    assert found[2]["fvec"].tolist() == [1.0, 2.0, 3.0]


def test_an_argument_that_is_only_watched_is_not_used_again() -> None:
    watchers: list[Any] = []

    def func(x: Any) -> Any:
        assert all(watcher() is None for watcher in watchers)
        watchers.append(weakref.ref(x))
        return linear(x)

    leastsq(func, LINEAR_START)
    assert len(watchers) > 5


def test_the_first_result_is_gone_when_func_is_called_again() -> None:
    results: list[Any] = []

    def func(x: Any) -> Any:
        assert all(result() is None for result in results)
        residuals = x - 1.0
        results.append(weakref.ref(residuals))
        return residuals

    leastsq(func, [5.0, 5.0])
    assert len(results) > 3
