"""What the publisher remembers of one camera, as it lies in the database."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from operators.rules.episodes import RuleState
from operators.rules.measures import Reading
from operators.scene.view_check import Verdict
from pipeline.frame_path.publisher.stored_actions import StoredActions
from pipeline.frame_path.publisher.view_condition import SceneWord, StoredCondition
from pipeline.frame_path.publisher.wire_result import WireLabel, WireSegments, WireSubject, WireZone
from pipeline.frame_path.publisher.wire_schema import AlertBody, HistoryPoint
from pipeline.messages import CameraState

Position = tuple[int, int]
"""(epoch, seq)."""


class RuleMemory(msgspec.Struct):
    """One rule's state, and what its next event will tell."""

    state: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    history: list[HistoryPoint] = msgspec.field(default_factory=list[HistoryPoint])
    extreme: float | None = None
    """Of the current run or episode: the value furthest into the alarm."""
    opened: AlertBody | None = None
    """The start of the episode that is on."""
    meaning: str = ""
    """What the rule watched, see `operators.rules.meaning`; empty: not known."""

    @property
    def rule_state(self) -> RuleState:
        return RuleState.from_dict(self.state)


class Look(msgspec.Struct):
    """What the last analysed frame said; stands for gated frames that follow, also after a restart."""

    frame: str
    """`camera/epoch/seq`."""
    readings: dict[str, tuple[float | None, float | None, bool, str]]
    """Of each rule: value, sigma, is_known, reason."""
    frame_label: dict[str, WireLabel]
    subjects: list[WireSubject]
    zones: dict[str, WireZone]
    artefacts: list[str]
    view: str | None
    view_lights: int
    space: str
    view_check: Verdict = "unsure"
    scene: SceneWord = ""
    segments: dict[str, WireSegments] = {}
    """Without masks."""

    def reading(self, rule: str) -> Reading:
        """Unknown for a rule that is newer than the frame."""
        found = self.readings.get(rule)
        return Reading(*found) if found else Reading.unknown("the rule is newer than the last analysed frame")


class StoredView(msgspec.Struct):
    """A version of the empty view and where it begins to be valid."""

    name: str
    valid_from: Position


class StoredCamera(msgspec.Struct):
    """One camera. Written as a whole in the transaction of the events that follow from it."""

    lease: int = 0
    accepted: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    """Epoch to the highest seq accepted from any lease."""
    delivered: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    """The same for the current lease, repetitions included."""
    last_position: Position | None = None
    settled: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    """Epoch to the seq up to which the required sinks have everything."""
    rule_time_ns: int = 0
    """Newest of frames and ticks."""
    frame_time_ns: int = 0
    """Rule time of the last frame."""
    intervals_ns: list[int] = msgspec.field(default_factory=list[int])
    """Rule time between the last frames."""
    stride: int = 1
    """Largest step of seq between the last frames."""
    num_status: int = 0
    num_results: int = 0
    """Published of this camera, for ever."""
    state: CameraState = "connecting"
    is_gone: bool = False
    """Taken out of the configuration, and said so."""
    rules: dict[str, RuleMemory] = msgspec.field(default_factory=dict[str, RuleMemory])
    actions: StoredActions = msgspec.field(default_factory=StoredActions)
    """What people have set."""
    look: Look | None = None
    tracks: dict[str, Any] | None = None
    """Of `operators.scene.tracks`."""
    trails: list[list[Any]] = msgspec.field(default_factory=list[list[Any]])
    """Of `operators.rules.jumps`."""
    views: list[StoredView] = msgspec.field(default_factory=list[StoredView])
    """Versions that frames may still name, ascending."""
    learner_taken: str | None = None
    """The newest commissioned state of the learner that the stored one goes on from."""
    condition: StoredCondition = msgspec.field(default_factory=StoredCondition)
    """Of the empty view."""
    heads: dict[str, StoredView] = msgspec.field(default_factory=dict[str, StoredView])
    """By head, the version of its artefact that results name and the frame since which they do."""

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(self, enc_hook=_plain)

    @staticmethod
    def decode(blob: bytes) -> StoredCamera:
        return _DECODER.decode(blob)


_DECODER = msgspec.msgpack.Decoder(StoredCamera)


def _plain(value: object) -> object:
    """NumPy's scalars, which operators leave in their states."""
    if isinstance(value, np.generic):
        return value.item()
    msg = f"cannot store a {type(value).__name__} in the state of a camera"
    raise TypeError(msg)
