"""`_core.Batch`, as `leastsq_many` never calls it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from compiled_problems import COUNT, Fractions, M, c_of, starts, table
from native_forms import COMBINED, RESIDUAL
from rosenbrock import read_only

from pyminpack import _core, compiled, leastsq, leastsq_many

pytestmark = pytest.mark.shim


def batch_of(library: Path, **replaced: Any) -> tuple[Any, ...]:
    x0 = starts()
    given = {"x0": x0, "diag": None, "weights": None, "ydata": None}
    results = {
        "x": np.empty_like(x0),
        **{name: np.empty(COUNT, np.intc) for name in ("ier", "nfev", "njev")},
        "fnorm": np.empty(COUNT),
        "squares": None,
        "cov_x": None,
    }
    options = {"ftol": 1e-8, "xtol": 1e-8, "gtol": 0.0, "factor": 100.0, "maxfev": 99,
               "epsfcn": None, "qr": "auto"}  # fmt: skip
    rest = {"func": compiled(c_of(library), M, jac=True), "dfun": None, "data": table()}
    for group in (given, results, options, rest):
        group.update((k, v) for k, v in replaced.items() if k in group)
    tuples = [
        replaced.get(f"all {i}", tuple(g.values())) for i, g in enumerate((given, results, options))
    ]
    return (*tuples, *rest.values())


MISUSE: list[tuple[str, list[Any], type[Exception]]] = [
    ("x0", [None, 1.0, np.ones(3), np.ones((0, 3)), np.ones((3, 0)), np.ones((3, 3), np.float32),
            np.asfortranarray(starts()), np.ones((1, 1, 1)), np.ones((6, 3))], ValueError),
    ("diag", [1.0, np.ones(4), np.ones((2, 3)), np.ones((7, 4)), np.ones((1, 3), int)], ValueError),
    ("weights", [1.0, np.ones(M), np.ones((2, M)), np.ones((7, 4)), np.ones((1, 0))], ValueError),
    ("ydata", [1.0, np.ones(M), np.ones((2, M)), np.ones((7, 4)), np.ones((1, 0))], ValueError),
    ("x", [None, np.ones((6, 3)), np.ones((7, 2)), np.ones((7, 3), int),
           read_only(np.ones((7, 3)))], ValueError),
    *((name, [None, np.ones(7), np.ones(6, np.intc), np.ones((7, 1), np.intc)], ValueError)
      for name in ("ier", "nfev", "njev")),
    ("fnorm", [None, np.ones(6), np.ones(7, np.float32)], ValueError),
    ("squares", [1.0, np.ones(6)], ValueError),
    ("cov_x", [1.0, np.ones((7, 3)), np.ones((7, 3, 2)), np.ones((6, 3, 3))], ValueError),
    ("ftol", [None, "1"], TypeError),
    ("maxfev", [None, 1.5], TypeError),
    ("epsfcn", ["1"], TypeError),
    ("qr", [None, 3, -1, "lapack"], ValueError),
    ("ftol", [-1.0], TypeError),
    ("factor", [0.0], TypeError),
    ("diag", [np.zeros((7, 3))], TypeError),
    ("func", [None, len, Fractions().func, _core.Compiled], TypeError),
    ("dfun", [len, 1, _core.Compiled], TypeError),
    ("data", [1.0, np.float64(1.0), np.ones(()), np.ones((6, 22)), table().tolist(),
              np.asfortranarray(table()), table().astype(object), np.zeros(7, [("a", object)]),
              table().view(type("Subclass", (np.ndarray,), {}))], ValueError),
    *((f"all {i}", [None, (), [], (None,) * 3, (None,) * 8], TypeError) for i in range(3)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "values", "error"), MISUSE, ids=[name for name, _, _ in MISUSE])
def test_misuse_of_the_driver(
    name: str, values: Any, error: type[Exception], compiled_library: Path
) -> None:
    for value in values:
        with pytest.raises(error):
            _core.Batch(*batch_of(compiled_library, **{name: value}))


def test_the_driver_takes_so_many_arguments(compiled_library: Path) -> None:
    given = batch_of(compiled_library)
    for wrong in ((), given[:-1], (*given, None)):
        with pytest.raises(TypeError):
            _core.Batch(*wrong)
    with pytest.raises(TypeError, match="no keyword arguments"):
        _core.Batch(*given, data=None)
    with pytest.raises(TypeError):
        type("Heir", (_core.Batch,), {})


def test_a_driver_after_its_end(compiled_library: Path) -> None:
    given = batch_of(compiled_library)
    batch = _core.Batch(*given)
    assert batch.done == 0
    assert batch.run() is False
    c = compiled(c_of(compiled_library), M, jac=False)
    expected = leastsq_many(c, starts(), data=table(), ftol=1e-8, xtol=1e-8, maxfev=99)
    for _ in range(3):
        assert batch.run() is False
        assert batch.done == COUNT
        assert_same_bits(given[1][0], expected.x)
    batch.stop()
    assert batch.run() is False


def test_a_driver_that_was_stopped(compiled_library: Path) -> None:
    given = batch_of(compiled_library)
    given[1][0][:] = 7.0
    batch = _core.Batch(*given)
    batch.stop()
    batch.stop()
    assert batch.run() is False
    assert batch.done == 0
    assert (given[1][0] == 7.0).all()


def test_a_driver_that_is_stopped_between_differences(compiled_library: Path) -> None:
    flags: list[int] = []

    @RESIDUAL
    def func(p: Any, m: int, n: int, x: Any, fvec: Any, iflag: int) -> int:
        flags.append(iflag)
        if iflag == 2:
            batch.stop()
        fvec[0], fvec[1], fvec[2] = x[0], x[1], x[2]
        return 0

    x0 = np.array([1.0, 2.0, 3.0] * COUNT).reshape(COUNT, 3)
    batch = _core.Batch(*batch_of(compiled_library, x0=x0, func=compiled(func, 3), data=None))
    assert batch.run() is False
    assert (flags[-1], flags.count(2)) == (2, 1)
    assert batch.done == 0


def test_a_step_that_is_shortened_until_it_is_no_number(compiled_library: Path) -> None:
    """No trial point has finite residuals, and at zero nothing says that a step is short."""

    @COMBINED
    def func(p: Any, m: int, n: int, x: Any, fvec: Any, fjac: Any, ldfjac: int, iflag: int) -> int:
        if iflag == 2:
            fjac[0] = 1e-150
        else:
            fvec[0] = 1e300 if x[0] == 0.0 else np.inf
        return 0

    c = compiled(func, 1, jac=True)
    x, ier = np.ones((COUNT, 1)), np.zeros(COUNT, np.intc)
    options: dict[str, Any] = {"ftol": 0.0, "xtol": 0.0, "maxfev": 99}
    replaced = {"x0": np.zeros((COUNT, 1)), "x": x, "ier": ier, "func": c, "dfun": c, **options}
    batch = _core.Batch(*batch_of(compiled_library, data=None, **replaced))
    while batch.run():
        pass
    alone, info, *_ = leastsq(c, 0.0, full_output=True, **options)[0::4]
    assert (alone.tolist(), info) == ([0.0], 9)
    assert (x.tolist(), ier.tolist()) == ([[0.0]] * COUNT, [9] * COUNT)


def test_any_limit_of_evaluations(compiled_library: Path) -> None:
    for maxfev, limit in ((0, 800), (-1, 800), (7, 7), (2**31, 2**31 - 5), (2**80, 2**31 - 5)):
        batch = _core.Batch(*batch_of(compiled_library, maxfev=maxfev))
        assert batch.options == {"ftol": 1e-8, "xtol": 1e-8, "gtol": 0.0, "maxfev": limit}


def test_all_combinations_of_what_may_be_none(compiled_library: Path) -> None:
    expected = None
    for squares, cov_x, ydata in itertools.product((False, True), repeat=3):
        given = batch_of(
            compiled_library,
            squares=np.empty(COUNT) if squares else None,
            cov_x=np.empty((COUNT, 3, 3)) if cov_x else None,
            ydata=np.zeros((1, M)) if ydata else None,
        )
        _core.Batch(*given).run()
        expected = given[1][0] if expected is None else expected
        assert_same_bits(given[1][0], expected)
        if squares:
            np.testing.assert_allclose(given[1][5], given[1][4] ** 2)
