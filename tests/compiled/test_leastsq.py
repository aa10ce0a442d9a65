"""`leastsq` with compiled functions: what it does with the same functions in Python."""

from __future__ import annotations

import signal
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from compiled_problems import (
    PROBLEMS,
    Bent,
    Fractions,
    assert_same_fit,
    combined,
    residual,
)
from native_forms import COMBINED, in_python
from rosenbrock import PLAIN, fit, rosenbrock

from pyminpack import compiled, leastsq, report

FACTORISATIONS = ["auto", "minpack", "blocked"]

OPTIONS: dict[str, dict[str, Any]] = {
    "ftol": {"ftol": 1e-2},
    "xtol": {"xtol": 1e-1, "ftol": 0.0},
    "gtol": {"gtol": 1e-2},
    "exact": {"ftol": 0.0, "xtol": 0.0},
    "maxfev 1": {"maxfev": 1},
    "maxfev 9": {"maxfev": 9},
    "epsfcn": {"epsfcn": 1e-6},
    "epsfcn < 0": {"epsfcn": -1e-3},
    "factor": {"factor": 0.1},
    "diag": {"diag": [3.0, 0.5, 1.0]},
    "x0": {"x0": [[3, 1, 0]]},
    "col_deriv": {"col_deriv": 1},
}
IMPROPER: dict[str, dict[str, Any]] = {
    "ftol": {"ftol": -1.0},
    "gtol": {"gtol": -1.0},
    "factor": {"factor": 0.0},
    "diag": {"diag": [1.0, 0.0, 1.0]},
}


def both(library: Path, problem: Any, jac: bool, **options: Any) -> tuple[Any, Any]:
    """Return what leastsq makes of a problem in C and in Python."""
    given = {"x0": problem.x0, "full_output": True, **options}
    col_deriv = given.get("col_deriv")
    with np.errstate(all="ignore"):
        ours = leastsq(problem.compiled(library, jac), **given)
        dfun = (lambda x: problem.dfun(x).T) if col_deriv else problem.dfun
        theirs = leastsq(problem.func, Dfun=dfun if jac else None, **given)
    return ours, theirs


@pytest.mark.parametrize("jac", [False, True])
@pytest.mark.parametrize("qr", FACTORISATIONS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_same_bits(name: str, qr: str, jac: bool, compiled_library: Path) -> None:
    ours, theirs = both(compiled_library, PROBLEMS[name](), jac, qr=qr)
    assert ours[4] in (1, 2, 3, 4)
    assert_same_fit(ours, theirs)


@pytest.mark.parametrize("jac", [False, True])
@pytest.mark.parametrize("name", OPTIONS)
def test_the_same_bits_with_options(name: str, jac: bool, compiled_library: Path) -> None:
    for qr in FACTORISATIONS:
        assert_same_fit(*both(compiled_library, Fractions(), jac, qr=qr, **OPTIONS[name]))


@pytest.mark.parametrize("jac", [False, True])
def test_x_alone(jac: bool, compiled_library: Path) -> None:
    for name, make in PROBLEMS.items():
        c = make().compiled(compiled_library, jac)
        x, ier = leastsq(c, make().x0)
        full = leastsq(make().compiled(compiled_library, jac), make().x0, full_output=True)
        assert_same_bits(x, full[0], name)
        assert ier == full[4]


def test_one_function_for_both_and_none_wanted(compiled_library: Path) -> None:
    problem = Fractions()
    own = leastsq(problem.compiled(compiled_library, True), problem.x0, full_output=True)
    first, second = (problem.compiled(compiled_library, True) for _ in range(2))
    without = problem.compiled(compiled_library, False)
    for func, dfun in ((first, first), (first, second), (without, second)):
        assert_same_fit(leastsq(func, problem.x0, Dfun=dfun, full_output=True), own)
    assert "njev" not in leastsq(without, problem.x0, full_output=True)[2]


# Improper input


@pytest.mark.parametrize("jac", [False, True])
@pytest.mark.parametrize("name", IMPROPER)
def test_improper_input(name: str, jac: bool, compiled_library: Path) -> None:
    ours, theirs = both(compiled_library, Fractions(), jac, **IMPROPER[name])
    assert ours[4] == 0
    assert_same_fit(ours, theirs)
    c = Fractions().compiled(compiled_library, jac)
    with pytest.raises(TypeError) as caught:
        leastsq(c, **{"x0": np.ones(3), **IMPROPER[name]})
    with pytest.raises(TypeError) as expected:
        leastsq(Fractions().func, **{"x0": np.ones(3), **IMPROPER[name]})
    assert str(caught.value) == str(expected.value)
    assert c.data[0] == 0.0  # no call


@pytest.mark.parametrize("jac", [False, True])
def test_no_variables(jac: bool, compiled_library: Path) -> None:
    c = Fractions().compiled(compiled_library, jac)
    for qr in FACTORISATIONS:
        ours = leastsq(c, [], full_output=True, qr=qr)
        assert ours[4] == 0
        dfun = (lambda x: np.ones((9, 0))) if jac else None
        theirs = leastsq(lambda x: np.ones(9), [], Dfun=dfun, full_output=True, qr=qr)
        assert_same_fit(ours, theirs)
        with pytest.raises(TypeError, match="x0 is empty"):
            leastsq(c, [])
    assert c.data[0] == 0.0


@pytest.mark.parametrize("full_output", [False, True])
def test_fewer_residuals_than_variables(full_output: bool, compiled_library: Path) -> None:
    c = Fractions().compiled(compiled_library, jac=True)
    for dfun in (None, c, lambda x: np.ones((9, 10))):
        with pytest.raises(TypeError, match="N=10 must not exceed func output vector length M=9"):
            leastsq(c, np.ones(10), Dfun=dfun, full_output=full_output)
    assert c.data[0] == 0.0


@pytest.mark.parametrize(
    "args", [(1.0,), [], 0, None, np.ones(1), np.ones(2), np.ones(0)], ids=repr
)
def test_args_are_for_python(args: Any, compiled_library: Path) -> None:
    problem = Fractions()
    c, other = (problem.compiled(compiled_library, jac) for jac in (False, True))
    for func, dfun in ((c, None), (other, None), (c, other), (c, c)):
        with pytest.raises(TypeError, match="a compiled function takes no args; give it data"):
            leastsq(func, problem.x0, args, dfun)
    given = args if isinstance(args, tuple) else (args,)
    seen: list[Any] = []

    def func(x: Any, *args: Any) -> Any:
        seen.append(args)
        return problem.func(x)

    def dfun(x: Any, *args: Any) -> Any:
        seen.append(args)
        return problem.dfun(x)

    leastsq(c, problem.x0, args, dfun)
    leastsq(func, problem.x0, args, other)
    assert all(one[0] is given[0] for one in seen)


def test_data_that_were_promised(compiled_library: Path) -> None:
    f = combined(compiled_library, "scripted")
    bare = compiled(f, 9, jac=True, k=22)
    whole = Fractions().compiled(compiled_library, jac=True, k=22)
    for func, dfun in ((bare, None), (whole, bare), (bare, whole), (Fractions().func, bare)):
        with pytest.raises(ValueError, match="reads k = 22 numbers of data, and has none"):
            leastsq(func, np.ones(3), Dfun=dfun)
    assert leastsq(whole, np.ones(3))[1] in (1, 2, 3, 4)


# Mixed


@pytest.mark.parametrize("qr", FACTORISATIONS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_one_in_python_and_one_in_c(name: str, qr: str, compiled_library: Path) -> None:
    problem = PROBLEMS[name]()
    expected = leastsq(problem.func, problem.x0, Dfun=problem.dfun, full_output=True, qr=qr)
    c = problem.compiled(compiled_library, jac=True)
    options = {"full_output": True, "qr": qr}
    assert_same_fit(leastsq(problem.func, problem.x0, Dfun=c, **options), expected)
    assert_same_fit(leastsq(c, problem.x0, Dfun=problem.dfun, **options), expected)
    across = leastsq(c, problem.x0, Dfun=lambda x: problem.dfun(x).T, col_deriv=1, **options)
    assert_same_fit(across, expected)


def test_jacobians_that_do_not_fit(compiled_library: Path) -> None:
    problem = Fractions()
    c = problem.compiled(compiled_library, jac=True)
    bent = Bent(20, 3).compiled(compiled_library, jac=True)
    for func in (c, problem.func):
        with pytest.raises(ValueError, match="Dfun is compiled for 20 residuals, and func gives 9"):
            leastsq(func, problem.x0, Dfun=bent)
        with pytest.raises(TypeError, match="Dfun is a compiled function without a Jacobian"):
            leastsq(func, problem.x0, Dfun=problem.compiled(compiled_library, jac=False))
    for bad in (np.ones((3, 9)), np.ones((9, 2)), "text"):
        with pytest.raises(TypeError):
            leastsq(c, problem.x0, Dfun=lambda x, bad=bad: bad)


def test_exceptions_of_the_part_in_python(compiled_library: Path) -> None:
    problem = Fractions()
    c = problem.compiled(compiled_library, jac=True)
    trouble = ZeroDivisionError("trouble")

    def raising(x: Any) -> Any:
        raise trouble

    for func, dfun in ((c, raising), (raising, c)):
        with pytest.raises(ZeroDivisionError) as caught:
            leastsq(func, problem.x0, Dfun=dfun)
        assert caught.value is trouble


# What a function returns


def recorded(jac: bool, qr: str) -> list[tuple[int, Any, Any]]:
    """Return iflag, x and the residuals of every call in a fit."""
    problem = Fractions()
    calls: list[tuple[int, Any, Any]] = []

    def record(p: Any, m: int, n: int, x: Any, fvec: Any, *rest: Any) -> int:
        iflag = rest[-1]
        at = np.array(x[:n])
        r = problem.func(at)
        calls.append((iflag, at, r))
        if jac and iflag == 2:
            np.ctypeslib.as_array(rest[0], (n, m))[:] = problem.dfun(at).T
        else:
            np.ctypeslib.as_array(fvec, (m,))[:] = r
        return 0

    options: dict[str, Any] = {"full_output": True, "qr": qr}
    types = {"types": COMBINED} if jac else {}
    found = leastsq(compiled(in_python(record, **types), problem.m), problem.x0, **options)
    dfun = problem.dfun if jac else None
    assert_same_fit(found, leastsq(problem.func, problem.x0, Dfun=dfun, **options))
    return calls


@pytest.mark.parametrize("qr", ["minpack", "blocked"])
@pytest.mark.parametrize("jac", [False, True])
def test_a_negative_return_at_any_call(jac: bool, qr: str, compiled_library: Path) -> None:
    calls = recorded(jac, qr)
    if not jac:
        assert [iflag for iflag, _, _ in calls[:6]] == [1, 2, 2, 2, 1, 2]
    for at in range(1, len(calls) + 1):
        status = -at if at != 3 else -(2**31)
        # What it writes then is not looked at.
        problem = Fractions(script=(0.0, at, status, np.nan if at % 2 else 1e-3))
        if at == 1:
            x, fvec = problem.x0, np.full(problem.m, np.nan)
        else:
            points = [(x, r) for iflag, x, r in calls[: at - 1] if iflag == 1]
            x, fvec = min(points, key=lambda point: float(point[1] @ point[1]))
        c = problem.compiled(compiled_library, jac)
        found = leastsq(c, problem.x0, full_output=True, qr=qr)
        assert found[4] == status
        assert found[1] is None
        assert found[3] == f"The compiled function stopped the fit: it returned {status}."
        assert_same_bits(found[0], x)
        assert_same_bits(found[2]["fvec"], fvec)
        assert c.data[0] == at  # it is not called again
        jacobians = sum(iflag == 2 for iflag, _, _ in calls[:at]) if jac else 0
        assert found[2]["nfev"] == at - jacobians
        assert found[2].get("njev", 0) == jacobians
        assert {"fvec", "nfev", "fjac", "ipvt", "qtf"} <= found[2].keys()
        c = problem.compiled(compiled_library, jac)
        with pytest.warns(RuntimeWarning, match=f"stopped the fit: it returned {status}"):
            alone, ier = leastsq(c, problem.x0, qr=qr)
        assert ier == status
        assert_same_bits(alone, x)


def test_a_negative_return_in_a_mixed_fit(compiled_library: Path) -> None:
    for at in (1, 2, 3):
        problem = Fractions()
        c = Fractions(script=(0.0, at, -9.0, np.nan)).compiled(compiled_library, jac=True)
        found = leastsq(c, problem.x0, Dfun=problem.dfun, full_output=True)
        assert (found[4], found[2]["nfev"], found[2]["njev"]) == (-9, at, at - 1)
        assert np.isnan(found[2]["fvec"]).all() == (at == 1)
        c = Fractions(script=(0.0, at, -9.0, np.nan)).compiled(compiled_library, jac=True)
        found = leastsq(problem.func, problem.x0, Dfun=c, full_output=True)
        assert (found[4], found[2]["njev"]) == (-9, at)
        assert_same_bits(found[2]["fvec"], problem.func(found[0]))


@pytest.mark.parametrize("jac", [False, True])
def test_a_positive_return_means_nothing(jac: bool, compiled_library: Path) -> None:
    plain = both(compiled_library, Fractions(), jac)[1]
    for at in range(1, 16):
        problem = Fractions(script=(0.0, at, 2.0**31 - 1.0, 0.0))
        c = problem.compiled(compiled_library, jac)
        assert_same_fit(leastsq(c, problem.x0, full_output=True), plain)


@pytest.mark.parametrize("spoil", [np.nan, np.inf, -np.inf, 1e300], ids=str)
@pytest.mark.parametrize("jac", [False, True])
def test_what_is_not_finite(jac: bool, spoil: float, compiled_library: Path) -> None:
    endings = set()
    for qr in ("minpack", "blocked"):
        for at in range(1, 16):
            problem = Fractions(script=(0.0, at, 0.0, spoil))
            ours, theirs = both(compiled_library, problem, jac, qr=qr)
            assert_same_fit(ours, theirs)
            endings.add(ours[4])
    assert endings & {1, 2, 3}
    assert 9 in endings or np.isfinite(spoil)


def test_a_start_that_is_not_finite(compiled_library: Path) -> None:
    for value in (np.nan, np.inf, 1e308):
        for jac in (False, True):
            assert_same_fit(*both(compiled_library, Fractions(), jac, x0=[value, 1.0, 1.0]))


# What comes after, and what comes before


@pytest.mark.parametrize("jac", [False, True])
def test_a_report(jac: bool, compiled_library: Path) -> None:
    ours, theirs = both(compiled_library, Fractions(), jac)
    assert str(report(ours)) == str(report(theirs))
    for at in (1, 2, 7):
        c = Fractions(script=(0.0, at, -4.0, np.nan)).compiled(compiled_library, jac)
        found = report(leastsq(c, np.ones(3), full_output=True))
        assert found.ier == -4
        assert "ier -4: The compiled function stopped the fit" in str(found)
        assert "ier -4" in repr(found)


def test_a_function_of_numba() -> None:
    numba = pytest.importorskip("numba", reason="numba is not there for this Python")
    t = numba.types
    doubles = t.CPointer(t.float64)

    @numba.cfunc(t.intc(doubles, t.intc, t.intc, doubles, doubles, t.intc))
    def fractions(p, m, n, x, fvec, iflag):  # type: ignore[no-untyped-def]  # numba has no annotations
        for i in range(m):
            fvec[i] = x[0] / (1.0 + x[1] * p[4 + i]) + x[2] - p[4 + m + i]
        return 0

    problem = Fractions()
    ours = leastsq(compiled(fractions, problem.m, data=problem.data), problem.x0, full_output=True)
    assert_same_fit(ours, leastsq(problem.func, problem.x0, full_output=True))


@pytest.mark.thread_unsafe(reason="replaces a hook of the process")
def test_callbacks_that_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda event: unraisable.append(event.exc_type))

    def raising(p: Any, m: int, n: int, x: Any, fvec: Any, iflag: int) -> int:
        fvec[0] = x[0] - 3.0
        raise KeyError

    # What ctypes returns then is anybody's guess.
    found = leastsq(compiled(in_python(raising), 1), 1.0, full_output=True)
    assert len(unraisable) >= found[2]["nfev"] >= 1
    assert set(unraisable) == {KeyError}
    assert_same_bits(fit(rosenbrock), PLAIN)


def test_callbacks_that_fit(compiled_library: Path) -> None:
    problem = Fractions()
    c = problem.compiled(compiled_library, jac=True)
    expected = leastsq(c, problem.x0, full_output=True)

    def nested(p: Any, m: int, n: int, x: Any, fvec: Any, iflag: int) -> int:
        inner = leastsq(c, problem.x0, full_output=True)
        assert_same_fit(inner, expected)
        python = leastsq(lambda z: z - x[0], [0.0])[0]
        fvec[0] = python[0] - 2.0
        return 0

    x, ier = leastsq(compiled(in_python(nested), 1), 1.0)
    assert (round(float(x[0]), 6), ier in (1, 2, 3, 4)) == (2.0, True)


def test_warnings_that_are_errors(compiled_library: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        c = Fractions(script=(0.0, 1.0, -1.0, 0.0)).compiled(compiled_library, jac=True)
        with pytest.raises(RuntimeWarning, match="it returned -1"):
            leastsq(c, np.ones(3))


# The other MINPACK


@pytest.mark.parametrize("jac", [False, True])
def test_the_same_bits_of_the_other_minpack(
    jac: bool, system_pyminpack: ModuleType, compiled_library: Path
) -> None:
    f = combined(compiled_library, "scripted")
    for script in ((0, 0, 0, 0), (0, 1, -2, 0), (0, 3, -2, 0), (0, 7, -2, 0), (0, 6, 0, np.nan)):
        ours, theirs = (
            module.leastsq(
                module.compiled(f, 9, jac=jac, data=Fractions(script=script).data),
                np.ones(3),
                full_output=True,
                qr="minpack",
            )
            for module in (__import__("pyminpack"), system_pyminpack)
        )
        assert_same_fit(ours, theirs)


def test_a_residual_of_the_first_signature(compiled_library: Path) -> None:
    c = compiled(residual(compiled_library, "refuse_far"), 1)
    assert_same_bits(leastsq(c, 5.0)[0], [0.0])
    with pytest.warns(RuntimeWarning, match="it returned -7"):
        assert leastsq(c, 11.0)[1] == -7


@pytest.mark.thread_unsafe(reason="signals reach the main thread only")
def test_a_signal_ends_the_fit_before_the_jacobian(compiled_library: Path) -> None:
    def handler(*_: Any) -> None:
        raise TimeoutError("trouble")

    data = np.array([0.0, float(signal.SIGINT)])
    func = compiled(residual(compiled_library, "alarming"), 1, data=data)
    creeping = np.zeros(2)
    dfun = compiled(combined(compiled_library, "creeping"), 1, jac=True, data=creeping)
    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(TimeoutError, match="trouble"):
            leastsq(func, 1.0, Dfun=dfun)
    finally:
        signal.signal(signal.SIGINT, before)
    assert data[0] == 1
