"""The one table of sinks: a new one is its own file, its section in `config.py` and a line here."""

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
from pipeline.sinks.webhook import Webhook

_Build = Callable[[Any, str, Secrets], Carrier]

_SINKS: dict[str, _Build] = {
    "redis": RedisStreams,
    "kafka": KafkaTopics,
    "jsonl": lambda config, _site, _secrets: JsonLines(config),
    "webhook": Webhook,
}
"""Name under `sinks:` to what carries its messages."""


def build_sinks(
    config: SinksConfig, site: str, secrets: Secrets, clock: Clock | None = None
) -> tuple[list[Sink], frozenset[str]]:
    """Every sink that `config` names, not started, and the names of those that replayable sources wait for."""
    carriers = build_carriers(config, site, secrets)
    sinks: list[Sink] = [
        QueuedSink(carriers[name], section.queue, clock, section.wanted) for name, section in config.named.items()
    ]
    return sinks, config.required


def build_carriers(config: SinksConfig, site: str, secrets: Secrets) -> dict[str, Carrier]:
    """The bare connections by sink, not made yet: `check` of each tells whether its broker answers."""
    return {name: _SINKS[name](section, site, secrets) for name, section in config.named.items()}
