"""Makes `meta_segment.npz` with the authors' own code, from the project's root:

    pip install --no-deps --target MMSEG_FOLDER mmsegmentation==0.27.0
    python -m tests.golden.segment.generate DINOV2_CHECKOUT MMSEG_FOLDER

mmsegmentation lies beside the environment, not in it: it brings a package `tests` that would hide ours. mmcv, which it
needs to train and to configure, is replaced by empty stand-ins: what runs are Meta's backbone, padding and head, and
mmsegmentation's windows, resizing and averaging. Both sides get the same seeded weights.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch

from operators.backbone.architectures import Architecture
from tests.golden.pictures import JPEG, tiles
from tests.golden.segment.segment_cases import CASES, FILE, SEED, Case, head_tensors, summary
from tests.golden.upstream import DINOV2, dinov2_backbone, fill, keep, sources


class Padded(torch.nn.Module):
    """As Meta's notebook wires it: centre padding, then the last four blocks after the norm."""

    def __init__(self, arch: Architecture) -> None:
        super().__init__()
        self.inner = dinov2_backbone(arch, SEED)
        self.pad = importlib.import_module("dinov2.hub.utils").CenterPadding(14)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.inner.get_intermediate_layers(self.pad(x), n=4, reshape=True)


def stand_ins(mmseg_folder: Path) -> None:
    """Packages whose `__init__` is not run, and the few names that the wanted modules import."""
    registry = SimpleNamespace(register_module=lambda: lambda each: each)
    same: Any = lambda *_, **__: lambda function: function  # noqa: E731 - a decorator's stand-in

    class BaseModule(torch.nn.Module):
        def __init__(self, *_: object) -> None:
            super().__init__()

    def module(name: str, folder: Path | None = None, **content: Any) -> None:
        made = ModuleType(name)
        made.__dict__.update(content)
        if folder is not None:
            made.__path__ = [str(folder)]
        sys.modules[name] = made

    module("mmcv")
    module("mmcv.runner", BaseModule=BaseModule, auto_fp16=same, force_fp32=same)
    for name in ("mmseg", "mmseg.models", "mmseg.models.decode_heads", "mmseg.models.segmentors", "mmseg.ops"):
        module(name, mmseg_folder / Path(*name.split(".")))
    keep: Any = lambda each: each  # noqa: E731 - parts come built
    parts = {"HEADS": registry, "SEGMENTORS": registry, "BACKBONES": registry}
    module("mmseg.models.builder", build_loss=keep, build_backbone=keep, build_head=keep, build_neck=keep, **parts)
    sys.modules["mmseg.models"].builder = sys.modules["mmseg.models.builder"]
    module("mmseg.models.losses", accuracy=None)
    module("mmseg.core", build_pixel_sampler=None, add_prefix=None)
    sys.modules["mmseg.ops"].resize = importlib.import_module("mmseg.ops.wrappers").resize


def segmenter(case: Case) -> Any:
    heads = importlib.import_module("dinov2.eval.segmentation.models.decode_heads.linear_head")
    models = importlib.import_module("mmseg.models.segmentors.encoder_decoder")
    side = case.recipe.window
    mode = (
        SimpleNamespace(mode="whole")
        if side is None
        else SimpleNamespace(mode="slide", crop_size=(side, side), stride=(case.recipe.stride, case.recipe.stride))
    )
    model = models.EncoderDecoder(backbone=Padded(case.arch), decode_head=_head(heads, case), test_cfg=mode)
    head = head_tensors(case.arch, case.layers, case.classes)
    fill(model.decode_head, {name.removeprefix("decode_head."): tensor for name, tensor in head.items()})
    return model.eval()


def _head(heads: ModuleType, case: Case) -> torch.nn.Module:
    return heads.BNHead(
        in_channels=[case.arch.dim] * case.layers,
        in_index=[3] if case.layers == 1 else [0, 1, 2, 3],
        input_transform="resize_concat",
        channels=case.arch.dim * case.layers,
        dropout_ratio=0,
        num_classes=case.classes,
        align_corners=False,
        loss_decode={"type": "none"},
    )


def shares(case: Case) -> np.ndarray:
    """float32 (C, H, W): the mean over sizes and mirrored ones, as `aug_test` makes it before its argmax."""
    model, rgb = segmenter(case), pixels(case)
    mean, std = np.float32([123.675, 116.28, 103.53]), np.float32([58.395, 57.12, 57.375])
    total, count = np.zeros((case.classes, *case.size), np.float32), 0
    for scale in case.recipe.scales:
        factor = int(case.recipe.short_side * scale) / min(case.size)
        size = (int(case.size[1] * factor + 0.5), int(case.size[0] * factor + 0.5))
        resized = cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR)
        for is_flipped in (False, True) if case.recipe.is_mirrored else (False,):
            seen = resized[:, ::-1] if is_flipped else resized
            x = torch.from_numpy((seen.astype(np.float32) - mean) / std).permute(2, 0, 1)[None]
            meta = {
                "ori_shape": (*case.size, 3),
                "img_shape": resized.shape,
                "flip": is_flipped,
                "flip_direction": "horizontal",
            }
            total += model.inference(x, [meta], rescale=True)[0].numpy()
            count += 1
    return total / count


def pixels(case: Case) -> np.ndarray:
    """uint8 (H, W, 3) RGB; a file is read by cv2, as mmcv does."""
    if not case.is_file:
        return tiles(case.size)
    return cv2.cvtColor(cv2.imread(str(JPEG)), cv2.COLOR_BGR2RGB)


def values(case: Case) -> dict[str, np.ndarray]:
    found = shares(case)
    best = found.argmax(axis=0).astype(np.uint8)[::6, ::6]
    return {f"{case.key}/shares": summary(found), f"{case.key}/best": best}


if __name__ == "__main__":
    used = sources(__doc__, DINOV2, "mmsegmentation==0.27.0")
    stand_ins(used[1].folder)
    keep(FILE, used, (values(case) for case in CASES))
