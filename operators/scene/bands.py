"""A picture as relative brightness, which the light hardly changes: its fine details apart from its coarse ones."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_DARK = 8.0
"""Grey levels added before the logarithm, so that noise in the dark does not count as texture."""
_SURROUND_PX, _FINE_PX = 6.0, 1.0
"""Sigmas: details wider than the first belong to the light, narrower than the second to the focus."""
_MOST = 0.6
_BLACK_MARGIN_PX = 7


@dataclass(frozen=True, slots=True)
class Bands:
    """Of one picture; each float32 (H, W)."""

    raw: np.ndarray
    """Coarse, before the dark is brought to the contrast that it would have in the light."""
    coarse: np.ndarray
    fine: np.ndarray


def bands_of(gray: np.ndarray) -> Bands:
    """Both bands of uint8 (H, W); nothing where it is black, and beside it."""
    values = gray.astype(np.float32)
    logs = np.log(values + _DARK)
    surround = cv2.GaussianBlur(logs, (0, 0), _SURROUND_PX)
    relative = np.clip(logs - surround, -_MOST, _MOST)
    if (gray == 0).any():  # privacy polygons do not move with the camera
        black = cv2.dilate((gray == 0).astype(np.uint8), np.ones((_BLACK_MARGIN_PX, _BLACK_MARGIN_PX), np.uint8))
        relative[black > 0] = 0.0
    coarse = cv2.GaussianBlur(relative, (0, 0), _FINE_PX)
    bright = np.exp(surround)
    gain = bright / np.maximum(bright - _DARK, _DARK / 2)
    return Bands(coarse, coarse * gain, (relative - coarse) * gain)
