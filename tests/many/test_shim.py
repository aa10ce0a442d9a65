"""`_core.Lockstep` itself: whatever it is given, and in whatever order, it refuses or serves."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from many import PROBLEMS, alone, fractions, squares
from wrappers import Subclass, raising_in

from pyminpack import _core, leastsq_many

pytestmark = pytest.mark.shim

B, M, N = 5, 12, 3
PROBLEM = fractions(B)
OPTIONS = (1e-8, 1e-8, 0.0, 100.0, 800, None, "auto")


def given(**changes: Any) -> tuple[Any, ...]:
    return tuple(
        {"x0": PROBLEM.x0, "diag": None, "weights": None, "ydata": None, **changes}.values()
    )


def results(count: int = B, n: int = N, **changes: Any) -> tuple[Any, ...]:
    rooms = {
        "x": np.zeros((count, n)),
        "ier": np.zeros(count, np.intc),
        "nfev": np.zeros(count, np.intc),
        "njev": np.zeros(count, np.intc),
        "fnorm": np.zeros(count),
        "squares": np.zeros(count),
        "cov_x": np.zeros((count, n, n)),
        **changes,
    }
    return tuple(rooms.values())


def begun(differences: Any = True, size: Any = 0) -> Any:
    return _core.Lockstep(given(), results(), OPTIONS, differences, size)


def changed(values: tuple[Any, ...], at: int, value: Any) -> tuple[Any, ...]:
    return (*values[:at], value, *values[at + 1 :])


def drive(lockstep: Any, func: Any, dfun: Any = None) -> None:
    while (points := lockstep.points()) is not None:
        lockstep.take(func(*points))
        if (points := lockstep.jacobian_points()) is not None:
            lockstep.take_jacobian(dfun(*points))


# The sums of squares and ydata, of which curve_fit_many makes use


@pytest.mark.parametrize("rows", [1, B])
def test_ydata_and_sums_of_squares(rows: int) -> None:
    rooms = results()
    weights = np.linspace(0.5, 2.0, M)
    y = PROBLEM.y[:rows].copy()
    model = fractions(B)
    model.y[:] = 0.0
    ask = given(weights=weights[None], ydata=y)
    drive(_core.Lockstep(ask, rooms, OPTIONS, True, 2), model.func)
    model.y[:] = y
    for fit in range(B):
        x, cov_x, info, _, ier = alone(
            model.func, model.x0, fit, weights, ftol=1e-8, xtol=1e-8, maxfev=800
        )
        assert_same_bits(rooms[0][fit], x)
        assert (rooms[1][fit], rooms[2][fit]) == (ier, info["nfev"])
        assert rooms[5][fit] == _core.sum_of_squares(info["fvec"])
        assert_same_bits(rooms[6][fit], cov_x)


def test_what_is_not_wanted() -> None:
    rooms = results(squares=None, cov_x=None)
    drive(_core.Lockstep(given(), rooms, OPTIONS, True, 0), PROBLEM.func)
    assert (rooms[1] > 0).all()


def test_done_counts_what_is_finished() -> None:
    lockstep = begun(size=2)
    assert lockstep.done == 0
    drive(lockstep, PROBLEM.func)
    assert lockstep.done == B
    assert lockstep.points() is None
    assert lockstep.jacobian_points() is None
    with pytest.raises(AttributeError):
        lockstep.done = 0


# Arguments


def test_the_number_and_types_of_the_arguments() -> None:
    good = (given(), results(), OPTIONS, True, 0)
    for few in range(5):
        with pytest.raises(TypeError):
            _core.Lockstep(*good[:few])
    with pytest.raises(TypeError):
        _core.Lockstep(*good, 0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="no keyword arguments"):
        _core.Lockstep(*good[:4], size=0)  # type: ignore[call-arg]
    _core.Lockstep(*good, **{})
    for size in ("1", 1.0, None):
        with pytest.raises(TypeError):
            begun(size=size)
    with pytest.raises(ValueError, match="size must not be negative"):
        begun(size=-1)
    with pytest.raises(OverflowError):
        begun(size=2**63)
    trouble = ZeroDivisionError("trouble")
    with pytest.raises(ZeroDivisionError):
        begun(differences=raising_in(trouble, "__bool__"))


@pytest.mark.parametrize("wrong", [None, [], (), given()[:3], (*given(), None), list(given())])
def test_what_is_given_must_be_a_tuple_of_4(wrong: Any) -> None:
    with pytest.raises(TypeError, match="must be a tuple of 4"):
        _core.Lockstep(wrong, results(), OPTIONS, True, 0)


@pytest.mark.parametrize("wrong", [None, (), results()[:6], (*results(), None), list(results())])
def test_the_results_must_be_a_tuple_of_7(wrong: Any) -> None:
    with pytest.raises(TypeError, match="the results must be a tuple of 7"):
        _core.Lockstep(given(), wrong, OPTIONS, True, 0)


@pytest.mark.parametrize("wrong", [None, (), OPTIONS[:6], (*OPTIONS, 0), list(OPTIONS)])
def test_the_options_must_be_a_tuple_of_7(wrong: Any) -> None:
    with pytest.raises(TypeError, match="the options must be a tuple of 7"):
        _core.Lockstep(given(), results(), wrong, True, 0)


def misaligned(shape: tuple[int, ...]) -> Any:
    room = np.zeros(8 * int(np.prod(shape)) + 1, np.uint8)
    return room[1:].view(np.float64).reshape(shape)


def unlike(shape: tuple[int, ...]) -> list[Any]:
    """Return objects that are no C-contiguous float64 array of this shape."""
    wider = tuple(2 * size for size in shape)
    return [
        [[1.0] * N] * B,
        "text",
        1.0,
        np.ones(shape[:-1]),
        np.ones((*shape, 1)),
        np.ones((shape[0] + 1, *shape[1:])),
        np.ones((0, *shape[1:])),
        np.ones(shape, np.float32),
        np.ones(shape, ">f8"),
        np.ones(shape, object),
        np.ones(shape, complex),
        np.ones(wider)[tuple(slice(None, None, 2) for _ in shape)],
        np.ones(shape).view(Subclass),
        misaligned(shape),
    ]


def test_x0_must_be_a_table() -> None:
    wrong = [*unlike((B, N)), np.asfortranarray(PROBLEM.x0), np.ones((B, 0)), np.ones((0, N)), None]
    for x0 in wrong:
        with pytest.raises(ValueError, match=r"x0 must be a float64 table|arrays with a row"):
            _core.Lockstep(given(x0=x0), results(), OPTIONS, True, 0)


@pytest.mark.parametrize("name", ["weights", "ydata"])
def test_what_else_is_given_must_be_tables(name: str) -> None:
    for wrong in [*unlike((B, N)), np.ones((N, B)).T, np.ones((2, N))]:
        with pytest.raises(ValueError, match="must be float64 tables of one row"):
            _core.Lockstep(given(**{name: wrong}), results(), OPTIONS, True, 0)


@pytest.mark.parametrize("width", [0, N - 1, N + 1, 100])
def test_diag_must_be_as_wide_as_x0(width: int) -> None:
    for shape in ((width,), (1, width), (B, width), (1, N), (B + 1, N), (B, N, 1), ()):
        with pytest.raises(ValueError, match=r"diag must have shape \(3,\), .* or \(5, 3\)"):
            _core.Lockstep(given(diag=np.ones(shape)), results(), OPTIONS, True, 0)


@pytest.mark.parametrize("name", ["weights", "ydata"])
@pytest.mark.parametrize("width", [0, M - 1, M + 1, 1])
def test_weights_must_be_as_wide_as_the_residuals(width: int, name: str) -> None:
    for rows in (1, B):
        lockstep = _core.Lockstep(
            given(**{name: np.ones((rows, width))}), results(), OPTIONS, True, 0
        )
        points = lockstep.points()
        assert points is not None
        for _ in range(2):
            with pytest.raises(ValueError, match=r"a column for each residual, of which .* 12"):
                lockstep.take(PROBLEM.func(*points))


@pytest.mark.parametrize("at", range(7))
def test_the_results_must_be_arrays_that_fit(at: int) -> None:
    room = results()[at]
    frozen = room.copy()
    frozen.flags.writeable = False
    wrong = [
        *unlike(room.shape),
        room.astype(np.int64),
        frozen,
        room[:-1].copy(),
        room[None].copy(),
    ]
    if room.ndim > 1:
        wrong += [
            np.zeros((*room.shape[:-1], N + 1)),
            np.zeros((B, N, N, N)[: room.ndim]).T.copy().T,
        ]
    if at < 5:
        wrong.append(None)
    for array in wrong:
        with pytest.raises(ValueError, match="results must be arrays with a row for each fit"):
            _core.Lockstep(given(), changed(results(), at, array), OPTIONS, True, 0)


def test_options_that_are_none() -> None:
    for at in (0, 1, 2, 3, 4, 5):
        with pytest.raises(TypeError):
            _core.Lockstep(given(), results(), changed(OPTIONS, at, "1"), True, 0)
    for qr in (99, "lapack", None):
        with pytest.raises(ValueError, match="qr must be 'auto', 'minpack' or 'blocked', not"):
            _core.Lockstep(given(), results(), changed(OPTIONS, 6, qr), True, 0)


def test_any_limit_of_evaluations() -> None:
    most = 2**31 - 1 - (N + 1)
    for differences, usual in ((True, 800), (False, 400)):
        for maxfev, limit in ((0, usual), (-1, usual), (7, 7), (2**31, most), (2**70, most)):
            options = changed(OPTIONS, 4, maxfev)
            lockstep = _core.Lockstep(given(), results(), options, differences, 0)
            told = {"ftol": 1e-8, "xtol": 1e-8, "gtol": 0.0, "maxfev": limit}
            assert lockstep.options == told


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, -np.inf, 1e308])
def test_improper_numbers_end_somehow(bad: float) -> None:
    """Some are refused; the others only have to be survived."""
    refused = suppress(TypeError, ValueError)
    with np.errstate(all="ignore"):
        for at in (0, 1, 2, 3, 5):
            rooms = results()
            options = changed(changed(OPTIONS, 4, 50), at, bad)
            with refused:
                drive(_core.Lockstep(given(), rooms, options, True, 0), PROBLEM.func)
        for name, width in (("x0", N), ("diag", N), ("weights", M), ("ydata", M)):
            rooms = results()
            ask = given(**{name: np.full((B, width), bad)})
            options = changed(OPTIONS, 4, 50)
            with refused:
                drive(_core.Lockstep(ask, rooms, options, False, 3), PROBLEM.func, PROBLEM.dfun)


# Calls out of order, and answers that are none


def test_answers_that_nobody_waits_for() -> None:
    lockstep = begun(differences=False)
    values, jacobians = np.ones((1, M)), np.ones((1, M, N))
    for _ in range(2):
        with pytest.raises(ValueError, match="the answer must be a float64 array of 2 dimensions"):
            lockstep.take(values)
        with pytest.raises(ValueError, match="the answer must be a float64 array of 3 dimensions"):
            lockstep.take_jacobian(jacobians)
        assert lockstep.jacobian_points() is None
    points = lockstep.points()
    lockstep.take(PROBLEM.func(*points))
    with pytest.raises(ValueError, match="2 dimensions and 0 rows"):
        lockstep.take(values)
    with pytest.raises(ValueError, match="3 dimensions and 0 rows"):
        lockstep.take_jacobian(jacobians)
    for _ in range(3):
        lockstep.jacobian_points()
        lockstep.points()
    drive(lockstep, PROBLEM.func, PROBLEM.dfun)


def test_answers_that_are_none() -> None:
    lockstep = begun(differences=False, size=3)
    points = lockstep.points()
    lockstep.take(PROBLEM.func(*points))
    points = lockstep.jacobian_points()
    lockstep.take_jacobian(PROBLEM.dfun(*points))
    points = lockstep.points()
    k = len(points[0])
    assert k == 3
    wrong = [*unlike((k, M)), np.ones((k, M - 1)), np.ones((k, M + 1)), np.ones((k, 0)), None]
    for values in [*wrong, np.ones((M, k)).T]:
        with pytest.raises(ValueError, match=r"the answer must be|residuals for each fit, and 12"):
            lockstep.take(values)
    lockstep.take(PROBLEM.func(*points))
    points = lockstep.jacobian_points()
    k = len(points[0])
    wrong = [values for values in unlike((k, M, N)) if not is_plain(values, (k, M, N))]
    for values in [*wrong, np.ones((k, N, M)), np.ones((k, M, N + 1)), np.ones((k, M, 0)), None]:
        with pytest.raises(ValueError, match=r"the answer must be|a Jacobian must have a row"):
            lockstep.take_jacobian(values)
    lockstep.take_jacobian(PROBLEM.dfun(*points))
    drive(lockstep, PROBLEM.func, PROBLEM.dfun)
    assert lockstep.done == B


def is_plain(values: Any, shape: tuple[int, ...]) -> bool:
    """Whether it is a Jacobian that is taken, of whatever strides."""
    plain = type(values) is np.ndarray and values.dtype is np.dtype(float) and values.flags.aligned
    return plain and values.shape == shape


def test_an_answer_to_an_old_question_is_refused() -> None:
    """Else there would be fewer matrices, or rows, than slots that take one."""
    lockstep = begun(differences=False)
    lockstep.take(PROBLEM.func(*lockstep.points()))
    first = lockstep.jacobian_points()
    assert len(first[0]) == 1
    lockstep.take(PROBLEM.func(*lockstep.points()))
    with pytest.raises(ValueError, match="3 dimensions and 0 rows"):
        lockstep.take_jacobian(PROBLEM.dfun(*first))

    lockstep = begun(differences=False)
    lockstep.take(PROBLEM.func(*lockstep.points()))
    points = lockstep.points()
    lockstep.take_jacobian(PROBLEM.dfun(*lockstep.jacobian_points()))
    with pytest.raises(ValueError, match="2 dimensions and 0 rows"):
        lockstep.take(PROBLEM.func(*points))
    drive(lockstep, PROBLEM.func, PROBLEM.dfun)


def test_questions_that_are_asked_twice() -> None:
    usual, twice = results(), results()
    drive(_core.Lockstep(given(), usual, OPTIONS, False, 2), PROBLEM.func, PROBLEM.dfun)
    lockstep = _core.Lockstep(given(), twice, OPTIONS, False, 2)
    while (points := lockstep.points()) is not None:
        for array, again in zip(points, lockstep.points(), strict=True):
            assert_same_bits(again, array)
            assert array is not again
        lockstep.take(PROBLEM.func(*points))
        if (points := lockstep.jacobian_points()) is not None:
            for array, again in zip(points, lockstep.jacobian_points(), strict=True):
                assert_same_bits(again, array)
            lockstep.take_jacobian(PROBLEM.dfun(*points))
    for a, b in zip(usual, twice, strict=True):
        assert_same_bits(a, b)


def test_set_epsfcn() -> None:
    lockstep = begun()
    for wrong in (1.0, "f", None, 2**70):
        with pytest.raises((TypeError, OverflowError)):
            lockstep.set_epsfcn(wrong)
    for number in (-1, -5, 10**6, np.dtype(np.float32).num):
        lockstep.set_epsfcn(number)
    drive(lockstep, PROBLEM.func)


def test_more_residuals_than_an_int_counts() -> None:
    """The array is of memory that is never touched."""
    try:
        values = np.empty((1, 2**31))
    except MemoryError:
        pytest.skip("no 16 GB of addresses here")
    lockstep = begun()
    lockstep.points()
    with pytest.raises(ValueError, match="2147483648 residuals for each fit; MINPACK counts"):
        lockstep.take(values)
    # As many as an int counts, for which there is hardly the memory.
    with pytest.raises(MemoryError):
        begun_with(2**18).take(np.empty((1, 2**31 - 1)))


def begun_with(n: int) -> Any:
    lockstep = _core.Lockstep(
        given(x0=np.ones((1, n))), results(1, n, cov_x=None), OPTIONS, True, 0
    )
    lockstep.points()
    return lockstep


def test_a_lockstep_serves_one_thread_at_a_time() -> None:
    """While the work of one thread goes on without the GIL, others are refused."""
    problem = squares(40, 400, 60)
    rooms = results(40, 60)
    lockstep = _core.Lockstep(given(x0=problem.x0), rooms, OPTIONS, True, 0)
    stop = threading.Event()
    said: list[str] = []

    def meddle() -> None:
        while not stop.is_set():
            for call in (lockstep.points, lockstep.jacobian_points):
                try:
                    call()
                except RuntimeError as error:
                    said.append(str(error))
            for refused in (lockstep.take, lockstep.take_jacobian):
                with suppress(RuntimeError, ValueError):
                    refused(None)

    thread = threading.Thread(target=meddle)
    thread.start()
    try:
        for _ in range(20):
            try:
                points = lockstep.points()
                lockstep.take(problem.func(*points))
            except RuntimeError as error:
                said.append(str(error))
    finally:
        stop.set()
        thread.join()
    assert set(said) <= {"a Lockstep serves one thread at a time"}


# What it holds


def references(*arrays: Any) -> list[int]:
    return [sys.getrefcount(array) for array in arrays]


def test_it_holds_its_arrays_and_no_longer_than_it_lives() -> None:
    ask = given(weights=np.ones((1, M)), ydata=np.zeros((1, M)))
    diag, rooms = np.ones(N), results()
    tables = (ask[0], *ask[2:], *rooms)
    held = [weakref.ref(array) for array in tables[1:]]
    counts = references(diag, *tables)
    lockstep = _core.Lockstep(changed(ask, 1, diag), rooms, OPTIONS, True, 0)
    lockstep.take(PROBLEM.func(*lockstep.points()))
    with pytest.raises(ValueError, match="table"):
        _core.Lockstep(changed(ask, 3, 1.0), rooms, OPTIONS, True, 0)
    # diag is the user's, and copied.
    assert references(diag, *tables) == [counts[0], *(count + 1 for count in counts[1:])]
    del ask, rooms, tables
    gc.collect()
    assert all(reference() is not None for reference in held)
    del lockstep
    gc.collect()
    assert all(reference() is None for reference in held)


def test_its_type() -> None:
    assert _core.Lockstep.__module__ == "pyminpack._core"
    with pytest.raises(TypeError, match="immutable type"):
        _core.Lockstep.points = None  # type: ignore[method-assign, assignment]
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Sub", (_core.Lockstep,), {})
    with pytest.raises(TypeError):
        type(begun()).__new__(int)


def test_a_fit_by_blocks_with_differences_and_leaps() -> None:
    """Every path of a slot: by blocks or not, differences or not, and points that are infinite."""
    scale = np.array([1e300, 1e-300])

    def func(X: Any, index: Any) -> Any:
        return np.stack([X[:, 0], 1e200 * X[:, 0] + 1e-160 * X[:, 1] - 1e300], axis=1)

    def dfun(X: Any, index: Any) -> Any:
        return np.broadcast_to([[1.0, 0.0], [1e200, 1e-160]], (len(X), 2, 2))

    with np.errstate(all="ignore"):
        for qr in ("minpack", "blocked"):
            for jacobian in (None, dfun):
                fits = leastsq_many(func, [[0.0, 1.0]] * 3, Dfun=jacobian, diag=scale, qr=qr)
                assert np.isfinite(fits.x).all()
    problem = PROBLEMS["by blocks"]
    for jacobian in (None, problem.dfun):
        assert leastsq_many(problem.func, problem.x0, Dfun=jacobian, chunk_size=2).success.all()
