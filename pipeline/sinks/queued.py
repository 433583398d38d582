"""The sink around a connection: a thread, a bounded queue, backoff without end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.backoff import Backoff
from pipeline.clock import Clock, SystemClock
from pipeline.errors import SinkError
from pipeline.messages import Kind, Message, Settlement
from pipeline.secrets import redact
from pipeline.sinks.base import OnSettled, SinkHealth
from pipeline.sinks.names import KINDS
from pipeline.sinks.queue import SendQueue

BATCH_MESSAGES = 512
BATCH_BYTES = 4 * 2**20
_IDLE_CHECK_SECONDS = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one batch. `error` stopped the messages that `settled` does not name; they are sent again."""

    settled: list[Settlement]
    error: SinkError | None = None


class Carrier(Protocol):
    """One connection to one broker. Used on the sink's thread alone, except `hurry`."""

    name: str

    def check(self) -> None:
        """Connects, or looks whether the connection still answers.

        Raises:
            SinkError: it does not; redacted.
        """
        ...

    def deliver(self, messages: Sequence[Message]) -> Delivered:
        """Sends in order and waits for the broker's word, a bounded time. Connects if needed.

        What is not settled comes again, first and in order, in the next call.
        """
        ...

    def hurry(self, seconds: float) -> None:
        """From any thread: the sink closes; calls of `deliver` must be back within this time."""
        ...

    def close(self) -> None:
        """Ends the connection without waiting for the broker."""
        ...


class QueuedSink:
    """A `Sink` over a `Carrier`. See `pipeline.sinks.base.Sink` for the promises."""

    def __init__(
        self,
        carrier: Carrier,
        queue_bytes: int,
        clock: Clock | None = None,
        kinds: frozenset[Kind] = frozenset(KINDS),
    ) -> None:
        """`kinds`: what the broker gets; the rest is settled at once as `dropped/not_wanted`."""
        self._kinds = kinds
        self.name = carrier.name
        self._carrier = carrier
        self._queue = SendQueue(queue_bytes)
        self._clock = clock or SystemClock()
        self._backoff = Backoff(first=0.2, maximum=5.0)
        self._bell = threading.Event()
        self._closing = threading.Event()
        self._close_at = 0.0
        self._thread: threading.Thread | None = None
        self._on_settled: OnSettled | None = None
        self._is_connected = False
        self._last_acknowledged_ns: int | None = None
        self._last_error = ""

    def start(self, on_settled: OnSettled) -> None:
        if self._thread is not None:
            raise RuntimeError(f"sink {self.name}: started twice")
        self._on_settled = on_settled
        self._thread = threading.Thread(target=self._run, name=f"sink-{self.name}", daemon=True)
        self._thread.start()

    def put(self, messages: Sequence[Message]) -> list[Message]:
        wanted = [message for message in messages if message.kind in self._kinds]
        refused = self._queue.put(wanted)
        if refused is None:  # closed: the thread is gone, so its callers count what comes too late
            self._settle([Settlement(self.name, each, "dropped", "closed") for each in messages if each.outbox is None])
            return [message for message in messages if message.outbox is not None]
        if wanted:
            self._bell.set()
        if len(wanted) < len(messages):
            self._queue.pass_over([message for message in messages if message.kind not in self._kinds])
            if self._on_settled is not None:
                self._report_dropped()
        return refused

    def health(self) -> SinkHealth:
        queued, queued_bytes = self._queue.depth
        died = self._thread is not None and not self._thread.is_alive() and not self._closing.is_set()
        return SinkHealth(
            name=self.name,
            is_connected=self._is_connected and not died,
            queued=queued,
            queued_bytes=queued_bytes,
            last_acknowledged_ns=self._last_acknowledged_ns,
            last_error="died: the thread of this sink ended by a fault of its own" if died else self._last_error,
        )

    def close(self, timeout_seconds: float) -> None:
        if self._thread is None:
            return
        if not self._closing.is_set():
            self._close_at = self._clock.monotonic() + timeout_seconds
            self._carrier.hurry(timeout_seconds)
            self._closing.set()
            self._bell.set()
        self._thread.join()

    def _run(self) -> None:
        self._attempt_check()
        while not self._closing.is_set():
            if not self._clock.wait(self._bell, _IDLE_CHECK_SECONDS):
                self._attempt_check()
            self._bell.clear()
            self._report_dropped()
            self._deliver_all()
        self._deliver_all()
        left = self._queue.abandon()
        self._report_dropped()
        self._settle([Settlement(self.name, message, "dropped", "closed") for message in left])
        self._carrier.close()
        self._is_connected = False

    def _deliver_all(self) -> None:
        """Until the queue is empty; while closing, until the deadline."""
        while not self._is_out_of_time():
            batch = self._queue.take(BATCH_MESSAGES, BATCH_BYTES)
            if not batch:
                return
            delivered = self._carrier.deliver(batch)
            self._queue.done([settlement.message for settlement in delivered.settled])
            self._queue.put_back()
            self._settle(delivered.settled)
            self._report_dropped()
            if delivered.error is None:
                self._note_success(is_delivery=True)
            else:
                self._note_failure(delivered.error)
                self._pause(self._backoff.next_seconds())

    def _attempt_check(self) -> None:
        try:
            self._carrier.check()
        except SinkError as error:
            self._note_failure(error)
        else:
            self._note_success(is_delivery=False)

    def _pause(self, seconds: float) -> None:
        """Backs off, still reporting what is dropped meanwhile."""
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0 and not self._closing.is_set():
            if self._clock.wait(self._bell, left):
                self._bell.clear()
                self._report_dropped()
        if self._closing.is_set():
            self._closing_pause(until)

    def _closing_pause(self, until: float) -> None:
        left = min(until, self._close_at) - self._clock.monotonic()
        if left > 0:
            self._clock.wait(threading.Event(), left)

    def _is_out_of_time(self) -> bool:
        return self._closing.is_set() and self._clock.monotonic() >= self._close_at

    def _report_dropped(self) -> None:
        dropped = self._queue.take_dropped()
        self._settle(
            [
                Settlement(self.name, message, "dropped", "queue_full" if message.kind in self._kinds else "not_wanted")
                for message in dropped
            ]
        )

    def _settle(self, settlements: list[Settlement]) -> None:
        if settlements and self._on_settled is not None:
            self._on_settled(settlements)

    def _note_success(self, *, is_delivery: bool) -> None:
        if not self._is_connected:
            _log.info("sink %s: connected", self.name)
        self._is_connected = True
        self._last_error = ""
        self._backoff.reset()
        if is_delivery:
            self._last_acknowledged_ns = self._clock.wall_ns()

    def _note_failure(self, error: SinkError) -> None:
        text = redact(error.message)
        if self._is_connected or text != self._last_error:
            _log.warning("sink %s: %s; trying again", self.name, text)
        self._is_connected = False
        self._last_error = f"{error.code}: {text}"
