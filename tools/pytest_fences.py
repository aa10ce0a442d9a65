"""Plugin of pytest for `./dev sanitize` and `./dev valgrind`, where one fault ends the process."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Know the marker of pytest-run-parallel where that is not loaded."""
    config.addinivalue_line("markers", "thread_unsafe(reason): says nothing here")


def pytest_sessionstart() -> None:
    """Make sure that it is the instrumented build that is tested; take NumPy's memory apart."""
    from pyminpack import _core

    site = os.environ["PYMINPACK_INSTRUMENTED_SITE"]
    if not Path(_core.__file__).is_relative_to(site):
        pytest.exit(f"{_core.__file__} would be tested, which is not in {site}", returncode=3)
    # PyDLL: with the GIL held, and with what it raises.
    ctypes.PyDLL(os.environ["PYMINPACK_PLAIN_MALLOC"]).plain_malloc_for_numpy()


def pytest_runtest_logstart(nodeid: str) -> None:
    """Leave the name of the test for whoever finds the process gone."""
    Path(os.environ["PYMINPACK_LAST_TEST"]).write_text(nodeid + "\n")
