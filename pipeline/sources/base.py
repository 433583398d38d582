"""The contract of a source of frames."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from operators.frames import CaptureClock


class Picture(Protocol):
    """One decoded picture, converted only as far as someone asks.

    Not picklable, used on the reader's thread alone: it may point into a decoder's buffers.
    """

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) as shown, display rotation applied."""
        ...

    def rgb(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """uint8 (H, W, 3) RGB in [0, 255], resized to `size` in one antialiased pass; None: full size."""
        ...

    def luma(self, size: tuple[int, int]) -> np.ndarray:
        """uint8 (H, W) brightness, for the change gate and the frozen-picture check."""
        ...


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded frame of one camera."""

    camera: str
    picture: Picture
    epoch: int | None
    """None: live, the owner numbers it with its lease."""
    seq: int | None
    pts_ns: int | None
    rule_time_ns: int | None
    """None: live, the owner stamps it. Files: the presentation time; Kafka: header or record time."""
    capture_ns: int | None
    """None: nothing better than the arrival is known."""
    capture_clock: CaptureClock
    capture_uncertainty_ns: int
    resume: str | None = None
    """Opaque position to which the source can be rewound so that this frame is the first one not yet settled."""


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Something came for a camera that is no picture: counted, and dead-lettered by replayable sources."""

    camera: str
    reason: str
    epoch: int | None = None
    seq: int | None = None
    resume: str | None = None


@dataclass(frozen=True, slots=True)
class Quiet:
    """No picture came within the source's own poll time. Lets the reader look at its clocks; not a fault."""

    has_packets: bool = False
    """The stream runs, but nothing in it is a picture yet: it was joined between two keyframes."""


@dataclass(frozen=True, slots=True)
class Unrouted:
    """A record of a topic whose key no camera names: passed over, and counted by whoever reads."""

    topic: str


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """The source is finished for good (a file, not looped)."""

    camera: str


Event = Decoded | Undecodable | Unrouted | Quiet | EndOfStream


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What opening the source told us. Claimed, not measured."""

    codec: str
    size: tuple[int, int] | None
    declared_fps: float | None
    details: dict[str, str | int | float] = field(default_factory=dict)


class Feed(Protocol):
    """One input that yields decoded frames of one or more cameras.

    Threads: `open`, `events`, `close` are called by one reader thread, always the same, and `commit` by the owner's
    publishing thread. `events` blocks, but never longer than about a second without yielding (`Quiet` if nothing
    came), so that the reader can notice `stop`. A container is closed by the thread that reads it.

    Delivery: a replayable feed yields every frame in order, at least once, with equal (epoch, seq) on repetition.
    A live feed yields what comes. End of a live stream is an error (`ConnectError` with code `ended`), not an end.
    """

    cameras: tuple[str, ...]
    is_replayable: bool

    def open(self, resume: dict[str, str]) -> SourceInfo:
        """Connects; `resume` maps cameras to the positions to go on from.

        Raises:
            SourceError: could not be opened; redacted.
        """
        ...

    def events(self, stop: threading.Event) -> Iterator[Event]:
        """Frames until `stop` is set, the stream ends or fails.

        Raises:
            SourceError: the stream failed; the reader closes, backs off and opens again.
        """
        ...

    def commit(self, positions: dict[str, str]) -> None:
        """Everything before these positions is settled. Called often; may coalesce."""
        ...

    def close(self) -> None:
        """Idempotent; on the reader's thread."""
        ...
