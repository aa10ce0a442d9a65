"""
Run commands side by side and print what each said in one piece, in the order they are given.

Usage: side_by_side.py AT_ONCE COMMAND... Each command is one argument, to be split as a shell does.
They begin in that order, too, so the longest should come first. The exit status is that of the
first of them that failed.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor


def run(command: str) -> tuple[bytes, int, float]:
    """Run it to its end; return its output and errors, its exit status, and the seconds."""
    begun = time.monotonic()
    done = subprocess.run(
        shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    # A negative one is that of a signal; a shell says 128 and more.
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return done.stdout, status, time.monotonic() - begun


def main() -> int:
    """Print each output as soon as it and those before it are there."""
    at_once, *commands = sys.argv[1:]
    failure = 0
    with ThreadPoolExecutor(int(at_once)) as pool:
        for command, done in zip(commands, pool.map(run, commands), strict=True):
            output, status, seconds = done
            print(f"== {command}", flush=True)
            sys.stdout.buffer.write(output)
            sys.stdout.buffer.flush()
            print(f"== exit status {status} after {seconds:.0f} s", flush=True)
            failure = failure or status
    return failure


if __name__ == "__main__":
    sys.exit(main())
