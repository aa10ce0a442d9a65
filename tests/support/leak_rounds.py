"""Run a group of leak_, blocked_ or many_scenarios.py over and over, and tell what stays.

Usage: leak_rounds.py GROUP ROUNDS, leak_rounds.py resident FITS BYTES, or, to look at the checks
themselves, leak_rounds.py leaking ROUNDS.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import blocked_scenarios
import leak_scenarios
import many_scenarios
import numpy as np
from leak_scenarios import FOUND, Function, Object, Scenario, fitting, line
from wrappers import raising_in

WARM_UP = 100


def outcome(scenario: Scenario) -> Any:
    """Return the ier or the exception's type, and let go of everything else."""
    try:
        result = scenario.once()
    except BaseException as error:
        # An exception raised again would collect the frames of every round.
        error.__traceback__ = error.__context__ = None
        return type(error)
    return result[-1]


def run(scenario: Scenario, rounds: int) -> None:
    for _ in range(rounds):
        got = outcome(scenario)
        assert scenario.allows(got), f"{scenario.name}: {got} instead of {scenario.expected}"


def growth(count: Callable[[], Any], scenario: Scenario, rounds: int) -> Any:
    """Return by how much `count` rises over so many rounds."""
    gc.collect()
    before = count()
    run(scenario, rounds)
    gc.collect()
    return np.subtract(count(), before)


def blocks_and_references(scenario: Scenario) -> list[int]:
    return [sys.getallocatedblocks(), *map(sys.getrefcount, scenario.watched)]


def stays_behind(scenario: Scenario, rounds: int) -> list[str]:
    """Tell what is more after each of three times so many rounds."""
    for _ in range(3):
        found = grows(scenario, rounds)
        if not found:
            break
    return found


def grows(scenario: Scenario, rounds: int) -> list[str]:
    """Tell of references, and of memory in amounts that a round may lose."""
    run(scenario, WARM_UP)
    blocks, *counts = growth(lambda: blocks_and_references(scenario), scenario, rounds)
    kinds = [type(w).__name__ for w in scenario.watched]
    references = [f"{n} of a {kind}" for n, kind in zip(counts, kinds, strict=True) if n]

    # What is taken by PyMem_RawMalloc, and by NumPy for data, is not among the blocks.
    traced_rounds = rounds // 20
    tracemalloc.start()
    run(scenario, WARM_UP)
    (traced,) = growth(lambda: tracemalloc.get_traced_memory()[:1], scenario, traced_rounds)
    tracemalloc.stop()

    # Free lists and the caches of types come and go: tens of blocks, however many the rounds.
    found = {
        f"references {references}": bool(references),
        f"blocks {blocks} in {rounds} rounds": blocks > rounds / 10,
        f"bytes {traced} in {traced_rounds} rounds": traced > 256 * traced_rounds,
    }
    return [what for what, is_too_much in found.items() if is_too_much]


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main_scenarios() -> list[Scenario]:
    """The ways that a long-running program fits in, with some 10 kB of memory a fit."""
    t = np.linspace(0.0, 1.0, 200)
    matrix = np.stack([t**j for j in range(4)], axis=1)
    func = Function(lambda x: matrix @ x - t)
    trouble = Function(lambda x: matrix @ x, raising_in(ValueError(), "__call__"), at=3)
    short = Function(lambda x: matrix @ x, lambda x: t[1:], at=3)
    start = np.zeros(4)
    return [
        fitting("lmdif", FOUND, func, x0=start),
        fitting("lmder", FOUND, func, x0=start, Dfun=lambda x, *a: matrix, full_output=True),
        fitting("func raises", ValueError, trouble, x0=start),
        fitting("a residual too few", ValueError, short, x0=start),
    ]


def check_resident(fits: int, bound: int) -> None:
    for scenario in main_scenarios():
        run(scenario, fits // 10)
        (grown,) = growth(lambda: [resident_bytes()], scenario, fits)
        assert grown < bound, f"{scenario.name}: {grown} bytes more after {fits} fits"


def check_that_leaks_are_seen(rounds: int) -> None:
    """Leak on purpose, each of the things that stays_behind() looks at."""
    kept: list[Any] = []
    sentinel = Object()
    leaks = {
        "references": lambda: sentinel,
        "blocks": lambda: object(),
        "bytes": lambda: ctypes.pythonapi.PyMem_RawMalloc(1000),
    }
    for kind, leak in leaks.items():
        func = Function(lambda x, leak=leak: (kept.append(leak()), line(x))[1])
        found = stays_behind(fitting(kind, FOUND, func, sentinel, x0=[1.0]), rounds)
        assert any(what.startswith(kind) for what in found), (kind, found)


def main() -> None:
    what, *numbers = sys.argv[1:]
    # Half of the endings warn, which test_contract_returns.py looks at.
    warnings.simplefilter("ignore")
    if what == "resident":
        check_resident(*map(int, numbers))
    elif what == "leaking":
        check_that_leaks_are_seen(*map(int, numbers))
    else:
        groups = (
            *leak_scenarios.GROUPS,
            leak_scenarios.machine_code,
            blocked_scenarios.blocked,
            blocked_scenarios.changed,
            many_scenarios.many,
        )
        for scenario in {group.__name__: group for group in groups}[what]():
            found = stays_behind(scenario, *map(int, numbers))
            assert not found, f"{scenario.name}: {found}"


if __name__ == "__main__":
    main()
