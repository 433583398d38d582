"""A publisher on a table: a clock that tests own, a sink that answers when told, frames of a dock."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from operators.camera import CameraSpec
from operators.frames import Placement, Ticket, Times
from operators.results import Analysis, Depth, Label, LineDistance, ModelInfo, Segments, Subject
from operators.rules.config import RuleConfig
from operators.scene.config import ViewConfig
from pipeline.clock import Clock
from pipeline.frame_path.publisher.publisher import PublishedCamera, Publisher
from pipeline.messages import Analysed, Delivery, Entry, Message, Outcome, Picture, Receipt, Reused, Settlement, Tick
from pipeline.sinks.base import OnSettled, Sink, SinkHealth
from pipeline.sinks.config import EvidenceConfig, OutboxConfig

CAMERA = "dock-03"
START_NS = 1_767_225_600_000_000_000
GRID = (16, 28)
MODEL = ModelInfo("dinov2_vits14", "random", "f" * 64, "apache-2.0", {"224x392": "s" * 64})


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def wall_ns(self) -> int:
        return START_NS + round(self.now * 1e9)

    def monotonic(self) -> float:
        return self.now

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds)


class HandSink:
    """Keeps what it is given until told what becomes of it. `room`: outbox messages that fit at once."""

    def __init__(self, name: str = "redis", room: int = 10**9) -> None:
        self.name = name
        self.room = room
        self.queue: list[Message] = []
        self.seen: list[Message] = []
        self._on_settled: OnSettled = lambda _: None

    def start(self, on_settled: OnSettled) -> None:
        self._on_settled = on_settled

    def put(self, messages: Sequence[Message]) -> list[Message]:
        refused: list[Message] = []
        for message in messages:
            if message.outbox is not None and (refused or len(self.queue) >= self.room):
                refused.append(message)
            else:
                self.queue.append(message)
                self.seen.append(message)
        return refused

    def settle(self, count: int = 10**9, outcome: Outcome = "acknowledged", reason: str = "") -> list[Message]:
        done, self.queue = self.queue[:count], self.queue[count:]
        self._on_settled([Settlement(self.name, message, outcome, reason) for message in done])
        return done

    def health(self) -> SinkHealth:
        return SinkHealth(self.name, True, len(self.queue), sum(each.size for each in self.queue), None)

    def close(self, timeout_seconds: float) -> None:
        del timeout_seconds
        results = [each for each in self.queue if each.outbox is None]
        self.queue = [each for each in self.queue if each.outbox is not None]
        self._on_settled([Settlement(self.name, message, "dropped", "closed") for message in results])


RULE: dict[str, Any] = {
    "measure": "distance_to(dock)",
    "enter": "< 3.0 m",
    "exit": "> 3.6 m",
    "hold": "600ms",
    "severity": "critical",
}


def rule(**changes: Any) -> RuleConfig:
    return RuleConfig.model_validate({**RULE, **changes})


def camera(name: str = CAMERA, *, is_replayable: bool = False, **rules: RuleConfig) -> PublishedCamera:
    spec = CameraSpec(
        camera=name,
        shape=(224, 392),
        heads=("embedding", "depth", "vehicles"),
        view=ViewConfig.model_validate({"hfov": "74deg", "height": "3.4m", "pitch": "24deg"}),
        lines={"dock": "here"},
        zones={"apron": ((0.1, 0.4), (0.9, 0.4), (0.9, 1.0), (0.1, 1.0))},
        rules=rules or {"too_close": rule()},
        labels={"line": "outbound"},
    )
    return PublishedCamera(spec, is_replayable)


def deliver(made: Publisher, *entries: Entry, pictures: Sequence[Picture] = ()) -> Receipt:
    """One delivery of an owner."""
    return made.publish(Delivery(tuple(entries), tuple(pictures)))


def publisher(
    folder: Path,
    cameras: Sequence[PublishedCamera],
    sinks: Sequence[Sink],
    *,
    required: Iterable[str] = ("redis",),
    clock: Clock | None = None,
    outbox_bytes: int = 2**20,
) -> Publisher:
    made = Publisher(
        cameras=cameras,
        sinks=sinks,
        required=frozenset(required),
        state_dir=folder / "state",
        site="north-quay",
        timezone="UTC",
        model=MODEL,
        outbox=OutboxConfig.model_construct(max_bytes=outbox_bytes),
        evidence=EvidenceConfig(store=str(folder / "evidence")),
        clock=clock or HandClock(),
    )
    made.start()
    return made


def times(seconds: float) -> Times:
    at = START_NS + round(seconds * 1e9)
    return Times(at, at + 5_000_000, at - 40_000_000, "arrival", 50_000_000)


def subject(metres: float, name: str = "forklift") -> Subject:
    mask = np.zeros(GRID, dtype=bool)
    mask[8:11, 10:14] = True
    distances = (LineDistance("dock", metres, 0.3, metres + 0.1),)
    labels = (Label("vehicles", ((name, 0.9), ("truck", 0.1))),)
    vector = (np.arange(384) / 768).astype(np.float16)
    return Subject((0.36, 0.5, 0.5, 0.69), mask, distances, labels, embedding=vector)


def segments() -> Segments:
    """Floor below, wall above, a vehicle on the floor."""
    indices = np.zeros(GRID, np.uint8)
    indices[6:] = 1
    indices[8:11, 10:14] = 2
    shares = (("floor", 0.598214), ("wall", 0.375), ("truck", 0.026786))
    return Segments("scene", ("wall", "floor", "truck"), indices, shares, is_mask_wanted=True)


def frame(
    seq: int, metres: float | None, *, name: str = CAMERA, lease: int = 17, epoch: int | None = None, **more: Any
) -> Analysed:
    """One analysed frame, 5 a second; `metres` None: nobody there."""
    metres_map = np.full(GRID, 6.0, dtype=np.float16)
    metres_map[0, 0] = np.nan
    analysis = Analysis(
        ticket=Ticket(name, lease, lease if epoch is None else epoch, seq),
        times=times(seq / 5),
        placement=Placement((720, 1260), (224, 392), (3.214, 3.214)),
        space="s" * 64,
        embedding=(np.arange(384) / 384).astype(np.float16),
        depth=Depth("depth", metres_map, 4.0, 6.0, 0.99, is_calibrated=True),
        labels=(Label("vehicles", (("forklift", 0.7), ("truck", 0.3))),),
        subjects=() if metres is None else (subject(metres),),
        view=f"view/{name}@1",
        view_lights=3,
        artefacts=(f"view/{name}@1",),
        analysed_ns=START_NS + round(seq / 5 * 1e9) + 30_000_000,
        computed_seconds=0.02,
        segments=(segments(),),
        subject_space="p" * 64,
        **more,
    )
    return Analysed(analysis, {"replaced": 2})


def reused(seq: int, of: int, *, lease: int = 17) -> Reused:
    return Reused(Ticket(CAMERA, lease, lease, seq), times(seq / 5), Ticket(CAMERA, lease, lease, of))


def tick(seconds: float, state: Any = "live", *, lease: int = 17) -> Tick:
    return Tick(CAMERA, lease, START_NS + round(seconds * 1e9), state)


def ids(messages: Sequence[Message], *kinds: str) -> list[str]:
    return [each.id for each in messages if not kinds or each.kind in kinds]


def body(message: Message) -> dict[str, Any]:
    return msgspec.json.decode(message.body)
