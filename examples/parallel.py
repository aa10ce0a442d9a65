"""Bootstrap a fit in processes or threads, with the bits of the serial loop.

Run `python examples/parallel.py --help` for the ways.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, Final, NamedTuple

import numpy as np
from nist import load
from numpy.typing import NDArray

from pyminpack import leastsq

Vector = NDArray[np.float64]

CHUNK: Final = 16
"""Fits that go to a process at a time: one alone takes less time than the way there."""


class Replicate(NamedTuple):
    """What the fit to one set of drawn data found: parameters (n,), and how it ended."""

    parameters: Vector
    ier: int


def model(b: Vector, x: Vector) -> Vector:
    """Return the electron mobility (m,) at the log densities `x` (m,), as NIST's Thurber has it."""
    above = b[0] + x * (b[1] + x * (b[2] + x * b[3]))
    mobility: Vector = above / (1 + x * (b[4] + x * (b[5] + x * b[6])))
    return mobility


def residuals(b: Vector, x: Vector, y: Vector) -> Vector:
    """Return model less data (m,)."""
    return model(b, x) - y


# Processes find a function by the name of its module and its own, so it is neither a lambda nor
# inside another.
def replicate(seed: int, best: Vector, x: Vector, errors: Vector) -> Replicate:
    """Fit the best model's values with errors drawn, with replacement, from its own.

    The seed goes with the data and not with the worker, so that it does not matter who does which.
    """
    drawn = np.random.default_rng(seed).choice(errors, errors.size)
    b, _, _, _, ier = leastsq(residuals, best, (x, model(best, x) + drawn), full_output=True)
    return Replicate(b, ier)


def bootstrap(work: Callable[[int], Replicate], count: int, pool: Executor | None) -> Iterator[Any]:
    """Yield the replicates of the seeds 0 to count - 1, in this order whoever is ready first."""
    seeds: Iterable[int] = range(count)
    if pool is None:
        return map(work, seeds)
    return pool.map(work, seeds, chunksize=CHUNK)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit once, then to drawn data many times, and print what both say of the errors."""
    options = _parser().parse_args(arguments)
    data = load()["Thurber"]
    best, covariance, info, _, _ = leastsq(
        residuals, data.starts[1], (data.x, data.y), full_output=True
    )
    if covariance is None:
        raise SystemExit("the fit to the data themselves has no covariance")
    variance = info["fvec"] @ info["fvec"] / (data.y.size - best.size)
    work = functools.partial(replicate, best=best, x=data.x, errors=-info["fvec"])
    with _executor(options.how, options.workers, options.start_method) as pool:
        found = list(bootstrap(work, options.replicates, pool))
    good = np.array([each.parameters for each in found if 1 <= each.ier <= 4])
    print(f"{len(good)} of {len(found)} fits to drawn data converged")
    print("\n".join(report(best, np.sqrt(np.diag(covariance) * variance), good)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Bootstrap the parameters of NIST's data set Thurber."
    )
    parser.add_argument(
        "how",
        nargs="?",
        choices=("serial", "threads", "processes"),
        default="processes",
        help="where the fits run (default: processes)",
    )
    parser.add_argument("--replicates", metavar="N", type=int, default=400)
    parser.add_argument("--workers", metavar="N", type=int, help="default: Python's own")
    parser.add_argument(
        "--start-method",
        choices=multiprocessing.get_all_start_methods(),
        help="how processes begin (default: Python's own)",
    )
    return parser


def _executor(how: str, workers: int | None, start_method: str | None) -> Any:
    """Return what gives a pool, or None for a serial loop, to a `with`."""
    if how == "serial":
        return nullcontext()
    if how == "threads":
        return ThreadPoolExecutor(workers)
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context(start_method))


def report(best: Vector, standard_errors: Vector, good: Vector) -> Iterator[str]:
    """Yield a table of the parameters (n,): the errors by theory, and by `good` (k, n)."""
    low, high = np.percentile(good, [2.5, 97.5], axis=0)
    columns = (best, standard_errors, good.std(axis=0, ddof=1), low, high)
    titles = ("estimate", "standard error", "bootstrapped", "2.5 %", "97.5 %")
    yield "  ".join(["parameter", *(f"{title:>15}" for title in titles)])
    for j, row in enumerate(zip(*columns, strict=True), start=1):
        yield "  ".join([f"b{j:<8}", *(f"{value:15.8g}" for value in row)])


# Without this, processes that import this file to find `replicate` would run it all.
if __name__ == "__main__":
    raise SystemExit(main())
