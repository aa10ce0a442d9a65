"""What a terminal shows while the fits run."""

from __future__ import annotations

import shutil
import sys
from typing import TextIO


class Progress:
    """One line that is written over on a terminal, a line a problem elsewhere, or nothing."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self.stream = stream or sys.stderr
        self.quiet = quiet
        self.is_terminal = self.stream.isatty()
        self.shown = 0

    def __call__(self, stage: str, done: int, total: int, name: str) -> None:
        """Tell that `done` problems of `total` are past this stage, and the next one's name."""
        if self.quiet:
            return
        line = f"{stage} {done + 1} of {total}: {name}"
        if not self.is_terminal:
            print(line, file=self.stream, flush=True)
            return
        # A line that does not fit would be broken in two, and only the second written over.
        line = line[: shutil.get_terminal_size().columns - 1]
        self.stream.write(f"\r{line:<{self.shown}}")
        self.stream.flush()
        self.shown = len(line)

    def clear(self) -> None:
        """Take the line away, so that what comes next begins in the first column."""
        if self.shown:
            self.stream.write(f"\r{'':<{self.shown}}\r")
            self.stream.flush()
            self.shown = 0
