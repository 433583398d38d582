"""Deliveries that come while another one is committed share the next transaction: one wait for the disk for all."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline.messages import Delivery, Receipt

Outcome = Receipt | BaseException
Commit = Callable[[Sequence[Delivery]], list[Outcome]]
"""On disk when it returns; an answer for each, in order. Raises what befell all of them alike."""
MOST_ENTRIES = 64
"""Of one transaction: whoever comes meanwhile waits for so many at most."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """One caller."""

    delivery: Delivery
    turn: threading.Event = field(default_factory=threading.Event)
    """It is answered, or the next to commit."""
    outcome: Outcome | None = None


class Gathering:
    """Whoever comes first commits at once, and whoever waits longest commits next, for all who wait by then.

    Nobody waits for company. Thread-safe; a caller is answered once its own delivery is on disk.
    """

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._guard = threading.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._is_led = False

    def publish(self, delivery: Delivery) -> Receipt:
        """Blocks until the delivery is on disk.

        Raises:
            PublishError: what its own delivery met, or what befell all of its transaction.
        """
        mine = _Waiting(delivery)
        with self._guard:
            self._waiting.append(mine)
            leads, self._is_led = not self._is_led, True
        if not leads:
            mine.turn.wait()
        if mine.outcome is None:
            self._lead()
        if isinstance(mine.outcome, Receipt):
            return mine.outcome
        assert mine.outcome is not None
        raise mine.outcome

    def _lead(self) -> None:
        """Commits for those who wait, oldest first, and hands the lead on."""
        with self._guard:
            group = self._take()
        try:
            outcomes = self._commit([each.delivery for each in group])
        except BaseException as error:  # noqa: BLE001 - it belongs to all callers of the group, and each raises it
            outcomes = [error] * len(group)
        for each, outcome in zip(group, outcomes, strict=True):
            each.outcome = outcome
        with self._guard:
            self._is_led = bool(self._waiting)
            if self._waiting:
                self._waiting[0].turn.set()
        for each in group:
            each.turn.set()

    def _take(self) -> list[_Waiting]:
        """At least one; more while they are few entries in all."""
        group = [self._waiting.popleft()]
        entries = len(group[0].delivery.entries)
        while self._waiting and entries + len(self._waiting[0].delivery.entries) <= MOST_ENTRIES:
            group.append(self._waiting.popleft())
            entries += len(group[-1].delivery.entries)
        return group
