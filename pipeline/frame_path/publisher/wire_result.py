"""The body of a result as it stands on the wire, and what it is made of. Part of `wire_schema`."""

from __future__ import annotations

from typing import Literal

import msgspec


class Array(msgspec.Struct, frozen=True):
    """A tensor; ten lines of any language read it."""

    dtype: Literal["float16"]
    shape: list[int]
    data: str
    """Base64 of the little-endian values, row-major."""


class WireTimes(msgspec.Struct, frozen=True):
    """When one frame was seen, and by which clock."""

    capture_ns: int
    capture_clock: Literal["rtcp", "container", "kafka", "arrival"]
    capture_uncertainty_ns: int
    ingest_ns: int
    rule_time_ns: int
    """The only time that rules look at."""
    analysed_ns: int
    published_ns: int
    pts_ns: int | None = None
    computed_seconds: float = 0.0
    """Of the frame's batch in the model; the rest between `ingest_ns` and `analysed_ns` was waiting and travel."""


class WirePlacement(msgspec.Struct, frozen=True):
    """Source pixel = model pixel * scale + offset, per axis (y, x)."""

    source_size: tuple[int, int]
    model_size: tuple[int, int]
    scale: tuple[float, float]
    offset: tuple[float, float]


class WireModel(msgspec.Struct, frozen=True):
    """What made the vectors; vectors of different spaces never meet."""

    name: str
    weights: str
    """`standin` is not the official checkpoint."""
    fingerprint: str
    space: str | None = None
    """Of `embedding`."""
    subject_space: str | None = None
    """Of `subjects[].embedding`."""


class WireDepth(msgspec.Struct, frozen=True):
    """Distance along the optical axis on the patch grid."""

    head: str
    unit: Literal["m"]
    metres: Array
    p05: float | None
    median: float | None
    valid_share: float
    is_calibrated: bool
    """False: the field of view of the camera, or the head's own, is not known: these are not metres of this camera."""
    off_recipe: str | None = None
    """What of the camera lies more than 30 % off what the head was trained with."""


class WireInverseDepth(msgspec.Struct, frozen=True):
    """Of a relative head, on the patch grid: larger is nearer, up to an unknown scale and shift. Never metres."""

    head: str
    values: Array
    off_recipe: str | None = None


class WireLabel(msgspec.Struct, frozen=True):
    """What one labelling head says."""

    name: str
    """The class to show: the best one, or `unknown`, or `empty`."""
    top: list[tuple[str, float]]
    is_unknown: bool
    is_empty: bool
    off_recipe: str | None = None
    """What of the camera lies more than 30 % off what the head was trained with."""


class WireDistance(msgspec.Struct, frozen=True):
    """Metres on the floor from a line to the nearest visible part of a subject."""

    line: str
    metres: float | None
    sigma_metres: float | None
    contact_metres: float | None


class WireSubject(msgspec.Struct, frozen=True):
    """What stands in front of the learnt empty view."""

    track: int | None
    box: tuple[float, float, float, float]
    patches: int
    distances: list[WireDistance]
    labels: dict[str, WireLabel]
    """By head."""
    is_held: bool = False
    """Sank below the picture's bottom edge: the last value is kept."""
    embedding: Array | None = None
    """Mean of its own patches, L2-normalised, in `model.subject_space`; where the camera asks for `embedding`."""


class WireZone(msgspec.Struct, frozen=True):
    """Depth and subjects over one zone."""

    p05_metres: float | None
    median_metres: float | None
    valid_share: float
    subjects: int


class WireWords(msgspec.Struct, frozen=True):
    """The whole picture as something that sentences can be compared with."""

    space: str
    """As `model.space`: sentences of the same text encoder live in it, and no other vector of a result does."""
    vector: Array
    """L2-normalised."""


class WireMask(msgspec.Struct, frozen=True):
    """Classes of the patches, row by row."""

    shape: tuple[int, int]
    classes: list[str]
    """Those that occur in this mask, in the head's order."""
    runs: list[tuple[int, int]]
    """(index into `classes`, how many patches), row-major."""
    class_indices: list[int] = []
    """Place of each of `classes` in the head's whole list: the same in every frame."""


class WireSegments(msgspec.Struct, frozen=True):
    """What the patches belong to."""

    shares: dict[str, float]
    """Of the whole picture, by class, in alphabetical order; classes without a patch are left out."""
    zones: dict[str, dict[str, float]]
    """The same within each zone."""
    mask: WireMask | None = None
    off_recipe: str | None = None


class WireRule(msgspec.Struct, frozen=True):
    """One rule and this frame: plots, gauges, replay and "what if" need nothing else."""

    measure: str
    unit: str
    value: float | None
    """None and `is_known`: no subject."""
    sigma: float | None
    is_known: bool
    reason: str
    enter: str
    """What the value is compared with, the margin added."""
    exit: str
    phase: Literal["idle", "pending", "active", "releasing"]
    """After this frame; thresholds that are learnt stand as they were before it."""
    since_ns: int
    episode: int
    is_armed: bool
    """Within the rule's hours."""
    asked_enter: str = ""
    """As configured, without the margin."""
    asked_exit: str = ""
    is_muted: bool = False
    """An episode that starts now tells nobody."""
    hold_seconds: float = 0.0
    release_seconds: float = 0.0
    on_unknown: Literal["hold", "clear", "alarm"] = "hold"
    cooldown_seconds: float = 0.0


class ResultBody(msgspec.Struct, frozen=True, kw_only=True):
    """One frame. Kind `result`."""

    id: str
    camera: str
    epoch: int
    seq: int
    lease: int
    labels: dict[str, str]
    """Of the camera, from its configuration."""
    times: WireTimes
    model: WireModel
    placement: WirePlacement | None = None
    artefacts: list[str] = []
    """Versions that were applied."""
    view: str | None = None
    view_lights: int = 0
    scene: Literal["", "ok", "learning", "one_light", "moved", "covered", "blurred"] = ""
    """Of the empty view: whether it is learnt, and whether the camera still shows it; empty: no rule needs one."""
    embedding: Array | None = None
    depth: WireDepth | None = None
    inverse_depth: WireInverseDepth | None = None
    frame_label: dict[str, WireLabel] = {}
    """Of the whole frame, by head."""
    subjects: list[WireSubject] = []
    zones: dict[str, WireZone] = {}
    segments: dict[str, WireSegments] = {}
    """By head."""
    words: dict[str, WireWords] = {}
    """By head of `kind: words` with `vector: true`."""
    rules: dict[str, WireRule] = {}
    drops: dict[str, int] = {}
    """Decoded frames since the last result that got none, by reason."""
    reused_of: str | None = None
    """The picture did not change: id of the frame whose analysis stands for this one; no embedding, no depth."""
    tick: bool = False
    """No frame: time alone, or the camera's state, changed a rule."""
    number: int = 0
    """Of this camera's results, for ever one more: one that is missing was lost on its way here. 0: not counted."""
    period_ns: int = 0
    """Between frames, as rules count it. 0: not known yet."""
