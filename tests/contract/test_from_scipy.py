"""docs/from_scipy.md tells the truth: each row of its tables, with SciPy and with pyminpack."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import itertools
import pickle
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pages import text_of

import pyminpack
from pyminpack import FitError, curve_fit, leastsq

optimize = pytest.importorskip("scipy.optimize", reason="SciPy is the other side")

PAGE = text_of("docs/from_scipy.md")

SCIPY = tuple(map(int, importlib.import_module("scipy").__version__.split(".")[:2]))
PORTED = SCIPY >= (1, 15)

T = np.linspace(0.0, 3.0, 12)
Y = 2.5 * np.exp(-1.3 * T) + 0.01 * np.cos(7.0 * T)
SOLUTION = [2.5, 1.3]

CHECKS: dict[str, Callable[[], None]] = {}


def decay(t: Any, height: Any, rate: Any) -> Any:
    return height * np.exp(-rate * t)


def slopes(t: Any, height: Any, rate: Any) -> Any:
    e = np.exp(-rate * t)
    return np.column_stack([e, -height * t * e])


def residuals(b: Any) -> Any:
    return decay(T, *b) - Y


def jacobian(b: Any) -> Any:
    return slopes(T, *b)


def solved(b: Any) -> bool:
    """Whether parameters of the decay are right."""
    return bool(np.allclose(b, SOLUTION, atol=0.05))


def row(words: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register the check of the row that begins with these words."""

    def register(check: Callable[[], None]) -> Callable[[], None]:
        assert words not in CHECKS
        CHECKS[words] = check
        return check

    return register


def rows_under(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, without its head."""
    (section,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [line.removeprefix("| ").removesuffix("|").split(" | ") for line in lines[2:]]


DIFFERENT = [
    row[0].strip()
    for name in ("leastsq", "curve_fit")
    for row in rows_under(f"What `{name}` does differently")
]


def test_every_row_has_a_check_and_every_check_a_row() -> None:
    assert len(DIFFERENT) == len(set(DIFFERENT)) > 25
    assert set(DIFFERENT) == CHECKS.keys()


@pytest.mark.parametrize("words", DIFFERENT)
def test_the_row_is_true(words: str) -> None:
    # SciPy warns of much on the way to the results that are compared.
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        CHECKS[words]()


@pytest.mark.parametrize("name", ["leastsq", "curve_fit"])
def test_the_signatures_are_the_same_but_for_what_the_page_says(name: str) -> None:
    theirs = list(inspect.signature(getattr(optimize, name)).parameters)
    ours = list(inspect.signature(getattr(pyminpack, name)).parameters)
    assert [parameter for parameter in ours if parameter != "qr"] == theirs
    assert ("qr" in ours) == (name == "leastsq")


def test_what_only_scipy_has_is_there_and_not_here() -> None:
    cells = " ".join(there for _, there, _ in rows_under("What only SciPy has"))
    calls = re.findall(r"`(\w+)(?:\((\w+)=.*?\))?`", cells)
    assert {"least_squares", "fsolve", "root", "minimize", "odr"} <= {name for name, _ in calls}
    for name, option in calls:
        if name == "odr":
            continue
        theirs = getattr(optimize, name)
        ours = getattr(pyminpack, name, None)
        if option == "bounds" and ours is not None:
            continue  # there it is an argument that must be infinite: a row of its own
        assert ours is None
        if option and (option != "callback" or SCIPY >= (1, 16)):
            assert option in inspect.signature(theirs).parameters


def test_what_only_pyminpack_has_is_here_and_not_there() -> None:
    named = {n for _, where in rows_under("What only pyminpack has") for n in code_in(where)}
    assert {"report", "FitError", "show_config"} <= named
    for name in named & set(pyminpack.__all__) - {"leastsq", "curve_fit"}:
        assert not hasattr(optimize, name)
    # Everything public is either on the page or in SciPy.
    for name in set(pyminpack.__all__) - {"__version__"}:
        assert name in PAGE or hasattr(optimize, name)


def code_in(cell: str) -> list[str]:
    """Return the names that code in a cell begins with."""
    return re.findall(r"`(\w+)", cell)


def both(**options: Any) -> list[tuple[Any, ...]]:
    """Fit the decay with SciPy's leastsq and with ours; return both answers."""
    fits = (optimize.leastsq, leastsq)
    return [fit(residuals, [1.0, 1.0], full_output=True, **options) for fit in fits]


def error_of(call: Callable[..., Any], *args: Any, **kwargs: Any) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # which one is for the row to say
        call(*args, **kwargs)
    return caught.value


# What leastsq does differently


@row("calls of `func` and `Dfun`")
def _() -> None:
    for fit, extra in ((optimize.leastsq, (2, 1)), (leastsq, (0, 0))):
        calls = [0, 0]

        def func(b: Any, calls: list[int] = calls) -> Any:
            calls[0] += 1
            return residuals(b)

        def dfun(b: Any, calls: list[int] = calls) -> Any:
            calls[1] += 1
            return jacobian(b)

        infodict = fit(func, [1.0, 1.0], Dfun=dfun, full_output=True)[2]
        assert calls == [infodict["nfev"] + extra[0], infodict["njev"] + extra[1]]


@row("the `x` that `func` gets")
def _() -> None:
    def spoils(b: Any) -> Any:
        values = residuals(b)
        b[:] = 0.0
        return values

    kept: list[Any] = []
    assert not solved(optimize.leastsq(spoils, [1.0, 1.0])[0])
    assert solved(leastsq(spoils, [1.0, 1.0])[0])
    optimize.leastsq(lambda b: kept.append(b) or residuals(b), [1.0, 1.0])
    assert len({tuple(b) for b in kept}) < 4
    kept.clear()
    leastsq(lambda b: kept.append(b) or residuals(b), [1.0, 1.0])
    assert len({tuple(b) for b in kept}) > 10


@row("dtype of that `x`")
def _() -> None:
    for fit, first in ((optimize.leastsq, np.int64), (leastsq, np.float64)):
        seen: list[Any] = []
        fit(lambda b, seen=seen: seen.append(b.dtype) or residuals(b), np.array([1, 1]))
        assert seen[0] == first
        assert set(seen[2:]) == {np.dtype(np.float64)}


@row("`func` returns the same array each time")
def _() -> None:
    values = np.empty(T.size)

    def same(b: Any) -> Any:
        values[:] = residuals(b)
        return values

    x, ier = optimize.leastsq(same, [1.0, 1.0])
    assert ier == 4
    assert (x == [1.0, 1.0]).all()
    assert solved(leastsq(same, [1.0, 1.0])[0])


@row("size of the result changes")
def _() -> None:
    # Nobody can say what SciPy does.
    sizes = iter([12, 12, 11])
    error = error_of(leastsq, lambda b: residuals(b)[: next(sizes)], [1.0, 1.0])
    assert isinstance(error, ValueError)
    assert "12" in str(error)
    assert "11" in str(error)


@row("two-dimensional residuals")
def _() -> None:
    for shape in ((1, 12), (12, 1)):
        theirs = error_of(optimize.leastsq, lambda b, s=shape: residuals(b).reshape(s), [1.0, 1.0])
        assert "dimension" not in str(theirs)
        ours = error_of(leastsq, lambda b, s=shape: residuals(b).reshape(s), [1.0, 1.0])
        assert isinstance(ours, ValueError)
        assert str(shape) in str(ours)


@row("complex residuals")
def _() -> None:
    def func(b: Any) -> Any:
        return residuals(b) + 0j

    assert type(error_of(optimize.leastsq, func, [1.0, 1.0])).__name__ == "error"
    assert isinstance(error_of(leastsq, func, [1.0, 1.0]), TypeError)


@row("None, text and the like as residuals")
def _() -> None:
    for value, named, theirs in ((None, "NoneType", "length"), (["a", "b"], "U1", "proper array")):
        assert theirs in str(error_of(optimize.leastsq, lambda b, v=value: v, [1.0, 1.0]))
        ours = error_of(leastsq, lambda b, v=value: v, [1.0, 1.0])
        assert isinstance(ours, TypeError)
        assert named in str(ours)


@row("residuals in an array of dtype object")
def _() -> None:
    def func(b: Any) -> Any:
        return residuals(b).astype(object)

    assert type(error_of(optimize.leastsq, func, [1.0, 1.0])).__name__ == "error"
    assert solved(leastsq(func, [1.0, 1.0])[0])


@row("NaN or infinity at x0 or in a Jacobian")
def _() -> None:
    def broken_at_x0(b: Any) -> Any:
        return residuals(b) * np.nan

    def broken_jacobian(b: Any) -> Any:
        return jacobian(b) * np.nan

    for func, dfun in ((broken_at_x0, None), (residuals, broken_jacobian)):
        assert optimize.leastsq(func, [1.0, 1.0], Dfun=dfun)[1] == 4
        _, cov_x, _, _, ier = leastsq(func, [1.0, 1.0], Dfun=dfun, full_output=True)
        assert cov_x is None
        assert ier == 9
        with pytest.warns(RuntimeWarning, match="not finite"):
            leastsq(func, [1.0, 1.0], Dfun=dfun)


@row("shape of `Dfun`'s result")
def _() -> None:
    for fit in (optimize.leastsq, leastsq):
        results = iter([jacobian, jacobian, *[lambda b: jacobian(b).T] * 50])

        def dfun(b: Any, results: Any = results) -> Any:
            return next(results)(b)

        if fit is leastsq:
            error = error_of(fit, residuals, [1.0, 1.0], Dfun=dfun)
            assert "Shape should be (12, 2) but it is (2, 12)" in str(error)
        else:
            fit(residuals, [1.0, 1.0], Dfun=dfun)


@row("`diag` of the wrong length")
def _() -> None:
    # SciPy takes too many, and reads on where there are too few.
    assert optimize.leastsq(residuals, [1.0, 1.0], diag=[1.0, 1.0, 1.0])[1] in (1, 2, 3)
    for diag in ([1.0], [1.0, 1.0, 1.0]):
        assert isinstance(error_of(leastsq, residuals, [1.0, 1.0], diag=diag), ValueError)


@row("NaN in an option")
def _() -> None:
    for option in ("ftol", "xtol", "gtol", "factor", "epsfcn"):
        error = error_of(leastsq, residuals, [1.0, 1.0], **{option: np.nan})
        assert isinstance(error, ValueError)
        assert option in str(error)
    assert optimize.leastsq(residuals, [1.0, 1.0], ftol=np.nan)[1] in (1, 2, 3)


@row("improper options")
def _() -> None:
    theirs = error_of(optimize.leastsq, residuals, [1.0, 1.0], ftol=-1.0)
    ours = error_of(leastsq, residuals, [1.0, 1.0], ftol=-1.0)
    assert type(theirs) is type(ours) is TypeError
    assert str(theirs) == "Improper input parameters."
    assert str(ours).startswith(f"{theirs} ftol must not be negative")


@row("messages")
def _() -> None:
    theirs, ours = both()
    assert theirs[4] == ours[4] == 1
    assert "0.000000" in theirs[3]
    assert "1.49012e-08" in ours[3]


@row("M * N**2 from 200000 on")
def _() -> None:
    t = np.linspace(0.0, 3.0, 60_000)
    y = decay(t, 2.0, 1.0) + np.sin(50.0 * t)

    def func(b: Any) -> Any:
        return decay(t, *b) - y

    theirs = optimize.leastsq(func, [1.0, 1.0], full_output=True)
    ours = leastsq(func, [1.0, 1.0], full_output=True)
    bits = leastsq(func, [1.0, 1.0], full_output=True, qr="minpack")
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-9)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-9)
    assert (ours[2]["fjac"] != bits[2]["fjac"]).any()
    if not PORTED:
        assert (bits[2]["fjac"] == theirs[2]["fjac"]).all()


@row("`ipvt`")
def _() -> None:
    theirs, ours = both()
    assert sorted(ours[2]["ipvt"]) == [1, 2]
    assert sorted(theirs[2]["ipvt"]) == ([0, 1] if PORTED else [1, 2])


@row("machine epsilon of the differences")
def _() -> None:
    for fit, epsilon in (
        (optimize.leastsq, 2.0**-52 if PORTED else 2.22044604926e-16),
        (leastsq, 2.22044604926e-16),
    ):
        seen: list[float] = []
        fit(lambda b, seen=seen: seen.append(float(b[0])) or (b - 1.0), [0.0])
        assert next(filter(None, seen)) == np.sqrt(epsilon)


# What curve_fit does differently


@row("not converged")
def _() -> None:
    theirs = error_of(optimize.curve_fit, decay, T, Y, maxfev=3)
    assert type(theirs) is RuntimeError
    assert not vars(theirs)
    ours = error_of(curve_fit, decay, T, Y, maxfev=3)
    assert isinstance(ours, RuntimeError)
    assert isinstance(ours, FitError)
    again = pickle.loads(pickle.dumps(ours))
    assert again.ier == 5
    assert again.popt.shape == (2,)
    assert again.pcov.shape == (2, 2)
    assert {"fvec", "nfev"} <= again.infodict.keys()
    assert again.mesg in str(ours)


@row("a trial point that MINPACK asks for twice in a row")
def _() -> None:
    repeats = {}
    for fit in (optimize.curve_fit, curve_fit):
        seen: list[tuple[float, float]] = []

        def f(t: Any, height: Any, rate: Any, seen: Any = seen) -> Any:
            seen.append((float(height), float(rate)))
            return decay(t, height, rate)

        with contextlib.suppress(RuntimeError):
            fit(f, T, Y, [2.0, 1.0], jac=slopes, ftol=0.0, xtol=0.0)
        repeats[fit] = sum(one == other for one, other in itertools.pairwise(seen))
        if fit is curve_fit:
            error = error_of(fit, f, T, Y, [2.0, 1.0], jac=slopes, ftol=0.0, xtol=0.0)
            assert error.infodict["nfev"] == len(seen) / 2
    assert repeats[optimize.curve_fit] > 0
    assert repeats[curve_fit] == 0


@row('finite bounds, methods "trf" and "dogbox"')
def _() -> None:
    for options in ({"bounds": (0, 9)}, {"method": "trf"}, {"method": "dogbox"}):
        assert solved(optimize.curve_fit(decay, T, Y, **options)[0])
        error = error_of(curve_fit, decay, T, Y, **options)
        assert isinstance(error, ValueError)
        assert "scipy.optimize.curve_fit" in str(error)


@row("scalar `sigma` with `jac`; `sigma` with `col_deriv`")
def _() -> None:
    def columns(*args: Any) -> Any:
        return slopes(*args).T

    for options in (
        {"sigma": 0.1, "jac": slopes},
        {"sigma": np.full(12, 0.1), "jac": columns, "col_deriv": True},
    ):
        assert isinstance(error_of(optimize.curve_fit, decay, T, Y, **options), ValueError)
        assert solved(curve_fit(decay, T, Y, **options)[0])


def gives_up(*args: Any, **kwargs: Any) -> bool:
    """Whether SciPy's curve_fit returns p0 and an infinite covariance."""
    popt, pcov = optimize.curve_fit(*args, **kwargs)
    return bool((popt == 1.0).all() and np.isinf(pcov).all())


@row("zero or NaN in `sigma`")
def _() -> None:
    for value in (0.0, np.nan):
        sigma = np.where(np.arange(12) == 3, value, 0.1)
        assert gives_up(decay, T, Y, sigma=sigma)
        assert isinstance(error_of(curve_fit, decay, T, Y, sigma=sigma), ValueError)


@row("a matrix `sigma` that is not symmetric")
def _() -> None:
    lower = np.eye(12)
    lopsided = lower + np.diag(np.full(11, 0.4), 1)
    theirs = [optimize.curve_fit(decay, T, Y, sigma=sigma)[0] for sigma in (lower, lopsided)]
    assert (theirs[0] == theirs[1]).all()
    assert isinstance(error_of(curve_fit, decay, T, Y, sigma=lopsided), ValueError)


def with_one(value: float) -> Any:
    return np.where(np.arange(12) == 2, value, Y)


@row("NaN or infinity that nobody checked")
def _() -> None:
    for value in (np.nan, np.inf):
        assert gives_up(decay, T, with_one(value), check_finite=False)
        error = error_of(curve_fit, decay, T, with_one(value), check_finite=False)
        assert isinstance(error, FitError)
        assert error.ier == 9


@row("`nan_policy` and infinity")
def _() -> None:
    for policy in ("omit", "raise"):
        assert gives_up(decay, T, with_one(np.inf), nan_policy=policy)
        error = error_of(curve_fit, decay, T, with_one(np.inf), nan_policy=policy)
        assert isinstance(error, ValueError)
        far = np.append(T, np.inf)
        popt = curve_fit(decay, far, np.append(Y, 0.0), nan_policy=policy)[0]
        assert solved(popt)


@row('`nan_policy="omit"`')
def _() -> None:
    missing = with_one(np.nan)
    columns = np.column_stack([T, T])

    def first(x: Any, height: Any, rate: Any) -> Any:
        return decay(np.asarray(x)[:, 0], height, rate)

    assert isinstance(
        error_of(optimize.curve_fit, first, columns, missing, nan_policy="omit"), ValueError
    )
    for xdata in (columns, columns.tolist()):
        assert solved(curve_fit(first, xdata, missing, nan_policy="omit")[0])
    rows = curve_fit(lambda x, a, b: decay(x[0], a, b), columns.T, missing, nan_policy="omit")
    assert solved(rows[0])


@row("`xdata` of text, ragged or complex")
def _() -> None:
    text, ragged = ["a"] * 12, [[1.0], *[[1.0, 2.0]] * 11]

    def whatever(x: Any, height: Any, rate: Any) -> Any:
        return decay(T, height, rate)

    for xdata in (text, ragged):
        assert isinstance(error_of(optimize.curve_fit, whatever, xdata, Y), ValueError)
        assert solved(curve_fit(whatever, xdata, Y)[0])

    def modulus(x: Any, height: Any, rate: Any) -> Any:
        return decay(np.abs(x), height, rate)

    assert not solved(optimize.curve_fit(modulus, 1j * T, Y)[0])
    assert solved(curve_fit(modulus, 1j * T, Y)[0])


@row("`f` returns float32")
def _() -> None:
    def single(t: Any, height: Any, rate: Any) -> Any:
        return decay(t, height, rate).astype(np.float32)

    assert not solved(optimize.curve_fit(single, T, Y)[0])
    assert solved(curve_fit(single, T, Y)[0])


@row("two-dimensional `ydata`")
def _() -> None:
    assert "broadcast" in str(error_of(optimize.curve_fit, decay, T, Y.reshape(3, 4)))
    ours = error_of(curve_fit, decay, T, Y.reshape(3, 4))
    assert isinstance(ours, ValueError)
    assert "(3, 4)" in str(ours)
