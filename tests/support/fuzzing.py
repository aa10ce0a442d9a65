"""How the fuzz tests run, and their oracle.

By default few examples are run, the same every time. PYMINPACK_FUZZ_EXAMPLES=N runs N of them for
each test from a seed of the moment, or from PYMINPACK_FUZZ_SEED; `./dev fuzz N` does that and shows
the tallies. The examples come in batches, and the seed of each is in the name of its test: with
PYMINPACK_FUZZ_SEED=1234 the first batch is the one named seed1234.
"""

from __future__ import annotations

import math
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import argonne
import hypothesis
import numpy as np
import pytest
from bits import packed
from hypothesis import Phase, strategies
from numpy.typing import NDArray

from pyminpack import leastsq

Array = NDArray[np.float64]

_ASKED = int(os.environ.get("PYMINPACK_FUZZ_EXAMPLES", "0"))
_BATCH = 500  # examples
SEED = int(os.environ.get("PYMINPACK_FUZZ_SEED", secrets.randbelow(10**9) if _ASKED else 0))

SETTINGS = hypothesis.settings(
    database=None,
    deadline=None,
    derandomize=not _ASKED,
    phases=(Phase.generate, Phase.shrink),
    print_blob=False,
)

Function = Callable[..., Any]


@dataclass
class Tally:
    """What the examples of one test file were and how they ended."""

    name: str
    seen: Counter[str] = field(default_factory=Counter)
    slowest: list[tuple[float, str]] = field(default_factory=list)
    failed: bool = False

    def add(self, *events: str) -> None:
        self.seen.update(events)

    def time(self, seconds: float, case: Any) -> None:
        if len(self.slowest) < 5 or seconds > self.slowest[-1][0]:
            self.slowest = sorted([*self.slowest, (seconds, repr(case))], reverse=True)[:5]

    def report(self) -> str:
        title = f"\n{self.name}: {self.seen['example']} examples, first seed {SEED}"
        counts = [f"{count:9d} {event}" for event, count in sorted(self.seen.items())]
        slow = [f"{seconds:9.3f} s {case[:300]}" for seconds, case in self.slowest]
        return "\n".join([title, *counts, "slowest:", *slow])

    def require(self, examples: int, *events: str) -> None:
        """Assert that all examples were run, and that each of the events was among them."""
        if self.failed or self.seen["example"] < examples or 0 < _ASKED < 2 * _BATCH:
            pytest.skip("some batches failed or did not run, or they were few by request")
        missing = [event for event in events if not self.seen[event]]
        assert not missing, f"never seen: {missing}\n{self.report()}"

    def require_most(self, *events: str) -> None:
        """Assert that four in five were seen: which were not, the version of Hypothesis decides."""
        missing = [event for event in events if not self.seen[event]]
        assert len(missing) <= len(events) // 5, f"never seen: {missing}\n{self.report()}"


def examples(default: int) -> int:
    return _ASKED or default


def batches(default: int) -> pytest.MarkDecorator:
    """Parametrize a test by `batch`, the seed and the number of examples of each."""
    total = examples(default)
    starts = range(0, total, _BATCH)
    values = [(SEED + k, min(_BATCH, total - start)) for k, start in enumerate(starts)]
    return pytest.mark.parametrize("batch", values, ids=[f"seed{seed}" for seed, _ in values])


def explore(
    check: Callable[[Any], None],
    cases: strategies.SearchStrategy[Any],
    batch: tuple[int, int],
    tally: Tally,
) -> None:
    """Run `check` on a batch of drawn cases.

    Hypothesis remembers all examples of a run, so many of them take many batches.
    """
    seed, count = batch

    def timed(case: Any) -> None:
        start = time.perf_counter()
        with np.errstate(all="ignore"):
            check(case)
        tally.time(time.perf_counter() - start, case)
        tally.add("example")

    timed.__name__ = check.__name__
    run = hypothesis.given(cases)(timed)
    run = hypothesis.settings(SETTINGS, max_examples=count)(run)
    try:
        hypothesis.seed(seed)(run)()
    except BaseException:
        tally.failed = True
        raise


class Calls:
    """A function that counts its calls, and may look at the count."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.count = 0

    def __call__(self, x: Any, *args: Any) -> Any:
        self.count += 1
        return self.function(self.count, x, *args)


def fit(func: Any, x0: Any, **options: Any) -> dict[str, Any]:
    return packed(leastsq(func, x0, full_output=True, **options))


class _Reference:
    """The user's functions as Argonne's library calls them, stopped where the contract says ier 9.

    `func` and `dfun` return float64 arrays. They are called when `leastsq` should call them and
    no more often, so they need not be pure.
    """

    def __init__(self, func: Function, dfun: Function | None, m: int, epsfcn: float) -> None:
        self.func, self.dfun = func, dfun
        self.nfev = self.njev = 0
        self.not_finite = False
        self.fresh = False  # no residuals were asked for since the last Jacobian
        self.x: Array = np.empty(0)
        self.f: Array = np.empty(m)
        self.best: tuple[Array, Array] | None = None  # x and f where MINPACK took both, finite
        self.columns: list[Array] = []
        self.root = math.sqrt(max(epsfcn, 2.22044604926e-16))

    def _residuals(self, x: Array, fvec: Array, r: Array) -> int | None:
        """Answer at x0 or a trial point, where R is that of the Jacobian before it."""
        trial = self.nfev > 0
        self.not_finite = bool(trial and np.isnan(x).any())
        self.not_finite |= self.fresh and not np.isfinite(r).all()
        self.fresh = False
        if self.not_finite:
            return -1
        self.x, self.columns = x.copy(), []
        self.nfev += 1
        fvec[:] = self.f = self.func(x.copy())
        self.not_finite = not trial and not np.isfinite(fvec).all()
        return -1 if self.not_finite else None

    def _accept(self) -> None:
        """Look at the last point, which MINPACK has taken when it asks for a Jacobian there."""
        if np.isfinite(self.x).all() and np.isfinite(self.f).all():
            self.best = self.x, self.f

    def differences(self, x: Array, fvec: Array, iflag: int) -> int | None:
        if iflag != 2:
            return self._residuals(x, fvec, self._factor() if self.fresh else np.empty(0))
        if not self.columns:
            self._accept()
        self.nfev += 1
        fvec[:] = self.func(x.copy())
        h = self.root * abs(self.x[len(self.columns)])
        self.columns.append((fvec - self.f) / (self.root if h == 0 else h))
        self.fresh = True
        return None

    def _factor(self) -> Array:
        """R of the differences, or where it cannot overflow something as finite."""
        jacobian = np.column_stack(self.columns)
        if np.abs(jacobian).max() < 1e150 or not np.isfinite(jacobian).all():
            return jacobian
        assert argonne.ARGONNE is not None
        factors = argonne.ARGONNE.qrfac(jacobian, True)
        return np.triu(factors.a[: jacobian.shape[1]], 1) + np.diag(factors.rdiag)

    def derivatives(self, x: Array, fvec: Array, fjac: Array, iflag: int) -> int | None:
        if iflag != 2:
            return self._residuals(x, fvec, np.triu(fjac[: x.size]))
        assert self.dfun is not None
        self._accept()
        self.njev += 1
        fjac[:] = self.dfun(x.copy())
        self.fresh = True
        return None

    def answer(self, found: argonne.Fit) -> dict[str, Any]:
        """Return what `leastsq` is to return where MINPACK returned `found`."""
        at_best = np.isfinite(found.x).all() and np.isfinite(found.fvec).all()
        if not self.not_finite:
            assert (found.nfev, found.njev) == (self.nfev, self.njev)
            r = found.fjac[: found.x.size]
            self.not_finite = not at_best or (self.fresh and not np.isfinite(np.triu(r)).all())
        x, fvec = (found.x, found.fvec) if at_best or self.best is None else self.best
        shared = {"x": x, "fvec": fvec, "nfev": self.nfev, "njev": self.njev}
        if self.not_finite:
            return shared | {"ier": 9}
        names = {"fjac": found.fjac.T.copy(), "ipvt": found.ipvt, "qtf": found.qtf}
        return shared | names | {"ier": found.info}


def reference(
    func: Function,
    x0: Array,
    m: int,
    dfun: Function | None = None,
    *,
    maxfev: int = 0,
    epsfcn: float = 0.0,
    diag: Array | None = None,
    **options: float,
) -> dict[str, Any]:
    """Return what `fit` is to return; `epsfcn` is settled, and `dfun` gives shape (m, n)."""
    assert argonne.ARGONNE is not None, argonne.REASON
    asked = _Reference(func, dfun, m, epsfcn)
    budget = maxfev if maxfev > 0 else (100 if dfun else 200) * (x0.size + 1)
    settled: dict[str, Any] = {"maxfev": budget, "diag": diag, "mode": 1 if diag is None else 2}
    settled |= options
    if dfun is None:
        found = argonne.ARGONNE.lmdif(asked.differences, x0, m, epsfcn=epsfcn, **settled)
    else:
        found = argonne.ARGONNE.lmder(asked.derivatives, x0, m, **settled)
    return asked.answer(found)
