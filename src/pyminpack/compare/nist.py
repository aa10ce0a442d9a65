"""NIST's 27 Statistical Reference Datasets for nonlinear regression.

nist_strd.json holds their figures, and nist_strd.md tells what they are and whose.

>>> from pyminpack import leastsq
>>> from pyminpack.compare.nist import load
>>> thurber = load()["Thurber"]
>>> b, ier = leastsq(thurber.residual, thurber.starts[1], Dfun=thurber.jacobian)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import CodeType
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .nist_derivatives import DERIVATIVES

Vector = NDArray[np.float64]
Scalar = TypeVar("Scalar", np.float64, np.complex128)

DATA: Final = Path(__file__).with_name("nist_strd.json")

CERTIFIED_DIGITS: Final = 11
"""Significant digits of NIST's certified values."""

_FUNCTIONS: Final = {
    "exp": np.exp,
    "cos": np.cos,
    "sin": np.sin,
    "arctan": np.arctan,
    "pi": np.pi,
}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Observations, model and certified solution of one problem.

    Attributes
    ----------
    name, level
        NIST's name and its level of difficulty: lower, average or higher.
    formula
        The model as an expression in x (or x1, x2) and b1 ... bn.
    x : (m,) or (2, m)
        One predictor, or two.
    y : (m,)
        Response.
    starts : (2, n)
        NIST's starting parameters: the first row far from the solution, the second near.
    certified, standard_errors : (n,)
        Certified parameters and their standard errors.
    rss
        Certified residual sum of squares.
    """

    name: str
    level: str
    formula: str
    x: Vector
    y: Vector
    starts: Vector
    certified: Vector
    standard_errors: Vector
    rss: float

    def model(self, b: NDArray[Scalar]) -> NDArray[Scalar]:
        """Return model values (m,) at parameters `b` (n,), real or complex."""
        parameters = {f"b{j}": value for j, value in enumerate(b, start=1)}
        # A trial step may well overflow: the solver rejects it, so it deserves no warning.
        with np.errstate(all="ignore"):
            values: NDArray[Scalar] = eval(self._code, self._namespace, parameters)
        return values

    def residual(self, b: Vector) -> Vector:
        """Return the residuals (m,), model less response, at parameters `b` (n,)."""
        return self.model(b) - self.y

    def jacobian(self, b: Vector) -> Vector:
        """Return the Jacobian (m, n) of the residuals at parameters `b` (n,)."""
        matrix = np.empty((self.y.size, b.size))
        with np.errstate(all="ignore"):
            columns = DERIVATIVES[self.formula](*self._predictors.values(), *b)
        for j, column in enumerate(columns):
            matrix[:, j] = column
        return matrix

    @cached_property
    def _code(self) -> CodeType:
        """Compile the formula, which may use the names of the model and nothing else."""
        code = compile(self.formula, self.name, "eval")
        parameters = {f"b{j}" for j in range(1, self.certified.size + 1)}
        unknown = set(code.co_names) - parameters - self._namespace.keys()
        if unknown:
            raise ValueError(f"{self.name}: unknown names in the formula: {sorted(unknown)}")
        return code

    @cached_property
    def _namespace(self) -> dict[str, Any]:
        """Collect what a formula may use besides its parameters."""
        return {"__builtins__": {}, **_FUNCTIONS, **self._predictors}

    @cached_property
    def _predictors(self) -> dict[str, Vector]:
        """Give the predictors their names in the formula."""
        return {"x": self.x} if self.x.ndim == 1 else {"x1": self.x[0], "x2": self.x[1]}


def load(path: Path = DATA) -> dict[str, Dataset]:
    """Read the data sets from `path`, by name."""
    entries: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {name: _dataset(name, entry) for name, entry in entries.items()}


def _dataset(name: str, entry: Mapping[str, Any]) -> Dataset:
    """Make the data set `name` of its JSON entry."""
    # Two spaces set a remark off from the formula: Nelson has one.
    formula, _, _ = entry["model"].partition("  ")
    return Dataset(
        name=name,
        level=entry["level"],
        formula=formula,
        x=np.array(entry["x"], dtype=np.float64),
        y=np.array(entry["y"], dtype=np.float64),
        starts=np.array([entry["start1"], entry["start2"]], dtype=np.float64),
        certified=np.array(entry["certified"], dtype=np.float64),
        standard_errors=np.array(entry["standard_errors"], dtype=np.float64),
        rss=float(entry["rss"]),
    )


def log_relative_error(value: ArrayLike, certified: ArrayLike) -> Vector:
    """Count the digits to which `value` agrees with `certified`, elementwise, from 0 to 11.

    This is -log10 of the relative error; of the absolute error where the certified value is 0.
    A value that is not finite agrees to 0 digits.
    """
    value = np.asarray(value, dtype=np.float64)
    certified = np.asarray(certified, dtype=np.float64)
    scale = np.where(certified == 0.0, 1.0, np.abs(certified))
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = -np.log10(np.abs(value - certified) / scale)
    digits = np.where(np.isfinite(value), digits, 0.0)
    # The logarithm of 1 is a zero that would be printed with a sign; adding 0 takes it away.
    return np.clip(digits, 0.0, float(CERTIFIED_DIGITS)) + 0.0
