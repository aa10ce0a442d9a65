"""The judge of mutants: a pytest that forks at the point of running its tests.

The tests are collected once, with the right code. For every mutant a child takes the mutant's code
in place of the right one and runs the tests until the first fails. Requests come as lines of JSON
on the standard input, and so go the answers. Started by mutate.py.
"""

from __future__ import annotations

import ctypes
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

CPU_SECONDS = 10  # for one test


class Server:
    """Judge one mutant after another: requests are lines of JSON, and so are answers."""

    def __init__(self, folder: Path, requests: Any, answers: Any) -> None:
        self.requests, self.answers = requests, answers
        self.note = os.open(folder / "current", os.O_RDWR | os.O_CREAT)
        self.native: Path | None = None  # in a child

    def pytest_runtestloop(self, session: Any) -> bool | None:
        for line in self.requests:
            request = json.loads(line)
            child = os.fork()
            if child == 0:
                os.setsid()
                self.tell("loading the module")
                try:
                    self.become(request, session)
                except BaseException:
                    os._exit(1)
                return None  # and pytest goes on to run the tests
            status = self.wait(child, request["patience"])
            late = status is None or os.WTERMSIG(status) == signal.SIGPROF
            verdict = "timed out" if late else "killed" if status else "survived"
            by = os.pread(self.note, 1000, 0).decode().strip() if status != 0 else ""
            answer = {"verdict": verdict, "by": by, "tests": len(session.items)}
            print(json.dumps(answer), file=self.answers, flush=True)
        return True

    def tell(self, what: str) -> None:
        """Note what is about to happen: it may be the last thing that this process does."""
        os.pwrite(self.note, what.encode().ljust(1000), 0)

    @staticmethod
    def wait(child: int, patience: float) -> int | None:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return status
            time.sleep(0.005)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return None

    def become(self, request: dict[str, Any], session: Any) -> None:
        """Take the mutant's code, and put the tests that killed others before it first."""
        wanted = tuple(request["tests"])
        session.items = [item for item in session.items if item.nodeid.startswith(wanted)]
        rank = {name: k for k, name in enumerate(request["first"])}
        session.items.sort(key=lambda item: rank.get(item.nodeid, len(rank)))
        self.native = Path(request["folder"])
        os.environ["PYTHONPATH"] = str(self.native)
        if request["file"].endswith(".py"):
            path = Path(request["file"]).relative_to("src")
            names = [name for name in path.with_suffix("").parts if name != "__init__"]
            module = sys.modules[".".join(names)]
            functions = {k: v for k, v in vars(module).items() if isinstance(v, FunctionType)}
            source = (self.native / path).read_text()
            exec(compile(source, str(module.__file__), "exec"), vars(module))
            for name, function in functions.items():  # the tests hold some of them
                new = vars(module)[name]
                function.__code__, function.__defaults__ = new.__code__, new.__defaults__
        elif (self.native / "_core.so").exists() and "pyminpack._core" in sys.modules:
            path = str(self.native / "_core.so")
            loader = importlib.machinery.ExtensionFileLoader("pyminpack._core", path)
            spec = importlib.util.spec_from_loader("pyminpack._core", loader)
            assert spec is not None
            core = importlib.util.module_from_spec(spec)
            loader.exec_module(core)
            right = sys.modules["pyminpack._core"]
            vars(right).update({k: v for k, v in vars(core).items() if not k.startswith("__")})

    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Path | None:
        if fixturedef.argname != "native_build":
            return None
        fixturedef.cached_result = (self.native, fixturedef.cache_key(request), None)
        return self.native

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.tell(nodeid)
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            os._exit(1)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        os._exit(int(exitstatus) != 0)


def main(folder: Path, without: str, tests: list[str]) -> int:
    """Run the server. What pytest prints goes nowhere, the answers go to the real output."""
    answers = os.fdopen(os.dup(1), "w")
    for descriptor in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    sys.path.insert(0, str(folder / "right"))
    if plain := os.environ.get("PYMINPACK_PLAIN_MALLOC"):
        import numpy as np  # noqa: F401  it has to be there first

        ctypes.PyDLL(plain).plain_malloc_for_numpy()
    options = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:faulthandler"]
    options += ["-k", without]
    return int(pytest.main([*options, *tests], [Server(folder, sys.stdin, answers)]))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
