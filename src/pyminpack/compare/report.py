"""The report of a run, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import fill

from .figures import (
    LAST_FORTRAN_SCIPY,
    Spread,
    Tally,
    call_ratios,
    calls_beyond,
    digits_of,
    median_digits,
    offers_errors,
    promises,
    release,
    solved,
    spread,
    tally,
    time_ratios,
    troubles,
)
from .problems import (
    JACOBIANS,
    LIMIT,
    MINPACK,
    NIST,
    NORM_ABSOLUTE,
    NORM_RELATIVE,
    SOLVED_DIGITS,
    TIGHT,
    TOLERANCES,
)
from .run import HARD_LIMIT, TIMED, Record, Results
from .solvers import OURS
from .tables import Row, as_markdown, floored, ratio

KINDS: Mapping[str, str] = {"differences": "differences", "exact": "exact Jacobian"}
FIGURES: Mapping[str, str] = {
    "parameters": "parameters",
    "errors": "standard errors",
    "rss": "residual sum of squares",
}
NONE = "\N{EN DASH}"
SUMMARY = "<!-- summary -->", "<!-- end of summary -->"
"""What stands around the summary, for those who copy it."""

METHOD = f"""\
## How it is done

- **Problems.** The 53 cases of MINPACK's test driver (More, Garbow and Hillstrom 1981), and the 27
  data sets for nonlinear regression of NIST's Statistical Reference Datasets, from both starts.
- **Ways.** Each solver solves each problem with its default tolerances and with tight ones, which
  are {TIGHT:g} for all that it calls ftol, xtol, gtol (pyminpack, leastsq, curve_fit, lmfit: ftol
  and xtol; odrpack: sstol and partol), and both with a Jacobian that it forms of differences and
  with an exact one. All other options are the solver's own defaults.
- **Limits.** All are told that they may make {LIMIT} evaluations (odrpack: iterations); who makes
  more than {HARD_LIMIT} calls is stopped, which counts as an error.
- **Solved** is a set of NIST when every parameter has at least {SOLVED_DIGITS:g} digits, and a
  MINPACK case when the norm of the residuals is at most {NORM_RELATIVE:g} of itself plus
  {NORM_ABSOLUTE:g} above the published minimum of the standard start; another local minimum is no
  solution.
- **Digits** are the logarithm of the relative error, -log10(|q - c| / |c|) for a figure q and
  NIST's certified value c, from 0 to 11, the number of digits that are certified; of each fit the
  worst. Standard errors are of the covariance that the solver itself offers, *none* where it gave
  none; the sum of squares is computed from its parameters. Tables round down.
- **Agreement.** ier, nfev, and x and the residuals bit for bit are compared with pyminpack's; ier
  is MINPACK's number of the reason to stop, which not all tell. A fit that ends in an error agrees
  in nothing.
- **Calls** are counted by what the solvers call, whatever they say themselves.
- **Times.** All solvers are in one process and take turns, in the order of the table and back. Only
  fits with {TIMED} tolerances are timed, of solvers that found the solution where pyminpack did,
  with functions that count nothing. The least time of the repeats is used, and a repeat takes at
  least a millisecond. Ratios are theirs over pyminpack's, so above 1 pyminpack is faster; means are
  geometric.
"""


def report_of(results: Results, pictures: Sequence[Path], without: str) -> str:
    """Return the report; `without` is a sentence that says why there are no pictures, or empty."""
    parts = [
        _introduction(results),
        "## Summary\n",
        *_summary(results),
        *([f"{without}\n"] if without else []),
        *_pictures(pictures, "compare-digits"),
        *_agreement(results),
        *_solved(results, pictures),
        *_digits(results),
        *_evaluations(results),
        *_times(results, pictures),
        *_troubles(results),
        *_promises(results),
        METHOD,
    ]
    return "\n".join(parts).rstrip() + "\n"


def _paragraph(text: str) -> str:
    return fill(text, 100, break_long_words=False, break_on_hyphens=False) + "\n"


ALT = {
    "compare-digits": "Digits of the parameters of NIST's sets, by solver",
    "compare-solved": "NIST's sets and MINPACK cases that each solver solves",
    "compare-times": "Times of the other solvers over pyminpack's",
}


def _pictures(pictures: Sequence[Path], stem: str) -> list[str]:
    return [f"![{ALT[stem]}]({path.name})\n" for path in pictures if path.stem == stem]


def _introduction(results: Results) -> str:
    sets = {problem.set for problem in results.problems if problem.collection == NIST}
    cases = sum(problem.collection == MINPACK for problem in results.problems)
    counts = [f"{cases} MINPACK case{'s'[: cases - 1]}"] if cases else []
    counts += [f"{len(sets)} data set{'s'[: len(sets) - 1]} of NIST"] if sets else []
    about = results.environment
    lines = [
        "# Comparison of least-squares solvers",
        "",
        _paragraph(
            f"pyminpack and other solvers on {' and '.join(counts)}; `python -m pyminpack.compare` "
            "wrote this page. [How it is done](#how-it-is-done) says what the words mean."
        ),
        f"- Versions: {about['versions']}.",
        f"- pyminpack: {about['build']}.",
        f"- Machine: {about['processor']}, {about['cores']} cores; {about['system']}.",
    ]
    lines += [f"- {name} took no part: {reason}." for name, reason in results.missing.items()]
    return "\n".join([*lines, ""])


SUMMARY_HEADER = [
    "solver", "version", "NIST solved, default", "NIST solved, tight", "median digits",
    "calls of f", "time", "same bits, exact Jacobian", "same bits, differences",
]  # fmt: skip


def summary_rows(results: Results) -> list[Row]:
    """Return the table that README shows, a row a solver."""
    rows = [SUMMARY_HEADER]
    for solver, version in results.versions.items():
        counts = [_share(solved(results, solver, NIST, tolerance=each)) for each in TOLERANCES]
        digits = _digit(median_digits(results, solver, "parameters", tolerance="tight"))
        calls = _mean(spread(call_ratios(results, solver)))
        time = _mean(spread(time_ratios(results, solver)))
        bits = [_bits(tally(results, solver, kind)) for kind in ("exact", "differences")]
        if solver == OURS:
            bits = [NONE, NONE]
        rows.append([solver, version, *counts, digits, calls, time, *bits])
    return rows


def _summary(results: Results) -> Iterator[str]:
    about = results.environment
    words = _paragraph(
        "NIST's sets are fitted from two starts, with differences and with the exact Jacobian. "
        "Digits are those of the worst parameter, the median of fits with tight tolerances. Calls "
        "and time are over pyminpack's, geometric means. Bits are those of x, in all fits. "
        f"{about['python']}; {about['processor']}, {about['system']}."
    )
    yield f"{SUMMARY[0]}\n\n{as_markdown(summary_rows(results))}\n\n{words}\n{SUMMARY[1]}\n"


def _share(found: tuple[int, int]) -> str:
    return f"{found[0]} of {found[1]}" if found[1] else NONE


def _digit(value: float | None) -> str:
    return NONE if value is None else f"{floored(value):.1f}"


def _mean(found: Spread | None) -> str:
    return NONE if found is None else ratio(found.mean)


def _bits(found: Tally) -> str:
    return NONE if found.x is None else f"{found.x} of {found.fits}"


def _agreement(results: Results) -> Iterator[str]:
    if not results.others:
        return
    yield "## Agreement with pyminpack\n"
    yield "In how many fits ier, nfev, and x and the residuals to the last bit, are pyminpack's.\n"
    rows = [["solver", "Jacobian", "fits", "ier", "nfev", "bits of x", "bits of residuals"]]
    for solver in results.others:
        for kind in JACOBIANS:
            found = tally(results, solver, kind)
            cells = [NONE if count is None else str(count) for count in found[1:]]
            rows.append([solver, KINDS[kind], str(found.fits), *cells])
    yield as_markdown(rows, words=(0, 1)) + "\n"
    sentences = list(_agreement_in_words(results))
    if sentences:
        yield "\n".join(f"- {each}" for each in sentences) + "\n"


def _agreement_in_words(results: Results) -> Iterator[str]:
    for solver in results.others:
        both = {kind: tally(results, solver, kind) for kind in JACOBIANS}
        name = f"{solver} {results.versions[solver]}"
        exact, differences = both["exact"], both["differences"]
        if exact.is_complete and differences.is_complete:
            yield f"{name} agrees with pyminpack in everything, to the last bit, in all fits."
        elif exact.is_complete:
            yield (
                f"{name} agrees with pyminpack in everything, to the last bit, where the Jacobian "
                f"is exact, and not with differences: x has the same bits in {differences.x} of "
                f"{differences.fits} fits." + _why(solver, results.versions[solver])
            )


def _why(solver: str, version: str) -> str:
    if not solver.startswith("scipy") or release(version) <= LAST_FORTRAN_SCIPY:
        return ""
    return (
        " SciPy's port of MINPACK to C, since 1.15, takes 2^-52 for the machine epsilon of the "
        "differences; MINPACK has 2.22044604926e-16."
    )


def _solved(results: Results, pictures: Sequence[Path]) -> Iterator[str]:
    yield "## Problems solved\n"
    yield from _pictures(pictures, "compare-solved")
    collections = dict.fromkeys(problem.collection for problem in results.problems)
    header = [f"{tolerance}, {KINDS[kind]}" for tolerance in TOLERANCES for kind in JACOBIANS]
    for collection in collections:
        rows = [[f"{collection}, from all starts", *header]]
        for solver in results.versions:
            counts = [
                _share(solved(results, solver, collection, tolerance=tolerance, jacobian=kind))
                for tolerance in TOLERANCES
                for kind in JACOBIANS
            ]
            rows.append([solver, *counts])
        yield as_markdown(rows) + "\n"
    yield from _not_solved(results)


def _not_solved(results: Results) -> Iterator[str]:
    """Yield a table of the problems that somebody did not solve in some way."""
    rows = []
    for problem in results.problems:
        counts = []
        for solver in results.versions:
            fits = [results.records[solver][problem.name, way].is_solved for way in results.ways]
            counts.append((sum(fits), len(fits)))
        if any(found < among for found, among in counts):
            rows.append([problem.name, *(f"{found} of {among}" for found, among in counts)])
    if not rows:
        yield "Every problem is solved by all, in every way.\n"
        return
    yield _paragraph(
        f"In how many of the {len(results.ways)} ways a problem is solved. The number behind a "
        "name is NIST's start, or the factor of a MINPACK start. Problems that are not listed are "
        "solved by all in every way."
    )
    yield as_markdown([["problem", *results.versions], *rows]) + "\n"


def _digits(results: Results) -> Iterator[str]:
    if not any(problem.collection == NIST for problem in results.problems):
        return
    yield "## Digits\n"
    yield _paragraph("The worst of each set of NIST, from the far start and from the near one.")
    silent = [name for name in results.versions if not offers_errors(results, name)]
    if silent:
        yield f"Standard errors are not offered by {', '.join(silent)}.\n"
    for tolerance in TOLERANCES:
        for kind in JACOBIANS:
            for figure, words in FIGURES.items():
                yield f"### {words.capitalize()}: {tolerance} tolerances, {KINDS[kind]}\n"
                yield _digits_table(results, figure, {"tolerance": tolerance, "jacobian": kind})


def _digits_table(results: Results, figure: str, way: Mapping[str, str]) -> str:
    who = [name for name in results.versions if figure != "errors" or offers_errors(results, name)]
    table: dict[str, dict[str, list[str]]] = {}
    for solver in who:
        for record in results.of(solver, NIST, **way):
            cells = table.setdefault(record.problem.set, {}).setdefault(solver, [])
            cells.append(_digits_cell(record, figure))
    rows = [[name, *(" / ".join(row[solver]) for solver in who)] for name, row in table.items()]
    medians = [_digit(median_digits(results, solver, figure, **way)) for solver in who]
    return as_markdown([["set", *who], *rows, ["*median*", *medians]]) + "\n"


def _digits_cell(record: Record, figure: str) -> str:
    if record.error is not None:
        return "error"
    found = digits_of(record, figure)
    return "none" if found is None else _digit(found)


def _evaluations(results: Results) -> Iterator[str]:
    yield "## Evaluations\n"
    yield _paragraph(
        "Calls that the solvers make, over pyminpack's, in fits in which both find the solution: "
        "geometric mean (least to largest). The last column is how many calls of f there are that "
        "the solver leaves out of its nfev."
    )
    rows = [["solver", "Jacobian", "fits", "calls of f", "calls of the Jacobian", "beyond nfev"]]
    for solver in results.versions:
        for kind in JACOBIANS:
            calls = spread(call_ratios(results, solver, jacobian=kind))
            jacobians = spread(call_ratios(results, solver, "jacobian_calls", jacobian=kind))
            beyond = _from_to(calls_beyond(results, solver, jacobian=kind))
            fits = str(calls.fits if calls else 0)
            rows.append([solver, KINDS[kind], fits, _range(calls), _range(jacobians), beyond])
    yield as_markdown(rows, words=(0, 1)) + "\n"
    if uncounted := list(_uncounted(results)):
        yield "\n".join(uncounted) + "\n"
    for kind in JACOBIANS:
        yield from _calls_by_set(results, kind)


def _uncounted(results: Results) -> Iterator[str]:
    """Yield a line for each solver that always makes the same number of calls beyond its nfev."""
    for solver in results.versions:
        least, most = calls_beyond(results, solver) or (0, 0)
        if least == most > 0:
            times = "once more" if least == 1 else f"{least} more times"
            yield f"- {solver} calls f {times} than its nfev says, in every fit."


def _range(found: Spread | None) -> str:
    if found is None:
        return NONE
    return f"{ratio(found.mean)} ({ratio(found.least)} to {ratio(found.most)})"


def _from_to(ends: tuple[int, int] | None) -> str:
    if ends is None:
        return NONE
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _calls_by_set(results: Results, kind: str) -> Iterator[str]:
    """Yield a table of the calls that the fits to NIST's data make."""
    table: dict[str, dict[str, list[str]]] = {}
    for solver in results.versions:
        for record in results.of(solver, NIST, tolerance="default", jacobian=kind):
            cells = table.setdefault(record.problem.set, {}).setdefault(solver, [])
            cells.append(_calls(record))
    if not table:
        return
    words = "calls of f" if kind == "differences" else "calls of f + calls of the Jacobian"
    yield f"### NIST: {words}, default tolerances, {KINDS[kind]}\n"
    yield "From the far and from the near start; in brackets where the solution was not found.\n"
    rows = [[name, *(" / ".join(cells) for cells in row.values())] for name, row in table.items()]
    yield as_markdown([["set", *results.versions], *rows]) + "\n"


def _calls(record: Record) -> str:
    calls = str(record.calls)
    if record.way.jacobian == "exact":
        calls += f"+{record.jacobian_calls}"
    return calls if record.is_solved else f"({calls})"


def _times(results: Results, pictures: Sequence[Path]) -> Iterator[str]:
    yield "## Times\n"
    if not results.repeats:
        yield "Nothing was timed in this run.\n"
        return
    yield _paragraph(
        "Times over pyminpack's: geometric mean (least to largest), number of fits. Each was "
        f"repeated up to {results.repeats} times."
    )
    yield from _pictures(pictures, "compare-times")
    columns = [(collection, kind) for collection in (MINPACK, NIST) for kind in JACOBIANS]
    rows = [["solver", *(f"{collection}, {KINDS[kind]}" for collection, kind in columns)]]
    for solver in results.others:
        cells = [
            _timed(spread(time_ratios(results, solver, collection, jacobian=kind)))
            for collection, kind in columns
        ]
        rows.append([solver, *cells])
    yield as_markdown(rows) + "\n"


def _timed(found: Spread | None) -> str:
    return NONE if found is None else f"{_range(found)}, {found.fits}"


def _troubles(results: Results) -> Iterator[str]:
    yield "## Errors and warnings\n"
    found = troubles(results)
    if not found:
        yield "No solver raised or warned.\n"
        return
    rows = [["solver", "what", "fits", "says", "such as"]]
    for each in found:
        text = each.text.replace("|", "\\|").replace("`", "'")
        rows.append([each.solver, each.kind, str(each.fits), f"`{text}`", each.example])
    yield as_markdown(rows, words=(0, 1, 3, 4)) + "\n"


VERDICTS = {True: "kept", False: "BROKEN", None: "not looked at"}


def _promises(results: Results) -> Iterator[str]:
    yield "## What pyminpack promises\n"
    rows = [[each.text, VERDICTS[each.is_kept], each.found] for each in promises(results)]
    yield as_markdown([["promise", "in this run", "where"], *rows], words=(0, 1, 2)) + "\n"
