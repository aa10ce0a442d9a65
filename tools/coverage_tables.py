"""
Tables of what the tests ran, from the reports of gcovr and coverage.py; for `./dev coverage`.

Lines of C and Fortran have to be run, but for those that tools/coverage_excluded.toml gives reasons
for; of Python, lines and branches. Branches of C count those of the macros and inline functions of
Python.h, of which one side is out of reach: they are shown, and not enforced.
"""

from __future__ import annotations

import html
import json
import sys
import tomllib
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
EXCLUDED = Path("tools/coverage_excluded.toml")


@dataclass
class File:
    """One source file: how many lines and branches it has, and which were not run."""

    name: str
    lines: int = 0
    branches: int = 0
    taken: int = 0
    excused: int = 0
    missing: list[int] = field(default_factory=list)
    partial: list[int] = field(default_factory=list)

    @property
    def run(self) -> int:
        """Lines that were run."""
        return self.lines - self.excused - len(self.missing)


def native_files(report: Path, excuses: list[dict[str, str]]) -> list[File]:
    """Read gcovr's report on C and Fortran; take out the lines that `excuses` allow."""
    files = []
    for entry in json.loads(report.read_text())["files"]:
        text = (ROOT / entry["file"]).read_text().splitlines()
        file = File(entry["file"])
        for number, (count, branches) in merged(entry["lines"]).items():
            file.lines += 1
            if count == 0:
                if excused(file.name, text[number - 2 : number], excuses):
                    file.excused += 1
                else:
                    file.missing.append(number)
            taken = sum(each > 0 for each in branches)
            file.branches += len(branches)
            file.taken += taken
            if count and taken < len(branches):
                file.partial.append(number)
        files.append(file)
    return files


def merged(entries: list[dict[str, Any]]) -> dict[int, tuple[int, list[int]]]:
    """Return how often each line, and each branch of it, was run in whichever function it is in.

    A file that is compiled for several instruction sets has a function of another name for each, of
    which this processor may run none or one.
    """
    lines: dict[int, tuple[int, list[int]]] = {}
    for entry in entries:
        count, branches = lines.get(entry["line_number"], (0, []))
        more = [branch["count"] for branch in entry["branches"]]
        both = [a + b for a, b in zip_longest(branches, more, fillvalue=0)]
        lines[entry["line_number"]] = count + entry["count"], both
    return lines


def excused(name: str, two_lines: list[str], excuses: list[dict[str, Any]]) -> bool:
    """Whether one of `excuses` is for the second of two lines of a file; mark it as used."""
    after, text = (line.strip() for line in two_lines)
    for excuse in excuses:
        if (name, after, text) == (excuse["file"], excuse["after"], excuse["text"]):
            excuse["used"] = True
            return True
    return False


def python_files(report: Path) -> list[File]:
    """Read coverage.py's report."""
    files = []
    for name, entry in json.loads(report.read_text())["files"].items():
        summary = entry["summary"]
        file = File(name, summary["num_statements"], summary["num_branches"])
        file.taken = summary["covered_branches"]
        file.missing = entry["missing_lines"]
        file.partial = sorted({source for source, _ in entry["missing_branches"]})
        files.append(file)
    return files


def percent(part: int, whole: int) -> str:
    """Rounded down, so that 100 means all."""
    return f"{1000 * part // whole / 10:.1f}" if whole else "-"


def ranges(numbers: list[int]) -> str:
    """3, 4, 5, 9 as 3-5 9."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return " ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in spans)


HEAD = [
    "file",
    "lines",
    "run",
    "excused",
    "%",
    "branches",
    "taken",
    "%",
    "not run",
    "branch not run",
]


def rows(files: list[File]) -> list[list[str]]:
    """One row a file and one of totals."""
    total = File("all")
    for file in files:
        for name in ("lines", "branches", "taken", "excused", "missing"):
            setattr(total, name, getattr(total, name) + getattr(file, name))
    return [
        [
            file.name,
            *map(str, (file.lines, file.run, file.excused)),
            percent(file.run + file.excused, file.lines),
            *map(str, (file.branches, file.taken)),
            percent(file.taken, file.branches),
            ranges(file.missing) if file is not total else "",
            ranges(file.partial),
        ]
        for file in [*files, total]
    ]


def as_text(language: str, table: list[list[str]]) -> str:
    """Columns under one another."""
    table = [[language, *HEAD[1:]], *table]
    widths = [max(len(row[i]) for row in table) for i in range(len(HEAD) - 2)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:8], widths[1:], strict=True)]
            + [row[8]]
        ).rstrip()
        for row in table
    )


def as_html(language: str, table: list[list[str]], link: str) -> str:
    """Return the same as a table, with a link to the sources."""
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n"
        for row in [HEAD, *table]
    )
    return f'<h2><a href="{link}">{language}</a></h2>\n<table border="1">\n{body}</table>\n'


def main(folder: Path) -> int:
    """Print the tables, write `folder`/index.html; return the exit status."""
    excuses = tomllib.loads((ROOT / EXCLUDED).read_text()).get("line", [])
    native = native_files(folder / "report" / "native.json", excuses)
    languages = {
        "C": [file for file in native if file.name.startswith("src/")],
        "Fortran": [file for file in native if file.name.startswith("minpack/")],
        "Python": python_files(folder / "report" / "python.json"),
    }
    faults = [f"{name}: nothing was measured" for name, files in languages.items() if not files]
    page = "<!doctype html>\n<meta charset='utf-8'><title>Coverage</title>\n"
    for language, files in languages.items():
        table = rows(files)
        link = "report/python/index.html" if language == "Python" else "report/native.html"
        page += as_html(language, table, link)
        print(as_text(language, table), end="\n\n")
        for file in files:
            if file.missing:
                faults.append(f"{file.name}: not run: {ranges(file.missing)}")
            if language == "Python" and file.partial:
                faults.append(f"{file.name}: not both ways: {ranges(file.partial)}")
    faults += [
        f"{EXCLUDED}: no line to leave out: {excuse['file']}: {excuse['text']}"
        for excuse in excuses
        if not (excuse.get("used") or excuse.get("machine"))
    ]
    page += "".join(f"<p>{html.escape(fault)}</p>\n" for fault in faults)
    (folder / "index.html").write_text(page)
    print(f"{folder / 'index.html'} has the branches, and links to the sources line by line.")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
