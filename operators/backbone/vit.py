"""The vision transformer: normalised pixels in, tokens out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from operators.backbone.architectures import GRID, Architecture
from operators.backbone.layers import Block, PatchEmbed
from operators.backbone.position import PositionRule, position_table
from operators.backbone.rotary import Turn, turn_of
from operators.backbone.spaces import WeightsInfo, space_of

FLOAT32_ALWAYS = frozenset({"pos_embed", "rope_embed.periods"})
"""Tables from which places are computed, whatever the arithmetic."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one pass says of a batch, at one depth of the backbone."""

    cls: torch.Tensor
    """(B, D) class token."""
    registers: torch.Tensor
    """(B, R, D) register tokens; R is 0 for models without them."""
    patches: torch.Tensor
    """(B, N, D) patch tokens, N = h * w, row-major."""


class _Periods(nn.Module):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.periods = nn.Parameter(torch.ones(number))


class VisionTransformer(nn.Module):
    """DINOv2 or DINOv3 ViT for inference. Immutable once loaded, so any number of threads may call it.

    Source: facebookresearch/dinov2 `dinov2/models/vision_transformer.py` @b8931f7 (Apache-2.0); for DINOv3 see
    `rotary.py`. Differs: positions are interpolated once per grid and kept; no masking, no dropout, no training code.
    """

    def __init__(self, arch: Architecture, position: PositionRule, info: WeightsInfo) -> None:
        """Builds the modules; `checkpoints.load_backbone` fills them."""
        super().__init__()
        self.arch = arch
        self.position: PositionRule = position
        self.info = info
        self.cls_token = nn.Parameter(torch.zeros(1, 1, arch.dim))
        self.pos_embed = None if arch.is_rotary else nn.Parameter(torch.zeros(1, 1 + GRID * GRID, arch.dim))
        self.rope_embed = _Periods(arch.head_dim // 4) if arch.is_rotary else None
        self.register_tokens = nn.Parameter(torch.zeros(1, arch.registers, arch.dim)) if arch.registers else None
        self.patch_embed = PatchEmbed(arch.dim, arch.patch)
        self.blocks = nn.ModuleList(Block(arch) for _ in range(arch.depth))
        self.norm = nn.LayerNorm(arch.dim, eps=arch.norm_eps)
        self._positions: dict[tuple[int, int], torch.Tensor] = {}
        self._turns: dict[tuple[int, int], Turn] = {}

    @property
    def dtype(self) -> torch.dtype:
        """Of the arithmetic; tables of places stay float32."""
        return self.cls_token.dtype

    def cast(self, dtype: torch.dtype) -> None:
        """Other arithmetic, in place; tables of places stay float32."""
        tables = {name: table.data for name, table in self.named_parameters() if name in FLOAT32_ALWAYS}
        self.to(dtype)
        for name, table in tables.items():
            self.get_parameter(name).data = table

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.cls_token.device

    @property
    def fingerprint(self) -> str:
        """sha256 over canonical tensors, architecture and position rule; independent of precision."""
        return self.info.fingerprint

    def space(
        self,
        shape: tuple[int, int],
        colour: str = "rgb",
        tap: str = "cls",
        norm: str = "final",
        pooling: str = "none",
    ) -> str:
        """Name of the space that such vectors live in; see `spaces.space_of`."""
        return space_of(self.fingerprint, shape, colour=colour, tap=tap, norm=norm, pooling=pooling)

    def forward_features(self, pixels: torch.Tensor) -> Tokens:
        """Tokens after the final norm. `pixels`: normalised float (B, 3, H, W), sides multiples of the patch."""
        return self.taps(pixels, ())[0]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) to (B, D): the class token after the final norm."""
        return self.forward_features(pixels).cls

    def intermediate(self, pixels: torch.Tensor, blocks: int | Sequence[int], norm: bool = True) -> list[Tokens]:
        """Tokens after some blocks, ascending by block whatever their order in `blocks`.

        Args:
            pixels: Normalised float (B, 3, H, W).
            blocks: 0-based block indices, or how many of the last.
            norm: Whether the model's final norm is applied to each (as Meta's classifiers and segmenters do; its depth
                heads read the raw stream).
        """
        depth = self.arch.depth
        wanted = list(range(depth - blocks, depth)) if isinstance(blocks, int) else sorted(set(blocks))
        raw, _ = self._run(pixels, wanted, stop_after=wanted[-1] if wanted else -1)
        return [self._split(self.norm(raw[index]) if norm else raw[index]) for index in wanted]

    def taps(
        self, pixels: torch.Tensor, blocks: Sequence[int], stop_after: int | None = None
    ) -> tuple[Tokens, dict[int, Tokens]]:
        """One pass that gives the final tokens and the raw ones of some blocks (no norm).

        Args:
            pixels: Normalised float (B, 3, H, W).
            blocks: 0-based block indices.
            stop_after: Run only up to this block; the first value is then the norm of that block's output.
        """
        raw, last = self._run(pixels, blocks, stop_after)
        return self._split(self.norm(last)), {index: self._split(raw[index]) for index in sorted(raw)}

    def normed(self, tokens: Tokens) -> Tokens:
        """Raw tokens of a block after the model's final norm."""
        return Tokens(self.norm(tokens.cls), self.norm(tokens.registers), self.norm(tokens.patches))

    def _run(
        self, pixels: torch.Tensor, wanted: Sequence[int], stop_after: int | None = None
    ) -> tuple[dict[int, torch.Tensor], torch.Tensor]:
        stop = self.arch.depth - 1 if stop_after is None else stop_after
        outside = [index for index in {*wanted, stop} if not 0 <= index < self.arch.depth]
        if outside:
            raise ValueError(f"no such block: expected 0 to {self.arch.depth - 1}, got {outside} ({self.arch.name})")
        x = self._embed(pixels)
        patch = self.arch.patch
        turn = self._turn((pixels.shape[2] // patch, pixels.shape[3] // patch))
        kept: dict[int, torch.Tensor] = {}
        for index, block in enumerate(self.blocks):
            x = block(x, turn)  # (B, 1 + R + N, D)
            if index in wanted:
                kept[index] = x
            if index == stop:
                break
        return kept, x

    def _embed(self, pixels: torch.Tensor) -> torch.Tensor:
        patch = self.arch.patch
        if pixels.ndim != 4 or pixels.shape[1] != 3 or pixels.shape[2] % patch or pixels.shape[3] % patch:
            raise ValueError(
                f"pixels: expected (B, 3, H, W) with sides multiples of {patch}, got {pixels.shape=} ({self.arch.name})"
            )
        batch, _, height, width = pixels.shape
        first, x = self.cls_token, self.patch_embed(pixels.to(self.dtype))  # (1, 1, D), (B, N, D)
        if not self.arch.is_rotary:
            positions = self.positions((height // patch, width // patch))  # (1, 1 + N, D)
            first, x = first + positions[:, :1], x + positions[:, 1:]
        parts = [first.expand(batch, -1, -1), x]
        if self.register_tokens is not None:
            parts.insert(1, self.register_tokens.expand(batch, -1, -1))  # registers have no position
        return torch.cat(parts, dim=1)  # (B, 1 + R + N, D)

    def positions(self, grid: tuple[int, int]) -> torch.Tensor:
        """(1, 1 + h * w, D) in the model's dtype, computed in float once per grid and kept; of learnt positions."""
        assert self.pos_embed is not None
        assert self.position != "rotary"
        found = self._positions.get(grid)
        if found is None or found.device != self.device or found.dtype != self.dtype:
            with torch.no_grad():
                found = position_table(self.pos_embed.detach(), grid, self.position).to(self.dtype)
            self._positions[grid] = found
        return found

    def _turn(self, grid: tuple[int, int]) -> Turn | None:
        """Of rotary positions; None: they are learnt, and already in the tokens."""
        if self.rope_embed is None:
            return None
        found = self._turns.get(grid)
        if found is None or found[0].device != self.device:
            found = self._turns[grid] = turn_of(self.rope_embed.periods.detach(), grid)
        return found

    def _split(self, x: torch.Tensor) -> Tokens:
        registers = self.arch.registers
        return Tokens(cls=x[:, 0], registers=x[:, 1 : 1 + registers], patches=x[:, 1 + registers :])
