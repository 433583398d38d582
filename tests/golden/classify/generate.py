"""Makes `meta_classify.npz` with Meta's own code: `python tests/golden/classify/generate.py DINOV2_CHECKOUT COMMIT`.

Run from the project's root, with torchvision importable. Upstream is no part of this project. Both sides get the same
seeded weights.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).resolve().parents[3])]
os.environ["XFORMERS_DISABLED"] = "1"

from operators.backbone.architectures import Architecture  # noqa: E402 - the path comes first
from operators.backbone.checkpoints import random_tensors  # noqa: E402 - the same
from tests.golden.classify.classify_cases import CASES, FILE, SEED, Case, head_tensors, jpeg, picture  # noqa: E402 - the same

_UPSTREAM_NAMES = {384: "vit_small", 768: "vit_base", 1024: "vit_large", 1536: "vit_giant2"}


def backbone(arch: Architecture) -> torch.nn.Module:
    vits = importlib.import_module("dinov2.models.vision_transformer")
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


def pixels(case: Case) -> torch.Tensor:
    """Normalised (1, 3, H, W) by upstream's own transforms."""
    from PIL import Image

    transforms = importlib.import_module("dinov2.data.transforms")
    if case.size is None:
        return transforms.make_classification_eval_transform()(Image.open(io.BytesIO(jpeg())).convert("RGB"))[None]
    x = torch.from_numpy(picture(case.size)).permute(2, 0, 1).float() / 255
    return transforms.make_normalize_transform()(x)[None]


def logits(case: Case) -> np.ndarray:
    hub = importlib.import_module("dinov2.hub.classifiers")
    head = torch.nn.Linear((1 + case.layers) * case.arch.dim, 1000)
    head.load_state_dict(head_tensors(case.arch, case.layers), strict=True)
    model = hub._LinearClassifierWrapper(backbone=backbone(case.arch), linear_head=head, layers=case.layers)
    return model.eval()(pixels(case))[0].numpy()


def main() -> None:
    upstream, commit = sys.argv[1:3]
    sys.path.insert(0, upstream)
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    stored: dict[str, np.ndarray] = {"jpeg": np.frombuffer(jpeg(), np.uint8)}
    with torch.inference_mode():
        for case in CASES:
            print(case.key, flush=True)  # noqa: T201 - a script
            stored[case.key] = logits(case)
    made_by = f"facebookresearch/dinov2@{commit} torch {torch.__version__} numpy {np.__version__}"
    np.savez_compressed(FILE, made_by=np.array(made_by), **stored)


if __name__ == "__main__":
    main()
