"""What a fit can end with, as a table: success in every form, and every kind of failure.

leak_rounds.py runs the rows over and over and looks at what stays behind; allocation_rounds.py and
fits_digest.py run rows in a bad state of memory.
"""

from __future__ import annotations

import ctypes
import sys
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from native_forms import COMBINED
from wrappers import ArrayLike, Sequence, Subclass, raising_in

from pyminpack import FitError, _core, compiled, curve_fit, leastsq, leastsq_many

MATRIX = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
FOUND = (1, 2, 3, 4)


class Object:
    """What can be watched and weakly referenced, and behaves like nothing in particular."""


class Function:
    """A residual function or Jacobian that does something else at one of the calls of a fit."""

    def __init__(self, usual: Any, unusual: Any = None, at: int = 0) -> None:
        self.usual = usual
        self.unusual = unusual
        self.at = at
        self.calls = 0

    def __call__(self, x: Any, *args: Any) -> Any:
        self.calls += 1
        return self.unusual(x) if self.calls == self.at else self.usual(x)


@dataclass(frozen=True)
class Scenario:
    """One way to fit; `watched` are the objects whose reference counts must stay."""

    name: str
    expected: Any
    once: Callable[[], Any]
    watched: tuple[Any, ...]

    def allows(self, ending: Any) -> bool:
        """Whether a fit may end with this ier or type of exception."""
        expected = self.expected if isinstance(self.expected, tuple) else (self.expected,)
        return ending in expected


def fitting(name: str, expected: Any, func: Any, *watched: Any, **options: Any) -> Scenario:
    """Return the scenario of a call of leastsq; everything handed to it is watched."""
    given = {"x0": [1.0, 1.0], "args": (Object(), Object()), **options}
    functions = [f for f in (func, given.get("Dfun")) if isinstance(f, Function)]

    def once() -> Any:
        for function in functions:
            function.calls = 0
        return leastsq(func, **given)

    parts = [part for f in functions for part in (f.usual, f.unusual)]
    args = given["args"] if isinstance(given["args"], tuple) else ()
    watched = (func, *parts, *given.values(), *args, *watched)
    return Scenario(name, expected, once, tuple(w for w in watched if is_watchable(w)))


def is_watchable(value: Any) -> bool:
    """Whether nobody but the scenario holds references to the object."""
    return value is not None and not isinstance(value, (bool, int, str, type))


def linear(x: Any) -> list[Any]:
    return [x[0] - 3.0, x[1] - 2.0, x[0] + x[1]]


def linear_array(x: Any) -> Any:
    return np.array(linear(x))


def line(x: Any) -> Any:
    return x[0] - 2.0


def jacobian(x: Any) -> Any:
    return MATRIX.copy()


def returning(value: Any) -> Any:
    return lambda x, *args: value


class Number:
    """A number that is none of Python's or NumPy's."""

    def __float__(self) -> float:
        return 1.5


FORMS: list[Callable[[Any], Any]] = [
    list,
    tuple,
    np.asarray,
    lambda r: np.array(r, object),
    lambda r: np.array(r, np.float32),
    lambda r: np.array(r, ">f8"),
    lambda r: np.repeat(r, 2)[::2],
    lambda r: np.array(r).view(Subclass),
    lambda r: [np.array(v) for v in r],
    lambda r: [Fraction(float(v)) for v in r],
    lambda r: memoryview(np.array(r)),
    Sequence,
    ArrayLike,
]


def results() -> Iterator[Scenario]:
    """Success, for all that func and Dfun may return."""
    for i, form in enumerate(FORMS):
        func = Function(lambda x, form=form: form(linear(x)))
        protocol = vars(ArrayLike)["__array__"]
        yield fitting(f"residuals of form {i}", FOUND, func, protocol, epsfcn=1e-12)
    for form in (float, np.float32, np.array, lambda v: [v], lambda v: Fraction(float(v))):
        yield fitting("one residual", FOUND, Function(lambda x, form=form: form(line(x))), x0=5.0)
    func = Function(linear)
    forms = (jacobian, lambda x: MATRIX.tolist(), lambda x: np.asfortranarray(MATRIX))
    for form in forms:
        yield fitting("Jacobian", FOUND, func, Dfun=Function(form), full_output=True)
    across = Function(lambda x: MATRIX.T)
    yield fitting("col_deriv", FOUND, func, Dfun=across, col_deriv=True, full_output=True)
    yield fitting("a vector", FOUND, Function(line), Dfun=Function(lambda x: [1.0]), x0=[5.0])
    yield fitting("full_output", FOUND, func, full_output=True, diag=np.array([1.0, 2.0]))
    for full in (False, True):
        yield fitting("an array", FOUND, func, x0=np.ones(2), full_output=full)
    nowhere = Function(lambda x, *args: x * np.nan)
    yield fitting("many variables", 9, nowhere, x0=np.ones(200), full_output=True)
    yield fitting("diag and args", FOUND, func, args=[Object()], diag=[1.0, 2.0])
    numbers = [Number(), Number(), Number()]
    for form in (list, tuple, Sequence, lambda r: np.array(r, object)):
        yield fitting("objects", FOUND, Function(lambda x, form=form: form(numbers)), *numbers)


def endings() -> Iterator[Scenario]:
    """Every ier, with its message or warning."""
    func, dfun, flat = Function(linear), Function(jacobian), Function(lambda x: [1.0, 1.0, x[0]])
    for full_output in (False, True):
        both = partial(fitting, full_output=full_output, gtol=1e-3)
        yield both("small gradient", FOUND, func)
        improper = 0 if full_output else TypeError
        yield both("ftol < 0", improper, func, ftol=-1.0)
        yield both("diag < 0", improper, func, diag=np.array([1.0, -1.0]))
        yield both("no variables", improper, Function(returning([1.0])), x0=[])
        for options in ({}, {"Dfun": dfun}):
            yield both("maxfev", 5, Function(curve), maxfev=2, **options)
            yield both("NaN at x0", 9, Function(lambda x: [1.0, np.nan, 1.0]), **options)
        yield both("NaN in Dfun", 9, func, Dfun=Function(lambda x: MATRIX * np.nan))
        yield both("NaN in a difference", 9, Function(linear, lambda x: [np.nan] * 3, at=2))
        yield both("NaN at a trial", FOUND, Function(linear, lambda x: [np.nan] * 3, at=4))
    for ier, (function, start) in TOO_PRECISE.items():
        yield fitting(f"ier {ier}", ier, Function(function), x0=start, ftol=0.0, xtol=0.0)
    yield fitting("no cov_x", FOUND, flat, full_output=True)
    tiny = Function(lambda x: [1e-200 * x[0], 1e-200 * x[1], 1.0])
    yield fitting("cov_x overflows", FOUND, tiny, full_output=True)
    warned = fitting("a warning that is an error", RuntimeWarning, Function(curve), maxfev=2)

    def once() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warned.once()

    yield Scenario(warned.name, warned.expected, once, warned.watched)


def curve(x: Any) -> list[Any]:
    return [10.0 * (x[1] - x[0] ** 2), 0.25 - x[0], 0.5 + 0.1 * x[1]]


# With ftol, xtol and gtol zero.
TOO_PRECISE: dict[int, tuple[Any, list[float]]] = {
    6: (curve, [1.0, 1.0]),
    7: (lambda x: [1.0 + abs(x[0] - 1.0) ** 0.5], [2.0]),
    8: (lambda x: [1e-20 * x[0], 1.0], [1.0]),
}


def arguments() -> Iterator[Scenario]:
    """Arguments that are refused before anything is evaluated."""
    func, dfun = Function(linear), Function(jacobian)
    for bad in (Object(), None, 1.5):
        yield fitting("func not callable", TypeError, bad)
    for bad in (Object(), 1.5):
        yield fitting("Dfun not callable", TypeError, func, Dfun=bad)
    for bad in ("12", [1j, 2.0], [Object()], None, [], np.array([1.0, None])):
        yield fitting("x0", TypeError, func, x0=bad)
    yield fitting("ragged x0", ValueError, func, x0=[[1.0], [2.0, 3.0]])
    for name in ("ftol", "xtol", "gtol", "factor", "epsfcn"):
        yield fitting(f"{name} is NaN", ValueError, func, Dfun=dfun, **{name: float("nan")})
        yield fitting(f"{name} is no number", TypeError, func, **{name: Object()})
        yield fitting(f"{name} is text", TypeError, func, **{name: "1e-3"})
    for bad in ([1.0], [1.0, 2.0, 3.0], [[1.0, 2.0]], [1.0, float("nan")], np.ones(3)):
        yield fitting("diag", ValueError, func, diag=bad)
    for bad in ([1.0, 1j], ["1", "2"], [1.0, None]):
        yield fitting("diag", TypeError, func, diag=bad)
    for bad in (1.5, None, "7"):
        yield fitting("maxfev", TypeError, func, maxfev=bad)
    yield fitting("unknown option", TypeError, func, bounds=Object())
    trouble = ZeroDivisionError("trouble")
    for option, method in RAISING_OPTIONS.items():
        bad = raising_in(trouble, method)
        yield fitting(f"{method} raises", ZeroDivisionError, func, trouble, **{option: bad})


RAISING_OPTIONS = {
    "x0": "__array__",
    "diag": "__array__",
    "ftol": "__float__",
    "epsfcn": "__float__",
    "maxfev": "__index__",
    "full_output": "__bool__",
    "col_deriv": "__bool__",
}

NOT_NUMBERS: list[Any] = [
    np.array([1j, 2.0, 3.0]),
    [1j, 2.0, 3.0],
    1j,
    ["1", "2", "3"],
    "123",
    None,
    np.array([1.0, None, 2.0]),
    [None, 1.0, 2.0],
    {1.0, 2.0, 3.0},
    Object(),
    np.zeros(3, [("a", float)]),
    np.zeros(3, "M8[s]"),
]


def residuals() -> Iterator[Scenario]:
    """Residuals that are refused, at the first call and at a later one."""
    for at in (1, 4):
        for bad in NOT_NUMBERS:
            func = Function(linear, returning(bad), at)
            yield fitting(f"residuals that are no numbers, call {at}", TypeError, func, bad)
        wrong = {
            "2-D": np.ones((3, 1)),
            "3-D": np.ones((3, 1, 1)),
            "ragged": [[1.0], [1.0, 2.0]],
            "nested": [1.0, [[[[[2.0]]]]], 3.0],
        }
        for name, bad in wrong.items():
            func = Function(linear, returning(bad), at)
            yield fitting(f"{name}, call {at}", ValueError, func, bad)
        huge = Function(linear, returning([10**400, 1.0, 1.0]), at)
        yield fitting(f"an int beyond the doubles, call {at}", OverflowError, huge)
        too_few = ValueError if at > 1 else TypeError
        for form in (list, np.array):
            func = Function(linear, returning(form([1.0])), at)
            yield fitting(f"one residual, call {at}", too_few, func)
    for form in (list, tuple, np.array, Sequence):
        func = Function(linear_array, returning(form([1.0] * 9)), at=3)
        yield fitting("another size", ValueError, func)


def jacobians() -> Iterator[Scenario]:
    """Jacobians that are refused, at the first call and at a later one."""
    func = Function(linear)
    for at in (1, 2):
        for bad in (MATRIX.T, MATRIX[:2], MATRIX.ravel(), 1.0, MATRIX[None], MATRIX.T.tolist()):
            dfun = Function(jacobian, returning(bad), at)
            yield fitting(f"shape, call {at}", TypeError, func, bad, Dfun=dfun)
        for bad in NOT_NUMBERS:
            dfun = Function(jacobian, returning(bad), at)
            yield fitting(f"no numbers, call {at}", TypeError, func, bad, Dfun=dfun)
    yield fitting("col_deriv", TypeError, func, Dfun=Function(jacobian), col_deriv=1)
    trouble = ZeroDivisionError("trouble")
    unprintable, curious = raising_in(trouble, "__str__"), Object()
    for name, expected in (
        ("jacobian", TypeError),
        (property(raising_in(trouble, "__call__")), ZeroDivisionError),
        (property(lambda self: unprintable), ZeroDivisionError),
        (property(lambda self: curious), TypeError),
    ):
        dfun = type("Named", (Function,), {"__name__": name})(returning(MATRIX.T))
        yield fitting("__name__", expected, func, trouble, unprintable, curious, Dfun=dfun)


def exceptions() -> Iterator[Scenario]:
    """Exceptions of the user's own, from wherever his code runs."""
    for kind in (ValueError, KeyboardInterrupt, StopIteration, GeneratorExit):
        trouble = kind("trouble")
        bad = raising_in(trouble, "__call__")
        for at in (1, 2, 4):
            yield fitting("func raises", kind, Function(linear, bad, at), bad, trouble)
        for at in (1, 2):
            dfun = Function(jacobian, bad, at)
            yield fitting("Dfun raises", kind, Function(linear), bad, trouble, Dfun=dfun)
    trouble = ZeroDivisionError("trouble")
    for methods in (("__array__",), ("__float__",), ("__len__", "__getitem__"), ("__index__",)):
        bad = raising_in(trouble, *methods)
        for at in (1, 3):
            func = Function(line, returning(bad), at)
            name = f"{methods[0]} raises, call {at}"
            yield fitting(name, ZeroDivisionError, func, bad, trouble, x0=5.0)
    bad = raising_in(trouble, "__float__")
    for form in (list, tuple, Sequence, lambda r: np.array(r, object)):
        func = Function(linear, lambda x, form=form: form([1.0, bad, Number()]), at=2)
        yield fitting("an element raises", ZeroDivisionError, func, bad, trouble)
    yield fitting("NameError", NameError, lambda x, *args: undefined)  # noqa: F821
    yield fitting("arity", TypeError, Function(lambda: 1.0))


def company() -> Iterator[Scenario]:
    """Functions that keep what they are given, hand it back, and call leastsq themselves."""
    kept: deque[Any] = deque(maxlen=4)

    def keeping(view: Any) -> Any:
        return Function(lambda x: (kept.append(view(x)), linear(x))[1])

    for view in (lambda x: x, lambda x: x[:1], memoryview, weakref.ref):
        yield fitting("x is kept", FOUND, keeping(view), full_output=True)
    for view in (lambda x: x, lambda x: x[::-1], np.atleast_2d):
        expected = ValueError if view is np.atleast_2d else FOUND
        yield fitting("x is returned", expected, Function(view))
    yield fitting("x is frozen", FOUND, Function(lambda x: (x.setflags(write=False), linear(x))[1]))
    inner = fitting("inner", FOUND, Function(linear), full_output=True)
    yield fitting("nested", FOUND, Function(lambda x: inner.once()[0] - x), *inner.watched)
    failing = fitting("failing", ValueError, Function(returning(np.ones((2, 2)))))
    yield fitting("a nested fit fails", ValueError, Function(lambda x: failing.once()))
    yield Scenario("func dies with the fit", FOUND, lambda: leastsq(Function(linear), [1, 1]), ())
    endless = fitting("RecursionError", RecursionError, lambda x, *args: endless.once())
    yield Scenario(endless.name, endless.expected, partial(shallowly, endless), endless.watched)


def curves() -> Iterator[Scenario]:
    """Fits of a model to data by curve_fit."""
    t, y, sigma = np.arange(5.0), np.array([1.0, 2.9, 5.1, 7.0, 8.9]), np.ones(5)

    def model(t: Any, a: float, b: float) -> Any:
        return a * t + b

    def slopes(t: Any, a: float, b: float) -> Any:
        return np.column_stack([t, np.ones_like(t)])

    def raising(t: Any, a: float, b: float) -> Any:
        return {}[a]

    def ending_in(name: str, expected: Any, f: Any, **options: Any) -> Scenario:
        given = {"xdata": t, "ydata": y, "p0": [1.0, 1.0], "full_output": True, **options}
        watched = tuple(w for w in (f, *given.values()) if is_watchable(w))
        return Scenario(name, expected, lambda: curve_fit(f, **given), watched)

    for weights in (None, 2.0, sigma, np.diag(sigma)):
        for jac in (None, slopes):
            yield ending_in("a curve", FOUND, model, sigma=weights, jac=jac)
    with_nan = np.array([1.0, np.nan, 5.1, 7.0, 8.9])
    yield ending_in("omit", FOUND, model, ydata=with_nan, nan_policy="omit", sigma=sigma)
    yield ending_in("raise", ValueError, model, ydata=with_nan, nan_policy="raise")
    yield ending_in("no list", FOUND, lambda *args: model(*args).tolist())
    yield ending_in("no float64", FOUND, lambda *args: model(*args).astype(np.float32))
    yield ending_in("no p0", FOUND, model, p0=None)
    yield ending_in("maxfev", FitError, model, maxfev=1)
    yield ending_in("not finite", FitError, lambda *args: model(*args) * np.nan)
    yield ending_in("no matrix", ValueError, model, sigma=-np.eye(5))
    yield ending_in("no numbers", TypeError, lambda *args: None)
    yield ending_in("another shape", ValueError, lambda *args: np.ones(3))
    yield ending_in("f raises", KeyError, raising)
    yield ending_in("jac raises", KeyError, model, jac=raising)
    yield ending_in("no numbers later", TypeError, lambda t, a, b: t if a == 1 else 1j)


def shallowly(scenario: Scenario) -> Any:
    """Run a scenario close to the limit of recursion, which takes less time."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100)
    try:
        return scenario.once()
    finally:
        sys.setrecursionlimit(limit)


def shim() -> Iterator[Scenario]:
    """The shim itself, with arguments that it refuses."""
    func, x, trouble = Function(linear), np.ones(2), ZeroDivisionError("trouble")
    good: list[Any] = [
        func,
        None,
        x,
        (),
        False,
        1e-8,
        1e-8,
        0.0,
        100.0,
        50,
        None,
        None,
        True,
        "auto",
    ]

    def solving(expected: Any, at: int, bad: Any) -> Scenario:
        given = [*good[:at], bad, *good[at + 1 :]]
        return Scenario(f"solve, {at}", expected, lambda: _core.solve(*given), (func, x, bad))

    def covariance(expected: Any, *given: Any) -> Scenario:
        return Scenario("covariance", expected, lambda: _core.covariance(*given), given)

    yield Scenario("few arguments", TypeError, lambda: _core.solve(*good[:-1]), (func, x))
    for at, bad in ((11, np.ones(5)), (11, [1.0, np.nan]), (13, Object()), (5, np.nan)):
        yield solving(ValueError, at, bad)
    for at, bad in ((2, Object()), (5, Object()), (9, Object()), (10, Object()), (11, [Object()])):
        yield solving(TypeError, at, bad)
    yield solving(OverflowError, 5, 10**400)
    yield solving(ZeroDivisionError, 4, raising_in(trouble, "__bool__"))
    r, ipvt = np.array(MATRIX.T, order="C"), np.array([1, 2], np.intc)
    yield covariance(TypeError, r)
    yield covariance(ValueError, Object(), ipvt)
    yield covariance(ValueError, r, np.array([1, 1], np.intc))
    yield covariance(ValueError, np.zeros((0, 3)), np.zeros(0, np.intc))


@COMBINED
def compiled_line(p: Any, m: int, n: int, x: Any, fvec: Any, fjac: Any, *rest: int) -> int:
    """Give data[0] + x*i, or the Jacobian of that; beyond x = 8 return data[1]."""
    data = (ctypes.c_double * 2).from_address(p)
    for i in range(m):
        if rest[-1] == 1:
            fvec[i] = data[0] + x[0] * i
        else:
            fjac[i] = i
    return int(data[1]) if x[0] > 8.0 else 0


def machine_code() -> Iterator[Scenario]:
    """Fits of compiled functions, one by itself and many."""
    data, args = np.array([1.0, -4.0]), ()
    both = compiled(compiled_line, 3, data=data)
    alone = compiled(compiled_line, 3, jac=False, data=data)
    short = compiled(compiled_line, 2, data=data)

    def fit(name: str, expected: Any, func: Any, **options: Any) -> Scenario:
        return fitting(name, expected, func, data, **{"x0": 1.0, "args": args, **options})

    for full_output, qr in ((False, "minpack"), (True, "blocked")):
        form = partial(fit, qr=qr, full_output=full_output)
        yield form("compiled", FOUND, both)
        yield form("compiled, differences", FOUND, alone)
        yield form("compiled, stopped", -4, both, x0=9.0)
        yield form("compiled, NaN", 9, alone, x0=np.nan)
        yield form("compiled func", FOUND, alone, Dfun=Function(lambda x: [0.0, 1.0, 2.0]))
        yield form("compiled Dfun", FOUND, Function(lambda x: 1 + x * [0, 1, 2]), Dfun=both)
    yield fit("Dfun for another m", ValueError, alone, Dfun=short)
    yield fit("Dfun without Jacobian", TypeError, both, Dfun=alone)
    yield fit("compiled, args", TypeError, both, args=(Object(),))
    yield fit("compiled, too few", TypeError, both, x0=np.ones(4))
    trouble = ZeroDivisionError("trouble")
    bad = raising_in(trouble, "__call__")
    yield fit("compiled, Dfun raises", ZeroDivisionError, alone, Dfun=bad)

    def many(name: str, expected: Any, func: Any, **options: Any) -> Scenario:
        given = {"x0": np.array([[1.0], [2.0], [3.0]]), **options}
        watched = tuple(w for w in (func, data, *given.values()) if is_watchable(w))

        def once() -> Any:
            return leastsq_many(func, **given).messages, 1

        return Scenario(name, expected, once, watched)

    rows = np.array([[1.0, 0.0], [np.nan, 0.0], [3.0, -4.0]])
    for workers in (1, 2):
        for func in (both, alone):
            yield many("many", FOUND, func, workers=workers, cov_x=True)
            yield many("many, of rows", FOUND, func, workers=workers, data=rows, weights=np.ones(3))
        yield many("many, progress raises", ZeroDivisionError, both, workers=workers, progress=bad)
        yield many("many, another m", ValueError, alone, workers=workers, Dfun=short)
    yield many("many, no rows", ValueError, both, data=rows[:2])
    yield many("many, float32", TypeError, both, data=rows.astype(np.float32))
    yield many("many, weights", ValueError, both, weights=np.ones(4))


GROUPS = (
    results, endings, arguments, residuals, jacobians, exceptions, company, curves, shim
)  # fmt: skip
