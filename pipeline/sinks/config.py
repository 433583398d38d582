"""`sinks:`, `outbox:` and `evidence:`. Each sink says here what the checks of a configuration ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from operators.section import Section
from operators.units import ByteSize, Seconds
from pipeline.addresses import Files, Findings, below, check_broker, check_secret_name, check_topic, check_url
from pipeline.kafka_client import KafkaSecurity
from pipeline.messages import Kind
from pipeline.sinks.names import KINDS

REDIS_SCHEMES = ("redis", "rediss", "unix")
WEBHOOK_SCHEMES = ("https", "http")


class SinkSection(Section):
    """Base of every sink."""

    queue: ByteSize = 64 * 2**20
    """What may wait in memory; results are then dropped oldest first and counted."""
    required: bool | None = None
    """Replayable sources wait for it. Left out: the first sink named is required."""

    @property
    def wanted(self) -> frozenset[Kind]:
        """What it takes; the rest counts as dropped, `not_wanted`."""
        return frozenset(KINDS)

    def mistakes(self, secrets: Sequence[str]) -> Findings:  # noqa: ARG002 - for those that name one
        """Values that the types let through.

        Args:
            secrets: names under `secrets:`.
        """
        yield from ()

    def files(self) -> Files:
        """What must be there before it starts."""
        yield from ()


class RedisSinkConfig(SinkSection):
    """Redis Streams."""

    url: str = "redis://localhost:6379/0"
    """Without user and password."""
    credentials: str | None = None
    """Name under `secrets:`: `user:password` or a password alone."""
    prefix: str = "vision"
    max_bytes: ByteSize = 256 * 2**20
    """Of all streams together on the server; trimmed by bytes."""

    def mistakes(self, secrets: Sequence[str]) -> Findings:
        yield from check_url(("url",), self.url, REDIS_SCHEMES)
        yield from check_topic(("prefix",), self.prefix)
        yield from check_secret_name(("credentials",), self.credentials, secrets)


class KafkaSinkConfig(SinkSection):
    """Kafka topics."""

    brokers: tuple[str, ...] = Field(default=("localhost:9092",), min_length=1)
    prefix: str = "vision"
    security: KafkaSecurity = KafkaSecurity()
    deadline: Seconds = 30.0
    """Our own, after which the producer is abandoned and the rest sent through a new one."""
    max_message: ByteSize = 1_000_000
    """The topic's max.message.bytes; larger messages go to the dead letters without their arrays."""

    def mistakes(self, secrets: Sequence[str]) -> Findings:
        for index, broker in enumerate(self.brokers):
            yield from check_broker(("brokers", index), broker)
        yield from check_topic(("prefix",), self.prefix)
        yield from below(("security",), self.security.mistakes(secrets))

    def files(self) -> Files:
        for place, path, what in self.security.files():
            yield ("security", *place), path, what


class JsonlSinkConfig(SinkSection):
    """One JSON object a line."""

    path: str
    """Folder; one file per kind."""
    rotate: ByteSize = 256 * 2**20


class WebhookSinkConfig(SinkSection):
    """Signed HTTP requests, one for each event."""

    url: str
    """Where to POST. Redirects are not followed."""
    secret: str
    """Name under `secrets:` of the signing key: `whsec_` and base64 of 24 to 64 random bytes (Standard Webhooks)."""
    kinds: tuple[Kind, ...] = Field(default=("alert",), min_length=1)
    """Which events it gets."""
    timeout: Seconds = 15.0
    """For one answer."""
    ca_file: str | None = None
    """Certificates to trust instead of the system's."""

    @property
    def wanted(self) -> frozenset[Kind]:
        return frozenset(self.kinds)

    def mistakes(self, secrets: Sequence[str]) -> Findings:
        yield from check_url(("url",), self.url, WEBHOOK_SCHEMES)
        yield from check_secret_name(("secret",), self.secret, secrets)

    def files(self) -> Files:
        if self.ca_file is not None:
            yield ("ca_file",), self.ca_file, "certificate"


class SinksConfig(Section):
    """Where results and alerts go. The first one named, a webhook aside, is required unless it says otherwise."""

    redis: RedisSinkConfig | None = None
    kafka: KafkaSinkConfig | None = None
    jsonl: JsonlSinkConfig | None = None
    webhook: WebhookSinkConfig | None = None

    @property
    def named(self) -> Mapping[str, SinkSection]:
        """Those that are configured, in the order of the fields."""
        sections = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: section for name, section in sections.items() if isinstance(section, SinkSection)}

    @property
    def required(self) -> frozenset[str]:
        """Those that replayable sources wait for. The loader fills `required` in by the order of the file; where it is
        left out all the same, it holds for the first of `named` alone.
        """
        first = next(iter(self.named), None)
        return frozenset(
            name
            for name, section in self.named.items()
            if section.required or (section.required is None and name == first)
        )

    def mistakes(self, secrets: Sequence[str]) -> Findings:
        """There is one, and what each finds wrong with itself."""
        if not self.named:
            yield (), f"expected at least one of {', '.join(type(self).model_fields)}, got none"
        for name, section in self.named.items():
            yield from below((name,), section.mistakes(secrets))

    def files(self) -> Files:
        """Of every sink."""
        for name, section in self.named.items():
            for place, path, what in section.files():
                yield (name, *place), path, what


class OutboxConfig(Section):
    """Alerts and status wait here, on disk, until every sink has them."""

    max_bytes: ByteSize = 2**30


class EvidenceConfig(Section):
    """Where alert pictures and clips lie."""

    store: str = "state/evidence"
    """A folder, or an address that fsspec knows such as `s3://bucket/prefix` (needs `dinostream[s3]`)."""
    keep: Seconds = 30 * 86400.0
    """Longer than the brokers keep alerts, so that each file outlives the messages that name it."""
    max_bytes: ByteSize = 20 * 2**30
    """The oldest go first; never what an event in the outbox or an open episode names."""
