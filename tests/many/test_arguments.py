"""The arguments of `leastsq_many`: what is taken, and what is refused before func is called."""

from __future__ import annotations

import inspect
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from bits import Counted, assert_same_bits
from many import PROBLEMS, assert_same_fits, check, fractions
from native_forms import RESIDUAL
from wrappers import Subclass

import pyminpack
from pyminpack import leastsq, leastsq_many

PROBLEM = PROBLEMS["fractions"]
COUNT, N = PROBLEM.x0.shape
M = PROBLEM.t.size


def test_the_signature_begins_as_that_of_leastsq() -> None:
    many = inspect.signature(leastsq_many).parameters
    one = [*inspect.signature(leastsq).parameters.values()]
    shared = [p.name for p in one if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "full_output"]
    assert [p.name for p in many.values() if p.kind is p.POSITIONAL_OR_KEYWORD] == shared
    for p in one:
        if p.name in many:
            assert many[p.name].default == p.default, p.name


@pytest.mark.parametrize(
    "form",
    [
        np.array,
        np.ndarray.tolist,
        np.asfortranarray,
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x[::-1].copy()[::-1],
        lambda x: x.astype(">f8"),
        lambda x: x.astype(np.float32),
        lambda x: x.astype(int),
        lambda x: x.astype(bool),
        lambda x: x.view(Subclass),
        lambda x: np.ma.array(x),
        lambda x: np.frombuffer(b"." + x.tobytes(), np.uint8)[1:].view(float).reshape(x.shape),
    ],
)
def test_forms_of_x0(form: Any) -> None:
    assert_same_fits(
        leastsq_many(PROBLEM.func, form(PROBLEM.x0)), leastsq_many(PROBLEM.func, PROBLEM.x0)
    )


def test_what_is_given_is_left_alone() -> None:
    problem = fractions()
    diag, weights = np.full((COUNT, N), 2.0), np.full((COUNT, M), 0.5)
    given = (problem.x0, diag, weights)
    copies = [array.copy() for array in given]
    for array in given:
        array.flags.writeable = False
    fits = leastsq_many(problem.func, problem.x0, diag=diag, weights=weights)
    for array, copied in zip(given, copies, strict=True):
        np.testing.assert_array_equal(array, copied)
    assert not np.shares_memory(fits.x, problem.x0)


def test_x0_may_change_while_the_fits_run() -> None:
    problem = fractions()
    x0, diag, weights = problem.x0.copy(), np.full((COUNT, N), 2.0), np.full((COUNT, M), 0.5)

    def func(X: Any, index: Any) -> Any:
        for given in (x0, diag, weights):
            given.fill(np.nan)
        return problem.func(X, index)

    fits = leastsq_many(func, x0, diag=diag, weights=weights, chunk_size=2)
    usual = leastsq_many(
        problem.func, problem.x0, diag=np.full(N, 2.0), weights=np.full((COUNT, M), 0.5)
    )
    assert_same_fits(fits, usual)


X0 = PROBLEM.x0
BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "x0 is a number": ({"x0": 1.0}, ValueError, r"x0 must have shape \(B, N\).*\(\)"),
    "x0 is a vector": ({"x0": [1.0, 2.0]}, ValueError, r"and has shape \(2,\)"),
    "x0 is 3-D": ({"x0": np.ones((2, 2, 2))}, ValueError, r"\(2, 2, 2\)"),
    "no fits": ({"x0": np.ones((0, 2))}, ValueError, r"at least 1, and has shape \(0, 2\)"),
    "no variables": ({"x0": np.ones((3, 0))}, ValueError, r"\(3, 0\)"),
    "nothing": ({"x0": []}, ValueError, r"\(0,\)"),
    "x0 is ragged": ({"x0": [[1.0], [1.0, 2.0]]}, ValueError, "inhomogeneous"),
    "x0 is complex": ({"x0": X0 + 1j}, TypeError, "x0 must be real numbers, not of dtype complex"),
    "x0 is text": ({"x0": [["1", "2"]]}, TypeError, "x0 must be real numbers, not of dtype <U1"),
    "x0 is objects": ({"x0": [[Fraction(1)]]}, TypeError, "not of dtype object"),
    "x0 is None": ({"x0": None}, TypeError, "not of dtype object"),
    "func is None": ({"func": None}, TypeError, "func must be callable, and .* 'NoneType'"),
    "Dfun is an array": ({"Dfun": X0}, TypeError, "Dfun must be callable, and .* 'ndarray'"),
    "ftol is text": ({"ftol": "1"}, TypeError, "ftol must be a real number"),
    "ftol is NaN": ({"ftol": np.nan}, ValueError, "ftol must not be NaN"),
    "xtol is NaN": ({"xtol": np.nan}, ValueError, "xtol must not be NaN"),
    "gtol is None": ({"gtol": None}, TypeError, "gtol must be a real number"),
    "ftol below 0": ({"ftol": -1.0}, TypeError, "parameters. ftol must not be negative, and is -1"),
    "xtol below 0": ({"xtol": -1.0}, TypeError, "parameters. xtol must not be negative, and is -1"),
    "gtol below 0": ({"gtol": -1.0}, TypeError, "parameters. gtol must not be negative, and is -1"),
    "factor is 0": ({"factor": 0}, TypeError, "parameters. factor must be positive, and is 0"),
    "factor is NaN": ({"factor": np.nan}, ValueError, "factor must not be NaN"),
    "factor is complex": ({"factor": 1j}, TypeError, "factor must be a real number"),
    "epsfcn is NaN": ({"epsfcn": np.nan}, ValueError, "epsfcn must not be NaN"),
    "epsfcn is text": ({"epsfcn": "0"}, TypeError, "epsfcn must be a real number"),
    "maxfev is a float": ({"maxfev": 10.0}, TypeError, "maxfev must be an integer"),
    "qr is unknown": ({"qr": "lapack"}, ValueError, "qr must be 'auto', .* not 'lapack'"),
    "qr is no text": ({"qr": []}, ValueError, "qr must be 'auto'"),
    "diag is short": ({"diag": [1.0]}, ValueError, r"diag must have shape \(3,\).*not \(1,\)"),
    "diag is a number": ({"diag": 1.0}, ValueError, r"or \(9, 3\), a row for each fit, not \(\)"),
    "diag of others": ({"diag": np.ones((8, N))}, ValueError, r"not \(8, 3\)"),
    "diag of one": ({"diag": np.ones((1, N))}, ValueError, r"not \(1, 3\)"),
    "diag across": ({"diag": np.ones((N, COUNT))}, ValueError, r"not \(3, 9\)"),
    "diag has NaN": ({"diag": [1.0, np.nan, 1.0]}, ValueError, "diag must not contain NaN"),
    "diag has 0": ({"diag": [1.0, 0.0, 1.0]}, TypeError, r"positive, and diag\[1\] is 0\."),
    "a diag has 0": ({"diag": np.eye(9, 3) + 1 - 2 * np.eye(9, 3, -8)}, TypeError, r"diag\[8, 0\]"),
    "diag is complex": ({"diag": [1j] * 3}, TypeError, "diag must be real numbers"),
    "weights are a number": ({"weights": 1.0}, ValueError, r"weights must have shape \(M,\)"),
    "weights are 3-D": ({"weights": np.ones((9, 1, 12))}, ValueError, r"not \(9, 1, 12\)"),
    "weights of others": ({"weights": np.ones((8, M))}, ValueError, r"not \(8, 12\)"),
    "weights of one": ({"weights": np.ones((1, M))}, ValueError, r"or \(9, M\).*not \(1, 12\)"),
    "weights of none": ({"weights": []}, ValueError, r"not \(0,\)"),
    "weights below 0": ({"weights": -np.eye(1, M)[0]}, ValueError, r"weights\[0\] is -1"),
    "weights with NaN": ({"weights": [1.0, np.nan]}, ValueError, r"weights\[1\] is nan"),
    "infinite weights": ({"weights": np.full((9, 12), np.inf)}, ValueError, r"weights\[0, 0\]"),
    "weights are text": ({"weights": ["1"]}, TypeError, "weights must be real numbers"),
    "weights are complex": ({"weights": [1j]}, TypeError, "weights must be real numbers"),
    "weights are objects": ({"weights": [None]}, TypeError, "weights must be real numbers"),
    "chunk_size 0": ({"chunk_size": 0}, ValueError, "chunk_size must be at least 1, and is 0"),
    "chunk_size below": ({"chunk_size": -5}, ValueError, "chunk_size must be at least 1"),
    "chunk_size 1.5": ({"chunk_size": 1.5}, TypeError, "chunk_size must be an integer"),
    "workers 0": ({"workers": 0}, ValueError, "workers must be at least 1, and is 0"),
    "workers None": ({"workers": None}, TypeError, "workers must be an integer"),
    "workers 2": ({"workers": 2}, ValueError, "workers above 1 need a func of pyminpack.compiled"),
    "data": ({"data": np.ones((9, 2))}, TypeError, "data are for a func of pyminpack.compiled"),
    "progress is 1": ({"progress": 1}, TypeError, "progress must be True, .* of type 'int'"),
    "progress is text": ({"progress": "yes"}, TypeError, "progress must be True"),
    "x0 is missing": ({"x0": None, "func": 3}, TypeError, "func must be callable"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_refused_before_func_is_called(name: str) -> None:
    given, error, says = BAD[name]
    func, dfun = Counted(PROBLEM.func), Counted(PROBLEM.dfun)
    with pytest.raises(error, match=says):
        leastsq_many(**{"func": func, "x0": X0, "Dfun": dfun, **given})
    assert func.calls == dfun.calls == 0


@pytest.mark.parametrize("option", ["ftol", "xtol", "gtol", "factor", "diag"])
def test_improper_options_are_told_as_leastsq_tells_them(option: str) -> None:
    given: dict[str, Any] = {option: -np.ones(N) if option == "diag" else -1.0}
    with pytest.raises(TypeError) as one:
        leastsq(lambda x: PROBLEM.func(x[None], [0])[0], X0[0], **given)
    with pytest.raises(TypeError) as many:
        leastsq_many(PROBLEM.func, X0, **given)
    assert str(many.value) == str(one.value)


def test_integers_that_are_none_of_c() -> None:
    for size in (2**63, 10**30):
        assert leastsq_many(PROBLEM.func, X0, chunk_size=size).success.all()
    assert leastsq_many(PROBLEM.func, X0, maxfev=10**30).success.all()


def test_more_variables_than_residuals() -> None:
    func = Counted(lambda X, index: X[:, :1])
    says = "the number of variables N=3 must not exceed the number of residuals M=1"
    with pytest.raises(TypeError, match=says):
        leastsq_many(func, X0)
    assert func.calls == 1
    with pytest.raises(TypeError, match="M=0"):
        leastsq_many(lambda X, index: X[:, :0], X0)


@pytest.mark.parametrize("weights", [np.ones(M - 1), np.ones((COUNT, M + 1)), [True]])
def test_weights_of_another_length(weights: Any) -> None:
    func = Counted(PROBLEM.func)
    says = "weights must have a column for each residual, of which there are 12"
    with pytest.raises(ValueError, match=says):
        leastsq_many(func, X0, weights=weights)
    assert func.calls == 1


def test_options_of_other_types() -> None:
    check(
        PROBLEM.func,
        X0,
        ftol=np.float32(1e-6),
        xtol=Fraction(1, 10**6),
        gtol=np.array(0.0),
        maxfev=np.int16(50),
        factor=True,
        diag=(1, 2, 3),
        weights=tuple(range(1, M + 1)),
        epsfcn=0,
    )


def compiled_function() -> Any:
    return pyminpack.compiled(RESIDUAL(lambda *given: -1), M)


def test_a_compiled_dfun_needs_a_compiled_func() -> None:
    function = compiled_function()
    with pytest.raises(TypeError, match=r"both be of pyminpack\.compiled or .*, and Dfun alone"):
        leastsq_many(PROBLEM.func, X0, Dfun=function)
    with pytest.raises(TypeError, match="and func alone is compiled"):
        leastsq_many(function, X0, Dfun=PROBLEM.dfun)


def test_a_build_on_another_minpack_has_the_same_bits(system_pyminpack: ModuleType) -> None:
    ours, theirs = (
        module.leastsq_many(PROBLEM.func, X0, qr="minpack")
        for module in (pyminpack, system_pyminpack)
    )
    for name in ("x", "ier", "nfev", "fnorm", "cov_x"):
        assert_same_bits(getattr(ours, name), getattr(theirs, name), name)
