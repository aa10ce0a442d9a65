"""Who takes part: one adapter each, and the table of those that are installed."""

from __future__ import annotations

import ctypes
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .native import NativeFit, load_library
from .problems import Problem, Vector

OURS = "pyminpack"


@dataclass(frozen=True)
class Answer:
    """What one fit came to; None is what a contestant does not tell.

    `njev` is known only where there is a `dfun`; `covariance` is the inverse of J.T @ J.
    """

    x: Vector | None = None
    nfev: int | None = None
    njev: int | None = None
    covariance: Vector | None = None


@dataclass(frozen=True)
class Run:
    """A contestant with a problem.

    Attributes
    ----------
    call
        One fit, as a user would write it: this is timed.
    answer
        The same fit once more, with all that can be compared.
    seconds
        Instead of timing `call`: the time of that many fits by the contestant's own clock.
    """

    call: Callable[[], object]
    answer: Callable[[], Answer]
    seconds: Callable[[int], float] | None = None


@dataclass(frozen=True)
class Contestant:
    """`prepare` returns None for a problem that is not this contestant's.

    `is_minpack` tells that it is the same algorithm, which has to take the same steps.
    """

    name: str
    version: str
    prepare: Callable[[Problem, Answer], Run | None]
    is_minpack: bool = True


# The adapters. Each gets the answer of the first contestant, of which only the counts are used.


def with_leastsq(leastsq: Callable[..., Any], problem: Problem, _: Answer, **more: Any) -> Run:
    """pyminpack's and SciPy's leastsq are called alike."""
    fit = partial(leastsq, problem.func, problem.x0, Dfun=problem.dfun, **more)

    def answer() -> Answer:
        x, covariance, info, _, _ = fit(**{**problem.options, "full_output": True})
        njev = info["njev"] if problem.dfun else None
        return Answer(x, info["nfev"], njev, covariance)

    return Run(partial(fit, **problem.options), answer)


def with_curve_fit(curve_fit: Callable[..., Any], problem: Problem, _: Answer) -> Run | None:
    """pyminpack's and SciPy's curve_fit are called alike."""
    if problem.curve is None:
        return None
    fit = partial(curve_fit, *problem.curve, problem.x0, **problem.options)

    def answer() -> Answer:
        # So that the covariance is the inverse of J.T @ J.
        x, covariance, info, _, _ = fit(absolute_sigma=True, full_output=True)
        return Answer(x, info["nfev"], None, covariance)

    return Run(fit, answer)


def without_python(library: ctypes.CDLL, problem: Problem, _: Answer) -> Run | None:
    if problem.native is None:
        return None
    native = NativeFit(library, problem)

    def answer() -> Answer:
        native.seconds(1)
        return Answer(native.x.copy(), native.fit.nfev, native.fit.njev if problem.dfun else None)

    return Run(lambda: native.seconds(1), answer, native.seconds)


def only_the_functions(problem: Problem, counts: Answer) -> Run:
    """As many calls of func and dfun as a fit makes, and nothing else."""
    calls: list[Callable[[Vector], Any]] = [problem.func] * (counts.nfev or 0)
    if problem.dfun:
        calls += [problem.dfun] * (counts.njev or 0)
    x = problem.x0.copy()

    def call() -> None:
        for function in calls:
            function(x)

    return Run(call, Answer)


def with_numpy_qr(problem: Problem, counts: Answer) -> Run | None:
    """As many factorisations as a fit makes, by LAPACK and without pivots."""
    matrix, times = problem.matrix, counts.njev or 0
    if matrix is None:
        return None

    def call() -> None:
        for _ in range(times):
            np.linalg.qr(matrix, mode="r")

    def answer() -> Answer:
        inverse = np.linalg.inv(np.linalg.qr(matrix, mode="r"))
        return Answer(covariance=inverse @ inverse.T)

    return Run(call, answer)


def with_lmfit(lmfit: Any, problem: Problem, _: Answer) -> Run | None:
    if not problem.instead:
        return None
    parameters = lmfit.Parameters()
    for place, value in enumerate(problem.x0):
        parameters.add(f"x{place}", value)

    def residuals(current: Any) -> Vector:
        return np.asarray(problem.func(np.array(list(current.valuesdict().values()))))

    def call() -> Any:
        return lmfit.minimize(residuals, parameters, method="leastsq")

    return Run(call, lambda: Answer(np.array(list(call().params.valuesdict().values()))))


def with_odrpack(odrpack: Any, problem: Problem, _: Answer) -> Run | None:
    if not problem.instead:
        return None
    x, y = np.arange(float(problem.m)), np.zeros(problem.m)

    def model(_: Vector, beta: Vector) -> Vector:
        return np.asarray(problem.func(beta))

    def call() -> Any:
        return odrpack.odr_fit(model, x, y, problem.x0, task="OLS")

    return Run(call, lambda: Answer(call().beta))


# The table


def installed(
    distribution: str, say: Callable[[str], None], load: Callable[[], Contestant]
) -> list[Contestant]:
    """Return the contestant as a list, empty where its package cannot be imported."""
    try:
        return [load()]
    except ImportError as error:
        say(f"{distribution} does not take part: {error}")
        return []


def ours() -> list[Contestant]:
    from pyminpack import curve_fit, leastsq, show_config

    version = show_config("dict")["pyminpack"]
    return [
        Contestant(OURS, version, partial(with_leastsq, leastsq)),
        Contestant(f"{OURS} qr=minpack", version, partial(with_leastsq, leastsq, qr="minpack")),
        Contestant(f"curve_fit of {OURS}", version, partial(with_curve_fit, curve_fit)),
    ]


def scipy() -> Contestant:
    from scipy.optimize import leastsq

    version = importlib.metadata.version("scipy")
    return Contestant(f"SciPy {version}", version, partial(with_leastsq, leastsq))


def scipy_curve_fit() -> Contestant:
    from scipy.optimize import curve_fit

    version = importlib.metadata.version("scipy")
    return Contestant("curve_fit of SciPy", version, partial(with_curve_fit, curve_fit))


def lmfit() -> Contestant:
    import lmfit

    version = importlib.metadata.version("lmfit")
    return Contestant("lmfit", version, partial(with_lmfit, lmfit), is_minpack=False)


def odrpack() -> Contestant:
    import odrpack

    version = importlib.metadata.version("odrpack")
    return Contestant("odrpack", version, partial(with_odrpack, odrpack), is_minpack=False)


def argonne(folder: Path, say: Callable[[str], None]) -> list[Contestant]:
    library = load_library(folder, "floor.c", "-lminpack")
    if library is None:
        say("Argonne's library does not take part: no C compiler, or no MINPACK-1 library")
        return []
    prepare = partial(without_python, library)
    return [Contestant("Argonne in C", "MINPACK-1", prepare)]


def contestants(folder: Path, say: Callable[[str], None]) -> list[Contestant]:
    """Return all that take part, the reference first; `folder` is for what is compiled."""
    qr = partial(Contestant, "numpy qr", np.__version__, with_numpy_qr, is_minpack=False)
    alone = partial(Contestant, "func alone", "", only_the_functions, is_minpack=False)
    return [
        *ours(),
        *installed("SciPy", say, scipy),
        *installed("SciPy", say, scipy_curve_fit),
        *argonne(folder, say),
        qr(),
        *installed("lmfit", say, lmfit),
        *installed("odrpack", say, odrpack),
        alone(),
    ]
