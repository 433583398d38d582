"""Events that a sink still holds, oldest first, to their end: for whoever looks back. JSON lines as in `envelope`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import redis
from kafka import KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from pipeline import kafka_log
from pipeline.errors import SinkError
from pipeline.kafka_client import client_settings
from pipeline.messages import Kind
from pipeline.secrets import Secrets
from pipeline.sinks import envelope
from pipeline.sinks.config import JsonlSinkConfig, KafkaSinkConfig, RedisSinkConfig
from pipeline.sinks.kafka_errors import translate as translate_kafka
from pipeline.sinks.names import destinations
from pipeline.sinks.redis_errors import translate as translate_redis
from pipeline.sinks.redis_streams import connect

_AT_ONCE = 500
_WAIT_MS = 1000
_EMPTY_POLLS = 5
"""A broker that sends nothing for so many seconds has no more, whatever it says of its end."""
_CLIENT_ID = "dinostream-past"
_CLOCK_MARGIN_MS = 60_000
"""The clocks of the broker and of whoever publishes may differ."""


class _Head(msgspec.Struct):
    subject: str = ""


def redis_past(
    config: RedisSinkConfig, secrets: Secrets, kind: Kind, camera: str, since_ns: int = 0
) -> Iterator[bytes]:
    """Of one camera, those written after `since_ns` (wall clock), and some before.

    Raises:
        SinkError: the server cannot be reached or refuses.
    """
    stream = destinations(config.prefix, kind, camera).streams[0]
    first = f"{max(0, since_ns // 1_000_000 - _CLOCK_MARGIN_MS)}-0"
    try:
        with connect(config, secrets, _CLIENT_ID) as client:
            while True:
                entries: Any = client.xrange(stream, min=first, count=_AT_ONCE)
                for _, fields in entries:
                    if fields.get(b"ce_subject") == camera.encode():
                        yield envelope.line_of(fields)
                if len(entries) < _AT_ONCE:
                    return
                first = f"({entries[-1][0].decode()}"
    except (redis.RedisError, OSError) as error:
        raise translate_redis(error, config.url) from None


def kafka_past(
    config: KafkaSinkConfig, secrets: Secrets, kind: Kind, camera: str, since_ns: int = 0
) -> Iterator[bytes]:
    """The same from a topic; joins no group and commits nothing.

    Raises:
        SinkError: no broker answers, or the topic is not there.
    """
    complaint = kafka_log.listen()
    topic = destinations(config.prefix, kind, camera).topic
    settings = client_settings(config.brokers, config.security, secrets, _CLIENT_ID, SinkError)
    try:
        consumer: Any = KafkaConsumer(**settings, enable_auto_commit=False, fetch_max_wait_ms=100)
        try:
            ends = _seek(consumer, topic, max(0, since_ns // 1_000_000 - _CLOCK_MARGIN_MS))
            empty_polls = 0
            while empty_polls < _EMPTY_POLLS and any(consumer.position(each) < end for each, end in ends.items()):
                batches = consumer.poll(timeout_ms=_WAIT_MS, max_records=_AT_ONCE)
                empty_polls = 0 if batches else empty_polls + 1
                for record in (record for records in batches.values() for record in records):
                    if record.key == camera.encode():
                        fields = {name.encode(): value for name, value in record.headers}
                        yield envelope.line_of({**fields, b"data": record.value or b""})
        finally:
            consumer.close()
    except (KafkaError, OSError, ValueError) as error:
        raise translate_kafka(error, config.brokers, complaint.take()) from None


def _seek(consumer: Any, topic: str, since_ms: int) -> dict[Any, int]:
    """Every partition to its first record since then; returns their ends."""
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise SinkError(f"Kafka has no topic {topic}: run `main.py topics create`", code="no_topic")
    partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
    consumer.assign(partitions)
    ends, oldest = consumer.end_offsets(partitions), consumer.beginning_offsets(partitions)
    found = consumer.offsets_for_times(dict.fromkeys(partitions, since_ms)) if since_ms else {}
    for partition in partitions:
        at = found.get(partition)
        nothing_since = bool(since_ms) and at is None
        consumer.seek(partition, ends[partition] if nothing_since else at.offset if at else oldest[partition])
    return ends


def jsonl_past(config: JsonlSinkConfig, kind: Kind, camera: str, since_ns: int = 0) -> Iterator[bytes]:
    """The same from files, those set aside first.

    Raises:
        SinkError: they cannot be read.
    """
    name = destinations("", kind, camera).file
    folder, quoted = Path(config.path), msgspec.json.encode(camera)
    try:
        for path in [*sorted(folder.glob(f"{name}-*.jsonl")), folder / f"{name}.jsonl"]:
            if not path.is_file() or path.stat().st_mtime_ns < since_ns:
                continue
            with path.open("rb") as file:
                for line in file:
                    if quoted in line and line.endswith(b"\n") and _subject(line) == camera:
                        yield line.rstrip()
    except OSError as error:
        raise SinkError(f"{folder} cannot be read: {error.strerror}", code="unreadable") from None


def _subject(line: bytes) -> str:
    try:
        return msgspec.json.decode(line, type=_Head).subject
    except msgspec.DecodeError:
        return ""  # not ours
