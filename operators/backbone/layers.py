"""The small modules of a DINOv2 or DINOv3 block. B batch, T tokens, D width, N patches.

Source: facebookresearch/dinov2 `dinov2/layers/` @b8931f7 (Apache-2.0), re-expressed for inference alone. DINOv3 differs
by turned queries and keys and by the norms' epsilon.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from operators.backbone.architectures import Architecture
from operators.backbone.rotary import Turn, turned


class PatchEmbed(nn.Module):
    """Cuts the picture into square patches and projects each.

    Differs: one matrix product over unfolded patches instead of a convolution; equal up to rounding, and faster where
    convolutions with three input channels are slow.
    """

    def __init__(self, dim: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.proj = nn.Conv2d(3, dim, kernel_size=patch, stride=patch)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) to (B, N, D), row-major."""
        batch, _, height, width = pixels.shape
        side = self.patch
        h, w = height // side, width // side
        patches = pixels.reshape(batch, 3, h, side, w, side).permute(0, 2, 4, 1, 3, 5)  # (B, h, w, 3, side, side)
        patches = patches.reshape(batch, h * w, -1)  # (B, N, 3 * side * side)
        return F.linear(patches, self.proj.weight.flatten(1), self.proj.bias)  # (B, N, D)


class Attention(nn.Module):
    """Multi-head self-attention with one projection for queries, keys and values, in that order."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: torch.Tensor, turn: Turn | None = None) -> torch.Tensor:
        """(B, T, D) to (B, T, D). `turn`: of the last tokens, the patches; class token and registers have no place."""
        batch, tokens, dim = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, T, D / heads)
        if turn is not None:
            query, key = turned(query, turn), turned(key, turn)
        x = F.scaled_dot_product_attention(query, key, value)
        return self.proj(x.transpose(1, 2).reshape(batch, tokens, dim))


class Mlp(nn.Module):
    """Two linear layers with the exact (erf) GELU between them."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, D) to (B, T, D)."""
        return self.fc2(F.gelu(self.fc1(x)))


class SwiGlu(nn.Module):
    """Gated feed-forward of ViT-g and of the plus sizes: the first half of `w12` is the gate.

    Source: arXiv 2002.05202.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.w12 = nn.Linear(dim, 2 * hidden)
        self.w3 = nn.Linear(hidden, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, D) to (B, T, D)."""
        gate, value = self.w12(x).chunk(2, dim=-1)
        return self.w3(F.silu(gate) * value)


class LayerScale(nn.Module):
    """One learnt factor per channel. Source: arXiv 2103.17239."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, D) to (B, T, D)."""
        return x * self.gamma


class Block(nn.Module):
    """Pre-norm transformer block: attention, then feed-forward, each scaled and added."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(arch.dim, eps=arch.norm_eps)
        self.attn = Attention(arch.dim, arch.heads)
        self.ls1 = LayerScale(arch.dim)
        self.norm2 = nn.LayerNorm(arch.dim, eps=arch.norm_eps)
        self.mlp = Mlp(arch.dim, arch.hidden) if arch.ffn == "mlp" else SwiGlu(arch.dim, arch.hidden)
        self.ls2 = LayerScale(arch.dim)

    def forward(self, x: torch.Tensor, turn: Turn | None = None) -> torch.Tensor:
        """(B, T, D) to (B, T, D)."""
        x = x + self.ls1(self.attn(self.norm1(x), turn))
        return x + self.ls2(self.mlp(self.norm2(x)))
