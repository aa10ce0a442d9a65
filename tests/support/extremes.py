"""Problems and starts at the ends of the doubles, and what a fit does with them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from bits import packed
from numpy.typing import NDArray

from pyminpack import leastsq

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

NAN, INF = float("nan"), float("inf")


@dataclass(frozen=True)
class Problem:
    """Residuals of any number of variables, and their Jacobian."""

    residual: Function
    jacobian: Function


def _scaled(problem: Problem, factor: float) -> Problem:
    return Problem(lambda x: factor * problem.residual(x), lambda x: factor * problem.jacobian(x))


def _each(residual: Function, derivative: Function) -> Problem:
    """Return the problem that does the same with every variable."""
    return Problem(residual, lambda x: np.diag(derivative(x)))


def _stacked(*problems: Problem) -> Problem:
    return Problem(
        lambda x: np.concatenate([p.residual(x) for p in problems]),
        lambda x: np.concatenate([p.jacobian(x) for p in problems]),
    )


def _constant(value: float, extra: int) -> Problem:
    return Problem(
        lambda x: np.full(x.size + extra, value), lambda x: np.zeros((x.size + extra, x.size))
    )


def _wall(value: float) -> Problem:
    return _each(lambda x: np.where(x > 2.0, value, x - 5.0), np.ones_like)


LINE = _each(lambda x: x - 1.0, np.ones_like)
LINES = _stacked(LINE, _each(lambda x: x + 2.0, np.ones_like))
SUM = Problem(lambda x: np.full(x.size, x.sum() - 1.0), lambda x: np.ones((x.size, x.size)))
FIRST = Problem(
    lambda x: np.append(np.ones(x.size), x[0] - 3.0), lambda x: np.eye(x.size + 1, x.size, -x.size)
)

PROBLEMS: dict[str, Problem] = {
    "line": LINE,
    "line e200": _scaled(LINE, 1e200),
    "line e-200": _scaled(LINE, 1e-200),
    "line e307": _scaled(LINE, 1e307),
    "lines": LINES,
    "lines e200": _scaled(LINES, 1e200),
    "lines e-200": _scaled(LINES, 1e-200),
    "lines denormal": _scaled(LINES, 1e-310),
    "lines e200 and e-200": _stacked(_scaled(LINE, 1e200), _scaled(LINE, 1e-200)),
    "square": _each(lambda x: x**2 - 1.0, lambda x: 2.0 * x),
    "power": _each(lambda x: x**16, lambda x: 16.0 * x**15),
    "exp": _each(lambda x: np.exp(x) - 2.0, np.exp),
    "log": _each(np.log, lambda x: 1.0 / x),
    "root": _each(lambda x: np.sqrt(x - 1.0), lambda x: 0.5 / np.sqrt(x - 1.0)),
    "reciprocal": _each(lambda x: 1.0 / x, lambda x: -1.0 / x**2),
    "step": _each(lambda x: np.sign(x) + 0.5, np.zeros_like),
    "NaN beyond 2": _wall(NAN),
    "inf beyond 2": _wall(INF),
    "-inf beyond 2": _stacked(_wall(-INF), LINE),
    "zero": _constant(0.0, 1),
    "constant": _constant(3.0, 0),
    "constant e308": _constant(1e308, 0),
    "norm overflows": _constant(1.7e308, 8),
    "rank 1": SUM,
    "rank 1, three rows each": _stacked(SUM, SUM, SUM),
    "zero columns": FIRST,
    "zero row e200": _stacked(_constant(0.0, 0), _scaled(LINE, 1e200)),
}
STARTS = [0.0, 1.0, -1.0, 3.0, 5e-324, 1e-160, 1e160, 1.7e308, -1.7e308, NAN, INF, -INF]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"maxfev": 1},
    {"ftol": 0.0, "xtol": 0.0},
    {"ftol": INF, "gtol": INF},
    {"xtol": INF},
    {"factor": 1e300},
    {"factor": 1e-300},
    {"factor": INF},
    {"diag": 1e300},
    {"diag": 1e-300},
    {"diag": INF},
    {"epsfcn": 1e300},
    {"epsfcn": INF},
]


@dataclass
class Run:
    """A fit, with all that func was asked and answered."""

    x0: Array
    options: dict[str, Any]
    points: list[Array] = field(default_factory=list)
    values: list[Array] = field(default_factory=list)
    jacobians: list[Array] = field(default_factory=list)
    result: tuple[Any, ...] = ()

    @property
    def packed(self) -> dict[str, Any]:
        return packed(self.result)

    @property
    def budget(self) -> int:
        """The most that nfev may come to: MINPACK looks only after a whole step."""
        n = self.x0.size
        default = (100 if "Dfun" in self.options else 200) * (n + 1)
        return int(self.options.get("maxfev", default)) + n + 1

    @property
    def is_tame(self) -> bool:
        """Whether nothing that went in or came by is so large or small as to leave the range."""
        numbers = (v for v in self.options.values() if not callable(v))
        arrays = (*self.points, *self.values, *self.jacobians, *map(np.asarray, numbers))
        sizes = np.concatenate([np.abs(np.ravel(a)) for a in arrays])
        return bool(((sizes == 0.0) | ((sizes > 1e-100) & (sizes < 1e100))).all())


def run(problem: Problem, x0: Array, with_jacobian: bool, options: dict[str, Any]) -> Run:
    options = dict(options)
    if "diag" in options:
        options["diag"] = np.full(x0.size, options["diag"])
    record = Run(x0, options)

    def func(x: Array) -> Array:
        record.points.append(x.copy())
        record.values.append(problem.residual(x))
        return record.values[-1]

    def dfun(x: Array) -> Array:
        record.jacobians.append(problem.jacobian(x))
        return record.jacobians[-1]

    if with_jacobian:
        options["Dfun"] = dfun
    with np.errstate(all="ignore"):
        record.result = leastsq(func, x0, full_output=True, **options)
    return record


def grid(every: int = 1) -> Iterator[tuple[Array, bool, dict[str, Any]]]:
    """Every start with every option, of one variable and of two, with Dfun and without, in turn."""
    pairs = enumerate(itertools.product(STARTS, OPTIONS))
    for k, (start, options) in itertools.islice(pairs, 0, None, every):
        row, column = divmod(k, len(OPTIONS))
        yield np.full(1 + (row // 2 + column) % 2, start), (row + column) % 2 == 0, options


def digest() -> str:
    """Return a hash of every bit of some fits of each problem."""
    bits = hashlib.sha256()
    for problem in PROBLEMS.values():
        for x0, with_jacobian, options in grid(every=5):
            for value in run(problem, x0, with_jacobian, options).packed.values():
                bits.update(np.asarray(value).tobytes())
    return bits.hexdigest()
