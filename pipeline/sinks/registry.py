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

    `load_config` fills `required` in by the order of the file. Where it is left out all the same, it holds for the
    first sink alone, in the order of the fields of `SinksConfig`.
    """
    sections = {name: getattr(config, name) for name in _SINKS if getattr(config, name) is not None}
    first = next(iter(sections), None)
    carriers = build_carriers(config, site, secrets)
    sinks: list[Sink] = [QueuedSink(carriers[name], section.queue, clock) for name, section in sections.items()]
    required = {
        name for name, section in sections.items() if section.required or (section.required is None and name == first)
    }
    return sinks, frozenset(required)


def build_carriers(config: SinksConfig, site: str, secrets: Secrets) -> dict[str, Carrier]:
    """The bare connections by sink, not made yet: `check` of each tells whether its broker answers."""
    sections = {name: getattr(config, name) for name in _SINKS if getattr(config, name) is not None}
    return {name: _SINKS[name](section, site, secrets) for name, section in sections.items()}
