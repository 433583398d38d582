"""The contact sheet: per camera its newest pictures, depth in colour, subjects outlined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.cli.pictures.depth import coloured, upsampled
from pipeline.cli.pictures.lettering import paper, save, write
from pipeline.cli.pictures.panels import contact_sheet, resized
from pipeline.frame_path.publisher.wire import decode_array

CELL = (180, 320)
"""(height, width) of one picture on the sheet."""
_SCALE = (1.0, 15.0)
"""Metres at the ends of the depth's colours: the same all the time, so that what comes nearer grows brighter."""
_RED = (255, 60, 60)


@dataclass(frozen=True, slots=True)
class Shot:
    """One published result and the picture that it was about."""

    camera: str
    rgb: np.ndarray
    """uint8 (H, W, 3)."""
    body: dict[str, Any]
    """Of the `result` event."""


def draw_sheet(shots: Sequence[Shot], path: Path) -> None:
    """Writes one row per shot: picture with subjects, and depth where there is any. Replaces the file in one step."""
    save(path, contact_sheet([cell for shot in shots for cell in (_picture(shot), _depth(shot))], 2, CELL))


def _picture(shot: Shot) -> tuple[str, np.ndarray]:
    """Title and uint8 (h, w, 3) RGB."""
    cell = resized(shot.rgb, CELL).copy()
    for subject in shot.body["subjects"]:
        x0, y0, x1, y1 = subject["box"]
        corners = [(round(x * CELL[1]), round(y * CELL[0])) for x, y in ((x0, y0), (x1, y1))]
        cv2.rectangle(cell, corners[0], corners[1], _RED, 2)
        write(cell, subject_text(subject), corners[0][0] + 3, max(0, corners[0][1]))
    return f"{shot.camera}  {frame_text(shot.body)}", cell


def _depth(shot: Shot) -> tuple[str, np.ndarray]:
    if shot.body["depth"] is None:
        return "no depth head", paper(*CELL)
    metres = decode_array(shot.body["depth"]["metres"]).astype(np.float32)
    median = shot.body["depth"]["median"]
    if median is None:
        return "depth, nothing valid", coloured(upsampled(metres, CELL), _SCALE)
    return f"depth {_SCALE[0]:g} to {_SCALE[1]:g} m, median {median:.1f} m", coloured(upsampled(metres, CELL), _SCALE)


def subject_text(subject: dict[str, Any]) -> str:
    """`forklift 2.9 m`."""
    names = [label["name"] for label in subject["labels"].values()]
    metres = [each["metres"] for each in subject["distances"] if each["metres"] is not None]
    return " ".join([*names[:1], *(f"{value:.1f} m" for value in metres[:1])])


def frame_text(body: dict[str, Any]) -> str:
    """The whole frame's label."""
    return ", ".join(label["name"] for label in body["frame_label"].values())
