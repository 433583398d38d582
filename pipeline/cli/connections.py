"""`validate --probe`: opens every camera and broker once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from pipeline import kafka_log
from pipeline.clock import Clock, SystemClock
from pipeline.config.loader import Config
from pipeline.errors import PipelineError
from pipeline.kafka_client import KafkaSecurity
from pipeline.secrets import redact
from pipeline.sinks.queued import Carrier
from pipeline.sinks.registry import build_carriers
from pipeline.sources.base import Decoded, Quiet, Undecodable
from pipeline.sources.registry import build_feed, group_feeds

_AT_ONCE = 16
_KEYFRAME_SECONDS = 20.0
"""How long a stream that was joined between two keyframes is waited for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one camera or broker said."""

    name: str
    is_good: bool
    said: str
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, "tuple[int, int]"])
    """(height, width) by camera, of those whose picture came."""


def probe(config: Config, clock: Clock | None = None) -> list[Answer]:
    """Opens each feed until its first picture and each broker, side by side; publishes and commits nothing."""
    logging.getLogger("pipeline.sinks").setLevel(logging.CRITICAL)  # what a client complains of is in its answer
    kafka_log.keep_quiet()
    clock = clock or SystemClock()
    groups = group_feeds({camera: each.source for camera, each in config.cameras.items()})
    carriers = build_carriers(config.sinks, config.site.name, config.secrets)

    def broker(name: str) -> Answer:
        try:
            return _told(name, lambda: _checked(carriers[name]))
        finally:
            carriers[name].close()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        brokers = list(pool.map(broker, carriers))
        feeds = list(pool.map(lambda group: _feed(config, group, clock), groups))
    return [*brokers, *feeds]


def _checked(carrier: Carrier) -> str:
    carrier.check()
    return "answers"


def _told(name: str, ask: Callable[[], str]) -> Answer:
    try:
        return Answer(name, is_good=True, said=ask())
    except PipelineError as error:
        return Answer(name, is_good=False, said=redact(f"{error.message} ({error.code})"))
    except KeyError as error:  # a secret that is not there: its own words name it, never its value
        return Answer(name, is_good=False, said=str(error.args[0]))


def _feed(config: Config, cameras: Sequence[str], clock: Clock) -> Answer:
    sources = {camera: config.cameras[camera].source for camera in cameras}
    kafka = config.sinks.kafka
    feed = build_feed(sources, config.secrets, config.brokers, kafka.security if kafka else KafkaSecurity())
    first = sources[cameras[0]]
    sizes: dict[str, tuple[int, int]] = {}

    def ask() -> str:
        try:
            info = feed.open({})
            began, patience, lacks = clock.monotonic(), first.stall_after, "nothing"
            for event in feed.events(threading.Event()):
                if isinstance(event, Decoded):
                    sizes[event.camera] = height, width = event.picture.size
                    rate = f", {info.declared_fps:g} fps declared" if info.declared_fps else ""
                    return f"{info.codec}, {height}x{width} (height x width){rate}"
                if isinstance(event, Undecodable):
                    return f"{info.codec}, first message is no picture: {event.reason}"
                if isinstance(event, Quiet) and event.has_packets:
                    patience, lacks = max(patience, _KEYFRAME_SECONDS), "packets, but no keyframe"
                if clock.monotonic() - began > patience:
                    return f"{info.codec}, opened; {lacks} came in {patience:g} s"
            return f"{info.codec}, opened; it holds no picture"
        finally:
            feed.close()

    return replace(_told(", ".join(cameras), ask), sizes=sizes)
