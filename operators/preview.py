"""A small JPEG of the model-size picture, for evidence."""

from __future__ import annotations

import cv2
import numpy as np

MAX_BYTES = 16 * 1024


def preview_jpeg(pixels: np.ndarray) -> bytes:
    """uint8 (H, W, 3) RGB to a JPEG of at most 16 KiB: quality goes down first, then the size is halved."""
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    while True:
        for quality in (80, 60, 40, 20):
            _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if data.size <= MAX_BYTES:
                return data.tobytes()
        bgr = cv2.resize(bgr, (bgr.shape[1] // 2, bgr.shape[0] // 2), interpolation=cv2.INTER_AREA)
