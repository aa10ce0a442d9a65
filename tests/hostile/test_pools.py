"""Fits in pools of processes and threads: the bits of a serial loop; what is raised comes back."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import itertools
import multiprocessing
import os
import pickle
import pkgutil
import shutil
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from alone import run_alone
from bits import assert_same_bits
from nist_cases import EXAMPLES
from rosenbrock import START, rosenbrock

import pyminpack
from pyminpack import FitError, OptimizeWarning, curve_fit, leastsq
from pyminpack.compare.mgh import CASES

pytestmark = [pytest.mark.memory, pytest.mark.process]

START_METHODS = multiprocessing.get_all_start_methods()

T = np.linspace(0.0, 4.0, 12)


@pytest.fixture(scope="module", params=[*START_METHODS, "threads"])
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """Two workers of every kind."""
    if request.param == "threads":
        with ThreadPoolExecutor(2) as executor:
            yield executor
        return
    context = multiprocessing.get_context(request.param)
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        with warnings.catch_warnings():
            # Threads that other tests left behind are no concern of a fork's child here.
            warnings.simplefilter("ignore", DeprecationWarning)
            executor.submit(os.getpid).result(60)
        yield executor


# What the workers do: functions of a module, so that a process finds them by their names


def solved(k: int, with_jacobian: bool) -> tuple[Any, ...]:
    problem = CASES[k].problem
    dfun = problem.jacobian if with_jacobian else None
    with np.errstate(all="ignore"):
        return leastsq(problem.residual, CASES[k].start, Dfun=dfun, full_output=True)


def solved_by_blocks(seed: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    matrix, target = rng.normal(size=(4000, 10)), rng.normal(size=4000)
    return leastsq(lambda x: matrix @ x - target, np.zeros(10), full_output=True)


def decay(t: Any, a: float, k: float) -> Any:
    return a * np.exp(-k * t)


def decaying(seed: int, **options: Any) -> tuple[Any, ...]:
    noise = np.random.default_rng(seed).normal(scale=0.01, size=T.size)
    return curve_fit(decay, T, decay(T, 2.0, 0.7) + noise, full_output=True, **options)


class Trouble(Exception):
    """A user's own, with arguments and an attribute."""

    def __init__(self, code: int, where: str) -> None:
        super().__init__(code, where)
        self.where = where


RAISED = [
    KeyError("key", 3),
    Trouble(7, "there"),
    ZeroDivisionError(),
    StopIteration("no more"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
]


def raise_in_fit(error: Exception, way: str) -> Any:
    calls = itertools.count(1)

    def trouble_maker(x: Any) -> Any:
        if next(calls) == 3:
            raise error
        return rosenbrock(x)

    if way == "leastsq":
        return leastsq(trouble_maker, START)
    return curve_fit(lambda x, *p: trouble_maker(p), None, np.zeros(3), START)


def complain(case: str) -> Any:
    """Make a fit that pyminpack itself refuses."""
    sizes = itertools.count(3)
    complaints: dict[str, Callable[[], Any]] = {
        "type": lambda: leastsq(lambda x: [1j, 2j, 3j], START),
        "size": lambda: leastsq(lambda x: np.zeros(next(sizes)), START),
        "shape": lambda: leastsq(rosenbrock, START, Dfun=lambda x: np.zeros((2, 3))),
        "option": lambda: leastsq(rosenbrock, START, ftol=-1.0),
        "fit": lambda: decaying(0, maxfev=2),
    }
    return complaints[case]()


def warn(case: str) -> Any:
    if case == "leastsq":
        return leastsq(rosenbrock, START, maxfev=1)
    return curve_fit(lambda t, a, b: np.full(T.size, a), T, np.ones(T.size), (0.5, 1.0))


def warn_and_record(case: str) -> list[tuple[Any, ...]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn(case)
    return [(each.message, each.category, each.filename, each.lineno) for each in caught]


def warn_as_error(case: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return warn(case)


# The same bits


def assert_same_result(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> None:
    names = ("x", "covariance", "infodict", "mesg", "ier")
    assert [type(each) for each in ours] == [type(each) for each in theirs]
    assert_same_bits(
        dict(zip(names, ours, strict=True)), dict(zip(names, theirs, strict=True)), "result"
    )
    for name in ("nfev", "njev"):
        assert type(ours[2].get(name)) is type(theirs[2].get(name))


WORK = [
    *(
        partial(solved, k, with_jacobian)
        for k in range(len(CASES))
        for with_jacobian in (False, True)
    ),
    *(partial(solved_by_blocks, seed) for seed in range(3)),
    *(partial(decaying, seed) for seed in range(20)),
    partial(leastsq, rosenbrock, START, full_output=True),
    partial(curve_fit, decay, T, decay(T, 2.0, 0.7), p0=(1.0, 1.0), full_output=True),
]


def call(work: Callable[[], Any]) -> Any:
    return work()


def test_the_results_are_those_of_the_serial_loop(pool: Executor) -> None:
    together = list(pool.map(call, WORK, chunksize=8, timeout=60))
    for ours, work in zip(together, WORK, strict=True):
        assert_same_result(ours, work())


@pytest.fixture(scope="module")
def parallel() -> ModuleType:
    """Return the example, which processes have to find by its name."""
    assert str(EXAMPLES) in sys.path
    return importlib.import_module("parallel")


def test_the_examples_bootstrap_is_that_of_the_serial_loop(
    pool: Executor, parallel: ModuleType
) -> None:
    x = np.linspace(-3.0, 2.0, 37)
    best = np.array([1288.0, 1491.0, 583.0, 75.4, 0.966, 0.398, 0.0497])
    errors = 10 * np.cos(np.arange(37.0))
    work = partial(parallel.replicate, best=best, x=x, errors=errors)
    serial = list(parallel.bootstrap(work, 50, None))
    assert len({each.parameters.tobytes() for each in serial}) == 50
    for ours, theirs in zip(parallel.bootstrap(work, 50, pool), serial, strict=True):
        assert type(ours) is parallel.Replicate
        assert_same_bits(ours, theirs)


def test_the_example_prints_the_same_in_every_way() -> None:
    ways = [["serial"], ["threads"], ["processes", "--start-method", "spawn"]]
    common = ["--workers", "2", "--replicates", "40"]
    printed = set()
    for way in ways:
        command = [sys.executable, "-W", "error", str(EXAMPLES / "parallel.py"), *way, *common]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        printed.add(done.stdout)
    (text,) = printed
    assert text.startswith("40 of 40 fits")
    rows = [line.split() for line in text.splitlines()[2:]]
    assert [row[0] for row in rows] == [f"b{j}" for j in range(1, 8)]
    for row in rows:
        estimate, by_theory, bootstrapped, low, high = map(float, row[1:])
        assert low < estimate < high
        assert 0.5 < bootstrapped / by_theory < 2


# Exceptions and warnings


@pytest.mark.parametrize("way", ["leastsq", "curve_fit"])
@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_exceptions_of_the_users_function_come_back(
    pool: Executor, error: Exception, way: str
) -> None:
    found = pool.submit(raise_in_fit, error, way).exception(60)
    assert type(found) is type(error)
    assert found.args == error.args
    assert vars(found) == vars(error)
    if isinstance(pool, ThreadPoolExecutor):
        assert found is error
    else:
        # The traceback of the worker, down to the user's line.
        assert "in trouble_maker" in str(found.__cause__)


@pytest.mark.parametrize("case", ["type", "size", "shape", "option", "fit"])
def test_exceptions_of_pyminpack_come_back(pool: Executor, case: str) -> None:
    with pytest.raises((TypeError, ValueError, FitError)) as serial:
        complain(case)
    found = pool.submit(complain, case).exception(60)
    assert type(found) is serial.type
    assert found.args == serial.value.args
    assert str(found)
    assert_same_bits(vars(found), vars(serial.value))


@pytest.mark.parametrize(("case", "category"), [("leastsq", RuntimeWarning), ("", OptimizeWarning)])
def test_warnings_come_back(pool: Executor, case: str, category: type[Warning]) -> None:
    ((message, *where),) = warn_and_record(case)
    assert type(message) is category
    ((same, *there),) = pool.submit(warn_and_record, case).result(60)
    assert type(same) is category
    assert same.args == message.args
    assert there == where == [category, __file__, where[-1]]

    error = pool.submit(warn_as_error, case).exception(60)
    assert type(error) is category
    assert error.args == message.args


@pytest.mark.parametrize("start_method", START_METHODS[:1])
def test_warnings_become_exceptions_by_an_initializer(start_method: str) -> None:
    context = multiprocessing.get_context(start_method)
    with ProcessPoolExecutor(1, context, warnings.simplefilter, ("error",)) as executor:
        error = executor.submit(warn, "leastsq").exception(60)
    assert type(error) is RuntimeWarning
    assert "maxfev = 1" in str(error)


# Pickling and copying

DUPLICATES = [
    *(
        pytest.param(lambda value, p=p: pickle.loads(pickle.dumps(value, p)), id=f"protocol {p}")
        for p in range(pickle.HIGHEST_PROTOCOL + 1)
    ),
    copy.copy,
    copy.deepcopy,
]
duplicates = pytest.mark.parametrize("duplicate", DUPLICATES)


@duplicates
def test_results_pickle_and_copy(duplicate: Callable[[Any], Any]) -> None:
    for work in (*WORK[::20], *WORK[-3:]):
        result = work()
        assert_same_result(duplicate(result), result)


def classes_of_exceptions() -> set[type[BaseException]]:
    """Return all exceptions and warnings that any module of pyminpack defines."""
    names = [f"pyminpack.{module.name}" for module in pkgutil.iter_modules(pyminpack.__path__)]
    values = [value for name in names for value in vars(importlib.import_module(name)).values()]
    return {
        value
        for value in values
        if isinstance(value, type)
        and issubclass(value, BaseException)
        and value.__module__.startswith("pyminpack")
    }


def one_of_each() -> dict[type[BaseException], BaseException]:
    """Return an exception or warning of every class, as a fit makes it."""
    with pytest.raises(FitError) as caught:
        complain("fit")
    (warning,) = warn_and_record("")
    return {FitError: caught.value, OptimizeWarning: warning[0]}


@duplicates
def test_every_exception_and_warning_pickles_and_copies(duplicate: Callable[[Any], Any]) -> None:
    examples = one_of_each()
    # A new class needs an example here.
    assert classes_of_exceptions() == examples.keys()
    for kind, example in examples.items():
        same = duplicate(example)
        assert type(same) is kind
        assert same.args == example.args
        assert str(same) == str(example)
        assert_same_bits(vars(same), vars(example))


# Forks and interpreters


class Factoring(threading.Thread):
    """A thread that always factors a big Jacobian, which it does without the GIL."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = np.random.default_rng(2).normal(size=(4000, 300))
        self.inside, self.ended = threading.Event(), False

    def run(self) -> None:
        while not self.ended:
            leastsq(self.residuals, np.zeros(300), Dfun=self.jacobian, full_output=True)

    def residuals(self, x: Any) -> Any:
        self.inside.clear()
        return self.matrix @ x - 1.0

    def jacobian(self, x: Any) -> Any:
        self.inside.set()
        return self.matrix


factoring = Factoring()


def fit_in_child() -> tuple[bool, Any, Any]:
    """Return what a fork found the other thread at, and two fits."""
    return factoring.inside.is_set(), solved_by_blocks(0), solved(0, False)


def fork_during_factorisations() -> None:
    warnings.simplefilter("ignore", DeprecationWarning)  # of threads that run
    context = multiprocessing.get_context("fork")
    inside = 0
    factoring.start()
    try:
        while inside < 3:
            factoring.inside.wait(20)
            with ProcessPoolExecutor(1, mp_context=context) as executor:
                was_inside, *results = executor.submit(fit_in_child).result(20)
            inside += was_inside
            for ours, theirs in zip(results, fit_in_child()[1:], strict=True):
                assert_same_result(ours, theirs)
    finally:
        factoring.ended = True
        factoring.join()


@pytest.mark.skipif("fork" not in START_METHODS, reason="no fork here")
def test_a_pool_forked_during_a_factorisation_fits() -> None:
    assert run_alone(fork_during_factorisations) == ""


def fit_by_joblib() -> None:
    joblib = importlib.import_module("joblib")
    jobs = range(0, len(CASES), 4)
    # joblib pickles functions by value, so that a lambda does.
    found = joblib.Parallel(n_jobs=2, timeout=60)(
        joblib.delayed(lambda k: solved(k, True))(k) for k in jobs
    )
    for k, ours in zip(jobs, found, strict=True):
        assert_same_result(ours, solved(k, True))
    with pytest.raises(FitError) as caught:
        joblib.Parallel(n_jobs=2, timeout=60)(joblib.delayed(complain)("fit") for _ in range(2))
    assert_same_bits(vars(caught.value), vars(one_of_each()[FitError]))


def test_joblib_gives_the_bits_of_the_serial_loop() -> None:
    pytest.importorskip("joblib", reason="joblib is the client here")
    if importlib.util.find_spec("psutil") is None and shutil.which("pgrep") is None:
        pytest.skip("joblib ends its workers by psutil or pgrep, and neither is installed")
    assert run_alone(fit_by_joblib) == ""


# `_core` by itself, because NumPy refuses first.
IN_ANOTHER_INTERPRETER = """
    import importlib.machinery
    import importlib.util

    loader = importlib.machinery.ExtensionFileLoader("pyminpack._core", {path!r})
    spec = importlib.util.spec_from_loader("pyminpack._core", loader, origin={path!r})
    try:
        loader.exec_module(importlib.util.module_from_spec(spec))
    except ImportError as error:
        print(error)
    try:
        import pyminpack
    except ImportError as error:
        # NumPy puts advice of its own around it.
        while error.__cause__ or error.__context__:
            error = error.__cause__ or error.__context__
        print(str(error).strip().splitlines()[-1])
"""


def import_in_another_interpreter() -> None:
    name = "_interpreters" if importlib.util.find_spec("_interpreters") else "_xxsubinterpreters"
    interpreters = importlib.import_module(name)
    script = IN_ANOTHER_INTERPRETER.format(path=pyminpack._core.__file__)
    one = interpreters.create()
    # From 3.13 on what is raised there is returned here.
    assert interpreters.run_string(one, textwrap.dedent(script)) is None
    interpreters.destroy(one)
    solved(0, False)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters share the GIL before 3.12")
def test_an_interpreter_with_a_gil_of_its_own_is_refused_clearly() -> None:
    core, package = run_alone(import_in_another_interpreter).splitlines()
    assert core == "module pyminpack._core does not support loading in subinterpreters"
    assert package.endswith("does not support loading in subinterpreters")
