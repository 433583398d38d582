"""Position embeddings for any grid, from the trained 37 x 37 one, by explicit separable matrices.

Three rules exist in the wild and give different tokens at every size but 518 x 518, so the rule is part of a
checkpoint, fixed by where it comes from. All three are linear and separable: `out = Wh @ table @ Ww.T`.
"""

from __future__ import annotations

import math
from typing import Literal

import torch

from operators.backbone.architectures import Architecture

Interpolation = Literal["hub_offset", "hub_antialias", "hf"]
"""`hub_offset`: Meta's models without registers. `hub_antialias`: Meta's and Hugging Face's models with registers.
`hf`: Hugging Face's models without registers."""

PositionRule = Interpolation | Literal["rotary"]
"""`rotary`: DINOv3, which has no embeddings of positions (`rotary.py`)."""


def metas_rule(arch: Architecture) -> PositionRule:
    """Of Meta's own code."""
    if arch.is_rotary:
        return "rotary"
    return "hub_antialias" if arch.registers else "hub_offset"


_OFFSET = 0.1
"""Source: facebookresearch/dinov2 `interpolate_offset`, kept upstream for backward compatibility (dino#8)."""
_SHARP, _SOFT = -0.75, -0.5
"""Keys' cubic parameter: torch without and with antialias."""


def _keys(x: float, a: float) -> float:
    """Keys' cubic convolution kernel. Source: R. Keys, IEEE ASSP 29(6), 1981, equation 4."""
    x = abs(x)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    if x < 2:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return 0.0


def _clamped(length: int, trained: int, scale: float) -> torch.Tensor:
    """Four taps around each centre, indices clamped at the border: torch's bicubic without antialias."""
    matrix = torch.zeros(length, trained, dtype=torch.float64)
    for row in range(length):
        centre = (row + 0.5) / scale - 0.5
        first = math.floor(centre)
        for tap in range(first - 1, first + 3):
            matrix[row, min(max(tap, 0), trained - 1)] += _keys(centre - tap, _SHARP)
    return matrix


def _antialiased(length: int, trained: int) -> torch.Tensor:
    """Support grows with the step, weights renormalised at the border: torch's bicubic with antialias, and PIL's."""
    matrix = torch.zeros(length, trained, dtype=torch.float64)
    step = trained / length
    stretch = max(step, 1.0)
    for row in range(length):
        centre = (row + 0.5) * step
        first = max(int(centre - 2 * stretch + 0.5), 0)
        last = min(int(centre + 2 * stretch + 0.5), trained)
        for tap in range(first, last):
            matrix[row, tap] = _keys((tap + 0.5 - centre) / stretch, _SOFT)
        matrix[row] /= matrix[row].sum()
    return matrix


def resampling_matrix(length: int, trained: int, rule: Interpolation) -> torch.Tensor:
    """float64 (length, trained): row i holds the weights of the trained positions at new position i.

    Source: facebookresearch/dinov2 `vision_transformer.py` L173-L208 @b8931f7 and transformers `modeling_dinov2.py`,
    with the kernels of torch's `upsample_bicubic2d`.
    """
    match rule:
        case "hub_offset":
            return _clamped(length, trained, (length + _OFFSET) / trained)
        case "hf":
            return _clamped(length, trained, length / trained)
        case "hub_antialias":
            return _antialiased(length, trained)


def position_table(pos_embed: torch.Tensor, grid: tuple[int, int], rule: Interpolation) -> torch.Tensor:
    """Positions of the class token and of every patch of `grid`.

    Args:
        pos_embed: float32 (1, 1 + M * M, D), the class token's own entry first, then row-major.
        grid: (h, w) patches.
        rule: How the checkpoint's authors interpolate.

    Returns:
        float32 (1, 1 + h * w, D); the stored table itself where the grid is the trained one.
    """
    trained = math.isqrt(pos_embed.shape[1] - 1)
    if grid == (trained, trained):
        return pos_embed
    table = pos_embed[0, 1:].to(torch.float64).reshape(trained, trained, -1)  # (M, M, D)
    rows = resampling_matrix(grid[0], trained, rule).to(table.device)
    columns = resampling_matrix(grid[1], trained, rule).to(table.device)
    table = torch.einsum("hm,mnd,wn->hwd", rows, table, columns)  # (h, w, D)
    patches = table.reshape(1, grid[0] * grid[1], -1).to(pos_embed.dtype)
    return torch.cat((pos_embed[:, :1], patches), dim=1)
