"""What a report takes from the tuple of a fit, and what it makes of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from .._messages import type_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Array = NDArray[np.float64]

_CONVERGED = (1, 2, 3, 4)


class Parts(NamedTuple):
    """The tuple of a fit, checked; None is what it does not have."""

    parameters: _Array
    matrix: _Array | None  # cov_x or pcov
    info: Mapping[str, Any] | None
    message: str | None
    ier: int | None


def take_apart(fit: object) -> Parts:
    """Check that `fit` is what `leastsq` or `curve_fit` return, and name what is in it."""
    if not isinstance(fit, tuple):
        raise TypeError(
            f"fit must be the tuple that leastsq or curve_fit returned, not of type {type_of(fit)}"
        )
    if len(fit) not in (2, 5):
        raise ValueError(
            "fit must have 2 elements, or 5 with full_output, as leastsq and curve_fit return "
            f"them, not {len(fit)}"
        )
    parameters = _core.real_array("the parameters in fit", fit[0])
    if parameters.ndim != 1 or parameters.size == 0:
        raise ValueError(
            f"the parameters in fit must be of shape (N,), not {parameters.shape}; "
            "is it what leastsq or curve_fit returned?"
        )
    n = parameters.size
    if len(fit) == 5:
        _, matrix, info, message, ier = fit
        if not isinstance(info, Mapping):
            raise TypeError(f"infodict in fit must be a dict, not of type {type_of(info)}")
        if not isinstance(message, str):
            raise TypeError(f"mesg in fit must be a str, not of type {type_of(message)}")
        message = " ".join(message.split())
        matrix = None if matrix is None else _matrix(matrix, n)
        return Parts(parameters, matrix, info, message, _core.read_integer("ier in fit", ier))
    second = fit[1]
    if _core.any_array("the second in fit", second).ndim == 0:
        return Parts(parameters, None, None, None, _core.read_integer("ier in fit", second))
    return Parts(parameters, _matrix(second, n), None, None, None)


def _matrix(matrix: Any, n: int) -> _Array:
    found = _core.real_array("the covariance in fit", matrix)
    if found.shape != (n, n):
        raise ValueError(
            f"the covariance in fit must be of shape ({n}, {n}), as there are {n} parameters, "
            f"not {found.shape}"
        )
    return found


def evaluate(parts: Parts, absolute_sigma: bool) -> dict[str, Any]:
    """Return what is made of the tuple, by the names that the attributes of `Report` have."""
    norm, freedom = _residuals(parts)
    # The root of the reduced chi-square.
    scale = norm / freedom**0.5 if norm is not None and freedom and freedom > 0 else None
    matrix, units, errors_from = _covariance(parts, absolute_sigma, scale)
    with np.errstate(all="ignore"):  # infinities and NaN are results here
        deviations = np.sqrt(np.diag(matrix))
        correlation = np.clip(matrix / deviations / deviations[:, np.newaxis], -1.0, 1.0)
        correlation[np.diag_indices_from(matrix)] = deviations / deviations  # 1, or NaN
        standard_errors = deviations * units
        covariance = matrix * units * np.reshape(units, (-1, 1))
    nfev, njev = _count(parts, "nfev"), _count(parts, "njev")
    iterations, at_most = _iterations(parts, nfev, njev)
    return {
        "standard_errors": standard_errors,
        "covariance": covariance,
        "correlation": correlation,
        "errors_from": errors_from,
        "chi_square": None if norm is None else _square(norm),
        "reduced_chi_square": None if scale is None else _square(scale),
        "degrees_of_freedom": freedom,
        "iterations": iterations,
        "iterations_at_most": at_most,
        "nfev": nfev,
        "njev": njev,
    }


def _square(x: float) -> float:
    return x * x  # x**2 would raise where this is infinite


def _by_minpack(parts: Parts) -> bool:
    """Whether infodict is MINPACK's; that of SciPy's other solvers has residuals and nfev."""
    return parts.info is not None and "fjac" in parts.info


def _residuals(parts: Parts) -> tuple[float | None, int | None]:
    """Return the norm of the residuals and the degrees of freedom; None is not known."""
    if parts.info is None:
        return None, None
    if "fvec" not in parts.info:
        raise ValueError("infodict in fit must have 'fvec', as full_output gives it")
    fvec = _core.real_array("fvec in fit", parts.info["fvec"])
    if fvec.ndim != 1 or fvec.size == 0:
        raise ValueError(f"fvec in fit must be of shape (M,), not {fvec.shape}")
    freedom = fvec.size - parts.parameters.size
    if parts.ier == 0:  # improper input: there was no fit, and fvec is zero
        return None, freedom
    # Divided by the largest, no square overflows or underflows.
    largest = float(np.abs(fvec).max())
    if largest == 0.0 or not np.isfinite(largest):
        return largest, freedom
    return largest * float(np.linalg.norm(fvec / largest)), freedom


def _covariance(
    parts: Parts, absolute_sigma: bool, scale: float | None
) -> tuple[_Array, _Array | float, str]:
    """Return the covariance in units of its own, the units of the parameters, and its origin."""
    unknown = np.full((parts.parameters.size,) * 2, np.nan)
    if parts.info is None and parts.matrix is None:
        return unknown, 1.0, "not known: leastsq gives them with full_output=True"
    matrix = unknown if parts.matrix is None else parts.matrix
    matrix = np.where(np.isfinite(matrix), matrix, np.nan)
    nothing = bool(np.isnan(matrix).all())
    if not _by_minpack(parts):
        return matrix, 1.0, "not known: pcov is not finite" if nothing else "as in pcov"
    # The factors of a Jacobian that is not at a minimum count where the tuple says so.
    if nothing and parts.ier not in _CONVERGED:
        return unknown, 1.0, "not known: the fit did not converge"
    inverse, units = _from_factors(parts)
    if inverse is None:
        return unknown, 1.0, "not known: the Jacobian has not full rank"
    if absolute_sigma:
        return inverse, units, "not scaled (absolute_sigma=True)"
    if scale is None:
        return unknown, 1.0, "not known: there are as many parameters as data"
    return inverse, units * scale, "scaled by the root of the reduced chi-square"


def _from_factors(parts: Parts) -> tuple[_Array | None, _Array]:
    """
    Return the inverse of J'J from infodict, in units that are powers of 2, and the units.

    In units in which the columns of J are about 1 nothing overflows. The inverse is None if J has
    not full rank.
    """
    assert parts.info is not None
    n, m = parts.parameters.size, _core.real_array("fvec in fit", parts.info["fvec"]).size
    fjac = _core.real_array("fjac in fit", parts.info["fjac"])
    if fjac.shape != (n, m) or m < n:
        raise ValueError(f"fjac in fit must be of shape ({n}, {max(m, n)}), not {fjac.shape}")
    order = _permutation(parts.info.get("ipvt"), n)
    r = np.tril(fjac[:, :n])  # row j is column j of R
    _, exponents = np.frexp(np.abs(r).max(axis=1))
    inverse = _core.covariance(np.ldexp(r, -exponents[:, np.newaxis]), (order + 1).astype(np.intc))
    units = np.empty(n)
    units[order] = np.ldexp(1.0, -exponents)
    return inverse, units


def _permutation(ipvt: Any, n: int) -> NDArray[np.intp]:
    """Return ipvt counted from 0, as SciPy has it since 1.15; MINPACK counts from 1."""
    found = _core.any_array("ipvt in fit", ipvt)
    if found.dtype.kind in "iuf":
        found = _core.real_array("ipvt in fit", found)
        for first in (0, 1):
            if np.array_equal(np.sort(found, axis=None), np.arange(first, first + n)):
                return found.astype(np.intp) - first
    raise ValueError(f"ipvt in fit must be a permutation of {n} columns, not {ipvt!r}")


def _count(parts: Parts, key: str) -> int | None:
    if parts.info is None or parts.info.get(key) is None:
        return None
    return _core.read_integer(f"{key} in fit", parts.info[key])


def _iterations(parts: Parts, nfev: int | None, njev: int | None) -> tuple[int | None, int | None]:
    """Return the number of iterations if it is known, and what it is at most."""
    if nfev is None or not _by_minpack(parts):
        return None, None
    if njev is not None:
        return njev, njev
    # Each takes N calls for the differences, and all but the last at least one for a step; one
    # more call is that at the start.
    at_most = nfev // (parts.parameters.size + 1)
    return (0 if at_most == 0 else None), at_most


def names_of(names: Iterable[str] | Callable[..., Any] | None, n: int) -> tuple[str, ...]:
    """Return n names: those given, those of a model's arguments, or p[0], p[1], ..."""
    if names is None:
        return tuple(f"p[{j}]" for j in range(n))
    if callable(names):
        return _names_of_arguments(names, n)
    if isinstance(names, (str, bytes)) or not isinstance(names, Iterable):
        raise TypeError(f"names must be strings or a function, not of type {type_of(names)}")
    found = list(names)
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"names must be strings, and {name!r} is of type {type_of(name)}")
    if len(found) != n:
        raise ValueError(f"names must be {n}, as many as there are parameters, not {len(found)}")
    return tuple(str(name) for name in found)  # of NumPy's str_ too


def _names_of_arguments(model: Callable[..., Any], n: int) -> tuple[str, ...]:
    try:
        arguments = inspect.signature(model).parameters.values()
    except (TypeError, ValueError):
        raise ValueError(
            f"names cannot be taken of {model!r}, which does not tell its arguments"
        ) from None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    # The first of them is xdata.
    names = [each.name for each in arguments if each.kind in positional][1 : n + 1]
    for each in arguments:
        if each.kind is inspect.Parameter.VAR_POSITIONAL:
            names += [f"{each.name}[{j}]" for j in range(n - len(names))]
    if len(names) != n:
        raise ValueError(
            f"names cannot be taken of {model!r}, which has {len(names)} arguments after the "
            f"first, where there are {n} parameters"
        )
    return tuple(names)
