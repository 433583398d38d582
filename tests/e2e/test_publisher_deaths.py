"""A real owner and a real publisher in one process: what both count must agree, however often the publisher dies."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from pipeline.clock import SystemClock
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.config import SampleConfig
from pipeline.frame_path.owner.owner import FeedPlan, Owner
from pipeline.frame_path.publisher.publisher import PublishedCamera, Publisher
from pipeline.sinks.config import OutboxConfig
from pipeline.sources.config import BackoffConfig
from tests.fakes import End, FakeAnalyzer, Script, Show, Silence, owned
from tests.fakes_publisher import publisher
from tests.fakes_sinks import fake_sink
from tests.waiting import until

LIMIT_SECONDS = 30.0
NUM_FRAMES = 400
LIMITS = BatchLimits(max_batch_size=2, analyze_timeout_seconds=5.0)


@dataclass(frozen=True)
class Handle:
    name: str
    publisher: Publisher

    def attach(self, camera, lease):
        return self.publisher.attach(camera, lease)

    def publish(self, delivery):
        return self.publisher.publish(delivery)


def make(tmp_path, sinks, published):
    return publisher(tmp_path, [published], sinks, clock=SystemClock(), outbox_bytes=OutboxConfig().max_bytes)


def kill(made: Publisher) -> None:
    """As SIGKILL would: nothing more is written, every call fails."""
    made._is_closing = True
    made._wake.set()
    made._thread.join()
    with made._lock:
        made._records.close()


def queued(made: Publisher, sink: str) -> int:
    return sum(each.queued for each in made.snapshot().ledgers if each.sink == sink)


@pytest.mark.parametrize("is_replayable", [True, False])
def test_two_publishers_die_and_every_frame_is_accounted_for_on_both_sides(tmp_path, is_replayable):
    never = threading.Event()
    last = End() if is_replayable else Silence(never)
    script = Script("archive", [Show(NUM_FRAMES), last], is_replayable=is_replayable)

    def pause():
        never.wait(0.005)

    script.pause = pause
    sample = SampleConfig(max_age=60.0)
    plan = FeedPlan(
        (owned("archive", is_replayable=is_replayable, sample=sample),),
        script.feed,
        BackoffConfig(first=0.01, max=0.05),
    )
    published = PublishedCamera(plan.cameras[0].spec, is_replayable)
    brokers = []

    def sinks():
        made = [fake_sink(name, 2**24) for name in ("redis", "kafka")]
        brokers.extend(broker for _, broker in made)
        return [sink for sink, _ in made]

    current = make(tmp_path, sinks(), published)
    owner = Owner(
        "decode-0",
        [plan],
        analyzers=[(FakeAnalyzer(), 2)],
        publisher_of=lambda _: Handle("publish-0", current),
        clock=SystemClock(),
        state_dir=tmp_path / "owner",
        limits=LIMITS,
    )
    owner.start()
    for _ in range(2):
        redis = brokers[-2]
        until("some results", lambda redis=redis: len(redis.received) >= 20)
        redis.hold()  # for good: what waits now dies with its publisher
        until("results that wait", lambda made=current: queued(made, "redis") >= 20)
        kill(current)
        next_sinks = sinks()
        if is_replayable:
            brokers[-2].hold()  # so that nothing is settled before the owner sends it again
        current = make(tmp_path, next_sinks, published)
        handle = Handle("publish-0", current)
        owner.replace_publisher(lambda _, handle=handle: handle)
        if is_replayable:
            until("unsettled frames that come again", lambda made=current: made.snapshot().retries >= 20)
            brokers[-2].release()

    def ledger():
        return owner.snapshot()[0].ledger

    until("all frames", lambda: ledger().decoded == NUM_FRAMES and ledger().in_flight == 0)
    assert owner.drain(LIMIT_SECONDS)
    until("all delivered", lambda: queued(current, "redis") == queued(current, "kafka") == 0)
    never.set()
    owner.stop(5.0)
    current.close(5.0)

    counted = ledger()
    assert counted.unaccounted == 0
    for each in current.snapshot().ledgers:
        total = each.acknowledged + sum(each.dropped.values()) + each.dead_lettered + each.queued
        assert total == counted.analysed + counted.gated, (each, counted)
    redis_ledger = next(each for each in current.snapshot().ledgers if each.sink == "redis")
    seen = {message.id for broker in brokers if broker.name == "redis" for message in broker.received}
    for broker in brokers:
        broker.release()
    if is_replayable:
        assert {each for each in seen if each.endswith("/result")} == {
            f"archive/0/{seq}/result" for seq in range(NUM_FRAMES)
        }
        assert (counted.analysed, redis_ledger.dropped) == (NUM_FRAMES, {})
    else:
        assert redis_ledger.dropped["publisher_died"] >= 40
