"""No fit leaves a reference or memory behind, whatever it ends with."""

from __future__ import annotations

import functools
from pathlib import Path

import leak_scenarios
import pytest
from alone import run_script

pytestmark = [pytest.mark.memory, pytest.mark.process]

run_rounds = functools.partial(run_script, "leak_rounds.py")
GROUPS = [group.__name__ for group in leak_scenarios.GROUPS]

ROUNDS = 2000
FITS = 20000


@pytest.mark.parametrize("group", GROUPS)
def test_no_reference_and_no_memory_stays_behind(group: str) -> None:
    run_rounds(group, ROUNDS)


def test_nothing_stays_behind_of_fits_by_blocks() -> None:
    run_rounds("blocked", ROUNDS)


def test_nothing_stays_behind_of_many_fits() -> None:
    run_rounds("many", 500)


def test_nothing_stays_behind_of_compiled_functions() -> None:
    run_rounds("machine_code", 400)


def test_nothing_stays_behind_of_jacobians_that_change_while_they_are_read() -> None:
    run_rounds("changed", 200)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc/self/statm")
def test_the_resident_memory_of_a_long_running_program_does_not_grow() -> None:
    # A block of glibc's malloc takes 32 bytes at least: one a fit would be 640 kB.
    run_rounds("resident", FITS, 500_000)


def test_a_leak_of_one_thing_a_fit_would_be_seen() -> None:
    run_rounds("leaking", ROUNDS)
