"""Small DPT decoders with seeded weights, in our names and in their authors'."""

from __future__ import annotations

import math
import re

import numpy as np
import torch

from operators.backbone.architectures import Architecture
from operators.heads.depth_about import DepthAbout
from operators.heads.depth_dpt import DepthDpt
from operators.heads.dpt_layers import DptShape

ARCH = Architecture("dinov2_vits14", dim=16, depth=4, heads=2)
META = DptShape("dpt", dim=16, channels=(2, 4, 6, 8), width=6)
ANYTHING = DptShape("depth_anything", dim=16, channels=(2, 4, 6, 8), width=6, has_bias=True)

_TO_META = (
    (r"readout\.(\d)\.linear\.", r"reassemble_blocks.readout_projects.\1.0."),
    (r"project\.(\d)\.", r"reassemble_blocks.projects.\1.conv."),
    (r"resize\.", "reassemble_blocks.resize_layers."),
    (r"conv\.(\d)\.", r"convs.\1.conv."),
    (r"fusion\.(\d)\.out\.", r"fusion_blocks.\1.project.conv."),
    (r"fusion\.(\d)\.skip\.conv(\d)\.", r"fusion_blocks.\1.res_conv_unit1.conv\2.conv."),
    (r"fusion\.(\d)\.own\.conv(\d)\.", r"fusion_blocks.\1.res_conv_unit2.conv\2.conv."),
    (r"middle\.", "project.conv."),
    (r"head\.0\.", "conv_depth.head.0."),
    (r"head\.1\.", "conv_depth.head.2."),
    (r"head\.2\.", "conv_depth.head.4."),
)


def tensors(shape: DptShape, seed: int = 0) -> dict[str, torch.Tensor]:
    """By our names, all values far from zero on the average, outputs around 3."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, sides in sorted(shape.tensor_shapes().items()):
        spread = 0.1 if len(sides) == 1 else 1 / math.sqrt(math.prod(sides[1:]))
        found[name] = torch.randn(sides, generator=generator) * spread
    found["head.2.weight"] *= 6
    found["head.2.bias"] += 3.0
    return found


def about(**changes) -> DepthAbout:
    values = {
        "form": "relu_clamped",
        "blocks": (0, 1, 2, 3),
        "reference_focal_px": 500.0,
        "range_metres": (0.001, 10.0),
        "fingerprint": "",
        "backbone": "dinov2_vits14",
    }
    return DepthAbout(**values | changes)


def head(shape: DptShape = META, seed: int = 0, **changes) -> DepthDpt:
    return DepthDpt.build(shape, tensors(shape, seed), about(**changes))


def taps(grid: tuple[int, int], batch: int = 1, seed: int = 5) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return {
        block: (
            rng.normal(size=(batch, 16)).astype(np.float32),
            rng.normal(size=(batch, grid[0] * grid[1], 16)).astype(np.float32),
        )
        for block in range(4)
    }


def meta_layout(ours: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """By Meta's names, with `decode_head.`."""
    renamed = {}
    for name, tensor in ours.items():
        pattern, theirs = next((pattern, theirs) for pattern, theirs in _TO_META if re.match(pattern, name))
        renamed["decode_head." + re.sub("^" + pattern, theirs, name)] = tensor
    return renamed


def anything_layout(ours: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """By Depth Anything's names, with `depth_head.`, and with the unit that is stored and not read."""
    renamed = {}
    for name, tensor in ours.items():
        parts = name.split(".")
        match parts[0]:
            case "project" | "resize":
                theirs = ".".join([{"project": "projects", "resize": "resize_layers"}[parts[0]], *parts[1:]])
            case "conv":
                theirs = f"scratch.layer{int(parts[1]) + 1}_rn.{parts[2]}"
            case "fusion":
                inner = {"out": "out_conv", "skip": "resConfUnit1", "own": "resConfUnit2"}[parts[2]]
                theirs = ".".join([f"scratch.refinenet{4 - int(parts[1])}", inner, *parts[3:]])
            case _:
                place = {"0": "output_conv1", "1": "output_conv2.0", "2": "output_conv2.2"}[parts[1]]
                theirs = f"scratch.{place}.{parts[2]}"
        renamed[f"depth_head.{theirs}"] = tensor
    for conv in (1, 2):
        unread = f"depth_head.scratch.refinenet4.resConfUnit1.conv{conv}"
        renamed |= {f"{unread}.weight": torch.ones(6, 6, 3, 3), f"{unread}.bias": torch.ones(6)}
    return renamed
