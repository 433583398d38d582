"""Compiles the configuration into what each actor needs. After this nobody but the commands sees the whole `Config`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from operators.camera import CameraSpec
from pipeline.config.load_plan import DECODE_CORES_PER_FPS, UNSTATED_FPS, decoded_rate
from pipeline.config.loader import Config
from pipeline.config.schema import CameraConfig, Span
from pipeline.control.actors.publish_spec import PublishSpec
from pipeline.control.model import ModelSpec
from pipeline.control.planning.growth import Growth
from pipeline.control.planning.memory import MemoryNeeds
from pipeline.control.planning.plan import Plan, Wish
from pipeline.control.planning.reading_growth import ReadingGrowth
from pipeline.frame_path.owner.handles import FeedPlan, OwnedCamera
from pipeline.frame_path.publisher.publisher import PublishedCamera
from pipeline.kafka_client import KafkaSecurity
from pipeline.sources.registry import build_feed, group_feeds

_NOTHING: Mapping[str, float] = {}


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run."""

    config: Config
    model: ModelSpec
    _specs: Mapping[str, CameraSpec] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_specs", {each.camera: each for each in self.model.cameras})

    @property
    def site(self) -> str:
        return self.config.site.name

    @property
    def state_dir(self) -> Path:
        return Path(self.config.runtime.state_dir)

    @property
    def required_sinks(self) -> frozenset[str]:
        """Names of the sinks that replayable sources wait for."""
        return self.config.sinks.required

    @property
    def cameras(self) -> Mapping[str, CameraConfig]:
        return self.config.cameras

    def wish(self, measured: Mapping[str, float] = _NOTHING, memory: MemoryNeeds | None = None) -> Wish:
        """What to plan for; `measured`: cores that reading takes, of cameras whose are known; likewise `memory`."""
        runtime = self.config.runtime
        decoders = runtime.decoders.min if isinstance(runtime.decoders, Span) else runtime.decoders
        return Wish(
            feeds=tuple(group_feeds({camera: each.source for camera, each in self.cameras.items()})),
            rates={camera: each.sample.fps or UNSTATED_FPS for camera, each in self.cameras.items()},
            decoders=decoders if isinstance(decoders, int) else None,
            analyzers=runtime.analyzers if isinstance(runtime.analyzers, int) else None,
            are_placed=not isinstance(runtime.analyzers, Span),
            publishers=runtime.publishers,
            memory=memory or MemoryNeeds(),
            places={camera: each.place for camera, each in self.cameras.items() if each.place is not None},
            decode_cores={
                camera: measured.get(camera, decoded_rate(each) * DECODE_CORES_PER_FPS)
                for camera, each in self.cameras.items()
            },
        )

    def growth(self) -> Growth | None:
        """Between which numbers analyzers follow the load; None: their number stays."""
        span = self.config.runtime.analyzers
        return Growth(span.min, span.max) if isinstance(span, Span) else None

    def reading_growth(self) -> ReadingGrowth | None:
        """How many decoders beyond the first ones follow the load; None: none."""
        span = self.config.runtime.decoders
        return ReadingGrowth(span.max - span.min) if isinstance(span, Span) and span.max > span.min else None

    def publish_spec(self, name: str, plan: Plan) -> PublishSpec:
        """What the publisher `name` needs."""
        config = self.config
        return PublishSpec(
            name=name,
            cameras=tuple(self.published(camera) for camera in plan.publisher(name).cameras),
            sinks=config.sinks,
            secrets=config.secrets,
            state_dir=self.state_dir / name,
            site=self.site,
            timezone=config.site.timezone,
            outbox=config.outbox,
            evidence=config.evidence,
            artefacts=self.model.artefacts,
            place=(plan.publishers.index(plan.publisher(name)), len(plan.publishers)),
        )

    def feed_plan(self, cameras: Sequence[str], leases: Mapping[str, int]) -> FeedPlan:
        """One reader's cameras under these leases. The sources are opened over there, secrets resolved there."""
        configs = {camera: self.cameras[camera] for camera in cameras}
        first = configs[cameras[0]].source
        kafka = self.config.sinks.kafka
        open_feed = partial(
            build_feed,
            {camera: each.source for camera, each in configs.items()},
            self.config.secrets,
            self.config.brokers,
            kafka.security if kafka else KafkaSecurity(),
            lease=max(leases[camera] for camera in cameras),
        )
        return FeedPlan(
            cameras=tuple(self.owned(camera, leases[camera]) for camera in cameras),
            open_feed=open_feed,
            backoff=first.backoff,
            stall_after_seconds=first.stall_after,
        )

    def camera_spec(self, camera: str) -> CameraSpec:
        """As analyzers know it."""
        return self._specs[camera]

    def published(self, camera: str) -> PublishedCamera:
        """As its publisher knows it."""
        is_replayable = self.cameras[camera].source.is_replayable
        return PublishedCamera(self._specs[camera], is_replayable, self.config.thumbnail_seconds(camera))

    def owned(self, camera: str, lease: int) -> OwnedCamera:
        """As its owner knows it."""
        config = self.cameras[camera]
        spec = self._specs[camera]
        return OwnedCamera(
            spec=spec,
            lease=lease,
            sample=config.sample,
            is_replayable=config.source.is_replayable,
            shapes=self.config.model.shapes,
            wants_evidence=any(rule.evidence is not None for rule in spec.rules.values()),
            frozen_after_seconds=config.source.frozen_after,
            weight=float(1 + max(0, config.priority)),
        )
