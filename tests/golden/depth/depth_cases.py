"""The cases of the depth goldens: which head, which weights, which picture, which numbers are kept.

Shared with `generate.py`, which runs the authors' own code on the same seeded weights in their layouts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from operators.backbone.architectures import ARCHITECTURES, Architecture
from tests.golden.pictures import JPEG_SIZE

FILE = Path(__file__).with_name("depth.npz")
SEED = 31
STRIDE = 13
"""Every 13th row and column of a map is kept, and its means."""

Kind = Literal["linear", "linear4", "dpt", "relative", "indoor", "outdoor"]


@dataclass(frozen=True, slots=True)
class Case:
    kind: Kind
    data_set: Literal["nyu", "kitti", ""]
    arch: Architecture
    size: tuple[int, int]
    """Of the picture; with `is_network_input` already of the tensor that the network sees."""
    is_network_input: bool = False
    is_file: bool = False
    """The picture is that of `picture.jpg`."""

    @property
    def is_depth_anything(self) -> bool:
        return not self.data_set

    @property
    def key(self) -> str:
        kind = f"{self.data_set}_{self.kind}" if self.data_set else self.kind
        given = "tensor" if self.is_network_input else "file" if self.is_file else "picture"
        return f"{kind}/{self.arch.name}x{self.arch.depth}/{given}{self.size[0]}x{self.size[1]}"

    @property
    def file_name(self) -> str:
        """As its authors would call it."""
        letter = self.arch.name.removesuffix("14")[-1]
        if self.data_set:
            return f"dinov2_vit{letter}14_{self.data_set}_{self.kind}_head.pth"
        middle = {"relative": "", "indoor": "metric_hypersim_", "outdoor": "metric_vkitti_"}[self.kind]
        return f"depth_anything_v2_{middle}vit{letter}.pth"


S = ARCHITECTURES["dinov2_vits14"]
SMALL = tuple(replace(ARCHITECTURES[f"dinov2_vit{letter}14"], depth=4) for letter in "blg")
"""The other sizes at their true widths, with four blocks that are all tapped."""
PICTURES = ((518, 518), (480, 640), (225, 381))
"""The size that positions were trained at, that of the data set, and one that is padded on every side."""
TENSORS = ((224, 224), (518, 518), (238, 392))

CASES = (
    Case("linear", "kitti", S, (225, 381)),
    *(Case("linear4", "nyu", S, size) for size in PICTURES),
    Case("dpt", "kitti", S, (224, 224)),
    Case("dpt", "nyu", S, (225, 381)),
    *(Case("relative", "", S, size, is_network_input=True) for size in TENSORS),
    Case("indoor", "", S, (224, 224), is_network_input=True),
    Case("outdoor", "", S, (238, 392), is_network_input=True),
    Case("relative", "", S, (240, 320)),
    Case("indoor", "", S, (225, 381)),
    *(Case("linear4", "kitti", arch, (98, 126)) for arch in SMALL),
    *(Case("linear", "nyu", arch, (98, 126)) for arch in SMALL),
    *(Case("dpt", "nyu", arch, (98, 126)) for arch in SMALL),
    *(Case("relative", "", arch, (98, 126), is_network_input=True) for arch in SMALL[:2]),
    *(Case("indoor", "", arch, (126, 84), is_network_input=True) for arch in SMALL[:2]),
    *(Case("outdoor", "", arch, (84, 196), is_network_input=True) for arch in SMALL[:2]),
    *(Case(kind, "nyu", S, JPEG_SIZE, is_file=True) for kind in ("linear", "dpt")),
    Case("relative", "", S, JPEG_SIZE, is_file=True),
)


def layout(case: Case) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the head's tensors as its authors' code has them (`generate.py` checks that)."""
    dim = case.arch.dim
    if case.kind in {"linear", "linear4"}:
        inputs = 2 * dim * (1 if case.kind == "linear" else 4)
        return {"conv_depth.weight": (256, inputs, 1, 1), "conv_depth.bias": (256,)}
    return _depth_anything(dim) if case.is_depth_anything else _meta_dpt(dim)


def _meta_dpt(dim: int) -> dict[str, tuple[int, ...]]:
    channels = [dim // 8, dim // 4, dim // 2, dim]
    shapes = _convolution("project.conv", 256, 256, 3)
    for index, each in enumerate(channels):
        shapes |= {
            f"reassemble_blocks.readout_projects.{index}.0.weight": (dim, 2 * dim),
            f"reassemble_blocks.readout_projects.{index}.0.bias": (dim,),
            f"convs.{index}.conv.weight": (256, each, 3, 3),
        }
        shapes |= _convolution(f"reassemble_blocks.projects.{index}.conv", each, dim, 1)
        shapes |= _convolution(f"fusion_blocks.{index}.project.conv", 256, 256, 1)
        for unit in (1, 2) if index else (2,):
            for conv in (1, 2):
                shapes[f"fusion_blocks.{index}.res_conv_unit{unit}.conv{conv}.conv.weight"] = (256, 256, 3, 3)
    shapes |= _resizes("reassemble_blocks.resize_layers", channels)
    for place, outputs, inputs, kernel in ((0, 128, 256, 3), (2, 32, 128, 3), (4, 1, 32, 1)):
        shapes |= _convolution(f"conv_depth.head.{place}", outputs, inputs, kernel)
    return shapes


def _depth_anything(dim: int) -> dict[str, tuple[int, ...]]:
    width = {384: 64, 768: 128, 1024: 256}[dim]
    channels = {384: [48, 96, 192, 384], 768: [96, 192, 384, 768], 1024: [256, 512, 1024, 1024]}[dim]
    shapes: dict[str, tuple[int, ...]] = {}
    for index, each in enumerate(channels):
        net = f"scratch.refinenet{index + 1}"
        shapes[f"scratch.layer{index + 1}_rn.weight"] = (width, each, 3, 3)
        shapes |= _convolution(f"projects.{index}", each, dim, 1) | _convolution(f"{net}.out_conv", width, width, 1)
        for unit in (1, 2):
            for conv in (1, 2):
                shapes |= _convolution(f"{net}.resConfUnit{unit}.conv{conv}", width, width, 3)
    shapes |= _resizes("resize_layers", channels)
    shapes |= _convolution("scratch.output_conv1", width // 2, width, 3)
    return (
        shapes
        | _convolution("scratch.output_conv2.0", 32, width // 2, 3)
        | _convolution("scratch.output_conv2.2", 1, 32, 1)
    )


def _convolution(name: str, outputs: int, inputs: int, kernel: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs, kernel, kernel), f"{name}.bias": (outputs,)}


def _resizes(name: str, channels: list[int]) -> dict[str, tuple[int, ...]]:
    first, second, _, last = channels
    return (
        _convolution(f"{name}.0", first, first, 4)
        | _convolution(f"{name}.1", second, second, 2)
        | _convolution(f"{name}.3", last, last, 3)
    )


_LAST = ("conv_depth.head.4", "scratch.output_conv2.2")
_OUTPUTS = {
    "nyu": (4.0, 0.8),
    "kitti": (30.0, 7.0),
    "relative": (3.0, 0.5),
    "indoor": (0.0, 0.25),
    "outdoor": (0.0, 0.25),
}
"""(mean, spread) of the last layer, so that both ends of the ranges are met, and the middle."""


def head_tensors(case: Case) -> dict[str, torch.Tensor]:
    """Seeded, none of them trivial, of a size that keeps activations near one."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    tensors: dict[str, torch.Tensor] = {}
    for name, shape in sorted(layout(case).items()):
        values = generator.standard_normal(shape, dtype=np.float32)
        if name.endswith("bias"):
            values *= np.float32(0.1)
        elif "resize_layers.0" in name or "resize_layers.1" in name:
            values *= np.float32(1 / math.sqrt(shape[0]))
        else:
            values *= np.float32(1.2 / math.sqrt(math.prod(shape[1:])))
        tensors[name] = torch.from_numpy(values)
    if case.kind in {"linear", "linear4"}:
        # far bins want the opposite of what near ones want, so that depth follows the picture
        slope = generator.standard_normal(layout(case)["conv_depth.weight"][1:], dtype=np.float32)
        slope *= np.float32(1.2 / math.sqrt(slope.size))
        tensors["conv_depth.weight"] += torch.linspace(-4, 4, 256)[:, None, None, None] * torch.from_numpy(slope)
        return tensors
    mean, spread = _OUTPUTS[case.data_set or case.kind]
    last = next(name for name in _LAST if f"{name}.weight" in tensors)
    tensors[f"{last}.weight"] *= spread
    tensors[f"{last}.bias"] += mean
    return tensors


def file_content(case: Case, backbone: Mapping[str, torch.Tensor]) -> dict[str, object]:
    """What the authors' file holds: mmcv's container for Meta's heads, encoder and head for Depth Anything's."""
    head = head_tensors(case)
    if case.is_depth_anything:
        encoder = {f"pretrained.{name}": tensor for name, tensor in backbone.items()}
        encoder["pretrained.mask_token"] = torch.ones(1, case.arch.dim)
        return encoder | {f"depth_head.{name}": tensor for name, tensor in head.items()}
    moments = {index: {"exp_avg": tensor[:0]} for index, tensor in enumerate(head.values())}
    return {
        "meta": {"epoch": 1, "iter": 38400},
        "state_dict": {f"decode_head.{name}": tensor for name, tensor in head.items()},
        "optimizer": {"state": moments, "param_groups": []},
    }


def picture(size: tuple[int, int]) -> np.ndarray:
    """uint8 (H, W, 3) RGB: smooth shapes plus noise, the three channels unlike each other."""
    height, width = size
    generator = np.random.Generator(np.random.PCG64(height * 10_000 + width))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = np.stack([np.sin(x / 17), np.cos(y / 23), np.sin((x + 2 * y) / 41)], axis=-1)
    noise = generator.standard_normal((height, width, 3), dtype=np.float32)
    return np.clip(128 + 70 * waves + 25 * noise, 0, 255).astype(np.uint8)


def network_input(size: tuple[int, int]) -> torch.Tensor:
    """float32 (1, 3, H, W), normalised."""
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    return ((torch.from_numpy(picture(size)).float() - mean) / std).permute(2, 0, 1)[None].contiguous()


def summary(depth: np.ndarray) -> np.ndarray:
    """float32: every 13th pixel of every 13th row of (H, W), the last row's, and the mean."""
    picked = depth[::STRIDE, ::STRIDE].ravel()
    return np.concatenate([picked, depth[-1, ::STRIDE], [depth.mean(dtype=np.float64)]]).astype(np.float32)
