"""What func and Dfun may return to `leastsq_many`, and what they may do with X and index."""

from __future__ import annotations

import threading
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from bits import Counted
from many import PROBLEMS, assert_same_fits, check, fractions
from misbehaviour import MANNERS, assert_kept
from wrappers import ArrayLike, Sequence, Subclass

from pyminpack import leastsq_many

PROBLEM = fractions(5)
USUAL = leastsq_many(PROBLEM.func, PROBLEM.x0, cov_x=True)
EXACT = leastsq_many(PROBLEM.func, PROBLEM.x0, Dfun=PROBLEM.dfun, cov_x=True)


def strided(values: Any) -> Any:
    room = np.full([2 * size for size in values.shape], np.nan)
    view = room[tuple(slice(None, None, 2) for _ in values.shape)]
    view[...] = values
    return view


def misaligned(values: Any) -> Any:
    room = np.empty(values.nbytes + 1, np.uint8)[1:].view(np.float64).reshape(values.shape)
    room[...] = values
    return room


def frozen(values: Any) -> Any:
    values.flags.writeable = False
    return values


def backwards(values: Any) -> Any:
    return np.flip(np.flip(values).copy())


def objects(values: Any) -> Any:
    return values.astype(object)


FORMS: list[Any] = [
    np.ndarray.tolist,
    lambda v: tuple(map(tuple, v.tolist())),
    lambda v: [*v],
    frozen,
    strided,
    misaligned,
    backwards,
    objects,
    np.asfortranarray,
    ArrayLike,
    Sequence,
    memoryview,
    lambda v: v.view(Subclass),
    lambda v: v.astype(">f8"),
    lambda v: np.ma.array(v, mask=False),
    lambda v: np.asmatrix(v) if v.ndim == 2 else v,
]


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("form", FORMS)
def test_forms_of_results(form: Any) -> None:
    def func(X: Any, index: Any) -> Any:
        return form(PROBLEM.func(X, index))

    def dfun(X: Any, index: Any) -> Any:
        return form(PROBLEM.dfun(X, index))

    assert_same_fits(leastsq_many(func, PROBLEM.x0, cov_x=True), USUAL)
    assert_same_fits(leastsq_many(func, PROBLEM.x0, Dfun=dfun, cov_x=True), EXACT)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16, np.longdouble])
def test_real_numbers_of_other_types(dtype: Any) -> None:
    values = np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    matrix = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])

    def func(X: Any, index: Any) -> Any:
        return values[index].astype(dtype)

    def dfun(X: Any, index: Any) -> Any:
        return np.broadcast_to(matrix, (len(X), 3, 2)).astype(dtype)

    check(func, np.ones((2, 2)), Dfun=dfun)


def test_numbers_of_python_in_arrays() -> None:
    def func(X: Any, index: Any) -> Any:
        return [[Fraction(1, 3), Decimal("0.5"), int(i)] for i in index]

    fits = leastsq_many(func, np.ones((2, 2)))
    assert fits.ier.tolist() == [4, 4]


def test_one_variable_may_have_jacobians_without_an_axis_for_it() -> None:
    problem = PROBLEMS["one variable"]
    usual = leastsq_many(problem.func, problem.x0, Dfun=problem.dfun)
    for shape in ((-1, 4), (-1, 4, 1)):
        fits = leastsq_many(
            problem.func, problem.x0, Dfun=lambda X, i, s=shape: problem.dfun(X, i).reshape(s)
        )
        assert_same_fits(fits, usual)
    for shape in ((-1, 4), (-1, 1, 4)):
        fits = leastsq_many(
            problem.func,
            problem.x0,
            Dfun=lambda X, i, s=shape: problem.dfun(X, i).reshape(s),
            col_deriv=True,
        )
        assert_same_fits(fits, usual)


def at_call(number: int, usual: Any, unusual: Any) -> Any:
    """Return a function that gives something else at one of its calls."""
    calls: list[int] = []

    def function(X: Any, index: Any) -> Any:
        calls.append(1)
        return unusual(X, index) if len(calls) == number else usual(X, index)

    return function


WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "a number": (lambda r: 1.0, ValueError, r"shape \(\), and must return a row of residuals"),
    "3-D": (lambda r: r[None], ValueError, r"shape \(1, \d+, 12\)"),
    "flat": (lambda r: np.append(r.ravel(), 1.0), ValueError, r"shape \(\d+,\)"),
    "a row more": (lambda r: np.vstack([r] * 7), ValueError, r"shape \((7|\d\d), 12\)"),
    "a row less": (lambda r: r[:-1], ValueError, r"shape \(\d+, 12\)"),
    "across": (lambda r: np.vstack([r] * 2).T, ValueError, r"shape \(12, \d+\)"),
    "complex": (lambda r: r + 0j, TypeError, "func returned values of dtype complex128; it must"),
    "text": (lambda r: "text", TypeError, "func returned an object of type 'str'; it must"),
    "None": (lambda r: None, TypeError, "func returned an object of type 'NoneType'"),
    "objects": (lambda r: np.full(r.shape, None), TypeError, "func returned values of dtype obj"),
    "dates": (lambda r: r.astype("M8[s]"), TypeError, "func returned values of dtype datetime64"),
    "ragged": (lambda r: [[1.0], [1.0, 2.0]], ValueError, "inhomogeneous"),
}


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("name", WRONG)
def test_what_func_must_not_return(name: str, number: int) -> None:
    make, error, says = WRONG[name]

    def wrong(X: Any, index: Any) -> Any:
        return make(PROBLEM.func(X, index))

    with pytest.raises(error, match=says) as caught:
        leastsq_many(at_call(number, PROBLEM.func, wrong), PROBLEM.x0)
    assert caught.value.fits.ier.shape == (5,)  # type: ignore[attr-defined]


def test_a_number_of_residuals_that_changes() -> None:
    for number in (2, 3, 5):
        for wrong, m in ((lambda X, i: np.ones((len(X), 11)), 11), (lambda X, i: X[:, :0], 0)):
            says = f"func returned {m} residuals for each fit, and 12 before"
            with pytest.raises(ValueError, match=says):
                leastsq_many(at_call(number, PROBLEM.func, wrong), PROBLEM.x0)


def test_hints_for_the_usual_mistakes() -> None:
    t, y = PROBLEM.t, PROBLEM.y
    with pytest.raises(ValueError, match=r"a row for each of the 5 fits: .* index .* data\[index"):
        leastsq_many(lambda X, index: X[:, :1] + X[:, 1:2] * t + X[:, 2:] - y, PROBLEM.x0)
    with pytest.raises(ValueError, match=r"for a single point, too, .* shape \(1, 12\)"):
        leastsq_many(lambda X, index: np.squeeze(PROBLEM.func(X, index)), PROBLEM.x0)
    everybody = PROBLEM.dfun(np.ones((5, 3)), np.arange(5))
    with pytest.raises(TypeError, match="a matrix for each of the 5 fits"):
        leastsq_many(PROBLEM.func, PROBLEM.x0, Dfun=lambda X, i: everybody, chunk_size=2)


WRONG_JACOBIANS: dict[str, tuple[Any, type[Exception], str]] = {
    "across": (
        lambda J: J.transpose(0, 2, 1),
        TypeError,
        r"shape of the 'Dfun' argument 'function'. Shape should be \(\d, 12, 3\) but it is "
        r"\(\d, 3, 12\)\.$",
    ),
    "2-D": (lambda J: J[0], TypeError, r"Shape should be \(\d, 12, 3\) but it is \(12, 3\)"),
    "without an axis": (lambda J: J[..., 0], TypeError, r"but it is \(\d, 12\)"),
    "a matrix less": (lambda J: J[1:], TypeError, r"but it is \(\d, 12, 3\)"),
    "a row more": (lambda J: np.ones((len(J), 13, 3)), TypeError, r"but it is \(\d, 13, 3\)"),
    "a number": (lambda J: 1, TypeError, r"but it is \(\)"),
    "complex": (lambda J: J * 1j, TypeError, "Dfun returned values of dtype complex128"),
    "text": (lambda J: b"", TypeError, "Dfun returned an object of type 'bytes'"),
}


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("name", WRONG_JACOBIANS)
def test_what_dfun_must_not_return(name: str, number: int) -> None:
    make, error, says = WRONG_JACOBIANS[name]

    def wrong(X: Any, index: Any) -> Any:
        return make(PROBLEM.dfun(X, index))

    with pytest.raises(error, match=says):
        leastsq_many(PROBLEM.func, PROBLEM.x0, Dfun=at_call(number, PROBLEM.dfun, wrong))


def test_a_dfun_without_a_name() -> None:
    with pytest.raises(TypeError, match=r"'Dfun' argument\. Shape should be \(1, 3, 12\) but"):
        leastsq_many(PROBLEM.func, PROBLEM.x0, Dfun=Counted(PROBLEM.dfun), col_deriv=1)


# What a function may do to what it is given


def manners(function: Any, memory: list[Any], manner: Any) -> Any:
    def polite(X: Any, index: Any) -> Any:
        values = function(X, index)
        return manner(X, values, memory)

    return polite


# The other manners are for a vector.
FITTING = [
    name for name in MANNERS if name not in ("same list", "same buffer", "nest", "nest and fail")
]


@pytest.mark.parametrize("name", FITTING)
def test_func_may_do_what_it_likes_to_x(name: str) -> None:
    manner = MANNERS[name]
    for dfun in (None, PROBLEM.dfun):
        memory: list[Any] = []
        fits = leastsq_many(
            manners(PROBLEM.func, memory, manner),
            PROBLEM.x0,
            Dfun=None if dfun is None else manners(dfun, memory, manner),
            cov_x=True,
        )
        assert_same_fits(fits, USUAL if dfun is None else EXACT)
        if name.startswith("keep") and "result" not in name:
            assert_kept(memory)


def test_func_may_do_what_it_likes_to_index() -> None:
    abuses: list[Any] = [
        lambda index: index.fill(10**9),
        lambda index: index.resize(0, refcheck=False),
        lambda index: setattr(index, "dtype", np.float64),
        lambda index: index.sort(),
    ]
    for abuse in abuses:

        def func(X: Any, index: Any, abuse: Any = abuse) -> Any:
            values = PROBLEM.func(X, index)
            abuse(index)
            return values

        def dfun(X: Any, index: Any, abuse: Any = abuse) -> Any:
            values = PROBLEM.dfun(X, index)
            abuse(index)
            return values

        assert_same_fits(leastsq_many(func, PROBLEM.x0, cov_x=True), USUAL)
        assert_same_fits(leastsq_many(func, PROBLEM.x0, Dfun=dfun, cov_x=True), EXACT)


def test_what_was_given_to_func_stays() -> None:
    kept: list[tuple[Any, Any, Any, Any]] = []

    def func(X: Any, index: Any) -> Any:
        kept.append((X, X.copy(), index, index.copy()))
        return PROBLEM.func(X, index)

    leastsq_many(func, PROBLEM.x0, chunk_size=2)
    for X, was, index, which in kept:
        np.testing.assert_array_equal(X, was)
        np.testing.assert_array_equal(index, which)


def test_func_may_return_x_and_the_same_buffer() -> None:
    fits = leastsq_many(lambda X, index: X, np.ones((3, 2)))
    np.testing.assert_array_equal(fits.x, 0.0)
    room = np.empty((3 * 5, 12))

    def func(X: Any, index: Any) -> Any:
        return np.copyto(room[: len(X)], PROBLEM.func(X, index)) or room[: len(X)]

    assert_same_fits(leastsq_many(func, PROBLEM.x0, cov_x=True), USUAL)


# Calls within calls, and at the same time


def test_func_may_call_leastsq_many() -> None:
    def func(X: Any, index: Any) -> Any:
        inner = leastsq_many(PROBLEM.func, PROBLEM.x0, Dfun=PROBLEM.dfun, cov_x=True)
        assert_same_fits(inner, EXACT)
        return PROBLEM.func(X, index)

    assert_same_fits(leastsq_many(func, PROBLEM.x0, cov_x=True), USUAL)


def test_a_call_that_never_ends_is_a_recursion_error() -> None:
    def func(X: Any, index: Any) -> Any:
        return leastsq_many(func, X)

    with pytest.raises(RecursionError):
        leastsq_many(func, PROBLEM.x0)
    assert_same_fits(leastsq_many(PROBLEM.func, PROBLEM.x0, cov_x=True), USUAL)


def test_two_threads_at_once() -> None:
    problem = PROBLEMS["by blocks"]
    usual = leastsq_many(problem.func, problem.x0)
    together = threading.Barrier(2)
    found: list[Any] = []

    def func(X: Any, index: Any) -> Any:
        if len(X) == 1:
            together.wait(timeout=20)
        return problem.func(X, index)

    def work() -> None:
        found.append(leastsq_many(func, problem.x0, chunk_size=2))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    for fits in found:
        assert_same_fits(fits, usual)
