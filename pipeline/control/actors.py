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
import ray.exceptions as ray_errors
import torch
from ray.actor import ActorHandle

from operators.frames import Item
from operators.results import Analysis, ModelInfo
from pipeline.clock import SystemClock
from pipeline.control.actor_log import log_to
from pipeline.control.cluster import STATE_RESOURCE
from pipeline.control.device import choose_device
from pipeline.control.model import ModelSpec, build_analyzer
from pipeline.control.topology import AnalyzerPlan
from pipeline.errors import AnalyzeError, PipelineError, PublishError
from pipeline.frame_path.artefacts import ArtefactStore
from pipeline.frame_path.batching import BatchLimits
from pipeline.frame_path.handles import FeedPlan
from pipeline.frame_path.lanes import LaneLimits, LanePool
from pipeline.frame_path.owner import Owner
from pipeline.frame_path.publisher import PublishedCamera, Publisher, PublisherSnapshot
from pipeline.messages import Attachment, CameraSnapshot, Delivery, Receipt
from pipeline.secrets import Secrets
from pipeline.sinks.config import EvidenceConfig, OutboxConfig, SinksConfig
from pipeline.sinks.registry import build_sinks

log = logging.getLogger(__name__)

PUBLISH_TIMEOUT_SECONDS = 30.0
CALL_TIMEOUT_SECONDS = 15.0
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
        )
        self._publisher.start()

    def attach(self, camera: str, lease: int) -> Attachment:
        return self._publisher.attach(camera, lease)

    def publish(self, delivery: Delivery) -> Receipt:
        return self._publisher.publish(delivery)

    def snapshot(self) -> PublisherSnapshot:
        return self._publisher.snapshot()

    def close(self, timeout_seconds: float) -> PublisherSnapshot:
        """Delivers what can be delivered in time; answers with the final counts."""
        self._publisher.close(timeout_seconds)
        return self._publisher.snapshot()


def wait_for(ref: Any, timeout_seconds: float, kind: type[PipelineError], where: str) -> Any:
    """The value of a call; its death, lateness or failure as one of ours.

    Raises:
        PipelineError: of class `kind`, code `died`, `timeout` or `failed`; an error of ours raised over there comes
            back as it was.
    """
    try:
        return ray.get(ref, timeout=timeout_seconds)
    except ray_errors.GetTimeoutError:
        raise kind(f"no answer within {timeout_seconds:g} s", code="timeout", where=where) from None
    except ray_errors.RayTaskError as error:
        if isinstance(error.cause, PipelineError):
            raise error.cause from None
        raise kind(f"{type(error.cause).__name__}: {error.cause}", code="failed", where=where) from None
    except ray_errors.RayError as error:
        raise kind(f"the actor is gone ({type(error).__name__})", code="died", where=where) from None


@dataclass(frozen=True, slots=True)
class RayAnalyzer:
    """An `AnalyzerHandle` over an actor."""

    name: str
    actor: ActorHandle[Any]

    def analyze(self, items: Sequence[Item], timeout_seconds: float) -> list[Analysis]:
        """Raises: AnalyzeError."""
        return wait_for(self.actor.analyze.remote(list(items)), timeout_seconds, AnalyzeError, self.name)


@dataclass(frozen=True, slots=True)
class RayPublisher:
    """A `PublisherHandle` over an actor."""

    name: str
    actor: ActorHandle[Any]

    def attach(self, camera: str, lease: int) -> Attachment:
        """Raises: PublishError."""
        return wait_for(self.actor.attach.remote(camera, lease), PUBLISH_TIMEOUT_SECONDS, PublishError, self.name)

    def publish(self, delivery: Delivery) -> Receipt:
        """Raises: PublishError."""
        return wait_for(self.actor.publish.remote(delivery), PUBLISH_TIMEOUT_SECONDS, PublishError, self.name)


class ActorWorker:
    """An actor as the supervisor holds it: ready or not, and one pulse at a time, never waiting."""

    def __init__(self, name: str, actor: Any) -> None:
        self.name = name
        self.actor = actor
        self._ready = actor.pid.remote()
        self._pulse: Any = None
        self._pulse_since = 0.0

    def first_answer(self) -> int | None:
        """The process id once the actor has started, None before.

        Raises:
            PipelineError: it died on the way.
        """
        if not _is_answered(self._ready):
            return None
        return wait_for(self._ready, CALL_TIMEOUT_SECONDS, PipelineError, self.name)

    def pulse(self, method: str, limit_seconds: float, now: float) -> Any:
        """The answer to the call of `method` that is under way, None while there is none; then asks again.

        Raises:
            PipelineError: the actor died, or has not answered for `limit_seconds` (code `timeout`).
        """
        if self._pulse is None:
            self._pulse, self._pulse_since = getattr(self.actor, method).remote(), now
        if not _is_answered(self._pulse):
            if now - self._pulse_since > limit_seconds:
                msg = f"no answer for {limit_seconds:g} s"
                raise PipelineError(msg, code="timeout", where=self.name)
            return None
        answer, self._pulse = self._pulse, None
        return wait_for(answer, CALL_TIMEOUT_SECONDS, PipelineError, self.name)

    def call(self, method: str, *args: Any, timeout_seconds: float = CALL_TIMEOUT_SECONDS) -> Any:
        """One call, waited for.

        Raises:
            PipelineError: it died, failed or was too slow.
        """
        return wait_for(getattr(self.actor, method).remote(*args), timeout_seconds, PipelineError, self.name)

    def begin(self, method: str, *args: Any) -> Any:
        """One call, to be collected with `wait_for`."""
        return getattr(self.actor, method).remote(*args)

    def kill(self) -> None:
        """Ends the actor at once, dead or alive."""
        ray.kill(self.actor, no_restart=True)


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


def _is_answered(ref: Any) -> bool:
    done, _ = ray.wait([ref], timeout=0)
    return bool(done)
