"""`sinks:`, `outbox:` and `evidence:`."""

from __future__ import annotations

from pydantic import Field

from operators.section import Section
from operators.units import ByteSize, Seconds
from pipeline.kafka_client import KafkaSecurity


class RedisSinkConfig(Section):
    """Redis Streams."""

    url: str = "redis://localhost:6379/0"
    """Without user and password."""
    credentials: str | None = None
    """Name under `secrets:`: `user:password` or a password alone."""
    prefix: str = "vision"
    max_bytes: ByteSize = 256 * 2**20
    """Of all streams together on the server; trimmed by bytes."""
    queue: ByteSize = 64 * 2**20
    """What may wait in memory; results are then dropped oldest first and counted."""
    required: bool | None = None
    """Replayable sources wait for it. Left out: the first sink named is required."""


class KafkaSinkConfig(Section):
    """Kafka topics."""

    brokers: tuple[str, ...] = Field(default=("localhost:9092",), min_length=1)
    prefix: str = "vision"
    queue: ByteSize = 64 * 2**20
    security: KafkaSecurity = KafkaSecurity()
    deadline: Seconds = 30.0
    """Our own, after which the producer is abandoned and the rest sent through a new one."""
    max_message: ByteSize = 1_000_000
    """The topic's max.message.bytes; larger messages go to the dead letters without their arrays."""
    required: bool | None = None


class JsonlSinkConfig(Section):
    """One JSON object a line."""

    path: str
    """Folder; one file per kind."""
    queue: ByteSize = 64 * 2**20
    rotate: ByteSize = 256 * 2**20
    required: bool | None = None


class SinksConfig(Section):
    """Where results and alerts go. The first one named is required unless it says otherwise."""

    redis: RedisSinkConfig | None = None
    kafka: KafkaSinkConfig | None = None
    jsonl: JsonlSinkConfig | None = None


class OutboxConfig(Section):
    """Alerts and status wait here, on disk, until every sink has them."""

    max_bytes: ByteSize = 2**30


class EvidenceConfig(Section):
    """Where alert pictures lie."""

    store: str = "state/evidence"
    keep: Seconds = 30 * 86400.0
    max_bytes: ByteSize = 20 * 2**30
