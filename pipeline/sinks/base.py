"""The contract of a sink."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.messages import Message, Settlement

OnSettled = Callable[[Sequence[Settlement]], None]


@dataclass(frozen=True, slots=True)
class SinkHealth:
    """For `/readyz` and the table."""

    name: str
    is_connected: bool
    queued: int
    queued_bytes: int
    last_acknowledged_ns: int | None
    last_error: str = ""


class Sink(Protocol):
    """Delivers messages on its own thread, in the order of `put` per camera.

    Delivery: at least once; consumers remove duplicates by `ce_id`. Results wait in memory, at most `queue` bytes:
    beyond that the oldest *results* are dropped and settled as `dropped/queue_full`. Messages with an `outbox` row are
    never dropped by the sink: `put` returns those that it has no room for, and the publisher offers them again.
    A broker that is down, also at start, is retried with backoff for ever; it blocks nobody.
    """

    name: str

    def start(self, on_settled: OnSettled) -> None:
        """Starts the thread. `on_settled` is called on it, for every message exactly once."""
        ...

    def put(self, messages: Sequence[Message]) -> list[Message]:
        """Queues; never blocks. Returns outbox messages for which there was no room (never results)."""
        ...

    def health(self) -> SinkHealth:
        """Now."""
        ...

    def close(self, timeout_seconds: float) -> None:
        """Delivers what is queued for at most this long, settles the rest as `dropped/closed` (results) or leaves it
        unsettled (outbox), and ends the thread. Idempotent.
        """
        ...
