"""Many fits at once: the same bits as one after the other, and nobody waits for long."""

from __future__ import annotations

import asyncio
import functools
import importlib.machinery
import importlib.util
import itertools
import os
import random
import sys
import sysconfig
import textwrap
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from alone import run_alone
from bits import Counted, assert_same_bits, packed
from rosenbrock import PLAIN, START, WITH_JACOBIAN, fit, rosenbrock, rosenbrock_jacobian
from together import THREADS, Spinner, assert_same_bits_together, switching, together

from pyminpack import _core, leastsq
from pyminpack.compare.mgh import CASES, Case

SOME = CASES[:: max(1, len(CASES) // 24)]


def solve(case: Case, with_jacobian: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"Dfun": case.problem.jacobian} if with_jacobian else {}
    with np.errstate(all="ignore"):
        return packed(leastsq(case.problem.residual, case.start, full_output=True, **options))


# The same bits


@pytest.mark.parametrize("interval", [1e-6, 5e-3])
def test_different_problems_at_once_have_the_bits_they_have_alone(interval: float) -> None:
    fits = list(itertools.product(SOME, (False, True)))
    assert_same_bits_together(solve, fits, interval)


def test_one_function_and_one_start_for_all_threads() -> None:
    start = np.array(START)
    shared = np.zeros(3)

    def func(x: Any, extra: Any) -> Any:
        return rosenbrock(x) + extra

    def work() -> None:
        for _ in range(15):
            result = leastsq(func, start, (shared,), full_output=True)
            assert_same_bits(packed(result), PLAIN)

    with switching(1e-6):
        together(*[work] * THREADS)
    assert start.tolist() == START


def test_exceptions_in_some_threads_do_not_disturb_the_others() -> None:
    def fail(me: int) -> None:
        rng = random.Random(me)
        for _ in range(30):
            trouble, last = KeyError(me), rng.randrange(1, 12)
            calls = itertools.count(1)

            def func(x: Any, trouble: Any = trouble, last: int = last, calls: Any = calls) -> Any:
                if next(calls) == last:
                    raise trouble
                return rosenbrock(x)

            with pytest.raises(KeyError) as caught:
                leastsq(func, START)
            assert caught.value is trouble

    def succeed() -> None:
        for _ in range(30):
            assert_same_bits(fit(rosenbrock), PLAIN)
            assert_same_bits(fit(rosenbrock, Dfun=rosenbrock_jacobian), WITH_JACOBIAN)

    with switching(1e-6):
        together(*(functools.partial(fail, me) for me in range(4)), *[succeed] * 4)


def test_tasks_of_an_event_loop() -> None:
    async def gather() -> list[Any]:
        return await asyncio.gather(*(asyncio.to_thread(fit, rosenbrock) for _ in range(12)))

    for found in asyncio.run(gather()):
        assert_same_bits(found, PLAIN)


def test_warnings_of_threads_name_the_line_of_the_caller() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        def work() -> None:
            for _ in range(10):
                assert leastsq(rosenbrock, START, maxfev=1)[1] == 5

        together(*[work] * 4)
    assert {warning.filename for warning in caught} == {__file__}
    assert len(caught) == 40


# Whose turn


@pytest.mark.parametrize("with_jacobian", [False, True])
def test_another_thread_makes_progress_during_a_big_factorisation(with_jacobian: bool) -> None:
    m, n = 4000, 300
    rng = np.random.default_rng(300)
    matrix = rng.normal(size=(m, n))
    target = matrix @ np.ones(n) + rng.normal(size=m)
    at_the_end: list[int] = []
    between: list[int] = []
    calls = itertools.count(1)

    def func(x: Any) -> Any:
        call = next(calls)
        # The first call after the Jacobian: the factorisation lies between.
        if at_the_end and not between:
            between.append(spinner.turns - at_the_end[0])
        r = matrix @ x - target
        if not with_jacobian and call == 1 + n:
            at_the_end.append(spinner.turns)
        return r

    def dfun(x: Any) -> Any:
        at_the_end.append(spinner.turns)
        return matrix

    options = {"Dfun": dfun} if with_jacobian else {}
    with Spinner() as spinner:
        leastsq(func, np.zeros(n), maxfev=1, full_output=True, **options)
    assert between[0] > 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_fork_while_another_thread_factors() -> None:
    matrix = np.random.default_rng(2).normal(size=(1000, 150))
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            leastsq(lambda x: matrix @ x - 1.0, np.zeros(150), Dfun=lambda x: matrix)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(5):
            time.sleep(0.02)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of threads that run
                child = os.fork()
            if child == 0:
                same = fit(rosenbrock)["x"].tobytes() == PLAIN["x"].tobytes()
                os._exit(0 if same else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        thread.join()


# Turns of another thread that it only gets while MINPACK works without the GIL.
MANY = 20


def turns_after_calls(func: Callable[[Any], Any], n: int, **options: Any) -> list[int]:
    """Fit, and return how many turns another thread got after each call, until the next."""
    begins: list[int] = []
    ends: list[int] = []

    def noted(function: Any) -> Any:
        def call(x: Any) -> Any:
            begins.append(spinner.turns)
            result = function(x)
            ends.append(spinner.turns)
            return result

        return call

    if "Dfun" in options:
        options["Dfun"] = noted(options["Dfun"])
    with Spinner() as spinner:
        leastsq(noted(func), np.zeros(n), full_output=True, **options)
        begins.append(spinner.turns)
    return [after - before for before, after in zip(ends, begins[1:], strict=True)]


@pytest.mark.thread_unsafe(reason="other threads would take turns too")
@pytest.mark.parametrize(("qr", "n"), [("minpack", 300), ("blocked", 700)])
@pytest.mark.parametrize("with_jacobian", [False, True])
def test_another_thread_makes_progress_while_a_shorter_step_is_sought(
    with_jacobian: bool, qr: str, n: int
) -> None:
    matrix = np.random.default_rng(4).normal(size=(n, n))
    calls_before = 2 if with_jacobian else 1 + n

    def func(x: Any) -> Any:
        residuals = matrix @ x - 1.0
        return residuals * np.nan if counted.calls == trial else residuals

    # Dfun is called before the trial, but not counted.
    trial = calls_before if with_jacobian else calls_before + 1
    counted = Counted(func)
    options = {"Dfun": lambda x: matrix} if with_jacobian else {}
    turns = turns_after_calls(counted, n, maxfev=trial + 1, qr=qr, **options)
    assert counted.calls > trial
    assert turns[calls_before] > MANY


@pytest.mark.thread_unsafe(reason="other threads would take turns too")
def test_another_thread_makes_progress_during_every_factorisation_of_differences() -> None:
    m, n = 1000, 300
    matrix = np.random.default_rng(5).normal(size=(m, n))
    func = Counted(lambda x: matrix @ x - 1.0)
    turns = turns_after_calls(func, n, qr="minpack", ftol=0.0, xtol=0.0, maxfev=n + 3)
    # The start, a Jacobian, a trial that is accepted, and the second Jacobian.
    assert func.calls > 2 * n + 2
    assert turns[n] > MANY
    assert turns[2 * n + 1] > MANY


@pytest.mark.shim
def test_a_fit_that_leaves_the_gil_to_factor_and_keeps_it_to_retry() -> None:
    """Many residuals of few variables: whoever takes the GIL twice would wait for ever."""
    matrix = np.random.default_rng(1).normal(size=(30_000, 10))
    x, ier = leastsq(lambda x: matrix @ (x - 1.0), np.zeros(10))
    assert ier in (1, 2, 3)
    np.testing.assert_allclose(x, 1.0, rtol=1e-12)


# No state


@pytest.fixture
def unstripped(native_build: Path) -> Path:
    """The module with the names that the installed one lacks."""
    if "PYMINPACK_INSTRUMENTED_SITE" in os.environ:
        pytest.skip("instruments have data of their own")
    path = native_build.parent.parent / "src" / Path(_core.__file__).name
    if sys.platform != "linux" or not path.exists():
        pytest.skip("there is no ELF file to look into")
    return path


# NumPy's table of functions, which it fills on import, and what CPython takes for a module.
OURS = {
    "pyminpack_array_api",
    "pyminpack_array_apiPyArray_RUNTIME_VERSION",
    "core_methods",
    "core_module",
    "core_slots",
}
# What libgcc found out of the processor before anything else ran.
PROCESSOR = {"__cpu_model", "__cpu_features2"}
# What compiler and C library put into every shared object.
THEIRS = {"__dso_handle", "__TMC_END__", "__bss_start", "_edata", "_end", "completed"}
READ_ONLY_ONCE_LOADED = {".dynamic", ".got", ".init_array", ".fini_array", ".data.rel.ro"}


def test_no_writable_data_but_what_python_and_numpy_ask_for(unstripped: Path) -> None:
    elf = pytest.importorskip("elftools.elf.elffile", reason="pyelftools reads the module")
    with unstripped.open("rb") as stream:
        module = elf.ELFFile(stream)
        assert not [s for s in module.iter_segments() if s["p_type"] == "PT_TLS"]
        table = module.get_section_by_name(".symtab")
        assert table is not None
        found = set()
        for symbol in table.iter_symbols():
            index = symbol["st_shndx"]
            if not isinstance(index, int) or symbol["st_info"]["type"] == "STT_SECTION":
                continue
            section = module.get_section(index)
            writable = section["sh_flags"] & 1
            if writable and section.name not in READ_ONLY_ONCE_LOADED:
                found.add(symbol.name.split(".")[0])
    assert found - THEIRS - PROCESSOR - {"_GLOBAL_OFFSET_TABLE_"} == OURS


def load_again(name: str) -> ModuleType:
    loader = importlib.machinery.ExtensionFileLoader(name, _core.__file__)
    spec = importlib.util.spec_from_loader(name, loader, origin=_core.__file__)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_extension_loaded_three_times() -> None:
    modules = [_core, load_again("pyminpack._core"), load_again("pyminpack._core")]
    assert len({id(module) for module in modules}) == 3
    assert len({id(module.solve) for module in modules}) == 3

    def solved(module: ModuleType) -> Any:
        x0 = np.array(START)
        tolerance = 1.49012e-8
        options = (0, tolerance, tolerance, 0.0, 100.0, 600, None, None, True, "auto")
        return module.solve(rosenbrock, None, x0, (), *options)

    assert_same_bits(solved(modules[0])[0], PLAIN["x"])
    for module in modules[1:]:
        for ours, theirs in zip(solved(module), solved(_core), strict=True):
            assert_same_bits(ours, theirs)
    last = modules.pop()
    modules.clear()
    assert_same_bits(solved(last)[0], PLAIN["x"])


SCRIPT = """
    import warnings
    warnings.simplefilter("ignore")
    try:
        from pyminpack import leastsq
    except ImportError:
        print("refused")
    else:
        x, ier = leastsq(lambda x: [x[0] - 2.0, x[1] + 1.0], [0.0, 0.0])
        assert x.round(6).tolist() == [2.0, -1.0] and ier in (1, 2, 3, 4)
        print("fitted")
"""


def subinterpreters() -> None:
    try:
        interpreters = importlib.import_module("_interpreters")
    except ImportError:
        interpreters = importlib.import_module("_xxsubinterpreters")
    for _ in range(3):
        one = interpreters.create()
        # From 3.13 on what is raised there is returned here.
        assert interpreters.run_string(one, textwrap.dedent(SCRIPT)) is None
        interpreters.destroy(one)
        assert_same_bits(fit(rosenbrock), PLAIN)


def test_subinterpreters_fit_or_say_that_they_cannot() -> None:
    said = run_alone(subinterpreters).split()
    assert len(said) == 3
    assert set(said) <= {"fitted", "refused"}


def print_gil() -> None:
    print(sys._is_gil_enabled())  # type: ignore[attr-defined]


@pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python has no build without GIL"
)
def test_the_import_does_not_bring_the_gil_back() -> None:
    assert run_alone(print_gil, PYTHON_GIL="").strip() == "False"


# The end of the interpreter


def end_during_fits(way: str) -> None:
    """Leave daemon threads behind in every stage of a fit."""
    matrix = np.random.default_rng(3).normal(size=(2000, 200))

    def forever(work: Callable[[], Any]) -> None:
        while True:
            work()

    def big() -> None:
        leastsq(lambda x: matrix @ x - 1.0, np.zeros(200), Dfun=lambda x: matrix)

    def sleeping() -> None:
        leastsq(lambda x: time.sleep(60), [1.0])

    for work in (big, big, sleeping, lambda: fit(rosenbrock)):
        threading.Thread(target=forever, args=(work,), daemon=True).start()
    time.sleep(0.1)
    if way == "exit":
        sys.exit(0)


@pytest.mark.parametrize("way", ["return", "exit"])
def test_the_interpreter_ends_while_threads_are_in_a_fit(way: str) -> None:
    assert run_alone(end_during_fits, way, timeout=40) == ""
