"""Mutate the sources, run the tests on every mutant, and report what no test notices.

Verdicts go to build/mutation.json, from where the next run goes on; a survivor is judged again when
the tests have changed. tools/mutation_equivalent.toml says which survivors are equivalent code.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mutants import Mutant, mutants_of

ROOT = Path(__file__).resolve().parent.parent
WORK, RECORD = ROOT / "build" / "mutate", ROOT / "build" / "mutation.json"
EQUIVALENT, DOCS = ROOT / "tools" / "mutation_equivalent.toml", ROOT / "docs" / "mutation.md"
SERVER = ROOT / "tools" / "mutant_server.py"
FORTRAN, C, PACKAGE = ROOT / "minpack", ROOT / "src", ROOT / "src" / "pyminpack"

DEFAULT = [f"minpack/{name}.f90" for name in ("lmpar", "qrfac", "qrsolv")]
DEFAULT += [f"minpack/lm_{name}.f90" for name in ("iteration", "fit", "model")]
DEFAULT += [f"src/{name}.c" for name in ("snapshot", "problem", "convert", "coremodule")]

# The tests that judge, by file or else by language, in the order in which they run unless an
# earlier mutant fell to another. A routine is judged by its own comparison with Argonne's routine.
_LOOP = [f"routines::test_{name}" for name in ("solvers", "scaling", "printing")]
_LOOP += ["routines::test_tolerances_to_the_last_bit", "routines::test_stopped_at_every_call"]
_LOOP += ["routines::test_improper_input", "routines::test_diag_is_not_looked_at_unless_asked"]
_LOOP += ["survivors_fortran"]
_SHIM = [f"contract_{name}" for name in ("returns", "callbacks", "exceptions", "jacobian")]
_SHIM += ["contract_not_finite", "contract_arguments", "config", "survivors_shim"]
_SHIM += ["result_protocols", "hostile_callbacks", "hostile_results"]
TESTS = {
    "lmpar": [
        "routines::test_lmpar",
        "routines::test_lmpar_near_its_answers",
        "survivors_fortran",
    ],
    "qrfac": ["routines::test_qrfac", "routines::test_qrfac_at_the_limits", "survivors_fortran"],
    "qrsolv": ["routines::test_qrsolv", "routines::test_lmpar", "survivors_fortran"],
    **{f"lm_{name}": _LOOP for name in ("iteration", "fit", "model")},
    "f90": ["routines", "survivors_fortran"],
    "c": _SHIM,
    "py": _SHIM,
}
# -O1 compiles quickest; that it gives the bits of -O3 is checked when the right code is judged
# first. What a fault reads beyond an array or before it is set must not depend on luck.
COMPILE = {
    ".f90": "-std=f2018 -O1 -ffp-contract=off -fimplicit-none -fPIC -w -fcheck=bounds"
    " -finit-real=snan -finit-integer=-99999",
    ".c": "-std=c11 -O1 -ffp-contract=off -fvisibility=hidden -fPIC -w",
}
VERDICTS = ("killed", "timed out", "invalid", "equivalent", "elsewhere", "survived")


def compiler(suffix: str) -> list[str]:
    name, variable = {".f90": ("gfortran", "FC"), ".c": ("cc", "CC")}[suffix]
    return shlex.split(os.environ.get(variable, name))


class Workshop:
    """The compiled right code, and beside it one mutant at a time."""

    def __init__(self) -> None:
        self.right, self.mutant = WORK / "right", WORK / "mutant"
        shutil.rmtree(WORK, ignore_errors=True)
        package = self.right / "pyminpack"
        package.mkdir(parents=True)
        self.mutant.mkdir()
        for path in PACKAGE.glob("*.py"):
            shutil.copy(path, package)
        shutil.copy(PACKAGE / "_build.py.in", package / "_build.py")
        import numpy as np

        include = [sysconfig.get_paths()["include"], np.get_include(), str(C)]
        self.options = {
            ".c": [f"-I{folder}" for folder in include],
            ".f90": [f"-I{self.right}"],
        }
        self.sources = [*self._in_order(FORTRAN.glob("*.f90")), *sorted(C.glob("*.c"))]
        self.objects = {path: self.right / f"{path.stem}.o" for path in self.sources}
        for path in self.sources:
            if self.compile(path, path, self.right):
                raise SystemExit(f"{path} does not compile")
        self.link(self.objects, self.right, ".f90")
        self.link(self.objects, self.right, ".c")
        shutil.copy(self.right / "_core.so", package)

    @staticmethod
    def _in_order(paths: Iterable[Path]) -> list[Path]:
        """Sort modules so that each comes after those it uses."""
        uses = {p: set(re.findall(r"^use (\w+), only", p.read_text(), re.M)) for p in paths}
        done: list[Path] = []
        while len(done) < len(uses):
            known = {path.stem for path in done}
            done += [p for p in sorted(uses) if p not in done and uses[p] <= known]
        return done

    def compile(self, source: Path, named: Path, folder: Path) -> int:
        command = [*compiler(named.suffix), *shlex.split(COMPILE[named.suffix])]
        command += [f"-J{folder}"] if named.suffix == ".f90" else []
        command += [*self.options[named.suffix], "-c", str(source)]
        command += ["-o", str(folder / f"{named.stem}.o")]
        return subprocess.run(command, capture_output=True, check=False).returncode

    def link(self, objects: dict[Path, Path], folder: Path, suffix: str) -> None:
        """Link what a mutant of such a file is judged by: MINPACK alone, or the whole module."""
        wanted = {".f90": ("libminpack_own.so", (".f90",)), ".c": ("_core.so", (".f90", ".c"))}
        name, kinds = wanted[suffix]
        parts = [str(part) for path, part in objects.items() if path.suffix in kinds]
        command = [*compiler(".f90"), "-shared", *parts, "-o", str(folder / name)]
        subprocess.run(command, check=True)

    def build(self, mutant: Mutant) -> bool:
        """Tell whether the mutant compiles; a Python mutant is a source and nothing else."""
        path = ROOT / mutant.file
        source = self.mutant / path.name
        source.write_text(mutant.text)
        (self.mutant / "_core.so").unlink(missing_ok=True)
        # A whole package beside it, for tests that start a Python of their own.
        package = self.mutant / "pyminpack"
        shutil.copytree(self.right / "pyminpack", package, dirs_exist_ok=True)
        if path.suffix == ".py":
            shutil.copy(source, package)
            return True
        if self.compile(source, path, self.mutant):
            return False
        self.link({**self.objects, path: self.mutant / f"{path.stem}.o"}, self.mutant, path.suffix)
        if path.suffix == ".c":
            shutil.copy(self.mutant / "_core.so", package)
        return True


class Judge:
    """A server of tests, as its client sees it."""

    def __init__(self, tests: tuple[str, ...]) -> None:
        self.digests = {test: digest(test.partition("::")[0]) for test in tests}
        self.first: list[str] = []
        environment = {**os.environ, "PYTHONMALLOC": "debug", "MALLOC_PERTURB_": "165"}
        environment |= {"OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, str(SERVER), str(WORK), *tests],
            cwd=ROOT,
            env=environment,
            stdin=pipe,
            stdout=pipe,
            text=True,
        )
        answer = self.ask(WORK / "right", "", tests)
        say(f"{self.count} tests of {len(tests)} groups: the right code has {answer['verdict']}")
        if answer["verdict"] != "survived":
            raise SystemExit(f"the right code fails {answer['by']}")

    def ask(self, folder: Path, source: str, tests: Iterable[str]) -> dict[str, str]:
        """Judge what was built in a folder by some of the tests."""
        request = {"folder": str(folder), "source": source, "first": self.first}
        request["tests"] = list(tests)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer: dict[str, str] = json.loads(self.process.stdout.readline())
        self.count = answer["tests"]
        if answer["by"]:
            self.first = [answer["by"], *(name for name in self.first if name != answer["by"])]
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def tests_of(file: str) -> tuple[str, ...]:
    """The tests that judge a file, as pytest is given them."""
    stem, _, suffix = Path(file).name.partition(".")
    found = []
    for name in TESTS.get(stem, TESTS[suffix]):
        module, colons, function = name.partition("::")
        path = f"tests/test_{module}.py"
        if (ROOT / path).exists():
            found.append(path + colons + function)
    return tuple(found)


def say(what: str) -> None:
    print(what, flush=True)


def digest(file: str) -> str:
    return hashlib.sha256((ROOT / file).read_bytes()).hexdigest()[:12]


# The record: {file: {"source": digest, "mutants": {key: {...}}}}.


def read_record() -> dict[str, Any]:
    record: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return record


def equivalents() -> dict[tuple[str, str], str]:
    """The reasons why known survivors are equivalent code, by file and key."""
    known = tomllib.loads(EQUIVALENT.read_text())
    return {(entry["file"], entry["mutant"]): entry["reason"] for entry in known["equivalent"]}


def explain(file: str, key: str, verdict: str) -> tuple[str, str]:
    """Tell survivors apart: the final verdict on a mutant, and the reason."""
    if verdict != "survived":
        return verdict, ""
    if reason := equivalents().get((file, key)):
        return "equivalent", reason
    for entry in tomllib.loads(EQUIVALENT.read_text())["elsewhere"]:
        if re.search(entry["files"], file) and re.search(entry["pattern"], key):
            return "elsewhere", str(entry["reason"])
    return "survived", "No test notices."


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
            answer = judge.ask(shop.mutant, str(shop.mutant / Path(file).name), tests)
        seconds = round(time.monotonic() - start, 2)
        entry = {"line": mutant.line, "verdict": answer["verdict"], "by": answer["by"]}
        if answer["verdict"] == "survived":
            entry["passed"] = judge.digests
        settled[mutant.key] = {**entry, "seconds": seconds}
        RECORD.write_text(json.dumps(record, indent=1))
        mark = f"{file} {k}/{len(mutants)} {answer['verdict']:9} {seconds:5.1f} s"
        say(f"{mark}  line {mutant.line}: {mutant.key}")


def verdicts(file: str, record: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The final verdict on every mutant of a file, and the reason."""
    judged = record[file]["mutants"].items()
    return {key: explain(file, key, entry["verdict"]) for key, entry in judged}


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
    files = {file for file, _ in equivalents()}
    keys = {(f, m.key) for f in files for m in mutants_of(f, (ROOT / f).read_text())}
    return [f"{file}: {key}" for file, key in equivalents() if (file, key) not in keys]


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
*Timed out* counts as killed: the mutant hangs. *Invalid* does not compile. *Equivalent* and
*elsewhere* survived and are explained below, from the list `tools/mutation_equivalent.toml`.
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
    titles["elsewhere"] = "Survivors of kinds that other tests are for, which were not run on them"
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
    record, judges, shop = read_record(), {}, Workshop()
    try:
        for file in files:
            tests = tests_of(file)
            if tests not in judges:
                judges[tests] = Judge(tests)
            judge_file(file, record, shop, judges[tests], options.sample)
    except KeyboardInterrupt:
        say("interrupted; the next run goes on from here")
    for judge in judges.values():
        judge.close()
    return min(report(record, files), 1)


if __name__ == "__main__":
    sys.exit(main())
