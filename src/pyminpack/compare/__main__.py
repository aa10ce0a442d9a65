"""The command ``python -m pyminpack.compare``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from .figures import promises
from .pictures import draw_all
from .problems import Problem, all_problems, choose
from .progress import Progress
from .record import as_json
from .report import report_of, summary_rows
from .run import Results, load, run
from .solvers import OURS, SOLVERS, Solver
from .tables import as_text

DEFAULT_OUTPUT: Final = Path("pyminpack-compare")
REPORT: Final = "comparison.md"
NO_MATPLOTLIB: Final = (
    "There are no pictures, because matplotlib is not installed: pip install matplotlib."
)

EPILOG = f"""\
The report, {REPORT}, and its pictures are written into the folder of --output, and a summary is
printed. Progress goes to the standard error. Exit status: 0; 1 when a fit of pyminpack was not what
it promises, which the report tells; 2 when the command could not do its work, after one sentence on
the standard error.
"""


class UsageError(Exception):
    """What keeps the command from its work, as one sentence."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m pyminpack.compare",
        description="Run the 53 MINPACK cases and the 27 data sets of NIST, from all their starts, "
        "with default and tight tolerances, with differences and exact Jacobians, through "
        "pyminpack and every other solver installed, and compare what they find.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        default=DEFAULT_OUTPUT,
        help=f"folder for the report and its pictures (default: ./{DEFAULT_OUTPUT})",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress and no summary")
    parser.add_argument(
        "--json",
        metavar="FILE",
        nargs="?",
        const="-",
        help="write all figures as JSON too, to the standard output unless FILE is given",
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        default=[],
        help="problems with NAME in their name, such as NIST, Thurber or NIST/Thurber/1; may be "
        "repeated",
    )
    parser.add_argument(
        "--solvers",
        metavar="A,B",
        type=lambda text: [name for name in text.split(",") if name],
        help=f"compare {OURS} with these solvers alone",
    )
    parser.add_argument(
        "--repeats",
        metavar="N",
        type=_repeats,
        default=5,
        help="time each fit up to N times (default: 5)",
    )
    parser.add_argument(
        "--no-time", dest="repeats", action="store_const", const=0, help="time nothing"
    )
    parser.add_argument(
        "--list", action="store_true", help="list solvers and problems, run nothing"
    )
    return parser


def _repeats(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of repeats, 1 or more")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    progress = Progress()
    try:
        return _command(_parser().parse_args(arguments), progress)
    except UsageError as error:
        sentence = str(error)
    except KeyboardInterrupt:
        sentence = "interrupted before the report was written"
    progress.clear()
    _say(f"{sentence}.")
    return 2


def _say(sentence: str) -> None:
    print(f"pyminpack.compare: {sentence}", file=sys.stderr)


def _command(options: argparse.Namespace, progress: Progress) -> int:
    problems, solvers = _problems(options.only), _solvers(options.solvers)
    if options.list:
        print("\n".join(_listing(problems, solvers)))
        return 0
    _make_writable(options.output)
    if options.json not in (None, "-"):
        _make_writable(Path(options.json).parent)
    progress.quiet = options.quiet
    results = run(problems, solvers, repeats=options.repeats, progress=progress)
    progress.clear()
    try:
        written = write(results, options.output)
        if options.json not in (None, "-"):
            Path(options.json).write_text(as_json(results), encoding="utf-8")
            written.append(Path(options.json))
    except OSError as error:
        raise UsageError(f"cannot write {error.filename}: {error.strerror}") from error
    if options.json == "-":
        sys.stdout.write(as_json(results))
    elif not options.quiet:
        print(as_text(summary_rows(results)), "", *written, sep="\n")
    broken = [promise for promise in promises(results) if promise.is_kept is False]
    for promise in broken:
        _say(f"broken promise: {promise.text}: {promise.found}")
    return 1 if broken else 0


def _problems(wanted: Sequence[str]) -> list[Problem]:
    try:
        return choose(all_problems(), wanted)
    except LookupError as error:
        raise UsageError(str(error)) from error


def _solvers(wanted: Sequence[str] | None) -> list[Solver]:
    """Return pyminpack and the wanted ones, in the order of the table; all when None is wanted."""
    if wanted is None:
        return SOLVERS
    known = {solver.name: solver for solver in SOLVERS}
    for name in wanted:
        if name not in known:
            raise UsageError(f"there is no solver {name!r}, but {', '.join(known)}")
    chosen = [solver for name, solver in known.items() if name in (OURS, *wanted)]
    for name, reason in load(chosen)[1].items():
        raise UsageError(f"{name} cannot take part: {reason}")
    return chosen


def _listing(problems: Sequence[Problem], solvers: Sequence[Solver]) -> list[str]:
    missing = load(solvers)[1]
    lines = ["Solvers:"]
    for solver in solvers:
        state = missing.get(solver.name) or f"{solver.package} {solver.version()}"
        lines.append(f"  {solver.name:<16} {state}")
    lines.append("Problems, with the start of NIST, or the factor of the start of MINPACK:")
    starts: dict[str, list[str]] = {}
    for problem in problems:
        starts.setdefault(f"{problem.collection}/{problem.set}", []).append(str(problem.start))
    return lines + [f"  {name}/{','.join(numbers)}" for name, numbers in starts.items()]


def _make_writable(folder: Path) -> None:
    """Make the folder; raise UsageError when nothing can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"cannot write into {folder}: {error.strerror}") from error


def write(results: Results, folder: Path) -> list[Path]:
    """Write the report and, where matplotlib is installed, its pictures; return the paths."""
    without = ""
    try:
        pictures = draw_all(results, folder)
    except ImportError as error:
        # A broken dependency of an installed matplotlib would need another cure.
        if not (error.name or "matplotlib").startswith("matplotlib"):
            raise
        pictures, without = [], NO_MATPLOTLIB
        _say(without)
    report = folder / REPORT
    report.write_text(report_of(results, pictures, without), encoding="utf-8")
    return [report, *pictures]


if __name__ == "__main__":
    sys.exit(main())
