"""Lays a picture over what was learnt where the camera crept by a pixel: not moved, yet fine detail is elsewhere."""

from __future__ import annotations

import cv2
import numpy as np

MOST_PX = 1.5
"""A block that lies further off is not found at its place any more."""
_STEPS = 3


def crept(wanted: np.ndarray, seen: np.ndarray, where: np.ndarray) -> tuple[float, float]:
    """How far a picture lies right of and below what was learnt: (x, y) pixels, at most `MOST_PX` each.

    Source: Lucas and Kanade 1981, "An iterative image registration technique", one shift for the whole picture.

    Args:
        wanted: float32 (H, W) smooth detail as learnt.
        seen: float32 (H, W) the same of the picture.
        where: bool (H, W) pixels to compare; without texture there the answer is 0.
    """
    down, right = np.gradient(wanted)
    slopes = np.stack([right[where], down[where]])  # (2, P)
    square = slopes @ slopes.T
    if np.linalg.det(square) <= 1e-6 * np.trace(square) ** 2:
        return 0.0, 0.0
    offset = np.zeros(2)
    for _ in range(_STEPS):
        left = (wanted - laid_back(seen, (float(offset[0]), float(offset[1]))))[where]
        offset = np.clip(offset + np.linalg.solve(square, slopes @ left), -MOST_PX, MOST_PX)
    return float(offset[0]), float(offset[1])


def laid_back(values: np.ndarray, offset: tuple[float, float]) -> np.ndarray:
    """The same picture moved left and up by `offset`.

    Args:
        values: float32 (H, W).
        offset: (x, y) of `crept`.
    """
    matrix = np.array([[1.0, 0.0, offset[0]], [0.0, 1.0, offset[1]]])
    flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(values, matrix, values.shape[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT)
