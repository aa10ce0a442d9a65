"""Fit an image stack that may be larger than memory with dask, in processes.

Run `python examples/dask_stack.py --help` for its arguments. Each process fits a block of pixels at
a time, with the bits that one call for all pixels would give. The stack is that of `pixel_map.py`.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import dask.array as da
import numpy as np
from numpy.typing import NDArray
from pixel_map import ECHOES, Fits, fit_maps, guesses, make_phantom

from pyminpack import compiled, leastsq_many

if TYPE_CHECKING:
    from pyminpack._core import Compiled

Array = NDArray[np.float64]

# What is found for each pixel, as `Fits` has it.
PLANES: Final = ("decay time", "its error", "ier")


# dask sends functions to its processes by name, so they stand at the top of a module. A block has
# all times of some pixels (M, r, c), and becomes their PLANES (3, r, c).
def fit_block(block: Array) -> Array:
    """Fit the pixels of a block with NumPy."""
    return np.stack(fit_maps(block))


def fit_block_compiled(block: Array, library: str) -> Array:
    """Fit the pixels of a block with the function of `decay.c`, in a shared library."""
    # An address means nothing in another process: each finds the function for itself.
    m = len(block)
    residuals = compiled(ctypes.CDLL(library).decay, m, jac=True, k=2 * m)
    return np.stack(fit_maps(block, functools.partial(fit_rows_compiled, residuals)))


def fit_rows_compiled(residuals: Compiled, signals: Array) -> Fits:
    """Fit a decay to each row of `signals` (B, M), where NaN is missing, without Python."""
    there = np.isfinite(signals)
    fits = leastsq_many(
        residuals,
        guesses(signals),
        data=np.hstack([np.broadcast_to(ECHOES, signals.shape), signals]),
        weights=there,
        cov_x=True,
    )
    assert fits.cov_x is not None
    freedom = np.maximum(there.sum(axis=1) - fits.x.shape[1], 1)  # a dead pixel has none
    error = fits.fnorm * np.sqrt(fits.cov_x[:, 1, 1] / freedom)
    return Fits(fits.x[:, 1], np.where(fits.success, error, np.inf), fits.ier)


def fit_stack(stack: da.Array, fit: Callable[[Array], Array] = fit_block) -> da.Array:
    """Return the PLANES (3, rows, columns) of a stack (M, rows, columns), to be computed."""
    # A pixel is never cut: its times are all in one block.
    pixels = stack.rechunk({0: -1})
    chunks = ((len(PLANES),), *pixels.chunks[1:])
    planes: da.Array = pixels.map_blocks(fit, chunks=chunks, meta=np.empty((0, 0, 0)))
    return planes


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit the stack and print how many pixels converged, and what the decay times are."""
    options = _parser().parse_args(arguments)
    stack = da.from_array(make_phantom(options.size).stack, chunks=(-1, *2 * (options.block,)))
    fit: Callable[[Array], Array] = fit_block
    if options.library:
        fit = functools.partial(fit_block_compiled, library=options.library)
    planes = fit_stack(stack, fit)
    found = planes.compute(scheduler="processes", num_workers=options.workers)
    print("\n".join(report(found)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Fit a decay to each pixel of a stack with dask.")
    parser.add_argument(
        "--size", metavar="N", type=int, default=96, help="rows and columns (default: 96)"
    )
    parser.add_argument(
        "--block", metavar="N", type=int, default=32, help="those of a block (default: 32)"
    )
    parser.add_argument("--workers", metavar="N", type=int, help="default: dask's own")
    parser.add_argument(
        "--library",
        metavar="PATH",
        help="shared library of examples/decay.c, to fit without Python (default: fit with NumPy)",
    )
    return parser


def report(planes: Array) -> Iterator[str]:
    """Yield how many fits converged, and a row a plane: its quartiles where they did."""
    ier = planes[-1]
    converged = (ier >= 1) & (ier <= 4)
    yield f"{converged.sum()} of {(ier != 0).sum()} fits converged"
    row = "{:10}  {:>7}  {:>7}  {:>7}"
    yield row.format("", "25 %", "median", "75 %")
    for name, plane in zip(PLANES[:-1], planes[:-1], strict=True):
        quartiles = np.percentile(plane[converged], [25, 50, 75])
        yield row.format(name, *(f"{value:.2f}" for value in quartiles))


# Processes import this file, too.
if __name__ == "__main__":
    raise SystemExit(main())
