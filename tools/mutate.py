"""Mutate the sources, run the tests on every mutant, and report what no test notices.

Verdicts go to build/mutation.json, from where the next run goes on; a survivor is judged again when
the tests have changed. tools/mutation_equivalent.toml says which survivors are equivalent code, and
which tests are for faults that the quick ones cannot show; those run with --elsewhere.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

from mutant_workshop import COMPILE, ROOT, Judge, Workshop, compiler, digest, say
from mutants import Mutant, mutants_of

WORK, RECORD = ROOT / "build" / "mutate", ROOT / "build" / "mutation.json"
EQUIVALENT, DOCS = ROOT / "tools" / "mutation_equivalent.toml", ROOT / "docs" / "mutation.md"

_LM = ("advance", "convergence", "differences", "factor", "fit", "parameter", "trust_region")
_FIT = ("covariance", "factor", "finite", "fit")
_DRIVERS = ("keep", "one", "one_memory")
_USER = ("answers", "arrays", "call", "copy", "gil", "given", "options", "sequences", "unshared")
DEFAULT = [f"minpack/linalg/{name}.f90" for name in ("qrfac", "qrsolv")]
DEFAULT += [f"minpack/lm/{name}.f90" for name in _LM]
DEFAULT += ["src/core/module.c", *(f"src/core/drivers/{name}.c" for name in _DRIVERS)]
DEFAULT += [f"src/core/fit/{name}.c" for name in _FIT]
DEFAULT += [f"src/core/user/{name}.c" for name in _USER]

# The tests that judge, by file or else by kind, in the order in which they run unless an
# earlier mutant fell to another. A routine is judged by its own comparison with Argonne's routine.


def _of(file: str, *names: str) -> list[str]:
    return [f"tests/{file}::test_{name}" for name in names]


_SOLVERS = "tests/bits/test_solvers.py"
_SHIM = [
    *(f"tests/contract/test_{name}.py" for name in ("returns", "callbacks", "exceptions")),
    *(f"tests/contract/test_{name}.py" for name in ("jacobian", "not_finite", "arguments")),
    *("tests/contract/test_config.py", "tests/blocked/test_contract.py"),
    *(f"tests/hostile/test_{name}.py" for name in ("protocols", "callbacks", "results")),
    *_of(
        "hostile/test_numbers.py",
        "what_is_saved_before_a_step_to_infinity_is_freed",
        "a_jacobian_whose_norm_overflows_leads_to_no_call_of_func",
        "func_is_not_called_where_one_variable_is_nan",
        "only_the_point_is_looked_at_before_func_is_called",
    ),
    *_of(
        "hostile/test_sizes.py",
        "more_residuals_than_a_c_int_counts",
        "a_sequence_is_listed_to_its_limit_and_not_one_item_further",
        "residuals_in_a_list_are_not_counted_as_inner_items",
        "as_many_inner_items_as_are_looked_into_name_the_shape",
        "a_jacobian_may_have_twice_its_items_and_2_to_the_22_more",
    ),
    *_of(
        "hostile/test_threads.py",
        "another_thread_makes_progress_while_a_shorter_step_is_sought",
        "another_thread_makes_progress_during_every_factorisation_of_differences",
        "a_fit_that_leaves_the_gil_to_factor_and_keeps_it_to_retry",
    ),
]
_LMPAR = ("lmpar", "lmpar_near_its_answers", "lmpar_at_the_limits")
_LMPAR += ("lmpar_stops_on_the_edge_of_its_tolerance",)
_QRFAC = ("qrfac", "qrfac_at_the_limits", "qrfac_between_columns_of_one_length")
_QRFAC += ("qrfac_on_the_edge_of_a_fresh_norm",)
_QRSOLV = ("qrsolv", "qrsolv_between_elements_of_one_size", "lmpar")
_BLOCKS = ("tests/blocked/test_arrays.py", "tests/blocked/test_fits.py")
TESTS = {
    **{
        file: [*_of("bits/test_routines.py", *tests), _SOLVERS]
        for file, tests in (
            ("minpack/lm/parameter.f90", _LMPAR),
            ("minpack/linalg/qrfac.f90", _QRFAC),
            ("minpack/linalg/qrsolv.f90", _QRSOLV),
        )
    },
    **{f"minpack/lm/{name}.f90": [_SOLVERS] for name in _LM if name != "parameter"},
    **{f"src/core/drivers/{name}.c": [*_SHIM, *_BLOCKS] for name in _DRIVERS},
    **{f"src/core/{name}.c": [*_SHIM, *_BLOCKS] for name in ("fit/factor", "user/unshared")},
    "f90": ["tests/bits/test_routines.py", _SOLVERS],
    "blocked": [_SOLVERS, "tests/blocked/test_qr.py", "tests/many/test_batched.py"],
    "c": _SHIM,
    "py": _SHIM,
}
VERDICTS = ("killed", "timed out", "invalid", "elsewhere", "equivalent", "unreached", "survived")


def tests_of(file: str) -> tuple[str, ...]:
    """The tests that judge a file, as pytest is given them."""
    by_blocks = file.startswith(("minpack/qr/", "minpack/kernels/"))
    kind = "blocked" if by_blocks else Path(file).suffix[1:].lower()
    return tuple(TESTS.get(file, TESTS[kind]))


# The record: {file: {"source": digest, "mutants": {key: {...}}}}.


def read_record() -> dict[str, Any]:
    record: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return record


def equivalents() -> dict[tuple[str, str], str]:
    """The reasons why known survivors are equivalent code, by file and key."""
    known = tomllib.loads(EQUIVALENT.read_text())
    return {(entry["file"], entry["mutant"]): entry["reason"] for entry in known["equivalent"]}


def elsewhere(file: str, key: str) -> dict[str, Any] | None:
    """What tools/mutation_equivalent.toml says of the kind of faults that this one is of."""
    for kind in tomllib.loads(EQUIVALENT.read_text())["elsewhere"]:
        if re.search(kind["files"], file) and re.search(kind["pattern"], key):
            return dict(kind)
    return None


def explain(file: str, key: str, entry: dict[str, Any]) -> tuple[str, str]:
    """Tell survivors apart: the final verdict on a mutant, and the reason."""
    if entry["verdict"] != "survived":
        return str(entry["verdict"]), ""
    if reason := equivalents().get((file, key)):
        return "equivalent", reason
    if (kind := elsewhere(file, key)) is None:
        return "survived", "No test notices."
    if "tests" not in kind:
        return "unreached", kind["reason"]
    slow = entry.get("elsewhere", {"verdict": "not judged"})
    if slow["verdict"] in ("killed", "timed out"):
        test = slow["by"].removeprefix("tests/")
        return "elsewhere", f"{kind['reason']} `{test}`" + (
            ", under the sanitizers." if kind.get("sanitized") else "."
        )
    return "survived", f"By the tests that are meant to notice: {slow['verdict']}."


def judge_file(
    file: str, record: dict[str, Any], shop: Workshop, judge: Judge, sample: int
) -> None:
    """Judge the mutants of one file that the record does not settle."""
    mutants = mutants_of(file, (ROOT / file).read_text())
    keys = {mutant.key for mutant in mutants}
    if sample and sample < len(mutants):
        mutants = sorted(random.Random(1).sample(mutants, sample), key=lambda m: m.line)
    if record.get(file, {}).get("source") != digest(file):
        record[file] = {"source": digest(file), "mutants": {}}
    kept = {key: entry for key, entry in record[file]["mutants"].items() if key in keys}
    settled = record[file]["mutants"] = kept
    for k, mutant in enumerate(mutants, 1):
        before = settled.get(mutant.key, {"verdict": "survived", "passed": {}})
        passed = before.get("passed", {})
        tests = [test for test, of in judge.digests.items() if passed.get(test) != of]
        if before["verdict"] != "survived" or not tests:
            continue
        start = time.monotonic()
        answer: dict[str, Any] = {"verdict": "invalid", "by": ""}
        if shop.build(mutant):
            answer = judge.ask(shop.mutant, file, tests)
        seconds = round(time.monotonic() - start, 2)
        entry = {"line": mutant.line, "verdict": answer["verdict"], "by": answer["by"]}
        if answer["verdict"] == "survived":
            entry["passed"] = judge.digests
            entry |= {"elsewhere": before["elsewhere"]} if "elsewhere" in before else {}
        settled[mutant.key] = {**entry, "seconds": seconds}
        RECORD.write_text(json.dumps(record, indent=1))
        mark = f"{file} {k}/{len(mutants)} {answer['verdict']:9} {seconds:5.1f} s"
        say(f"{mark}  line {mutant.line}: {mutant.key}")


def judge_elsewhere(files: list[str], record: dict[str, Any]) -> None:
    """Judge survivors by the slower tests for faults of their kind."""
    groups: dict[tuple[bool, tuple[str, ...]], list[tuple[Mutant, dict[str, Any]]]] = {}
    for file in (f for f in files if f in record):
        if record[file]["source"] != digest(file):
            raise SystemExit(f"{file} has changed since it was judged")
        for mutant in mutants_of(file, (ROOT / file).read_text()):
            entry = record[file]["mutants"].get(mutant.key, {"verdict": ""})
            kind = elsewhere(file, mutant.key) if entry["verdict"] == "survived" else None
            if kind and "tests" in kind and (file, mutant.key) not in equivalents():
                tests = tuple(kind["tests"])
                groups.setdefault((kind.get("sanitized", False), tests), []).append((mutant, entry))
    for (sanitized, tests), found in groups.items():
        passed = {test: digest(test) for test in tests}
        left = [(m, e) for m, e in found if e.get("elsewhere", {}).get("tests") != passed]
        if not left:
            continue
        shop = Workshop(WORK, sanitized)
        judge = Judge(tests, shop, slow=True)
        for k, (mutant, entry) in enumerate(left, 1):
            shop.build(mutant)
            answer = judge.ask(shop.mutant, mutant.file, tests)
            entry["elsewhere"] = {k: answer[k] for k in ("verdict", "by")} | {"tests": passed}
            RECORD.write_text(json.dumps(record, indent=1))
            say(
                f"{k}/{len(left)} {answer['verdict']:9} {answer['by']}  {mutant.file}: {mutant.key}"
            )
        judge.close()


def verdicts(file: str, record: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The final verdict on every mutant of a file, and the reason."""
    judged = record[file]["mutants"].items()
    return {key: explain(file, key, entry) for key, entry in judged}


def table(record: dict[str, Any], files: list[str]) -> list[str]:
    rows = [("file", "mutants", *VERDICTS), ("---", *["---:"] * (len(VERDICTS) + 1))]
    totals = [0] * (len(VERDICTS) + 1)
    for file in (f for f in files if f in record):
        found = [verdict for verdict, _ in verdicts(file, record).values()]
        counts = [len(found), *(found.count(v) for v in VERDICTS)]
        totals = [a + b for a, b in zip(totals, counts, strict=True)]
        rows.append((file, *map(str, counts)))
    rows.append(("all", *map(str, totals)))
    return ["| " + " | ".join(row) + " |" for row in rows]


def report(record: dict[str, Any], files: list[str]) -> int:
    survivors = 0
    say("\n" + "\n".join(table(record, files)))
    for file in (f for f in files if f in record):
        for key, (verdict, _) in verdicts(file, record).items():
            if verdict == "survived":
                survivors += 1
                say(f"{file}:{record[file]['mutants'][key]['line']}: {key}")
    return survivors


def stale_equivalents() -> list[str]:
    """What tools/mutation_equivalent.toml lists and the sources no longer give rise to."""
    files = {
        file for file in (*DEFAULT, *(name for name, _ in equivalents())) if (ROOT / file).exists()
    }
    keys = {(f, m.key) for f in files for m in mutants_of(f, (ROOT / f).read_text())}
    stale = [f"{file}: {key}" for file, key in equivalents() if (file, key) not in keys]
    for kind in tomllib.loads(EQUIVALENT.read_text())["elsewhere"]:
        if not any(re.search(kind["files"], f) and re.search(kind["pattern"], k) for f, k in keys):
            stale.append(f"{kind['files']}: {kind['pattern']}")
    return stale


INTRODUCTION = """\
# Mutation: what the tests would not notice

`./dev mutate` makes one small fault at a time in the Fortran, C and Python sources: a relation or
a sign turned, a constant or a bound moved, a condition negated, a statement left out. It compiles
each faulty program, a mutant, and runs tests on it: for a routine of `minpack/` its own comparison
with Argonne's routine, bit for bit, and for the shim the contract. A mutant that no test tells from
the right code either shows a hole in the tests or is equivalent: the change cannot be seen from
outside.

Mutants are compiled with `-O1`, whose bits are those of `-O3` (the right code is judged first and
must pass), with bounds checked and variables beginning as NaN, so that what a fault reads does not
depend on luck.

This page is written by `./dev mutate --write-docs` from the verdicts of the last run.
"""

MEANING = """\
*Timed out* counts as killed: the mutant hangs. *Invalid* does not compile. *Elsewhere* passed the
quick tests, and was killed by slower ones that are for faults of its kind: of leaks, failing
allocations, threads, or under the sanitizers. *Equivalent* and *unreached* passed all and are
explained below, from the list `tools/mutation_equivalent.toml`.
"""


def versions() -> str:
    import numpy as np

    tools = [subprocess.check_output([*compiler(s), "--version"], text=True) for s in COMPILE]
    names = [tool.splitlines()[0] for tool in tools]
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{names[0]}; {names[1]}; Python {python}; NumPy {np.__version__}"


def write_docs(record: dict[str, Any]) -> None:
    files = [file for file in DEFAULT if file in record]
    lines = [INTRODUCTION, "## The last run", "", f"With {versions()}.", ""]
    lines += [*table(record, files), "", MEANING]
    for file in files:
        made = len(mutants_of(file, (ROOT / file).read_text()))
        if (judged := len(record[file]["mutants"])) < made:
            lines += [
                f"Of the {made} mutants of {file} a random sample of {judged} was judged.",
                "",
            ]
        if record[file]["source"] != digest(file):
            lines += [f"{file} has changed since it was judged.", ""]
    titles = {"equivalent": "Equivalent code", "survived": "Survivors that show a hole"}
    titles["unreached"] = "Survivors that no test here can reach"
    titles["elsewhere"] = "Killed by slower tests"
    for verdict, title in titles.items():
        found = [
            (file, key, why)
            for file in files
            for key, (v, why) in verdicts(file, record).items()
            if v == verdict
        ]
        lines += [f"## {title}", ""] if found else []
        for file in dict.fromkeys(file for file, _, _ in found):
            lines += [f"### {file}", ""]
            for key, why in ((k, w) for f, k, w in found if f == file):
                where, _, change = key.partition(": ")
                before, _, after = change.partition(" -> ")
                lines += [f"- `{where}`: `{before}` becomes `{after}`  ", f"  {why}"]
            lines += [""]
    DOCS.parent.mkdir(exist_ok=True)
    DOCS.write_text("\n".join(lines).rstrip() + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev mutate", description=__doc__)
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="default: what docs/mutation.md covers"
    )
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="N mutants of a file")
    parser.add_argument(
        "--elsewhere",
        action="store_true",
        help="judge survivors by slower tests for their kind",
    )
    parser.add_argument("--write-docs", action="store_true", help="write docs/mutation.md, no run")
    parser.add_argument("--check", action="store_true", help="check the list of the equivalent")
    options = parser.parse_args()
    if options.check or options.write_docs:
        stale = stale_equivalents()
        for line in stale:
            say(f"{EQUIVALENT.name} lists what is no mutant: {line}")
        if options.write_docs:
            write_docs(read_record())
        return min(len(stale), 1)
    files = [str(Path(file).resolve().relative_to(ROOT)) for file in options.files] or DEFAULT
    record, judges = read_record(), {}
    if options.elsewhere:
        judge_elsewhere(files, record)
        return min(report(record, files), 1)
    shop = Workshop(WORK)
    try:
        for file in files:
            tests = tests_of(file)
            if tests not in judges:
                judges[tests] = Judge(tests, shop)
            judge_file(file, record, shop, judges[tests], options.sample)
    except KeyboardInterrupt:
        say("interrupted; the next run goes on from here")
    for judge in judges.values():
        judge.close()
    return min(report(record, files), 1)


if __name__ == "__main__":
    sys.exit(main())
