"""Make plate.csv: what a plate reader writes while 96 wells decay, with what goes wrong there.

Run `python examples/data/make_plate.py > examples/data/plate.csv`. The standard library alone, so
that every machine writes the same file.
"""

from __future__ import annotations

import csv
import math
import random
import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

ROWS: Final = "ABCDEFGH"
COLUMNS: Final = range(1, 13)
MINUTES: Final = (0, 5, 10, 15, 20, 30, 40, 50, 60, 80, 100, 120)
NOISE: Final = 0.01
"""Standard deviation of a reading."""

ABOVE_RANGE: Final = "OVER"
"""What the reader writes for 1.6 and more."""


class Decay(NamedTuple):
    """The signal a*exp(-k*t) + c of a well."""

    a: float
    k: float
    c: float

    def at(self, t: float) -> float:
        """Return the signal after `t` minutes."""
        return self.a * math.exp(-self.k * t) + self.c


def truth(well: str) -> Decay:
    """Return the decay of a well: rows differ in amplitude, columns in rate."""
    row, column = ROWS.index(well[0]), int(well[1:])
    return Decay(a=0.8 + 0.05 * row, k=0.02 * 1.15 ** (column - 1), c=0.05)


def readings(well: str, rng: random.Random) -> Iterator[tuple[int, str]]:
    """Yield minutes and readings of a well, some of which are not what they should be."""
    decay = truth(well)
    for t in MINUTES:
        noise = rng.gauss(0.0, NOISE)
        signal = decay.at(t) + noise
        if well == "B7":  # concentrated twice: too bright at first
            signal = 2 * decay.a * math.exp(-decay.k * t) + decay.c + noise
        if well == "D11":  # the blank
            signal = decay.c
        if well == "F5":  # dries up: nothing decays, and there is no limit
            signal = 0.2 + 0.004 * t + 2e-5 * t * t
        if well == "G9" and t > 5:  # the plate was taken out
            return
        gap = (well == "C3" and t in (15, 60)) or well == "H12"
        text = ABOVE_RANGE if signal >= 1.6 else f"{signal:.4f}"
        yield t, "" if gap else text


def main() -> int:
    """Write the file to standard output."""
    # The same seed gives the same noise with any version of Python.
    rng = random.Random(1978)
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(("well", "minutes", "signal"))
    for row in ROWS:
        for column in COLUMNS:
            well = f"{row}{column}"
            out.writerows((well, t, text) for t, text in readings(well, rng))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
