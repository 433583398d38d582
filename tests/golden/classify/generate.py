"""Makes `meta_classify.npz` with Meta's own code, from the project's root and with torchvision installed:

    python -m tests.golden.classify.generate DINOV2_CHECKOUT

Both sides get the same seeded weights.
"""

from __future__ import annotations

import importlib

import numpy as np
import torch

from tests.golden.classify.classify_cases import CASES, FILE, SEED, Case, head_tensors
from tests.golden.pictures import JPEG, tiles
from tests.golden.upstream import DINOV2, dinov2_backbone, keep, sources


def pixels(case: Case) -> torch.Tensor:
    """Normalised (1, 3, H, W) by upstream's own transforms."""
    from PIL import Image

    transforms = importlib.import_module("dinov2.data.transforms")
    if case.size is None:
        return transforms.make_classification_eval_transform()(Image.open(JPEG).convert("RGB"))[None]
    x = torch.from_numpy(tiles(case.size)).permute(2, 0, 1).float() / 255
    return transforms.make_normalize_transform()(x)[None]


def logits(case: Case) -> np.ndarray:
    hub = importlib.import_module("dinov2.hub.classifiers")
    head = torch.nn.Linear((1 + case.layers) * case.arch.dim, 1000)
    head.load_state_dict(head_tensors(case.arch, case.layers), strict=True)
    model = hub._LinearClassifierWrapper(
        backbone=dinov2_backbone(case.arch, SEED), linear_head=head, layers=case.layers
    )
    return model.eval()(pixels(case))[0].numpy()


if __name__ == "__main__":
    keep(FILE, sources(__doc__, DINOV2), ({case.key: logits(case)} for case in CASES))
