"""Solvers for the tests of pyminpack.compare: pyminpack itself, made to misbehave."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import pyminpack
from pyminpack.compare import Outcome, Solver, Task
from pyminpack.compare.problems import Problem, all_problems, choose
from pyminpack.compare.solvers import OURS, leastsq


def problems(*names: str) -> list[Problem]:
    """Return the problems with these texts in their names."""
    return choose(all_problems(), names)


def like_ours(module: Any, task: Task, **changes: Any) -> Outcome:
    """Solve as pyminpack does, and return it with something changed."""
    return leastsq(module, task)._replace(**changes)


def raising(module: Any, task: Task) -> Outcome:
    raise ValueError("no good:\n  a | b")


def warning(module: Any, task: Task) -> Outcome:
    for _ in range(2):
        warnings.warn("far from well", UserWarning, stacklevel=2)
    return leastsq(module, task)


def hanging(module: Any, task: Task) -> Outcome:
    while True:
        task.residual(task.x0)


def hanging_on_the_jacobian(module: Any, task: Task) -> Outcome:
    while task.jacobian is not None:
        task.jacobian(task.x0)
    return leastsq(module, task)


def without_numbers(module: Any, task: Task) -> Outcome:
    return Outcome(np.full_like(task.x0, np.nan))


def of_one_number(module: Any, task: Task) -> Outcome:
    return Outcome(np.zeros(1))


def with_other_differences(module: Any, task: Task) -> Outcome:
    """Solve with another step of the differences, as SciPy's port to C does."""
    x, inverse, info, _, ier = pyminpack.leastsq(
        task.residual, task.x0, Dfun=task.jacobian, full_output=True, maxfev=task.limit,
        epsfcn=1e-15, **task.tolerances("ftol", "xtol"),
    )  # fmt: skip
    return Outcome(x, info["fvec"], ier, info["nfev"], info.get("njev"), inverse=inverse)


def solver(solve: Any, name: str = "fake", module: str = "pyminpack") -> Solver:
    return Solver(name, module, solve)


def ours() -> Solver:
    return Solver(OURS, "pyminpack", leastsq)
