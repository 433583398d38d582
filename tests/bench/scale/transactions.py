"""A publisher under a virtual clock: what comes while it writes shares its next transaction, as in `Gathering`.

Differs: an owner has one delivery under way, so what it sends after an answer misses a transaction that begins at once.
Here it is in time for it.
"""

from __future__ import annotations

from collections import deque

from pipeline.frame_path.publisher.gathering import MOST_ENTRIES
from tests.bench.scale.service_times import ServiceTimes


class Transactions:
    """Computed without events: a transaction is known once something comes after it began. Not thread-safe."""

    def __init__(self, times: ServiceTimes, begins_at: float) -> None:
        """Counts nothing before `begins_at`."""
        self._call, self._result = times.publish_call_seconds, times.publish_result_seconds
        self._begins_at = begins_at
        self._done = 0.0
        self._waiting: deque[float | None] = deque()
        self.ages: list[float] = []
        """From admission until on disk, of each result that has a time of admission."""
        self.busy_seconds = 0.0

    def put(self, now: float, admitted_at: float | None) -> None:
        """One result; None: its age is not asked for. Times never step back."""
        self.settle(now)
        self._waiting.append(admitted_at)
        if self._done <= now:
            self._write(now)

    def settle(self, now: float = float("inf")) -> None:
        """Everything that begins until then."""
        while self._waiting and self._done <= now:
            self._write(self._done)

    def _write(self, begins: float) -> None:
        count = min(len(self._waiting), MOST_ENTRIES)
        cost = self._call + count * self._result
        self._done = begins + cost
        if begins >= self._begins_at:
            self.busy_seconds += cost
        for _ in range(count):
            admitted_at = self._waiting.popleft()
            if admitted_at is not None:
                self.ages.append(self._done - admitted_at)
