"""Code of the tests in a Python of its own, which may die: one function, or a whole script."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SUPPORT = Path(__file__).resolve().parent
ROOT = SUPPORT.parent.parent


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a Python that finds the modules of the tests by their names."""
    inherited = os.environ.get("PYTHONPATH", "")
    paths = filter(None, [inherited, str(ROOT), str(SUPPORT)])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **changes}


def run_alone(
    function: Callable[..., Any], *arguments: Any, timeout: float = 60, **changes: str
) -> str:
    """Call the function in a fresh interpreter and return what it prints.

    The arguments must survive `repr`. Fails with what the interpreter says if it dies, if the
    function raises, or if it takes longer than `timeout` seconds.
    """
    name = function.__name__
    code = f"from {function.__module__} import {name}; {name}(*{arguments!r})"
    options = ["-X", "faulthandler", *(["-X", "dev"] if sys.flags.dev_mode else [])]
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment(**changes),
        check=False,
    )
    assert done.returncode == 0, f"{name}{arguments} ended with {done.returncode}\n{done.stderr}"
    return done.stdout


def run_script(name: str, *arguments: object) -> None:
    """Run a script of tests/support; fails with what it says if it does."""
    command = [sys.executable, str(SUPPORT / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def interrupt_each(code: str, names: list[str]) -> None:
    """Run the code, which prints each of the names and then waits for Ctrl-C, and "done" at last.

    Fails if it ends before, says anything else, or takes longer than 50 seconds.
    """
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as python:
        guard = threading.Timer(50.0, python.kill)
        guard.start()
        try:
            assert python.stdout is not None
            for name in names:
                assert python.stdout.readline() == f"{name}\n"
                time.sleep(0.2)
                assert python.poll() is None
                python.send_signal(signal.SIGINT)
            said, errors = python.communicate()
        finally:
            guard.cancel()
            python.kill()
    assert (said, errors, python.returncode) == ("done\n", "", 0)
