"""Waiting for what must happen, in tests that run threads and processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_FIRST_PAUSE_SECONDS = 0.005


def until(what: str, is_so: Callable[[], bool], seconds: float = 90.0, pause: float = 0.2) -> None:
    """Looks again and again, ever more seldom, at last every `pause` seconds; fails with `what` when time is up."""
    deadline, waiting = time.monotonic() + seconds, threading.Event()
    now = min(pause, _FIRST_PAUSE_SECONDS)
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        waiting.wait(now)
        now = min(1.2 * now, pause)
