"""Where the project is, and the tools that build it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent.parent


def tool_path() -> str:
    """Return the search path with this Python's own tools first."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def find_tool(name: str) -> str:
    """Return the path of a build tool, or skip the test."""
    path = shutil.which(name, path=tool_path())
    if path is None:
        pytest.skip(f"{name} is not installed; ./dev test installs it")
    return path


def shared_library(name: str) -> str:
    """Return what the file of a shared library is called here."""
    suffix = {"darwin": "dylib", "win32": "dll"}.get(sys.platform, "so")
    return f"lib{name}.{suffix}"
