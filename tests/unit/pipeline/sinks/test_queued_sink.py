from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from pipeline.errors import SinkError
from pipeline.messages import Message, Settlement
from pipeline.sinks.queued import Delivered, QueuedSink
from tests.fakes_sinks import FakeBroker, Settled, fake_sink, message, results


class StoppedClock:
    """Stands still, so that a wait ends only when it is rung, until `run`."""

    def __init__(self) -> None:
        self.asleep = threading.Event()
        self._now = 0.0
        self._runs = False

    def run(self) -> None:
        self._runs = True

    def wall_ns(self) -> int:
        return int(self._now * 1e9)

    def monotonic(self) -> float:
        return self._now

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.asleep.set()
        if not self._runs:
            return event.wait()
        self._now += seconds
        return event.is_set()


class FailingFirst(FakeBroker):
    """Acknowledges every other message of a batch and fails, until `num_failures` are used up."""

    def __init__(self, num_failures: int) -> None:
        super().__init__()
        self._num_failures = num_failures

    def deliver(self, messages: Sequence[Message]) -> Delivered:
        if self._num_failures == 0:
            return super().deliver(messages)
        self._num_failures -= 1
        taken = messages[::2]
        self.received += taken
        return Delivered([Settlement(self.name, each, "acknowledged") for each in taken], SinkError("again"))


def test_what_a_failed_batch_left_is_sent_again_in_order() -> None:
    broker = FailingFirst(2)
    sink, settled = QueuedSink(broker, 2**20), Settled()
    sent = results(0, 8)
    sink.put(sent)
    sink.start(settled)
    settled.await_number(8)
    sink.close(5.0)
    assert set(settled.outcomes()) == {one.id for one in sent}
    assert broker.received == [*sent[::2], sent[1], sent[5], sent[3], sent[7]]


def test_a_sink_that_is_down_does_not_stop_another() -> None:
    up, broker = fake_sink("up")
    down, down_broker = fake_sink("down", queue_bytes=results(0, 1)[0].size * 10)
    down_broker.hold()
    up_settled, down_settled = Settled(), Settled()
    up.start(up_settled)
    down.start(down_settled)
    for start in range(0, 100, 10):
        assert down.put(results(start, 10)) == []
        assert up.put(results(start, 10)) == []
    up_settled.await_number(100)
    down_broker.is_up = False
    up.close(5.0)
    down.close(0.1)
    assert len(broker.received) == 100
    outcomes = down_settled.outcomes()
    assert len(outcomes) == 100
    assert {reason for _, reason in outcomes.values()} == {"queue_full", "closed"}


def test_drops_are_told_while_the_broker_is_down() -> None:
    sink, broker = fake_sink(queue_bytes=results(0, 1)[0].size * 3)
    broker.is_up = False
    settled = Settled()
    sink.start(settled)
    sink.put(results(0, 10))
    settled.await_number(7)
    assert sink.health().queued == 3
    broker.is_up = True
    settled.await_number(10)
    sink.close(5.0)
    assert broker.received == results(7, 3)


def test_after_a_failure_the_oldest_go_first_to_make_room() -> None:
    clock = StoppedClock()  # the sink stays in its first backoff
    sink, broker = fake_sink(queue_bytes=results(0, 1)[0].size * 3, clock=clock)
    broker.is_up = False
    settled = Settled()
    sink.put(results(0, 3))
    sink.start(settled)
    assert clock.asleep.wait(10.0)
    sink.put(results(3, 2))
    settled.await_number(2)
    broker.is_up = True
    clock.run()
    sink.close(60.0)
    assert [each.message for each in settled.all[:2]] == results(0, 2)
    assert broker.received == results(2, 3)


def test_outbox_messages_find_room_again_once_the_broker_is_back() -> None:
    alert = message("alert", 1)
    sink, broker = fake_sink(queue_bytes=alert.size)
    broker.is_up = False
    settled = Settled()
    sink.start(settled)
    assert sink.put([alert]) == []
    waiting = message("alert", 2)
    assert sink.put([waiting]) == [waiting]
    broker.is_up = True
    settled.await_number(1)
    assert sink.put([waiting]) == []
    settled.await_number(2)
    sink.close(5.0)
    assert broker.received == [alert, waiting]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_not_healthy() -> None:
    class Broken(FakeBroker):
        def deliver(self, messages: Sequence[Message]) -> Delivered:
            raise RuntimeError(f"a fault of our own at {messages[0].id}")

    broker = Broken()
    sink = QueuedSink(broker, 2**20)
    sink.start(Settled())
    sink.put(results(0, 1))
    assert sink._thread is not None
    sink._thread.join(10.0)
    health = sink.health()
    assert not health.is_connected
    assert health.last_error.startswith("died")
