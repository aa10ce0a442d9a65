"""Tables, goals and losses of many fits and of compiled functions, from what measure.py wrote."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyminpack.compare.tables import Row, as_text

from .compiled import ARGONNE, COMPILED
from .contestants import OURS
from .many import (
    COMPILED_LOOP,
    COMPILED_MANY,
    CURVE_LOOP,
    CURVE_MANY,
    LOOP,
    MANY,
    SCIPY,
    SCIPY_CURVE,
    TWO_WORKERS,
)
from .report import NOISE, number, seconds_in_words, title_of

PEAKS = "Gaussian peaks"
DIFFERENCES, DERIVATIVES = "exponentials, by differences", "exponentials, with a Jacobian"
# Fits per second on this very task that are published for Cpufit, in float32.
CPUFIT = (60_000, 243_000)
# Of a load, how many times the fits per second of the other way a way is meant to reach.
GOALS = [
    (PEAKS, COMPILED_MANY, SCIPY, 100.0),
    (PEAKS, TWO_WORKERS, COMPILED_MANY, 1.8),
    *(
        (load, way, SCIPY_CURVE, 20.0)
        for load in (DIFFERENCES, DERIVATIVES)
        for way in (MANY, CURVE_MANY)
    ),
]
PEAKS_PER_SECOND = 250_000.0
TIMES_ARGONNE = 3.0
# What each way is for being faster than.
INSTEAD_OF = {
    MANY: LOOP,
    CURVE_MANY: CURVE_LOOP,
    COMPILED_MANY: COMPILED_LOOP,
    TWO_WORKERS: COMPILED_MANY,
}


def rates(record: dict[str, Any]) -> dict[str, float]:
    """Return the fits per second of each way at one size, of the least times."""
    return {name: t["fits"] / t["min"] for name, t in record["times"].items()}


def thousands(value: float) -> str:
    """Return a number of fits with three digits that mean something."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def load_table(load: dict[str, Any]) -> list[Row]:
    """Return a header and a row for each way, the slowest first, at the largest size."""
    last = load["sizes"][-1]
    found = rates(last)
    beside = [name for name in (SCIPY, SCIPY_CURVE) if name in found]
    rows = [
        ["way", "fits timed", "time of a fit", "fits per second", *(f"over {n}" for n in beside),
         "fits compared", "agree", "same bits"]
    ]  # fmt: skip
    for name in sorted(found, key=found.__getitem__):
        agreement = load["agreement"][name]
        rows.append([
            name, thousands(last["times"][name]["fits"]), seconds_in_words(1 / found[name]),
            thousands(found[name]), *(number(found[name] / found[other]) for other in beside),
            thousands(agreement["compared"]), f"{agreement['agree']:.2%}",
            f"{agreement['bits']:.2%}",
        ])  # fmt: skip
    return rows


def over_argonne(record: dict[str, Any]) -> float | None:
    times = record["times"]
    if COMPILED not in times or ARGONNE not in times:
        return None
    return float(times[COMPILED]["min"] / times[ARGONNE]["min"])


def compiled_table(records: list[dict[str, Any]]) -> list[Row]:
    names = [name for name in (ARGONNE, COMPILED, OURS) if name in records[0]["times"]]
    rows = [["problem", "nfev", *names, "compiled over Argonne", "same bits"]]
    for record in records:
        seconds = [seconds_in_words(record["times"][name]["min"]) for name in names]
        bits = {True: "yes", False: "no", None: ""}[record["bits"]]
        over = number(over_argonne(record))
        rows.append([record["name"], str(record["nfev"]), *seconds, over, bits])
    return rows


def goals_of(run: dict[str, Any]) -> Iterable[tuple[str, str, str, bool]]:
    """Yield what was aimed at, the goal, what came out, and whether that is enough."""
    for name, way, other, goal in GOALS:
        if name not in run["many"]:
            continue
        found = rates(run["many"][name]["sizes"][-1])
        if way in found and other in found:
            reached = found[way] / found[other]
            yield f"{name}: {way}, over {other}", number(goal), number(reached), reached >= goal
    if PEAKS in run["many"]:
        found = rates(run["many"][PEAKS]["sizes"][-1])
        if COMPILED_MANY in found:
            rate, goal = found[COMPILED_MANY], PEAKS_PER_SECOND
            what = f"{PEAKS}: {COMPILED_MANY}, fits per second"
            yield what, thousands(goal), thousands(rate), rate >= goal
    for record in run["compiled"]:
        if (over := over_argonne(record)) is not None:
            what = f"{record['name']}: {COMPILED}, time over {ARGONNE}, at most"
            yield what, number(TIMES_ARGONNE), number(over), over <= TIMES_ARGONNE


def goal_table_of_many(run: dict[str, Any]) -> list[Row]:
    """Return a header and a row for each goal; empty where nothing was measured that has one."""
    rows = [[*cells, "yes" if enough else "no"] for *cells, enough in goals_of(run)]
    return [["aim", "goal", "measured", "reached"], *rows] if rows else []


def losses_of_many(run: dict[str, Any]) -> Iterable[str]:
    """Yield a sentence for each way that is slower than what it is to be faster than."""
    for name, load in run["many"].items():
        for way, other in INSTEAD_OF.items():
            slower = []
            for record in load["sizes"]:
                found = rates(record)
                if way in found and other in found and found[way] < found[other] * (1 - NOISE):
                    slower.append((found[way] / found[other], record["count"]))
            if slower:
                share, where = min(slower)
                counts = ", ".join(thousands(count) for _, count in slower)
                yield (
                    f"{name}: *{way}* makes fewer fits per second than *{other}* at B = {counts}; "
                    f"{share:.2f} of them at B = {thousands(where)}."
                )


def many_runs(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the runs that timed many fits."""
    return [run for run in results["runs"] if "many" in run]


def tables_of_many(run: dict[str, Any]) -> Iterable[tuple[str, list[Row]]]:
    for name, load in run["many"].items():
        (m, n), count = load["shape"], load["sizes"][-1]["count"]
        yield f"{thousands(count)} {name}, {m} residuals, {n} variables each", load_table(load)
    if run["compiled"]:
        yield "A compiled Rosenbrock, one fit", compiled_table(run["compiled"])
    if goals := goal_table_of_many(run):
        yield "Goals of many fits", goals


def show_many(results: dict[str, Any]) -> None:
    """Print all tables."""
    for run in many_runs(results):
        print(f"\n=== {title_of(run)}\n=== Compiled functions and many fits, of the least times")
        for title, rows in tables_of_many(run):
            print(f"\n{title}\n{as_text(rows)}")
        for sentence in losses_of_many(run):
            print(f"\n{sentence}")
