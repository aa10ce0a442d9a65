"""Results that fight back: conversions that change what is being converted, lengths that lie."""

from __future__ import annotations

import asyncio
import itertools
import warnings
import weakref
from array import array
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from alone import run_alone
from bits import Counted, assert_same_bits, packed
from rosenbrock import PLAIN, START, WITH_JACOBIAN, fit, rosenbrock, rosenbrock_jacobian
from wrappers import ArrayLike, Sequence, Subclass

from pyminpack import leastsq

pytestmark = pytest.mark.shim

CALLS = [1, 2, 4]


def at_call(call: int, unusual: Callable[[Any], Any], usual: Any = rosenbrock) -> Counted:
    """Return a function that is `usual` but for one call."""

    def func(x: Any) -> Any:
        return unusual(x) if counted.calls == call else usual(x)

    counted = Counted(func)
    return counted


class Number:
    """A number that does something before it tells its value."""

    def __init__(self, value: float, before: Callable[[], Any]) -> None:
        self.value = value
        self.before = before

    def __float__(self) -> float:
        self.before()
        return float(self.value)


def scribble() -> None:
    """Write over memory that was freed a moment ago."""
    for size in range(1, 200):
        bytearray(b"\xa5" * size)
        np.full(size, np.nan)


# The same numbers in another form at every call

VECTORS: list[Callable[[Any], Any]] = [
    lambda r: r.tolist(),
    lambda r: r.astype(">f8"),
    lambda r: np.repeat(r, 3)[::3],
    lambda r: tuple(r),
    lambda r: r.astype(np.longdouble),
    lambda r: memoryview(r),
    lambda r: r.astype(object),
    lambda r: array("d", r),
    lambda r: np.ma.masked_less(r, 0.0),
    lambda r: [Decimal(float(v)) for v in r],
    lambda r: ArrayLike(r),
]
MATRICES: list[Callable[[Any], Any]] = [
    lambda j: j.tolist(),
    lambda j: np.asfortranarray(j),
    lambda j: j.astype(">f8"),
    lambda j: np.repeat(j, 2, axis=1)[:, ::2],
    lambda j: [tuple(row) for row in j],
    lambda j: j.astype(object),
    lambda j: np.asmatrix(j),
]


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("rotation", range(4))
def test_the_form_may_change_from_call_to_call(rotation: int) -> None:
    vectors = itertools.cycle(VECTORS[rotation:] + VECTORS[:rotation])
    matrices = itertools.cycle(MATRICES[rotation:] + MATRICES[:rotation])

    def func(x: Any) -> Any:
        return next(vectors)(rosenbrock(x))

    def dfun(x: Any) -> Any:
        return next(matrices)(rosenbrock_jacobian(x))

    assert_same_bits(fit(func, epsfcn=0.0), fit(rosenbrock, epsfcn=0.0))
    assert_same_bits(fit(func, Dfun=dfun), WITH_JACOBIAN)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int32])
@pytest.mark.parametrize("call", [2, 4, 5])
def test_precision_may_change_from_call_to_call(dtype: Any, call: int) -> None:
    narrow = fit(at_call(call, lambda x: rosenbrock(x).astype(dtype)))
    same = fit(at_call(call, lambda x: rosenbrock(x).astype(dtype).astype(float)))
    assert_same_bits(narrow, same)


# Conversions that change what is being converted


@pytest.mark.parametrize("call", CALLS)
def test_an_item_that_empties_its_list(call: int) -> None:
    def unusual(x: Any) -> list[Any]:
        home: list[Any] = []

        def ruin() -> None:
            home.clear()
            scribble()

        home += [Number(v, ruin) for v in rosenbrock(x)]
        return home

    assert_same_bits(fit(at_call(call, unusual)), PLAIN)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "ruin",
    [
        lambda a: a.resize(0, refcheck=False),
        lambda a: a.resize(5000, refcheck=False),
        lambda a: a.fill(None),
        lambda a: setattr(a, "shape", (1, 3)),
        lambda a: setattr(a, "strides", (0,)),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_item_that_ruins_its_array_of_objects(ruin: Any, call: int) -> None:
    def unusual(x: Any) -> Any:
        home = np.empty(3, object)

        def before() -> None:
            ruin(home)
            scribble()

        home[:] = [Number(v, before) for v in rosenbrock(x)]
        return home

    assert_same_bits(fit(at_call(call, unusual)), PLAIN)


class Restless(np.ndarray):
    """Does to every array made from it what `act` says."""

    act: Any = staticmethod(lambda new, old: None)

    def __array_finalize__(self, old: Any) -> None:
        type(self).act(self, old)


def reach_the_copy() -> None:
    """Resize whatever array NumPy makes of an array of objects, from within an item."""
    copies: list[Any] = []

    def ruin() -> None:
        for copy in copies:
            if copy.base is None and copy.size:
                copy.resize(0, refcheck=False)
                scribble()

    class Reaching(Restless):
        act = staticmethod(lambda new, old: copies.append(new))

    def func(x: Any) -> Any:
        objects = np.array([Number(v, ruin) for v in rosenbrock(x)] * 100, object)
        copies.clear()
        return objects.view(Reaching)

    found = fit(func)
    assert_same_bits(found, fit(lambda x: np.tile(rosenbrock(x), 100)))


def change_the_dtype(dtype: str) -> None:
    """Give the array that NumPy makes of a subclass other numbers, and another size, in place."""

    def act(new: Any, old: Any) -> None:
        if type(old) is Retyping and new.dtype == np.float64:
            new.dtype = dtype

    class Retyping(Restless):
        pass

    Retyping.act = staticmethod(act)  # type: ignore[attr-defined]
    fvec = leastsq(lambda x: np.array([3], np.int32).view(Retyping), 1.0, full_output=True)[2]
    assert fvec["fvec"].tolist() == [3.0]


def test_a_subclass_that_lets_its_items_reach_the_copy() -> None:
    run_alone(reach_the_copy, PYTHONMALLOC="debug")


@pytest.mark.parametrize("dtype", [">f8", "i8", "f4"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_subclass_that_changes_the_dtype_of_the_copy(dtype: str) -> None:
    change_the_dtype(dtype)


class Rows:
    """A matrix whose rows come and go while NumPy asks for them."""

    def __init__(self, home: list[Any], method: str) -> None:
        self.home = home
        self.method = method

    def _ruin(self, method: str) -> None:
        if method == self.method:
            self.home.clear()
            scribble()

    def __len__(self) -> int:
        self._ruin("__len__")
        return 2

    def __getitem__(self, i: int) -> float:
        self._ruin("__getitem__")
        if i > 1:
            raise IndexError
        return float(i)

    def __getattr__(self, name: str) -> Any:
        self._ruin("__getattr__")
        raise AttributeError(name)


def lists_that_change() -> None:
    methods = ("__len__", "__getitem__", "__getattr__")
    for method, depth in itertools.product(methods, (1, 2, 3)):
        home: list[Any] = []
        value: Any = home
        home += [Rows(home, method), *([k, 1.0] for k in range(60))]
        for _ in range(depth - 1):
            value = [value, value]
        for options in ({}, {"Dfun": lambda x, value=value: value}):
            func = rosenbrock if options else lambda x, value=value: value
            with pytest.raises((TypeError, ValueError, RuntimeError)):
                leastsq(func, START, **options)
            assert_same_bits(fit(rosenbrock), PLAIN)


def test_a_row_that_empties_the_list_of_rows() -> None:
    run_alone(lists_that_change, PYTHONMALLOC="debug")


@pytest.mark.parametrize("call", CALLS)
def test_an_array_method_that_drops_the_last_reference_to_its_object(call: int) -> None:
    dropped: list[Any] = []

    class Fleeting:
        def __init__(self, values: Any) -> None:
            self.values = values

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            dropped.append(weakref.ref(self))
            owner.clear()
            return self.values

    def unusual(x: Any) -> Any:
        owner["it"] = Fleeting(rosenbrock(x))
        return owner["it"]

    owner: dict[str, Any] = {}
    assert_same_bits(fit(at_call(call, unusual)), PLAIN)
    assert [reference() for reference in dropped] == [None] * len(dropped) != []


@pytest.mark.parametrize("call", CALLS)
def test_a_fit_within_the_conversion_of_a_result(call: int) -> None:
    inner: list[Any] = []

    def nested() -> None:
        inner.append(fit(rosenbrock, Dfun=rosenbrock_jacobian))

    class Fitting(ArrayLike):
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            nested()
            return super().__array__(dtype, copy)

    for unusual in (
        lambda x: Fitting(rosenbrock(x)),
        lambda x: [Number(v, nested) for v in rosenbrock(x)],
    ):
        inner.clear()
        assert_same_bits(fit(at_call(call, unusual)), PLAIN)
        assert inner
        for found in inner:
            assert_same_bits(found, WITH_JACOBIAN)


class Vengeful(ArrayLike):
    """Shows its own array, and spoils it when it is thrown away."""

    def __init__(self, values: Any, spoil: Callable[[Any], Any]) -> None:
        super().__init__(values)
        self.spoil = spoil

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values

    def __del__(self) -> None:
        self.spoil(self.values)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda a: a.fill(np.nan),
        lambda a: a.resize(0, refcheck=False),
        lambda a: a.resize(100_000, refcheck=False),
        lambda a: setattr(a, "shape", (1, 3)),
        lambda a: setattr(a, "dtype", np.float32),
        lambda a: setattr(a, "dtype", ">f8"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_result_that_spoils_its_array_when_it_is_thrown_away(spoil: Any, call: int) -> None:
    assert_same_bits(fit(at_call(call, lambda x: Vengeful(rosenbrock(x), spoil))), PLAIN)


@pytest.mark.parametrize("kind", [np.ndarray, Subclass])
@pytest.mark.parametrize("size", [0, 100_000])
def test_x0_and_diag_are_copied_before_anything_can_change_them(kind: Any, size: int) -> None:
    def spoil(array: Any) -> None:
        array.fill(np.nan)
        array.resize(size, refcheck=False)
        scribble()

    diag = np.array([3.0, 5.0])
    expected = fit(rosenbrock, diag=diag.copy())
    given = kind(2)
    given[:] = diag

    def unusual(x: Any) -> Any:
        spoil(given)
        return rosenbrock(x)

    assert_same_bits(fit(at_call(1, unusual), diag=given), expected)

    x0 = kind(2)
    x0[:] = START
    tolerance = Number(1.49012e-8, lambda: spoil(x0))
    assert_same_bits(packed(leastsq(rosenbrock, x0, ftol=tolerance, full_output=True)), PLAIN)


# Lengths that lie


class Lying(Sequence):
    """A sequence that claims a length."""

    def __init__(self, items: Any, claim: Any) -> None:
        super().__init__(items)
        self.claim = claim

    def __len__(self) -> int:
        return self.claim


@pytest.mark.parametrize("claim", [0, 1, 2, 4, 50])
def test_a_length_that_lies_does_not_count(claim: int) -> None:
    assert_same_bits(fit(lambda x: Lying(rosenbrock(x).tolist(), claim)), PLAIN)


@pytest.mark.parametrize(("claim", "kind"), [(-1, ValueError), (2**70, OverflowError)])
@pytest.mark.parametrize("call", CALLS)
def test_a_length_that_is_none(claim: Any, kind: Any, call: int) -> None:
    with pytest.raises(kind):
        leastsq(at_call(call, lambda x: Lying([1.0, 2.0, 3.0], claim)), START)


@pytest.mark.parametrize("call", CALLS)
def test_a_length_beyond_all_memory(call: int) -> None:
    func = at_call(call, lambda x: Lying(rosenbrock(x).tolist(), 2**62))
    try:
        assert_same_bits(fit(func), PLAIN)
    except MemoryError:
        assert func.calls == call


def test_an_array_method_that_changes_its_mind() -> None:
    sizes = itertools.chain([3, 3], itertools.count(4))

    class Growing:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.arange(1.0, 1.0 + next(sizes))

    with pytest.raises(ValueError, match=r"changed size between calls.* 3 .* 4 "):
        leastsq(lambda x: Growing(), START)


def test_a_million_residuals_where_three_are_due() -> None:
    for many in (np.ones(10**6), [1.0] * 10**6, np.broadcast_to(1.0, 2**40)):
        with pytest.raises(ValueError, match=rf"changed size between calls.* 3 .* {len(many)} "):
            leastsq(at_call(3, lambda x, many=many: many), START)


# Values between numbers and something else


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (lambda x: [[1.0], [2.0], [3.0]], ValueError),
        (lambda x: [[1.0, 2.0, 3.0]], ValueError),
        (lambda x: [1.0, [2.0], 3.0], ValueError),
        (lambda x: [np.ones(2), 1.0, 2.0], ValueError),
        (lambda x: [1.0, [2.0, [3.0, [4.0]]]], ValueError),
        (lambda x: np.array([[1.0], [2.0, 3.0], 4.0], object), TypeError),
        (lambda x: [(v for v in x), 1.0, 2.0], TypeError),
        (lambda x: iter([1.0, 2.0, 3.0]), TypeError),
        (lambda x: [1.0, {2.0}, 3.0], TypeError),
        (lambda x: [Decimal("sNaN"), 1.0, 2.0], ValueError),
        (lambda x: NotImplemented, TypeError),
        (lambda x: ArrayLike, TypeError),
        (lambda x: ArrayLike([[1.0, 2.0, 3.0]]), ValueError),
        (lambda x: ArrayLike("123"), TypeError),
        (lambda x: slice(3), TypeError),
        (lambda x: range(0), ValueError),
    ],
)
def test_nearly_numbers(bad: Any, kind: Any, call: int) -> None:
    expected = (TypeError, ValueError) if call == 1 else kind
    with pytest.raises(expected):
        leastsq(at_call(call, bad), START)
    assert_same_bits(fit(rosenbrock), PLAIN)


def test_a_coroutine_is_no_number() -> None:
    async def func(x: Any) -> Any:
        return x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(TypeError, match="func returned an object of type 'coroutine'"):
            leastsq(func, START)

    async def fitting() -> Any:
        return fit(rosenbrock)

    assert_same_bits(asyncio.run(fitting()), PLAIN)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_decimals_that_are_no_finite_double(value: str) -> None:
    bad = Decimal(value)
    assert leastsq(lambda x: [bad, 1.0], 1.0, full_output=True)[4] == 9
    found = fit(at_call(4, lambda x: [bad, bad, bad]))
    assert_same_bits(found, fit(at_call(4, lambda x: np.full(3, float(bad)))))


@pytest.mark.skipif(np.finfo(np.longdouble).max <= np.finfo(float).max, reason="no wider type here")
def test_a_long_double_that_no_double_holds() -> None:
    big = np.longdouble(10) ** 400
    with np.errstate(over="ignore"):
        assert leastsq(lambda x: [big, 1.0], 1.0, full_output=True)[4] == 9
        assert leastsq(lambda x: np.array([big, 1.0]), 1.0, full_output=True)[4] == 9
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        leastsq(lambda x: np.array([big, 1.0]), 1.0)
    assert_same_bits(fit(rosenbrock), PLAIN)


@pytest.mark.parametrize("call", CALLS)
def test_what_dfun_returns_may_be_as_strange(call: int) -> None:
    for bad, kind in (
        ([[1.0, 2.0], [3.0], [4.0, 5.0]], ValueError),
        ([1.0, [2.0, 3.0], 4.0], ValueError),
        ([[1.0, 2.0], [3.0, None], [4.0, 5.0]], TypeError),
        ([[[1.0, 2.0]] * 3], TypeError),
        ([np.ones(2)] * 4, TypeError),
        (np.broadcast_to(1.0, (2**40, 2)), TypeError),
        (Lying([[1.0, 2.0]] * 3, -1), ValueError),
        (3.0, TypeError),
        ("3", TypeError),
    ):
        dfun = at_call(call, lambda x, bad=bad: bad, rosenbrock_jacobian)
        with pytest.raises(kind):
            leastsq(rosenbrock, START, Dfun=dfun)
        assert dfun.calls == call
    found = packed(leastsq(rosenbrock, START, Dfun=rosenbrock_jacobian, full_output=True))
    assert_same_bits(found, WITH_JACOBIAN)
