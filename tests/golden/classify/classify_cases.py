"""The cases of the classifiers' goldens: which weights, which picture. Shared with `generate.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from operators.backbone.architectures import ARCHITECTURES, Architecture

FILE = Path(__file__).with_name("meta_classify.npz")
SEED = 21


@dataclass(frozen=True, slots=True)
class Case:
    arch: Architecture
    layers: int
    size: tuple[int, int] | None
    """None: the picture comes from file bytes, by the official preprocessing."""

    @property
    def key(self) -> str:
        size = "file" if self.size is None else f"{self.size[0]}x{self.size[1]}"
        return f"{self.arch.name}x{self.arch.depth}/{self.layers}/{size}"


def _shallow(name: str) -> Architecture:
    """The true width, but four blocks: covered cheaply."""
    return replace(ARCHITECTURES[name], depth=4)


CASES = (
    *(
        Case(ARCHITECTURES[name], layers, size)
        for name, sizes in (
            ("dinov2_vits14", (None, (224, 224), (322, 238))),
            ("dinov2_vits14_reg4", (None, (224, 392))),
            ("dinov2_vitb14", (None, (322, 238))),
        )
        for layers in (1, 4)
        for size in sizes
    ),
    *(Case(_shallow(name), layers, (112, 154)) for name in ("dinov2_vitl14", "dinov2_vitg14") for layers in (1, 4)),
)


def head_tensors(arch: Architecture, layers: int) -> dict[str, torch.Tensor]:
    """Seeded, as Meta's file holds them."""
    generator = np.random.Generator(np.random.PCG64(SEED + layers))
    inputs = arch.dim * (2 if layers == 1 else 5)
    return {
        "weight": torch.from_numpy(generator.standard_normal((1000, inputs), dtype=np.float32) * np.float32(0.05)),
        "bias": torch.from_numpy(generator.standard_normal(1000, dtype=np.float32)),
    }
