"""Fit every group of a CSV file and write a CSV file of what was found, failures included.

Run `python examples/pipeline.py --help` for its arguments. Without any it fits the decays of the
96 wells of `data/plate.csv`, which `data/README.md` describes.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final, TextIO

import numpy as np
from numpy.typing import NDArray

from pyminpack import FitError, OptimizeWarning, curve_fit

Vector = NDArray[np.float64]

DATA: Final = Path(__file__).resolve().parent / "data" / "plate.csv"

START: Final = (1.0, 0.05, 0.1)
"""Good enough for every well: the algorithm needs to be near, not close."""


def decay(t: Vector, a: float, k: float, c: float) -> Vector:
    """Return the signal at the times `t` (m,)."""
    # A trial step may well overflow: the solver rejects it, so it deserves no warning.
    with np.errstate(over="ignore"):
        signal: Vector = a * np.exp(-k * t) + c
    return signal


@dataclass
class Row:
    """A line of the output; numbers that there are none of are NaN, and empty in the file.

    `ier` and `message` are those of `curve_fit`; `ier` is -1 where it could not even begin.
    """

    group: str
    points: int
    a: float = math.nan
    k: float = math.nan
    c: float = math.nan
    a_error: float = math.nan
    k_error: float = math.nan
    c_error: float = math.nan
    rss: float = math.nan
    nfev: int = 0
    ier: int = -1
    message: str = ""

    @property
    def trouble(self) -> str:
        """Say why there is no solution with known errors; nothing if there is one."""
        if not 1 <= self.ier <= 4:
            return self.message
        return "" if math.isfinite(self.a_error) else "the errors cannot be estimated"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, fit, write, and say on standard error what did not work."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        # Spreadsheets begin such a file with a byte order mark.
        with options.input.open(newline="", encoding="utf-8-sig") as file:
            groups = read(file, options.group, options.x, options.y)
    except (OSError, LookupError) as error:
        parser.error(str(error))
    rows = [fit(name, x, y) for name, (x, y) in groups.items()]
    if options.output is None:
        write(sys.stdout, rows)
    else:
        with options.output.open("w", newline="", encoding="utf-8") as file:
            write(file, rows)
    failed = [row for row in rows if row.trouble]
    print(f"{len(rows) - len(failed)} of {len(rows)} groups were fitted", file=sys.stderr)
    for row in failed:
        print(f"  {row.group}, {row.points} points: {row.trouble}", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Fit a*exp(-k*x) + c to every group of a file.")
    parser.add_argument("input", nargs="?", type=Path, default=DATA, help="CSV file with a header")
    parser.add_argument("--output", metavar="FILE", type=Path, help="default: standard output")
    for option, default in (("group", "well"), ("x", "minutes"), ("y", "signal")):
        parser.add_argument(
            f"--{option}",
            metavar="COLUMN",
            default=default,
            help=f"name of the column with the {option} (default: {default})",
        )
    return parser


def read(file: TextIO, group: str, x: str, y: str) -> dict[str, tuple[Vector, Vector]]:
    """Read x (m,) and y (m,) of each group, in the order of the file, without readings missing."""
    reader = csv.DictReader(file)
    columns = reader.fieldnames or ()
    for name in (group, x, y):
        if name not in columns:
            raise LookupError(f"no column {name!r} in the file, which has {', '.join(columns)}")
    points: dict[str, list[tuple[float, float]]] = {}
    for line in reader:
        points.setdefault(line[group], []).append((_number(line[x]), _number(line[y])))
    return {name: _present(np.array(pairs)) for name, pairs in points.items()}


def _number(text: str | None) -> float:
    """Return a reading; NaN for whatever an instrument writes when it has none."""
    try:
        return float(text or math.nan)
    except ValueError:
        return math.nan


def _present(pairs: Vector) -> tuple[Vector, Vector]:
    x, y = pairs[np.isfinite(pairs).all(axis=1)].T
    return x, y


def fit(name: str, x: Vector, y: Vector) -> Row:
    """Fit one group, whatever comes of it."""
    row = Row(name, y.size)
    try:
        with warnings.catch_warnings():
            # Infinite errors say the same.
            warnings.simplefilter("ignore", OptimizeWarning)
            p, covariance, info, row.message, row.ier = curve_fit(
                decay, x, y, START, full_output=True
            )
    except FitError as failure:
        # It did not converge, and has what it came to.
        p, info, row.message, row.ier = failure.popt, failure.infodict, failure.mesg, failure.ier
        covariance = np.full((p.size, p.size), np.nan)
    except (TypeError, ValueError) as error:
        row.message = str(error)
        return row
    row.a, row.k, row.c = p.tolist()
    row.a_error, row.k_error, row.c_error = np.sqrt(np.diag(covariance)).tolist()
    row.rss = float(info["fvec"] @ info["fvec"])
    row.nfev = info["nfev"]
    return row


def write(file: TextIO, rows: Sequence[Row]) -> None:
    """Write all digits of every number, so that reading them gives the same."""
    out = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
    out.writeheader()
    for row in rows:
        out.writerow({k: "" if v != v else v for k, v in asdict(row).items()})


if __name__ == "__main__":
    raise SystemExit(main())
