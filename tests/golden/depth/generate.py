"""Makes `depth.npz` with the authors' own code:

    python tests/golden/depth/generate.py DINOV2_CHECKOUT COMMIT DEPTH_ANYTHING_V2_CHECKOUT COMMIT

Run from the project's root. Both are imported from the given paths and are no part of this project. All sides get the
same seeded weights, made by `depth_cases.head_tensors` and `operators.backbone.checkpoints.random_tensors`.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[3]), str(Path(__file__).parent)]
os.environ["XFORMERS_DISABLED"] = "1"

from operators.backbone.checkpoints import random_tensors  # noqa: E402 - the paths come first
from tests.golden.depth.depth_cases import (  # noqa: E402 - the same
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

_NAMES = {384: "vit_small", 768: "vit_base", 1024: "vit_large", 1536: "vit_giant2"}
_WIDTHS = {384: (64, [48, 96, 192, 384]), 768: (128, [96, 192, 384, 768]), 1024: (256, [256, 512, 1024, 1024])}


def fill(module: torch.nn.Module, tensors: dict[str, torch.Tensor], unset: set[str]) -> None:
    missing, unexpected = module.load_state_dict(tensors, strict=False)
    if set(missing) - unset or unexpected:
        raise SystemExit(f"upstream and ours name tensors differently: {missing=} {unexpected=}")


def cut(backbone: Any, case: Case) -> None:
    backbone.blocks = backbone.blocks[: case.arch.depth]
    backbone.n_blocks = case.arch.depth


def metas(case: Case) -> torch.nn.Module:
    depthers = importlib.import_module("dinov2.hub.depthers")
    given = {"arch_name": _NAMES[case.arch.dim], "pretrained": False}
    largest = 10.0 if case.data_set == "nyu" else 80.0
    if case.arch.ffn == "swiglu":
        given["ffn_layer"] = "swiglufused"
    if case.kind == "dpt":
        model = depthers._make_dinov2_dpt_depther(depth_range=(0.001, largest), **given)
    else:
        model = depthers._make_dinov2_linear_depther(layers=4 if case.kind == "linear4" else 1, **given)
        model.decode_head.max_depth = largest  # the builder says 80 whatever it is told; the training files say 10
    if case.arch.depth == 4:
        cut(model.backbone, case)
        model.backbone.forward = partial(
            model.backbone.get_intermediate_layers,
            n=[0, 1, 2, 3],
            reshape=True,
            return_class_token=True,
            norm=False,
        )
    if {name: tuple(each.shape) for name, each in model.decode_head.state_dict().items()} != layout(case):
        raise SystemExit(f"{case.key}: the layout in depth_cases.py is not upstream's")
    fill(model.backbone, random_tensors(case.arch, SEED), {"mask_token"})
    fill(model.decode_head, head_tensors(case), set())
    return model.eval()


def depth_anythings(case: Case, upstream: str) -> torch.nn.Module:
    """Relative and metric are two packages of one name."""
    for name in [each for each in sys.modules if each.startswith("depth_anything_v2")]:
        del sys.modules[name]
    folder = upstream if case.kind == "relative" else f"{upstream}/metric_depth"
    sys.path.insert(0, folder)
    dpt = importlib.import_module("depth_anything_v2.dpt")
    sys.path.remove(folder)
    width, channels = _WIDTHS[case.arch.dim]
    encoder = f"vit{_NAMES[case.arch.dim][4]}"
    largest = {} if case.kind == "relative" else {"max_depth": 20.0 if case.kind == "indoor" else 80.0}
    model = dpt.DepthAnythingV2(encoder=encoder, features=width, out_channels=channels, **largest)
    if case.arch.depth == 4:
        cut(model.pretrained, case)
        model.intermediate_layer_idx = {encoder: [0, 1, 2, 3]}
    if {name: tuple(each.shape) for name, each in model.depth_head.state_dict().items()} != layout(case):
        raise SystemExit(f"{case.key}: the layout in depth_cases.py is not upstream's")
    fill(model.pretrained, random_tensors(case.arch, SEED), {"mask_token"})
    fill(model.depth_head, head_tensors(case), set())
    return model.eval()


def depth(case: Case, upstream: str) -> np.ndarray:
    if case.is_depth_anything:
        model = depth_anythings(case, upstream)
        if case.is_network_input:
            return model(network_input(case.size))[0].numpy()
        return model.infer_image(np.ascontiguousarray(picture(case.size)[:, :, ::-1]))
    return metas(case).whole_inference(network_input(case.size), None, rescale=True)[0, 0].numpy()


def main() -> None:
    dinov2, dinov2_commit, anything, anything_commit = sys.argv[1:5]
    sys.path.append(dinov2)
    transforms = types.ModuleType("torchvision.transforms")
    transforms.Compose = lambda steps: lambda sample: [sample := step(sample) for step in steps][-1]
    sys.modules["torchvision"], sys.modules["torchvision.transforms"] = types.ModuleType("torchvision"), transforms
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    stored: dict[str, np.ndarray] = {}
    with torch.inference_mode():
        for case in CASES:
            found = depth(case, anything)
            stored[case.key] = summary(found)
            ends = np.percentile(found, (0, 10, 50, 90, 100)).round(3)
            print(case.key, found.shape, ends, flush=True)  # noqa: T201 - a script
    made_by = (
        f"facebookresearch/dinov2@{dinov2_commit} DepthAnything/Depth-Anything-V2@{anything_commit} "
        f"torch {torch.__version__} numpy {np.__version__}"
    )
    np.savez_compressed(FILE, made_by=np.array(made_by), **stored)


if __name__ == "__main__":
    main()
