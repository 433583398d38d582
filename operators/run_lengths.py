"""Masks of few colours as runs of equal values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def run_lengths(indices: np.ndarray) -> list[tuple[int, int]]:
    """(value, length) of each run of equal values of an integer array, row-major: along each row, then the next."""
    flat = indices.ravel()
    if not flat.size:
        return []
    bounds = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]))
    return list(zip(flat[bounds[:-1]].tolist(), np.diff(bounds).tolist(), strict=True))


def from_run_lengths(runs: Sequence[tuple[int, int]], size: tuple[int, int]) -> np.ndarray:
    """uint8 `size` (height, width): what `run_lengths` was given.

    Raises:
        ValueError: the runs do not fill the size, or are no runs of values in 0..255.
    """
    total = sum(length for _, length in runs)
    if any(length < 1 or not 0 <= value <= 255 for value, length in runs) or total != size[0] * size[1]:
        raise ValueError(f"runs: expected values in 0..255 over {size[0]} x {size[1]} patches, got {total} in all")
    values = np.array([value for value, _ in runs], np.uint8)
    return np.repeat(values, [length for _, length in runs]).reshape(size)
