"""Clips whose frames carry their own number, so that a test can say which frame it got."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (96, 160)
_BITS = 10
LIVE = {"tune": "zerolatency", "preset": "ultrafast"}


def numbered(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """uint8 (H, W, 3): ten blocks of black and white in the upper half, the lowest bit first, over grey."""
    pixels = np.full((*size, 3), 128, np.uint8)
    for bit in range(_BITS):
        left, right = bit * size[1] // _BITS, (bit + 1) * size[1] // _BITS
        pixels[: size[0] // 2, left:right] = 235 if number >> bit & 1 else 20
    return pixels


def number_of(rgb: np.ndarray) -> int:
    """What `numbered` wrote, after any encoding and resizing."""
    height, width = rgb.shape[:2]
    row = rgb[height // 4, :, 1]
    return sum(int(row[(2 * bit + 1) * width // (2 * _BITS)] > 128) << bit for bit in range(_BITS))


def make_clip(
    path: Path,
    num_frames: int,
    *,
    codec: str = "libx264",
    gop: int = 10,
    fps: int = 25,
    options: dict[str, str] | None = None,
    pixel_format: str = "yuv420p",
    form: str | None = None,
    size: tuple[int, int] = SIZE,
) -> Path:
    """Frames 0, 1, 2, ... of the encoder's default kind: with B-frames unless `options` say otherwise."""
    with av.open(str(path), "w", format=form) as output:
        stream = output.add_stream(codec, rate=fps)
        stream.height, stream.width = size
        stream.pix_fmt = pixel_format
        stream.codec_context.gop_size = gop
        stream.codec_context.thread_count = 1
        stream.options = options or {}
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(numbered(number, size), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path
