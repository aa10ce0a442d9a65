"""The ways NIST's data sets are fitted in the tests, and the digits every way gives."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tooling import ROOT

from pyminpack import Report

EXAMPLES: Final = ROOT / "examples"
sys.path.insert(0, str(EXAMPLES))

from nist import TIGHT, Dataset, Scalar, Vector, fit, load, log_relative_error  # noqa: E402

__all__ = [
    "DATASETS",
    "FAILURES",
    "FLAT",
    "MAXFEV",
    "OVERFLOW",
    "RECORD",
    "SLACK",
    "SOLVED",
    "Case",
    "Dataset",
    "Digits",
    "cases",
    "digits",
    "fit",
    "load_record",
    "log_relative_error",
    "nudge",
    "options",
    "solve",
]

RECORD: Final = ROOT / "tests" / "data" / "nist_digits.json"

DATASETS: Final = load()

SLACK: Final = 0.5
"""Digits a figure may fall below the record: machines differ in the last bit of exp and sin."""

SOLVED: Final = 3.0
"""A fit whose worst parameter has fewer digits has not found NIST's minimum."""

FLAT: Final = (
    "the steps take b2 to where exp(-b2 x) is 0 at every x: b1 becomes the mean of y, b2 no "
    "longer matters, and the fit rightly reports a minimum, though not the least one"
)
OVERFLOW: Final = (
    "every trial step takes b5 so far below 0 that exp(-x b5) overflows or is huge; the bound "
    "shrinks below xtol before a step is accepted, so the fit ends at the start"
)
MAXFEV: Final = "the default limit of function calls ends it on its way along a curved valley"

# Every one of these fails in Argonne's MINPACK too: see test_original_minpack_gives_the_same.
FAILURES: Final = {
    "BoxBOD/1/default/difference": FLAT,
    "BoxBOD/1/default/exact": FLAT,
    "BoxBOD/1/tight/difference": FLAT,
    "BoxBOD/1/tight/exact": FLAT,
    "MGH17/1/default/difference": OVERFLOW,
    "MGH17/1/default/exact": OVERFLOW,
    "Bennett5/1/default/difference": MAXFEV,
    "Bennett5/1/default/exact": MAXFEV,
    "MGH09/1/default/difference": MAXFEV,
    "MGH10/1/default/difference": MAXFEV,
}

SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {"default": {}, "tight": TIGHT}
JACOBIANS: Final = ("difference", "exact")


class Case(NamedTuple):
    """One way to fit one data set; `start` counts from 1 as NIST does."""

    name: str
    start: int
    setting: str
    jacobian: str

    @property
    def key(self) -> str:
        """Name of the case in the record and in test ids."""
        return "/".join(map(str, self))


class Digits(NamedTuple):
    """Digits of agreement with the certified values, each the worst of the data set."""

    parameters: float
    standard_errors: float
    rss: float


class Recorded(NamedTuple):
    """Digits of one case: of the fit as it is, and the least of fits with nudged models."""

    plain: Digits
    least: Digits


@dataclass(frozen=True, eq=False)
class Nudged(Dataset):
    """A data set whose model values and derivatives are moved by an ulp or so, up, down or not.

    It stands for another machine: libraries of elementary functions differ in the last bit,
    and a fit that runs until rounding ends it then ends elsewhere. The move is a fixed function
    of the value and of `seed`, so the model remains a function.
    """

    seed: int

    def model(self, b: NDArray[Scalar]) -> NDArray[Scalar]:
        """Return moved model values (m,) at parameters `b` (n,)."""
        return self._moved(super().model(b))

    def jacobian(self, b: Vector) -> Vector:
        """Return the moved Jacobian (m, n) at parameters `b` (n,)."""
        return self._moved(super().jacobian(b))

    def _moved(self, values: NDArray[Scalar]) -> NDArray[Scalar]:
        bits = np.ascontiguousarray(values.real).view(np.uint64)
        scrambled = bits * np.uint64(0x9E3779B97F4A7C15 + 2_000_006 * self.seed)
        move = (scrambled >> np.uint64(33)).astype(np.int64) % 3 - 1
        with np.errstate(invalid="ignore"):
            moved: NDArray[Scalar] = values * (1.0 + move * np.finfo(np.float64).eps)
        return moved


def nudge(dataset: Dataset, seed: int) -> Nudged:
    """Make the nudged twin of `dataset`."""
    contents = {field.name: getattr(dataset, field.name) for field in fields(Dataset)}
    return Nudged(**contents, seed=seed)


def cases() -> Iterator[Case]:
    """Yield every way to fit every data set."""
    for name in DATASETS:
        for start in (1, 2):
            for setting in SETTINGS:
                for jacobian in JACOBIANS:
                    yield Case(name, start, setting, jacobian)


def options(case: Case, dataset: Dataset) -> dict[str, Any]:
    """Return the arguments of `leastsq` beyond function and start."""
    exact = {"Dfun": dataset.jacobian} if case.jacobian == "exact" else {}
    return {**SETTINGS[case.setting], **exact}


def solve(case: Case, dataset: Dataset) -> Report:
    """Fit `dataset` in the way of `case`."""
    return fit(dataset, dataset.starts[case.start - 1], **options(case, dataset))


def digits(result: Report, dataset: Dataset) -> Digits:
    """Compare a fit with the certified values."""
    return Digits(
        float(log_relative_error(result.parameters, dataset.certified).min()),
        float(log_relative_error(result.standard_errors, dataset.standard_errors).min()),
        float(log_relative_error(result.chi_square, dataset.rss)),
    )


@cache
def load_record() -> Mapping[str, Recorded]:
    """Read the recorded digits, by key of the case."""
    entries = json.loads(RECORD.read_text(encoding="utf-8"))["digits"]
    return {
        key: Recorded(Digits(*entry["plain"]), Digits(*entry["least"]))
        for key, entry in entries.items()
    }
