"""Makes `meta.npz` with Meta's own code, from the project's root:

    python -m tests.golden.backbone.generate DINOV2_CHECKOUT

Both sides get the same seeded weights, made by `operators.backbone.checkpoints.random_tensors`.
"""

from __future__ import annotations

import numpy as np

from tests.golden.backbone.parity_cases import CASES, FILE, SEED, Case, picture
from tests.golden.upstream import DINOV2, dinov2_backbone, keep, sources, token_values


def values(case: Case) -> dict[str, np.ndarray]:
    model, x = dinov2_backbone(case.arch, SEED), picture(case.size)
    return token_values(case.key, model, x, taps=case.taps, norms=case.kinds, registers="x_norm_regtokens")


if __name__ == "__main__":
    keep(FILE, sources(__doc__, DINOV2), (values(case) for case in CASES))
