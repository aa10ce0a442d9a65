"""Let every single allocation of a fit fail, one after the other, and look what comes of it.

Usage: allocation_rounds.py ALLOCATOR PLACE [FOLDER [LIBRARY]]. ALLOCATOR is python (all that Python
and the shim allocate, by way of _testcapi) or numpy (the data of arrays). PLACE is leastsq or shim:
where memory is refused; many: in steps of many fits; arrays: where the user's are read; or
compiled: in all that the shim does with functions of LIBRARY. FOLDER is where the test module
failing_allocator was built.
"""

from __future__ import annotations

import faulthandler
import itertools
import sys
import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import many_scenarios
import numpy as np
from blocked_scenarios import small_successes
from leak_scenarios import (
    FOUND,
    MATRIX,
    Function,
    Number,
    Object,
    Scenario,
    curve,
    fitting,
    jacobian,
    line,
    linear,
    linear_array,
    returning,
)
from native_forms import DATA, X, address_of, capsule_of, function_of
from wrappers import ArrayLike

from pyminpack import _core, _leastsq

# CPython keeps no tuples of this length: its shape takes an allocation.
MANY_DIMENSIONS = np.ones([3] + [1] * 24)

# Fits with the same failure, to see whether each of them loses a block.
ROUNDS = 8


@dataclass(frozen=True)
class Allocator:
    """How to refuse the requests number start + 1 to stop (0: all that follow)."""

    refuse: Callable[[int, int], None]
    restore: Callable[[], None]
    request: Callable[[], Any]
    in_use: Callable[[], int]


def python_allocator() -> Allocator:
    import _testcapi

    refuse, restore = _testcapi.set_nomemory, _testcapi.remove_mem_hooks
    return Allocator(refuse, restore, object, sys.getallocatedblocks)


def numpy_allocator() -> Allocator:
    import failing_allocator as own

    return Allocator(own.refuse_data, own.restore_data, lambda: np.empty(1), own.live_data)


class DequeAndArray(deque[Any]):
    """An array-like whose items are none of its array's."""

    def __init__(self, values: Any) -> None:
        super().__init__([7.0] * len(values))
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.values, dtype=dtype)


def successes() -> list[Scenario]:
    func, array = Function(linear), Function(linear_array)
    lists, transposed = Function(lambda x: MATRIX.tolist()), Function(lambda x: MATRIX.T)
    numbers = [Number(), Number(), Number()]
    forms: list[Callable[[Any], Any]] = [
        deque,
        ArrayLike,
        DequeAndArray,
        np.float32,
        memoryview,
        lambda r: np.array([*r[:2], 1.0], object),
        lambda r: numbers,
    ]
    return [
        fitting("lists", FOUND, func),
        fitting("arrays", FOUND, array, full_output=True),
        fitting("Dfun, lists", FOUND, func, Dfun=lists),
        fitting("Dfun, arrays", FOUND, array, Dfun=Function(jacobian), full_output=True),
        fitting("col_deriv", FOUND, array, Dfun=transposed, col_deriv=True, full_output=True),
        fitting("one residual", FOUND, Function(line), x0=5.0),
        fitting("nested", FOUND, Function(lambda x: [*_leastsq.leastsq(line, x[:1])[0], x[1]])),
        fitting("x is kept", FOUND, Function(lambda x, kept=deque(maxlen=3): keep(x, kept))),
        fitting("maxfev", 5, Function(curve), maxfev=2, full_output=True),
        fitting("an array", FOUND, array, x0=np.ones(2)),
        fitting("an array, all", FOUND, array, x0=np.ones(2), full_output=True),
        fitting(
            "many variables",
            9,
            Function(lambda x, *args: x * np.nan),
            x0=np.ones(200),
            full_output=True,
        ),
        fitting("NaN", 9, Function(returning([np.nan] * 3)), full_output=True),
        *(
            fitting(f"form {i}", FOUND, Function(lambda x, f=f: f(linear_array(x))), epsfcn=1e-12)
            for i, f in enumerate(forms)
        ),
        *small_successes(),
        *blocked_successes(),
    ]


def keep(x: Any, kept: deque[Any]) -> list[Any]:
    kept.append(x)
    return linear(x)


def blocked_successes() -> list[Scenario]:
    """Fits by blocks, where func's arrays are kept, or copied because somebody holds them."""
    lists, arrays = Function(linear), Function(linear_array)
    held = deque([np.zeros(3)])

    def reused(x: Any, *args: Any) -> Any:
        held[0][:] = linear(x)
        return held[0]

    def in_turn(x: Any, *args: Any) -> Any:
        return linear_array(x) if x[0] == 1.0 and x[1] == 1.0 else reused(x)

    given: dict[str, Any] = {"qr": "blocked", "full_output": True}
    return [
        fitting("blocks, lists", FOUND, lists, **given),
        fitting("blocks, arrays", FOUND, arrays, **given),
        fitting("blocks, one array", FOUND, Function(reused), qr="blocked"),
        fitting("blocks, a new array and one", FOUND, Function(in_turn), **given),
        fitting("blocks, Dfun", FOUND, arrays, Dfun=Function(jacobian), **given),
    ]


def leap() -> Scenario:
    """A fit that takes a point at infinity for an improvement, and comes back."""
    # Without NumPy, because CPython does not bear warnings where memory is refused.
    func = Function(lambda x: [x.item(0), 1e200 * x.item(0) + 1e-160 * x.item(1) - 1e300])
    dfun = Function(lambda x: [[1.0, 0.0], [1e200, 1e-160]])
    scale = np.array([1e300, 1e-300])
    return fitting("a leap", 9, func, Dfun=dfun, x0=[0.0, 1.0], diag=scale, full_output=True)


def models() -> list[Scenario]:
    """Residuals of a model, at its first values and at two more points."""
    values = np.ones(3)
    func = Function(lambda xdata, *p: values, lambda xdata, *p: [1.0] * 3, at=2)

    def scenario(n: int, weights: Any) -> Scenario:
        first, second, third = np.ones(n), np.full(n, 2.0), np.full(n, 3.0)
        # Beforehand: a function that gets no memory costs its code a reference in CPython 3.12 and
        # 3.13 (python/cpython#122752), and a few of them the process its life.
        made = (func, None, values, weights, first, values)

        def once() -> Any:
            func.calls = 0
            residuals = _core.Residuals(*made)
            return residuals(first), residuals(second), residuals(third), 1

        return Scenario(f"{n} parameters, {np.shape(weights)}", FOUND, once, ())

    return [scenario(n, w) for n in (2, 17) for w in (None, np.ones(3), np.eye(3))]


def compiled_functions(library: str) -> list[Scenario]:
    """Compiled functions: all that succeeds."""
    combined = address_of(function_of(Path(library), "decay_combined"))
    capsule = capsule_of(combined, None)
    given = (0, combined, combined, DATA.shape[1])

    def all_of_it() -> Any:
        made = _core.Compiled(*given, DATA, DATA, 14, None)
        empty = _core.Compiled(*given, None, None, 1000, None)
        values = made(X), made.jacobian([1, 2, 3])
        return *values, made.has_jacobian, repr(made), repr(empty), _core.read_capsule(capsule), 1

    return [Scenario("all of it", FOUND, all_of_it, ()), *compiled_fits(combined)]


def compiled_fits(combined: int) -> list[Scenario]:
    """Fits of a compiled function: one by itself, and many by way of the driver."""
    function = _core.Compiled(0, combined, combined, DATA.shape[1], DATA, DATA, 14, None)
    start = np.array([3.0, 0.5, 1.25])
    options = (1e-8, 1e-8, 0.0, 100.0)

    def one(dfun: Any, full: bool, qr: str) -> Any:
        given = (function, dfun, start, (), 0, *options, 99, None, start, full, qr)
        solution: Any = _core.solve(*given)
        return *solution, solution[7 if full else 1]

    def many(name: str, start: Any, dfun: Any, qr: str) -> Scenario:
        given, results = batch_of(function, start, dfun, (*options, 99, None, qr))
        counts = results[1:4]

        def once() -> Any:
            batch = _core.Batch(*given)
            return batch.run(), batch.done, *results, counts[0].item(0)

        return Scenario(name, (*FOUND, 5, 9), once, ())

    fits = [
        Scenario(f"fit, {qr}, {full}, {dfun is None}", FOUND, partial(one, dfun, full, qr), ())
        for dfun in (None, function)
        for full in (False, True)
        for qr in ("minpack", "blocked")
    ]
    # To where the residuals overflow, which the guard has to remember.
    leaping = np.array([1e-20, -2.0, 1.0])
    for dfun in (None, function):
        for qr in ("minpack", "blocked"):
            fits.append(many(f"fits, {qr}, {dfun is None}", start, dfun, qr))
        fits.append(many(f"leaps, {dfun is None}", leaping, dfun, "minpack"))
    return fits


def batch_of(function: Any, start: Any, dfun: Any, options: Any) -> tuple[Any, Any]:
    """Return the arguments of a driver of four fits, and the arrays of their results."""
    x0, counts = np.stack([start] * 4), [np.zeros(4, np.intc) for _ in range(3)]
    results = (np.empty_like(x0), *counts, np.empty(4), None, np.empty((4, 3, 3)))
    data = np.stack([DATA.ravel()] * 4)
    return ((x0, None, None, None), results, options, function, dfun, data), results


def compiled_failures(library: str) -> list[Scenario]:
    """Compiled functions: each error, without a Python function to be left by it."""
    combined = address_of(function_of(Path(library), "decay_combined"))
    decay = _core.Compiled(0, combined, combined, DATA.shape[1], DATA, DATA, 14, None)
    improper, _ = batch_of(decay, X, None, (-1.0, -1.0, 0.0, 100.0, 99, None, "auto"))
    address = address_of(function_of(Path(library), "refuse_far"))
    given = (address, 0, 0, 1)
    function = _core.Compiled(*given, None, None, None, None)
    failures: dict[type[Exception], list[Callable[[], Any]]] = {
        ValueError: [
            partial(_core.Compiled, *given, DATA, DATA, 99, None),
            partial(_core.Compiled, *given, DATA.T, DATA, None, None),
            partial(function, X),
            partial(function, DATA),
        ],
        TypeError: [
            partial(function, 1j),
            partial(function.jacobian, 1.0),
            partial(_core.Batch, *improper),
        ],
        RuntimeError: [partial(function, 11.0)],
    }
    return [
        Scenario(f"{error.__name__} {i}", error, once, ())
        for error, calls in failures.items()
        for i, once in enumerate(calls)
    ]


def readers() -> list[Scenario]:
    """What reads the user's arrays. CPython keeps no tuples as long as these lists."""

    def spread() -> Any:
        return _core.Residuals(len, None, np.ones(1), np.ones(1), X, np.ones(21))(X)

    calls: dict[str, Callable[[], Any]] = {
        "lists": partial(_core.real_array, "x", [[1.0] * 21] * 21),
        "dates": partial(_core.data_array, "y", np.arange(4).astype("M8[s]")[::2]),
        "text": partial(_core.data_array, "y", np.array(["1_0"], object)),
        "one for all": spread,
    }
    return [Scenario(name, FOUND, partial(with_ier, call), ()) for name, call in calls.items()]


def with_ier(call: Callable[[], Any]) -> Any:
    return call(), 1


def only_in_the_shim() -> list[Scenario]:
    """What CPython or NumPy do not bear when memory is refused to all of leastsq.

    CPython 3.11 loses the exception that a Python function is being left with when the frame object
    for the traceback cannot be made (SystemError), crashes in warnings.warn, and loses an item
    that a list comprehension cannot append. NumPy 2.2 loses the MemoryError of ndarray.any.
    """
    func = Function(linear)
    wrong, deep = Function(returning(MATRIX.T)), Function(returning(MANY_DIMENSIONS))
    results = {
        "no number": [1j, 2.0],
        "text": "123",
        "objects": np.array([1.0, "2", 3.0], object),
        "an object": Object(),
        "2-D": np.ones((3, 2)),
        "25-D": MANY_DIMENSIONS,
        "a list too long": [1.0] * 4,
        "an array too long": np.ones(4),
        "ragged": [[1.0], [1.0, 2.0]],
    }
    refused = [
        fitting(name, (TypeError, ValueError), Function(linear, returning(value), at))
        for name, value in results.items()
        for at in (1, 3)
    ]
    return [
        *refused,
        fitting("diag", FOUND, func, diag=np.array([1.0, 2.0]), full_output=True),
        leap(),
        fitting(
            "blocks, a trial point that is not finite",
            FOUND,
            Function(linear, returning([np.nan] * 3), at=2),
            Dfun=Function(lambda x: MATRIX.tolist()),
            full_output=True,
            qr="blocked",
        ),
        fitting("diag < 0", 0, func, diag=np.array([1.0, -1.0]), full_output=True),
        fitting("two faults", 0, func, ftol=-1.0, xtol=-1.0, full_output=True),
        fitting("diag, 25-D", ValueError, func, diag=np.ones([1] * 25)),
        fitting("a warning", 5, Function(curve), maxfev=2),
        fitting("too few", TypeError, Function(returning([1.0]))),
        fitting("Dfun", TypeError, func, Dfun=wrong),
        fitting("Dfun, 25-D", TypeError, func, Dfun=deep),
        fitting("Dfun has a name", TypeError, func, Dfun=lambda x, *args: MATRIX.T),
        fitting("func raises", TypeError, {}.__getitem__, args=()),
    ]


def as_bits(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, tuple):
        return [as_bits(v) for v in value]
    return {key: as_bits(v) for key, v in value.items()} if isinstance(value, dict) else value


def outcome(once: Callable[[], Any]) -> Any:
    """Return what a fit comes to: its result, every bit, or its exception."""
    try:
        return as_bits(once())
    except MemoryError:
        return MemoryError
    except Exception as error:
        return type(error), str(error)


def ending(result: Any) -> Any:
    """Return the ier, or the type of the exception, of what outcome() returned."""
    return result[-1] if isinstance(result, list) else result[0]


def refusing(call: Any, allocator: Allocator, start: int, stop: int) -> Any:
    """Return the function with memory refused while it runs; the request shows if it still is."""

    def refused(*args: Any) -> Any:
        allocator.refuse(start, stop)
        try:
            result = call(*args)
            allocator.request()
        finally:
            allocator.restore()
        return result

    return refused


def outcome_in_leastsq(scenario: Scenario, *how: Any) -> Any:
    return outcome(refusing(scenario.once, *how))


def outcome_in_shim(scenario: Scenario, *how: Any) -> Any:
    names = ("solve", "covariance")
    refused = {name: refusing(getattr(_core, name), *how) for name in names}
    _leastsq._core = SimpleNamespace(**refused)  # type: ignore[assignment]
    try:
        return outcome(scenario.once)
    finally:
        _leastsq._core = _core


@cache
def loses_texts(allocator: Allocator) -> bool:
    """Whether a text that gets no memory leaves its exception without one, as in CPython 3.11.2."""
    for start in range(3):
        try:
            refusing(len, allocator, start, start + 1)(3)
        except MemoryError:
            continue
        except TypeError as error:
            if not error.args:
                return True
    return False


def rounds_at(attempt: Callable[[], Any], allocator: Allocator) -> set[str]:
    """Return what the same failure, over and over, comes to, and see that nothing stays behind."""
    # CPython's free lists hold up to 2000 blocks, of tuples, and these fits fill them.
    for _ in range(2000 // ROUNDS + 25):
        before = allocator.in_use()
        found = {repr(attempt()) for _ in range(ROUNDS)}
        lost = allocator.in_use() - before
        # Free lists fill up some time; what gets lost does so for ever.
        if lost < ROUNDS:
            return found
    raise AssertionError(f"{lost} blocks lost in {ROUNDS} rounds")


def sweep(scenario: Scenario, outcome_in: Any, allocator: Allocator) -> int:
    """Refuse all memory from each request on, then each single one; return their number."""
    usual = [outcome(scenario.once) for _ in range(ROUNDS)][-1]
    assert scenario.allows(ending(usual)), f"{scenario.name}: {usual}"
    expected = repr(usual)

    def allowed_at(start: int, stop: int) -> set[str]:
        found = rounds_at(lambda: outcome_in(scenario, allocator, start, stop), allocator)
        allowed = {repr(MemoryError), expected}
        if isinstance(usual, tuple) and loses_texts(allocator):
            allowed.add(repr((usual[0], "")))
        assert found <= allowed, f"{scenario.name}, {start} to {stop}: {found - allowed}"
        after = repr(outcome(scenario.once))
        assert after == expected, f"{scenario.name}, {start} to {stop}, then {after}"
        return found

    for number in itertools.count():
        if allowed_at(number, 0) == {expected}:
            break
    for start in range(number):
        allowed_at(start, start + 1)
    return number


def main() -> None:
    allocator, place, *paths = sys.argv[1:]
    sys.path += paths[:1]
    faulthandler.enable()
    warnings.simplefilter("ignore")
    refused = {"python": python_allocator, "numpy": numpy_allocator}[allocator]()
    if place == "compiled":
        scenarios = compiled_functions(paths[1])
        scenarios += compiled_failures(paths[1]) if allocator == "python" else []
    elif place == "arrays":
        scenarios = readers()
    elif place == "many":
        # CPython and NumPy lose blocks of their own where Python functions are refused memory.
        steps = many_scenarios.driven if allocator == "python" else many_scenarios.steps
        scenarios = list(steps())
    else:
        scenarios = [*successes(), *(only_in_the_shim() if place == "shim" else models())]
    outcome_in = outcome_in_shim if place == "shim" else outcome_in_leastsq
    for scenario in scenarios:
        print(scenario.name, end=": ", flush=True)
        number = sweep(scenario, outcome_in, refused)
        assert number, "nothing was allocated"
        print(number)


if __name__ == "__main__":
    main()
