"""What `leastsq` promises, by blocks: failures, what is not finite, counts, the choice of `qr`."""

from __future__ import annotations

import itertools
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from alone import run_alone
from bits import Counted, assert_same_bits, packed
from blocked_problems import blocked, curve
from leak_scenarios import Function, returning
from misbehaviour import EXCEPTIONS, MANNERS, WRONG_TYPES, assert_kept
from rosenbrock import START, rosenbrock, rosenbrock_jacobian

from pyminpack import leastsq

pytestmark = pytest.mark.shim

FOUND = (1, 2, 3, 4)
# Without chunks, few columns and many; with chunks.
SIZES = [(3, 2), (700, 7), (60, 60), (600, 64)]


def fit(func: Any, x0: Any, **options: Any) -> tuple[Any, ...]:
    return leastsq(func, x0, full_output=True, qr="blocked", **options)


# The choice


@pytest.mark.parametrize("qr", ["lapack", "", "AUTO", "Blocked", b"auto", None, 0, 1, True, [], {}])
def test_qr_of_another_value(qr: Any) -> None:
    counted = Counted(rosenbrock)
    with pytest.raises(ValueError, match="qr must be 'auto', 'minpack' or 'blocked', not ") as e:
        leastsq(counted, START, qr=qr)
    assert repr(qr) in str(e.value)
    assert counted.calls == 0


def test_qr_is_keyword_only() -> None:
    with pytest.raises(TypeError, match="positional"):
        leastsq(rosenbrock, START, (), None, 0, 0, 1e-8, 1e-8, 0.0, 0, None, 100, None, "auto")  # type: ignore[call-arg]


def test_qr_may_be_a_str_of_another_class() -> None:
    class Text(str):
        pass

    assert_same_bits(
        leastsq(rosenbrock, START, qr=Text("blocked"))[0], blocked(rosenbrock, START)["x"]
    )


def test_another_minpack_takes_blocks_only_where_they_are_asked_for(
    system_pyminpack: ModuleType,
) -> None:
    problem = curve(2100, 10)  # where "auto" takes blocks on ours
    theirs = system_pyminpack.leastsq(
        problem.func, problem.start, Dfun=problem.dfun, full_output=True, qr="blocked"
    )
    assert_same_bits(packed(theirs), blocked(problem.func, problem.start, Dfun=problem.dfun))
    for qr in ("auto", "minpack"):
        theirs = system_pyminpack.leastsq(
            problem.func, problem.start, Dfun=problem.dfun, full_output=True, qr=qr
        )
        ours = blocked(problem.func, problem.start, Dfun=problem.dfun, qr="minpack")
        assert_same_bits(packed(theirs), ours)


# Exceptions


@pytest.mark.parametrize(("m", "n"), SIZES)
@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("place", ["func", "Dfun", "difference"])
def test_an_exception_at_any_call(m: int, n: int, at: int, place: str) -> None:
    problem = curve(m, n)
    trouble = KeyError("trouble")
    func, dfun = Counted(problem.func), Counted(problem.dfun)
    failing = dfun if place == "Dfun" else func

    def fail(x: Any, usual: Any = failing.function) -> Any:
        if failing.calls == at:
            raise trouble
        return usual(x)

    failing.function = fail
    start = problem.start.copy()
    with pytest.raises(KeyError) as caught:
        fit(func, start, **({} if place == "difference" else {"Dfun": dfun}))
    assert caught.value is trouble
    assert failing.calls == at
    assert_same_bits(start, problem.start)
    assert fit(problem.func, start, Dfun=problem.dfun)[4] in FOUND


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_exceptions_of_every_kind(kind: Any) -> None:
    trouble = kind("trouble")

    def dfun(x: Any) -> Any:
        raise trouble

    with pytest.raises(type(trouble)) as caught:
        fit(rosenbrock, START, Dfun=dfun)
    assert caught.value is trouble


# What func and Dfun return


@pytest.mark.parametrize("fault", WRONG_TYPES, ids=lambda fault: fault.name)
def test_jacobians_that_are_not_numbers(fault: Any) -> None:
    with pytest.raises(fault.error):
        fit(rosenbrock, START, Dfun=lambda x: fault.make(rosenbrock_jacobian(x), KeyError()))


@pytest.mark.parametrize(("m", "n"), SIZES)
@pytest.mark.parametrize("call", [1, 2])
def test_jacobians_of_the_wrong_shape(m: int, n: int, call: int) -> None:
    problem = curve(m, n)
    shapes = {(n, m), (m, n + 1), (m - 1, n), (m * n,), (m,), (), (m, n, 1), (0, n)} - {(m, n)}
    for shape, col_deriv in itertools.product(shapes, (False, True)):
        if col_deriv and shape == (n, m):
            continue
        usual = (lambda x: problem.dfun(x).T) if col_deriv else problem.dfun
        dfun = Function(usual, returning(np.ones(shape)), call)
        expected = (n, m) if col_deriv else (m, n)
        with pytest.raises(TypeError) as caught:
            fit(problem.func, problem.start, Dfun=dfun, col_deriv=col_deriv)
        assert f"Shape should be {expected} but it is {shape}." in str(caught.value)
        assert dfun.calls == call


@pytest.mark.parametrize(("m", "n"), SIZES)
@pytest.mark.parametrize("at", [2, 4])
def test_residuals_of_another_size(m: int, n: int, at: int) -> None:
    problem = curve(m, n)
    for size in (0, m - 1, m + 1):
        func = Function(problem.func, returning(np.ones(size)), at)
        with pytest.raises(ValueError, match="changed size between calls"):
            fit(func, problem.start)
        assert func.calls == at


def test_more_variables_than_residuals() -> None:
    for n in (3, 100):
        with pytest.raises(TypeError, match=f"N={n} must not exceed .* M={n - 1}$"):
            fit(lambda x: x[1:], np.ones(n))


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("dfun", [False, True])
def test_whatever_is_done_to_x(manner: str, dfun: bool) -> None:
    memory: dict[str, list[Any]] = {"func": [], "Dfun": []}

    def func(x: Any) -> Any:
        return MANNERS[manner](x, rosenbrock(x), memory["func"])

    def slope(x: Any) -> Any:
        return MANNERS[manner](x, rosenbrock_jacobian(x), memory["Dfun"])

    plain: dict[str, Any] = {"Dfun": rosenbrock_jacobian} if dfun else {}
    abused: dict[str, Any] = {"Dfun": slope} if dfun else {}
    assert_same_bits(blocked(func, START, **abused), blocked(rosenbrock, START, **plain))
    for kept in memory.values():
        assert_kept(kept)


# Options


@pytest.mark.parametrize(
    "option",
    [{"ftol": -1.0}, {"xtol": -1.0}, {"gtol": -1.0}, {"factor": 0.0}, {"diag": np.array([1.0, 0])}],
    ids=str,
)
@pytest.mark.parametrize("dfun", [None, rosenbrock_jacobian])
def test_improper_input(option: dict[str, Any], dfun: Any) -> None:
    counted = Counted(rosenbrock)
    x, cov_x, info, mesg, ier = fit(counted, START, Dfun=dfun, **option)
    assert (x.tolist(), cov_x, info["nfev"], ier) == (START, None, 0, 0)
    assert "Improper input parameters." in mesg
    assert next(iter(option)) in mesg
    assert counted.calls == 1
    assert not any(np.any(info[key]) for key in ("fvec", "fjac", "ipvt", "qtf"))
    with pytest.raises(TypeError, match="Improper input parameters"):
        leastsq(rosenbrock, START, Dfun=dfun, qr="blocked", **option)


@pytest.mark.parametrize("dfun", [False, True])
@pytest.mark.parametrize("maxfev", [1, 2, 5, 30])
def test_maxfev_and_counts(dfun: bool, maxfev: int) -> None:
    for m, n in SIZES:
        problem = curve(m, n)
        func, slope = Counted(problem.func), Counted(problem.dfun)
        options: dict[str, Any] = {"Dfun": slope} if dfun else {}
        start = np.array(problem.start)
        _, _, info, _, ier = fit(func, start, maxfev=maxfev, ftol=0.0, xtol=0.0, **options)
        assert func.calls == info["nfev"]
        assert slope.calls == info.get("njev", 0)
        # Where no more can be reached at that very point, MINPACK says so in place of 5.
        assert ier in {5, 6, 7, 8} or info["nfev"] <= maxfev
        # One more Jacobian by differences, and its trial.
        assert info["nfev"] <= maxfev + (0 if dfun else n + 1) or maxfev == 1
        assert_same_bits(start, problem.start)


# Not finite

BAD = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("dfun", [False, True])
def test_residuals_not_finite_at_x0(bad: float, dfun: bool) -> None:
    for m, n in SIZES:
        problem = curve(m, n)
        for at in (0, m // 2, m - 1):

            def func(x: Any, at: int = at, usual: Any = problem.func) -> Any:
                f = usual(x)
                f[at] = bad
                return f

            counted = Counted(func)
            options: dict[str, Any] = {"Dfun": problem.dfun} if dfun else {}
            x, cov_x, info, mesg, ier = fit(counted, problem.start, **options)
            assert (cov_x, ier, info["nfev"]) == (None, 9, 1)
            assert "not finite" in mesg
            assert_same_bits(x, problem.start)
            np.testing.assert_array_equal(info["fvec"], func(x))
            assert not np.any(info["fjac"])


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize(("m", "n"), [*SIZES, (5000, 20)])
def test_a_jacobian_that_is_not_finite(m: int, n: int, call: int, bad: float) -> None:
    problem = curve(m, n)
    for row, column in itertools.product((0, m // 2, m - 1), (0, n // 2, n - 1)):

        def spoilt(x: Any, at: tuple[int, int] = (row, column)) -> Any:
            jacobian = problem.dfun(x)
            jacobian[at] = bad
            return jacobian

        func, dfun = Counted(problem.func), Function(problem.dfun, spoilt, call)
        with np.errstate(all="ignore"):
            x, cov_x, info, mesg, ier = fit(func, problem.start, Dfun=dfun)
        assert (cov_x, ier, info["njev"], info["nfev"]) == (None, 9, call, func.calls)
        assert "not finite" in mesg
        assert np.array_equal(x, problem.start) == (call == 1)
        np.testing.assert_array_equal(info["fvec"], problem.func(x))


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(("m", "n"), SIZES[:3])
def test_a_difference_that_is_not_finite(m: int, n: int, bad: float) -> None:
    problem = curve(m, n)
    for row, column in itertools.product((0, m - 1), (0, n - 1)):

        def spoilt(x: Any, row: int = row) -> Any:
            f = problem.func(x)
            f[row] = bad
            return f

        counted = Function(problem.func, spoilt, 2 + column)
        x, cov_x, info, _, ier = fit(counted, problem.start)
        assert (cov_x, ier) == (None, 9)
        assert counted.calls == info["nfev"] == 1 + n
        assert_same_bits(x, problem.start)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("dfun", [False, True])
def test_a_trial_point_that_is_not_finite_is_rejected(bad: float, dfun: bool) -> None:
    for m in (2, 700, 200_000):

        def func(x: Any, m: int = m) -> Any:
            return np.full(m, np.log(x[0]) if x[0] > 0 else bad) + np.linspace(-0.1, 0.1, m)

        counted = Counted(func)
        options = {"Dfun": lambda x, m=m: np.full((m, 1), 1 / x[0])} if dfun else {}
        with np.errstate(all="ignore"):
            x, _, info, _, ier = fit(counted, [9.0], **options)
        assert ier in FOUND
        assert x[0] == pytest.approx(1.0, rel=1e-6)
        assert info["nfev"] == counted.calls


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("dfun", [False, True])
def test_residuals_not_finite_are_never_taken_for_success(bad: float, dfun: bool) -> None:
    answers = [1.0, bad] if dfun else [1.0, 1.0 + 1e-11, bad]
    following = itertools.chain(answers, itertools.repeat(bad))
    options: dict[str, Any] = {"Dfun": lambda x: [[1e-3]]} if dfun else {}
    x, cov_x, info, _, ier = fit(lambda x: [next(following)], [1.0], diag=[1e-200], **options)
    assert (x.tolist(), cov_x, ier) == ([1.0], None, 9)
    assert info["fvec"].tolist() == [1.0]


# Sizes


def too_large() -> None:
    """Where there are 1.5 GB, ask for more in every way."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (1536 * 2**20, 1536 * 2**20))
    big = np.broadcast_to(np.float64(1.0), (2**31 - 1,))
    for m, n, dfun in (
        (2**31 - 1, 1, True),
        (2**31 - 1, 1, False),
        (2**20, 2**8, False),
        (2**31 - 1, 2**16, False),
        (2**17, 2**16, True),
        (2**22, 2**18, True),
    ):
        for full_output in (False, True):
            counted = Counted(lambda x, m=m: big[:m])
            options: dict[str, Any] = {"Dfun": lambda x: 1 / 0} if dfun else {}
            with pytest.raises((MemoryError, ValueError)):
                leastsq(counted, np.ones(n), full_output=full_output, qr="blocked", **options)
            assert counted.calls == 1
    assert leastsq(rosenbrock, START, qr="blocked")[1] in FOUND


@pytest.mark.memory  # a checker takes terabytes of addresses
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
def test_what_cannot_fit_is_refused_before_it_is_allocated() -> None:
    run_alone(too_large)


def test_a_jacobian_that_runs_backwards_in_memory() -> None:
    a = np.random.default_rng(5).normal(size=(40, 3))
    backwards = a[::-1, ::-1].copy()[::-1, ::-1]
    assert max(backwards.strides) < 0
    one, two = (
        blocked(lambda x: a @ x - 1.0, np.ones(3), Dfun=lambda x, j=j: j) for j in (a, backwards)
    )
    assert_same_bits(one, two)


def test_r_of_a_fit_by_blocks_that_ends_by_ftol() -> None:
    matrix = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])
    _, _, info, _, ier = leastsq(
        lambda x: matrix @ x - [1.0, 2.0, 4.0],
        [1.0, 1.0],
        Dfun=lambda x: matrix,
        ftol=1e-3,
        xtol=0.0,
        qr="blocked",
        full_output=True,
    )
    assert ier == 1
    r = np.triu(info["fjac"].T[:2])
    ordered = matrix[:, info["ipvt"] - 1]
    np.testing.assert_allclose(r.T @ r, ordered.T @ ordered, rtol=1e-12)
