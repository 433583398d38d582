"""Events read back from a broker, as anyone else would read them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

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
from pipeline.sinks.config import KafkaSinkConfig, RedisSinkConfig
from pipeline.sinks.kafka_errors import translate as translate_kafka
from pipeline.sinks.names import destinations
from pipeline.sinks.redis_errors import translate as translate_redis
from pipeline.sinks.redis_streams import connect

_WAIT_MS = 1000
_AT_ONCE = 200
_CLIENT_ID = "dinostream-subscribe"


def redis_events(
    config: RedisSinkConfig, secrets: Secrets, kind: Kind, cameras: tuple[str, ...], *, from_start: bool
) -> Generator[bytes | None]:
    """JSON lines of `kind` of `cameras`, in order per camera; None about once a second while nothing comes.

    The first value is None: from then on nothing is missed. Blocks.

    Raises:
        SinkError: the server cannot be reached or refuses.
    """
    names = {name for camera in cameras for name in destinations(config.prefix, kind, camera).streams[:1]}
    wanted = {camera.encode() for camera in cameras}
    try:
        with connect(config, secrets, _CLIENT_ID) as client:
            after: dict[Any, Any] = {name: b"0-0" if from_start else _newest(client, name) for name in sorted(names)}
            yield None
            while True:
                reply: Any = client.xread(after, count=_AT_ONCE, block=_WAIT_MS)
                if not reply:
                    yield None
                for stream, entries in reply:
                    for entry_id, fields in entries:
                        after[stream.decode()] = entry_id
                        if fields.get(b"ce_subject") in wanted:
                            yield envelope.line_of(fields)
    except (redis.RedisError, OSError) as error:
        raise translate_redis(error, config.url) from None


def _newest(client: redis.Redis, stream: str) -> bytes:
    entries: Any = client.xrevrange(stream, count=1)
    return entries[0][0] if entries else b"0-0"


def kafka_events(
    config: KafkaSinkConfig, secrets: Secrets, kind: Kind, cameras: tuple[str, ...], *, from_start: bool
) -> Generator[bytes | None]:
    """The same from Kafka; joins no group and commits nothing."""
    complaint = kafka_log.listen()
    topic = destinations(config.prefix, kind, "").topic
    wanted = {camera.encode() for camera in cameras}
    settings = client_settings(config.brokers, config.security, secrets, _CLIENT_ID, SinkError)
    try:
        consumer: Any = KafkaConsumer(**settings, enable_auto_commit=False, fetch_max_wait_ms=100)
        try:
            _assign(consumer, topic, from_start=from_start)
            yield None
            while True:
                batches = consumer.poll(timeout_ms=_WAIT_MS, max_records=_AT_ONCE)
                if not batches:
                    yield None
                for record in (record for records in batches.values() for record in records):
                    if record.key in wanted:
                        fields = {name.encode(): value for name, value in record.headers}
                        yield envelope.line_of({**fields, b"data": record.value or b""})
        finally:
            consumer.close()
    except (KafkaError, OSError, ValueError) as error:
        raise translate_kafka(error, config.brokers, complaint.take()) from None


def _assign(consumer: Any, topic: str, *, from_start: bool) -> None:
    """Every partition of `topic`, from its start or from now on; now is read at once, not at the first poll."""
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise SinkError(f"Kafka has no topic {topic}: run `main.py topics create`", code="no_topic")
    partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
    consumer.assign(partitions)
    offsets = consumer.beginning_offsets(partitions) if from_start else consumer.end_offsets(partitions)
    for partition in partitions:
        consumer.seek(partition, offsets[partition])
