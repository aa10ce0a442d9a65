"""Where mutants are compiled, and the server of tests that judges them. Used by mutate.py."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from mutants import Mutant

ROOT = Path(__file__).resolve().parent.parent
SERVER = ROOT / "tools" / "mutant_server.py"
MINPACK, CORE, PACKAGE = ROOT / "minpack", ROOT / "src" / "core", ROOT / "src" / "pyminpack"
ALLOCATOR = ROOT / "tests" / "native" / "failing_allocator.c"

# -O1 compiles quickest; that it gives the bits of -O3 is checked when the right code is judged
# first. What a fault reads beyond an array or before it is set must not depend on luck. Of what is
# compiled for several instruction sets only the baseline is.
COMPILE = {
    ".f90": "-std=f2018 -O1 -ffp-contract=off -fimplicit-none -fPIC -w -fcheck=bounds"
    " -finit-real=snan -finit-integer=-99999",
    ".c": "-std=c11 -O1 -ffp-contract=off -fPIC -w -DON_ARGONNE=0",
}


def say(what: str) -> None:
    print(what, flush=True)


def digest(file: str) -> str:
    return hashlib.sha256((ROOT / file).read_bytes()).hexdigest()[:12]


def compiler(suffix: str) -> list[str]:
    name, variable = {".f90": ("gfortran", "FC"), ".c": ("cc", "CC")}[suffix]
    return shlex.split(os.environ.get(variable, name))


# What only builds of meson's own know or have; and what takes longer than all the rest, mostly
# because it starts a Python of its own. Faults for which these are the tests are judged elsewhere.
NOT_HERE = ("show_config", "pyminpack._config", "another_minpack", "avx2")
SLOW = (
    "test_a_jacobian_as_a_list_of_many_rows",
    "test_a_row_that_empties_the_list_of_rows",
    "test_a_subclass_that_lets_its_items_reach_the_copy",
    "test_recursion_error_with_another_limit",
    "test_results_survive_pickle_and_another_process",
)
# As ./dev sanitize has it.
SANITIZE = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g"
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:abort_on_error=1"
    ":detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:abort_on_error=1",
}


class Workshop:
    """The compiled right code, and beside it one mutant at a time.

    With `sanitized` the C is under AddressSanitizer and UndefinedBehaviorSanitizer.
    """

    def __init__(self, folder: Path, sanitized: bool = False) -> None:
        self.folder = folder
        self.right, self.mutant = folder / "right", folder / "mutant"
        self.sanitize = shlex.split(SANITIZE) if sanitized else []
        shutil.rmtree(folder, ignore_errors=True)
        package = self.right / "pyminpack"
        shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "*.build"))
        self.mutant.mkdir()
        shutil.copy(PACKAGE / "_build.py.in", package / "_build.py")
        include = [sysconfig.get_paths()["include"], np.get_include(), str(CORE), str(MINPACK)]
        self.options = {
            ".c": [f"-I{folder}" for folder in include],
            ".f90": [f"-I{self.right}"],
        }
        self.sources = self._in_order(list(MINPACK.rglob("*.[fF]90")))
        # argonne.c is for the other build.
        self.sources += sorted(MINPACK.rglob("*.c"))
        self.sources += [p for p in sorted(CORE.rglob("*.c")) if p != CORE / "argonne.c"]
        self.objects = {path: self.right / self._object(path) for path in self.sources}
        for path in self.sources:
            if self.compile(path, path, self.right):
                raise SystemExit(f"{path} does not compile")
        self.link(self.objects, self.right, ".f90")
        self.link(self.objects, self.right, ".c")
        shutil.copy(self.right / "_core.so", package)
        # Where the tests look for what refuses memory.
        self.allocator = f"failing_allocator{sysconfig.get_config_var('EXT_SUFFIX')}"
        self.compile_library(ALLOCATOR, self.right / self.allocator)
        shutil.copy(self.right / self.allocator, self.mutant)
        if sanitized:
            self.compile_library(ROOT / "tools" / "plain_malloc.c", folder / "plain_malloc.so")

    def compile_library(self, source: Path, library: Path) -> None:
        command = [*compiler(".c"), "-std=c11", "-O1", "-w", "-shared", "-fPIC"]
        subprocess.run([*command, *self.options[".c"], str(source), "-o", str(library)], check=True)

    def environment(self) -> dict[str, str]:
        """What the tests run under: no fault that touches memory may depend on luck."""
        common = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        if not self.sanitize:
            return {**common, "PYTHONMALLOC": "debug", "MALLOC_PERTURB_": "165"}
        command = [*compiler(".c"), "-print-file-name="]
        libraries = [
            subprocess.check_output([*command[:-1], command[-1] + name], text=True).strip()
            for name in ("libasan.so", "libstdc++.so")
        ]
        plain = str(self.folder / "plain_malloc.so")
        return {
            **common,
            **SANITIZERS,
            "LD_PRELOAD": " ".join([*libraries, plain]),
            "PYMINPACK_PLAIN_MALLOC": plain,
        }

    @staticmethod
    def _object(source: Path) -> str:
        """Name the object of a source: files of two folders may have the same name."""
        return "-".join(source.relative_to(ROOT).parts) + ".o"

    @staticmethod
    def _in_order(paths: list[Path]) -> list[Path]:
        """Sort the files of modules so that each comes after those it uses."""
        texts = {path: path.read_text() for path in sorted(paths)}
        # Modules of other processors are in no file.
        modules = {m: p for p, t in texts.items() for m in re.findall(r"^module (\w+)", t, re.M)}
        uses = {
            path: {modules[m] for m in re.findall(r"^use (\w+),", text, re.M) if m in modules}
            for path, text in texts.items()
        }
        done: list[Path] = []
        while len(done) < len(uses):
            done += [p for p in uses if p not in done and uses[p] <= set(done)]
        return done

    def compile(self, source: Path, named: Path, folder: Path) -> int:
        suffix = named.suffix.lower()
        command = [*compiler(suffix), *shlex.split(COMPILE[suffix])]
        command += [f"-J{folder}"] if suffix == ".f90" else []
        command += self.sanitize if suffix == ".c" else []
        command += ["-fvisibility=hidden"] if named.is_relative_to(CORE) else []
        command += [f"-I{named.parent}", *self.options[suffix], "-c", str(source)]
        command += ["-o", str(folder / self._object(named))]
        return subprocess.run(command, capture_output=True, check=False).returncode

    def link(self, objects: dict[Path, Path], folder: Path, suffix: str) -> None:
        """Link what a mutant of such a file is judged by: MINPACK alone, or the whole module."""
        name = {".f90": "libminpack_own.so", ".c": "_core.so"}[suffix]
        parts = [
            str(part)
            for path, part in objects.items()
            if suffix == ".c" or path.is_relative_to(MINPACK)
        ]
        command = [*compiler(".f90"), "-shared", *self.sanitize, *parts, "-o", str(folder / name)]
        subprocess.run(command, check=True)

    def build(self, mutant: Mutant) -> bool:
        """Tell whether the mutant compiles; a Python mutant is a source and nothing else."""
        path = ROOT / mutant.file
        (self.mutant / "_core.so").unlink(missing_ok=True)
        # A whole package beside it, for tests that start a Python of their own.
        package = self.mutant / "pyminpack"
        shutil.copytree(self.right / "pyminpack", package, dirs_exist_ok=True)
        if path.suffix == ".py":
            (package / path.relative_to(PACKAGE)).write_text(mutant.text)
            return True
        source = self.mutant / path.name
        source.write_text(mutant.text)
        if self.compile(source, path, self.mutant):
            return False
        # A kernel in C is a part of what the Fortran is judged by.
        suffix = ".c" if path.is_relative_to(CORE) else ".f90"
        self.link({**self.objects, path: self.mutant / self._object(path)}, self.mutant, suffix)
        if suffix == ".c":
            shutil.copy(self.mutant / "_core.so", package)
        return True


class Judge:
    """A server of tests, as its client sees it."""

    def __init__(self, tests: tuple[str, ...], shop: Workshop, slow: bool = False) -> None:
        self.patience = 1200 if slow else 300  # seconds of the clock for all tests of a mutant
        self.digests = {test: digest(test.partition("::")[0]) for test in tests}
        self.first: list[str] = []
        without = " and ".join(f"not {name}" for name in (*NOT_HERE, *(() if slow else SLOW)))
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, str(SERVER), str(shop.folder), without, *tests],
            cwd=ROOT,
            env=shop.environment(),
            stdin=pipe,
            stdout=pipe,
            text=True,
        )
        answer = self.ask(shop.right, "", tests)
        say(f"{self.count} tests of {len(tests)} groups: the right code has {answer['verdict']}")
        if answer["verdict"] != "survived":
            raise SystemExit(f"the right code fails {answer['by']}")

    def ask(self, folder: Path, file: str, tests: Iterable[str]) -> dict[str, str]:
        """Judge what was built in a folder by some of the tests."""
        request: dict[str, object] = {"folder": str(folder), "file": file, "first": self.first}
        request |= {"tests": list(tests), "patience": self.patience}
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
