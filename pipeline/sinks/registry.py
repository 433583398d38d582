"""The one table of sinks: a new one touches its own file and this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.clock import Clock
from pipeline.secrets import Secrets
from pipeline.sinks.base import Sink
from pipeline.sinks.config import SinksConfig
from pipeline.sinks.jsonl import JsonLines
from pipeline.sinks.kafka_topics import KafkaTopics
from pipeline.sinks.queued import Carrier, QueuedSink
from pipeline.sinks.redis_streams import RedisStreams

_Build = Callable[[Any, str, Secrets], Carrier]

_SINKS: dict[str, _Build] = {
    "redis": RedisStreams,
    "kafka": KafkaTopics,
    "jsonl": lambda config, _site, _secrets: JsonLines(config),
}
"""Name under `sinks:` to what carries its messages; the order decides who is required where nobody says."""


def build_sinks(
    config: SinksConfig, site: str, secrets: Secrets, clock: Clock | None = None
) -> tuple[list[Sink], frozenset[str]]:
    """Every sink that `config` names, not started, and the names of those that replayable sources wait for.

    Where `required` is left out, it holds for the first sink alone, in the order redis, kafka, jsonl.
    """
    sections = {name: getattr(config, name) for name in _SINKS if getattr(config, name) is not None}
    first = next(iter(sections), None)
    sinks: list[Sink] = [
        QueuedSink(_SINKS[name](section, site, secrets), section.queue, clock) for name, section in sections.items()
    ]
    required = {
        name for name, section in sections.items() if section.required or (section.required is None and name == first)
    }
    return sinks, frozenset(required)
