"""The results of a run as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from .figures import Spread, call_ratios, promises, solved, spread, tally, time_ratios
from .problems import JACOBIANS, LIMIT, MINPACK, NIST, SOLVED_DIGITS, TIGHT, TOLERANCES
from .run import HARD_LIMIT, Record, Results

SCHEMA: Final = 1
"""Goes up when something that was there changes its meaning or is no longer there."""


def as_json(results: Results) -> str:
    """
    Return everything that a run found.

    The object has these members:

    - ``schema``: the number of this description.
    - ``environment``: processor, cores, system, versions and build, in words.
    - ``solvers``: by name, ``version``, and ``missing``, the reason why a solver took no part;
      one of them is null.
    - ``settings``: ``tight``, the tight tolerance; ``limit`` and ``hard_limit``; ``solved_digits``;
      ``repeats``, 0 where nothing was timed.
    - ``fits``: a list, an object for each fit, as in `_fit`.
    - ``summary``: by solver, as in `_summary`.
    - ``promises``: a list of objects with ``text``, ``is_kept`` (null: not looked at), ``found``.

    A number that is not finite is null.
    """
    content = {
        "schema": SCHEMA,
        "environment": dict(results.environment),
        "solvers": {
            **{name: {"version": v, "missing": None} for name, v in results.versions.items()},
            **{name: {"version": None, "missing": why} for name, why in results.missing.items()},
        },
        "settings": {
            "tight": TIGHT,
            "limit": LIMIT,
            "hard_limit": HARD_LIMIT,
            "solved_digits": SOLVED_DIGITS,
            "repeats": results.repeats,
        },
        "fits": [_fit(results, record) for name in results.versions for record in results.of(name)],
        "summary": {name: _summary(results, name) for name in results.versions},
        "promises": [vars(promise) for promise in promises(results)],
    }
    return json.dumps(_plain(content), indent=1, allow_nan=False) + "\n"


def _fit(results: Results, record: Record) -> dict[str, Any]:
    """Describe a fit.

    ``x``, ``ier`` and ``nfev`` are as the solver returned them; ``calls`` and ``jacobian_calls``
    were counted; ``same`` tells what is as in pyminpack's fit, null where there is an ``error``;
    ``digits`` is null for a MINPACK case; ``seconds`` is the least time, null if not timed.
    """
    problem, outcome = record.problem, record.outcome
    agreement = results.agreement(record)
    seconds = results.times.get((problem.name, record.way), {}).get(record.solver)
    return {
        "solver": record.solver,
        "problem": problem.name,
        "collection": problem.collection,
        "set": problem.set,
        "start": problem.start,
        "m": problem.y.size,
        "n": problem.x0.size,
        **record.way._asdict(),
        "error": record.error,
        "warnings": list(record.warnings),
        "x": None if outcome is None else outcome.x,
        "ier": None if outcome is None else outcome.ier,
        "nfev": None if outcome is None else outcome.nfev,
        "calls": record.calls,
        "jacobian_calls": record.jacobian_calls,
        "rss": record.rss,
        "digits": None if record.digits is None else record.digits._asdict(),
        "is_solved": record.is_solved,
        "same": None if agreement is None else vars(agreement),
        "seconds": seconds,
    }


def _summary(results: Results, solver: str) -> dict[str, Any]:
    """Describe what a solver's fits come to, all but the first by kind of the Jacobian.

    ``solved`` has, by collection and tolerance, the number of fits that found the solution and of
    all; ``same`` in how many fits something is as in pyminpack's; ``calls`` and ``time`` the
    ratios to pyminpack's.
    """
    return {
        "solved": {
            collection: {
                each: solved(results, solver, collection, tolerance=each) for each in TOLERANCES
            }
            for collection in (MINPACK, NIST)
        },
        "same": {kind: tally(results, solver, kind)._asdict() for kind in JACOBIANS},
        "calls": {
            kind: _spread(spread(call_ratios(results, solver, jacobian=kind))) for kind in JACOBIANS
        },
        "time": {
            kind: _spread(spread(time_ratios(results, solver, jacobian=kind))) for kind in JACOBIANS
        },
    }


def _spread(found: Spread | None) -> dict[str, Any] | None:
    return None if found is None else found._asdict()


def _plain(value: Any) -> Any:
    """Return what JSON knows: no arrays, no NumPy numbers, and nothing that is not finite."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
