"""The picture that the heads' goldens look at, and its file: `python -m tests.golden.pictures` writes `picture.jpg`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

JPEG = Path(__file__).with_name("picture.jpg")
JPEG_SIZE = (301, 437)
"""(H, W)."""


def tiles(size: tuple[int, int]) -> np.ndarray:
    """uint8 (H, W, 3): gradients, tiles and grain, the three channels unlike each other."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([x * 255 // width, y * 255 // height, ((x // 40 + y // 30) % 2) * 180], axis=2)
    grain = np.random.Generator(np.random.PCG64(height * 10_000 + width)).integers(-25, 25, rgb.shape)
    return np.clip(rgb + grain, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    from PIL import Image

    Image.fromarray(tiles(JPEG_SIZE)).save(JPEG, "JPEG", quality=90)
