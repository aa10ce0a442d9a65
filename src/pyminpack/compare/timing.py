"""Times that can be compared: all contestants in one process, in turn."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from typing import Final

Clock = Callable[[int], float]
"""Tells the seconds of that many fits."""

SHORTEST: Final = 1e-3
"""A repeat takes at least these seconds, so that the clock's own time does not matter."""


def by_the_clock(call: Callable[[], object]) -> Clock:
    """Return a clock for the call."""

    def seconds(repeats: int) -> float:
        begin = time.perf_counter()
        for _ in range(repeats):
            call()
        return time.perf_counter() - begin

    return seconds


def time_in_turn(
    clocks: Mapping[str, Clock], effort: tuple[float, int, int]
) -> dict[str, list[float]]:
    """Return the seconds of each repeat. What disturbs a round disturbs all that are in it.

    `effort` is the seconds for all rounds, 0 for one call a round, and the least and the most
    rounds.
    """
    budget, least, most = effort
    numbers = {}
    for name, clock in clocks.items():
        # The first call pays for memory and caches; where it is short the second tells more.
        once = clock(1)
        if once < 1e-2:
            once = clock(1)
        numbers[name] = max(1, int(SHORTEST / max(once, 1e-7))) if budget else 1
    times: dict[str, list[float]] = {name: [] for name in clocks}
    rounds, end = 0, time.perf_counter() + budget
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        while rounds < least or (rounds < most and time.perf_counter() < end):
            # There and back, so that nobody always comes after the same one.
            for name in times if rounds % 2 == 0 else reversed(times):
                times[name].append(clocks[name](numbers[name]) / numbers[name])
            rounds += 1
    finally:
        if was_enabled:
            gc.enable()
    return times
