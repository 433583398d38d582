"""Files in the layouts that Meta publishes, with weights made here: the published ones are not part of any test.

`python -m tests.official_files FOLDER` writes a backbone and its heads to look at; heads of theirs lie under the names
that the cache of weights (`DINOSTREAM_CACHE`) has them under.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from operators.backbone import Engine, load_backbone
from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.checkpoints import random_tensors

ARCH = ARCHITECTURES["dinov2_vits14"]
BACKBONE = "dinov2_vits14_pretrain.pth"
DEPTH = "dinov2_vits14_nyu_linear4_head.pth"
SEGMENT = "dinov2_vits14_ade20k_linear_head.pth"
CLASSIFY = "dinov2_vits14_linear_head.pth"
SKY, FLOOR = 2, 3
"""Of ADE20K's classes."""


def write_backbone(folder: Path) -> Path:
    """Random weights in half precision, as Meta's file names them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / BACKBONE
    torch.save({name: tensor.half() for name, tensor in random_tensors(ARCH, 5).items()}, path)
    return path


def mmcv(head: Mapping[str, torch.Tensor]) -> dict[str, object]:
    """As mmcv saves a training: notes with numpy numbers, and the optimiser's moments."""
    state = OrderedDict((f"decode_head.{name}", tensor) for name, tensor in head.items())
    moments = {index: {"step": 5, "exp_avg": tensor.clone()} for index, tensor in enumerate(state.values())}
    notes = {"epoch": 3, "hook_msgs": {"best": np.float64(0.5)}}
    return {"meta": notes, "state_dict": state, "optimizer": {"state": moments, "param_groups": [{}]}}


def depth_head(dim: int = ARCH.dim, layers: int = 4) -> dict[str, torch.Tensor]:
    """256 bins over [patch, class token] of each layer."""
    return {"conv_depth.weight": 0.02 * _normal(1, 256, 2 * layers * dim, 1, 1), "conv_depth.bias": _normal(2, 256)}


def classify_head(dim: int = ARCH.dim) -> dict[str, torch.Tensor]:
    """1000 classes over class token and mean patch."""
    return {"weight": 0.05 * _normal(3, 1000, 2 * dim), "bias": _normal(4, 1000)}


def segment_head(dim: int = ARCH.dim, classes: int = 150) -> dict[str, torch.Tensor]:
    """Batch norm, then one layer over the patches."""
    return {
        "conv_seg.weight": 0.05 * _normal(5, classes, dim, 1, 1),
        "conv_seg.bias": _normal(6, classes),
        "bn.weight": 1 + 0.1 * _normal(7, dim),
        "bn.bias": 0.1 * _normal(8, dim),
        "bn.running_mean": 0.5 * _normal(9, dim),
        "bn.running_var": torch.exp(0.5 * _normal(10, dim)),
        "bn.num_batches_tracked": torch.tensor(3),
    }


def telling_segment_head(engine: Engine, sky: np.ndarray, floor: np.ndarray) -> dict[str, torch.Tensor]:
    """One that says `sky` of patches like those of one picture and `floor` of those of the other.

    Args:
        engine: whose tokens it reads.
        sky: uint8 (H, W, 3).
        floor: the same size.
    """
    patches = torch.from_numpy(engine.run(np.stack([sky, floor])).patches).mean(dim=1)  # (2, D)
    head = segment_head()
    head |= {
        "bn.running_mean": patches.mean(dim=0),
        "bn.weight": torch.ones(ARCH.dim),
        "bn.bias": torch.zeros(ARCH.dim),
    }
    head["bn.running_var"] = torch.full((ARCH.dim,), float((patches[0] - patches[1]).square().mean()))
    head["conv_seg.weight"].zero_()
    head["conv_seg.bias"].fill_(-1000.0)
    head["conv_seg.bias"][[SKY, FLOOR]] = 0.0
    head["conv_seg.weight"][SKY, :, 0, 0] = patches[0] - patches[1]
    head["conv_seg.weight"][FLOOR, :, 0, 0] = patches[1] - patches[0]
    return head


def write_heads(folder: Path, segment: Mapping[str, torch.Tensor] | None = None) -> None:
    """`nyu_linear4`, `ade20k_linear` and `imagenet_linear` of ViT-S/14, where the cache of weights looks for them."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(mmcv(depth_head()), folder / DEPTH)
    torch.save(mmcv(segment or segment_head()), folder / SEGMENT)
    torch.save(classify_head(), folder / CLASSIFY)


def _normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.Generator(np.random.PCG64(seed)).standard_normal(shape, dtype=np.float32))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    load_backbone("dinov2_vits14", write_backbone(target))
    write_heads(target)
