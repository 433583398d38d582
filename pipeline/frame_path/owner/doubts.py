"""How narrow the next delivery of somebody is whom the publisher refused."""

from __future__ import annotations

from pipeline.backoff import Backoff

PATIENCE = 3
"""Failures alone before an entry is held to be the culprit."""
LAST_PATIENCE = 8
"""Failures of the announcement that a frame is gone, or to let the camera in, before it is stopped: some 18 s."""


class Doubt:
    """One camera, or one picture, whose deliveries are tried alone until one is taken.

    Binary search: once it has failed `PATIENCE` times, at most 2 log2(n) calls lead to the culprit among n entries.
    """

    def __init__(self) -> None:
        self.failures = 0
        self._rests_until = 0.0
        self._doubtful: int | None = None
        """Of the entries that go out next, the culprit is among so many."""
        self._backoff = Backoff(first=0.25, maximum=5.0)

    @property
    def most(self) -> int | None:
        """Entries that the next delivery may have; None: no bound."""
        return None if self._doubtful is None else max(1, self._doubtful // 2)

    def rests(self, now: float) -> bool:
        """Whether its next try is yet to come."""
        return now < self._rests_until

    def failed(self, num_sent: int, now: float, patience: int = PATIENCE) -> bool:
        """A delivery of so many entries failed; True: it was a single one, and it was tried often enough."""
        self.failures += 1
        if num_sent > 1 and self.failures >= PATIENCE:
            self._doubtful = num_sent
            return False
        self._rests_until = now + self._backoff.next_seconds()
        return num_sent == 1 and self.failures >= patience

    def took(self, num_sent: int) -> bool:
        """A delivery of so many entries was taken; True: nothing is in doubt any more."""
        if self._doubtful is None or self._doubtful <= num_sent:
            return True
        self._doubtful -= num_sent
        return False
