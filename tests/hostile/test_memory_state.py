"""The results of a fit do not depend on what was in memory before."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from alone import SUPPORT

pytestmark = [pytest.mark.memory, pytest.mark.process]

SCRIPT = SUPPORT / "fits_digest.py"

# MALLOC_PERTURB_ is glibc's: memory handed out is filled with the complement of the byte, memory
# given back with the byte. PYTHONMALLOC=malloc lets Python's blocks come from there; debug fills
# memory by itself. NumPy's cache of small blocks knows neither; the number goes there too.
STATES: list[dict[str, str]] = [
    {"number": "nan"},
    {"number": "1e300"},
    {"PYTHONMALLOC": "malloc", "MALLOC_PERTURB_": "165"},
    {"PYTHONMALLOC": "malloc", "MALLOC_PERTURB_": "128"},
    {"PYTHONMALLOC": "malloc", "MALLOC_PERTURB_": "255", "number": "-1"},
    {"PYTHONMALLOC": "debug"},
]


def fits(number: str | None = None, **state: str) -> list[str]:
    """Return the digests of the fits, computed in a process of its own."""
    command = [sys.executable, str(SCRIPT)] + ([] if number is None else [number])
    usual = {k: v for k, v in os.environ.items() if k not in ("PYTHONMALLOC", "MALLOC_PERTURB_")}
    environment = {**usual, **state}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def usual() -> list[str]:
    return fits()


def test_every_ier_is_among_the_fits(usual: list[str]) -> None:
    assert {line.split()[-2] for line in usual} >= set("0123456789")


@pytest.mark.parametrize("state", STATES, ids=str)
def test_every_bit_is_the_same_in_any_state_of_memory(
    usual: list[str], state: dict[str, str]
) -> None:
    assert fits(**state) == usual
