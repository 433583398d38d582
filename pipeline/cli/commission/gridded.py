"""The picture with a grid of percent over it, for people who answer prompts instead of drawing."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from operators.geometry import FloorCamera
from operators.zones import XY
from pipeline.cli.commission.draft import Draft
from pipeline.cli.commission.overlay import floor_grid

_WIDTH_PX = 1600
_WINDOW = 0.2
"""Share of the picture that `zoomed` shows."""
_FLOOR, _ZONE, _LINE, _MARKING, _PRIVACY = (127, 212, 255), (63, 191, 127), (255, 159, 67), (255, 224, 102), (0, 0, 0)
_EDGES = (0.0, 1.0)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def gridded(rgb: np.ndarray, draft: Draft, floor: FloorCamera | None) -> np.ndarray:
    """uint8 (H, W, 3): the whole picture, 1600 wide, a line every 5 % and a number every 10 %; what is drawn so far
    lies over it, and the floor in metres where the pose is known.

    Args:
        rgb: uint8 (H, W, 3) RGB.
        draft: What is drawn.
        floor: As the picture shows it.
    """
    canvas = _enlarged(rgb)
    if floor is not None:
        for line in floor_grid(floor):
            _path(canvas, line.points, _FLOOR, thickness=2 if line.is_strong else 1)
            inside = [each for each in line.points if 0.02 < each[0] < 0.9 and 0.05 < each[1] < 0.98]
            if line.label and inside:
                _text(canvas, line.label, inside[0], _FLOOR)
    _drawn(canvas, draft)
    _percent(canvas, (0.0, 0.0), 1.0, every=0.05, labelled=0.1)
    return canvas


def zoomed(rgb: np.ndarray, at: XY) -> np.ndarray:
    """uint8 (H, W, 3): a fifth of the picture round a point, a line every half percent and a number every percent."""
    left, top = (float(np.clip(each - _WINDOW / 2, 0, 1 - _WINDOW)) for each in at)
    left, top = round(left, 2), round(top, 2)
    height, width = rgb.shape[:2]
    box = np.array([[left, top], [left + _WINDOW, top], [left, top + _WINDOW]], np.float32) * (width, height)
    out_width, out_height = _WIDTH_PX, round(_WIDTH_PX * height / width)
    corners = np.array([[0, 0], [out_width, 0], [0, out_height]], np.float32)
    move = cv2.getAffineTransform(box.astype(np.float32), corners)
    canvas = cv2.warpAffine(rgb, move, (out_width, out_height), flags=cv2.INTER_NEAREST)
    _percent(canvas, (left, top), _WINDOW, every=0.005, labelled=0.01)
    return canvas


def _enlarged(rgb: np.ndarray) -> np.ndarray:
    height = round(_WIDTH_PX * rgb.shape[0] / rgb.shape[1])
    return cv2.resize(rgb, (_WIDTH_PX, height), interpolation=cv2.INTER_CUBIC)


def _drawn(canvas: np.ndarray, draft: Draft) -> None:
    for corners in draft.privacy:
        cv2.fillPoly(canvas, [_pixels(canvas, corners)], _PRIVACY)
    for name, corners in draft.zones.items():
        _path(canvas, [*corners, corners[0]], _ZONE, thickness=3)
        _text(canvas, name, corners[0], _ZONE)
    for name, ends in draft.lines.items():
        _path(canvas, ends, _LINE, thickness=4)
        _text(canvas, name, ends[0], _LINE)
    for marking in draft.markings:
        points = marking.points
        is_round = marking.equations == 5
        parts = [points[:2], points[2:]] if marking.num_free == 7 else [[*points, points[0]] if is_round else points]
        for part in parts:
            _path(canvas, part, _MARKING, thickness=2)
        for number, point in enumerate(points, start=1):
            _text(canvas, str(number), point, _MARKING)


def _percent(canvas: np.ndarray, corner: XY, window: float, *, every: float, labelled: float) -> None:
    """Lines at whole multiples of `every`, thin, and of `labelled`, with their number at all four edges."""
    height, width = canvas.shape[:2]
    faint = canvas.copy()
    labels: list[tuple[str, XY]] = []
    for axis in (0, 1):
        first, last = round(corner[axis] / every), round((corner[axis] + window) / every)
        for count in range(first, last + 1):
            share = (count * every - corner[axis]) / window
            is_labelled = count % round(labelled / every) == 0
            at = round(share * ((width, height)[axis] - 1))
            ends = ((at, 0), (at, height)) if axis == 0 else ((0, at), (width, at))
            cv2.line(faint, *ends, (255, 255, 255), 2 if is_labelled else 1)
            if is_labelled and (axis == 0 or 0.01 < share < 0.99):
                labels += [
                    (f"{100 * count * every:.3g}", (share, edge) if axis == 0 else (edge, share)) for edge in _EDGES
                ]
    cv2.addWeighted(faint, 0.35, canvas, 0.65, 0, dst=canvas)
    for said, place in labels:
        _text(canvas, said, place, (255, 255, 255))


def _pixels(canvas: np.ndarray, points: Sequence[XY]) -> np.ndarray:
    return np.round(np.array(points) * (canvas.shape[1], canvas.shape[0])).astype(np.int32)


def _path(canvas: np.ndarray, points: Sequence[XY], colour: tuple[int, int, int], *, thickness: int) -> None:
    cv2.polylines(
        canvas, [_pixels(canvas, points)], isClosed=False, color=colour, thickness=thickness, lineType=cv2.LINE_AA
    )


def _text(canvas: np.ndarray, text: str, at: XY, colour: tuple[int, int, int]) -> None:
    (wide, high), _ = cv2.getTextSize(text, _FONT, 0.6, 1)
    x = min(max(2, round(at[0] * canvas.shape[1]) + 3), canvas.shape[1] - wide - 3)
    y = min(max(high + 3, round(at[1] * canvas.shape[0]) + high + 3), canvas.shape[0] - 4)
    cv2.rectangle(canvas, (x - 2, y - high - 2), (x + wide + 2, y + 3), (0, 0, 0), -1)
    cv2.putText(canvas, text, (x, y), _FONT, 0.6, colour, 1, cv2.LINE_AA)
