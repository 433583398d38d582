"""Clips that are bright for some seconds and dark for others: what a head that compares pictures tells apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np


def bright_picture(*, is_bright: bool) -> np.ndarray:
    """uint8 (112, 192, 3) RGB, always the same."""
    rng = np.random.default_rng(7 if is_bright else 8)
    small = rng.integers(150, 255, (7, 12, 3), np.uint8) if is_bright else rng.integers(0, 60, (14, 24, 3), np.uint8)
    side = 112 // small.shape[0]
    return np.ascontiguousarray(small.repeat(side, 0).repeat(side, 1)[:112, :192])


def save_bright(path: Path) -> None:
    """The bright picture, as one that a head compares with."""
    av.VideoFrame.from_ndarray(bright_picture(is_bright=True), format="rgb24").to_image().save(path)


def make_bright_clip(path: Path, parts: Sequence[tuple[bool, int]], fps: int) -> None:
    """`parts`: (is bright, seconds), in order."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps)
        video.width, video.height, video.pix_fmt = 192, 112, "yuv420p"
        video.codec_context.thread_count = 1
        video.codec_context.gop_size = fps
        for is_bright, seconds in parts:
            for _ in range(seconds * fps):
                frame = av.VideoFrame.from_ndarray(bright_picture(is_bright=is_bright), format="rgb24")
                container.mux(video.encode(frame))
        container.mux(video.encode())
