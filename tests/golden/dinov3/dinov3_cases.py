"""The cases of the DINOv3 goldens: which weights, in which layout, which picture. Shared with `generate.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from operators.backbone.architectures import ARCHITECTURES, Architecture
from operators.backbone.checkpoints import random_tensors

FILE = Path(__file__).with_name("meta_dinov3.npz")
SEED = 21
_SHARPER = 4.0
"""Factor on the matrices of queries and keys: with small ones all tokens look everywhere alike, and a wrong turn of
queries and keys would hardly be seen."""


@dataclass(frozen=True, slots=True)
class Case:
    arch: Architecture
    size: tuple[int, int]
    taps: tuple[int, ...]

    @property
    def key(self) -> str:
        return f"{self.arch.name}x{self.arch.depth}/{self.size[0]}x{self.size[1]}"


def _shallow(name: str, size: tuple[int, int]) -> Case:
    """At the true width, but two blocks: covered cheaply."""
    return Case(replace(ARCHITECTURES[name], depth=2), size, (0, 1))


CASES = (
    *(Case(ARCHITECTURES["dinov3_vits16"], size, (2, 11)) for size in ((224, 224), (224, 400), (480, 320))),
    _shallow("dinov3_vits16plus", (224, 304)),
    _shallow("dinov3_vitb16", (224, 304)),
    _shallow("dinov3_vitl16", (224, 304)),
    _shallow("dinov3_vith16plus", (96, 160)),
)


def canonical(arch: Architecture) -> dict[str, torch.Tensor]:
    """Seeded weights by our names: keys without bias, periods rounded as bfloat16 training leaves them."""
    tensors = random_tensors(arch, SEED)
    for name, tensor in tensors.items():
        if name.endswith("qkv.weight"):
            tensor[: 2 * arch.dim] *= _SHARPER
        if name.endswith("qkv.bias"):
            tensor[arch.dim : 2 * arch.dim] = 0
    tensors["rope_embed.periods"] = tensors["rope_embed.periods"].to(torch.bfloat16).to(torch.float32)
    return tensors


def meta_layout(arch: Architecture) -> dict[str, torch.Tensor]:
    """The same as Meta's files have it: keys carry a bias that a mask takes away, SwiGLU lies in two halves."""
    result: dict[str, torch.Tensor] = {"mask_token": torch.ones(1, arch.dim)}
    for name, tensor in canonical(arch).items():
        if name == "register_tokens":
            result["storage_tokens"] = tensor
        elif ".mlp.w12." in name:
            result[name.replace("w12", "w1")], result[name.replace("w12", "w2")] = tensor.chunk(2)
        elif name.endswith("qkv.bias"):
            mask = torch.ones_like(tensor)
            mask[arch.dim : 2 * arch.dim] = 0
            result[name] = torch.where(mask > 0, tensor, 0.7)
            result[f"{name}_mask"] = mask
        else:
            result[name] = tensor
    return result
