"""Wet and dusty places: they change the floor's colour and nothing else."""

from __future__ import annotations

import cv2
import numpy as np

_CELLS = 96


def stain_factors(seed: int, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
    """Three float32 (H, W) factors, RGB, for floor points (H, W) in metres: wet is below 1, dusty above."""
    rng = np.random.default_rng([13, seed])
    lumps = cv2.resize(rng.normal(0, 1, (24, 24)).astype(np.float32), (_CELLS, _CELLS), interpolation=cv2.INTER_CUBIC)
    column = (np.clip(x, -8, 8) + 8) / 16 * (_CELLS - 1)
    row = np.clip(y, 0, 16) / 16 * (_CELLS - 1)
    wobble = cv2.remap(lumps, column.astype(np.float32), row.astype(np.float32), cv2.INTER_LINEAR)
    factors = [np.ones(x.shape, np.float32) for _ in range(3)]
    for _ in range(int(rng.integers(1, 5))):
        middle_x, middle_y = rng.uniform(-3.5, 3.5), rng.uniform(1.5, 9.0)
        along, across, turn = rng.uniform(0.4, 2.2), rng.uniform(0.3, 1.0), rng.uniform(0, np.pi)
        dx, dy = x - np.float32(middle_x), y - np.float32(middle_y)
        u = (dx * np.float32(np.cos(turn)) + dy * np.float32(np.sin(turn))) / np.float32(along)
        v = (dy * np.float32(np.cos(turn)) - dx * np.float32(np.sin(turn))) / np.float32(across)
        inside = np.clip((1 - np.hypot(u, v) + 0.35 * wobble) / 0.12, 0, 1)
        is_wet = rng.random() < 0.6
        change = rng.uniform(-0.45, -0.2) if is_wet else rng.uniform(0.12, 0.38)
        for number, share in enumerate((1.0, 0.98, 0.9) if is_wet else (1.0, 0.9, 0.72)):
            factors[number] *= 1 + inside * np.float32(change * share)
    return tuple(factors)
