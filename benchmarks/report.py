"""Tables of ratios from what benchmarks/measure.py wrote, as text and for docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyminpack.compare.tables import Row, as_text

from .contestants import OURS

TITLES = {
    "small": "Small fits",
    "big": "Large fits",
    "M": "Against the number of rows M, 10 columns",
    "N": "Against the number of columns N, 4 N rows",
    "evaluations": "Against the number of evaluations, Powell's singular function",
}
ALONE = "func alone"
# A difference between two times that is smaller than this part of them is not told from noise.
NOISE = 0.05
AXES = {"M": "m", "N": "n", "evaluations": "nfev"}
"""By the name of a picture, what of a problem is on its horizontal axis."""


def seconds_in_words(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def least(problem: dict[str, Any], name: str, beside: bool = False) -> float | None:
    """Return the least time of a contestant; `beside`: less that of the functions alone."""
    times = problem["times"]
    if name not in times:
        return None
    seconds = float(times[name]["min"])
    if not beside:
        return seconds
    return max(seconds - float(times[ALONE]["min"]), 0.0)


def ratio(problem: dict[str, Any], name: str, beside: bool = False) -> float | None:
    """Return theirs over ours, None where either is missing or nothing is left of ours."""
    theirs, ours = least(problem, name, beside), least(problem, OURS, beside)
    total = least(problem, OURS)
    if theirs is None or ours is None or total is None:
        return None
    # What is left beside func must not be the difference of two equal times.
    return theirs / ours if ours > (NOISE * total if beside else 0) else None


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def single_runs(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the runs that timed single fits."""
    return [run for run in results["runs"] if "problems" in run]


def scipy_of(run: dict[str, Any]) -> str | None:
    names = (name for name in run["environment"]["contestants"] if name.startswith("SciPy "))
    return next(names, None)


def ratio_table(run: dict[str, Any], group: str, beside: bool) -> list[Row]:
    """Return a header and a row for each problem; empty when the group has none."""
    problems = [p for p in run["problems"] if group in p["groups"]]
    if group in AXES:
        problems.sort(key=lambda p: int(p[AXES[group]]))
    names = [
        name
        for name in run["environment"]["contestants"]
        if name != OURS
        and any(name in p["times"] for p in problems)
        # No calls of func are in these, which could be taken off.
        and not (beside and name in (ALONE, "numpy qr", "Argonne in C"))
    ]
    ours = f"{OURS} beside func" if beside else OURS
    rows = [["problem", "nfev", ours, *names]]
    for problem in problems:
        own = least(problem, OURS, beside)
        assert own is not None
        ratios = [number(ratio(problem, name, beside)) for name in names]
        name = problem["name"].partition(", against ")[0]
        rows.append([name, str(problem["nfev"]), seconds_in_words(own), *ratios])
    return rows if problems else []


def import_table(run: dict[str, Any]) -> list[Row]:
    imports = run["imports"]
    numpy = imports["numpy"]["min"]
    rows = [["import", "time", "beside numpy", "over pyminpack"]]
    ours = imports[OURS]["min"]
    for module, times in imports.items():
        seconds = times["min"]
        more = "" if module == "numpy" else seconds_in_words(max(seconds - numpy, 0))
        rows.append([module, seconds_in_words(seconds), more, number(seconds / ours)])
    return rows


def goal_table(run: dict[str, Any]) -> list[Row]:
    """Return what was aimed at, beside what came out."""
    scipy, rows = scipy_of(run), []
    for problem in run["problems"]:
        if problem["goal"] is None or scipy is None:
            continue
        reached = ratio(problem, scipy, problem["beside"])
        verdict = "" if reached is None else "yes" if reached >= problem["goal"] else "no"
        rows.append([problem["name"], number(problem["goal"]), number(reached), verdict])
    return [["problem", "goal", scipy or "", "reached"], *rows] if rows else []


def losses(run: dict[str, Any]) -> Iterable[str]:
    """Yield a sentence for each contestant that needs less time than we do, the worst problem."""
    for name in run["environment"]["contestants"]:
        if name in (ALONE, OURS):
            continue
        compared = [(ratio(p, name), p["name"]) for p in run["problems"]]
        slower = [(r, where) for r, where in compared if r is not None and r < 1 - NOISE]
        if slower:
            worst, where = min(slower)
            among = sum(r is not None for r, _ in compared)
            yield (
                f"{name} needs less time than pyminpack on {len(slower)} of {among} problems; "
                f"the most on *{where}*, {worst:.2f} of ours."
            )


def title_of(run: dict[str, Any]) -> str:
    versions = run["environment"]
    others = {k: v for k, v in versions["contestants"].items() if k in ("lmfit", "odrpack")}
    parts = [f"Python {versions['python']}", f"NumPy {versions['numpy']}"]
    parts += [name for name in versions["contestants"] if name.startswith("SciPy ")]
    return ", ".join(parts + [f"{name} {version}" for name, version in others.items()])


def tables_of(run: dict[str, Any]) -> Iterable[tuple[str, list[Row]]]:
    for group, title in TITLES.items():
        if rows := ratio_table(run, group, beside=False):
            yield title, rows
            if group in ("small", "big"):
                yield f"{title}, without the time in func and Dfun", ratio_table(run, group, True)
    yield "Import", import_table(run)


def show(results: dict[str, Any]) -> None:
    """Print all tables: a ratio is the time of theirs over that of ours."""
    for run in single_runs(results):
        print(f"\n=== {title_of(run)}\n=== Times of others over pyminpack's, of the least times")
        for title, rows in tables_of(run):
            print(f"\n{title}\n{as_text(rows)}")
        if goals := goal_table(run):
            print(f"\nGoals, times of SciPy over ours\n{as_text(goals)}")
        for sentence in losses(run):
            print(f"\n{sentence}")
