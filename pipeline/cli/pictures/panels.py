"""A picture at the size it is looked at, and several beside each other."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from operators.frames import Placement
from pipeline.cli.pictures.lettering import PAPER, paper, titled

MIN_WIDTH, MAX_WIDTH, MAX_HEIGHT = 480, 1280, 1280
"""A panel is as large as the picture itself between these: text needs room, and nobody looks at 4000 pixels."""
GAP = 6


def seen_part(rgb: np.ndarray, placement: Placement, *, is_map: bool = False) -> np.ndarray:
    """What the model saw of the picture, at panel size: maps of the model lie over it exactly.

    Args:
        rgb: uint8 (H, W, 3) the whole source picture; or (H, W) classes of its pixels.
        placement: How the model's picture was cut from it.
        is_map: Whether values are classes: then the part keeps its own size.
    """
    top, left = (round(each) for each in placement.offset)
    height, width = (round(side * scale) for side, scale in zip(placement.model_size, placement.scale, strict=True))
    part = rgb[top : top + height, left : left + width]
    return part if is_map else resized(part, panel_size((part.shape[0], part.shape[1])))


def panel_size(size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) at which a picture of `size` is shown, proportions kept."""
    scale = min(max(1.0, MIN_WIDTH / size[1]), MAX_WIDTH / size[1], MAX_HEIGHT / size[0])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resized(rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 (H, W, 3) to `size` (height, width): area means down, cubic up."""
    is_smaller = size[0] < rgb.shape[0]
    way = cv2.INTER_AREA if is_smaller else cv2.INTER_CUBIC
    return cv2.resize(rgb, size[::-1], interpolation=way) if rgb.shape[:2] != size else rgb


def fitted(rgb: np.ndarray, cell: tuple[int, int]) -> np.ndarray:
    """The whole picture in the middle of a cell (height, width), proportions kept."""
    scale = min(cell[0] / rgb.shape[0], cell[1] / rgb.shape[1])
    small = resized(rgb, (max(1, round(rgb.shape[0] * scale)), max(1, round(rgb.shape[1] * scale))))
    field = paper(*cell)
    top, left = (cell[0] - small.shape[0]) // 2, (cell[1] - small.shape[1]) // 2
    field[top : top + small.shape[0], left : left + small.shape[1]] = small
    return field


def beside(parts: Sequence[np.ndarray]) -> np.ndarray:
    """From left to right, with a gap; the shorter ones stand at the top."""
    height = max(part.shape[0] for part in parts)
    row: list[np.ndarray] = []
    for part in parts:
        row += [_grown(part, (height, part.shape[1])), paper(height, GAP)]
    return np.hstack(row[:-1])


def below(parts: Sequence[np.ndarray]) -> np.ndarray:
    """From top to bottom, with a gap; the narrower ones stand at the left."""
    width = max(part.shape[1] for part in parts)
    column: list[np.ndarray] = []
    for part in parts:
        column += [_grown(part, (part.shape[0], width)), paper(GAP, width)]
    return np.vstack(column[:-1])


def contact_sheet(cells: Sequence[tuple[str, np.ndarray]], columns: int, cell: tuple[int, int]) -> np.ndarray:
    """Titled pictures in rows of `columns`, each fitted into a cell (height, width).

    Raises:
        ValueError: no picture.
    """
    if not cells:
        raise ValueError("a contact sheet needs at least one picture, got none")
    drawn = [titled(fitted(rgb, cell), title) for title, rgb in cells]
    return below([beside(drawn[start : start + columns]) for start in range(0, len(drawn), columns)])


def _grown(part: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    missing = (size[0] - part.shape[0], size[1] - part.shape[1])
    return part if missing == (0, 0) else cv2.copyMakeBorder(part, 0, missing[0], 0, missing[1], _FLAT, value=PAPER)


_FLAT = cv2.BORDER_CONSTANT
