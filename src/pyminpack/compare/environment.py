"""What results depend on besides the problems: machine and versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path


def machine() -> dict[str, str]:
    """Return what the times depend on besides the programs."""
    processor, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        processor = models[0].partition(":")[2].strip() if models else processor
    return {
        "processor": processor,
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}",
    }


def environment(packages: Mapping[str, str]) -> dict[str, str]:
    """Return the machine, and the versions of Python, NumPy and the packages, by name."""
    import pyminpack

    config = pyminpack.show_config("dict")
    compilers = dict.fromkeys(config[key] for key in ("C compiler", "Fortran compiler"))
    python = f"Python {config['Python']}, NumPy {config['NumPy']}"
    return {
        **machine(),
        "python": python,
        "versions": ", ".join([python, *(f"{name} {each}" for name, each in packages.items())]),
        "build": f"MINPACK is {config['MINPACK']}, compiled by {', '.join(compilers)}",
    }
