"""The DPT decoder: tokens of four blocks in, one map out. Meta's and Depth Anything's, which differ in a few places.

B batch, N = h * w patches, D width of a token, C channels of a feature map, F width of the fusion.

Source: arXiv 2103.13413; facebookresearch/dinov2 `dinov2/hub/depth/decode_heads.py` @b8931f7 (Apache-2.0) and
DepthAnything/Depth-Anything-V2 `depth_anything_v2/dpt.py` @a561b84 (Apache-2.0), re-expressed for inference alone.
Differs: convolutions of 1 x 1 come before the bilinear resize that upstream puts them after (they commute exactly, the
weights of a resize sum to 1), and the class token's half of the readout is computed once per picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from operators.backbone.architectures import DINOV2_PATCH

Style = Literal["dpt", "depth_anything"]
"""`dpt`: Meta's; reads the class token, doubles at each fusion, has one more convolution.
`depth_anything`: patches alone, each fusion resizes to the next map, the last step to the pixels of the patches."""

HEAD_CHANNELS = 32
"""Of the last map but one. Source: both."""


@dataclass(frozen=True, slots=True)
class DptShape:
    """Sizes of one decoder."""

    style: Style
    dim: int
    """D."""
    channels: tuple[int, int, int, int]
    """C of the four maps, finest first."""
    width: int
    """F."""
    has_bias: bool = False
    """Whether the residual units' convolutions have one: Depth Anything's do."""

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor by our names."""
        with torch.device("meta"):
            return {name: tuple(tensor.shape) for name, tensor in DptDecoder(self).state_dict().items()}


class Readout(nn.Module):
    """Mixes the class token into every patch: GELU of a linear layer over [patch, class token]."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * dim, dim)

    def forward(self, cls: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
        """(B, D) and (B, N, D) to (B, N, D)."""
        for_patch, for_cls = self.linear.weight.chunk(2, dim=1)
        once = F.linear(cls, for_cls, self.linear.bias)  # (B, D)
        return F.gelu(F.linear(patches, for_patch).add_(once[:, None]))


class ResidualUnit(nn.Module):
    """y + conv(relu(conv(relu(y))))."""

    def __init__(self, width: int, has_bias: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=has_bias)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=has_bias)

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        """(B, F, H, W) to the same."""
        return self.conv2(F.relu_(self.conv1(F.relu(y)))).add_(y)


class Fusion(nn.Module):
    """Adds the next finer map to what came so far, and enlarges."""

    def __init__(self, width: int, has_bias: bool, has_skip: bool) -> None:
        super().__init__()
        self.skip = ResidualUnit(width, has_bias) if has_skip else None
        self.own = ResidualUnit(width, has_bias)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, x: torch.Tensor, finer: torch.Tensor | None, size: tuple[int, int]) -> torch.Tensor:
        """(B, F, H, W), with `finer` of the same channels, to (B, F, *size)."""
        if self.skip is not None and finer is not None:
            if finer.shape != x.shape:
                finer = F.interpolate(finer, size=x.shape[2:], mode="bilinear", align_corners=False)
            x = self.skip(finer).add_(x)
        return enlarged(self.out(self.own(x)), size)


class DptDecoder(nn.Module):
    """Immutable once loaded, so any number of threads may call it."""

    def __init__(self, shape: DptShape) -> None:
        super().__init__()
        self.shape = shape
        is_dpt = shape.style == "dpt"
        dim, width = shape.dim, shape.width
        first, second, _, last = shape.channels
        self.readout = nn.ModuleList(Readout(dim) for _ in shape.channels) if is_dpt else None
        self.project = nn.ModuleList(nn.Conv2d(dim, channels, 1) for channels in shape.channels)
        self.resize = nn.ModuleList(
            (
                nn.ConvTranspose2d(first, first, 4, stride=4),
                nn.ConvTranspose2d(second, second, 2, stride=2),
                nn.Identity(),
                nn.Conv2d(last, last, 3, stride=2, padding=1),
            )
        )
        self.conv = nn.ModuleList(nn.Conv2d(channels, width, 3, padding=1, bias=False) for channels in shape.channels)
        self.fusion = nn.ModuleList(Fusion(width, shape.has_bias, has_skip=index > 0) for index in range(4))
        self.middle = nn.Conv2d(width, width, 3, padding=1) if is_dpt else None
        self.head = nn.ModuleList(
            (
                nn.Conv2d(width, width // 2, 3, padding=1),
                nn.Conv2d(width // 2, HEAD_CHANNELS, 3, padding=1),
                nn.Conv2d(HEAD_CHANNELS, 1, 1),
            )
        )

    def forward(self, taps: Sequence[tuple[torch.Tensor, torch.Tensor]], grid: tuple[int, int]) -> torch.Tensor:
        """The map before its last activation.

        Args:
            taps: Class token (B, D) and patches (B, N, D) of four blocks, ascending.
            grid: (h, w).

        Returns:
            (B, H, W): 16 h x 16 w for an even grid (`dpt`; a little more for an odd one, whose half rounds up), or
            14 h x 14 w (`depth_anything`).
        """
        maps = [self._map(index, cls, patches, grid) for index, (cls, patches) in enumerate(taps)]
        x = maps[-1]
        for index, fusion in enumerate(self.fusion):
            finer = None if index == 0 else maps[3 - index]
            x = fusion(x, finer, self._next_size(x, maps, index))
        if self.middle is not None:
            x = F.relu_(self.middle(x))
        x = self.head[0](x)  # (B, F / 2, 8 h, 8 w)
        is_dpt = self.shape.style == "dpt"
        full = (2 * x.shape[2], 2 * x.shape[3]) if is_dpt else (DINOV2_PATCH * grid[0], DINOV2_PATCH * grid[1])
        x = enlarged(x, full)
        return self.head[2](F.relu_(self.head[1](x)))[:, 0]

    def _map(self, index: int, cls: torch.Tensor, patches: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        """(B, F, ...) of one block at 4, 2, 1 or 1/2 times the grid."""
        if self.readout is not None:
            patches = self.readout[index](cls, patches)  # (B, N, D)
        tokens = patches.unflatten(1, grid).permute(0, 3, 1, 2)  # (B, D, h, w), as they lie
        return self.conv[index](self.resize[index](self.project[index](tokens)))

    def _next_size(self, x: torch.Tensor, maps: Sequence[torch.Tensor], index: int) -> tuple[int, int]:
        if self.shape.style == "depth_anything" and index < 3:
            finer = maps[2 - index]
            return finer.shape[2], finer.shape[3]
        return 2 * x.shape[2], 2 * x.shape[3]


def enlarged(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear, corners aligned: what both decoders use inside."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)
