"""Many fits of a compiled function: threads take them without the GIL."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._compiled import check_buffer

if TYPE_CHECKING:  # numpy.typing would take longer to import than all of pyminpack
    from collections.abc import Callable

    from numpy.typing import NDArray

_PATIENCE = 0.05  # seconds between two looks at the threads


def rows_of(data: Any, functions: list[_core.Compiled], count: int) -> NDArray[Any] | None:
    """Return the data with a row for each fit; None where each fit has what its function has."""
    if data is None:
        for function in functions:
            _require_own(function, count)
        return None
    if isinstance(data, np.ma.MaskedArray):
        raise TypeError("data must not be masked: func sees no mask; give weights for that")
    array = _core.any_array("data", data)
    if array.dtype.kind == "V" and not array.dtype.hasobject:
        fits = array.ndim >= 1 and array.shape[0] == count
    elif isinstance(data, np.ndarray) and array.dtype != np.float64:
        raise TypeError(
            f"data must be float64, or of a structured dtype, and not of {array.dtype}: func gets "
            "the address of the numbers as they are; convert them with data.astype(float), or hand "
            "over what func expects with data.view(numpy.void)"
        )
    else:
        if array.dtype != np.float64:
            array = _core.real_array("data", array)
        fits = array.ndim == 2 and array.shape[0] == count
    if not fits:
        raise ValueError(
            f"data must have shape ({count}, k), a row for each fit, and has shape {array.shape}"
        )
    # The same memory, but an array of our own, whose shape nobody changes while threads read it.
    rows = np.ascontiguousarray(array).view()
    if rows.dtype.kind == "V":
        check_buffer(rows)
    if rows.__array_interface__["data"][0] % 8:  # which NumPy takes for aligned where it is a void
        rows = rows.copy()
    size = rows.nbytes // count
    for function in functions:
        if function.k is not None and size < 8 * function.k:
            raise ValueError(
                f"data are too short: func reads k = {function.k} numbers, and a row has "
                f"{size / 8:g}"
            )
    return rows


def _require_own(function: _core.Compiled, count: int) -> None:
    if function.k is not None and function.data is None:
        raise ValueError(
            f"func reads k = {function.k} numbers of data, and has none; give data, a row for each "
            "fit"
        )
    own = function.data
    if isinstance(own, np.ndarray) and own.ndim == 2 and len(own) == count > 1:
        raise ValueError(
            f"func's own data have shape {own.shape}; if these are rows for the fits, give them to "
            "leastsq_many as data; if all fits share them, give func data.ravel()"
        )


def drive(batch: _core.Batch, workers: int, told: Callable[[int], None]) -> None:
    """Make the fits with so many threads, this one included, and tell how many are done."""
    failures: list[BaseException] = []

    def work(ended: Event) -> None:
        try:
            while batch.run():
                pass
        except BaseException as error:
            failures.append(error)
            batch.stop()
        finally:
            ended.set()

    ends = [Event() for _ in range(workers - 1)]
    threads = [Thread(target=work, args=(ended,)) for ended in ends]

    def gather() -> None:
        for thread, ended in zip(threads, ends, strict=True):
            if thread.ident is not None:  # one that begins only now makes no fit
                ended.wait()
                thread.join()

    try:
        for thread in threads:
            thread.start()
        while batch.run():
            told(batch.done)
        # Not join(): up to Python 3.12 Ctrl-C there makes the thread look as if it had ended.
        for ended in ends:
            while not ended.wait(_PATIENCE):
                told(batch.done)
    except BaseException:
        batch.stop()
        gather()
        raise
    gather()
    if failures:
        raise failures[0]
    told(batch.done)
