"""`leastsq_many` with compiled functions: what `leastsq` gives for each fit alone."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from compiled_problems import (
    AS_USUAL,
    COUNT,
    PROBLEMS,
    Bent,
    Fractions,
    M,
    c_of,
    combined,
    residual,
    starts,
    table,
)
from rosenbrock import read_only

import pyminpack
from pyminpack import ManyFits, _core, compiled, leastsq, leastsq_many

pytestmark = pytest.mark.shim

# What a row of data is told to do: nothing, NaN at the start, at a later call, and to stop.
SCRIPTS = [
    AS_USUAL,
    (0.0, 1.0, 0.0, np.nan),
    (0.0, 5.0, 0.0, np.inf),
    AS_USUAL,
    (0.0, 1.0, -1.0, 0.5),
    (0.0, 3.0, -70.0, 0.0),
    AS_USUAL,
]


@pytest.fixture(params=[False, True], ids=["differences", "Jacobian"])
def jac(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def fractions(compiled_library: Path, jac: bool) -> Any:
    return compiled(combined(compiled_library, "scripted"), M, jac=jac)


def alone(func: Any, data: Any, x0: Any, **options: Any) -> ManyFits:
    """Make each fit by leastsq, with the row of an option where it is a list of rows."""
    count, n = x0.shape
    fits = ManyFits(
        x=np.empty((count, n)),
        ier=np.empty(count, np.intc),
        nfev=np.empty(count, np.intc),
        njev=np.zeros(count, np.intc),
        fnorm=np.empty(count),
        cov_x=np.full((count, n, n), np.nan),
        options={},
    )
    for b in range(count):
        given = {k: v[b] if isinstance(v, list) else v for k, v in options.items()}
        one = func(data[b]) if callable(func) and not isinstance(func, _core.Compiled) else func
        x, cov_x, info, _, ier = leastsq(one, x0[b], full_output=True, **given)
        fits.x[b], fits.ier[b], fits.nfev[b] = x, ier, info["nfev"]
        fits.njev[b] = info.get("njev", 0)
        fits.fnorm[b] = norm(info["fvec"])
        if cov_x is not None:
            fits.cov_x[b] = cov_x
    return fits


def norm(fvec: Any) -> float:
    """Return what MINPACK's enorm does for numbers that are neither tiny nor huge."""
    total = 0.0
    for value in fvec.tolist():
        total += value * value
    return float(np.sqrt(total)) if total != np.inf else np.inf


def assert_same_fits(ours: ManyFits, theirs: ManyFits) -> None:
    for name in ("x", "ier", "nfev", "njev", "fnorm"):
        assert_same_bits(getattr(ours, name), getattr(theirs, name), name)
    if ours.cov_x is not None:
        assert_same_bits(ours.cov_x, theirs.cov_x, "cov_x")


def rows(library: Path, jac: bool) -> Any:
    """Return what makes the function of one fit of its data."""
    f = combined(library, "scripted")
    return lambda row: compiled(f, M, jac=jac, data=row)


OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "minpack": {"qr": "minpack"},
    "blocked": {"qr": "blocked"},
    "ftol": {"ftol": 1e-2, "xtol": 1e-3},
    "gtol": {"gtol": 1e-2},
    "exact": {"ftol": 0.0, "xtol": 0.0},
    "maxfev": {"maxfev": 6},
    "epsfcn": {"epsfcn": 1e-6},
    "factor": {"factor": 0.1},
    "diag": {"diag": [3.0, 0.5, 1.0]},
    "diag of each": {"diag": list(np.random.default_rng(1).uniform(0.1, 3.0, (COUNT, 3)))},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_bits_of_each_alone(
    name: str, fractions: Any, jac: bool, compiled_library: Path
) -> None:
    options, x0 = OPTIONS[name], starts()
    each = {
        k: v if name == "diag of each" else np.array(v) for k, v in options.items() if k == "diag"
    }
    theirs = alone(rows(compiled_library, jac), table(), x0, **{**options, **each})
    for workers in (1, 3):
        ours = leastsq_many(fractions, x0, data=table(), cov_x=True, workers=workers, **options)
        assert_same_fits(ours, theirs)
    assert leastsq_many(fractions, x0, data=table(), **options).cov_x is None


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_bits_of_any_size(name: str, jac: bool, compiled_library: Path) -> None:
    problem = PROBLEMS[name]()
    c = problem.compiled(compiled_library, jac)
    x0 = np.stack([problem.x0, problem.x0 * 1.5])
    for qr in ("auto", "minpack"):
        theirs = alone(c, None, x0, qr=qr)
        assert_same_fits(leastsq_many(c, x0, cov_x=True, workers=2, qr=qr), theirs)


@pytest.mark.parametrize("workers", [1, 2, 3, 6, 7, 8, 1000])
def test_any_number_of_workers(workers: int, fractions: Any) -> None:
    count = 60 if workers < 4 else COUNT
    data, x0 = table([AS_USUAL] * count), starts(count)
    expected = leastsq_many(fractions, x0, data=data.copy(), cov_x=True)
    seen: list[tuple[int, int]] = []
    found = leastsq_many(
        fractions,
        x0,
        data=data,
        cov_x=True,
        workers=workers,
        chunk_size=2,
        progress=lambda *how_far: seen.append(how_far),
    )
    assert_same_fits(found, expected)
    assert seen == sorted(set(seen))
    assert seen[-1] == (count, count)
    assert {total for _, total in seen} == {count}


def test_one_fit(fractions: Any, jac: bool, compiled_library: Path) -> None:
    x0 = starts(1)
    for workers in (1, 2):
        found = leastsq_many(fractions, x0, data=table()[:1], workers=workers)
        assert_same_fits(found, alone(rows(compiled_library, jac), table()[:1], x0))


def test_fits_that_fail_harm_no_other(fractions: Any, jac: bool, compiled_library: Path) -> None:
    x0 = starts()
    theirs = alone(rows(compiled_library, jac), table(SCRIPTS), x0)
    healthy = alone(rows(compiled_library, jac), table(), x0)
    for workers in (1, 2):
        ours = leastsq_many(fractions, x0, data=table(SCRIPTS), workers=workers, cov_x=True)
        assert_same_fits(ours, theirs)
        assert ours.ier[[1, 4, 5]].tolist() == [9, -1, -70]
        assert np.isnan(ours.fnorm[[1, 4]]).all()
        for b in (0, 3, 6):
            assert_same_bits(ours.x[b], healthy.x[b])
    for b in range(COUNT):
        c = compiled(combined(compiled_library, "scripted"), M, jac=jac, data=table(SCRIPTS)[b])
        assert ours.message(b) == leastsq(c, x0[b], full_output=True)[3]
        assert ours.messages[b] == ours.message(b)
    assert "ier -70: 1 (5)" in repr(ours)
    assert_same_fits(pickle.loads(pickle.dumps(ours)), ours)


def test_starts_that_are_not_finite(fractions: Any, jac: bool, compiled_library: Path) -> None:
    x0 = starts()
    x0[1, 0], x0[3, 2], x0[5] = np.nan, np.inf, 1e308
    theirs = alone(rows(compiled_library, jac), table(), x0)
    ours = leastsq_many(fractions, x0, data=table(), cov_x=True)
    for name in ("x", "ier", "nfev", "njev", "cov_x"):
        assert_same_bits(getattr(ours, name), getattr(theirs, name), name)


# Weights


def weighing(jac: bool, seed: int, weights: Any, spoilt: Any) -> tuple[Any, Any]:
    """Return func and Dfun of a fit in Python, where data with the weight 0 are missing."""
    problem = Fractions(seed)
    y = np.where(spoilt, np.nan, problem.y)

    def func(x: Any) -> Any:
        r = x[0] / (1.0 + x[1] * problem.t) + x[2] - y
        return np.where(weights == 0.0, 0.0, r * weights)

    def dfun(x: Any) -> Any:
        w = weights[:, None]
        return np.where(w == 0.0, 0.0, problem.dfun(x) * w)

    return func, dfun if jac else None


@pytest.mark.parametrize("kind", ["shared", "of each", "mask"])
def test_weights(kind: str, fractions: Any, jac: bool) -> None:
    generator = np.random.default_rng(3)
    missing = generator.random((COUNT, M)) < 0.2
    weights = np.where(missing, 0.0, generator.uniform(0.5, 2.0, (COUNT, M)))
    if kind == "mask":
        weights = ~missing
    elif kind == "shared":
        missing = np.broadcast_to(missing[0], missing.shape)
        weights = weights[0]
    data, x0 = table(), starts()
    data[:, 4 + M :][missing] = np.nan
    ours = leastsq_many(fractions, x0, data=data, weights=weights, cov_x=True, workers=2)
    for b in range(COUNT):
        w = np.broadcast_to(weights, (COUNT, M))[b].astype(float)
        func, dfun = weighing(jac, b, w, missing[b])
        x, cov_x, info, _, ier = leastsq(func, x0[b], Dfun=dfun, full_output=True)
        assert_same_bits(ours.x[b], x)
        assert (ours.ier[b], ours.nfev[b]) == (ier, info["nfev"])
        assert ours.njev[b] == info.get("njev", 0)
        assert_same_bits(ours.cov_x[b], cov_x)
        assert ours.fnorm[b] == norm(info["fvec"])
    assert np.isfinite(ours.x).all()


def test_all_is_missing_and_nothing_is(fractions: Any) -> None:
    x0 = starts()
    nothing = leastsq_many(fractions, x0, data=table(), weights=np.zeros((COUNT, M)))
    assert nothing.ier.tolist() == [4] * COUNT
    assert_same_bits(nothing.x, x0)
    ones = leastsq_many(fractions, x0, data=table(), weights=np.ones(M))
    assert_same_fits(ones, leastsq_many(fractions, x0, data=table()))


@pytest.mark.parametrize("shape", [(M + 1,), (COUNT, M - 1), (1,)])
def test_weights_of_another_size(shape: Any, fractions: Any) -> None:
    data = table()
    with pytest.raises(ValueError, match="a column for each residual, of which there are 9"):
        leastsq_many(fractions, starts(), data=data, weights=np.ones(shape))
    assert not data[:, 0].any()


# Data


FORMS: dict[str, Any] = {
    "array": lambda d: d,
    "read-only": read_only,
    "lists": lambda d: d.tolist(),
    "tuple of arrays": tuple,
    "by columns": np.asfortranarray,
    "every other column": lambda d: np.repeat(d, 2, axis=1)[:, ::2],
    "backwards": lambda d: d[::-1].copy()[::-1],
    "misaligned": lambda d: np.frombuffer(bytearray(b"x" + d.tobytes()), offset=1).reshape(d.shape),
    "structured": lambda d: d.view([("script", float, 4), ("t", float, M), ("y", float, M)]),
    "structured, 1-D": lambda d: d.view([("all", float, d.shape[1])])[:, 0],
    "void": lambda d: d.view(np.dtype((np.void, d.strides[0]))),
    "misaligned void": lambda d: np.frombuffer(
        bytearray(b"x" + d.tobytes()), np.dtype((np.void, d.strides[0])), offset=1
    ),
    "subclass": lambda d: d.view(type("Subclass", (np.ndarray,), {})),
    "memoryview": memoryview,
    "longer rows": lambda d: np.concatenate([d, d], axis=1),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_data(name: str, compiled_library: Path) -> None:
    f = combined(compiled_library, "scripted")
    for k in (None, 4 + 2 * M):
        c = compiled(f, M, jac=True, k=k)
        expected = leastsq_many(c, starts(), data=table())
        assert_same_fits(leastsq_many(c, starts(), data=FORMS[name](table())), expected)


BAD_DATA: dict[str, tuple[Any, type[Exception], str]] = {
    "float32": (lambda d: d.astype(np.float32), TypeError, "not of float32.*astype"),
    "ints": (lambda d: d.astype(int), TypeError, "not of int64"),
    "the other byte order": (lambda d: d.astype(d.dtype.newbyteorder()), TypeError, "float64, or"),
    "objects": (lambda d: d.astype(object), TypeError, "not of object"),
    "structures of objects": (
        lambda d: np.zeros(COUNT, [("a", object)]), TypeError, "data must be float64",
    ),
    "structures of the other byte order": (
        lambda d: np.zeros(COUNT, [("a", d.dtype.newbyteorder(), 22)]), ValueError, "byte order",
    ),
    "masked": (lambda d: np.ma.masked_greater(d, 1.0), TypeError, "must not be masked"),
    "complex list": (lambda d: [[1j]] * COUNT, TypeError, "data must be real numbers"),
    "text": (lambda d: "data", TypeError, "data must be real numbers"),
    "1-D": (lambda d: d[:, 0], ValueError, r"data must have shape \(7, k\)"),
    "3-D": (lambda d: d[None], ValueError, r"has shape \(1, 7, 22\)"),
    "a number": (lambda d: 1.0, ValueError, r"has shape \(\)"),
    "one void": (lambda d: d.view("V176")[0, 0], ValueError, r"has shape \(\)"),
    "a row too few": (lambda d: d[1:], ValueError, r"has shape \(6, 22\)"),
    "one row": (lambda d: d[:1], ValueError, r"has shape \(1, 22\)"),
    "voids, one too few": (lambda d: d.view("V176")[1:], ValueError, r"has shape \(6, 1\)"),
    "too short": (lambda d: d[:, :21], ValueError, "k = 22 numbers, and a row has 21"),
    "voids too short": (lambda d: np.zeros(COUNT, "V173"), ValueError, "a row has 21.625"),
    "none of a row": (lambda d: d[:, :0], ValueError, "a row has 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_DATA)
def test_data_that_are_refused(name: str, compiled_library: Path) -> None:
    make, error, message = BAD_DATA[name]
    c = compiled(combined(compiled_library, "scripted"), M, jac=True, k=4 + 2 * M)
    data = table()
    with pytest.raises(error, match=message):
        leastsq_many(c, starts(), data=make(data))
    assert not data[:, 0].any()


def test_rows_are_not_copied(compiled_library: Path) -> None:
    c = compiled(c_of(compiled_library), M, jac=True)
    for data in (table(), table().view("V176")[:, 0]):
        found = leastsq_many(c, starts(), data=data, workers=2)
        calls = data.view(float).reshape(COUNT, -1)[:, 0]
        assert calls.tolist() == (found.nfev + found.njev).tolist()


def test_rows_of_nothing(compiled_library: Path) -> None:
    c = compiled(residual(compiled_library, "refuse_far"), 1)
    found = leastsq_many(c, [[5.0], [11.0], [7.0]], data=np.zeros((3, 0)), workers=2)
    assert found.ier[1] == -7
    assert found.success.tolist() == [True, False, True]


def test_all_fits_share_the_data_of_func(jac: bool, compiled_library: Path) -> None:
    problem = Fractions()
    c = problem.compiled(compiled_library, jac, k=22)
    ours = leastsq_many(c, starts(), cov_x=True)
    assert_same_fits(ours, alone(c, None, starts()))
    bare = compiled(c_of(compiled_library), M, jac=jac, k=22)
    with pytest.raises(ValueError, match="reads k = 22 numbers of data, and has none; give data"):
        leastsq_many(bare, starts())
    several = compiled(c_of(compiled_library), M, jac=jac, data=table())
    with pytest.raises(ValueError, match=r"own data have shape \(7, 22\).*data.ravel\(\)"):
        leastsq_many(several, starts())
    # Not as many rows as fits, and one.
    assert_same_fits(leastsq_many(several, starts(3)), alone(several, None, starts(3)))
    single = compiled(c_of(compiled_library), M, jac=jac, data=table()[:1])
    assert leastsq_many(single, starts(1)).success.all()


def test_rows_come_before_the_data_of_func(compiled_library: Path) -> None:
    own = Fractions(seed=99)
    c, other = (own.compiled(compiled_library, True) for _ in range(2))
    expected = leastsq_many(compiled(c_of(compiled_library), M, jac=True), starts(), data=table())
    for dfun in (None, c, other):
        assert_same_fits(leastsq_many(c, starts(), Dfun=dfun, data=table()), expected)
    assert c.data[0] == other.data[0] == 0.0


# Functions


def test_functions_that_do_not_fit(compiled_library: Path) -> None:
    c = Fractions().compiled(compiled_library, True)
    bare = Fractions().compiled(compiled_library, False)
    bent = Bent(20, 3).compiled(compiled_library, True)
    python = Fractions().func
    refused: list[tuple[Any, Any, type[Exception], str]] = [
        (c, bent, ValueError, "Dfun is compiled for 20 residuals, and func gives 9"),
        (c, bare, TypeError, "Dfun is a compiled function without a Jacobian"),
        (c, python, TypeError, "func alone is compiled"),
        (python, c, TypeError, "Dfun alone is compiled"),
    ]
    for func, dfun, error, message in refused:
        for workers in (1, 3):
            with pytest.raises(error, match=message):
                leastsq_many(func, starts(), Dfun=dfun, workers=workers)
    with pytest.raises(TypeError, match="takes no args; give it data"):
        leastsq_many(c, starts(), args=(1,))
    with pytest.raises(TypeError, match="N=10 must not exceed the number of residuals M=9"):
        leastsq_many(c, np.ones((2, 10)))
    assert c.data[0] == bare.data[0] == 0.0


@pytest.mark.parametrize("workers", [0, -1, 2**70])
def test_how_many_workers(workers: int, compiled_library: Path) -> None:
    c = Fractions().compiled(compiled_library, True)
    if workers > 0:
        assert leastsq_many(c, starts(2), workers=workers).success.all()
    else:
        with pytest.raises(ValueError, match="workers must be at least 1"):
            leastsq_many(c, starts(), workers=workers)


def test_the_same_bits_of_the_other_minpack(
    system_pyminpack: ModuleType, compiled_library: Path
) -> None:
    function = combined(compiled_library, "scripted")
    ours, theirs = (
        module.leastsq_many(
            module.compiled(function, M, jac=True), starts(), data=table(), qr="minpack"
        )
        for module in (pyminpack, system_pyminpack)
    )
    for name in ("x", "ier", "nfev", "njev", "fnorm", "cov_x"):
        assert_same_bits(getattr(ours, name), getattr(theirs, name), name)
