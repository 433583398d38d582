"""The contact point of what differs in pixels from the empty place: what no network at all can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from operators.geometry import FloorCamera
from operators.scene.grouping import MIN_PATCHES, connected

QUANTILE = 0.95
"""Of the differences between lights, above which a patch differs: of 0.9 to 0.999 the kindest to this method."""
_CELLS_PER_PATCH = 2


@dataclass(frozen=True)
class PixelView:
    """Pictures of the empty place under the lights learnt, and how much another light may differ from them."""

    references: np.ndarray
    """float32 (K, 2 h, 2 w, 3)."""
    grid: tuple[int, int]
    threshold: float
    """Of a patch, grey levels, leaving one light out."""

    @staticmethod
    def of(lights: Sequence[Sequence[np.ndarray]], grid: tuple[int, int]) -> PixelView:
        """`lights`: per light its pictures, uint8 (H, W, 3), of which there must be two lights at least."""
        cells = [np.stack([_cells(rgb, grid) for rgb in light]) for light in lights]
        novelties = [
            _novelty(np.concatenate([each for index, each in enumerate(cells) if index != left_out]), sample, grid)
            for left_out, light in enumerate(cells)
            for sample in light
        ]
        return PixelView(np.concatenate(cells), grid, float(np.quantile(np.stack(novelties), QUANTILE)))

    def contact_metres(self, rgb: np.ndarray, camera: FloorCamera) -> float | None:
        """Metres from the dock to the nearest foot of what differs in uint8 (H, W, 3); None: nothing does."""
        novel = _novelty(self.references, _cells(rgb, self.grid), self.grid) > self.threshold
        groups = [group for group in connected(novel) if group.sum() >= MIN_PATCHES]
        found = [metres for group in groups if (metres := camera.contact_distance(group)) is not None]
        return min(found, default=None)


def _cells(rgb: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    size = (grid[1] * _CELLS_PER_PATCH, grid[0] * _CELLS_PER_PATCH)
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _novelty(references: np.ndarray, cells: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Float (h, w): mean difference to the most alike reference once both are equally bright."""
    gains = np.median(cells) / np.maximum(np.median(references, axis=(1, 2, 3)), 1.0)
    apart = np.abs(cells - references * gains[:, None, None, None]).max(axis=-1)
    patches = apart.reshape(len(references), grid[0], _CELLS_PER_PATCH, grid[1], _CELLS_PER_PATCH).mean(axis=(2, 4))
    return patches.min(axis=0)
