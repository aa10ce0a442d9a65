"""tools/refresh.py BUILD: compile what has changed, and install that into this Python.

For the package that pip has installed from the same build folder. pip would take all of it again,
in ten times the time.
"""

from __future__ import annotations

import fcntl
import filecmp
import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path


def refresh(build: Path) -> None:
    """Bring the installed files up to date."""
    subprocess.run(["ninja", "-C", str(build)], check=True)
    plan = json.loads((build / "meson-info" / "intro-install_plan.json").read_text())
    site = sysconfig.get_path("platlib")
    for section in plan.values():
        for source, entry in section.items():
            installed = Path(entry["destination"].format(py_platlib=site))
            if not (installed.exists() and filecmp.cmp(source, installed)):
                # Who has loaded the old one keeps it.
                new = installed.with_name(f".{installed.name}.new")
                shutil.copy2(source, new)
                new.replace(installed)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    # Another ./dev may be doing the same.
    with (folder / "refresh.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refresh(folder)
