"""Pictures as files hold them: JPEG, PNG, WebP."""

from __future__ import annotations

import cv2
import numpy as np


def decode_picture(data: bytes) -> np.ndarray:
    """A JPEG, PNG or WebP file's bytes to uint8 (H, W, 3) RGB; orientation marks are followed, transparency is dropped.

    Raises:
        ValueError: no picture.
    """
    buffer = np.frombuffer(data, np.uint8)
    bgr = cv2.imdecode(buffer, cv2.IMREAD_COLOR) if buffer.size else None
    if bgr is None:
        raise ValueError(f"no picture: expected JPEG, PNG or WebP, got {len(data)} bytes of something else")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
