"""The gallery reads the results topic of real brokers from the position that its store holds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import redis

from pipeline.clock import SystemClock
from pipeline.errors import SinkError
from pipeline.frame_path.publisher.wire import encode_event
from pipeline.frame_path.publisher.wire_result import ResultBody
from pipeline.gallery.config import GalleryConfig
from pipeline.gallery.consumer import Consumer
from pipeline.gallery.intake import Intake
from pipeline.gallery.results_topic import Topic, kafka_results, redis_results
from pipeline.gallery.search import Gallery
from pipeline.gallery.store import GalleryStore
from pipeline.messages import Message
from pipeline.secrets import Secrets
from pipeline.sinks.config import KafkaSinkConfig, RedisSinkConfig, SinksConfig
from pipeline.sinks.registry import build_sinks
from pipeline.sinks.topics import create_topics, planned_topics
from tests.contract.sink_contract import running
from tests.fakes_gallery import direction, result, subject

CAMERAS = ("dock-1", "dock-2")


def message(seq: int, camera: str = "dock-1", site: str = "north") -> Message:
    data = result(seq, subject(direction(seq + 100 * CAMERAS.index(camera))), camera=camera)
    body = msgspec.json.decode(data, type=ResultBody)
    return encode_event(
        body, event_id=body.id, kind="result", event="result", camera=camera, site=site, time_ns=body.times.published_ns
    )


Written = Callable[[list[Message]], None]


@pytest.fixture(params=["redis", "kafka"])
def broker(request: pytest.FixtureRequest, prefix: str) -> tuple[Topic, Written]:
    """The topic, and what writes to it as the pipeline does."""
    if request.param == "redis":
        sink = RedisSinkConfig(url=request.getfixturevalue("redis_url"), prefix=prefix)
        sinks, topic = SinksConfig(redis=sink), redis_results(sink, Secrets({}), "north", CAMERAS)
    else:
        kafka = KafkaSinkConfig(brokers=(request.getfixturevalue("tansu_brokers"),), prefix=prefix)
        create_topics(kafka, Secrets({}), planned_topics(kafka, 2), -1)
        sinks, topic = SinksConfig(kafka=kafka), kafka_results(kafka, Secrets({}), "north")

    def write(messages: list[Message]) -> None:
        (sink,) = build_sinks(sinks, "test", Secrets({}))[0]
        with running(sink) as settled:
            sink.put(messages)
            settled.await_number(len(messages))

    return topic, write


def caught_up(topic: Topic, folder: Path) -> dict[str, int]:
    """What one run took in."""
    config = GalleryConfig(store=str(folder))
    store = GalleryStore(config)
    before = dict(store.counts)
    Consumer(topic, Intake(config, store), store, SystemClock()).run(threading.Event(), is_catching_up=True)
    store.close()
    return {name: count - before.get(name, 0) for name, count in store.counts.items() if count > before.get(name, 0)}


@pytest.mark.redis
@pytest.mark.kafka
def test_everything_once_over_restarts(broker: tuple[Topic, Written], tmp_path: Path) -> None:
    topic, write = broker
    write([message(seq, camera) for seq in range(5) for camera in CAMERAS])
    write([message(9, site="south")])  # of another site on the same brokers
    assert caught_up(topic, tmp_path) == {"kept": 10}
    write([message(seq, camera) for seq in range(4, 8) for camera in CAMERAS])  # one of each comes again
    taken = caught_up(topic, tmp_path)
    assert taken["kept"] == 6
    assert taken.get("repeated", 0) in {0, 2}  # Redis's sink reads back what is there and does not write it again
    assert caught_up(topic, tmp_path) == {}
    gallery = Gallery.open(tmp_path)
    for camera in CAMERAS:
        assert [len(gallery.records_of(f"{camera}/17/{seq}")) for seq in range(9)] == [1] * 8 + [0]


@pytest.mark.redis
def test_results_that_were_trimmed_unread_are_said(
    redis_url: str, prefix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = RedisSinkConfig(url=redis_url, prefix=prefix)
    client = redis.Redis.from_url(redis_url)
    stream = f"{prefix}:results:dock-1"

    def add(seq: int) -> None:
        fields = {"ce_source": "dinostream/north", "ce_type": "dinostream.result.v1"}
        client.xadd(stream, {**fields, "data": result(seq, subject(direction(seq)))})

    topic = redis_results(config, Secrets({}), "north", ("dock-1",))
    add(1)
    assert caught_up(topic, tmp_path) == {"kept": 1}
    add(2)
    assert caught_up(topic, tmp_path) == {"kept": 1}
    assert caplog.text == ""
    add(3)
    add(4)
    client.xtrim(stream, maxlen=1)
    assert caught_up(topic, tmp_path) == {"kept": 1}
    assert f"{stream} was trimmed past" in caplog.text


@pytest.mark.kafka
def test_a_topic_that_is_not_there_is_one_sentence(tansu_brokers: str, prefix: str, tmp_path: Path) -> None:
    topic = kafka_results(KafkaSinkConfig(brokers=(tansu_brokers,), prefix=prefix), Secrets({}), "north")
    with pytest.raises(SinkError, match="topics create"):
        caught_up(topic, tmp_path)


@pytest.mark.kafka
def test_a_topic_that_was_made_anew_is_read_from_its_start(
    kafka_brokers: str, prefix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kafka = KafkaSinkConfig(brokers=(kafka_brokers,), prefix=prefix)
    create_topics(kafka, Secrets({}), planned_topics(kafka, 1), -1)
    (sink,) = build_sinks(SinksConfig(kafka=kafka), "test", Secrets({}))[0]
    with running(sink) as settled:
        sink.put([message(1)])
        settled.await_number(1)
    config = GalleryConfig(store=str(tmp_path))
    store = GalleryStore(config)
    Intake(config, store).take([], {f"{prefix}.results.v1/0": "700"}, 1)
    store.close()
    assert caught_up(kafka_results(kafka, Secrets({}), "north"), tmp_path) == {"kept": 1}
    assert "does not reach to 700" in caplog.text


@pytest.mark.redis
@pytest.mark.kafka
def test_a_result_of_another_major_version_is_an_error_and_not_passed_over(broker: tuple[Topic, Written]) -> None:
    topic, write = broker
    known = message(0)
    write([replace(known, attributes={**known.attributes, "type": "dinostream.result.v2"})])
    with pytest.raises(SinkError, match=r"cannot read dinostream\.result\.v2: expected version v1, got v2") as caught:
        for _ in zip(range(10), topic({}), strict=False):
            pass
    assert caught.value.code == "other_version"
