"""The section of docs/performance.md on compiled functions and many fits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyminpack.compare.tables import as_markdown

from .loads import GPUFIT
from .many import LEAST_SHARE
from .many_report import CPUFIT, losses_of_many, many_runs, tables_of_many
from .report import title_of

HEADING = "## Compiled functions and many fits\n"

INTRODUCTION = """\
Thousands of fits of one model, each to data of its own: `leastsq_many` and `curve_fit_many` in one
call, and loops of `leastsq` and `curve_fit`, pyminpack's and SciPy's.
`{command}` measured it and wrote this section.

- Machine: {processor}, {cores} cores; {system}.
  All runs in one thread but what says *2 workers*.
- pyminpack {version}; {compilers}.
"""

METHOD = """\
### What is timed

- *Gaussian peaks* is the task that Gpufit is timed with: a peak on an offset on 5 by 5 pixels with
  Poisson's noise, 5 parameters, exact derivatives, tolerances of {ftol:g}, at most {iterations}
  iterations. For Cpufit, the same on a processor in float32, {least:,} to {most:,} fits per second
  are published, on other machines; all here is float64.
- The compiled peak is `benchmarks/gaussian.c`, with `cc -O3`. In C and in NumPy the exponential is
  that of a row times that of a column: ten exponentials for 25 pixels.
- *exponentials* are three parameters and 50 points, *by differences* and *with a Jacobian*.
- Loops call `leastsq` or `curve_fit` for each fit and keep its result; *leastsq, compiled* makes a
  `compiled` for each fit's data first. A loop's time for a fit is that of the first fits, as many
  as the tables say.
- `curve_fit` and `curve_fit_many` compute the covariances too; the others do not.
- *agree* is the part of the fits compared that take as many evaluations as with `leastsq`, and come
  to its `x` but for 1e-7 of its size; fewer than {share:.1%}, and nothing is timed. *same bits* is
  the part with its very bits, which depend on the exponentials of NumPy and of C, too. All ways
  with the compiled function have to come to the same bits.
- The compiled Rosenbrock is one fit, with `leastsq` from Python, and with Argonne's library called
  from C.
"""

WHERE_NOT = """\
### Where many fits in one call do not win

One call for a few fits costs more than a loop: it has arrays to set up, and threads to start. The
vectorised form calls NumPy as often as the fit that takes the most steps does; where func takes
its time for large arrays, the memory is the limit and not Python. In the compiled form the model is
a small part: most of the time goes into MINPACK's own sums, which are made from left to right for
the sake of Argonne's bits. Who needs neither these nor float64 gets more from a GPU.
"""

PICTURES = {
    "bench-peaks.png": "Gaussian peaks a second, against the number of fits",
    "bench-exponentials.png": "Exponentials a second, against the number of fits",
}


def where_not(results: dict[str, Any]) -> Iterable[str]:
    yield WHERE_NOT
    for run in reversed(many_runs(results)):
        if sentences := list(losses_of_many(run)):
            yield f"With {title_of(run)}, as measured:\n"
            yield from (f"- {sentence}" for sentence in sentences)
            yield ""


def section(results: dict[str, Any], pictures: list[Path], introduced: dict[str, Any]) -> str:
    """Return the section; `introduced` is what the page's own introduction tells."""
    method = METHOD.format(
        ftol=GPUFIT["ftol"], iterations=GPUFIT["maxfev"] - 1, least=CPUFIT[0], most=CPUFIT[1],
        share=LEAST_SHARE,
    )  # fmt: skip
    parts = [HEADING, INTRODUCTION.format(**introduced)]
    parts += [f"![{PICTURES[path.name]}](images/{path.name})\n" for path in pictures]
    parts += [method, *where_not(results)]
    for run in reversed(many_runs(results)):
        parts.append(f"### {title_of(run)}\n")
        for title, rows in tables_of_many(run):
            parts.append(f"#### {title}\n\n{as_markdown(rows)}\n")
    return "\n".join(parts).rstrip() + "\n"
