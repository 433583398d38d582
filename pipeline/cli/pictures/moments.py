"""What was searched for and the moments that were found, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.cli.pictures.lettering import GREY, LINE, WHITE, Colour, paper, wrapped, write
from pipeline.cli.pictures.panels import below, beside, fitted

Box = tuple[float, float, float, float]

CELL = (216, 384)
"""(height, width) of one picture."""
BAR = 2 * LINE + 4
"""Pixels of the caption above it."""
COLUMNS = 4
_INSET = 12
_BOX: Colour = (255, 60, 60)
_QUERY: Colour = (80, 200, 80)


@dataclass(frozen=True, slots=True, repr=False)
class Tile:
    """One picture of the sheet, or words in its place."""

    rgb: np.ndarray | None
    """uint8 (H, W, 3)."""
    caption: tuple[str, str]
    box: Box | None = None
    """(x0, y0, x1, y1) in 0..1 of the picture."""
    words: str = ""
    """Without a picture: why, or the sentence that was searched for."""


def draw_moments(query: Tile, answers: Sequence[Tile]) -> np.ndarray:
    """uint8 (H, W, 3): the query first, framed in green, then the answers in rows."""
    asked = _drawn(query, WHITE)
    cv2.rectangle(asked, (0, BAR), (CELL[1] - 1, BAR + CELL[0] - 1), _QUERY, 3)
    cells = [asked, *(_drawn(each, GREY) for each in answers)]
    return below([beside(cells[at : at + COLUMNS]) for at in range(0, len(cells), COLUMNS)])


def _drawn(tile: Tile, ink: Colour) -> np.ndarray:
    bar = paper(BAR, CELL[1])
    for number, line in enumerate(tile.caption):
        write(bar, line, 6, 2 + LINE * number)
    cell = _said(tile.words, ink) if tile.rgb is None else fitted(_boxed(tile.rgb, tile.box), CELL)
    return np.vstack([bar, cell])


def _boxed(rgb: np.ndarray, box: Box | None) -> np.ndarray:
    """Lines that are two pixels wide once the picture is fitted into its cell."""
    if box is None:
        return rgb
    height, width = rgb.shape[:2]
    corners = [round(each * side) for each, side in zip(box, (width, height, width, height), strict=True)]
    stroke = max(1, round(2 * max(height / CELL[0], width / CELL[1])))
    return cv2.rectangle(rgb.copy(), corners[:2], corners[2:], _BOX, stroke)


def _said(words: str, ink: Colour) -> np.ndarray:
    cell = paper(*CELL)
    lines = wrapped(words, CELL[1] - 2 * _INSET)[: CELL[0] // LINE]
    top = (CELL[0] - LINE * len(lines)) // 2
    for number, line in enumerate(lines):
        write(cell, line, _INSET, top + LINE * number, ink)
    return cell
