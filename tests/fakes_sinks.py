"""An in-memory broker behind the real queue and thread. Passes the same contract suite as the real ones."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from operators.frames import Ticket
from pipeline.clock import Clock
from pipeline.errors import SinkError
from pipeline.messages import Kind, Message, Settlement
from pipeline.sinks.queued import Delivered, QueuedSink


class FakeBroker:
    """A `Carrier` that keeps what it gets. It can be down, or hold its answer until it is released."""

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.received: list[Message] = []
        self.is_up = True
        self.num_attempts = 0
        self.attempted = threading.Event()
        self._gate = threading.Event()
        self._gate.set()

    def hold(self) -> None:
        """From now on `deliver` does not come back."""
        self._gate.clear()

    def release(self) -> None:
        self._gate.set()

    def check(self) -> None:
        if not self.is_up:
            raise SinkError("the fake broker is down", code="unreachable")

    def deliver(self, messages: Sequence[Message]) -> Delivered:
        self.num_attempts += 1
        self.attempted.set()
        self._gate.wait()
        if not self.is_up:
            return Delivered([], SinkError("the fake broker is down", code="unreachable"))
        self.received += messages
        return Delivered([Settlement(self.name, message, "acknowledged") for message in messages])

    def hurry(self, seconds: float) -> None:  # noqa: ARG002  part of the protocol
        self._gate.set()

    def close(self) -> None:
        pass


def fake_sink(
    name: str = "fake", queue_bytes: int = 2**20, clock: Clock | None = None
) -> tuple[QueuedSink, FakeBroker]:
    """A sink over a fake broker, and the broker."""
    broker = FakeBroker(name)
    return QueuedSink(broker, queue_bytes, clock), broker


class Settled:
    """An `on_settled` that can be waited for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.all: list[Settlement] = []

    def __call__(self, settlements: Sequence[Settlement]) -> None:
        with self._changed:
            self.all += settlements
            self._changed.notify_all()

    def await_number(self, number: int, timeout_seconds: float = 30.0) -> list[Settlement]:
        """Waits until at least `number` are settled."""
        with self._changed:
            reached = self._changed.wait_for(lambda: len(self.all) >= number, timeout_seconds)
            assert reached, f"settled {len(self.all)} of {number} within {timeout_seconds} s"
            return list(self.all)

    def outcomes(self) -> dict[str, tuple[str, str]]:
        """(outcome, reason) by message id; a message settled twice fails."""
        with self._changed:
            ids = [settlement.message.id for settlement in self.all]
            assert len(ids) == len(set(ids)), "a message was settled twice"
            return {each.message.id: (each.outcome, each.reason) for each in self.all}


_TYPES: dict[Kind, str] = {"alert": "alert.start", "state": "alert.state"}


def message(
    kind: Kind, number: int, camera: str = "dock-01", *, body: bytes | None = None, key: str | None = None
) -> Message:
    """One event as the publisher makes it: results carry a ticket, all others an outbox row."""
    event_id = f"{camera}/1/{number}/{kind}"
    kind_of_event = f"dinostream.{_TYPES.get(kind, kind)}.v1"
    return Message(
        id=event_id,
        kind=kind,
        type=kind_of_event,
        camera=camera,
        key=key or (f"{camera}/rule" if kind == "state" else camera),
        attributes={
            "specversion": "1.0",
            "id": event_id,
            "source": "dinostream/test",
            "type": kind_of_event,
            "subject": camera,
            "time": "2026-11-25T14:00:00Z",
            "datacontenttype": "application/json",
        },
        body=b'{"number":%d}' % number if body is None else body,
        ticket=Ticket(camera, 1, 1, number) if kind == "result" else None,
        outbox=None if kind == "result" else number,
    )


def results(first: int, number: int, camera: str = "dock-01", size_bytes: int = 0) -> list[Message]:
    """Results `first` .. `first + number - 1`, padded to `size_bytes` of body."""
    pad = b"x" * size_bytes
    return [
        message("result", each, camera, body=b'{"number":%d,"pad":"%s"}' % (each, pad))
        for each in range(first, first + number)
    ]
