"""`progress` of `leastsq_many`: a callable, tqdm's bar, or a line on stderr."""

from __future__ import annotations

import io
import itertools
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from many import assert_same_fits, fractions
from misbehaviour import Trouble

from pyminpack import leastsq_many
from pyminpack._many import progress as module

# They exchange the clock, stderr and modules.
pytestmark = pytest.mark.thread_unsafe(reason="parts of the process are exchanged")

PROBLEM = fractions(20)
USUAL = leastsq_many(PROBLEM.func, PROBLEM.x0)
Calls = list[tuple[int, int]]


def set_clock(monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    """Have a clock that goes on by `step` seconds each time one looks."""
    ticks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: step * next(ticks))
    monkeypatch.setattr(module, "time", clock)


def run(progress: Any, **options: Any) -> None:
    options = {"chunk_size": 3, **options}
    assert_same_fits(leastsq_many(PROBLEM.func, PROBLEM.x0, progress=progress, **options), USUAL)


def test_a_callable_is_told_how_many_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, 1.0)
    calls: Calls = []
    run(lambda done, total: calls.append((done, total)))
    done = [one for one, _ in calls]
    assert {total for _, total in calls} == {20}
    assert done == sorted(set(done))
    assert done[0] > 0
    assert done[-1] == 20
    assert len(done) > 5


def test_a_callable_is_not_called_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, 0.0)
    calls: Calls = []
    run(lambda done, total: calls.append((done, total)))
    assert len(calls) == 2  # the first and the last
    assert calls[-1] == (20, 20)
    every: Calls = []
    set_clock(monkeypatch, 0.05)
    run(lambda done, total: every.append((done, total)))
    assert 2 < len(every) < 20


def test_all_at_once_and_one() -> None:
    calls: Calls = []
    run(lambda *told: calls.append(told), chunk_size=None)
    assert calls[-1] == (20, 20)
    calls.clear()
    leastsq_many(lambda X, i: X - 1.0, [[2.0]], progress=lambda *told: calls.append(told))
    assert calls == [(1, 1)]


def test_what_it_returns_does_not_matter_and_what_it_raises_does() -> None:
    run(lambda done, total: NotImplemented)
    trouble = Trouble()

    def report(done: int, total: int) -> None:
        if done == total:
            raise trouble

    with pytest.raises(Trouble) as caught:
        leastsq_many(PROBLEM.func, PROBLEM.x0, progress=report)
    assert caught.value is trouble
    assert_same_fits(trouble.fits, USUAL)  # type: ignore[attr-defined]


def test_an_exception_while_fits_are_under_way() -> None:
    trouble = KeyboardInterrupt()

    def report(done: int, total: int) -> None:
        raise trouble

    with pytest.raises(KeyboardInterrupt) as caught:
        leastsq_many(PROBLEM.func, PROBLEM.x0, progress=report, chunk_size=2)
    assert caught.value is trouble
    ier = trouble.fits.ier  # type: ignore[attr-defined]
    assert 0 < (ier != 0).sum() <= 2


@pytest.mark.parametrize("wish", [None, False])
def test_silence(wish: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run(wish)
    assert capsys.readouterr() == ("", "")


# tqdm


class FakeBar:
    """What a bar of tqdm does, as far as we use it."""

    made: list[FakeBar]

    def __init__(self, total: int, unit: str) -> None:
        self.total, self.unit, self.n, self.closed = total, unit, 0, 0
        self.made.append(self)

    def update(self, n: int) -> None:
        assert n > 0
        self.n += n

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[FakeBar]:
    package, auto = ModuleType("tqdm"), ModuleType("tqdm.auto")
    FakeBar.made = []
    auto.tqdm = FakeBar  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tqdm", package)
    monkeypatch.setitem(sys.modules, "tqdm.auto", auto)
    return FakeBar.made


def test_a_bar(bars: list[FakeBar], capsys: pytest.CaptureFixture[str]) -> None:
    run(True)
    (bar,) = bars
    assert (bar.n, bar.total, bar.unit, bar.closed) == (20, 20, "fit", 1)
    assert capsys.readouterr() == ("", "")


def test_a_bar_is_closed_after_an_exception(bars: list[FakeBar]) -> None:
    with pytest.raises(ZeroDivisionError):
        leastsq_many(lambda X, index: 1 / 0, PROBLEM.x0, progress=True)
    assert [bar.closed for bar in bars] == [1]


def test_the_bar_of_tqdm_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm.auto")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    run(True)
    assert "20/20" in sys.stderr.getvalue()  # type: ignore[attr-defined]


# A line


@pytest.fixture
def without_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("without_tqdm")
def test_a_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, 1.0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    run(True)
    said = sys.stderr.getvalue()  # type: ignore[attr-defined]
    lines = said.split("\r")
    assert lines[0] == ""
    assert lines[-1] == "20 of 20 fits\n"
    assert said.count("\n") == 1
    assert len(lines) > 5


@pytest.mark.usefixtures("without_tqdm")
def test_a_line_on_a_terminal_after_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())

    def func(X: Any, index: Any) -> Any:
        if 19 in index:
            raise Trouble
        return PROBLEM.func(X, index)

    with pytest.raises(Trouble):
        leastsq_many(func, PROBLEM.x0, chunk_size=2, progress=True)
    assert sys.stderr.getvalue().endswith(" of 20 fits\n")  # type: ignore[attr-defined]


@pytest.mark.usefixtures("without_tqdm")
def test_lines_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_clock(monkeypatch, 1.0)
    run(True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "20 of 20 fits"
    assert 2 < len(lines) <= 10
    leastsq_many(PROBLEM.func, PROBLEM.x0, progress=True)
    assert capsys.readouterr().err.splitlines()[-1] == "20 of 20 fits"


@pytest.mark.usefixtures("without_tqdm")
def test_nothing_where_there_is_no_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    run(True)
