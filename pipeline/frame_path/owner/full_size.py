"""Full-size pictures of the frames in flight, for evidence."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from operators.frames import Placement, Ticket
from operators.scene.config import ViewConfig
from pipeline.frame_path.drawing import Sight, draw
from pipeline.messages import Picture, PictureWanted

_QUALITY = 88

Position = tuple[int, int]


@dataclass(frozen=True, slots=True, repr=False)
class FullSize:
    """A source picture that is kept."""

    pixels: np.ndarray
    """uint8 (H, W, 3) RGB, privacy polygons already black."""
    placement: Placement | None = None
    """Of the model's picture in it."""


class FullSizePictures:
    """One camera's pictures by position. Not thread-safe: the caller holds the owner's lock.

    A picture is kept while its frame is in flight, and the last accepted one until the next is: a rule may start at a
    tick or at an unchanged picture.
    """

    def __init__(self) -> None:
        self._kept: dict[Position, FullSize] = {}
        self._last_accepted: Position | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, ticket: Ticket, picture: FullSize) -> None:
        """Of an admitted frame."""
        self._kept[ticket.position] = picture

    def let_go(self, ticket: Ticket) -> None:
        """The frame has no result."""
        self._kept.pop(ticket.position, None)

    def accepted(self, ticket: Ticket) -> None:
        """The publisher has the frame; nothing older is asked for after this receipt."""
        if ticket.position not in self._kept:
            return
        for position in [each for each in self._kept if each < ticket.position]:
            del self._kept[position]
        self._last_accepted = ticket.position

    def of(self, ticket: Ticket) -> FullSize | None:
        """The picture of this frame or else the newest one before it."""
        before = [position for position in self._kept if position <= ticket.position]
        return self._kept[max(before)] if before else None

    def clear(self) -> None:
        self._kept.clear()


def evidence(wanted: PictureWanted, picture: FullSize | None, view: ViewConfig | None = None) -> Picture:
    """Draws on a copy of `picture` and encodes it; no bytes where it is not kept any more.

    `view`: of the camera; without one nothing on the floor is drawn.
    """
    if picture is None:
        return Picture(wanted.event_id, wanted.ticket, b"")
    drawn = draw(picture.pixels, wanted.drawing, Sight(picture.placement, view))
    is_encoded, jpeg = cv2.imencode(".jpg", drawn[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert is_encoded, f"a JPEG of {drawn.shape} ({wanted.ticket.id})"
    return Picture(wanted.event_id, wanted.ticket, jpeg.tobytes())
