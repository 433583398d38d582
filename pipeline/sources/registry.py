"""The one table of sources: a new one is its own file and a line here.

url        LiveFeed        one camera, live
file       FileFeed        one camera, replayable
kafka      KafkaFeed       all cameras of one topic and group, replayable
simulated  SimulatedFeed   one camera, live
"""

from __future__ import annotations

from pipeline.kafka_client import KafkaSecurity
from pipeline.secrets import Secrets
from pipeline.sources.base import Feed
from pipeline.sources.config import SourceConfig
from pipeline.sources.kafka_topic import KafkaFeed
from pipeline.sources.simulated import SimulatedFeed
from pipeline.sources.video_file import FileFeed
from pipeline.sources.video_live import LiveFeed


def group_feeds(cameras: dict[str, SourceConfig]) -> list[tuple[str, ...]]:
    """Which cameras share a feed, and so a reader: those of one Kafka topic and group; all others are alone."""
    groups: dict[object, list[str]] = {}
    for camera, config in cameras.items():
        kafka = config.kafka
        key = (kafka.brokers, kafka.topic, kafka.group) if kafka is not None else camera
        groups.setdefault(key, []).append(camera)
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
    camera, config = next(iter(cameras.items()))
    if config.kafka is not None:
        return KafkaFeed(cameras, secrets, brokers, security, lease=lease)
    if config.simulated is not None:
        return SimulatedFeed(cameras)
    if config.file is not None:
        return FileFeed(camera, config)
    return LiveFeed(camera, config, secrets)
