"""Compare and time pyminpack and others; print tables, write results.json and pictures.

Each interpreter is a run of its own (benchmarks/measure.py) that has pyminpack in it too, so that a
ratio never spans two runs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pyminpack.compare.environment import machine

from .docs import write_docs
from .many_pictures import draw_many
from .many_report import show_many
from .measure import PARTS
from .pictures import draw_all
from .report import show

ROOT = Path(__file__).resolve().parent.parent


def run_of(python: str, options: argparse.Namespace) -> dict[str, Any] | None:
    """Return what a run of that interpreter wrote, None when it failed."""
    output = options.output / "run.json"
    output.unlink(missing_ok=True)
    command = [python, "-m", "benchmarks.measure", str(output), "--suite", options.suite]
    command += ["--part", options.part, "--only", options.only]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        return None
    result: dict[str, Any] = json.loads(output.read_text())
    output.unlink()
    return result


def measure_all(options: argparse.Namespace) -> dict[str, Any] | None:
    runs = []
    for python in options.interpreters or [sys.executable]:
        run = run_of(python, options)
        if run is None:
            return None
        runs.append(run)
    return {
        "suite": options.suite, "part": options.part, "machine": machine(), "runs": runs
    }  # fmt: skip


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    for suite, words in (
        ("full", "more repeats, and the largest problems"),
        ("quick", "tiny problems and one repeat: tries the tool, measures nothing"),
    ):
        size.add_argument(f"--{suite}", dest="suite", action="store_const", const=suite, help=words)
    parser.set_defaults(suite="usual")
    parser.add_argument("--only", default="", metavar="TEXT", help="problems with that in the name")
    parser.add_argument(
        "--part", choices=PARTS, default="all", help="single fits, or compiled functions and many"
    )
    parser.add_argument("--again", action="store_true", help="report on the last results, no run")
    parser.add_argument(
        "--write-docs", action="store_true", help="write docs/performance.md and its pictures"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench", metavar="FOLDER")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help=argparse.SUPPRESS)
    # ./dev bench names those that it has set up.
    parser.add_argument("--with", dest="interpreters", action="append", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    options.output = options.output.resolve()
    options.output.mkdir(parents=True, exist_ok=True)
    record = options.output / "results.json"
    if options.again:
        results = json.loads(record.read_text())
    else:
        results = measure_all(options)
        if results is None:
            return 1
        record.write_text(json.dumps(results, indent=1) + "\n")
    show(results)
    show_many(results)
    drawn = [*draw_all(results, options.output), *draw_many(results, options.output)]
    written = [record, *drawn]
    if options.write_docs:
        written += write_docs(results, options.docs)
    print("\nwritten:", *(f"\n  {path}" for path in written))
    return 0


if __name__ == "__main__":
    sys.exit(main())
