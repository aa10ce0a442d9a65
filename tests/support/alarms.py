"""Signals at short intervals."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def alarms(handler: Callable[..., Any], interval: float) -> Iterator[None]:
    """Have the handler called every `interval` seconds."""
    if not hasattr(signal, "setitimer"):
        pytest.skip("no interval timers here")
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, interval, interval)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
