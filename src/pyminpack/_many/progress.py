"""How far many fits are: a callable of the user's, tqdm's bar where it is installed, or a line."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .._messages import type_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    _Wish: TypeAlias = Callable[[int, int], object] | bool | None

_PAUSE = 0.1  # seconds between two reports


class Progress:
    """
    Report how many of the fits are done, not too often, and all of them at the end.

    A context manager, which takes what was drawn to its end.
    """

    def __init__(self, wish: _Wish, total: int) -> None:
        self.total = total
        self.done = 0
        self.earliest = -np.inf  # for the next report
        self.report: Callable[[int, int], object] | None = None
        self.close: Callable[[], object] | None = None
        if wish is None or isinstance(wish, (bool, np.bool_)):
            self.is_drawn = bool(wish)
        elif callable(wish):
            self.is_drawn = False
            self.report = wish
        else:
            raise TypeError(
                "progress must be True, False, None or callable, progress(done, total), not of "
                f"type {type_of(wish)}"
            )

    def __enter__(self) -> Self:
        if self.is_drawn:
            drawn = _bar(self.total) or _Line()
            self.report, self.close = drawn.report, drawn.close
        return self

    def __exit__(self, *exception: object) -> None:
        if self.close is not None:
            self.close()

    def __call__(self, done: int) -> None:
        """Tell how many fits are done."""
        if self.report is None or done == self.done:
            return
        if done < self.total and time.monotonic() < self.earliest:
            return
        self.done = done
        self.report(done, self.total)
        self.earliest = time.monotonic() + _PAUSE


def _bar(total: int) -> _Bar | None:
    """Return a bar of tqdm, None if that is not installed."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return _Bar(tqdm(total=total, unit="fit"))


class _Bar:
    def __init__(self, bar: Any) -> None:
        self.bar = bar
        self.close = bar.close

    def report(self, done: int, total: int) -> None:
        self.bar.update(done - self.bar.n)


class _Line:
    """One line that is written over on a terminal; elsewhere a line for each tenth of the fits."""

    def __init__(self) -> None:
        self.stream = sys.stderr  # None in a process without
        self.is_terminal = self.stream is not None and self.stream.isatty()
        self.tenths = 0
        self.shown = False

    def report(self, done: int, total: int) -> None:
        text = f"{done} of {total} fits"
        if self.is_terminal:
            self.stream.write(f"\r{text}")
            self.stream.flush()
            self.shown = True
        elif 10 * done // total > self.tenths:
            self.tenths = 10 * done // total
            print(text, file=self.stream, flush=True)

    def close(self) -> None:
        """Let what comes next begin in the first column."""
        if self.shown:
            print(file=self.stream, flush=True)
