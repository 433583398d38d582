"""A picture that is an array already: simulated, or decoded from a JPEG."""

from __future__ import annotations

import cv2
import numpy as np


class ArrayPicture:
    """`pipeline.sources.base.Picture` over uint8 (H, W, 3) RGB pixels, which it does not copy."""

    def __init__(self, pixels: np.ndarray) -> None:
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            msg = f"pixels must be uint8 (H, W, 3) RGB, got {pixels.dtype} {pixels.shape}"
            raise ValueError(msg)
        self._pixels = pixels

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return (self._pixels.shape[0], self._pixels.shape[1])

    def rgb(self, size: tuple[int, int] | None = None) -> np.ndarray:
        """uint8 (H, W, 3) RGB, resized to `size` by area averaging (bilinear where it grows); None: full size."""
        return self._pixels if size is None or size == self.size else _resized(self._pixels, size)

    def luma(self, size: tuple[int, int]) -> np.ndarray:
        """uint8 (H, W) BT.601 brightness."""
        return cv2.cvtColor(_resized(self._pixels, size), cv2.COLOR_RGB2GRAY)


def _resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    grows = height > pixels.shape[0] or width > pixels.shape[1]
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR if grows else cv2.INTER_AREA)
