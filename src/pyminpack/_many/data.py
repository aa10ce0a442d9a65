"""The data of `curve_fit_many`: which of them are there, and what their residuals weigh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from .._data import (
    _axis_of_points,
    _inverse,
    _require_finite,
    _require_finite_under,
    _require_no_nan,
    _require_policy,
    _where_nan,
)
from . import as_weights

if TYPE_CHECKING:  # numpy.typing would take longer to import than all of pyminpack
    from numpy.typing import NDArray

    _Table = NDArray[np.float64]
    _Mask = NDArray[np.bool_]


class Data(NamedTuple):
    """What all fits are made to."""

    xdata: Any
    ydata: _Table  # (B, M); 0 where there is no datum
    weights: _Table | None  # (1 or B, M): of the residuals; 0 where there is no datum
    there: _Mask | None  # (1 or B, M): where there are data; None: everywhere

    def sizes(self) -> NDArray[np.intp]:
        """Return how many data each fit has, shape (B,)."""
        count, m = self.ydata.shape
        if self.there is None:
            return np.full(count, m)
        return np.broadcast_to(self.there.sum(axis=1), count)


def prepare_tables(
    xdata: Any, ydata: Any, sigma: Any, weights: Any, check_finite: Any, nan_policy: Any
) -> Data:
    """Return the data and weights as the fits take them, after the checks of `curve_fit`."""
    if nan_policy is not None:
        _require_policy(nan_policy)
    x, y = _core.xdata_array(xdata), _as_table(ydata)
    factors = None if weights is None else as_weights(weights, *y.shape)
    there = None if factors is None or factors.all() else factors != 0.0
    _blank(y, there)
    if nan_policy is None if check_finite is None else check_finite:
        _require_finite("xdata", x)
        _require_finite("ydata", y)
    if nan_policy == "raise":
        _require_no_nan("xdata", _where_nan(x))
        _require_no_nan("ydata", np.isnan(y))
    elif nan_policy is not None and (nan := _nan_in(x, y)).any():
        there = ~nan if there is None else there & ~nan
        _blank(y, there)
    if nan_policy is not None:
        _require_finite_under(nan_policy, y)
    deviations = None if sigma is None else _deviations(sigma, *y.shape)
    return Data(x, y, _table_of_weights(deviations, factors, there), there)


def _as_table(ydata: Any) -> _Table:
    """Return a copy of ydata as a table of float64."""
    y = _core.data_array("ydata", ydata)
    if y.ndim != 2:
        hint = "; curve_fit makes a single fit" if y.ndim == 1 else "; reshape it to rows"
        raise ValueError(
            f"ydata must have shape (B, M), a row for each fit, and has shape {y.shape}{hint}"
        )
    if y.size == 0:
        raise ValueError(f"ydata must not be empty, and has shape {y.shape}")
    return y


def _blank(y: _Table, there: _Mask | None) -> None:
    """Make what is no datum zero, for the checks and for the residuals."""
    if there is not None:
        np.copyto(y, 0.0, where=~there)


def _nan_in(x: Any, y: _Table) -> _Mask:
    """Return the data that are NaN, or belong to a point of xdata that is, shape (B, M)."""
    nan: _Mask = np.isnan(y)
    in_x = _where_nan(x)
    if in_x is not None and in_x.any():
        axis = _axis_of_points(x, in_x.shape, y.shape[1])
        others = tuple(i for i in range(in_x.ndim) if i != axis)
        nan |= in_x.any(axis=others)
    return nan


def _deviations(sigma: Any, count: int, m: int) -> _Table:
    """Return sigma as a table (1 or B, M)."""
    deviations = _core.real_array("sigma", sigma, True)
    if deviations.ndim <= 1 and deviations.size == 1:
        return np.full((1, m), deviations)
    if deviations.shape == (m,):
        return deviations.reshape(1, m)
    if deviations.shape in ((count, m), (count, 1)):
        return np.broadcast_to(deviations, (count, m))
    hint = ""
    if deviations.shape == (m, m):
        hint = ". Covariance matrices of data are not for many fits; curve_fit takes them"
    raise ValueError(
        f"`sigma` has incorrect shape: {deviations.shape}; it must be a scalar or have shape "
        f"({m},), ({count}, {m}) or ({count}, 1){hint}"
    )


def _table_of_weights(
    deviations: _Table | None, factors: _Table | None, there: _Mask | None
) -> _Table | None:
    """Return what residuals are multiplied by, a C-contiguous table (1 or B, M); None: nothing."""
    if deviations is None:
        if factors is None:
            return None if there is None else there.astype(np.float64)
        table = factors
    else:
        # What is no datum may have any sigma.
        known = deviations if there is None else np.where(there, deviations, 1.0)
        table = _inverse(known.ravel()).reshape(known.shape)
        if factors is not None:
            with np.errstate(over="ignore", under="ignore"):
                table = table * factors
    return table if there is None else np.where(there, table, 0.0)
