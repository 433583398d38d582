"""Actors of this process that answer at once and do nothing, for a supervisor of thousands of cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from operators.results import ModelInfo
from pipeline.control.actors.publish_spec import Promised, PublishSpec
from pipeline.control.model import ModelSpec
from pipeline.control.planning.plan import AnalyzerPlan, DecoderPlan
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.handles import FeedPlan
from pipeline.frame_path.publisher.publisher import PublisherSnapshot
from pipeline.messages import CameraSnapshot, LedgerSnapshot, SinkLedger
from pipeline.sinks.base import SinkHealth

MODEL = ModelInfo("dinov2_vits14", "random", "s" * 64, "apache-2.0")


@dataclass(slots=True)
class StillActor:
    """Answers every call at once, as an actor whose cameras send nothing. Its cameras and their leases, if it reads."""

    name: str
    leases: dict[str, int]
    published: PublisherSnapshot | None = None
    calls: list[str] = field(default_factory=list)
    told: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """By method, what it was called with last."""

    @property
    def actor(self) -> str:
        return self.name

    def first_answer(self) -> int:
        return 1

    def ask(self, method: str, now: float) -> None:
        """`pulse` does it."""

    def pulse(self, method: str, limit_seconds: float, now: float, patience_seconds: float = 0.0) -> Any:
        del limit_seconds, now, patience_seconds
        return self.call(method)

    def call(self, method: str, *args: Any, timeout_seconds: float = 0.0) -> Any:
        del timeout_seconds
        self.calls.append(method)
        self.told[method] = args
        match method:
            case "about":
                return MODEL
            case "beat":
                return [_camera(camera, lease) for camera, lease in self.leases.items()]
            case "snapshot" | "close":
                return self.published or PublisherSnapshot()
        return None

    def begin(self, method: str, *args: Any) -> str:
        self.told[method] = args
        return method

    def collect(self, answer: Any, timeout_seconds: float) -> bool:
        del answer, timeout_seconds
        return True

    def kill(self) -> None:
        self.calls.append("kill")


def _camera(camera: str, lease: int) -> CameraSnapshot:
    ledger = LedgerSnapshot(camera, lease, received=1000, decoded=1000, sampled_out=800, gated=120, analysed=80)
    return CameraSnapshot(
        camera, lease, "live", 0, ledger, measured_fps=25.0, age_p50_seconds=0.1, age_p99_seconds=0.2, last_frame_ns=1
    )


class StillStarters:
    """Starts actors of this process; `started` by name, the newest last."""

    def __init__(self) -> None:
        self.started: dict[str, list[StillActor]] = {}

    def start_analyzer(self, spec: ModelSpec, plan: AnalyzerPlan, calls: int) -> StillActor:
        del spec, calls
        return self._keep(StillActor(plan.name, {}))

    def start_publisher(self, spec: PublishSpec, model: ModelInfo | Promised, calls: int) -> StillActor:
        del model, calls
        ledgers = [SinkLedger("kafka", each.spec.camera, 200, {}, 0, 0) for each in spec.cameras]
        snapshot = PublisherSnapshot(sinks=[SinkHealth("kafka", True, 0, 0, None)], ledgers=ledgers)
        return self._keep(StillActor(spec.name, {}, snapshot))

    def start_decoder(
        self, plan: DecoderPlan, feeds: Sequence[FeedPlan], state_dir: Path, limits: BatchLimits
    ) -> StillActor:
        del state_dir, limits
        return self._keep(StillActor(plan.name, {each.camera: each.lease for feed in feeds for each in feed.cameras}))

    def _keep(self, actor: StillActor) -> StillActor:
        self.started.setdefault(actor.name, []).append(actor)
        return actor
