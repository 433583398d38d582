"""What every sink promises, written once. Each implementation subclasses with its broker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pipeline.messages import Kind, Message
from pipeline.sinks.base import Sink
from tests.fakes_sinks import Settled, message, results

CANARY = "hunter2-canary"


@dataclass(frozen=True)
class Event:
    """One event as someone who knows nothing of this project reads it from the broker."""

    id: str
    attributes: dict[str, str]
    body: bytes


@contextmanager
def running(sink: Sink, close_seconds: float = 10.0) -> Iterator[Settled]:
    settled = Settled()
    sink.start(settled)
    try:
        yield settled
    finally:
        sink.close(close_seconds)


def without_repetition(events: list[Event]) -> list[str]:
    return list(dict.fromkeys(event.id for event in events))


class SinkContract(ABC):
    @abstractmethod
    def make(self, queue_bytes: int = 2**22) -> Sink:
        """A sink that is not started, on a broker that answers, with names of its own."""

    @abstractmethod
    def read(self, kind: Kind, camera: str) -> list[Event]:
        """Everything of `kind` and `camera`, in order, through a client that is not ours."""

    @abstractmethod
    def make_unreachable(self, queue_bytes: int = 2**22) -> Sink:
        """A sink whose broker is not there and whose credentials hold CANARY where it has any."""

    def test_delivers_every_kind_with_attributes_and_body(self) -> None:
        kinds: tuple[Kind, ...] = ("result", "alert", "status", "dead_letter")
        sent = {kind: message(kind, number) for number, kind in enumerate(kinds)}
        sink = self.make()
        with running(sink) as settled:
            assert sink.put(list(sent.values())) == []
            settled.await_number(len(kinds))
        assert set(settled.outcomes().values()) == {("acknowledged", "")}
        for kind, one in sent.items():
            (event,) = self.read(kind, "dock-01")
            assert event.id == one.id
            assert event.attributes == one.attributes
            assert event.body == one.body

    def test_keeps_the_order_of_each_camera(self) -> None:
        per_camera = {camera: results(0, 300, camera, size_bytes=700) for camera in ("dock-01", "dock-02")}
        mixed = [one for pair in zip(*per_camera.values(), strict=True) for one in pair]
        sink = self.make()
        with running(sink) as settled:
            for start in range(0, len(mixed), 50):
                assert sink.put(mixed[start : start + 50]) == []
            settled.await_number(len(mixed))
        for camera, sent in per_camera.items():
            assert [event.id for event in self.read("result", camera)] == [one.id for one in sent]

    def test_close_delivers_what_is_queued(self) -> None:
        sent = results(0, 200)
        sink = self.make()
        with running(sink) as settled:
            sink.put(sent)
        assert len(settled.outcomes()) == len(sent)
        assert set(settled.outcomes().values()) == {("acknowledged", "")}
        assert without_repetition(self.read("result", "dock-01")) == [one.id for one in sent]

    def test_a_repeated_message_is_settled_too(self) -> None:
        one = message("alert", 1)
        for _ in range(2):  # as after a restart: a new sink is offered what the outbox still holds
            sink = self.make()
            with running(sink) as settled:
                sink.put([one])
                settled.await_number(1)
        assert without_repetition(self.read("alert", "dock-01")) == [one.id]

    def test_absent_broker_blocks_nobody_and_loses_no_outbox_message(self) -> None:
        sink = self.make_unreachable()
        result, alert = message("result", 1), message("alert", 2)
        with running(sink, close_seconds=0.5) as settled:
            assert sink.put([result, alert]) == []
            assert sink.health().queued == 2
            assert not sink.health().is_connected
        assert settled.outcomes() == {result.id: ("dropped", "closed")}

    def test_full_queue_drops_the_oldest_results_and_returns_outbox_messages(self) -> None:
        sent = results(0, 10, size_bytes=1000)
        sink = self.make_unreachable(queue_bytes=sum(one.size for one in sent[:5]))
        with running(sink, close_seconds=0.5) as settled:
            # One batch may be on its way already, and that is never dropped: so only numbers are certain here.
            assert sink.put(sent) == []
            settled.await_number(5)
            big = message("alert", 99, body=b'"%s"' % (b"x" * 10_000))
            assert sink.put([big]) == [big]
            assert sink.health().queued_bytes <= sum(one.size for one in sent[:5])
        outcomes = settled.outcomes()
        assert len(outcomes) == 10
        assert big.id not in outcomes
        assert {outcome for outcome, _ in outcomes.values()} == {"dropped"}

    def test_health_names_no_secret(self) -> None:
        sink = self.make_unreachable()
        with running(sink, close_seconds=0.1):
            sink.put([message("alert", 1)])
        health = sink.health()
        assert health.last_error
        assert CANARY not in repr(health)

    def test_messages_after_close_are_accounted_for(self) -> None:
        sink = self.make()
        with running(sink) as settled:
            pass
        result, alert = message("result", 1), message("alert", 2)
        assert sink.put([result, alert]) == [alert]
        assert settled.outcomes() == {result.id: ("dropped", "closed")}

    def test_close_is_idempotent(self) -> None:
        sink: Sink = self.make()
        sink.start(Settled())
        sink.close(1.0)
        sink.close(1.0)


def tombstone(one: Message) -> Message:
    return message(one.kind, 10_000, one.camera, body=b"", key=one.key)
