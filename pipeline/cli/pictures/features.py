"""Patch features as colours beside their picture."""

from __future__ import annotations

import cv2
import numpy as np

from operators.feature_colours import FeatureColours
from pipeline.cli.pictures.lettering import titled
from pipeline.cli.pictures.panels import beside

_DIMMED = 0.25
"""Of the picture's brightness where it is background."""


def draw_features(
    rgb: np.ndarray, tokens: np.ndarray, grid: tuple[int, int], colours: FeatureColours, what: str = "patch features"
) -> np.ndarray:
    """The picture, and its foreground in the colours of its features; the background is the dimmed picture in grey.

    Args:
        rgb: uint8 (H, W, 3) what the model saw, at panel size.
        tokens: float (N, D) patch tokens after the final norm.
        grid: (h, w) of them.
        colours: Of all pictures together.
        what: Begins the title.
    """
    title = f"{what}: principal components 1, 2, 3 of the foreground as red, green, blue"
    if not colours.is_split:
        title = f"{what}: principal components 1, 2, 3 as red, green, blue (no foreground found)"
    return titled(beside([rgb, feature_map(rgb, tokens, grid, colours)]), title)


def feature_map(rgb: np.ndarray, tokens: np.ndarray, grid: tuple[int, int], colours: FeatureColours) -> np.ndarray:
    """uint8 (H, W, 3) of `draw_features` alone."""
    size = rgb.shape[1::-1]
    shares = cv2.resize(colours.colours(tokens).reshape(*grid, 3), size, interpolation=cv2.INTER_CUBIC)
    score = cv2.resize(colours.foreground(tokens).reshape(grid), size, interpolation=cv2.INTER_CUBIC)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None] * _DIMMED
    return np.where(score[..., None] > 0, shares.clip(0, 1) * 255, grey).round().astype(np.uint8)
