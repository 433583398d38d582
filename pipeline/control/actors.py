"""The three Ray actors, thin: each wraps one plain class and adds nothing. `ray.remote` is applied here alone.

Actors are never restarted by Ray (`max_restarts=0`) and calls never retried (Ray's own retries run out of order):
whoever calls sees the death and decides.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import torch
from ray.actor import ActorHandle

from operators.frames import Item
from operators.results import Analysis, ModelInfo
from operators.retrieval.build_bank import LabelledPicture
from pipeline.clock import SystemClock
from pipeline.control.actor_calls import ActorWorker, RayAnalyzer, RayPublisher
from pipeline.control.actor_log import log_to
from pipeline.control.cluster import STATE_RESOURCE
from pipeline.control.device import choose_device
from pipeline.control.model import ModelSpec, build_analyzer
from pipeline.control.topology import AnalyzerPlan, publisher_index
from pipeline.errors import PipelineError
from pipeline.frame_path.action_request import Acted, ActionRequest
from pipeline.frame_path.artefacts import ArtefactStore
from pipeline.frame_path.batching import BatchLimits
from pipeline.frame_path.collection import Collected
from pipeline.frame_path.handles import FeedPlan
from pipeline.frame_path.lanes import LaneLimits, LanePool
from pipeline.frame_path.owner import Owner
from pipeline.frame_path.publisher import PublishedCamera, Publisher, PublisherSnapshot
from pipeline.messages import Attachment, CameraSnapshot, Delivery, Receipt
from pipeline.secrets import Secrets
from pipeline.sinks.config import EvidenceConfig, OutboxConfig, SinksConfig
from pipeline.sinks.registry import build_sinks

log = logging.getLogger(__name__)

SWITCH_INTERVAL_SECONDS = 0.0005
"""Decoding threads share one GIL; the default of 5 ms makes 16 readers wait for each other."""
NICENESS = 10
"""Of the model's process: decoders and publishers go first."""


class _Actor:
    """Keeps what its constructor raised for `pid`, which is asked first: a constructor that fails is just dead."""

    failure: Exception | None = None

    def pid(self) -> int:
        if self.failure is not None:
            raise self.failure
        return os.getpid()


@ray.remote(max_restarts=0, max_task_retries=0)
class AnalyzeActor(_Actor):
    """`Analyzer` behind lanes."""

    def __init__(self, spec: ModelSpec, plan: AnalyzerPlan) -> None:
        try:
            self._open(spec, plan)
        except Exception as error:  # noqa: BLE001 - raised by `pid`
            self.failure = error

    def _open(self, spec: ModelSpec, plan: AnalyzerPlan) -> None:
        log_to(spec.artefacts.parent, plan.name)
        os.nice(NICENESS)
        device = choose_device(wants_gpu=plan.gpus > 0)
        if device.reason:
            log.warning("%s computes on the CPU: %s", plan.name, device.reason)
        torch.set_num_threads(1)  # lanes inherit it; a GPU needs none
        self._analyzer = build_analyzer(spec, device=device.kind)
        limits = LaneLimits(plan.lanes, plan.max_batch_size, plan.max_wait_seconds)
        self._lanes = LanePool(self._analyzer.analyze, limits, SystemClock())

    def about(self) -> ModelInfo:
        """Answers once the weights are loaded."""
        return self._analyzer.about

    def analyze(self, items: list[Item]) -> list[Analysis]:
        return self._lanes.analyze(items)

    def learn(self, pictures: list[LabelledPicture]) -> bytes:
        """A bank of these pictures alone."""
        return self._analyzer.learn(pictures).to_bytes()

    def load(self, version: str) -> None:
        """Reads a head's artefact now, so that the first frame that names it does not wait."""
        self._analyzer.load(version)


@ray.remote(max_restarts=0, max_task_retries=0)
class DecodeActor(_Actor):
    """`Owner` with its readers."""

    def __init__(self, name: str, feeds: Sequence[FeedPlan], state_dir: Path, limits: BatchLimits) -> None:
        log_to(state_dir, name)
        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
        self._name, self._feeds, self._state_dir, self._limits = name, tuple(feeds), state_dir, limits
        self._owner: Owner | None = None

    def start(
        self,
        analyzers: list[tuple[str, ActorHandle[Any], int]],
        publishers: Mapping[str, tuple[str, ActorHandle[Any]]],
    ) -> None:
        """`analyzers`: (name, actor, credits); `publishers`: camera -> (name, actor)."""
        handles = {camera: RayPublisher(name, actor) for camera, (name, actor) in publishers.items()}
        owner = Owner(
            name=self._name,
            feeds=self._feeds,
            analyzers=[(RayAnalyzer(name, actor), count) for name, actor, count in analyzers],
            publisher_of=handles.__getitem__,
            clock=SystemClock(),
            state_dir=self._state_dir,
            limits=self._limits,
        )
        owner.start()
        self._owner = owner

    def beat(self) -> list[CameraSnapshot]:
        """The supervisor is there; an owner that does not hear this for 10 s stops its readers."""
        owner = self._running()
        owner.beat()
        return owner.snapshot()

    def replace_analyzers(self, analyzers: list[tuple[str, ActorHandle[Any], int]]) -> None:
        self._running().replace_analyzers([(RayAnalyzer(name, actor), count) for name, actor, count in analyzers])

    def replace_publishers(self, publishers: Mapping[str, tuple[str, ActorHandle[Any]]]) -> None:
        handles = {camera: RayPublisher(name, actor) for camera, (name, actor) in publishers.items()}
        self._running().replace_publisher(handles.__getitem__)

    def drain(self, timeout_seconds: float) -> bool:
        return self._running().drain(timeout_seconds)

    def stop(self, timeout_seconds: float) -> None:
        if self._owner is not None:
            self._owner.stop(timeout_seconds)

    def _running(self) -> Owner:
        if self._owner is None:
            msg = "not started yet"
            raise PipelineError(msg, code="not_started", where=self._name)
        return self._owner


@dataclass(frozen=True, slots=True)
class PublishSpec:
    """What a publisher needs; secrets by name only."""

    name: str
    cameras: tuple[PublishedCamera, ...]
    sinks: SinksConfig
    secrets: Secrets
    state_dir: Path
    site: str
    timezone: str
    outbox: OutboxConfig
    evidence: EvidenceConfig
    artefacts: Path
    """Shared by all publishers and analyzers."""
    place: tuple[int, int] = (0, 1)
    """Which of how many publishers it is."""

    def owns(self, camera: str) -> bool:
        """Whether the camera is this publisher's, also one that is not configured any more."""
        return publisher_index(camera, self.place[1]) == self.place[0]


@ray.remote(max_restarts=0, max_task_retries=0)
class PublishActor(_Actor):
    """`Publisher` with its sinks."""

    def __init__(self, spec: PublishSpec, model: ModelInfo) -> None:
        try:
            self._open(spec, model)
        except Exception as error:  # noqa: BLE001 - raised by `pid`
            self.failure = error

    def _open(self, spec: PublishSpec, model: ModelInfo) -> None:
        log_to(spec.artefacts.parent, spec.name)
        sinks, required = build_sinks(spec.sinks, spec.site, spec.secrets)
        self._publisher = Publisher(
            cameras=spec.cameras,
            sinks=sinks,
            required=required,
            state_dir=spec.state_dir,
            site=spec.site,
            timezone=spec.timezone,
            model=model,
            outbox=spec.outbox,
            evidence=spec.evidence,
            clock=SystemClock(),
            artefacts=ArtefactStore(spec.artefacts),
            owns=spec.owns,
        )
        self._publisher.start()

    def attach(self, camera: str, lease: int) -> Attachment:
        return self._publisher.attach(camera, lease)

    def publish(self, delivery: Delivery) -> Receipt:
        return self._publisher.publish(delivery)

    def adopt(self, version: str) -> None:
        self._publisher.adopt(version)

    def act(self, camera: str, request: ActionRequest) -> Acted:
        return self._publisher.act(camera, request)

    def teach_view(self, camera: str, seconds: float, is_anew: bool) -> None:
        self._publisher.teach_view(camera, seconds, is_anew=is_anew)

    def collect(self, camera: str) -> None:
        self._publisher.collect(camera)

    def collected(self, camera: str) -> Collected:
        return self._publisher.collected(camera)

    def snapshot(self) -> PublisherSnapshot:
        return self._publisher.snapshot()

    def close(self, timeout_seconds: float) -> PublisherSnapshot:
        """Delivers what can be delivered in time; answers with the final counts."""
        self._publisher.close(timeout_seconds)
        return self._publisher.snapshot()


def start_analyzer(spec: ModelSpec, plan: AnalyzerPlan, calls: int) -> ActorWorker:
    """One analyze actor; `calls` may be in flight at once, and `about` must get through beside them."""
    options = {"num_cpus": plan.lanes, "num_gpus": plan.gpus, "max_concurrency": calls + 4}
    return ActorWorker(plan.name, AnalyzeActor.options(**options).remote(spec, plan))


def start_decoder(name: str, feeds: Sequence[FeedPlan], state_dir: Path, limits: BatchLimits) -> ActorWorker:
    """One decode actor. Decoding is light beside the model and is planned by readers, so it claims no core."""
    return ActorWorker(name, DecodeActor.options(num_cpus=0, max_concurrency=4).remote(name, feeds, state_dir, limits))


def start_publisher(spec: PublishSpec, model: ModelInfo, calls: int) -> ActorWorker:
    """One publish actor, on a node that holds the state."""
    options = {"num_cpus": 0, "resources": {STATE_RESOURCE: 0.001}, "max_concurrency": calls + 4}
    return ActorWorker(spec.name, PublishActor.options(**options).remote(spec, model))
