"""What a publisher is told of its cameras, and what it tells of itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from operators.camera import CameraSpec
from pipeline.frame_path.publisher.stored_actions import StoredActions
from pipeline.frame_path.publisher.stored_camera import StoredView
from pipeline.frame_path.publisher.view_condition import SceneWord
from pipeline.messages import SinkLedger
from pipeline.sinks.base import SinkHealth


@dataclass(frozen=True, slots=True)
class PublishedCamera:
    """One camera that a publisher answers for; which alerts want pictures stands in `spec.rules`."""

    spec: CameraSpec
    is_replayable: bool
    thumbnail_seconds: float = 0.0
    """Rule time between two pictures that are kept for searches; 0: none are."""


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An episode that has started and not ended."""

    camera: str
    rule: str
    episode: int
    severity: str
    text: str
    began_ns: int
    """Rule time."""


@dataclass(frozen=True, slots=True)
class RuleValue:
    """One rule as of the newest frame."""

    measure: str
    unit: str
    value: float | None
    is_known: bool
    phase: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SceneNow:
    """In which condition a camera's empty view is."""

    scene: SceneWord
    since_ns: int
    """Rule time."""
    text: str
    """One sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class PublisherSnapshot:
    """For the table, `/status`, `/metrics` and `/readyz`."""

    sinks: list[SinkHealth] = field(default_factory=list[SinkHealth])
    ledgers: list[SinkLedger] = field(default_factory=list[SinkLedger])
    outbox_rows: int = 0
    outbox_bytes: int = 0
    """Of alerts, status, state, scene events and dead letters; results of replayable sources are bounded by number."""
    is_outbox_full: bool = False
    """`/readyz` is red: alerts are refused, and counted in `alerts_refused`."""
    alerts_refused: int = 0
    active: list[ActiveAlert] = field(default_factory=list[ActiveAlert])
    rules: dict[str, dict[str, RuleValue]] = field(default_factory=dict[str, dict[str, RuleValue]])
    """By camera and rule."""
    views: dict[str, str | None] = field(default_factory=dict[str, str | None])
    """By camera: the newest empty view, None while it is not learnt."""
    view_lights: dict[str, int] = field(default_factory=dict[str, int])
    """By camera: lights of the view that the newest frame was analysed with; 1 means depth alone (`one_light`)."""
    scenes: dict[str, SceneNow] = field(default_factory=dict[str, SceneNow])
    """By camera, where a rule needs the empty view or one is learnt."""
    heads: dict[str, dict[str, StoredView]] = field(default_factory=dict[str, dict[str, StoredView]])
    """By camera and head: the version (`head/vehicles@8`) that results name, and since which frame."""
    actions: dict[str, StoredActions] = field(default_factory=dict[str, StoredActions])
    """By camera: what people have set there and has not run out."""
    retries: int = 0
    """Entries that came again from the same owner, whose receipt was lost: they change nothing."""
    thumbnails: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    """By camera and outcome (`written`, `failed`, `dropped`), since this publisher started."""
    fenced: int = 0
    """Entries of superseded owners: nothing of them was published."""
