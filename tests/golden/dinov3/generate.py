"""Makes `meta_dinov3.npz` with Meta's own code, from the project's root:

    python -m tests.golden.dinov3.generate DINOV3_CHECKOUT

Upstream loads the seeded weights in the layout of its files.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import torch

from tests.golden.backbone.parity_cases import picture
from tests.golden.dinov3.dinov3_cases import CASES, FILE, Case, meta_layout
from tests.golden.upstream import fill, keep, shorten, sources, token_values


def build(case: Case) -> Any:
    hub = importlib.import_module("dinov3.hub.backbones")
    with torch.device("meta"):
        model = getattr(hub, case.arch.name)(pretrained=False)
    shorten(model, case.arch.depth)
    fill(model, meta_layout(case.arch))
    return model.eval()


def values(case: Case) -> dict[str, np.ndarray]:
    model, x = build(case), picture(case.size)
    return token_values(case.key, model, x, taps=case.taps, norms=(True, False), registers="x_storage_tokens")


if __name__ == "__main__":
    keep(FILE, sources(__doc__, "facebookresearch/dinov3"), (values(case) for case in CASES))
