"""Full-size pictures of the frames in flight, for evidence."""

from __future__ import annotations

import cv2
import numpy as np

from operators.frames import Ticket
from pipeline.messages import Drawing, Picture, PictureWanted

_QUALITY = 88
_OUTLINE = (255, 214, 10)
_ZONE = (90, 200, 250)
_FONT = cv2.FONT_HERSHEY_SIMPLEX

Position = tuple[int, int]


class FullSizePictures:
    """One camera's pictures by position. Not thread-safe: the caller holds the owner's lock.

    A picture is kept while its frame is in flight, and the last accepted one until the next is: a rule may start at a
    tick or at an unchanged picture.
    """

    def __init__(self) -> None:
        self._kept: dict[Position, np.ndarray] = {}
        self._last_accepted: Position | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, ticket: Ticket, picture: np.ndarray) -> None:
        """picture: uint8 (H, W, 3) RGB, privacy polygons already black."""
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

    def of(self, ticket: Ticket) -> np.ndarray | None:
        """The picture of this frame or else the newest one before it."""
        before = [position for position in self._kept if position <= ticket.position]
        return self._kept[max(before)] if before else None

    def clear(self) -> None:
        self._kept.clear()


def evidence(wanted: PictureWanted, picture: np.ndarray | None) -> Picture:
    """Draws on a copy of `picture`, uint8 (H, W, 3) RGB, and encodes it; no bytes where it is not kept any more."""
    if picture is None:
        return Picture(wanted.event_id, wanted.ticket, b"")
    drawn = draw(picture, wanted.drawing)
    is_encoded, jpeg = cv2.imencode(".jpg", drawn[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert is_encoded, f"a JPEG of {drawn.shape} ({wanted.ticket.id})"
    return Picture(wanted.event_id, wanted.ticket, jpeg.tobytes())


def draw(picture: np.ndarray, drawing: Drawing) -> np.ndarray:
    """uint8 (H, W, 3) RGB with zones, lines, boxes and the sentence; a copy."""
    drawn = picture.copy()
    height, width = drawn.shape[:2]
    thickness = max(1, round(height / 240))
    for polygon in drawing.polygons:
        cv2.polylines(drawn, [_pixels(polygon, width, height)], True, _ZONE, thickness, cv2.LINE_AA)
    for line in drawing.lines:
        cv2.polylines(drawn, [_pixels(line, width, height)], False, _ZONE, thickness, cv2.LINE_AA)
    for x0, y0, x1, y1 in drawing.boxes:
        corners = _pixels(((x0, y0), (x1, y1)), width, height)
        first, last = corners.tolist()
        cv2.rectangle(drawn, first, last, _OUTLINE, 2 * thickness, cv2.LINE_AA)
    if drawing.text:
        _write(drawn, drawing.text, thickness)
    return drawn


def _pixels(points: tuple[tuple[float, float], ...], width: int, height: int) -> np.ndarray:
    return np.round(np.array(points) * (width - 1, height - 1)).astype(np.int32)


def _write(drawn: np.ndarray, text: str, thickness: int) -> None:
    """The sentence on a dark bar at the bottom, as large as fits on one line."""
    height, width = drawn.shape[:2]
    text = text.encode("ascii", "replace").decode()  # all that the built-in font has
    (plain_width, _), _ = cv2.getTextSize(text, _FONT, 1.0, thickness)
    scale = min(height / 480, 0.96 * width / max(1, plain_width))
    (_, text_height), baseline = cv2.getTextSize(text, _FONT, scale, thickness)
    top = height - text_height - 2 * baseline
    drawn[top:] = (drawn[top:] * 0.35).astype(np.uint8)
    origin = (round(0.02 * width), height - baseline)
    cv2.putText(drawn, text, origin, _FONT, scale, (255, 255, 255), thickness, cv2.LINE_AA)
