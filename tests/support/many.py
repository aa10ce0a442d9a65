"""Many fits against `leastsq` alone: functions of (X, index), and the comparison bit for bit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from bits import assert_same_bits
from numpy.typing import NDArray

from pyminpack import ManyFits, leastsq, leastsq_many

Array = NDArray[Any]


@dataclass(frozen=True)
class Problem:
    """Fits of one kind. Each value takes +, -, * and / alone, so it has the same bits anywhere."""

    x0: Array  # (B, N)
    t: Array  # (M,)
    y: Array  # (B, M)

    def func(self, X: Array, index: Array) -> Array:
        raise NotImplementedError

    def dfun(self, X: Array, index: Array) -> Array:
        raise NotImplementedError


class Fractions(Problem):
    """a / (1 + b t) + c, or without c."""

    def func(self, X: Array, index: Array) -> Array:
        values = X[:, :1] / (1.0 + X[:, 1:2] * self.t)
        if X.shape[1] == 3:
            values = values + X[:, 2:]
        return values - self.y[index]

    def dfun(self, X: Array, index: Array) -> Array:
        jacobian = np.ones((*X.shape[:1], self.t.size, X.shape[1]))
        under = 1.0 + X[:, 1:2] * self.t
        jacobian[:, :, 0] = 1.0 / under
        jacobian[:, :, 1] = -X[:, :1] * self.t / (under * under)
        return jacobian


class Squares(Problem):
    """The sum over j of (x_j + 0.1 x_j^2) b_j(t), whose b_j are N hat functions."""

    def hat(self, j: int, n: int) -> Array:
        return 1.0 / (1.0 + (n * self.t - j) * (n * self.t - j))

    def func(self, X: Array, index: Array) -> Array:
        n = X.shape[1]
        values = -self.y[index]
        for j in range(n):
            x = X[:, j : j + 1]
            values = values + (x + 0.1 * x * x) * self.hat(j, n)
        return values

    def dfun(self, X: Array, index: Array) -> Array:
        n = X.shape[1]
        columns = [(1.0 + 0.2 * X[:, j : j + 1]) * self.hat(j, n) for j in range(n)]
        return np.stack(columns, axis=2)


def fractions(count: int = 9, m: int = 12, n: int = 3, seed: int = 1) -> Fractions:
    generator = np.random.default_rng(seed)
    t = np.linspace(0.0, 4.0, m)
    true = generator.uniform([2.0, 0.5, -1.0][:n], [5.0, 2.0, 1.0][:n], (count, n))
    exact = Fractions(true, t, np.zeros((count, m))).func(true, np.arange(count))
    return Fractions(np.ones((count, n)), t, exact + generator.normal(0.0, 0.1, (count, m)))


def squares(count: int, m: int, n: int, seed: int = 2) -> Squares:
    generator = np.random.default_rng(seed)
    x0 = generator.uniform(0.0, 2.0, (count, n))
    return Squares(x0, np.linspace(0.0, 1.0, m), generator.normal(1.0, 1.0, (count, m)))


PROBLEMS = {
    "fractions": fractions(),
    "one variable": squares(5, 4, 1),
    "two variables": fractions(6, 5, 2),
    "as many residuals": squares(4, 6, 6),
    "one fit": fractions(1),
    "many": fractions(300, 7),
    "by blocks": squares(3, 2300, 10),
}


def alone(func: Any, x0: Array, fit: int, weights: Any, **options: Any) -> tuple[Any, ...]:
    """Return what leastsq makes of one of the fits; `weights` are its own."""
    dfun = options.pop("Dfun", None)
    across = bool(options.get("col_deriv"))
    return leastsq(
        _of_one(func, fit, weights),
        x0[fit],
        Dfun=None if dfun is None else _of_one(dfun, fit, weights, across),
        full_output=True,
        **options,
    )


def _of_one(function: Any, fit: int, weights: Any, across: bool = False) -> Any:
    index = np.array([fit])

    def of_one(x: Array) -> Any:
        values = np.asarray(function(x[None], index))[0]
        if weights is None:
            return values
        w = weights if across or values.ndim == 1 else weights[:, None]
        with np.errstate(invalid="ignore"):
            return np.where(w == 0.0, 0.0, values * w)

    return of_one


def assert_as_alone(
    fits: ManyFits, func: Any, x0: Any, which: Any = None, diag: Any = None, **options: Any
) -> None:
    """Assert that each of the fits is, bit for bit, what leastsq makes of it."""
    x0 = np.asarray(x0, float)
    count, n = x0.shape
    assert fits.x.shape == (count, n)
    weights = options.pop("weights", None)
    if weights is not None:
        weights = np.broadcast_to(np.asarray(weights, float), (count, np.shape(weights)[-1]))
    scales = None if diag is None else np.broadcast_to(np.asarray(diag, float), (count, n))
    for fit in range(count) if which is None else which:
        scale = None if scales is None else scales[fit]
        w = None if weights is None else weights[fit]
        one = alone(func, x0, fit, w, diag=scale, **options)
        x, cov_x, info, mesg, ier = one
        name = f"fit {fit}"
        assert_same_bits(fits.x[fit], x, f"{name}: x")
        counts = (fits.ier[fit], fits.nfev[fit], fits.njev[fit])
        assert counts == (ier, info["nfev"], info.get("njev", 0)), name
        assert fits.message(fit) == mesg
        norm = math.hypot(*info["fvec"])
        np.testing.assert_allclose(fits.fnorm[fit], norm, rtol=1e-13, err_msg=name)
        if fits.cov_x is not None:
            expected = np.full((n, n), np.nan) if cov_x is None else cov_x
            assert_same_bits(fits.cov_x[fit], expected, f"{name}: cov_x")


def check(func: Any, x0: Any, which: Any = None, **options: Any) -> ManyFits:
    """Make the fits, assert that each is as alone, and return them."""
    fits = leastsq_many(func, x0, cov_x=True, **options)
    options.pop("chunk_size", None)
    assert_as_alone(fits, func, x0, which, **options)
    return fits


def assert_same_fits(ours: ManyFits, theirs: ManyFits) -> None:
    """Assert that two results have the same bits."""
    assert type(ours) is type(theirs)
    assert ours.options == theirs.options
    for name in ("x", "ier", "nfev", "njev", "fnorm"):
        assert_same_bits(getattr(ours, name), getattr(theirs, name), name)
    assert (ours.cov_x is None) == (theirs.cov_x is None)
    if ours.cov_x is not None:
        assert_same_bits(ours.cov_x, theirs.cov_x, "cov_x")
