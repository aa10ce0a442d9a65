"""Many fits, by one call and by loops: compares what they found, then times them in turn."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyminpack import compiled, curve_fit, curve_fit_many, leastsq, leastsq_many
from pyminpack.compare.timing import by_the_clock, time_in_turn

from .agreement import TOLERANCE, DisagreementError
from .loads import Load, exponentials, gaussian_peaks
from .native import load_function
from .problems import Vector

# Names of the ways: a loop of calls, or one call; each is a curve of the pictures.
LOOP, COMPILED_LOOP = "leastsq", "leastsq, compiled"
MANY, COMPILED_MANY = "leastsq_many", "leastsq_many, compiled"
TWO_WORKERS = f"{COMPILED_MANY}, 2 workers"
CURVE_LOOP, CURVE_MANY = "curve_fit", "curve_fit_many"
SCIPY, SCIPY_CURVE = "leastsq of SciPy", "curve_fit of SciPy"

# Rounding may take one fit in a thousand another way; more than that is another result.
LEAST_SHARE = 0.999


@dataclass(frozen=True)
class Fits:
    """What fits came to, a row or an element for each."""

    x: Vector
    nfev: NDArray[np.intc]


@dataclass(frozen=True)
class Way:
    """How to make the first `count` fits of a load.

    Attributes
    ----------
    fit
        Makes them as a user would: this is timed.
    answer
        Makes them once more, for what can be compared.
    is_loop
        One call for each fit, so that some fits tell the time of any number.
    twin
        The way that has to come to the same bits, having the same compiled function.
    """

    name: str
    fit: Callable[[int], object]
    answer: Callable[[int], Fits]
    is_loop: bool = False
    twin: str = ""


# The ways


def in_turn(name: str, load: Load, fit: Callable[..., Any], twin: str = "") -> Way:
    """Return the loop; `fit` takes the number of a fit, and returns what leastsq does."""

    def call(count: int) -> Vector:
        found = np.empty_like(load.x0[:count])
        for b in range(count):
            found[b] = fit(b)[0]
        return found

    def answer(count: int) -> Fits:
        found, counts = np.empty_like(load.x0[:count]), np.empty(count, np.intc)
        for b in range(count):
            found[b], _, info, *_ = fit(b, full_output=True)
            counts[b] = info["nfev"]
        return Fits(found, counts)

    return Way(name, call, answer, True, twin)


def loop_of(solver: Callable[..., Any], name: str, load: Load) -> Way:
    """pyminpack's and SciPy's leastsq are called alike."""
    solve = partial(solver, load.residuals, **load.options)
    if load.jacobian is not None:
        solve = partial(solve, Dfun=load.jacobian, col_deriv=1)

    def fit(b: int, **more: Any) -> Any:
        return solve(load.x0[b], (load.data[b],), **more)

    return in_turn(name, load, fit)


def curve_loop_of(solver: Callable[..., Any], name: str, load: Load) -> Way:
    """pyminpack's and SciPy's curve_fit are called alike."""
    solve = partial(solver, load.curve, load.xdata, jac=load.slopes, **load.options)

    def fit(b: int, **more: Any) -> Any:
        return solve(load.data[b], load.x0[b], **more)

    return in_turn(name, load, fit)


def at_once(name: str, call: Callable[[int], Any], twin: str = "") -> Way:
    def answer(count: int) -> Fits:
        fits = call(count)
        return Fits(fits.x, fits.nfev)

    return Way(name, call, answer, twin=twin)


def with_numpy(load: Load) -> Way:
    def call(count: int) -> Any:
        return leastsq_many(
            load.many_residuals, load.x0[:count], (load.data,), load.many_jacobian, col_deriv=1,
            **load.options,
        )  # fmt: skip

    return at_once(MANY, call)


def with_curve_fit_many(load: Load, curve: Callable[..., Vector]) -> Way:
    def call(count: int) -> Any:
        return curve_fit_many(
            curve, load.xdata, load.data[:count], load.x0[:count], jac=load.slopes, **load.options
        )

    return at_once(CURVE_MANY, call)


def with_compiled(load: Load, function: object) -> list[Way]:
    """Return the loop over the compiled function, and one call in one thread and in two."""
    m = load.data.shape[1]
    residuals = compiled(function, m, k=m)

    def fit(b: int, **more: Any) -> Any:
        own = compiled(function, m, data=load.data[b])
        return leastsq(own, load.x0[b], **load.options, **more)

    def call(count: int, workers: int) -> Any:
        return leastsq_many(
            residuals, load.x0[:count], data=load.data[:count], workers=workers, **load.options
        )

    return [
        in_turn(COMPILED_LOOP, load, fit),
        at_once(COMPILED_MANY, partial(call, workers=1), COMPILED_LOOP),
        at_once(TWO_WORKERS, partial(call, workers=2), COMPILED_MANY),
    ]


def ways_of(load: Load, folder: Path, say: Callable[[str], None]) -> list[Way]:
    """Return all that take part, the reference first; `folder` is for what is compiled."""
    ways = [loop_of(leastsq, LOOP, load), with_numpy(load)]
    if load.source:
        if (function := load_function(folder, load.source)) is not None:
            ways += with_compiled(load, function)
        else:
            say(f"{load.source} does not take part: no C compiler")
    if load.curve is not None:
        ways += [curve_loop_of(curve_fit, CURVE_LOOP, load), with_curve_fit_many(load, load.curve)]
    try:
        from scipy import optimize
    except ImportError as error:
        say(f"SciPy does not take part: {error}")
        return ways
    ways.append(loop_of(optimize.leastsq, SCIPY, load))
    if load.curve is not None:
        ways.append(curve_loop_of(optimize.curve_fit, SCIPY_CURVE, load))
    return ways


# Whether all found the same


def shares(load: Load, fits: Fits, reference: Fits) -> dict[str, float]:
    """Return how many fits were compared, and which parts agree and are the same bit for bit."""
    count = min(len(fits.x), len(reference.x))
    mine, theirs = fits.x[:count], reference.x[:count]
    # Solutions may be zero; how far the fit had to go is the scale then.
    scale = np.maximum(np.abs(theirs).max(axis=1), np.abs(load.x0[:count]).max(axis=1))
    # What is not finite agrees with nothing.
    agree = np.abs(mine - theirs).max(axis=1) <= TOLERANCE * scale
    agree &= fits.nfev[:count] == reference.nfev[:count]
    bits = (mine.view(np.int64) == theirs.view(np.int64)).all(axis=1)
    return {"compared": count, "agree": float(agree.mean()), "bits": float(bits.mean())}


def compare(load: Load, ways: list[Way], loops: int) -> dict[str, dict[str, float]]:
    """Return the shares of all ways, or raise DisagreementError; loops make so many fits."""
    answers: dict[str, Fits] = {}
    found = {}
    for way in ways:
        fits = answers[way.name] = way.answer(loops if way.is_loop else len(load.x0))
        found[way.name] = shares(load, fits, answers[ways[0].name])
        if not (share := found[way.name]["agree"]) >= LEAST_SHARE:
            raise DisagreementError(
                f"{load.name}: {way.name}: {share:.2%} of the fits agree with {ways[0].name}, "
                f"fewer than {LEAST_SHARE:.2%}"
            )
        if way.twin and not (share := shares(load, fits, answers[way.twin])["bits"]) == 1:
            raise DisagreementError(
                f"{load.name}: {way.name}: {share:.2%} of the fits have the bits of {way.twin}"
            )
    return found


# The table


@dataclass(frozen=True)
class Size:
    """How much a suite does.

    `gaussian` and `exponential` are the numbers of fits, of which the last is that of the tables;
    loops make at most `loops`. `effort` and `last` are what time_in_turn takes in each pass.
    """

    gaussian: list[int]
    exponential: list[int]
    loops: int
    effort: tuple[float, int, int]
    last: tuple[float, int, int]


# Through all sizes: a machine that is slow for a second is so for one pass at most.
PASSES = 2
STEPS = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000]
SIZES = {
    "quick": Size([1, 20], [1, 20], 10, (0.0, 1, 1), (0.0, 1, 1)),
    "usual": Size(
        [1, 10, 100, 1000, 10_000, 100_000], [1, 10, 100, 1000, 10_000], 1000,
        (0.1, 2, 300), (1.0, 2, 300),
    ),
    "full": Size(
        [*STEPS, 30_000, 100_000], STEPS, 10_000, (2.0, 3, 1000), (15.0, 4, 1000)
    ),
}  # fmt: skip


def loads(size: Size) -> Iterator[tuple[Load, list[int]]]:
    yield gaussian_peaks(size.gaussian[-1]), size.gaussian
    yield exponentials(size.exponential[-1], derivatives=False), size.exponential
    yield exponentials(size.exponential[-1], derivatives=True), size.exponential


def fits_of(ways: list[Way], count: int, size: Size, is_last: bool) -> dict[str, int]:
    """Return how many fits each way makes. The last size has the loops at their largest, too."""
    return {
        way.name: min(count, size.loops) if way.is_loop else count
        for way in ways
        if is_last or count < size.loops or not way.is_loop
    }


def timed(ways: list[Way], counts: list[int], size: Size) -> list[dict[str, Any]]:
    """Return a record for each number of fits, with the seconds and the fits of each way."""
    calls = {way.name: way.fit for way in ways}
    fits = {count: fits_of(ways, count, size, count == counts[-1]) for count in counts}
    times: dict[int, dict[str, list[float]]] = {
        count: {name: [] for name in fits[count]} for count in counts
    }
    for _ in range(PASSES):
        for count in counts:
            clocks = {n: by_the_clock(partial(calls[n], k)) for n, k in fits[count].items()}
            effort = size.last if count == counts[-1] else size.effort
            for name, seconds in time_in_turn(clocks, effort).items():
                times[count][name] += seconds
    return [
        {
            "count": count,
            "times": {
                name: {
                    "fits": fits[count][name], "min": min(t), "median": statistics.median(t),
                    "repeats": len(t),
                }
                for name, t in times[count].items()
            },
        }
        for count in counts
    ]  # fmt: skip


def run_many(suite: str, only: str, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Return what the page and the pictures need, by the names of the loads."""
    size, agreed = SIZES[suite], []
    with warnings.catch_warnings():
        # That a fit came to its last evaluation is no news here.
        warnings.simplefilter("ignore", RuntimeWarning)
        for load, counts in loads(size):
            if only in load.name:
                say(f"comparing results: {load.name}")
                ways = ways_of(load, folder, say)
                agreed.append((load, counts, ways, compare(load, ways, size.loops)))
        records = {}
        for load, counts, ways, agreement in agreed:
            say(f"timing: {load.name}")
            records[load.name] = {
                "shape": [load.data.shape[1], load.x0.shape[1]],
                "agreement": agreement,
                "sizes": timed(ways, counts, size),
            }
    return records
