"""What the supervisor asks of actors, and who starts them; `ray_starters.py` starts the ones in Ray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from operators.results import ModelInfo
from pipeline.control.actors.publish_spec import Promised, PublishSpec
from pipeline.control.member import Worker
from pipeline.control.model import ModelSpec
from pipeline.control.planning.plan import AnalyzerPlan, DecoderPlan
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.handles import FeedPlan


class SupervisedWorker(Worker, Protocol):
    """A started actor. `actor_calls.ActorWorker` says what each method does and raises."""

    name: str
    actor: Any
    """What others are given to call it."""

    def ask(self, method: str, now: float) -> None: ...
    def pulse(self, method: str, limit_seconds: float, now: float, patience_seconds: float = ...) -> Any: ...
    def call(self, method: str, *args: Any, timeout_seconds: float = ...) -> Any: ...
    def begin(self, method: str, *args: Any) -> Any: ...
    def is_answered(self, answer: Any) -> bool: ...
    def collect(self, answer: Any, timeout_seconds: float) -> Any: ...


class Starters(Protocol):
    """How actors come to be. Returns at once; whether one came up is its first answer."""

    def start_analyzer(self, spec: ModelSpec, plan: AnalyzerPlan, calls: int) -> SupervisedWorker: ...
    def start_publisher(self, spec: PublishSpec, model: ModelInfo | Promised, calls: int) -> SupervisedWorker: ...
    def start_decoder(
        self, plan: DecoderPlan, feeds: Sequence[FeedPlan], state_dir: Path, limits: BatchLimits
    ) -> SupervisedWorker: ...
