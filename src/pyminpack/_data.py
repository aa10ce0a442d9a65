"""The data of `curve_fit`: what is numbers becomes float64, what is NaN is refused or left out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._messages import type_of

if TYPE_CHECKING:  # numpy.typing would take longer to import than all of pyminpack
    from numpy.typing import NDArray

    _Array = NDArray[np.float64]
    _Mask = NDArray[np.bool_]

_FLOAT64 = np.dtype(np.float64)


def as_ydata(ydata: Any) -> _Array:
    """Return a copy of ydata as a vector of float64."""
    y = _core.data_array("ydata", ydata)
    if y.ndim == 0:
        y = y.reshape(1)
    if y.ndim != 1:
        raise ValueError(
            f"ydata must be one-dimensional, and has shape {y.shape}; ravel() it and what f returns"
        )
    if y.size == 0:
        raise ValueError("ydata must not be empty")
    return y


def prepare_data(
    xdata: Any, ydata: Any, check_finite: Any, nan_policy: Any
) -> tuple[Any, _Array, _Mask | None]:
    """
    Return xdata and ydata (M,) as the fit takes them, and which of the points these are.

    The mask is None if no point was left out.
    """
    if nan_policy is not None:
        _require_policy(nan_policy)
    x, y = _core.xdata_array(xdata), as_ydata(ydata)
    if nan_policy is None if check_finite is None else check_finite:
        _require_finite("xdata", x)
        _require_finite("ydata", y)
    if nan_policy is None:
        return x, y, None
    if nan_policy == "raise":
        _require_no_nan("xdata", _where_nan(x))
        _require_no_nan("ydata", np.isnan(y))
        keep = None
    else:
        x, y, keep = _omit_nan(x, y)
    _require_finite_under(nan_policy, y)
    return x, y, keep


def _require_finite_under(nan_policy: Any, y: _Array) -> None:
    """Refuse infinity in ydata, which no policy for NaN leaves out."""
    if (infinite := np.isinf(y)).any():
        raise ValueError(
            f"ydata contains infinity ({np.count_nonzero(infinite)} times), and "
            f"nan_policy={nan_policy!r} is about NaN only; leave these points out before"
        )


def _require_policy(nan_policy: object) -> None:
    if not isinstance(nan_policy, str) or nan_policy not in ("raise", "omit", "propagate"):
        raise ValueError(f"nan_policy must be one of {{None, 'raise', 'omit'}}, not {nan_policy!r}")
    if nan_policy == "propagate":
        raise ValueError(
            "`nan_policy='propagate'` is not supported by this function; check_finite=False lets "
            "NaN pass"
        )


def _require_finite(name: str, array: Any) -> None:
    if type(array) is not np.ndarray or array.dtype.kind not in "fc" or _is_finite(array):
        return
    where = _first(~np.isfinite(array))
    raise ValueError(
        f"{name} must not contain infs or NaNs, and {name}{where} is {array[tuple(where)]}; "
        "check_finite=False lets them pass, nan_policy='omit' leaves NaNs out"
    )


def _is_finite(array: NDArray[Any]) -> bool:
    flags = array.flags
    is_plain = array.dtype is _FLOAT64 and flags.c_contiguous and flags.aligned
    # The sum is quicker than to look at each, and tells unless it overflows.
    if is_plain and math.isfinite(_core.sum_of_squares(array)):
        return True
    return bool(np.isfinite(array).all())


def _first(mask: _Mask) -> list[int]:
    return [int(i) for i in np.argwhere(mask)[0]]


def _where_nan(xdata: Any) -> _Mask | None:
    """Return where xdata, or the array that it gives of itself, is NaN; None if it cannot be."""
    if not hasattr(xdata, "__array__"):
        return None
    values = _core.any_array("xdata", xdata)
    return np.isnan(values) if values.dtype.kind in "fcmM" else None


def _require_no_nan(name: str, nan: _Mask | None) -> None:
    if nan is not None and nan.any():
        raise ValueError(
            f"The input contains nan values: {name}{_first(nan)} is NaN, and nan_policy is 'raise'"
        )


def _omit_nan(x: Any, y: _Array) -> tuple[Any, _Array, _Mask | None]:
    """Leave out the points where xdata or ydata is NaN, as prepare_data returns them."""
    nan = np.isnan(y)
    in_x = _where_nan(x)
    if in_x is not None and in_x.any():
        axis = _axis_of_points(x, in_x.shape, y.size)
        others = tuple(i for i in range(in_x.ndim) if i != axis)
        # A single y stands for that of every point.
        nan = nan | in_x.any(axis=others)
    if not nan.any():
        return x, y, None
    keep = ~nan
    return _kept(x, keep), np.broadcast_to(y, keep.shape)[keep], keep


def _axis_of_points(x: Any, shape: tuple[int, ...], m: int) -> int:
    """Return along which axis of xdata the points lie."""
    if isinstance(x, np.ndarray):
        last = len(shape) - 1
        if shape and (m == 1 or shape[last] == m):
            return last
    if shape and shape[0] == m:
        return 0
    raise ValueError(
        f"nan_policy='omit' has to know the points of xdata, and none of its first and last axis "
        f"is as long as ydata: the shapes are {shape} and ({m},)"
    )


def _kept(x: Any, keep: _Mask) -> Any:
    """Return the points of xdata that are not left out."""
    if isinstance(x, np.ndarray):
        axis = _axis_of_points(x, x.shape, keep.size)
        return x[(slice(None),) * axis + (keep,)]
    if isinstance(x, (list, tuple)) and len(x) == keep.size:
        chosen = [item for item, kept in zip(x, keep.tolist(), strict=True) if kept]
        return chosen if isinstance(x, list) else tuple(chosen)
    if hasattr(x, "__array__"):
        return x[keep]
    raise ValueError(
        f"nan_policy='omit' cannot leave points out of xdata of type {type_of(x)}; do it before"
    )


def weights_of(sigma: Any, m: int, keep: _Mask | None) -> _Array:
    """
    Return what residuals are multiplied by: a vector (M,), or of a 2-D sigma a matrix (M, M).

    `m` points are fitted; where some were left out, `keep` says of all which they are.
    """
    array = _core.real_array("sigma", sigma, True)
    if array.ndim <= 1 and array.size == 1:
        return _inverse(np.full(m, array))
    if keep is not None:
        m = keep.size
    if array.shape == (m,):
        return _inverse(array if keep is None else array[keep])
    if array.shape == (m, m):
        return _whitening(array if keep is None else array[np.ix_(keep, keep)])
    raise ValueError(
        f"`sigma` has incorrect shape: {array.shape}; it must be a scalar or have shape "
        f"({m},) or ({m}, {m})"
    )


def _inverse(deviations: _Array) -> _Array:
    with np.errstate(divide="ignore", over="ignore"):
        weights = 1.0 / deviations
    if not _is_finite(weights):
        wrong = deviations[np.isfinite(weights).argmin()]
        raise ValueError(f"sigma must not contain zeros or NaNs, and contains {wrong}")
    return weights


def _whitening(covariance: _Array) -> _Array:
    """Return the inverse of the Cholesky factor, which makes residuals uncorrelated."""
    if not _is_finite(covariance):
        raise ValueError("sigma must not contain infs or NaNs where it is a covariance matrix")
    size = np.sqrt(np.abs(covariance.diagonal()))
    if (np.abs(covariance - covariance.T) > 1e-8 * np.outer(size, size)).any():
        raise ValueError("sigma must be symmetric where it is a covariance matrix")
    try:
        factor = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        raise ValueError(
            "`sigma` must be positive definite where it is a covariance matrix: "
            f"its least eigenvalue is {np.linalg.eigvalsh(covariance)[0]:.3g}"
        ) from None
    # Of an upper triangle LAPACK exchanges no rows, so this is substitution and nothing else.
    inverse: _Array = np.linalg.inv(factor.T).T
    return inverse
