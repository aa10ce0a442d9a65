"""What `report` takes for names, and what it refuses as no tuple of a fit."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from decay import FULL, START, full, info, model, residuals

from pyminpack import leastsq, report

# Names


def with_more(t: Any, a: float, b: float, c: float, spare: float = 1.0) -> Any:
    return a


def with_any_number(t: Any, first: float, *others: float) -> Any:
    return first


class Shape:
    def curve(self, t: Any, a: float, b: float, c: float) -> Any:
        return a


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (None, ("p[0]", "p[1]", "p[2]")),
        (["a", "b", "c"], ("a", "b", "c")),
        (("a", "b", "c"), ("a", "b", "c")),
        ({"x": 1, "y": 2, "z": 3}, ("x", "y", "z")),
        (np.array(["a", "b", "c"]), ("a", "b", "c")),
        (model, ("height", "rate", "rest")),
        (with_more, ("a", "b", "c")),
        (with_any_number, ("first", "others[0]", "others[1]")),
        (lambda t, *b: t, ("b[0]", "b[1]", "b[2]")),
        (Shape().curve, ("a", "b", "c")),
        (functools.partial(with_more, spare=2.0), ("a", "b", "c")),
    ],
)
def test_names_given_or_taken(names: Any, expected: Any) -> None:
    found = report(leastsq(residuals, START), names=names)
    assert found.names == expected
    assert all(type(name) is str for name in found.names)


class Reserved:
    """A function that does not tell its arguments."""

    __signature__ = 3

    def __call__(self, *args: Any) -> Any:
        raise AssertionError

    def __repr__(self) -> str:
        return "<what is reserved>"


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["a", "b"], ValueError, "names must be 3, as many as there are parameters, not 2"),
        ("abc", TypeError, "names must be strings or a function, not of type 'str'"),
        (3, TypeError, "names must be strings or a function, not of type 'int'"),
        (["a", "b", 3], TypeError, "names must be strings, and 3 is of type 'int'"),
        (residuals, ValueError, "has 1 arguments after the first, where there are 3 parameters"),
        (Reserved(), ValueError, "names cannot be taken of <what is reserved>, which does not"),
    ],
)
def test_names_that_cannot_be(names: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        report(leastsq(residuals, START), names=names)


# What is no such tuple


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (FULL[0], "fit must be the tuple that leastsq or curve_fit returned, not .*'ndarray'"),
        (list(FULL), "not of type 'list'"),
        (None, "not of type 'NoneType'"),
        ((FULL[0], None), "ier in fit must be an integer, not of type 'NoneType'"),
        ((FULL[0], 1.0), "ier in fit must be an integer, not of type 'float'"),
        ((FULL[0], "good"), "ier in fit must be an integer, not of type 'str'"),
        (("abc", 1), "the parameters in fit must be real numbers, not of dtype <U3"),
        (([1j], 1), "the parameters in fit must be real numbers, not of dtype complex128"),
        ((FULL[0], np.eye(3, dtype=complex)), "the covariance in fit must be real numbers"),
        (full(infodict=None), "infodict in fit must be a dict, not of type 'NoneType'"),
        (full(mesg=1), "mesg in fit must be a str, not of type 'int'"),
        (full(ier=2.5), "ier in fit must be an integer, not of type 'float'"),
        (full(infodict=info(nfev="many")), "nfev in fit must be an integer, not of type 'str'"),
        (full(infodict=info(fvec="none")), "fvec in fit must be real numbers"),
    ],
)
def test_objects_of_other_types(fit: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        report(fit)


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        ((), "fit must have 2 elements, or 5 with full_output, .* not 0"),
        (FULL[:3], "not 3"),
        ((*FULL, 1), "not 6"),
        (([], 1), r"the parameters in fit must be of shape \(N,\), not \(0,\)"),
        ((np.eye(2), 1), r"must be of shape \(N,\), not \(2, 2\)"),
        ((3.0, 1), r"must be of shape \(N,\), not \(\)"),
        ((FULL[0], np.eye(2)), r"covariance in fit must be of shape \(3, 3\), .* not \(2, 2\)"),
        ((FULL[0], np.ones(3)), r"must be of shape \(3, 3\), .* not \(3,\)"),
        (full(cov_x=np.eye(4)), r"must be of shape \(3, 3\), .* not \(4, 4\)"),
        (full(infodict={}), "infodict in fit must have 'fvec'"),
        (full(infodict=info(fvec=np.eye(3))), r"fvec in fit must be of shape \(M,\), not \(3, 3\)"),
        (full(infodict=info(fvec=[])), r"fvec in fit must be of shape \(M,\), not \(0,\)"),
        (full(infodict=info(fvec=[1.0] * 9)), r"fjac in fit must be of shape \(3, 9\), .*\(3, 7\)"),
        (full(infodict=info(ipvt=[1, 1, 2])), "ipvt in fit must be a permutation of 3 columns"),
        (full(infodict=info(ipvt=[2, 3, 4])), "ipvt in fit must be a permutation of 3 columns"),
        (full(infodict=info(ipvt=[1, 2])), "ipvt in fit must be a permutation of 3 columns"),
        (full(infodict={"fvec": FULL[2]["fvec"], "fjac": FULL[2]["fjac"]}), "ipvt in fit"),
    ],
)
def test_tuples_that_are_of_no_fit(fit: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        report(fit)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, np.nan, np.inf])
def test_a_threshold_that_no_correlation_has(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold must"):
        report(FULL, threshold=threshold)
    with pytest.raises(TypeError, match="threshold must be a real number"):
        report(FULL, threshold="high")  # type: ignore[arg-type]
