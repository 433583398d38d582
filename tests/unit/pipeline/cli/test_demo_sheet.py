"""The demo's contact sheet, drawn from results as they are published."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np

from pipeline.cli.demo.sheet import CELL, Shot, draw_sheet
from pipeline.cli.pictures.lettering import LINE
from pipeline.cli.pictures.panels import GAP

BAR = LINE + 4
"""Of a title of one line."""


def body(metres: np.ndarray | None, boxes: list[list[float]]) -> dict:
    depth = None
    if metres is not None:
        data = base64.b64encode(metres.astype("<f2").tobytes()).decode()
        valid = metres[np.isfinite(metres)]
        median = float(np.median(valid)) if valid.size else None
        depth = {"metres": {"dtype": "float16", "shape": list(metres.shape), "data": data}, "median": median}
    subjects = [{"box": box, "labels": {"v": {"name": "forklift"}}, "distances": [{"metres": 2.9}]} for box in boxes]
    return {"depth": depth, "subjects": subjects, "frame_label": {"v": {"name": "forklift"}}}


def test_a_row_shows_the_picture_with_its_subjects_and_its_depth(tmp_path: Path) -> None:
    metres = np.full((4, 8), 15.0)
    metres[:, 4:] = 1.0
    shots = [
        Shot("dock-1", np.full((360, 640, 3), (10, 120, 10), np.uint8), body(metres, [[0.25, 0.25, 0.5, 0.75]])),
        Shot("dock-2", np.full((360, 640, 3), 60, np.uint8), body(None, [])),
        Shot("dock-3", np.full((360, 640, 3), 60, np.uint8), body(np.full((4, 8), np.nan), [])),
    ]
    draw_sheet(shots, tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))[:, :, ::-1].astype(int)
    assert sheet.shape[:2] == (3 * (CELL[0] + BAR) + 2 * GAP, 2 * CELL[1] + GAP)
    picture, depth = sheet[BAR : BAR + CELL[0], : CELL[1]], sheet[BAR : BAR + CELL[0], CELL[1] + GAP :]
    assert picture[10, 10].tolist() == [10, 120, 10]
    left_edge = picture[90, 80]
    assert left_edge[0] > 200 > left_edge[1]  # the red box
    assert depth[90, 10].sum() < 100  # far is dark
    assert depth[90, 310].sum() > 500  # near is bright
    assert [each.name for each in tmp_path.iterdir()] == ["sheet.png"]
