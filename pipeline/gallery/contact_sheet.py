"""The query and its answers as one picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

Box = tuple[float, float, float, float]

_CELL = (180, 320)
"""(height, width) of one picture."""
_BAR, _LINE = 36, 15
"""Pixels of the caption and of one of its lines."""
_COLUMNS = 4
_GREY, _DARK = 70, 20
_TEXT = (cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
_BOX_BGR, _QUERY_BGR = (60, 60, 255), (80, 200, 80)


@dataclass(frozen=True, slots=True, repr=False)
class Tile:
    """One picture of the sheet."""

    rgb: np.ndarray | None
    """uint8 (H, W, 3)."""
    caption: tuple[str, str]
    box: Box | None = None
    why_missing: str = ""


def draw_contact_sheet(query: Tile, answers: Sequence[Tile], path: Path) -> None:
    """Writes a PNG: the query first, framed in green, then the answers in rows. Replaces the file in one step.

    Raises:
        OSError: the file cannot be written.
    """
    tiles = [_drawn(query, _QUERY_BGR), *(_drawn(answer, None) for answer in answers)]
    tiles += [np.full_like(tiles[0], _DARK)] * (-len(tiles) % _COLUMNS)
    rows = [np.hstack(tiles[at : at + _COLUMNS]) for at in range(0, len(tiles), _COLUMNS)]
    _, encoded = cv2.imencode(".png", np.vstack(rows))
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(encoded.tobytes())
    fresh.replace(path)


def _drawn(tile: Tile, frame: tuple[int, int, int] | None) -> np.ndarray:
    """uint8 (h, w, 3) BGR."""
    cell = _empty(tile.why_missing) if tile.rgb is None else _letterboxed(tile.rgb, tile.box)
    if frame is not None:
        cv2.rectangle(cell, (0, 0), (_CELL[1] - 1, _CELL[0] - 1), frame, 3)
    bar = np.full((_BAR, _CELL[1], 3), _DARK, np.uint8)
    for number, line in enumerate(tile.caption):
        cv2.putText(bar, line.encode("ascii", "replace").decode(), (5, 14 + number * _LINE), *_TEXT)
    return np.vstack([bar, cell])


def _letterboxed(rgb: np.ndarray, box: Box | None) -> np.ndarray:
    height, width = rgb.shape[:2]
    scale = min(_CELL[0] / height, _CELL[1] / width)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    small = cv2.resize(rgb[:, :, ::-1], size[::-1], interpolation=cv2.INTER_AREA)
    if box is not None:
        x0, y0, x1, y1 = (round(each * size[1 - axis % 2]) for axis, each in enumerate(box))
        cv2.rectangle(small, (x0, y0), (x1, y1), _BOX_BGR, 2)
    cell = np.full((*_CELL, 3), _DARK, np.uint8)
    top, left = (_CELL[0] - size[0]) // 2, (_CELL[1] - size[1]) // 2
    cell[top : top + size[0], left : left + size[1]] = small
    return cell


def _empty(why: str) -> np.ndarray:
    cell = np.full((*_CELL, 3), _GREY, np.uint8)
    for number, line in enumerate(["no picture:", *textwrap.wrap(why, 42)][:8]):
        cv2.putText(cell, line.encode("ascii", "replace").decode(), (10, 30 + number * 18), *_TEXT)
    return cell
