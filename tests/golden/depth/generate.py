"""Makes `depth.npz` with the authors' own code, from the project's root and with torchvision installed:

    python -m tests.golden.depth.generate DINOV2_CHECKOUT DEPTH_ANYTHING_V2_CHECKOUT

All sides get the same seeded weights, made by `depth_cases.head_tensors` and
`operators.backbone.checkpoints.random_tensors`.
"""

from __future__ import annotations

import importlib
import sys
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from tests.golden.depth.depth_cases import (
    CASES,
    FILE,
    SEED,
    Case,
    head_tensors,
    layout,
    network_input,
    picture,
    summary,
)
from tests.golden.pictures import JPEG
from tests.golden.upstream import DINOV2, backbone_file, fill, keep, shorten, sources

_NAMES = {384: "vit_small", 768: "vit_base", 1024: "vit_large", 1536: "vit_giant2"}
_WIDTHS = {384: (64, [48, 96, 192, 384]), 768: (128, [96, 192, 384, 768]), 1024: (256, [256, 512, 1024, 1024])}


def metas(case: Case) -> Any:
    depthers = importlib.import_module("dinov2.hub.depthers")
    given: dict[str, Any] = {"arch_name": _NAMES[case.arch.dim], "pretrained": False}
    largest = 10.0 if case.data_set == "nyu" else 80.0
    if case.arch.ffn == "swiglu":
        given["ffn_layer"] = "swiglufused"
    layers = 1 if case.kind == "linear" else 4
    with torch.device("meta"):
        if case.kind == "dpt":
            model = depthers._make_dinov2_dpt_depther(depth_range=(0.001, largest), **given)
        else:
            model = depthers._make_dinov2_linear_depther(layers=layers, **given)
            model.decode_head.max_depth = largest  # the builder says 80 whatever it is told; the training files say 10
    if case.arch.depth == 4:
        shorten(model.backbone, 4)
        model.backbone.forward = partial(
            model.backbone.get_intermediate_layers,
            n=list(range(4 - layers, 4)),
            reshape=True,
            return_class_token=True,
            norm=False,
        )
    return filled(model, model.backbone, model.decode_head, case)


def filled(model: Any, backbone: torch.nn.Module, head: torch.nn.Module, case: Case) -> Any:
    if {name: tuple(each.shape) for name, each in head.state_dict().items()} != layout(case):
        raise SystemExit(f"{case.key}: the layout in depth_cases.py is not upstream's")
    fill(backbone, backbone_file(case.arch, SEED))
    fill(head, head_tensors(case))
    return model.eval()


def depth_anythings(case: Case, upstream: Path) -> Any:
    """Relative and metric are two packages of one name."""
    for name in [each for each in sys.modules if each.startswith("depth_anything_v2")]:
        del sys.modules[name]
    folder = str(upstream if case.kind == "relative" else upstream / "metric_depth")
    sys.path.insert(0, folder)
    dpt = importlib.import_module("depth_anything_v2.dpt")
    sys.path.remove(folder)
    width, channels = _WIDTHS[case.arch.dim]
    encoder = f"vit{_NAMES[case.arch.dim][4]}"
    largest = {} if case.kind == "relative" else {"max_depth": 20.0 if case.kind == "indoor" else 80.0}
    model = dpt.DepthAnythingV2(encoder=encoder, features=width, out_channels=channels, **largest)
    if case.arch.depth == 4:
        shorten(model.pretrained, 4)
        model.intermediate_layer_idx = {encoder: [0, 1, 2, 3]}
    return filled(model, model.pretrained, model.depth_head, case)


def depth(case: Case, depth_anything: Path) -> np.ndarray:
    """float32 (H, W). A file is read as either's own scripts read it: by PIL, by cv2."""
    if case.is_depth_anything:
        model = depth_anythings(case, depth_anything)
        if case.is_network_input:
            return model(network_input(case.size))[0].numpy()
        bgr = cv2.imread(str(JPEG)) if case.is_file else np.ascontiguousarray(picture(case.size)[:, :, ::-1])
        return model.infer_image(bgr)
    seen = metas_input() if case.is_file else network_input(case.size)
    return metas(case).whole_inference(seen, None, rescale=True)[0, 0].numpy()


def metas_input() -> torch.Tensor:
    """float32 (1, 3, H, W) of the file, by the steps of Meta's notebook on depth."""
    from PIL import Image
    from torchvision import transforms

    steps = transforms.Compose(
        [
            transforms.ToTensor(),
            lambda x: 255.0 * x[:3],
            transforms.Normalize(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)),
        ]
    )
    return steps(Image.open(JPEG).convert("RGB"))[None]


if __name__ == "__main__":
    used = sources(__doc__, DINOV2, "DepthAnything/Depth-Anything-V2")
    keep(FILE, used, ({case.key: summary(depth(case, used[1].folder))} for case in CASES))
