"""What an alert is about, drawn on a picture: subjects, zones, lines on the floor, the threshold, the sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from operators.frames import Placement
from operators.geometry import FloorCamera, beside_line
from operators.scene.config import ViewConfig
from pipeline.messages import Drawing, FloorMark, Outline

_COUNTING = (255, 214, 10)
_OTHER = (214, 214, 219)
_ZONE = (90, 200, 250)
_LINE = (48, 209, 88)
_THRESHOLD = (255, 99, 84)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_REACH_METRES = 40.0
"""How far a line on the floor is followed to both sides of its middle."""
_STEPS = 161
_FAR_PX = 20_000
"""A straight line between nearer points looks the same and cannot overflow."""


@dataclass(frozen=True, slots=True)
class Sight:
    """How the picture to draw on relates to the one that the model saw."""

    placement: Placement | None
    """Of the model's picture in its source; None: not known, and the whole picture is drawn on as if it were both."""
    view: ViewConfig | None = None
    """None: nothing on the floor can be drawn."""
    is_source: bool = True
    """Whether the picture is the source's; else it is the model's, perhaps smaller."""


def draw(picture: np.ndarray, drawing: Drawing, sight: Sight) -> np.ndarray:
    """uint8 (H, W, 3) RGB with everything on it; a copy."""
    canvas = _Canvas(picture.copy(), sight)
    text = _plain(drawing.text)
    canvas.leave_room_for(text)
    for polygon in drawing.polygons:
        canvas.path((*polygon, polygon[0]), _ZONE)
    for mark in drawing.floor:
        canvas.mark(mark)
    for box in drawing.boxes:
        canvas.box(Outline(box), _OTHER, canvas.thin)
    for outline in drawing.counting:
        canvas.box(outline, _COUNTING, 2 * canvas.thickness)
    canvas.sentence(text)
    canvas.write_tags()
    return canvas.pixels


class _Canvas:
    """One picture that is drawn on in place."""

    def __init__(self, pixels: np.ndarray, sight: Sight) -> None:
        self.pixels = pixels
        self.height, self.width = pixels.shape[:2]
        self.thickness = max(1, round(self.height / 300))
        self.thin = max(1, self.thickness // 2)
        self._sight = sight
        self._bottom = self.height
        self._tags: list[tuple[str, tuple[int, int], tuple[int, int, int]]] = []

    def path(self, points: Sequence[tuple[float, float]], colour: tuple[int, int, int]) -> None:
        """An open line through points in 0..1 of the model's picture."""
        corners = self._pixels(np.array(points, dtype=np.float64))
        cv2.polylines(self.pixels, [corners], False, colour, self.thickness, cv2.LINE_AA)

    def box(self, outline: Outline, colour: tuple[int, int, int], thickness: int) -> None:
        """One subject."""
        x0, y0, x1, y1 = outline.box
        first, last = self._pixels(np.array([(x0, y0), (x1, y1)])).tolist()
        cv2.rectangle(self.pixels, first, last, colour, thickness, cv2.LINE_AA)
        if outline.text:
            self._tags.append((outline.text, (first[0], first[1]), colour))

    def mark(self, mark: FloorMark) -> None:
        """A line on the floor, where the camera sees it; the threshold is dashed."""
        ends = self._on_floor(mark)
        if ends is None:
            return
        colour = _THRESHOLD if mark.is_threshold else _LINE
        pieces = _dashes(*ends, self.height / 30) if mark.is_threshold else [np.array(ends)]
        pieces = [np.round(each).astype(np.int32) for each in pieces]
        cv2.polylines(self.pixels, pieces, False, colour, self.thickness, cv2.LINE_AA)
        if mark.text:
            self._tags.append((mark.text, min(ends), colour))

    def leave_room_for(self, text: str) -> None:
        """What is drawn from here on has its words above the bar of the sentence."""
        if text:
            _, _, text_height, baseline = self._fitted(text)
            self._bottom = self.height - text_height - 2 * baseline

    def sentence(self, text: str) -> None:
        """On a dark bar at the bottom, as large as fits on one line."""
        if not text:
            return
        scale, stroke, _, baseline = self._fitted(text)
        self.pixels[self._bottom :] = (self.pixels[self._bottom :] * 0.3).astype(np.uint8)
        origin = (round(0.02 * self.width), self.height - baseline)
        cv2.putText(self.pixels, text, origin, _FONT, scale, (255, 255, 255), stroke, cv2.LINE_AA)

    def _fitted(self, text: str) -> tuple[float, int, int, int]:
        """(scale, stroke, height, baseline) of the sentence."""
        scale, stroke = self.height / 600, max(1, round(self.height / 400))
        (wide, _), _ = cv2.getTextSize(text, _FONT, scale, stroke)
        if wide > 0.96 * self.width:
            stroke = 1
            (wide, _), _ = cv2.getTextSize(text, _FONT, scale, stroke)
            scale *= min(1.0, 0.96 * self.width / wide)
        (_, text_height), baseline = cv2.getTextSize(text, _FONT, scale, stroke)
        return scale, stroke, text_height, baseline

    def write_tags(self) -> None:
        """Last, so that no line crosses them; each stays inside the picture and off the others."""
        taken: list[tuple[int, int, int, int]] = []
        for text, (x, y), colour in reversed(self._tags):
            plain, scale = _plain(text), max(0.34, self.height / 900)
            stroke = max(1, round(2 * scale))
            (width, height), _ = cv2.getTextSize(plain, _FONT, scale, stroke)
            pad = max(2, round(height / 3))
            wide, tall = width + 2 * pad, height + 2 * pad
            left = min(max(0, x), max(0, self.width - wide))
            top = min(max(0, y - tall), max(0, self._bottom - tall))
            while any(_overlaps((left, top, wide, tall), each) for each in taken) and top + 2 * tall <= self._bottom:
                top += tall
            taken.append((left, top, wide, tall))
            cv2.rectangle(self.pixels, (left, top), (left + wide, top + tall), (28, 28, 30), cv2.FILLED)
            at = (left + pad, top + pad + height)
            cv2.putText(self.pixels, plain, at, _FONT, scale, colour, stroke, cv2.LINE_AA)

    def _pixels(self, points: np.ndarray) -> np.ndarray:
        """int32 (n, 2) of points (n, 2) in 0..1 of the model's picture; far outside is as good as farther."""
        placed = self._sight.placement
        if placed is None or not self._sight.is_source:
            found = points * (self.width, self.height)
        else:
            model, scale, offset = (np.array(each[::-1]) for each in (placed.model_size, placed.scale, placed.offset))
            found = points * model * scale + offset
        edge = (self.width - 1, self.height - 1)
        near = np.where(np.isclose(found, (self.width, self.height)), edge, found)
        return np.round(np.clip(near, -1e5, 1e5)).astype(np.int32)

    def _on_floor(self, mark: FloorMark) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """The pixels between which a floor mark crosses the picture; None: it does not, or the view is not known."""
        placed, view = self._sight.placement, self._sight.view
        if view is None:
            return None
        size = placed.model_size if placed is not None else (self.height, self.width)
        x, y = beside_line(mark.line, mark.metres, np.linspace(-_REACH_METRES, _REACH_METRES, _STEPS))
        row, column = FloorCamera(view, size, placed).pixel_of(x, y)
        is_seen = np.isfinite(row) & np.isfinite(column)
        points = self._pixels(np.stack([column[is_seen] / size[1], row[is_seen] / size[0]], axis=1))
        near = points[(np.abs(points) < _FAR_PX).all(axis=1)].tolist()
        if len(near) < 2:
            return None
        is_crossing, first, last = cv2.clipLine((0, 0, self.width, self._bottom), near[0], near[-1])
        return ((first[0], first[1]), (last[0], last[1])) if is_crossing else None


def _dashes(first: tuple[int, int], last: tuple[int, int], long: float) -> list[np.ndarray]:
    """Every second piece of a straight line, each about `long` pixels."""
    start, end = np.array(first, float), np.array(last, float)
    count = max(1, round(float(np.hypot(*(end - start))) / (2 * long)))
    along = start + np.linspace(0, 1, 2 * count + 1)[:, None] * (end - start)
    return [along[index : index + 2] for index in range(0, 2 * count, 2)]


def _overlaps(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    (x, y, width, height), (left, top, wide, tall) = one, other
    return x < left + wide and left < x + width and y < top + tall and top < y + height


def _plain(text: str) -> str:
    """All that the built-in font has."""
    return text.encode("ascii", "replace").decode()
