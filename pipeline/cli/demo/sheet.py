"""The contact sheet: per camera its newest pictures, depth in colour, subjects outlined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.frame_path.wire import decode_array

CELL = (180, 320)
"""(height, width) of one picture on the sheet."""
_MAX_METRES = 15.0
_BAR = 22


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
    rows = [np.hstack([_picture(shot), _depth(shot)]) for shot in shots]
    fresh = path.with_suffix(".new.png")
    cv2.imwrite(str(fresh), np.vstack(rows))
    fresh.replace(path)


def _picture(shot: Shot) -> np.ndarray:
    """uint8 (h, w, 3) BGR."""
    cell = cv2.resize(shot.rgb[:, :, ::-1], CELL[::-1], interpolation=cv2.INTER_AREA)
    for subject in shot.body["subjects"]:
        x0, y0, x1, y1 = subject["box"]
        corners = [(round(x * CELL[1]), round(y * CELL[0])) for x, y in ((x0, y0), (x1, y1))]
        cv2.rectangle(cell, corners[0], corners[1], (60, 60, 255), 2)
        cv2.putText(cell, subject_text(subject), (corners[0][0] + 3, max(12, corners[0][1] + 14)), *_FONT)
    return _titled(cell, f"{shot.camera}  {frame_text(shot.body)}")


def _depth(shot: Shot) -> np.ndarray:
    if shot.body["depth"] is None:
        return _titled(np.full((*CELL, 3), 40, np.uint8), "no depth head")
    metres = decode_array(shot.body["depth"]["metres"]).astype(np.float32)
    share = np.clip(np.nan_to_num(metres, nan=_MAX_METRES) / _MAX_METRES, 0, 1)
    colours = cv2.applyColorMap((255 * (1 - share)).astype(np.uint8), cv2.COLORMAP_TURBO)
    cell = cv2.resize(colours, CELL[::-1], interpolation=cv2.INTER_NEAREST)
    median = shot.body["depth"]["median"]
    return _titled(cell, f"depth, median {median:.1f} m" if median is not None else "depth, nothing valid")


def _titled(cell: np.ndarray, text: str) -> np.ndarray:
    bar = np.full((_BAR, cell.shape[1], 3), 20, np.uint8)
    cv2.putText(bar, text, (5, 15), *_FONT)
    return np.vstack([bar, cell])


def subject_text(subject: dict[str, Any]) -> str:
    """`forklift 2.9 m`."""
    names = [label["name"] for label in subject["labels"].values()]
    metres = [each["metres"] for each in subject["distances"] if each["metres"] is not None]
    return " ".join([*names[:1], *(f"{value:.1f} m" for value in metres[:1])])


def frame_text(body: dict[str, Any]) -> str:
    """The whole frame's label."""
    return ", ".join(label["name"] for label in body["frame_label"].values())


_FONT = (cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1, cv2.LINE_AA)
