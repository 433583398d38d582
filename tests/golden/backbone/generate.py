"""Makes `meta.npz` with Meta's own code: `python tests/golden/backbone/generate.py PATH_OF_DINOV2_CHECKOUT COMMIT`.

Run from the project's root. Upstream is imported from the given path and is no part of this project. Both sides get the
same seeded weights, made by `operators.backbone.checkpoints.random_tensors`.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[3]), str(Path(__file__).parent)]
os.environ["XFORMERS_DISABLED"] = "1"

from operators.backbone.checkpoints import random_tensors  # noqa: E402 - the same
from tests.golden.backbone.parity_cases import CASES, FILE, SEED, Case, picture, summary  # noqa: E402 - the paths come first

_UPSTREAM_NAMES = {384: "vit_small", 1536: "vit_giant2"}


def build(case: Case) -> torch.nn.Module:
    vits = importlib.import_module("dinov2.models.vision_transformer")
    arch = case.arch
    model = getattr(vits, _UPSTREAM_NAMES[arch.dim])(
        patch_size=14,
        img_size=518,
        init_values=1.0,
        ffn_layer="mlp" if arch.ffn == "mlp" else "swiglufused",
        block_chunks=0,
        num_register_tokens=arch.registers,
        interpolate_antialias=bool(arch.registers),
        interpolate_offset=0.0 if arch.registers else 0.1,
    )
    model.blocks = model.blocks[: arch.depth]
    model.n_blocks = arch.depth
    missing, unexpected = model.load_state_dict(random_tensors(arch, SEED), strict=False)
    if missing != ["mask_token"] or unexpected:
        raise SystemExit(f"upstream and ours name tensors differently: {missing=} {unexpected=}")
    return model.eval()


def values(case: Case) -> dict[str, np.ndarray]:
    model, x = build(case), picture(case.size)
    final = model.forward_features(x)
    registers = final["x_norm_regtokens"]
    result = {f"{case.key}/final": summary(final["x_norm_clstoken"], registers, final["x_norm_patchtokens"])}
    for norm in case.kinds:
        layers = model.get_intermediate_layers(x, n=list(case.taps), return_class_token=True, norm=norm)
        for block, (patches, cls) in zip(case.taps, layers, strict=True):
            kind = "norm" if norm else "raw"
            result[f"{case.key}/{kind}{block}"] = summary(cls, registers[:, :0], patches)
    return result


def main() -> None:
    upstream, commit = sys.argv[1:3]
    sys.path.insert(0, upstream)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    stored: dict[str, np.ndarray] = {}
    with torch.inference_mode():
        for case in CASES:
            print(case.key, flush=True)  # noqa: T201 - a script
            stored |= values(case)
    made_by = f"facebookresearch/dinov2@{commit} torch {torch.__version__} numpy {np.__version__}"
    np.savez_compressed(FILE, made_by=np.array(made_by), **stored)


if __name__ == "__main__":
    main()
