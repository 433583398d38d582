"""The cases of the segmenters' goldens: which weights, which recipe, which picture. Shared with `generate.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from operators.backbone.architectures import ARCHITECTURES, Architecture
from operators.heads.segment_windows import LINEAR_WINDOWS, MS_WINDOWS, SegmentRecipe
from tests.golden.pictures import JPEG_SIZE

FILE = Path(__file__).with_name("meta_segment.npz")
SEED = 22


@dataclass(frozen=True, slots=True)
class Case:
    arch: Architecture
    layers: int
    classes: int
    size: tuple[int, int]
    """(H, W) of the picture."""
    recipe: SegmentRecipe
    is_file: bool = False
    """The picture is that of `picture.jpg`."""

    @property
    def key(self) -> str:
        recipe = f"{self.recipe.short_side}-{self.recipe.window}-{self.recipe.stride}-{len(self.recipe.scales)}"
        size = "file" if self.is_file else f"{self.size[0]}x{self.size[1]}"
        return f"{self.arch.name}/{self.layers}x{self.classes}/{size}/{recipe}"


_S, _B = ARCHITECTURES["dinov2_vits14"], ARCHITECTURES["dinov2_vitb14"]
_L, _G = (replace(ARCHITECTURES[name], depth=4) for name in ("dinov2_vitl14", "dinov2_vitg14"))
"""At their true widths, with four blocks: covered cheaply."""

CASES = (
    Case(_S, 1, 150, (480, 640), LINEAR_WINDOWS),
    Case(_S, 4, 21, (333, 480), SegmentRecipe(640, 640, 320)),
    Case(_S, 4, 21, (201, 267), SegmentRecipe(112, 112, 56, MS_WINDOWS.scales, is_mirrored=True)),
    Case(_S, 1, 150, (97, 333), SegmentRecipe(126)),
    Case(_S, 1, 21, (100, 180), SegmentRecipe(100, 140, 93)),
    Case(_S, 4, 150, (224, 224), SegmentRecipe(224)),
    Case(_B, 1, 21, (260, 150), SegmentRecipe(200, 200, 133)),
    Case(_B, 4, 150, (150, 260), SegmentRecipe(154)),
    *(Case(arch, layers, 150, (97, 150), SegmentRecipe(98)) for arch in (_L, _G) for layers in (1, 4)),
    Case(_S, 1, 21, JPEG_SIZE, SegmentRecipe(224, 224, 149), is_file=True),
)


def head_tensors(arch: Architecture, layers: int, classes: int) -> dict[str, torch.Tensor]:
    """Seeded, by the names in Meta's file, `decode_head.` included."""
    generator = np.random.Generator(np.random.PCG64(SEED + layers + classes))
    inputs = arch.dim * layers

    def normal(*shape: int) -> torch.Tensor:
        return torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))

    return {
        "decode_head.conv_seg.weight": 0.05 * normal(classes, inputs, 1, 1),
        "decode_head.conv_seg.bias": normal(classes),
        "decode_head.bn.weight": 1 + 0.1 * normal(inputs),
        "decode_head.bn.bias": 0.1 * normal(inputs),
        "decode_head.bn.running_mean": 0.5 * normal(inputs),
        "decode_head.bn.running_var": torch.exp(0.5 * normal(inputs)),
        "decode_head.bn.num_batches_tracked": torch.tensor(3),
    }


def summary(shares: np.ndarray) -> np.ndarray:
    """float32 (C, H, W) shares of classes: a few of each axis."""
    return shares[:: max(1, len(shares) // 12), ::13, ::17]
