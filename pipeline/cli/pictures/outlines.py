"""Groups of patches outlined on their picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.cli.pictures.lettering import Colour

MARK: Colour = (255, 0, 220)
"""Hardly any scene has it."""


def outlined(rgb: np.ndarray, masks: Sequence[np.ndarray], colour: Colour = MARK) -> np.ndarray:
    """A copy with the border of each group drawn on it, dark beside bright, so that it shows on any ground.

    Args:
        rgb: uint8 (H, W, 3) what the model saw.
        masks: bool (h, w) patches of each group.
        colour: RGB.
    """
    drawn = rgb.copy()
    size = (rgb.shape[1], rgb.shape[0])
    width = max(2, round(rgb.shape[1] / 300))
    for mask in masks:
        full = np.asarray(cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.uint8)
        contours, _ = cv2.findContours(full, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(drawn, contours, -1, (0, 0, 0), width + 2, cv2.LINE_AA)
        cv2.drawContours(drawn, contours, -1, colour, width, cv2.LINE_AA)
    return drawn
