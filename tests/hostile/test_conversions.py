"""What changes or ends while it is converted: every place where the user's numbers come in."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from alone import run_alone
from bits import assert_same_bits
from wrappers import raising_in

from pyminpack import compiled, curve_fit, curve_fit_many, leastsq, leastsq_many

# Elements enough for memory that goes back to the system when it is freed.
M = 20_000
T = np.linspace(0.0, 4.0, M)
Y = 3.0 * np.exp(-T) + 0.5 + 0.01 * np.cos(5.0 * T)
START = [1.0, 2.0, 0.0]

Wrap = Callable[[Any], Any]


def f(t: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * T) + c


def slopes(x: Any) -> Any:
    e = np.exp(-x[..., 1:2] * T)
    return np.stack([e, -x[..., :1] * T * e, np.ones_like(e)], axis=-1)


def jac(t: Any, *p: Any) -> Any:
    return slopes(np.stack([np.ravel(each) for each in p], axis=-1).squeeze())


def jac_many(t: Any, *p: Any) -> Any:
    return slopes(np.stack([np.ravel(each) for each in p], axis=-1))


def one(x: Any) -> Any:
    return f(T, *x) - Y


def many(x: Any, index: Any) -> Any:
    return f(T, *x.T[:, :, None]) - Y


def popt(found: Any) -> Any:
    return found[0]


# Each is a fit with one thing wrapped: what a function returns, or an argument.
RETURNED: dict[str, Callable[[Wrap], Any]] = {
    "leastsq func": lambda w: popt(leastsq(lambda x: w(one(x)), START)),
    "leastsq func, minpack": lambda w: popt(
        leastsq(lambda x: w(one(x)[:900]), START, qr="minpack")
    ),
    "leastsq Dfun": lambda w: popt(leastsq(one, START, Dfun=lambda x: w(slopes(x)))),
    "leastsq_many func": lambda w: leastsq_many(lambda X, i: w(many(X, i)), [START]).x,
    "leastsq_many Dfun": lambda w: leastsq_many(many, [START], Dfun=lambda X, i: w(slopes(X))).x,
    "curve_fit f": lambda w: popt(curve_fit(lambda t, *p: w(f(t, *p)), T, Y, START)),
    "curve_fit jac": lambda w: popt(curve_fit(f, T, Y, START, jac=lambda t, *p: w(jac(t, *p)))),
    "curve_fit_many f": lambda w: curve_fit_many(lambda t, *p: w(f(t, *p)), T, [Y], START).x,
    "curve_fit_many jac": lambda w: (
        curve_fit_many(f, T, [Y], START, jac=lambda t, *p: w(jac_many(t, *p))).x
    ),
}
GIVEN: dict[str, Callable[[Wrap], Any]] = {
    "curve_fit xdata": lambda w: popt(
        curve_fit(lambda t, a: a * np.asarray(t, float), w(T.copy()), Y, [1.0])
    ),
    "curve_fit xdata, NaN": lambda w: popt(
        curve_fit(lambda t, a: a * np.asarray(t, float), w(T.copy()), Y, [1.0], nan_policy="raise")
    ),
    "curve_fit ydata": lambda w: popt(curve_fit(f, T, w(Y.copy()), START)),
    "curve_fit sigma": lambda w: popt(curve_fit(f, T, Y, START, sigma=w(1.0 + T))),
    "curve_fit p0": lambda w: popt(curve_fit(f, T, Y, w(np.array(START)))),
    "curve_fit_many ydata": lambda w: curve_fit_many(f, T, w(Y[None].copy()), START).x,
    "curve_fit_many sigma": lambda w: curve_fit_many(f, T, [Y], START, sigma=w(1.0 + T)).x,
    "curve_fit_many p0": lambda w: curve_fit_many(f, T, [Y], w(np.array([START]))).x,
}
# These take no Python objects for numbers.
STRICT: dict[str, Callable[[Wrap], Any]] = {
    "leastsq x0": lambda w: popt(leastsq(one, w(np.array(START)))),
    "leastsq diag": lambda w: popt(leastsq(one, START, diag=w(np.array([1.0, 2.0, 3.0])))),
    "leastsq_many x0": lambda w: leastsq_many(many, w(np.array([START]))).x,
    "leastsq_many diag": lambda w: leastsq_many(many, [START], diag=w(np.array([1.0, 2.0, 3.0]))).x,
    "leastsq_many weights": lambda w: leastsq_many(many, [START], weights=w(1.0 + T)).x,
    "curve_fit_many weights": lambda w: curve_fit_many(f, T, [Y], START, weights=w(1.0 + T)).x,
}


class Spoiling:
    """A number that does something to where it is when it is asked for its value."""

    def __init__(self, value: float, spoil: Callable[[], object]) -> None:
        self.value = value
        self.spoil = spoil

    def __float__(self) -> float:
        self.spoil()
        return self.value


def objects(values: Any) -> Any:
    """Return an array of objects; the first of which frees it."""
    array = np.array(values, dtype=object)
    shape = array.shape
    spoil = lambda: array.resize((0,) * len(shape), refcheck=False)  # noqa: E731
    array.flat[0] = Spoiling(array.flat[0], spoil)
    return array


def emptied(values: Any) -> Any:
    """Return lists, of which a number in the first empties all."""
    rows: list[Any] = values.tolist()
    inner = rows[0] if isinstance(rows[0], list) else rows
    while isinstance(inner[0], list):
        inner = inner[0]

    def spoil() -> None:
        inner.clear()
        rows.clear()

    inner[0] = Spoiling(inner[0], spoil)
    return rows


class Ending:
    """An array-like whose memory is gone with it."""

    def __init__(self, values: Any) -> None:
        self.values = np.array(values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values

    def __del__(self) -> None:
        self.values[...] = np.nan


def plain(values: Any) -> Any:
    return values


def all_with_objects() -> None:
    for places in (RETURNED, GIVEN):
        for name, fit in places.items():
            assert_same_bits(fit(objects), fit(plain), name)


def all_with_lists() -> None:
    for places in (RETURNED, GIVEN):
        for name, fit in places.items():
            if "xdata" not in name:  # which would be handed on as it is now
                assert_same_bits(fit(emptied), fit(plain), name)


@pytest.mark.parametrize("check", [all_with_objects, all_with_lists])
def test_an_element_that_frees_what_it_is_in(check: Callable[[], None]) -> None:
    run_alone(check)


@pytest.mark.parametrize("name", [*RETURNED, *GIVEN, *STRICT])
def test_an_array_like_whose_memory_ends_with_it(name: str) -> None:
    fit = {**RETURNED, **GIVEN, **STRICT}[name]
    assert_same_bits(fit(Ending), fit(plain))


@pytest.mark.parametrize("name", [*RETURNED, *GIVEN, *STRICT])
def test_an_exception_of_a_conversion_reaches_the_caller(name: str) -> None:
    if "xdata" in name:
        pytest.skip("an array-like is handed on to f as it is")
    trouble = KeyError("trouble")
    fit = {**RETURNED, **GIVEN, **STRICT}[name]
    with pytest.raises(KeyError) as caught:
        fit(lambda values: raising_in(trouble, "__array__"))
    assert caught.value is trouble


@pytest.mark.parametrize("name", STRICT)
def test_objects_where_they_are_no_numbers(name: str) -> None:
    with pytest.raises(TypeError, match="must be real numbers, not of dtype object"):
        STRICT[name](objects)


def fit_while_a_finalizer_resizes_x0() -> None:
    """An allocation may run the garbage collector, and that anything."""
    x0 = np.ones(3)
    kept = []

    class Resizing:
        itself: Any

        def __del__(self) -> None:
            x0.resize((300,), refcheck=False)

    class Flag:
        def __bool__(self) -> bool:
            gc.collect()
            gc.disable()
            cycle = Resizing()
            cycle.itself = cycle
            del cycle
            kept.extend((i,) for i in range(5_000))  # no tuple of one is left to be taken again
            gc.enable()
            return False

    gc.set_threshold(5, 1000, 1000)
    x, ier = leastsq(lambda x, a: np.append(x - 1, a), x0, args=0.0, full_output=Flag())
    print(x.size == x0.size or x.size == 3, ier in (1, 2, 3, 4))


def test_x0_that_a_finalizer_resizes_while_the_arguments_are_read() -> None:
    assert run_alone(fit_while_a_finalizer_resizes_x0) == "True True\n"


def fit_while_a_result_looks_for_its_residuals() -> None:
    """An element of what f returns first calls every object of the fit that it can find."""

    class Searching:
        def __float__(self) -> float:
            for found in gc.get_objects():
                if type(found).__name__ == "Residuals":
                    found(np.ones(1))
            return 2.0

    x, _ = curve_fit(lambda t, a: [Searching()] * 3 if a == 1 else [2 * a] * 3, T[:3], [4.0] * 3)
    print(x.round(6).tolist())


def test_residuals_are_not_found_before_they_are_whole() -> None:
    assert run_alone(fit_while_a_result_looks_for_its_residuals) == "[2.0]\n"


def test_data_of_many_compiled_fits_that_get_another_shape_meanwhile() -> None:
    """Each fit reads the row that it had when the call began."""
    ctypes = pytest.importorskip("ctypes")
    doubles = ctypes.POINTER(ctypes.c_double)

    @ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, doubles, doubles, ctypes.c_int
    )
    def function(p: int, m: int, n: int, x: Any, fvec: Any, iflag: int) -> int:
        row = ctypes.cast(p, doubles)
        for i in range(m):
            fvec[i] = x[0] - row[i]
        return 0

    data = np.arange(1200.0).reshape(400, 3)
    means = data.mean(axis=1)

    def flatten(done: int, total: int) -> None:
        data.shape = (-1,)

    fits = leastsq_many(compiled(function, 3, k=3), np.ones((400, 1)), data=data, progress=flatten)
    assert data.shape == (1200,)
    np.testing.assert_allclose(fits.x[:, 0], means)


def test_text_in_an_array_is_no_option() -> None:
    for text in (np.array("1e-8"), np.array(b"1e-8"), np.str_("1e-8")):
        with pytest.raises(TypeError, match="ftol must be a real number"):
            leastsq(one, START, ftol=text)


def test_an_option_that_changes_x0_and_diag() -> None:
    x0, diag = np.array(START), np.ones(3)

    def spoil() -> None:
        x0.resize((0,) * x0.ndim, refcheck=False)

    def spoil_diag() -> bool:
        diag[:] = np.nan
        return False

    col_deriv = type("ColDeriv", (), {"__bool__": lambda self: spoil_diag()})()
    found = leastsq(one, x0, ftol=Spoiling(1.49012e-8, spoil), diag=diag, col_deriv=col_deriv)
    assert np.isnan(diag).all()
    assert_same_bits(found[0], leastsq(one, START, diag=np.ones(3))[0])
    x0 = np.array([START])
    found_many = leastsq_many(many, x0, ftol=Spoiling(1.49012e-8, spoil))
    assert_same_bits(found_many.x, leastsq_many(many, [START]).x)
