"""In which order one sink is offered what lies in the outbox."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.frame_path.publisher.outbox import Outbox
from pipeline.messages import Message
from pipeline.sinks.base import Sink

CHUNK = 64
"""Rows read from disk at once."""
CHUNKS_PER_TURN = 8
"""Bounds how long owners wait for a publisher that catches up."""


class Offers:
    """One sink's place in the outbox. Every row is offered in order; what the sink has no room for is offered again.

    While there is a backlog nothing newer overtakes it, and the backlog stays on disk. Not thread-safe.
    """

    def __init__(self, sink: Sink, outbox: Outbox, newest: int) -> None:
        """`newest`: row up to which the outbox held messages before this start: they are the first backlog."""
        self.sink = sink
        self._outbox = outbox
        self._offered = 0
        self._newest = newest

    @property
    def has_backlog(self) -> bool:
        return self._offered < self._newest

    def put(self, messages: Sequence[Message]) -> None:
        """New messages in order of commit; those with a row wait behind a backlog, the others do not."""
        rows = [message.outbox for message in messages if message.outbox is not None]
        if self.has_backlog:
            messages = [message for message in messages if message.outbox is None]
        elif rows:
            self._offered = rows[-1]
        self._newest = max([self._newest, *rows])
        self._hand_over(messages)

    def catch_up(self) -> bool:
        """Offers the next part of the backlog; True: the sink took all of it, and there is more."""
        for _ in range(CHUNKS_PER_TURN):
            chunk = self._outbox.after(self._offered, self.sink.name, CHUNK) if self.has_backlog else []
            if not chunk:
                self._offered = self._newest
                return False
            self._offered = chunk[-1].outbox or self._offered
            if self._hand_over(chunk):
                return False
        return self.has_backlog

    def _hand_over(self, messages: Sequence[Message]) -> bool:
        """Returns whether the sink refused some."""
        refused = [message.outbox for message in self.sink.put(messages) if message.outbox is not None]
        if refused:
            self._offered = min(refused) - 1
        return bool(refused)
