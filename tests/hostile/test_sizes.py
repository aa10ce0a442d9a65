"""Sizes beyond what fits: refused before anything is allocated. Sizes that fit: handled."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alone import run_alone
from bits import Counted, assert_same_bits, packed
from linear import LINEAR_START, linear
from peak_memory import peak_memory
from rosenbrock import PLAIN, START, fit, rosenbrock

from pyminpack import _core, leastsq

pytestmark = pytest.mark.shim

FOUND = (1, 2, 3, 4)
MEGABYTE = 2**20
# A child may address this much, and must not come near it.
LIMIT, USED = 1536 * MEGABYTE, 400 * MEGABYTE


def big(size: Any, dtype: Any = np.float64) -> Any:
    """Return an array of any size that takes no memory."""
    return np.broadcast_to(np.ones((), dtype), size)


# In the functions below there is only LIMIT to be had.


def refused(kinds: Any, func: Callable[[Any], Any], x0: Any, calls: int, **options: Any) -> None:
    """Assert that the fit ends with an error after so many calls of func."""
    counted = Counted(func)
    with pytest.raises(kinds) as caught:
        leastsq(counted, x0, **options)
    assert str(caught.value) or caught.type is MemoryError
    assert counted.calls == calls, caught.value


def jacobians_too_large() -> None:
    # Elements: 2**28 (2 GB), 2**32, 2**36, 2**40.
    for rows, columns in ((2**20, 2**8), (2**21, 2**11), (2**22, 2**14), (2**22, 2**18)):
        assert rows * columns >= 2**28
        minpack = {"Dfun": lambda x: None, "qr": "minpack"}
        for options in ({}, minpack, {"full_output": True}):
            refused(
                (MemoryError, ValueError), lambda x, m=rows: big(m), np.ones(columns), 1, **options
            )


def too_many_residuals() -> None:
    for rows in (2**31, 2**31 + 1, 2**32 + 3, 2**59):
        refused(ValueError, lambda x, m=rows: big(m), START, 1)
        refused(ValueError, lambda x, m=rows: big(m), START, 1, full_output=True)
    # As many as an int counts: 16 GB of workspace.
    refused(MemoryError, lambda x: big(2**31 - 1), START, 1)
    for dtype in (np.float32, np.int8, bool, np.longdouble, object):
        refused(ValueError, lambda x, t=dtype: big(2**31, t), START, 1)


def too_many_later() -> None:
    for size in (2**31, 2**40):
        for dtype in (np.float64, np.float32, bool, object):

            def func(x: Any, size: int = size, dtype: Any = dtype) -> Any:
                return big(size, dtype) if np.any(x != START) else rosenbrock(x)

            refused(ValueError, func, START, 2)
            shape = (size, 2)
            options = {"Dfun": lambda x, s=shape, t=dtype: big(s, t)}
            refused(TypeError, rosenbrock, START, 1, **options)


def too_many_variables() -> None:
    for size in (2**28, 2**31, 2**32, 2**58):
        refused((MemoryError, ValueError), rosenbrock, big(size), 0)
        refused((MemoryError, ValueError), rosenbrock, START, 0, diag=big(size))
    refused(TypeError, rosenbrock, np.ones(2**20), 1)


def most_memory() -> int:
    """Return the most memory that was resident; getrusage would count the parent's too."""
    line = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert line
    return int(line[1]) * 1024


def too_large() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    for refusals in (jacobians_too_large, too_many_residuals, too_many_later, too_many_variables):
        refusals()
        assert_same_bits(fit(rosenbrock), PLAIN)
        assert most_memory() < USED, refusals


@pytest.mark.memory  # a checker takes terabytes of addresses
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
def test_what_cannot_fit_is_refused_before_it_is_allocated() -> None:
    run_alone(too_large)


def solve(x0: Any, residuals: Any, diag: Any = None) -> Any:
    """Call the shim itself, where no Python has looked at the arguments."""
    options = (0.0, 0.0, 0.0, 1.0, 9, 0.0, diag, True, "auto")
    return _core.solve(lambda x: residuals, None, x0, (), 0, *options)


def test_the_shim_takes_no_more_variables_than_an_int_counts() -> None:
    for size in (2**31, 2**32 + 1, 2**59):
        with pytest.raises(ValueError, match=r"at most 2\*\*31 - 1"):
            solve(big(size), big(3))
        with pytest.raises(ValueError, match=r"diag must have shape \(2,\)"):
            solve(np.ones(2), big(3), big(size))


def test_more_residuals_than_a_c_int_counts() -> None:
    many = np.broadcast_to(1.0, (2**31,))
    with pytest.raises(ValueError, match=f"func returned {2**31} residuals.* {2**31 - 1}$"):
        leastsq(lambda x: many, LINEAR_START)


# Sizes at the edge of what is legal


@pytest.mark.parametrize("n", [2, 3, 100, 10**6])
def test_one_residual_too_few(n: int) -> None:
    with pytest.raises(TypeError, match=f"N={n} must not exceed .* M={n - 1}$"):
        leastsq(lambda x: x[1:], np.ones(n))


def test_no_variables_with_every_option() -> None:
    for options in ({}, {"Dfun": lambda x: np.empty((3, 0))}, {"diag": []}, {"maxfev": 1}):
        x, cov_x, info, mesg, ier = leastsq(lambda x: np.ones(3), [], full_output=True, **options)
        assert (x.shape, cov_x, ier, info["fjac"].shape) == ((0,), None, 0, (0, 3))
        assert "x0 is empty" in mesg
        with pytest.raises(TypeError, match="x0 is empty"):
            leastsq(lambda x: np.ones(3), [], **options)


@pytest.mark.parametrize("n", [11_000_000, 22_000_000])
def test_the_default_maxfev_of_many_variables_fits_an_int(n: int) -> None:
    """200*(N + 1) does not: the fit must get as far as to compare N and M."""
    assert 200 * (n + 1) > 2**31
    for options in ({}, {"Dfun": lambda x: None}):
        with pytest.raises(TypeError, match=f"N={n} must not exceed .* M=3$"):
            leastsq(lambda x: np.ones(3), np.zeros(n), **options)


@pytest.mark.parametrize("maxfev", [2**31 - 1, 2**31, 2**63, 10**40])
def test_any_maxfev_fits_an_int(maxfev: int) -> None:
    assert_same_bits(fit(rosenbrock, maxfev=maxfev), PLAIN)


# Sizes that fit


def dense(m: int, n: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(m + n)
    return rng.normal(size=(m, n)), rng.normal(size=m)


@pytest.mark.parametrize(("m", "n"), [(300, 250), (250, 250), (1000, 100), (40, 40)])
def test_a_dense_problem(m: int, n: int) -> None:
    matrix, target = dense(m, n)
    expected = np.linalg.lstsq(matrix, target, rcond=None)[0]

    def func(x: Any) -> Any:
        return matrix @ x - target

    x, cov_x, info, _, ier = leastsq(func, np.zeros(n), Dfun=lambda x: matrix, full_output=True)
    assert ier in FOUND
    np.testing.assert_allclose(x, expected, atol=1e-8 * np.abs(expected).max())
    np.testing.assert_allclose(info["fvec"], func(x), atol=1e-12)
    inverse = np.linalg.inv(matrix.T @ matrix)
    np.testing.assert_allclose(cov_x, inverse, atol=1e-8 * np.abs(inverse).max())
    transposed = leastsq(
        func, np.zeros(n), Dfun=lambda x: matrix.T.copy(), col_deriv=True, full_output=True
    )
    assert_same_bits(packed(transposed), packed((x, cov_x, info, "", ier)))
    if m == 300:
        by_differences, ier = leastsq(func, np.zeros(n))
        assert ier in FOUND
        np.testing.assert_allclose(by_differences, expected, atol=1e-5 * np.abs(expected).max())


def test_many_residuals_of_few_variables() -> None:
    t = np.linspace(0.0, 1.0, 10**6)
    y = 2.0 * np.exp(-3.0 * t)
    x, ier = leastsq(lambda x: x[0] * np.exp(-x[1] * t) - y, [1.0, 1.0])
    assert ier in FOUND
    np.testing.assert_allclose(x, [2.0, 3.0], rtol=1e-6)


@pytest.mark.thread_unsafe(reason="measures the memory of all threads")
@pytest.mark.parametrize("with_jacobian", [False, True])
def test_a_fit_holds_at_most_one_jacobian_and_a_few_vectors(with_jacobian: bool) -> None:
    m, n = 20_000, 20
    peak = peak_memory(*dense(m, n), with_jacobian)
    jacobian, vector = 8 * m * n, 8 * m
    if with_jacobian:
        # Dfun's array is read where it is.
        assert peak <= jacobian / 10 + 3 * vector + 100_000
    else:
        assert jacobian <= peak <= jacobian + 3 * vector + 100_000


# Sequences at their limits


class Overlong:
    """A sequence that says it has two items and has one more than are listed of any."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> float:
        raise AssertionError("asked for an item")

    def __iter__(self) -> Any:
        return itertools.repeat(1.0, 2**22 + 1)


def test_a_sequence_is_listed_to_its_limit_and_not_one_item_further() -> None:
    with pytest.raises(ValueError, match=f"more than {2**22} items, and says that it has 2$"):
        leastsq(lambda x: Overlong(), LINEAR_START)


def test_residuals_in_a_list_are_not_counted_as_inner_items() -> None:
    """Of which no more than 2**22 are looked into."""
    many, more = [1.0] * (2**22 + 1), np.zeros(2**22 + 2)
    with pytest.raises(TypeError, match=f"N={2**22 + 2} must not exceed .* M={2**22 + 1}$"):
        leastsq(lambda x: many, more)


def test_as_many_inner_items_as_are_looked_into_name_the_shape() -> None:
    row = [1.0] * 2**21
    with pytest.raises(ValueError, match=rf"shape \(2, {2**21}\); residuals must be"):
        leastsq(lambda x: [row, row], LINEAR_START)
    with pytest.raises(ValueError, match=f"nested sequences of more than {2**22} items$"):
        leastsq(lambda x: [row, row, [1.0]], LINEAR_START)


def test_a_jacobian_may_have_twice_its_items_and_2_to_the_22_more() -> None:
    row = [0.0] * (2**22 + 31)
    with pytest.raises(ValueError, match=f"^Dfun .* of more than {2**22 + 2 * 5 * 3} items$"):
        leastsq(linear, LINEAR_START, Dfun=lambda x: [row])
