"""Diagonal stripes: nothing is known here."""

from __future__ import annotations

import numpy as np

DARK, LIGHT = 70, 130
_PERIOD = 12


def hatch(height: int, width: int) -> np.ndarray:
    """uint8 (H, W, 3) grey stripes."""
    stripes = (np.arange(height)[:, None] + np.arange(width)[None]) % _PERIOD < _PERIOD // 2
    return np.repeat(np.where(stripes, LIGHT, DARK).astype(np.uint8)[..., None], 3, axis=2)
