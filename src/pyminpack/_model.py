"""The model of `curve_fit`: how many parameters f has, and what f and jac return."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core

if TYPE_CHECKING:  # numpy.typing would take longer to import than all of pyminpack
    from collections.abc import Callable

    from numpy.typing import NDArray

    _Array = NDArray[np.float64]

_UNABLE = "Unable to determine number of fit parameters."


def count_parameters(f: Callable[..., Any]) -> int:
    """Return how many parameters f takes after xdata, those with defaults included."""
    # What Python functions are asked takes no import; a wrapper has something in its __dict__.
    if type(f) is FunctionType and not f.__dict__ and f.__code__.co_argcount > 1:
        return f.__code__.co_argcount - 1
    import inspect

    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{_UNABLE} {error}. Give p0, a value for each of them to start from."
        ) from error
    kinds = [parameter.kind for parameter in parameters]
    count = kinds.count(inspect.Parameter.POSITIONAL_ONLY)
    count += kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if count > 1:
        return count - 1
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        raise ValueError(
            f"{_UNABLE} f takes any number of them. Give p0, a value for each to start from."
        )
    raise ValueError(f"{_UNABLE} f must take xdata and at least one of them, and takes {count}.")


def jacobian_of(
    jac: Callable[..., Any], xdata: Any, m: int, n: int, weights: _Array | None, col_deriv: Any
) -> Callable[[_Array], NDArray[Any]]:
    """Return the weighted Jacobian as a function of the parameters, for leastsq."""
    shape = (n, m) if col_deriv else (m, n)

    def jacobian(p: _Array) -> NDArray[Any]:
        values, _ = _core.returned_array("jac", jac(xdata, *p))
        if values.shape != shape:
            if n > 1 or values.shape != (m,):
                raise jacobian_mismatch("curve_fit", jac, shape, values.shape)
            values = values.reshape(shape)
        if weights is None:
            return values
        if weights.ndim == 2:
            return values @ weights.T if col_deriv else weights @ values
        return values * (weights if col_deriv else weights[:, np.newaxis])

    return jacobian


def jacobian_mismatch(
    caller: str, jac: Callable[..., Any], shape: tuple[int, ...], found: tuple[int, ...]
) -> TypeError:
    """Return the exception for a Jacobian of the wrong shape."""
    name = getattr(jac, "__name__", None)
    return TypeError(
        f"{caller}: there is a mismatch between the input and output shape of the 'jac' argument"
        f"{'' if name is None else f' {name!r}'}. Shape should be {shape} but it is {found}."
    )
