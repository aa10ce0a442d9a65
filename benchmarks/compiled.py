"""A compiled Rosenbrock: what `leastsq` adds to Argonne's library called from C."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from pyminpack import compiled, leastsq

from .contestants import OURS, Answer, Contestant, Run, argonne, ours, with_leastsq
from .native import load_function
from .problems import Problem, Vector, rosenbrock

COMPILED = f"{OURS} compiled"
ARGONNE = "Argonne in C"


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
    """Return whether the compiled function came to the bits of Argonne's; None without those."""
    found = {}
    for each in who:
        run = each.prepare(problem, Answer())
        if each.name in (COMPILED, ARGONNE) and run is not None:
            found[each.name] = run.answer().x
    if len(found) < 2:
        return None
    return bool(np.array_equal(*(x.view(np.int64) for x in found.values() if x is not None)))
