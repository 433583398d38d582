"""How the three kinds of Ray actors are started; `starters.Starters` says what the supervisor asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.actor import ActorHandle

from operators.results import ModelInfo
from pipeline.control.actors.actor_calls import ActorWorker
from pipeline.control.actors.analyze_actor import start_analyzer
from pipeline.control.actors.decode_actor import start_decoder
from pipeline.control.actors.publish_actor import start_publisher
from pipeline.control.actors.publish_spec import Promised, PublishSpec
from pipeline.control.model import ModelSpec
from pipeline.control.planning.plan import AnalyzerPlan, DecoderPlan
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.handles import FeedPlan


@dataclass(frozen=True, slots=True)
class RayStarters:
    """In the Ray that this process has joined."""

    depot: ActorHandle[Any] | None = None
    """Where analyzers on other nodes find what the state holds; None: there are no other nodes."""

    def start_analyzer(self, spec: ModelSpec, plan: AnalyzerPlan, calls: int) -> ActorWorker:
        return start_analyzer(spec, plan, calls, self.depot)

    def start_publisher(self, spec: PublishSpec, model: ModelInfo | Promised, calls: int) -> ActorWorker:
        return start_publisher(spec, model, calls)

    def start_decoder(
        self, plan: DecoderPlan, feeds: Sequence[FeedPlan], state_dir: Path, limits: BatchLimits
    ) -> ActorWorker:
        return start_decoder(plan, feeds, state_dir, limits)
