"""Rows of text as a table, and numbers as one writes them in it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

Row = list[str]


def ratio(value: float) -> str:
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f}"


def floored(digits: float) -> float:
    """Round down to a tenth, so that what falls short of a bound does not read as that bound."""
    # The slack is for numbers that are a tenth already, and in binary a little less.
    return math.floor(10.0 * digits + 1e-9) / 10.0


def as_text(rows: Sequence[Row]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def as_markdown(rows: Sequence[Row], words: Collection[int] = (0,)) -> str:
    """Return a table whose columns `words` are flush left, and the others flush right."""
    lines = ["|" + "".join(f" {cell} |" for cell in row) for row in rows]
    rule = "|" + "".join("---|" if place in words else "---:|" for place in range(len(rows[0])))
    return "\n".join([lines[0], rule, *lines[1:]])
