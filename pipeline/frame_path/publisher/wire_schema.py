"""The bodies of all events as they stand on the wire. JSON; one struct per kind.

Integers ending in `_ns` are nanoseconds since the Unix epoch, except `pts_ns` (the stream's own zero). Sizes are
(height, width), boxes and polygons (x, y) in 0..1. `null` stands for "not known". Fields may come; none changes.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from pipeline.frame_path.publisher.wire_actions import Acknowledged, ActionBody
from pipeline.frame_path.publisher.wire_result import ResultBody, WireModel, WireSubject


class WirePicture(msgspec.Struct, frozen=True):
    """Where a picture lies in the evidence store."""

    path: str
    sha256: str
    num_bytes: int


class HistoryPoint(msgspec.Struct, frozen=True, array_like=True):
    """[rule_time_ns, value, sigma] of a measure; null where unknown or no subject."""

    rule_time_ns: int
    value: float | None
    sigma: float | None


class AlertBody(msgspec.Struct, frozen=True, kw_only=True):
    """Start or end of an episode. Types `alert.start`, `alert.end`; also the body of kind `state`."""

    id: str
    camera: str
    labels: dict[str, str]
    rule: str
    episode: int
    transition: Literal["start", "end"]
    text: str
    """One sentence for people."""
    severity: Literal["info", "warning", "critical"]
    notify: bool
    """False within the cooldown and while muted: log it, wake nobody."""
    muted: bool = False
    """Of a start: it began muted. Of the state: it is muted now. Of an end: someone had muted it."""
    acknowledged: Acknowledged | None = None
    """Of the state and of an end: who took notice, if anybody did."""
    measure: str
    unit: str
    value: float | None
    sigma: float | None
    enter: str
    """What the value was compared with, the margin added."""
    exit: str
    asked_enter: str = ""
    """As configured, without the margin."""
    asked_exit: str = ""
    hold_seconds: float
    reason: str
    frame: str | None
    """`camera/epoch/seq` of the frame that decided; None: a tick."""
    began_ns: int
    """Rule time of the first sample of the run that led to the start."""
    rule_time_ns: int
    published_ns: int
    capture_ns: int | None = None
    duration_seconds: float | None = None
    """Of an end: since `began_ns`."""
    extreme: float | None = None
    """Of an end: the value furthest into the alarm."""
    subject: WireSubject | None = None
    """Nearest one that counts, where the measure is about subjects."""
    history: list[HistoryPoint] = []
    evidence: str | None = None
    """Path at which the picture will lie; `alert.evidence` says when it does."""
    clip: str | None = None
    """Path at which the clip of a start will lie; `alert.evidence` says when it does."""
    preview: bytes | None = None
    """JPEG of at most 16 KiB in base64: what the model saw, with subjects, zones and the line drawn. Of the start and
    the end themselves where the rule wants evidence and a frame decided; never of the state."""
    model: WireModel
    artefacts: list[str] = []
    view: str | None = None


class WireClip(msgspec.Struct, frozen=True, kw_only=True):
    """Where a clip lies in the evidence store, and what it shows. MP4."""

    path: str
    sha256: str
    num_bytes: int
    from_ns: int
    """Rule time of its first picture."""
    to_ns: int
    """Of its last one."""
    is_copied: bool
    """The camera's own video; else encoded from the pictures that were sampled, without those between."""
    is_shortened: bool
    """It was cut to stay within `max_bytes`."""


class EvidenceBody(msgspec.Struct, frozen=True, kw_only=True):
    """The picture or the clip of an alert, or why there is none. Type `alert.evidence`."""

    id: str
    camera: str
    labels: dict[str, str]
    alert: str
    """Id of the start or end that it belongs to."""
    frame: str
    of: Literal["picture", "clip"] = "picture"
    """Which of the two this is about."""
    picture: WirePicture | None = None
    """The full-size picture with subjects, zones and the line drawn."""
    clip: WireClip | None = None
    missing: str | None = None
    """Why the full-size picture or the clip never came."""
    preview: WirePicture | None = None
    """The model-size picture, kept where the full-size one is missing."""
    published_ns: int


class StatusBody(msgspec.Struct, frozen=True, kw_only=True):
    """A camera changed its state. Kind `status`."""

    id: str
    camera: str
    labels: dict[str, str]
    lease: int
    state: Literal["connecting", "live", "stalled", "frozen", "backoff", "blocked_by_sink", "ended", "failed"]
    since_ns: int
    code: str
    reason: str
    details: dict[str, str | int | float]
    published_ns: int


class SceneBody(msgspec.Struct, frozen=True, kw_only=True):
    """The empty view has a new version, took a parked thing in, or changed its condition. Kind `scene`."""

    id: str
    camera: str
    labels: dict[str, str]
    change: Literal["view_learnt", "absorbed", "condition"]
    view: str
    """Empty: none is learnt."""
    lights: int
    valid_from: tuple[int, int]
    """(epoch, seq) since when the version is, or the condition was seen."""
    scene: Literal["", "ok", "learning", "one_light", "moved", "covered", "blurred"] = ""
    """Of `condition`: the new one."""
    text: str = ""
    """One sentence for people: what is so, and what to do."""
    published_ns: int


class DeadLetterBody(msgspec.Struct, frozen=True, kw_only=True):
    """What will never arrive: a frame of a replayable source without a result, or a message that no broker takes.

    Kind `dead_letter`.
    """

    of: dict[str, str]
    """CloudEvents attributes of what is missing, at least its `id`."""
    camera: str
    key: str
    reason: str
    bytes: int = 0
    """Size of the message that was refused; 0: there never was one."""
    limit_bytes: int = 0
    body: Any = None
    """Of the refused message, without its arrays."""


BODIES: dict[str, type[msgspec.Struct]] = {
    "result": ResultBody,
    "alert.start": AlertBody,
    "alert.end": AlertBody,
    "alert.evidence": EvidenceBody,
    "alert.state": AlertBody,
    "alert.mute": ActionBody,
    "alert.unmute": ActionBody,
    "alert.ack": ActionBody,
    "alert.arm": ActionBody,
    "alert.disarm": ActionBody,
    "status": StatusBody,
    "scene": SceneBody,
    "dead_letter": DeadLetterBody,
}
"""The closed table of event types: `dinostream.KIND.v1` without its frame. `alert.state` is empty at the end."""
