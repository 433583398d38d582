"""Makes `meta_dinov3.npz` with Meta's own code.

`python tests/golden/dinov3/generate.py PATH_OF_DINOV3_CHECKOUT COMMIT`, from the project's root. Upstream is imported
from the given path and is no part of this project. It loads the seeded weights strictly, in the layout of its files.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.golden.backbone.parity_cases import picture, summary
from tests.golden.dinov3.dinov3_cases import CASES, FILE, Case, meta_layout


def build(case: Case) -> torch.nn.Module:
    hub = importlib.import_module("dinov3.hub.backbones")
    model = getattr(hub, case.arch.name)(pretrained=False)
    model.blocks = model.blocks[: case.arch.depth]
    model.n_blocks = case.arch.depth
    model.load_state_dict(meta_layout(case.arch), strict=True)
    return model.eval()


def values(case: Case) -> dict[str, np.ndarray]:
    model, x = build(case), picture(case.size)
    final = model.forward_features(x)
    registers = final["x_storage_tokens"]
    result = {f"{case.key}/final": summary(final["x_norm_clstoken"], registers, final["x_norm_patchtokens"])}
    for norm in (True, False):
        layers = model.get_intermediate_layers(x, n=list(case.taps), return_class_token=True, norm=norm)
        for block, (patches, cls) in zip(case.taps, layers, strict=True):
            result[f"{case.key}/{'norm' if norm else 'raw'}{block}"] = summary(cls, registers[:, :0], patches)
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
    made_by = f"facebookresearch/dinov3@{commit} torch {torch.__version__} numpy {np.__version__}"
    np.savez_compressed(FILE, made_by=np.array(made_by), **stored)


if __name__ == "__main__":
    main()
