"""Everything that crosses an actor boundary or a queue. Frozen values; nothing here does anything.

Analyzer.analyze(items) -> list[Analysis]              operators.frames.Item, operators.results.Analysis
Publisher.attach(camera, lease) -> Attachment
Publisher.publish(Delivery) -> Receipt
publisher -> sinks: Message; sinks -> publisher: Settlement
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from operators.frames import Ticket, Times
from operators.results import Analysis
from operators.scene.config import Line

CameraState = Literal["connecting", "live", "stalled", "frozen", "backoff", "blocked_by_sink", "ended", "failed"]

LostReason = Literal[
    "analyzer_died",
    "analyzer_timeout",
    "analyze_error",
    "publisher_died",
    "owner_died",
    "fenced",
    "drained",
    "publish_error",
]
"""Why a decoded frame has no result although it was not dropped by policy."""


# --- owner -> publisher ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Analysed:
    """A result, with what the camera dropped since the one before it."""

    analysis: Analysis
    drops: dict[str, int] = field(default_factory=dict)
    """Decoded frames since the last result that got none, by reason (`sampled_out`, `replaced`, `stale`, ...)."""

    @property
    def ticket(self) -> Ticket:
        return self.analysis.ticket


@dataclass(frozen=True, slots=True)
class Reused:
    """The picture did not change (gate): the last analysis stands for this frame too. Seen by the rules."""

    ticket: Ticket
    times: Times
    of: Ticket
    drops: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gone:
    """A frame that was ticketed and will have no result."""

    ticket: Ticket
    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes although nothing comes. Published only if it changes a rule."""

    camera: str
    lease: int
    rule_time_ns: int
    state: CameraState


@dataclass(frozen=True, slots=True)
class Status:
    """A camera changed its state; becomes a `status` event through the outbox."""

    camera: str
    lease: int
    state: CameraState
    since_ns: int
    """Wall clock."""
    code: str = ""
    """Of the error that led here, such as `unauthorized`."""
    reason: str = ""
    """One redacted sentence for people."""
    details: dict[str, str | int | float] = field(default_factory=dict)
    """Codec, size, declared and measured rate, attempts, ..."""


Entry = Analysed | Reused | Gone | Tick | Status


@dataclass(frozen=True, slots=True)
class Picture:
    """Full-size evidence that the publisher asked for."""

    event_id: str
    ticket: Ticket
    jpeg: bytes


@dataclass(frozen=True, slots=True, repr=False)
class ClipPart:
    """A piece of a clip that the publisher asked for; pieces come in order."""

    event_id: str
    ticket: Ticket
    index: int
    count: int
    data: bytes
    from_ns: int = 0
    """Rule time of the clip's first picture."""
    to_ns: int = 0
    """Of its last one."""
    is_copied: bool = True
    """The camera's own packets; else encoded anew from sampled pictures."""
    is_shortened: bool = False
    """It was cut to stay within `max_bytes`."""
    missing: str = ""
    """Why there is no clip; then there is no data."""

    def __repr__(self) -> str:
        return f"ClipPart({self.event_id}, {self.index + 1} of {self.count}, {len(self.data)} B{self.missing})"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one owner sends in one call; per camera in ticket order."""

    entries: tuple[Entry, ...]
    pictures: tuple[Picture, ...] = ()
    clips: tuple[ClipPart, ...] = ()


# --- publisher -> owner ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ArtefactVersion:
    """From `valid_from` on, items name this version."""

    name: str
    """Such as `view/dock-03@12`."""
    valid_from: tuple[int, int]
    """(epoch, seq) that no frame in flight has reached."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A subject that counts."""

    box: tuple[float, float, float, float]
    text: str = ""
    """Such as `forklift 2.9 m`."""


@dataclass(frozen=True, slots=True)
class FloorMark:
    """A line on the floor, or what lies `metres` beyond one as seen from the camera."""

    line: Line
    metres: float = 0.0
    text: str = ""
    is_threshold: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """What to draw on a piece of evidence; boxes and polygons in 0..1 of the picture that the model saw."""

    text: str
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    """Subjects that do not count."""
    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    counting: tuple[Outline, ...] = ()
    floor: tuple[FloorMark, ...] = ()


@dataclass(frozen=True, slots=True)
class ClipSpan:
    """Rule time that a clip shall show."""

    from_ns: int
    to_ns: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class PictureWanted:
    """The owner keeps the full-size picture of each frame in flight; this names one and what to draw on it."""

    event_id: str
    ticket: Ticket
    drawing: Drawing
    clip: ClipSpan | None = None
    """A clip of this time is wanted in place of a picture."""


@dataclass(frozen=True, slots=True)
class CameraReceipt:
    """How far one camera is."""

    camera: str
    accepted_upto: tuple[int, int] | None
    """(epoch, seq); the bodies up to here may be let go (live)."""
    settled_upto: tuple[tuple[int, int], ...]
    """(epoch, seq), one for each epoch of this lease: every required sink has acknowledged, dropped by policy or
    dead-lettered the frames of that epoch up to here. Partitions of a topic are epochs that go on side by side.
    """
    refused: Literal["fenced"] | None = None
    """`fenced`: a higher lease is attached; stop this camera, commit nothing."""
    artefacts: tuple[ArtefactVersion, ...] = ()
    view_sample_wanted: bool = False
    pictures_wanted: tuple[PictureWanted, ...] = ()
    is_armed: bool = False
    """A rule is pending, active or releasing: the change gate stays open."""
    is_collecting: bool = False
    """The frames to come are collected: each is analysed, and its result brings the picture itself."""
    is_thumbnail_due: bool = False
    """The next analysed frame that shows something shall bring its preview. The gate stays as it is."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Answer to one Delivery, within milliseconds, never after a broker."""

    cameras: tuple[CameraReceipt, ...]

    def of(self, camera: str) -> CameraReceipt | None:
        return next((each for each in self.cameras if each.camera == camera), None)


@dataclass(frozen=True, slots=True)
class Attachment:
    """Answer to attach(camera, lease); lower leases are fenced from here on."""

    camera: str
    lease: int
    refused: Literal["fenced"] | None
    last_position: tuple[int, int] | None
    """(epoch, seq) of the last frame accepted from any lease."""
    settled_upto: tuple[tuple[int, int], ...]
    """As in a receipt, for every epoch that is remembered."""
    last_rule_time_ns: int
    artefacts: tuple[str, ...]
    is_armed: bool
    view_sample_wanted: bool = False
    is_thumbnail_due: bool = False


# --- publisher -> sinks -> publisher --------------------------------------------------------------------------------

Kind = Literal["result", "alert", "status", "scene", "state", "dead_letter"]
"""`alert` covers alert.start, .end, .evidence and what people do (.mute, .ack, ...); `state` is what is active now."""

Outcome = Literal["acknowledged", "dropped", "dead_lettered"]


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """One encoded event for every sink. `id` is its `ce_id`; equal on repetition."""

    id: str
    kind: Kind
    type: str
    """CloudEvents type, such as `dinostream.alert.start.v1`."""
    camera: str
    key: str
    """Kafka key: the camera, or `camera/rule` for kind `state`."""
    attributes: dict[str, str]
    """CloudEvents attributes without the `ce_` prefix: id, source, type, specversion, time, datacontenttype, ..."""
    body: bytes
    """JSON; empty for a tombstone (`state` at the end of an episode)."""
    ticket: Ticket | None = None
    """Of a result: what settling it means."""
    outbox: int | None = None
    """Row of the outbox: alerts, status, state and scene events wait on disk."""

    def __repr__(self) -> str:
        return f"Message({self.id}, {self.kind}, {len(self.body)} B)"

    @property
    def size(self) -> int:
        """Bytes held while queued."""
        return len(self.body) + 512


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one message at one sink."""

    sink: str
    message: Message
    outcome: Outcome
    reason: str = ""
    """Of `dropped` (`queue_full`, ...) or `dead_lettered` (`too_large`, ...)."""
    letter: Message | None = None
    """Of `dead_lettered`, by a sink that has nowhere to put it: for all sinks."""


# --- status for people ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """What became of every frame of one camera under one lease. See `frame_path/owner/ledger.py` for the identities."""

    camera: str
    lease: int
    received: int = 0
    undecodable: int = 0
    decoded: int = 0
    sampled_out: int = 0
    replaced: int = 0
    stale: int = 0
    gated: int = 0
    analysed: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    in_flight: int = 0

    @property
    def unaccounted(self) -> int:
        """0 unless a frame vanished."""
        gone = self.sampled_out + self.replaced + self.stale + self.gated + self.analysed + sum(self.lost.values())
        return (self.received - self.undecodable - self.decoded) + (self.decoded - gone - self.in_flight)


@dataclass(frozen=True, slots=True)
class CameraSnapshot:
    """One camera, for the table, `/status` and `/metrics`."""

    camera: str
    lease: int
    state: CameraState
    since_ns: int
    ledger: LedgerSnapshot
    measured_fps: float = 0.0
    age_p50_seconds: float | None = None
    """Ingest to published, over the last 512 results."""
    age_p99_seconds: float | None = None
    last_frame_ns: int | None = None
    reading_cores: float | None = None
    """Processor cores that reading it takes; None: not known."""
    reason: str = ""
    unrouted: dict[str, int] = field(default_factory=dict[str, int])
    """By topic: records whose key no camera names, since this lease began; told by the first camera of a feed alone."""
    tape_bytes: int | None = None
    """Kept in memory for clips; None: no rule wants any."""
    tape_cut_short: int = 0
    """How often that bound left less than the wanted time."""
    reading_wants: float | None = None
    """As `reading_cores`, with the time in which it was ready to run and others had the cores."""
    process_bytes: int | None = None
    """Memory of the process that reads it beside others; None: not known."""
    settled: str = ""
    """Where its source goes on, in the source's own words; empty: not known, or it cannot be had again."""


@dataclass(frozen=True, slots=True)
class SinkLedger:
    """Per sink and camera: `analysed + gated = acknowledged + dropped + dead_lettered + queued`."""

    sink: str
    camera: str
    acknowledged: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    dead_lettered: int = 0
    queued: int = 0
