"""A report as text."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from .._messages import reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from . import Report

_WIDTH = 80

# More digits than these are rounding errors.
_MOST_DIGITS = 15


def summary(report: Report) -> str:
    """Return one line that tells which fit it is."""
    facts = [_parameters_and_data(report)]
    if report.reduced_chi_square is not None:
        facts.append(f"reduced chi-square {report.reduced_chi_square:.3g}")
    if report.ier is not None:
        facts.append(f"ier {report.ier}")
    return ", ".join(facts)


def text(report: Report) -> str:
    """Return what `str` of a report is: lines of at most 80 columns where words allow it."""
    blocks = [
        [f"Fit of {_parameters_and_data(report, ' to ')}"],
        list(_parameter_table(report)),
        list(_correlations(report)),
        list(_facts(report)),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _parameters_and_data(report: Report, between: str = ", ") -> str:
    n = len(report.names)
    counted = f"{n} parameter{'s' if n > 1 else ''}"
    if report.degrees_of_freedom is None:
        return counted
    return f"{counted}{between}{n + report.degrees_of_freedom} data"


def _parameter_table(report: Report) -> Iterator[str]:
    """Yield a row a parameter, and one above: name, value, standard error, relative error."""
    pairs = [
        _value_and_error(value, error)
        for value, error in zip(
            report.parameters.tolist(), report.standard_errors.tolist(), strict=True
        )
    ]
    columns = [
        _left("parameter", list(report.names)),
        _left("value", _aligned([v for v, _ in pairs])),
    ]
    if not np.isnan(report.standard_errors).all():
        with np.errstate(all="ignore"):
            percent = 100.0 * report.standard_errors / np.abs(report.parameters)
        errors = _aligned([e for _, e in pairs])
        columns.append(
            _left("   standard error", [f"+- {e}" if e.strip() else "not known" for e in errors])
        )
        columns.append(_left("relative", _aligned([_percentage(p) for p in percent.tolist()])))
    for row in zip(*columns, strict=True):
        yield "  ".join(row).rstrip()


def _left(heading: str, cells: list[str]) -> list[str]:
    """Return a column under its heading, all of one width."""
    width = max(map(len, [heading, *cells]))
    return [cell.ljust(width) for cell in (heading, *cells)]


def _aligned(numbers: list[str]) -> list[str]:
    """Pad numbers so that their decimal points are under each other."""
    heads = [_whole(number) for number in numbers]
    width = max(map(len, heads))
    return [" " * (width - len(head)) + number for head, number in zip(heads, numbers, strict=True)]


def _whole(number: str) -> str:
    """Return what is left of the point, of the exponent, or of the unit."""
    for k, character in enumerate(number):
        if character in ".e ":
            return number[:k]
    return number


def _value_and_error(value: float, error: float) -> tuple[str, str]:
    """Write the error to two digits and the value to the same place; "" is an unknown error."""
    if math.isnan(error):
        return f"{value:.8g}", ""
    if error == 0.0 or not (math.isfinite(value) and math.isfinite(error)):
        return f"{value:.8g}", f"{error:g}"
    last = _exponent(error, 1) - 1
    first = _exponent(value if value != 0.0 else error, 1)
    top = max(first, last + 1)
    if top - last >= _MOST_DIGITS:
        return f"{value:.{_MOST_DIGITS}g}", f"{error:.1e}"
    if -5 < top < 7:
        places = max(-last, 0)
        return f"{value:.{places}f}", f"{error:.{places}f}"
    return f"{value:.{max(first - last, 0)}e}", f"{error:.1e}"


def _exponent(number: float, places: int) -> int:
    """Return the exponent that `number` has when written to so many places."""
    return int(f"{number:.{places}e}".partition("e")[2])


def _percentage(percent: float) -> str:
    if not math.isfinite(percent):
        return ""
    if percent == 0.0:
        return "0 %"
    if not 1e-3 <= percent < 1e4:
        return f"{percent:.1e} %"
    return f"{percent:.{max(1 - _exponent(percent, 1), 0)}f} %"


def _correlations(report: Report) -> Iterator[str]:
    """Yield the pairs whose correlation exceeds the threshold, largest first."""
    n = len(report.names)
    pairs = [(j, k) for j in range(n) for k in range(j + 1, n)]
    known = [(j, k) for j, k in pairs if not math.isnan(report.correlation[j, k])]
    if not known:
        return
    shown = [(j, k) for j, k in known if abs(report.correlation[j, k]) > report.threshold]
    if not shown:
        yield f"no correlation above {report.threshold:g}"
        return
    shown.sort(key=lambda pair: -abs(report.correlation[pair]))
    yield f"correlations above {report.threshold:g}"
    firsts = _left("", [report.names[j] for j, _ in shown])[1:]
    seconds = _left("", [report.names[k] for _, k in shown])[1:]
    for first, second, pair in zip(firsts, seconds, shown, strict=True):
        yield f"  {first}  {second}  {_correlation(report.correlation[pair])}"


def _correlation(r: float) -> str:
    """Write to four places, or to so many that it does not look like 1 where it is not."""
    gap = 1.0 - abs(r)
    places = 1 - _exponent(gap, 1) if gap > 0.0 else 0
    return f"{r:+.{max(places, 4)}f}"


def _facts(report: Report) -> Iterator[str]:
    """Yield what is known of the fit, a line each; the last says what is not."""
    facts = {
        "standard errors": report.errors_from,
        "chi-square": _number(report.chi_square),
        "degrees of freedom": _number(report.degrees_of_freedom),
        "reduced chi-square": _number(report.reduced_chi_square),
        "iterations": _iterations(report),
        "calls": _calls(report),
        "why it stopped": _reason(report),
    }
    if report.degrees_of_freedom is not None and report.degrees_of_freedom <= 0:
        facts["reduced chi-square"] = "none without degrees of freedom"
    missing = [label for label, fact in facts.items() if fact is None]
    if missing and report.degrees_of_freedom is None:
        facts["not known"] = f"{', '.join(missing)}; full_output=True gives them"
    elif missing:
        facts["not known"] = ", ".join(missing)
    width = max(map(len, facts)) + 2
    for label, fact in facts.items():
        if fact is not None:
            yield from textwrap.wrap(
                f"{label:<{width}}{fact}",
                width=_WIDTH,
                subsequent_indent=" " * width,
            )


def _number(number: float | None) -> str | None:
    if number is None:
        return None
    return str(number) if isinstance(number, int) else f"{number:.6g}"


def _iterations(report: Report) -> str | None:
    if report.iterations is not None:
        return str(report.iterations)
    if report.iterations_at_most is not None:
        return f"at most {report.iterations_at_most}; with differences MINPACK does not tell"
    return None


def _calls(report: Report) -> str | None:
    if report.nfev is None:
        return None
    counted = f"{report.nfev} of the function"
    if report.njev is not None:
        return f"{counted}, {report.njev} of the Jacobian"
    if report.iterations_at_most is None:  # a solver of SciPy's that is not MINPACK
        return f"{counted}, besides those for differences"
    return counted


def _reason(report: Report) -> str | None:
    if report.ier is None:
        return None
    words = reason(report.ier) if report.message is None else report.message
    return f"ier {report.ier}: {words}" if words else f"ier {report.ier}"
