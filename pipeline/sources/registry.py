"""The one table of sources: a new one is its own file, its key in `config.py` and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.kafka_client import KafkaSecurity
from pipeline.secrets import Secrets
from pipeline.sources.base import Feed
from pipeline.sources.config import SourceConfig
from pipeline.sources.kafka_topic import KafkaFeed
from pipeline.sources.simulated import SimulatedFeed
from pipeline.sources.video_file import FileFeed
from pipeline.sources.video_live import LiveFeed


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The cameras of one feed, and what a feed may need besides."""

    cameras: dict[str, SourceConfig]
    secrets: Secrets
    brokers: tuple[str, ...]
    security: KafkaSecurity
    lease: int

    @property
    def only(self) -> tuple[str, SourceConfig]:
        """The camera of a feed of its own."""
        return next(iter(self.cameras.items()))


_SOURCES: dict[str, Callable[[_Wanted], Feed]] = {
    "url": lambda wanted: LiveFeed(*wanted.only, wanted.secrets),
    "file": lambda wanted: FileFeed(*wanted.only),
    "kafka": lambda wanted: KafkaFeed(
        wanted.cameras, wanted.secrets, wanted.brokers, wanted.security, lease=wanted.lease
    ),
    "simulated": lambda wanted: SimulatedFeed(wanted.cameras),
}
"""Key under `source:` to its feed."""


def group_feeds(cameras: dict[str, SourceConfig]) -> list[tuple[str, ...]]:
    """Which cameras share a feed, and so a reader: those whose `shared_feed` is equal."""
    groups: dict[object, list[str]] = {}
    for camera, config in cameras.items():
        shared = config.shared_feed
        groups.setdefault(camera if shared is None else (config.kind, shared), []).append(camera)
    return [tuple(group) for group in groups.values()]


def build_feed(
    cameras: dict[str, SourceConfig],
    secrets: Secrets,
    brokers: tuple[str, ...],
    security: KafkaSecurity,
    *,
    lease: int = 0,
) -> Feed:
    """The feed of one group of `group_feeds`; opens nothing yet.

    Args:
        cameras: by name.
        secrets: resolved when the feed opens.
        brokers: for Kafka cameras that name none.
        security: for Kafka cameras.
        lease: the highest of the cameras' leases; written into what a Kafka feed commits.

    Raises:
        ValueError: the cameras do not share a feed.
    """
    if len(group_feeds(cameras)) != 1:
        raise ValueError(f"expected cameras of one feed, got {', '.join(cameras) or 'none'}")
    kind = next(iter(cameras.values())).kind
    return _SOURCES[kind](_Wanted(cameras, secrets, brokers, security, lease))
