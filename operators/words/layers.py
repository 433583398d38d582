"""The blocks of dino.txt's two towers. B batch, T tokens, D width. Names are those of Meta's files.

Source: facebookresearch/dinov2 `dinov2/layers/{attention,block,swiglu_ffn}.py` @b8931f7 (Apache-2.0), re-expressed for
inference alone; arXiv 2412.16334.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from operators.backbone.layers import LayerScale, Mlp

HEAD_DIM = 64
"""Width of one attention head, in both towers."""
NORM_EPS = 1e-5
"""Of every layer norm; that of the backbone is 1e-6."""
_ALIGN = 64


class Attention(nn.Module):
    """Multi-head self-attention; queries, keys and values have no bias."""

    def __init__(self, dim: int, *, is_causal: bool) -> None:
        """`is_causal`: a token sees those before it and itself alone."""
        super().__init__()
        self.is_causal = is_causal
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, D) to (B, T, D)."""
        batch, tokens, dim = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, dim // HEAD_DIM, HEAD_DIM)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, T, 64)
        x = F.scaled_dot_product_attention(query, key, value, is_causal=self.is_causal)
        return self.proj(x.transpose(1, 2).reshape(batch, tokens, dim))


class SwiGlu(nn.Module):
    """Gated feed-forward in three matrices; `w1` is the gate. Hidden: 8/3 D, rounded up to a multiple of 64."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        hidden = -(-(4 * dim * 2 // 3) // _ALIGN) * _ALIGN
        self.w1 = nn.Linear(dim, hidden)
        self.w2 = nn.Linear(dim, hidden)
        self.w3 = nn.Linear(hidden, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, D) to (B, T, D)."""
        return self.w3(F.silu(self.w1(x)) * self.w2(x))


class VisionBlock(nn.Module):
    """Pre-norm block over a picture's tokens, both branches scaled."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attn = Attention(dim, is_causal=False)
        self.ls1 = LayerScale(dim)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = SwiGlu(dim)
        self.ls2 = LayerScale(dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, D) to (B, T, D)."""
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class TextBlock(nn.Module):
    """Pre-norm block over a sentence's pieces; each sees what stands before it."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attention = Attention(dim, is_causal=True)
        self.ffn_norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.feed_forward = Mlp(dim, 4 * dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, D) to (B, T, D)."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.ffn_norm(x))
