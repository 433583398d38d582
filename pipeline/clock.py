"""Time as a value that can be handed in, so that tests own it."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What the frame path asks of time."""

    def wall_ns(self) -> int:
        """Nanoseconds since the Unix epoch; may step."""
        ...

    def monotonic(self) -> float:
        """Seconds; never steps."""
        ...

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Waits for `event` at most `seconds`; returns whether it is set."""
        ...


class SystemClock:
    """The machine's own."""

    def wall_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(max(0.0, seconds))
