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
        self._seconds: dict[int, tuple[float, float]] = {}
        self._cores: Mapping[str, float] = {}
        self.wanted: Mapping[str, float] = {}
        """As `look`, with the time in which its threads were ready to run and others had the cores."""

    def look(self) -> Mapping[str, float]:
        """Cores by the feed's first camera, over the last half minute or so."""
        now = self._clock.monotonic()
        span, self._looked_at = now - self._looked_at, now
        spent: dict[str, float] = {}
        wanted: dict[str, float] = {}
        seconds: dict[int, tuple[float, float]] = {}
        for thread in threading.enumerate():
            if not thread.name.startswith(READER) or thread.native_id is None:
                continue
            used = _thread_seconds(thread.native_id)
            if used is None:
                continue
            waited = _thread_waited(thread.native_id)
            seconds[thread.native_id] = used, waited
            feed = thread.name.removeprefix(READER).removesuffix(PUMP)
            used_before, waited_before = self._seconds.get(thread.native_id, (0.0, 0.0))
            spent[feed] = spent.get(feed, 0.0) + used - used_before
            wanted[feed] = wanted.get(feed, 0.0) + used - used_before + waited - waited_before
        self._seconds = seconds
        self._cores = _blended(self._cores, spent, span)
        self.wanted = _blended(self.wanted, wanted, span)
        return self._cores


def _blended(before: Mapping[str, float], spent: Mapping[str, float], span: float) -> dict[str, float]:
    """Cores by feed; those of feeds that are read no more are left out."""
    if span <= 0:
        return {feed: before[feed] for feed in spent if feed in before}
    weight = min(1.0, span / _MEMORY_SECONDS)
    return {
        feed: before[feed] + weight * (used / span - before[feed]) if feed in before else used / span
        for feed, used in spent.items()
    }


def _thread_seconds(native_id: int) -> float | None:
    """Processor time of one thread of this process; None: it has just ended, or nobody tells."""
    try:
        told = Path(f"/proc/self/task/{native_id}/stat").read_bytes()
    except OSError:
        return None
    user, system = told.rpartition(b")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS_PER_SECOND


def _thread_waited(native_id: int) -> float:
    """Seconds in which it was ready to run and had no core; 0 where nobody tells."""
    try:
        return int(Path(f"/proc/self/task/{native_id}/schedstat").read_bytes().split()[1]) / 1e9
    except (OSError, IndexError):  # it has just ended, or the kernel does not count
        return 0.0
