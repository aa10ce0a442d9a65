"""The list of mutants that are known to be equivalent code keeps up with the sources."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).resolve().parent.parent / "tools" / "mutate.py"


def test_every_mutant_that_is_called_equivalent_can_still_be_made() -> None:
    """`./dev mutate` judges the mutants themselves; that takes half an hour."""
    command = [sys.executable, str(TOOL), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
