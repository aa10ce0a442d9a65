"""From which size does it pay to factor the Jacobian without the GIL?

Two figures for each size. `two threads`: the time of two fits in a row over the time of the same
two in two threads; 2 is the best that two cores can give. `beside a loop`: the time of a fit while
another thread runs a pure Python loop, over its time alone; each time the solver takes the GIL back
it waits for the interpreter's switch interval. The solver leaves the GIL where M*N*N is at least
2e6 (GIL_FREE_WORK in src/core/user/call.c).
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable

import numpy as np

from pyminpack import leastsq, show_config

SIZES = ((200, 5), (400, 20), (1000, 20), (1000, 50), (2000, 50), (2000, 100), (4000, 200))


def make_fit(m: int, n: int) -> Callable[[], None]:
    """Return a function that runs a few iterations of an m by n fit."""
    rng = np.random.default_rng(m + n)
    matrix = rng.normal(size=(m, n))
    target = 0.1 * rng.normal(size=m)

    def residuals(x: np.ndarray) -> np.ndarray:
        return np.tanh(matrix @ x) - target

    def jacobian(x: np.ndarray) -> np.ndarray:
        return matrix / np.cosh(matrix @ x)[:, None] ** 2

    def fit() -> None:
        leastsq(residuals, np.zeros(n), Dfun=jacobian, maxfev=4, full_output=True)

    return fit


def seconds(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def in_two_threads(action: Callable[[], None]) -> None:
    threads = [threading.Thread(target=action) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def speedup_of_two_threads(fit: Callable[[], None], rounds: int) -> float:
    def several() -> None:
        for _ in range(rounds):
            fit()

    def ratio() -> float:
        return 2 * seconds(several) / seconds(lambda: in_two_threads(several))

    return statistics.median(ratio() for _ in range(5))


def slowdown_beside_a_loop(fit: Callable[[], None]) -> float:
    alone = statistics.median(seconds(fit) for _ in range(15))
    finished = threading.Event()

    def loop() -> None:
        while not finished.is_set():
            pass

    thread = threading.Thread(target=loop)
    thread.start()
    beside = statistics.median(seconds(fit) for _ in range(15))
    finished.set()
    thread.join()
    return beside / alone


def main() -> None:
    show_config()
    print(f"\n{'M':>6} {'N':>5} {'M*N*N':>10} {'two threads':>12} {'beside a loop':>14}")
    for m, n in SIZES:
        fit = make_fit(m, n)
        rounds = max(1, int(0.2 / seconds(fit)))
        threads, loop = speedup_of_two_threads(fit, rounds), slowdown_beside_a_loop(fit)
        print(f"{m:6} {n:5} {m * n * n:10.0e} {threads:12.2f} {loop:14.2f}")


if __name__ == "__main__":
    main()
