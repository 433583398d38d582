"""From a decoded picture to the model's: proportions kept, privacy polygons blacked out."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from operators.frames import Placement
from operators.scene.config import Polygon
from pipeline.sources.base import Picture


def model_picture(picture: Picture, shape: tuple[int, int], privacy: Sequence[Polygon]) -> tuple[np.ndarray, Placement]:
    """uint8 (H, W, 3) RGB of `shape`, and where it lies in the source.

    One antialiased pass scales the picture until it just covers `shape`; the few pixels that stick out are cut evenly.
    """
    height, width = picture.size
    factor = max(shape[0] / height, shape[1] / width)
    covering = (max(shape[0], round(height * factor)), max(shape[1], round(width * factor)))
    scaled = picture.rgb(covering)
    top, left = (covering[0] - shape[0]) // 2, (covering[1] - shape[1]) // 2
    scale = (height / covering[0], width / covering[1])
    placement = Placement((height, width), shape, scale, (top * scale[0], left * scale[1]))
    if privacy:
        scaled = blacked_out(scaled, privacy)
    return np.ascontiguousarray(scaled[top : top + shape[0], left : left + shape[1]]), placement


def blacked_out(pixels: np.ndarray, privacy: Sequence[Polygon]) -> np.ndarray:
    """uint8 (H, W, 3) of the whole picture, the polygons ((x, y) in 0..1) black, edges included; a copy."""
    pixels = np.array(pixels, order="C")
    height, width = pixels.shape[:2]
    for polygon in privacy:
        corners = np.array(polygon) * (width, height)
        outward = np.where(corners > corners.mean(axis=0), np.ceil(corners), np.floor(corners))
        cv2.fillPoly(pixels, [outward.astype(np.int32)], (0, 0, 0))
    return pixels
