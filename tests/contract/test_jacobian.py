"""What `Dfun` may return, row by row: forms, orientation and shape."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from bits import Counted, assert_same_bits, packed
from linear import LINEAR_START, linear
from rosenbrock import START, WITH_JACOBIAN, fit, read_only, rosenbrock, rosenbrock_jacobian
from wrappers import ArrayLike, Subclass

from pyminpack import leastsq

pytestmark = [pytest.mark.shim, pytest.mark.callbacks]


def transposed(x: Any) -> Any:
    return rosenbrock_jacobian(x).T


JACOBIAN_FORMS: list[Callable[[Any], Any]] = [
    np.asfortranarray,
    np.ndarray.tolist,
    lambda J: tuple(map(tuple, J.tolist())),
    lambda J: np.repeat(np.repeat(J, 2, 0), 3, 1)[::2, ::3],
    lambda J: J[::-1, ::-1].copy()[::-1, ::-1],
    lambda J: J.astype(">f8"),
    lambda J: J.astype(object),
    lambda J: J.astype(np.longdouble),
    lambda J: J.view(Subclass),
    lambda J: ArrayLike(J),
    lambda J: [row.tolist() for row in J],
    read_only,
]


@pytest.mark.parametrize("form", JACOBIAN_FORMS)
@pytest.mark.parametrize("col_deriv", [False, True])
def test_jacobians_of_any_real_form_in_both_orientations(form: Any, col_deriv: bool) -> None:
    def dfun(x: Any) -> Any:
        return form(transposed(x) if col_deriv else rosenbrock_jacobian(x))

    assert_same_bits(fit(rosenbrock, Dfun=dfun, col_deriv=col_deriv), WITH_JACOBIAN)


@pytest.mark.parametrize("m", [1, 5, 63, 64, 65, 200])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_jacobian_lands_where_it_belongs_at_any_size(m: int, n: int) -> None:
    m = max(m, n)
    matrix = np.random.default_rng(m * n).normal(size=(m, n))
    target = matrix @ np.arange(1.0, n + 1.0)
    fits = [
        packed(
            leastsq(
                lambda x: matrix @ x - target,
                np.zeros(n),
                Dfun=lambda x, J=J: J,
                col_deriv=c,
                full_output=True,
            )
        )
        for J, c in [
            (matrix, 0),
            (np.asfortranarray(matrix), 0),
            (matrix.T, 1),
            (np.ascontiguousarray(matrix.T), 1),
        ]
    ]
    np.testing.assert_allclose(fits[0]["x"], np.arange(1.0, n + 1.0), rtol=1e-9)
    for other in fits[1:]:
        assert_same_bits(other, fits[0])


@pytest.mark.parametrize("shape", [(2, 3), (3, 3), (2, 2), (3,), (2,), (6,), (), (3, 2, 1), (0, 2)])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_dfun_of_the_wrong_shape_at_every_call(shape: tuple[int, ...], call: int) -> None:
    def dfun(x: Any) -> Any:
        return np.ones(shape) if jacobian.calls == call else rosenbrock_jacobian(x)

    jacobian = Counted(dfun)

    def slope(x: Any) -> Any:
        return jacobian(x)

    message = (
        "leastsq: there is a mismatch between the input and output shape of the 'Dfun' argument "
        f"'slope'. Shape should be (3, 2) but it is {shape}."
    )
    with pytest.raises(TypeError) as caught:
        leastsq(rosenbrock, START, Dfun=slope)
    assert str(caught.value) == message
    assert jacobian.calls == call


def test_dfun_of_the_wrong_shape_with_col_deriv() -> None:
    with pytest.raises(TypeError, match=r"'rosenbrock_jacobian'\. Shape should be \(2, 3\) but it"):
        leastsq(rosenbrock, START, Dfun=rosenbrock_jacobian, col_deriv=1)


def test_the_name_is_dropped_when_there_is_none() -> None:
    message = (
        "leastsq: there is a mismatch between the input and output shape of the 'Dfun' argument. "
        "Shape should be (3, 2) but it is (2, 3)."
    )
    with pytest.raises(TypeError) as caught:
        leastsq(rosenbrock, START, Dfun=partial(transposed))
    assert str(caught.value) == message


@pytest.mark.parametrize("shape", [(4, 1), (4,)])
@pytest.mark.parametrize("col_deriv", [0, 1])
def test_for_one_variable_also_a_vector(shape: tuple[int, ...], col_deriv: int) -> None:
    t = np.array([1.0, 2.0, 3.0, 5.0])
    shape = shape[::-1] if col_deriv else shape
    x, ier = leastsq(lambda x: x * t - t, 7.0, Dfun=lambda x: t.reshape(shape), col_deriv=col_deriv)
    assert x[0] == pytest.approx(1.0)
    assert ier in (1, 2, 3, 4)


class Nameless:
    """A Jacobian of the wrong shape, whose name is not to be had either."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, x: Any) -> Any:
        return np.ones((7, 7))

    @property
    def __name__(self) -> str:
        raise self.error


def test_the_name_of_a_function_may_be_missing_but_not_broken() -> None:
    with pytest.raises(TypeError, match=r"'Dfun' argument\. Shape should be \(5, 3\) but it is"):
        leastsq(linear, LINEAR_START, Dfun=Nameless(AttributeError("none")))
    with pytest.raises(KeyError, match="broken"):
        leastsq(linear, LINEAR_START, Dfun=Nameless(KeyError("broken")))
