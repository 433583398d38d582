"""Which decoded frames are wanted, and whether the camera still shows something new."""

from __future__ import annotations

import zlib

import numpy as np

_EARLY = 4
"""A frame may come early by a period over this: arrival times jitter, the grid of due times does not."""


class Sampler:
    """Thins out to `fps` on a grid of due times, so that jitter does not change the rate."""

    def __init__(self, fps: float | None) -> None:
        self._period_ns = 0 if fps is None else round(1e9 / fps)
        self._due_ns: int | None = None
        self._last_ns = 0

    def is_due(self, time_ns: int) -> bool:
        """Whether the frame of this time is wanted; a time that steps back begins a new grid."""
        if self._due_ns is None or time_ns < self._last_ns:
            self._due_ns = time_ns
        self._last_ns = time_ns
        if time_ns < self._due_ns - self._period_ns // _EARLY:
            return False
        is_far_behind = time_ns > self._due_ns + self._period_ns
        self._due_ns = (time_ns if is_far_behind else self._due_ns) + self._period_ns
        return True


class FrozenWatch:
    """Notices a camera that sends one and the same picture again and again, with new times.

    Sensor noise never repeats a whole picture, so only identical content counts, for `after_seconds` and at least three
    pictures.
    """

    def __init__(self, after_seconds: float) -> None:
        self._after_ns = round(after_seconds * 1e9)
        self._print: int | None = None
        self._since_ns = 0
        self._repeats = 0

    def is_frozen(self, luma: np.ndarray, time_ns: int) -> bool:
        """luma: uint8 (H, W) of each sampled frame."""
        seen = zlib.crc32(luma.tobytes())
        if seen != self._print or time_ns < self._since_ns:
            self._print, self._since_ns, self._repeats = seen, time_ns, 0
            return False
        self._repeats += 1
        return self._repeats >= 2 and time_ns - self._since_ns >= self._after_ns
