"""`Analyzer` in a Ray actor.

Whoever is given the actor's handle loads this module too, so what computes is imported where it is used.
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any

import ray
from ray.actor import ActorHandle

from operators.frames import Item
from operators.results import Analysis, ModelInfo
from pipeline.clock import SystemClock
from pipeline.control.actors.actor_base import Actor, on_node, process_bytes
from pipeline.control.actors.actor_calls import ActorWorker, RayDepot
from pipeline.control.actors.actor_log import log_to
from pipeline.control.planning.plan import AnalyzerPlan, LaneUse
from pipeline.frame_path.lanes import LaneLimits, LanePool

if TYPE_CHECKING:
    from operators.camera import CameraSpec
    from operators.retrieval.build_bank import LabelledPicture
    from pipeline.control.model import ModelSpec

log = logging.getLogger(__name__)

NICENESS = 10
"""Of the model's process: decoders and publishers go first."""


@ray.remote(max_restarts=0, max_task_retries=0)
class AnalyzeActor(Actor):
    """`Analyzer` behind lanes."""

    def __init__(self, spec: ModelSpec, plan: AnalyzerPlan, depot: ActorHandle[Any] | None) -> None:
        try:
            self._open(spec, plan, depot)
        except Exception as error:  # noqa: BLE001 - raised by `pid`
            self.failure = error

    def _open(self, spec: ModelSpec, plan: AnalyzerPlan, depot: ActorHandle[Any] | None) -> None:
        import torch

        from pipeline.control.actors.device import choose_device
        from pipeline.control.model import build_analyzer

        log_to(spec.artefacts.parent, plan.name)
        os.nice(NICENESS)
        device = choose_device(wants_gpu=plan.gpus > 0)
        if device.reason:
            log.warning("%s computes on the CPU: %s", plan.name, device.reason)
        torch.set_num_threads(1)  # lanes inherit it; a GPU needs none
        self._analyzer = build_analyzer(spec, device=device.kind, depot=None if depot is None else RayDepot(depot))
        limits = LaneLimits(plan.lanes, plan.max_batch_size, plan.max_wait_seconds)
        self._num_lanes = plan.lanes
        self._lanes = LanePool(self._analyzer.analyze, limits, SystemClock())

    def about(self) -> ModelInfo:
        """Answers once the weights are loaded."""
        return self._analyzer.about

    def use(self) -> LaneUse:
        """How much of it is in use."""
        return LaneUse(
            self._num_lanes, time.monotonic(), self._lanes.busy_seconds, self._lanes.num_calls, process_bytes()
        )

    def analyze(self, items: list[Item]) -> list[Analysis]:
        return self._lanes.analyze(items)

    def learn(self, pictures: list[LabelledPicture]) -> bytes:
        """A bank of these pictures alone."""
        return self._analyzer.learn(pictures).to_bytes()

    def change(self, cameras: tuple[CameraSpec, ...]) -> None:
        self._analyzer.change(cameras)

    def load(self, version: str) -> None:
        """Reads a head's artefact now, so that the first frame that names it does not wait."""
        self._analyzer.load(version)


def start_analyzer(
    spec: ModelSpec, plan: AnalyzerPlan, calls: int, depot: ActorHandle[Any] | None = None
) -> ActorWorker:
    """One analyze actor; `calls` may be in flight at once, and `about` must get through beside them."""
    options = {
        "num_cpus": plan.lanes,
        "num_gpus": plan.gpus,
        "max_concurrency": calls + 4,
        "scheduling_strategy": on_node(plan.node),
    }
    return ActorWorker(plan.name, AnalyzeActor.options(**options).remote(spec, plan, depot))
