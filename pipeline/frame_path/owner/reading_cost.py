"""What reading a camera costs, by the processor time of the threads that do it; placement goes by it."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

from pipeline.clock import Clock
from pipeline.frame_path.owner.reader import READER

PUMP = " pump"
"""A thread that reads for a reader is called like it, with this behind."""
_MEMORY_SECONDS = 30.0
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class ReadingCost:
    """Cores in use by feed. Linux tells the time of each thread; where it is not told, nothing is known."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looked_at = clock.monotonic()
        self._seconds: dict[int, float] = {}
        self._cores: dict[str, float] = {}

    def look(self) -> Mapping[str, float]:
        """Cores by the feed's first camera, over the last half minute or so."""
        now = self._clock.monotonic()
        span, self._looked_at = now - self._looked_at, now
        spent: dict[str, float] = {}
        seconds: dict[int, float] = {}
        for thread in threading.enumerate():
            if not thread.name.startswith(READER) or thread.native_id is None:
                continue
            used = _thread_seconds(thread.native_id)
            if used is None:
                continue
            seconds[thread.native_id] = used
            feed = thread.name.removeprefix(READER).removesuffix(PUMP)
            spent[feed] = spent.get(feed, 0.0) + used - self._seconds.get(thread.native_id, 0.0)
        self._seconds = seconds
        if span > 0:
            weight = min(1.0, span / _MEMORY_SECONDS)
            for feed, used in spent.items():
                before = self._cores.get(feed)
                self._cores[feed] = used / span if before is None else before + weight * (used / span - before)
        self._cores = {feed: cores for feed, cores in self._cores.items() if feed in spent}
        return self._cores


def _thread_seconds(native_id: int) -> float | None:
    """Processor time of one thread of this process; None: it has just ended, or nobody tells."""
    try:
        told = Path(f"/proc/self/task/{native_id}/stat").read_bytes()
    except OSError:
        return None
    user, system = told.rpartition(b")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS_PER_SECOND
