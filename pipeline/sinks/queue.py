"""What waits for one broker, bounded in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Sequence

from pipeline.messages import Message


class SendQueue:
    """Messages in order; results make room, oldest first, messages with an outbox row never do.

    Thread-safe. Waiting and taken messages count together until `done`; taken ones are not dropped, since the broker
    may have them already.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._waiting: OrderedDict[int, Message] = OrderedDict()
        self._results: deque[int] = deque()
        self._dropped: list[Message] = []
        self._taken: list[Message] = []
        self._next = 0
        self._bytes = 0
        self._is_closed = False

    @property
    def depth(self) -> tuple[int, int]:
        """(messages, bytes) that are neither delivered nor dropped."""
        with self._lock:
            return len(self._waiting) + len(self._taken), self._bytes

    def put(self, messages: Sequence[Message]) -> list[Message] | None:
        """Queues in order; returns the outbox messages that found no room, from the first such one on.

        None: the queue is closed and took nothing.
        """
        refused: list[Message] = []
        with self._lock:
            if self._is_closed:
                return None
            for message in messages:
                if message.outbox is not None and (refused or not self._make_room(message.size)):
                    refused.append(message)
                elif message.outbox is None and not self._make_room(message.size):
                    self._dropped.append(message)
                else:
                    self._append(message)
        return refused

    def _make_room(self, size: int) -> bool:
        """Drops the oldest waiting results until `size` bytes fit."""
        while self._bytes + size > self._max_bytes and self._results:
            oldest = self._waiting.pop(self._results.popleft())
            self._bytes -= oldest.size
            self._dropped.append(oldest)
        return self._bytes + size <= self._max_bytes

    def _append(self, message: Message) -> None:
        if message.outbox is None:
            self._results.append(self._next)
        self._waiting[self._next] = message
        self._next += 1
        self._bytes += message.size

    def take(self, max_messages: int, max_bytes: int) -> list[Message]:
        """The oldest messages, which stay taken until `done`. What is still taken comes first, and alone."""
        with self._lock:
            if not self._taken:
                size = 0
                while self._waiting and len(self._taken) < max_messages:
                    number, message = next(iter(self._waiting.items()))
                    size += message.size
                    if self._taken and size > max_bytes:
                        break
                    del self._waiting[number]
                    if self._results and self._results[0] == number:
                        self._results.popleft()
                    self._taken.append(message)
            return list(self._taken)

    def done(self, messages: Sequence[Message]) -> None:
        """These taken messages are settled; the others stay in order."""
        gone = {id(message) for message in messages}
        with self._lock:
            self._bytes -= sum(message.size for message in messages)
            self._taken = [message for message in self._taken if id(message) not in gone]

    def take_dropped(self) -> list[Message]:
        """Results that made room since the last call."""
        with self._lock:
            dropped, self._dropped = self._dropped, []
            return dropped

    def abandon(self) -> list[Message]:
        """Closes and empties the queue and returns its results; outbox messages are let go unsettled."""
        with self._lock:
            self._is_closed = True
            left = [*self._taken, *self._waiting.values()]
            self._waiting.clear()
            self._results.clear()
            self._taken = []
            self._bytes = 0
            return [message for message in left if message.outbox is None]
