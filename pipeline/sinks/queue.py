"""What waits for one broker, bounded in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Sequence

from pipeline.messages import Message


class SendQueue:
    """Messages in order; results make room, oldest first, messages with an outbox row never do.

    Thread-safe. Waiting and taken messages count together until `done`. Taken ones are not dropped, since the broker
    may be about to acknowledge them; after a failure `put_back` makes them the oldest again.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._waiting: OrderedDict[int, Message] = OrderedDict()
        self._results: deque[int] = deque()
        self._dropped: list[Message] = []
        self._taken: list[tuple[int, Message]] = []
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

    def pass_over(self, messages: Sequence[Message]) -> None:
        """Messages that take no place here; `take_dropped` hands them out."""
        with self._lock:
            self._dropped += messages

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
        """The oldest messages, at least one if any waits, which stay taken until `done` or `put_back`."""
        with self._lock:
            size = 0
            while self._waiting and len(self._taken) < max_messages:
                number, message = self._waiting.popitem(last=False)
                size += message.size
                if self._taken and size > max_bytes:
                    self._waiting[number] = message
                    self._waiting.move_to_end(number, last=False)
                    break
                if self._results and self._results[0] == number:
                    self._results.popleft()
                self._taken.append((number, message))
            return [message for _, message in self._taken]

    def done(self, messages: Sequence[Message]) -> None:
        """These taken messages are settled; the others stay taken."""
        gone = {id(message) for message in messages}
        with self._lock:
            self._bytes -= sum(message.size for message in messages)
            self._taken = [(number, message) for number, message in self._taken if id(message) not in gone]

    def put_back(self) -> None:
        """What is still taken waits again, in its old place."""
        with self._lock:
            for number, message in reversed(self._taken):
                self._waiting[number] = message
                self._waiting.move_to_end(number, last=False)
                if message.outbox is None:
                    self._results.appendleft(number)
            self._taken = []

    def take_dropped(self) -> list[Message]:
        """Results that made room since the last call, and what was passed over."""
        with self._lock:
            dropped, self._dropped = self._dropped, []
            return dropped

    def abandon(self) -> list[Message]:
        """Closes and empties the queue and returns its results; outbox messages are let go unsettled."""
        self.put_back()
        with self._lock:
            self._is_closed = True
            left = [message for message in self._waiting.values() if message.outbox is None]
            self._waiting.clear()
            self._results.clear()
            self._bytes = 0
            return left
