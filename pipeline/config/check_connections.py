"""Checks of what is connected to: cameras, topics, brokers, and the secrets for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from operators.spelling import did_you_mean
from pipeline.config.problems import Place
from pipeline.kafka_client import KafkaSecurity
from pipeline.sinks.config import SinksConfig
from pipeline.sources.config import SourceConfig

_CAMERA_SCHEMES = ("rtsp", "rtsps", "http", "https")
_REDIS_SCHEMES = ("redis", "rediss", "unix")
_BROKER = re.compile(r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):\d{1,5}$")
_TOPIC = re.compile(r"^[A-Za-z0-9._-]{1,200}$")

Findings = Iterator[tuple[Place, str]]


def check_secret_name(place: Place, name: str, secrets: Sequence[str]) -> Findings:
    """The name stands under `secrets:`. What was written is not repeated: it may be the secret itself."""
    if name not in secrets:
        known = ", ".join(secrets) or "none"
        yield place, f"unknown secret: expected the name of one under `secrets:` ({known}){did_you_mean(name, secrets)}"


def check_source(place: Place, source: SourceConfig, secrets: Sequence[str], brokers: Sequence[str]) -> Findings:
    """The address carries no password, the secret is named, the topic has brokers, times fit each other."""
    if source.url is not None:
        yield from _check_url((*place, "url"), source.url, _CAMERA_SCHEMES)
    if source.credentials is not None:
        yield from check_secret_name((*place, "credentials"), source.credentials, secrets)
        if source.url is None:
            yield (*place, "credentials"), "expected only beside `url`: this source asks for no password"
    if source.kafka is not None:
        if not source.kafka.brokers and not brokers:
            yield (*place, "kafka"), "expected `brokers` here or a `sinks.kafka` with them, got neither"
        if not _TOPIC.match(source.kafka.topic):
            yield (*place, "kafka", "topic"), _topic_message(source.kafka.topic)
    if source.loop and source.file is None:
        yield (*place, "loop"), "expected only beside `file`: nothing else starts again at its end"
    if source.backoff.first > source.backoff.max:
        first, last = source.backoff.first, source.backoff.max
        yield (*place, "backoff"), f"expected first of at most max, got first {first:g}s and max {last:g}s"
    for name in ("open_timeout", "stall_after", "frozen_after"):
        if getattr(source, name) <= 0:
            yield (*place, name), "expected more than 0s"


def check_sinks(sinks: SinksConfig, secrets: Sequence[str]) -> Findings:
    """There is one, addresses carry no password, and security is complete."""
    if sinks.redis is None and sinks.kafka is None and sinks.jsonl is None:
        yield ("sinks",), "expected at least one of redis, kafka, jsonl, got none"
    if sinks.redis is not None:
        yield from _check_url(("sinks", "redis", "url"), sinks.redis.url, _REDIS_SCHEMES)
        yield from _check_prefix(("sinks", "redis", "prefix"), sinks.redis.prefix)
        if sinks.redis.credentials is not None:
            yield from check_secret_name(("sinks", "redis", "credentials"), sinks.redis.credentials, secrets)
    if sinks.kafka is not None:
        for index, broker in enumerate(sinks.kafka.brokers):
            yield from check_broker(("sinks", "kafka", "brokers", index), broker)
        yield from _check_prefix(("sinks", "kafka", "prefix"), sinks.kafka.prefix)
        yield from _check_security(("sinks", "kafka", "security"), sinks.kafka.security, secrets)


def check_broker(place: Place, broker: str) -> Findings:
    """`host:port`, nothing else."""
    if "@" in broker:
        yield place, "user and password do not belong in an address: expected host:port, and `security:` with a secret"
    elif not _BROKER.match(broker):
        yield place, f"expected host:port such as localhost:9092, got {broker!r}"


def _check_url(place: Place, url: str, schemes: Sequence[str]) -> Findings:
    scheme, has_scheme, _ = url.partition("://")
    if not has_scheme or scheme.lower() not in schemes:
        expected = ", ".join(f"{each}://" for each in schemes)
        yield place, f"expected an address with one of {expected}, got {scheme[:12]!r}{did_you_mean(scheme, schemes)}"
        return
    if "@" in url:
        yield (
            place,
            (
                "user and password do not belong in an address: take them out, write `user:password` into a secret "
                "under `secrets:` and name it in `credentials`"
            ),
        )
        return
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme.lower() == "unix" or (bool(parts.hostname) and (parts.port is None or parts.port > 0))
    except ValueError:
        is_whole = False
    if not is_whole:
        yield place, "expected a host, and a port of 1 to 65535 if any"


def _check_prefix(place: Place, prefix: str) -> Findings:
    if not _TOPIC.match(prefix):
        yield place, _topic_message(prefix)


def _topic_message(name: str) -> str:
    return f"expected letters, digits, '.', '_' and '-', got {name[:40]!r}"


def _check_security(place: Place, security: KafkaSecurity, secrets: Sequence[str]) -> Findings:
    if security.password is not None:
        yield from check_secret_name((*place, "password"), security.password, secrets)
    given = [name for name in ("mechanism", "user", "password") if getattr(security, name) is not None]
    if security.protocol.startswith("SASL"):
        lacking = [name for name in ("mechanism", "user", "password") if name not in given]
        if lacking:
            yield place, f"{security.protocol} needs mechanism, user and password: {', '.join(lacking)} not given"
    elif given:
        suggestion = "SASL_SSL" if security.protocol == "SSL" else "SASL_PLAINTEXT"
        yield (
            (*place, "protocol"),
            f"{security.protocol} sends no {', '.join(given)}: expected {suggestion}, or leave them out",
        )
