"""Where the scripts of this folder put their pictures, and what they do without matplotlib."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final

DEFAULT_OUTPUT: Final = Path(__file__).resolve().parent.parent / "build" / "demo"


def add_output(parser: argparse.ArgumentParser) -> None:
    """Let the command line say where the picture goes."""
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        default=DEFAULT_OUTPUT,
        help="directory for the picture (default: build/demo of the repository)",
    )


def print_path(draw: Callable[[], Path]) -> None:
    """Draw and print the path of the picture, or that matplotlib is missing."""
    try:
        path = draw()
    except ImportError as error:
        # A broken dependency of an installed matplotlib would need another cure.
        if not (error.name or "matplotlib").startswith("matplotlib"):
            raise
        print("No picture without matplotlib, which installs with: pip install matplotlib")
    else:
        print(path)
