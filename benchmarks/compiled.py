"""A compiled Rosenbrock: what `leastsq` adds to Argonne's library called from C."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from pyminpack import compiled, leastsq

from .contestants import OURS, Answer, Contestant, Run, argonne, ours, with_leastsq
from .native import load_function
from .problems import Problem, Vector, rosenbrock

COMPILED = f"{OURS} compiled"
ARGONNE = "Argonne in C"
# Numbers of evaluations, the last of which suffices.
LIMITS = (4, 8, 12, 16, 20, 30, 40, 1000)


def jacobian(x: Vector) -> list[list[float]]:
    return [[-20 * x[0], 10.0], [-1.0, 0.0]]


def problems() -> Iterator[Callable[[], Problem]]:
    differences = partial(replace, rosenbrock(), name="Rosenbrock, by differences")
    yield differences
    yield partial(differences, name="Rosenbrock, with a Jacobian", dfun=jacobian, options={})


def field(folder: Path, say: Callable[[str], None]) -> list[Contestant]:
    """Return leastsq of a Python function, of a compiled one, and Argonne's library from C."""
    own = ours()[0]
    function = load_function(folder, "rosenbrock.c")
    if function is None:
        say("rosenbrock.c does not take part: no C compiler")
        return [own]

    def prepare(problem: Problem, answer: Answer) -> Run:
        func = compiled(function, problem.m, jac=problem.dfun is not None)
        return with_leastsq(leastsq, replace(problem, func=func, dfun=None), answer)

    return [own, Contestant(COMPILED, own.version, prepare), *argonne(folder, say)]


def same_bits(problem: Problem, who: list[Contestant]) -> bool | None:
    """Return whether the compiled function came to the bits of Argonne's; None without those.

    The solution is a pair of ones; what tells is where the fits are on the way.
    """
    pair = [each for each in who if each.name in (COMPILED, ARGONNE)]
    if len(pair) < 2:
        return None
    for limit in LIMITS:
        stopped = replace(problem, options={**problem.options, "maxfev": limit})
        points = [point(each.prepare(stopped, Answer())) for each in pair]
        if points[0] != points[1]:
            return False
    return True


def point(run: Run | None) -> bytes:
    assert run is not None
    x = run.answer().x
    assert x is not None
    return x.tobytes()
