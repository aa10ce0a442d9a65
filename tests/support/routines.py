"""Routines called in our library and in Argonne's, and compared bit for bit."""

from __future__ import annotations

from typing import Any

import argonne
import numpy as np
from argonne import Doubles, Library
from bits import assert_same_bits

from pyminpack.compare.mgh import PROBLEMS, Problem

EPS = np.finfo(float).eps
NAMED = {f"{p.name}-{p.n}": p for p in PROBLEMS}


def same(own: Library, routine: str, *args: Any, **options: Any) -> Any:
    """Call a routine in both libraries, compare all outputs and return ours."""
    ours = getattr(own, routine)(*args, **options)
    theirs = getattr(argonne.ARGONNE, routine)(*args, **options)
    assert_same_bits(ours, theirs, routine)
    return ours


class Recorder:
    """The user's fcn: logs what it is shown and stops the solver at call number `stop`."""

    def __init__(self, problem: Problem, stop: int = 0, code: int = -7) -> None:
        self.problem, self.stop, self.code = problem, stop, code
        self.log: list[tuple[int, Doubles, Doubles]] = []

    def __call__(self, x: Doubles, fvec: Doubles, *rest: Any) -> int | None:
        *fjac, iflag = rest
        # What an evaluation finds in its own result array is scratch, the rest is for the user.
        shown = [] if iflag == 1 or (iflag == 2 and not fjac) else [fvec]
        shown += [j.ravel() for j in fjac if iflag == 0]
        self.log.append((iflag, x.copy(), np.concatenate([np.empty(0), *shown])))
        if len(self.log) == self.stop:
            return self.code
        if iflag == 2 and fjac:
            fjac[0][:] = self.problem.jacobian(x)
        elif iflag != 0:
            fvec[:] = self.problem.residual(x)
        return None


def record(own: Library, routine: str, p: Problem, *args: Any, **options: Any) -> Any:
    """Run a routine in both libraries; compare outputs and all that fcn saw. Return fit and log."""
    stop = options.pop("stop", 0)
    ours, theirs = Recorder(p, stop), Recorder(p, stop)
    with np.errstate(over="ignore", invalid="ignore"):
        fit = getattr(own, routine)(ours, *args, **options)
        expected = getattr(argonne.ARGONNE, routine)(theirs, *args, **options)
    assert_same_bits(fit, expected, routine)
    assert fit.own_m
    assert [call[0] for call in ours.log] == [call[0] for call in theirs.log]
    for k, (call, other) in enumerate(zip(ours.log, theirs.log, strict=True)):
        assert_same_bits(call[1], other[1], f"x of call {k}")
        assert_same_bits(call[2], other[2], f"what call {k} was shown")
    return fit, ours.log
