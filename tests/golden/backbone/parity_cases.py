"""The cases of the parity goldens: which weights, which picture, which numbers are kept. Shared with `generate.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from operators.backbone.architectures import ARCHITECTURES, Architecture

FILE = Path(__file__).with_name("meta.npz")
SIZES = ((224, 224), (448, 448), (518, 518), (490, 644), (224, 392), (224, 294))
SEED = 20


@dataclass(frozen=True, slots=True)
class Case:
    arch: Architecture
    size: tuple[int, int]
    taps: tuple[int, ...]

    @property
    def kinds(self) -> tuple[bool, ...]:
        """With and without norm for taps; both at one size are enough."""
        return (True, False) if self.size[0] == 224 else (False,)

    @property
    def key(self) -> str:
        return f"{self.arch.name}x{self.arch.depth}/{self.size[0]}x{self.size[1]}"


def _shallow(name: str, depth: int) -> Architecture:
    """At its true width, but of few blocks: covered cheaply."""
    return replace(ARCHITECTURES[name], depth=depth)


CASES = (
    *(Case(ARCHITECTURES["dinov2_vits14"], size, (2, 11)) for size in SIZES),
    *(Case(ARCHITECTURES["dinov2_vits14_reg4"], size, (2, 11)) for size in SIZES),
    Case(_shallow("dinov2_vitg14", 2), (224, 294), (0, 1)),
    Case(ARCHITECTURES["dinov2_vitb14"], (238, 322), (11,)),
    Case(ARCHITECTURES["dinov2_vitl14"], (98, 182), (23,)),
    *(Case(_shallow(f"dinov2_vit{letter}14_reg4", 2), (322, 126), (1,)) for letter in "blg"),
)


def picture(size: tuple[int, int]) -> torch.Tensor:
    """float32 (1, 3, H, W), normalised range: smooth shapes plus noise, the three channels unlike each other."""
    height, width = size
    generator = np.random.Generator(np.random.PCG64(height * 10_000 + width))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = np.stack([np.sin(x / 17), np.cos(y / 23), np.sin((x + 2 * y) / 41)])
    noise = generator.standard_normal((3, height, width), dtype=np.float32)
    return torch.from_numpy((waves + 0.3 * noise).astype(np.float32))[None]


def summary(cls: torch.Tensor, registers: torch.Tensor, patches: torch.Tensor) -> np.ndarray:
    """float32: class token, registers, two patches (before the middle, the last), and the mean over all."""
    picked = patches[0, [patches.shape[1] // 2 - 1, patches.shape[1] - 1]]
    return torch.cat([cls.flatten(), registers.flatten(), picked.flatten(), patches[0].mean(0)]).numpy()
