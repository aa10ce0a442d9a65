"""Threads: many at once, and one that tells whether it gets its turn."""

from __future__ import annotations

import functools
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bits import assert_same_bits

THREADS = 8


@contextmanager
def switching(interval: float) -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def together(*works: Callable[[], None]) -> None:
    """Run the functions in threads that start at one moment; raise what any of them raised."""
    failures: list[BaseException] = []
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        try:
            gate.wait(20)
            work()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def assert_same_bits_together(
    solve: Callable[..., dict[str, Any]], fits: Sequence[tuple[Any, ...]], interval: float
) -> None:
    """Solve all fits in each of many threads, in any order: to the bits they have alone."""
    alone = [solve(*one) for one in fits]

    def work(me: int) -> None:
        order = list(range(len(fits)))
        random.Random(me).shuffle(order)
        for k in order:
            assert_same_bits(solve(*fits[k]), alone[k])

    with switching(interval):
        together(*(functools.partial(work, me) for me in range(THREADS)))


class Spinner:
    """A thread that counts how often it gets its turn."""

    def __init__(self) -> None:
        self.turns = 0
        self.stop = False
        self.thread = threading.Thread(target=self.spin)

    def spin(self) -> None:
        while not self.stop:
            self.turns += 1
            time.sleep(0)

    def __enter__(self) -> Spinner:
        self.thread.start()
        while self.turns == 0:
            time.sleep(0.001)
        return self

    def __exit__(self, *args: object) -> None:
        self.stop = True
        self.thread.join()
