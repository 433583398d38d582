"""Whoever looks back reads from every sink that keeps something what was written to it, in order and to its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.errors import SinkError
from pipeline.messages import Kind
from pipeline.secrets import Secrets
from pipeline.sinks.base import Sink
from pipeline.sinks.config import JsonlSinkConfig, KafkaSinkConfig, RedisSinkConfig
from pipeline.sinks.jsonl import JsonLines
from pipeline.sinks.kafka_topics import KafkaTopics
from pipeline.sinks.past import jsonl_past, kafka_past, redis_past
from pipeline.sinks.queued import QueuedSink
from pipeline.sinks.redis_streams import RedisStreams
from pipeline.sinks.topics import create_topics, planned_topics
from tests.contract.sink_contract import running
from tests.fakes_sinks import message, results

SECRETS = Secrets({})
NUM_RESULTS = 1200
"""More than one page of a stream."""

Past = Callable[[Kind, str], Iterator[bytes]]


def fill(sink: Sink) -> None:
    sent = [*results(0, NUM_RESULTS), *results(0, 3, "dock-02")]
    sent += [message("alert", number) for number in range(5)] + [message("scene", 7)]
    with running(sink) as settled:
        sink.put(sent)
        settled.await_number(len(sent))


def ids(lines: Iterator[bytes]) -> list[str]:
    return [json.loads(line)["id"] for line in lines]


def check(past: Past) -> None:
    assert ids(past("result", "dock-01")) == [one.id for one in results(0, NUM_RESULTS)]
    assert ids(past("result", "dock-02")) == [one.id for one in results(0, 3, "dock-02")]
    assert ids(past("alert", "dock-01")) == [*(message("alert", n).id for n in range(5)), message("scene", 7).id]
    assert ids(past("alert", "dock-02")) == []
    first = json.loads(next(past("alert", "dock-01")))
    assert (first["type"], first["data"]) == ("dinostream.alert.start.v1", {"number": 0})


def test_files_also_those_set_aside(tmp_path: Path) -> None:
    config = JsonlSinkConfig(path=str(tmp_path), rotate=40_000)
    for start in range(0, NUM_RESULTS, 300):
        sink = QueuedSink(JsonLines(config), 2**22)
        with running(sink) as settled:
            sink.put(results(start, 300))
            settled.await_number(300)
    assert len(list(tmp_path.glob("results-*.jsonl"))) > 1
    assert ids(jsonl_past(config, "result", "dock-01")) == [one.id for one in results(0, NUM_RESULTS)]


def test_files(tmp_path: Path) -> None:
    config = JsonlSinkConfig(path=str(tmp_path))
    fill(QueuedSink(JsonLines(config), 2**22))
    with (tmp_path / "alerts.jsonl").open("ab") as file:
        file.write(b'{"subject":"dock-01","id":"torn')  # a crash left it: it comes again
    check(lambda kind, camera: jsonl_past(config, kind, camera))
    assert ids(jsonl_past(config, "result", "dock-01", since_ns=2**62)) == []


@pytest.mark.redis
def test_redis(redis_url: str, prefix: str) -> None:
    config = RedisSinkConfig(url=redis_url, prefix=prefix)
    fill(QueuedSink(RedisStreams(config, "test", SECRETS), 2**22))
    check(lambda kind, camera: redis_past(config, SECRETS, kind, camera))
    assert ids(redis_past(config, SECRETS, "result", "dock-01", since_ns=2**62)) == []


@pytest.mark.kafka
def test_kafka(kafka_brokers: str, prefix: str) -> None:
    config = KafkaSinkConfig(brokers=(kafka_brokers,), prefix=prefix)
    create_topics(config, SECRETS, planned_topics(config, 2))
    fill(QueuedSink(KafkaTopics(config, "test", SECRETS), 2**22))
    check(lambda kind, camera: kafka_past(config, SECRETS, kind, camera))
    assert len(ids(kafka_past(config, SECRETS, "result", "dock-01", since_ns=time.time_ns()))) == NUM_RESULTS
    assert ids(kafka_past(config, SECRETS, "result", "dock-01", since_ns=2**62)) == []


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(SinkError, match="cannot be reached"):
        next(redis_past(RedisSinkConfig(url="redis://127.0.0.1:1/0"), SECRETS, "alert", "dock-01"))
