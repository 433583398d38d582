"""The results topic read from a known position, by the reader that keeps that position itself."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import redis
from kafka import KafkaConsumer
from kafka.errors import KafkaError, OffsetOutOfRangeError
from kafka.structs import TopicPartition

from pipeline import kafka_log
from pipeline.errors import SinkError
from pipeline.frame_path.publisher.wire_version import event_of
from pipeline.kafka_client import client_settings
from pipeline.secrets import Secrets
from pipeline.sinks.config import KafkaSinkConfig, RedisSinkConfig
from pipeline.sinks.kafka_errors import translate as translate_kafka
from pipeline.sinks.names import BODY_FIELD, destinations
from pipeline.sinks.redis_errors import translate as translate_redis
from pipeline.sinks.redis_streams import connect

_WAIT_MS = 1000
_AT_ONCE = 400
"""Results per chunk, so that what is stored in one go stays a few megabytes."""
_CLIENT_ID = "dinostream-gallery"
_SETTINGS: dict[str, Any] = {"enable_auto_commit": False, "auto_offset_reset": "none", "fetch_max_wait_ms": 100}


@dataclass(slots=True)
class Chunk:
    """What came in one read; without bodies about once a second while nothing comes."""

    bodies: list[bytes] = field(default_factory=list[bytes])
    position: dict[str, str] = field(default_factory=dict[str, str])
    """Where to go on after this, by stream or partition; those that moved."""
    missed: list[str] = field(default_factory=list[str])
    """One sentence per stream or partition of which older results are gone unread."""


Topic = Callable[[Mapping[str, str]], Generator[Chunk]]
"""From a position to chunks, for ever. Blocks; raises SinkError, and may then be called again."""


def _is_ours(fields: Mapping[bytes, bytes], site: str) -> bool:
    """Raises: SinkError, where it is ours and of another major version: going on would lose it without a word."""
    if fields.get(b"ce_source") != f"dinostream/{site}".encode():
        return False
    try:
        return event_of(fields.get(b"ce_type", b"").decode(errors="replace")) == "result"
    except ValueError as error:
        raise SinkError(str(error), code="other_version") from None


def redis_results(config: RedisSinkConfig, secrets: Secrets, site: str, cameras: tuple[str, ...]) -> Topic:
    """The streams of `cameras`, from the position or from the oldest entry that is there."""
    streams = sorted({destinations(config.prefix, "result", camera).streams[0] for camera in cameras})
    count = max(1, _AT_ONCE // len(streams))

    def chunks(position: Mapping[str, str]) -> Generator[Chunk]:
        try:
            with connect(config, secrets, _CLIENT_ID) as client:
                after: dict[Any, Any] = {name: position.get(name, "0-0") for name in streams}
                yield Chunk(missed=[each for name in streams if (each := _trimmed(client, name, after[name]))])
                while True:
                    yield _redis_chunk(client.xread(after, count=count, block=_WAIT_MS), after, site)
        except (redis.RedisError, OSError) as error:
            raise translate_redis(error, config.url) from None

    return chunks


def _redis_chunk(reply: Any, after: dict[Any, Any], site: str) -> Chunk:
    chunk = Chunk()
    for stream, entries in reply or ():
        name = stream.decode()
        for entry_id, fields in entries:
            after[name] = chunk.position[name] = entry_id.decode()
            if _is_ours(fields, site):
                chunk.bodies.append(fields.get(BODY_FIELD.encode(), b""))
    return chunk


def _trimmed(client: redis.Redis, stream: str, position: str) -> str:
    """The server does not say how many entries were trimmed; only that ours is no longer the oldest one but gone."""
    if position == "0-0":
        return ""
    own: Any = client.xrange(stream, position, position, count=1)
    oldest: Any = client.xrange(stream, count=1)
    if own or not oldest:
        return ""
    return f"{stream} was trimmed past {position}: some results were never read. Raise sinks.redis.max_bytes"


def kafka_results(config: KafkaSinkConfig, secrets: Secrets, site: str) -> Topic:
    """Every partition of the results topic; joins no group and commits nothing."""
    topic = destinations(config.prefix, "result", "").topic

    def chunks(position: Mapping[str, str]) -> Generator[Chunk]:
        complaint = kafka_log.listen()
        settings = client_settings(config.brokers, config.security, secrets, _CLIENT_ID, SinkError)
        try:
            consumer: Any = KafkaConsumer(**settings, **_SETTINGS)
            try:
                yield Chunk(missed=_assign(consumer, topic, position))
                while True:
                    try:
                        batches = consumer.poll(timeout_ms=_WAIT_MS, max_records=_AT_ONCE)
                    except OffsetOutOfRangeError as error:
                        yield Chunk(missed=_from_start(consumer, error))
                    else:
                        yield _kafka_chunk(batches, site)
            finally:
                consumer.close()
        except (KafkaError, OSError, ValueError) as error:
            raise translate_kafka(error, config.brokers, complaint.take()) from None

    return chunks


def _kafka_chunk(batches: Mapping[Any, Any], site: str) -> Chunk:
    chunk = Chunk()
    for partition, records in batches.items():
        for record in records:
            chunk.position[f"{partition.topic}/{partition.partition}"] = str(record.offset + 1)
            if record.value and _is_ours({name.encode(): value for name, value in record.headers}, site):
                chunk.bodies.append(record.value)
    return chunk


def _assign(consumer: Any, topic: str, position: Mapping[str, str]) -> list[str]:
    """Seeks every partition to its position, or to the oldest record that is there; says what is gone."""
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise SinkError(f"Kafka has no topic {topic}: run `main.py topics create`", code="no_topic")
    partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
    consumer.assign(partitions)
    oldest = consumer.beginning_offsets(partitions)
    missed: list[str] = []
    for partition in partitions:
        name = f"{topic}/{partition.partition}"
        wanted = int(position.get(name, oldest[partition]))
        if gone := max(0, oldest[partition] - wanted):
            missed.append(f"{name}: {gone} results were deleted before they were read. See the topic's retention")
        consumer.seek(partition, max(wanted, oldest[partition]))
    return missed


def _from_start(consumer: Any, error: OffsetOutOfRangeError) -> list[str]:
    """A broker's end is not asked for beforehand, since not every broker tells it right; reading beyond it fails."""
    beyond: dict[Any, int] = error.args[0]
    consumer.seek_to_beginning(*beyond)
    return [
        f"{partition.topic}/{partition.partition} does not reach to {offset}, where reading was to go on: it was made "
        "anew, and is read from its start"
        for partition, offset in beyond.items()
    ]
