"""`Owner` with its readers in a Ray actor."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import ray
from ray.actor import ActorHandle

from pipeline.clock import SystemClock
from pipeline.control.actors.actor_base import Actor, on_node, process_bytes
from pipeline.control.actors.actor_calls import ActorWorker, RayAnalyzer, RayPublisher
from pipeline.control.actors.actor_log import fault_path, log_to
from pipeline.control.planning.plan import DecoderPlan
from pipeline.errors import PipelineError
from pipeline.faults import watch_faults
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.handles import FeedPlan, OwnedCamera
from pipeline.frame_path.owner.owner import Owner
from pipeline.messages import CameraSnapshot, LedgerSnapshot

SWITCH_INTERVAL_SECONDS = 0.0005
"""Decoding threads share one GIL; the default of 5 ms makes 16 readers wait for each other."""


@ray.remote(max_restarts=0, max_task_retries=0)
class DecodeActor(Actor):
    """`Owner` with its readers."""

    def __init__(self, name: str, feeds: Sequence[FeedPlan], state_dir: Path, limits: BatchLimits) -> None:
        _load_those_it_calls()
        log_to(state_dir, name)
        watch_faults(fault_path(state_dir, name))
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
        taken = process_bytes()
        return [replace(each, process_bytes=taken) for each in owner.snapshot()]

    def replace_analyzers(self, analyzers: list[tuple[str, ActorHandle[Any], int]]) -> None:
        self._running().replace_analyzers([(RayAnalyzer(name, actor), count) for name, actor, count in analyzers])

    def replace_publishers(self, publishers: Mapping[str, tuple[str, ActorHandle[Any]]]) -> None:
        handles = {camera: RayPublisher(name, actor) for camera, (name, actor) in publishers.items()}
        self._running().replace_publisher(handles.__getitem__)

    def add_feeds(self, feeds: Sequence[FeedPlan], publishers: Mapping[str, tuple[str, ActorHandle[Any]]]) -> None:
        """`publishers` of every camera of this owner, as for `start`."""
        handles = {camera: RayPublisher(name, actor) for camera, (name, actor) in publishers.items()}
        for plan in feeds:
            self._running().add_feed(plan, handles.__getitem__)

    def remove_feeds(self, cameras: Sequence[str], timeout_seconds: float) -> list[LedgerSnapshot]:
        """Of all feeds in one call, so that a beat gets through beside it."""
        return self._running().remove_feeds(cameras, timeout_seconds)

    def change(self, cameras: Sequence[OwnedCamera]) -> None:
        self._running().change(cameras)

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


def _load_those_it_calls() -> None:
    """Who is given an actor's handle loads its module: better now than while the supervisor waits for `start`."""
    for module in ("analyze_actor", "publish_actor"):
        import_module(f"pipeline.control.actors.{module}")


def start_decoder(plan: DecoderPlan, feeds: Sequence[FeedPlan], state_dir: Path, limits: BatchLimits) -> ActorWorker:
    """One decode actor. Decoding is light beside the model and is planned by readers, so the first ones claim no core;
    one that follows the load claims what it is there for, and Ray finds or makes room.
    """
    options = {"num_cpus": plan.cores, "max_concurrency": 4, "scheduling_strategy": on_node(plan.node)}
    return ActorWorker(plan.name, DecodeActor.options(**options).remote(plan.name, feeds, state_dir, limits))
