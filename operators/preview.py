"""JPEGs of the model-size picture: a small one for evidence, a fine one to be embedded again."""

from __future__ import annotations

import cv2
import numpy as np

MAX_BYTES = 16 * 1024
FINE_QUALITY = 97
"""Of pictures that are kept to be embedded again. Between two that were measured on seven pictures at 224x392: least
cosine to the embedding of the picture itself 0.9994 at 95 (31 to 61 kB) and 0.9997 at 98 (57 to 91 kB); 0.993 at 80."""


def preview_jpeg(pixels: np.ndarray) -> bytes:
    """uint8 (H, W, 3) RGB to a JPEG of at most 16 KiB: quality goes down first, then the size is halved."""
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    while True:
        for quality in (80, 60, 40, 20):
            _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if data.size <= MAX_BYTES:
                return data.tobytes()
        bgr = cv2.resize(bgr, (bgr.shape[1] // 2, bgr.shape[0] // 2), interpolation=cv2.INTER_AREA)


def fine_jpeg(pixels: np.ndarray) -> bytes:
    """uint8 (H, W, 3) RGB to a JPEG of quality 97 with all of its colour, of at most about 1 byte a pixel."""
    how = [cv2.IMWRITE_JPEG_QUALITY, FINE_QUALITY]
    how += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), how)[1].tobytes()
