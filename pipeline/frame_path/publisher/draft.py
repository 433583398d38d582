"""What one call of `publish` is about to say: nothing leaves before the transaction that stores it."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from operators.frames import Ticket
from operators.results import ModelInfo
from pipeline.frame_path.publisher.settling import Counted
from pipeline.messages import ClipSpan, Drawing, Message

CLIP_SUFFIX = "/clip"
"""What tells the clip of an alert from its picture."""


class Wanted(msgspec.Struct, frozen=True):
    """A picture or clip that an alert asked for."""

    event_id: str
    ticket: Ticket
    drawing: Drawing
    path: str
    """Below the evidence store."""
    preview: bytes | None
    """JPEG of the model-size picture, used where the full-size one never comes."""
    clip: ClipSpan | None = None

    @property
    def alert(self) -> str:
        """Id of the start or end that it belongs to."""
        return self.event_id.removesuffix(CLIP_SUFFIX)


@dataclass(slots=True)
class Draft:
    """Collected while the entries of a delivery are entered, in the order of the wire."""

    published_ns: int
    """Wall clock."""
    messages: list[Message] = field(default_factory=list[Message])
    counted: Counted = field(default_factory=Counted)
    accepted: list[Ticket] = field(default_factory=list[Ticket])
    """Positions newly accepted, in order; those of results wait for the required sinks."""
    wanted: list[Wanted] = field(default_factory=list[Wanted])
    learners: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """By camera: changed states of view learners."""


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What every body repeats, and where pictures will lie."""

    model: ModelInfo
    site: str
    timezone: str
    evidence_store: str
