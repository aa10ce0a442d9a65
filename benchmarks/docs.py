"""docs/performance.md, from the results of a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyminpack.compare.tables import as_markdown

from .many_docs import HEADING, section
from .many_pictures import draw_many
from .many_report import many_runs
from .pictures import draw_all
from .report import losses, scipy_of, single_runs, tables_of, title_of

INTRODUCTION = """\
# Performance

How long fits take with pyminpack, with SciPy, with Argonne's library and no Python at all, and with
what else one would take. `{command}` measured it and wrote this page.

- Machine: {processor}, {cores} cores; {system}. All that is compared runs in one thread.
- pyminpack {version}; {compilers}; instruction set of the blocked factorisation: {instructions}.
"""

METHOD = """\
## How it is measured

- Before anything is timed, all contestants solve all problems and the results are compared. Of
  programs that run MINPACK's algorithm, `x` and `cov_x` have to agree to 1e-7 of their size, and
  the numbers of evaluations exactly; others stop by rules of their own, and have to agree to 1e-4.
  When a result differs, nothing is timed.
- All contestants of one interpreter are in one process and take turns; the tables use the least
  time of each. Ratios are only formed between times of one run. SciPy 1.14.1, the last with MINPACK
  in Fortran, cannot be in one process with the newest: it has a run of its own, with pyminpack in
  it. The pictures show the run with the newest SciPy, and from the other one only SciPy.
- The linear problems look up residuals and Jacobian instead of computing them, so that the solver
  is timed and not the user's functions. Each takes two Jacobians.
- *func alone* is the time of the calls to func and Dfun that a fit makes, without a solver.
- *Argonne in C* is Argonne's compiled library with the residuals in C: a floor for small fits,
  where Python's function calls are most of the time.
- *numpy qr* is as many calls of `numpy.linalg.qr(mode="r")` as the fit has Jacobians: no pivots,
  no fit.
- *pyminpack qr=minpack* keeps Argonne's bits at any size; plain *pyminpack* chooses by size
  (`qr="auto"`).
- *curve_fit* of pyminpack and of SciPy do the same fit from the model and the data, and return the
  covariance too.
"""

WHERE_NOT = """\
## Where pyminpack does not win

What *func alone* takes no solver can save: where func is slow, all solvers in Python are equally
fast. Argonne's library called from C shows what Python costs. Where Argonne's bits are asked for
with `qr="minpack"`, the column-by-column algorithm is all that is left.
"""

PICTURES = {
    "bench-m.png": "Seconds for a fit against the number of rows",
    "bench-n.png": "Seconds for a fit against the number of columns",
    "bench-evaluations.png": "Seconds for a fit against the number of evaluations",
}


def command_of(results: dict[str, Any]) -> str:
    suite, part = results["suite"], results["part"]
    options = [] if suite == "usual" else [f"--{suite}"]
    options += [] if part == "all" else [f"--part {part}"]
    return " ".join(["./dev bench", *options, "--write-docs"])


def introduced(results: dict[str, Any]) -> dict[str, Any]:
    """Return with what, on what machine and by which command it was measured."""
    config = results["runs"][-1]["environment"]["config"]
    compilers = sorted({config[key] for key in ("C compiler", "Fortran compiler")})
    return {
        "command": command_of(results),
        "version": config["pyminpack"],
        "compilers": ", ".join(compilers),
        "instructions": config["blocked factorisation"],
        **results["machine"],
    }


def where_not(results: dict[str, Any]) -> Iterable[str]:
    yield WHERE_NOT
    for run in single_runs(results):
        sentences = list(losses(run))
        yield f"With {scipy_of(run) or 'this interpreter'}, as measured:\n"
        yield from (f"- {s}" for s in sentences or ["nothing was faster than pyminpack."])
        yield ""


def page_of_single(results: dict[str, Any], pictures: list[Path]) -> str:
    parts = [INTRODUCTION.format(**introduced(results))]
    for path in pictures:
        parts.append(f"![{PICTURES[path.name]}](images/{path.name})\n")
    parts.append(METHOD)
    parts += where_not(results)
    for run in reversed(single_runs(results)):
        parts.append(f"## {title_of(run)}\n")
        parts.append("Times of the others over pyminpack's: above 1 pyminpack is faster.\n")
        for title, rows in tables_of(run):
            parts.append(f"### {title}\n\n{as_markdown(rows)}\n")
    return "\n".join(parts).rstrip() + "\n"


def write_docs(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write performance.md and images/bench-*.png into `folder`; return what was written.

    A part that was not measured is left as it is.
    """
    path = folder / "performance.md"
    pictures = draw_all(results, folder / "images")
    pictures_of_many = draw_many(results, folder / "images")
    single, heading, many = (path.read_text() if path.exists() else "").partition(HEADING)
    many = heading + many
    if single_runs(results):
        single = page_of_single(results, pictures)
    if many_runs(results):
        many = section(results, pictures_of_many, introduced(results))
    path.write_text("\n".join(part.strip("\n") + "\n" for part in (single, many) if part))
    return [path, *pictures, *pictures_of_many]
