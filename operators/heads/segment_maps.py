"""A class for each pixel: a segmenting head's logits, enlarged as Meta does it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.nn import functional as F

from operators.heads.segment import Normed, SegmentLinear

_CHUNK_BYTES = 32 << 20
"""Of enlarged logits that are held at a time."""


def predict_map(head: SegmentLinear, normed: Normed, grid: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """uint8 (B, H, W): best class of each pixel of `size` (H, W). `grid`: (h, w) of the patches."""
    best: torch.Tensor | None = None
    result = torch.zeros(0, dtype=torch.uint8)
    for first, larger in _enlarged(head.logits(normed, grid), size):
        score, index = larger.max(dim=1)
        index = (index + first).to(torch.uint8)
        if best is None:
            best, result = score, index
        else:  # of equal scores the first class wins, as argmax has it
            result = torch.where(score > best, index, result)
            best = torch.maximum(best, score)
    return result.numpy()


def _enlarged(logits: np.ndarray, size: tuple[int, int]) -> Iterator[tuple[int, torch.Tensor]]:
    """Some classes at a time, so that memory stays bounded: (first class, float32 (B, c, H, W)).

    Args:
        logits: float32 (B, h, w, C).
        size: (H, W); bilinear, corners not aligned.
    """
    at_once = max(1, _CHUNK_BYTES // (4 * len(logits) * size[0] * size[1]))
    for first in range(0, logits.shape[-1], at_once):
        part = torch.from_numpy(np.ascontiguousarray(np.moveaxis(logits[..., first : first + at_once], -1, 1)))
        yield first, F.interpolate(part, size=size, mode="bilinear", align_corners=False)
