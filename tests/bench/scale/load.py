"""What cameras send: a day of busy and quiet hours, as arrivals at the readers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

FPS = 5.0
"""Sampled pictures a second and camera."""
REFRESH_SECONDS = 2.0
"""A camera that shows nothing new is analysed as often all the same: the gate's default."""
JITTER_SECONDS = 0.008
BUSY_AT_NIGHT, BUSY_BY_DAY = 0.04, 0.45
_MORNING, _EVENING, _EDGE_HOURS = 7.0, 18.0, 1.5


def busy_share(hour: float) -> float:
    """Of the cameras that show movement at this hour: a yard that works from seven to six. An assumption."""
    day = 1 / (1 + np.exp(-(hour - _MORNING) / _EDGE_HOURS * 2)) / (1 + np.exp((hour - _EVENING) / _EDGE_HOURS * 2))
    return float(BUSY_AT_NIGHT + (BUSY_BY_DAY - BUSY_AT_NIGHT) * day)


@dataclass(frozen=True, slots=True)
class Load:
    """Some seconds of all cameras: a busy one passes every picture to the model, a quiet one only refreshes."""

    cameras: tuple[str, ...]
    busy: float
    """Share of them."""
    seconds: float
    fps: float = FPS

    @property
    def model_rate(self) -> float:
        """Pictures a second that the model is asked for."""
        quiet = 1 / REFRESH_SECONDS
        return len(self.cameras) * (self.busy * self.fps + (1 - self.busy) * quiet)

    def arrivals(self, seed: int) -> Iterator[tuple[float, str, bool]]:
        """In order of time: (seconds, camera, whether it is passed over)."""
        rng = np.random.default_rng(seed)
        count, ticks = len(self.cameras), int(np.ceil(self.seconds * self.fps))
        is_busy = rng.random(count) < self.busy
        phase = rng.random(count) / self.fps
        at = phase[:, None] + np.arange(ticks)[None, :] / self.fps  # (cameras, ticks)
        at += np.clip(rng.normal(0, JITTER_SECONDS, at.shape), -0.4 / self.fps, 0.4 / self.fps)
        every = max(1, round(self.fps * REFRESH_SECONDS))
        refreshes = (np.arange(ticks)[None, :] + rng.integers(0, every, count)[:, None]) % every == 0
        is_gated = ~(is_busy[:, None] | refreshes)
        order = np.argsort(at, axis=None)
        seconds = at.ravel()[order]
        inside = slice(*np.searchsorted(seconds, (0.0, self.seconds)))
        camera = (order // ticks)[inside].tolist()
        gated = is_gated.ravel()[order][inside].tolist()
        yield from zip(seconds[inside].tolist(), map(self.cameras.__getitem__, camera), gated, strict=True)
