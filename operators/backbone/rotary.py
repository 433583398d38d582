"""Places of patches told by turning queries and keys (axial RoPE), as DINOv3 has it.

Source: facebookresearch/dinov3 `dinov3/layers/rope_position_encoding.py` and `attention.py` @6876159 (read, not
copied: DINOv3 License); arXiv 2104.09864 for the turning itself.
"""

from __future__ import annotations

import math

import torch

Turn = tuple[torch.Tensor, torch.Tensor]
"""Cosines and sines, float32 (N, D / heads) each, of the patches alone."""

_BASE = 100.0


def usual_periods(head_dim: int) -> torch.Tensor:
    """float32 (head_dim / 4,): what DINOv3 was trained with. A checkpoint carries its own, which are used as stored."""
    steps = torch.arange(head_dim // 4, dtype=torch.float32)
    return _BASE ** (2 * steps / (head_dim // 2))


def turn_of(periods: torch.Tensor, grid: tuple[int, int]) -> Turn:
    """How far the patches of `grid` (h, w) are turned.

    The centres of patches lie in -1..1 along each axis, whatever its length; the first half of the angles is of the
    row, the second of the column, and all of them stand twice, since `turned` pairs channel i with i + head_dim / 2.
    """
    rows, columns = ((2 * (torch.arange(n, device=periods.device) + 0.5) / n - 1) for n in grid)
    places = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).reshape(-1, 2)  # (N, 2)
    angles = 2 * math.pi * places[:, :, None] / periods.to(torch.float32)  # (N, 2, head_dim / 4)
    angles = angles.flatten(1).tile(2)  # (N, head_dim)
    return angles.cos(), angles.sin()


def turned(x: torch.Tensor, turn: Turn) -> torch.Tensor:
    """Queries or keys (B, heads, T, head_dim), the last N of the T tokens turned; computed in float32."""
    cosines, sines = turn
    first = x.shape[2] - cosines.shape[0]
    patches = x[:, :, first:].to(torch.float32)  # (B, heads, N, head_dim)
    low, high = patches.chunk(2, dim=-1)
    patches = patches * cosines + torch.cat((-high, low), dim=-1) * sines
    return torch.cat((x[:, :, :first], patches.to(x.dtype)), dim=2)
