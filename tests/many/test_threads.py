"""Compiled functions and threads: who gets a turn, who is interrupted, and what stays alive."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alarms import alarms
from alone import interrupt_each
from bits import assert_same_bits
from compiled_problems import Fractions, assert_same_fit, combined, residual
from native_forms import in_python
from rosenbrock import PLAIN, fit, rosenbrock
from together import THREADS, switching, together

from pyminpack import _core, compiled, leastsq, leastsq_many

pytestmark = pytest.mark.thread_unsafe(reason="counts threads, and signals reach the main one only")

ENDLESS: dict[str, Any] = {"ftol": 0.0, "xtol": 0.0, "maxfev": 10**7}
NAP = 2.0  # milliseconds that a call takes in a fit without end
MINUTE = 60.0


def creeping(library: Path, data: Any = None) -> Any:
    return compiled(combined(library, "creeping"), 1, jac=True, data=data)


def creeping_rows(count: int, *endless: int) -> Any:
    """Return the data of fits of which some have no end."""
    data = np.zeros((count, 2))
    data[list(endless), 1] = NAP
    return data


def wait_until(happens: Callable[[], Any]) -> None:
    deadline = time.monotonic() + MINUTE
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@contextmanager
def no_thread_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


# Whose turn


def in_leastsq(c: Any, data: Any) -> Any:
    return leastsq(c, 5.0)


def in_many(c: Any, data: Any) -> Any:
    return leastsq_many(c, [[5.0]], data=data[None])


@pytest.mark.parametrize("call", [in_leastsq, in_many])
def test_other_threads_run_during_a_fit(call: Any, compiled_library: Path) -> None:
    # The function sets data[1] at each call and returns when data[0] is not 0.
    data = np.zeros(2)
    c = compiled(residual(compiled_library, "wait_for_thread"), 1, data=data)

    def answer() -> None:
        wait_until(lambda: data[1] == 1.0)
        data[0] = 1.0

    thread = threading.Thread(target=answer)
    thread.start()
    x, ier = call(c, data)
    thread.join()
    assert x.ravel().tolist() == [0.0]
    assert np.all(ier > 0)


def test_fits_of_one_call_run_at_the_same_time(compiled_library: Path) -> None:
    # Each call waits until there are three.
    began = np.array([0, 3], np.intc)
    c = compiled(residual(compiled_library, "meet"), 1, data=began)
    found = leastsq_many(c, np.arange(1.0, 7.0)[:, None], workers=3)
    assert found.success.all()
    assert began[0] == found.nfev.sum()


def test_many_threads_each_with_its_fit(compiled_library: Path) -> None:
    problems = [Fractions(seed) for seed in range(THREADS)]
    alone = [leastsq(p.func, p.x0, Dfun=p.dfun, full_output=True) for p in problems]
    f = combined(compiled_library, "scripted")

    def work(me: int) -> None:
        for _ in range(20):
            c = compiled(f, 9, jac=True, data=problems[me].data.copy())
            assert_same_fit(leastsq(c, np.ones(3), full_output=True), alone[me])
            found = leastsq_many(c, np.ones((3, 3)), workers=2)
            assert_same_bits(found.x, np.stack([alone[me][0]] * 3))

    with switching(1e-6):
        together(*(lambda me=me: work(me) for me in range(THREADS)))  # type: ignore[misc]


def test_threads_that_share_a_driver(compiled_library: Path) -> None:
    count = 300
    c = creeping(compiled_library)
    x0 = np.arange(float(count))[:, None]
    x = np.full((count, 1), np.nan)
    counts = [np.zeros(count, np.intc) for _ in range(3)]
    options = (1e-8, 1e-8, 0.0, 100.0, 99, None, "auto")
    results = (x, *counts, np.zeros(count), None, None)
    rows = creeping_rows(count)
    batch = _core.Batch((x0, None, None, None), results, options, c, c, rows)

    def work() -> None:
        while batch.run():
            pass
        assert batch.run() is False

    together(*[work] * THREADS)
    assert batch.done == count
    assert rows[:, 0].tolist() == counts[1].tolist()  # each fit was made once
    assert_same_bits(x, leastsq_many(c, x0, data=creeping_rows(count), ftol=1e-8, xtol=1e-8).x)


def test_a_driver_is_stopped_in_the_middle(compiled_library: Path) -> None:
    c = creeping(compiled_library)
    rows, x = creeping_rows(4, 0, 1, 2, 3), np.full((4, 1), np.nan)
    counts = [np.zeros(4, np.intc) for _ in range(3)]
    options = (0.0, 0.0, 0.0, 100.0, 10**7, None, "auto")
    batch = _core.Batch(
        (np.ones((4, 1)), None, None, None),
        (x, *counts, np.zeros(4), None, None),
        options,
        c,
        c,
        rows,
    )
    ended: list[bool] = []
    threads = [threading.Thread(target=lambda: ended.append(batch.run())) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: np.count_nonzero(rows[:, 0]) >= 2)
    batch.stop()
    for thread in threads:
        thread.join()
    assert ended == [False, False]
    assert batch.done == 0
    assert np.isnan(x).all()


# What stays alive


def test_a_fit_keeps_its_data(compiled_library: Path) -> None:
    data = np.zeros(2)
    watched = weakref.ref(data)
    box = [compiled(residual(compiled_library, "wait_for_thread"), 1, data=data)]
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(leastsq(box.pop(), 5.0)))
    thread.start()
    wait_until(lambda: watched()[1] == 1.0)  # type: ignore[index]
    del data
    gc.collect()
    memory = watched()
    assert memory is not None
    memory[0] = 1.0
    del memory
    thread.join()
    assert found[0][0].tolist() == [0.0]
    del thread
    gc.collect()
    assert watched() is None


def test_a_driver_keeps_what_it_was_given(compiled_library: Path) -> None:
    x = np.full((5, 1), np.nan)
    counts = [np.zeros(5, np.intc) for _ in range(3)]
    data = creeping_rows(5)
    c = compiled(in_python(lambda p, m, n, x, fvec, iflag: fvec.__setitem__(0, x[0] - 2.0) or 0), 1)
    kept = [weakref.ref(data), weakref.ref(counts[0])]
    options = (1e-8, 1e-8, 0.0, 100.0, 99, None, "auto")
    batch = _core.Batch(
        (np.ones((5, 1)), None, None, None),
        (x, *counts, np.zeros(5), None, None),
        options,
        c,
        None,
        data,
    )
    del c, data, counts
    gc.collect()
    assert batch.run() is False
    np.testing.assert_allclose(x, 2.0)
    del batch
    gc.collect()
    assert [ref() for ref in kept] == [None, None]


def test_callbacks_into_python_by_many_threads() -> None:
    c = compiled(in_python(lambda p, m, n, x, fvec, iflag: fvec.__setitem__(0, x[0] - 2.0) or 0), 1)
    expected = leastsq_many(c, np.arange(20.0)[:, None])
    with switching(1e-6):
        found = leastsq_many(c, np.arange(20.0)[:, None], workers=4)
    assert_same_bits(found.x, expected.x)

    def nested(p: Any, m: int, n: int, x: Any, fvec: Any, iflag: int) -> int:
        inner = leastsq_many(c, np.full((3, 1), x[0]), workers=2)
        fvec[0] = x[0] + inner.x[2, 0]
        return 0

    found = leastsq_many(compiled(in_python(nested), 1), np.ones((4, 1)), workers=2)
    np.testing.assert_allclose(found.x, -2.0)


# What goes wrong


class TroubleError(Exception):
    """What no other code raises."""


@pytest.mark.parametrize("workers", [1, 3])
def test_a_progress_that_raises(workers: int, compiled_library: Path) -> None:
    trouble = TroubleError("trouble")

    def progress(done: int, total: int) -> None:
        raise trouble

    count = 10
    rows = creeping_rows(count, count - 1)  # the others are done while the last goes on
    with no_thread_left(), pytest.raises(TroubleError) as caught:
        leastsq_many(
            creeping(compiled_library), np.ones((count, 1)), data=rows, workers=workers,
            progress=progress, **{**ENDLESS, "maxfev": 200},  # this thread may have got it
        )  # fmt: skip
    assert caught.value is trouble
    assert_partly_done(trouble, rows)


def assert_partly_done(error: BaseException, rows: Any) -> None:
    """Assert that each row is that of a finished fit, or of none."""
    fits = error.fits  # type: ignore[attr-defined]
    made = fits.ier != 0
    assert made.any()
    assert made.tolist() == (~np.isnan(fits.x[:, 0])).tolist()
    assert made.tolist() == (fits.nfev > 0).tolist()
    assert fits.nfev[made].tolist() == rows[made, 0].tolist()
    ended = made & (rows[:, 1] == 0.0)
    assert ended.any()
    np.testing.assert_allclose(fits.x[ended], 3.0)
    assert np.isnan(fits.fnorm[~made]).all()


@pytest.mark.parametrize("started", [0, 2])
def test_a_thread_that_cannot_start(
    started: int, compiled_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = threading.Thread.start
    starts: list[Any] = []

    def start(self: threading.Thread) -> None:
        starts.append(self)
        if len(starts) > started:
            raise RuntimeError("can't start new thread")
        usual(self)

    rows = creeping_rows(10, *range(10))
    with no_thread_left(), monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="can't start new thread") as caught:
            leastsq_many(
                creeping(compiled_library), np.ones((10, 1)), data=rows, workers=6, **ENDLESS
            )
    assert len(starts) == started + 1
    fits = caught.value.fits  # type: ignore[attr-defined]
    assert fits.ier.tolist() == [0] * 10
    assert np.isnan(fits.x).all()


def test_a_worker_that_fails_ends_the_call(
    compiled_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MemoryError in another thread, while the one that called has a fit without end."""
    trouble = MemoryError()
    main = threading.get_ident()
    real = _core.Batch

    class Batch:
        def __init__(self, *args: Any) -> None:
            self.batch = real(*args)
            self.stop = self.batch.stop
            self.options = self.batch.options

        done = 0

        def run(self) -> bool:
            if threading.get_ident() != main:
                wait_until(lambda: rows[0, 0] > 3)
                raise trouble
            return self.batch.run()

    rows = creeping_rows(3, 0, 1, 2)
    monkeypatch.setattr(_core, "Batch", Batch)
    with no_thread_left(), pytest.raises(MemoryError) as caught:
        leastsq_many(creeping(compiled_library), np.ones((3, 1)), data=rows, workers=2, **ENDLESS)
    assert caught.value is trouble


# Signals


def test_a_handler_that_fits_and_then_raises(compiled_library: Path) -> None:
    trouble = TimeoutError("trouble")
    c = creeping(compiled_library, np.array([0.0, NAP]))
    rows = creeping_rows(5, 3)

    def handler(number: int, frame: Any) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        assert_same_bits(fit(rosenbrock), PLAIN)
        assert leastsq(creeping(compiled_library, np.zeros(2)), 1.0)[1] in (1, 2, 3, 4)
        raise trouble

    with alarms(handler, 0.05), pytest.raises(TimeoutError) as caught:
        leastsq(c, 1.0, **ENDLESS)
    assert caught.value is trouble
    for workers in (1, 2):
        rows[:, 0] = 0.0
        with no_thread_left(), alarms(handler, 0.05), pytest.raises(TimeoutError) as caught:
            leastsq_many(creeping(compiled_library), np.ones((5, 1)), data=rows, workers=workers,
                         **ENDLESS)  # fmt: skip
        assert caught.value is trouble
        assert_partly_done(trouble, rows)


def test_a_handler_that_does_nothing_changes_nothing(compiled_library: Path) -> None:
    calls: list[int] = []
    data = np.array([0.0, NAP])
    with alarms(lambda *_: calls.append(1), 0.01):
        found = leastsq(creeping(compiled_library, data), 1.0, ftol=0.0, xtol=0.0, maxfev=600,
                        full_output=True)  # fmt: skip
    assert calls
    assert found[4] == 5
    assert data[0] == found[2]["nfev"]


def fit_alone(library: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        leastsq(creeping(library, np.array([0.0, NAP])), 1.0, **ENDLESS)


def fit_many(library: Path, workers: int) -> None:
    rows = creeping_rows(9, 4, 7)
    with no_thread_left(), pytest.raises(KeyboardInterrupt) as caught:
        leastsq_many(creeping(library), np.ones((9, 1)), data=rows, workers=workers, **ENDLESS)
    assert_partly_done(caught.value, rows)
    assert caught.value.fits.ier[[4, 7]].tolist() == [0, 0]  # type: ignore[attr-defined]


WAITING: list[Callable[[Path], None]] = [
    fit_alone,
    lambda library: fit_many(library, 1),
    lambda library: fit_many(library, 2),
]


def interrupted(library: str) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    for number, waiting in enumerate(WAITING):
        print(number, flush=True)
        waiting(Path(library))
        assert_same_bits(fit(rosenbrock), PLAIN)
    print("done")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_a_real_ctrl_c(compiled_library: Path) -> None:
    code = f"import {__name__} as here; here.interrupted({str(compiled_library)!r})"
    interrupt_each(code, [str(number) for number in range(len(WAITING))])
