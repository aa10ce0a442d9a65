"""The run of one interpreter: checks that all contestants agree, then times them in turn.

usage: python -m benchmarks.measure OUTPUT [--suite quick|usual|full] [--only TEXT]
       [--part all|single|many]

Writes OUTPUT, a JSON file. `python -m benchmarks` calls this for each interpreter.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from pyminpack.compare.timing import Clock, by_the_clock, time_in_turn

from . import compiled
from .agreement import DisagreementError, check
from .contestants import Answer, Contestant, contestants
from .many import run_many
from .problems import Problem, table

# Seconds of repeats for a problem, and the least and the most repeats.
EFFORT = {"quick": (0.0, 1, 1), "usual": (1.0, 3, 300), "full": (12.0, 7, 1000)}
PARTS = ("all", "single", "many")
IMPORTS = ["numpy", "pyminpack", "scipy.optimize", "lmfit", "odrpack"]


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def compare(problem: Problem, field: list[Contestant]) -> Answer:
    """Return the answer of the first contestant, with which all others agree."""
    reference = Answer()
    for who in field:
        if (run := who.prepare(problem, reference)) is not None:
            answer = run.answer()
            if reference.x is None:
                reference = answer
            check(problem, who, answer, reference)
    return reference


def clocks_of(problem: Problem, field: list[Contestant], answer: Answer) -> dict[str, Clock]:
    runs = {who.name: who.prepare(problem, answer) for who in field}
    return {
        name: run.seconds or by_the_clock(run.call) for name, run in runs.items() if run is not None
    }


def record_of(problem: Problem, answer: Answer, times: dict[str, list[float]]) -> dict[str, Any]:
    return {
        "name": problem.name,
        "groups": [problem.group, *problem.axes],
        "m": problem.m,
        "n": problem.x0.size,
        "nfev": answer.nfev,
        "njev": answer.njev,
        "goal": problem.goal,
        "beside": problem.beside,
        "times": {
            name: {"min": min(t), "median": statistics.median(t), "repeats": len(t)}
            for name, t in times.items()
        },
    }


def import_seconds(module: str) -> float | None:
    """Return how long a fresh interpreter takes to import the module, None if it cannot."""
    code = f"import time; a = time.perf_counter(); import {module}; print(time.perf_counter() - a)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=False)
    return float(done.stdout) if done.returncode == 0 else None


def time_imports(repeats: int) -> dict[str, dict[str, float]]:
    times: dict[str, list[float]] = {m: [] for m in IMPORTS if import_seconds(m) is not None}
    for _ in range(repeats):
        for module, seconds in times.items():
            seconds.append(import_seconds(module) or np.inf)
    return {m: {"min": min(t), "median": statistics.median(t)} for m, t in times.items()}


def run_suite(
    makers: Iterable[Callable[[], Problem]], field: list[Contestant], suite: str, only: str
) -> list[dict[str, Any]]:
    # Big problems are made twice rather than kept: together they would not fit into memory.
    agreed = []
    for make in makers:
        problem = make()
        if only in problem.name:
            say(f"comparing results: {problem.name}")
            agreed.append((make, compare(problem, field)))
    records = []
    for make, answer in agreed:
        problem = make()
        say(f"timing: {problem.name}")
        times = time_in_turn(clocks_of(problem, field, answer), EFFORT[suite])
        records.append(record_of(problem, answer, times))
    return records


def run_compiled(folder: Path, suite: str, only: str) -> list[dict[str, Any]]:
    field = compiled.field(folder, say)
    records = run_suite(compiled.problems(), field, suite, only)
    problems = {problem.name: problem for problem in (make() for make in compiled.problems())}
    return [r | {"bits": compiled.same_bits(problems[r["name"]], field)} for r in records]


def environment(field: list[Contestant]) -> dict[str, Any]:
    import pyminpack

    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "numpy": np.__version__,
        "contestants": {who.name: who.version for who in field},
        "config": pyminpack.show_config("dict"),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.measure")
    parser.add_argument("output", type=Path)
    parser.add_argument("--suite", choices=EFFORT, default="usual")
    parser.add_argument("--only", default="")
    parser.add_argument("--part", choices=PARTS, default="all")
    options = parser.parse_args(arguments)
    wanted = options.suite, options.only
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        field = contestants(Path(folder), say)
        try:
            if options.part != "many":
                result["problems"] = run_suite(table(options.suite), field, *wanted)
            if options.part != "single":
                result["compiled"] = run_compiled(Path(folder), *wanted)
                result["many"] = run_many(*wanted, Path(folder), say)
        except DisagreementError as error:
            say(f"results differ, so no times: {error}")
            return 1
    if options.part != "many":
        result["imports"] = time_imports(1 if options.suite == "quick" else 15)
    result["environment"] = environment(field)
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
