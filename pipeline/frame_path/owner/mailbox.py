"""Where a camera's frames wait for their turn."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from operators.frames import Item, Placement, Ticket, Times
from pipeline.frame_path.owner.batching import Candidate
from pipeline.frame_path.owner.handles import OwnedCamera


@dataclass(frozen=True, slots=True, repr=False)
class Frame:
    """One sampled frame, converted to the model's size."""

    ticket: Ticket
    times: Times
    placement: Placement
    pixels: np.ndarray
    """uint8 (H, W, 3) RGB, privacy polygons already black."""
    full_size: np.ndarray | None = None
    """uint8 (H, W, 3) RGB, blacked out alike; only where evidence may be asked for."""
    admitted_at: float = 0.0
    """Monotonic seconds."""

    def item(
        self,
        artefacts: tuple[str, ...],
        *,
        wants_preview: bool,
        wants_view_sample: bool,
        wants_picture: bool = False,
        wants_thumbnail: bool = False,
    ) -> Item:
        """What the model is asked, now that its turn has come."""
        return Item(
            ticket=self.ticket,
            times=self.times,
            placement=self.placement,
            pixels=self.pixels,
            artefacts=artefacts,
            wants_preview=wants_preview,
            wants_view_sample=wants_view_sample,
            wants_picture=wants_picture,
            wants_thumbnail=wants_thumbnail,
        )

    def __repr__(self) -> str:
        return f"Frame({self.ticket.id}, pixels={self.pixels.shape})"


class Mailbox:
    """A bounded queue of one camera. Not thread-safe: the caller holds the owner's lock.

    Live cameras have room for one frame, and the newest wins. Replayable cameras have room for `capacity`, and the
    reader waits for it.
    """

    def __init__(self, capacity: int, *, newest_wins: bool) -> None:
        self._capacity = capacity
        self._newest_wins = newest_wins
        self._frames: deque[Frame] = deque()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def has_room(self) -> bool:
        return self._newest_wins or len(self._frames) < self._capacity

    @property
    def oldest(self) -> Frame | None:
        """The frame whose turn is next."""
        return self._frames[0] if self._frames else None

    def candidate(self, owned: OwnedCamera) -> Candidate | None:
        """The oldest frame, as one that waits for the model."""
        frame = self.oldest
        if frame is None:
            return None
        return Candidate(
            camera=owned.camera,
            shape=(frame.pixels.shape[0], frame.pixels.shape[1]),
            num_bytes=frame.pixels.nbytes,
            deadline=frame.admitted_at + owned.sample.max_age,
            waiting=len(self),
            weight=owned.weight,
        )

    def put(self, frame: Frame) -> list[Frame]:
        """Takes `frame` in; returns those that it replaced."""
        assert self.has_room, f"the reader must wait ({frame.ticket.id})"
        replaced: list[Frame] = []
        while self._newest_wins and len(self._frames) >= self._capacity:
            replaced.append(self._frames.popleft())
        self._frames.append(frame)
        return replaced

    def take(self) -> Frame:
        """Removes and returns the oldest.

        Raises:
            IndexError: empty.
        """
        return self._frames.popleft()

    def clear(self) -> None:
        self._frames.clear()
