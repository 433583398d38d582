"""Makes `meta_knn.npz` with Meta's own `KnnModule`, from the project's root:

    python -m tests.golden.knn.generate DINOV2_CHECKOUT

Only that class is taken out of `dinov2/eval/knn.py`, since the module around it wants a cluster.
"""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch.nn import functional as F

from tests.golden.upstream import DINOV2, keep, sources

SIZES = (80, 80, 5)
KS = (5, 20, 165)


def upstream(checkout: Path) -> type:
    source = (checkout / "dinov2/eval/knn.py").read_text()
    found = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "KnnModule")
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    alone = SimpleNamespace(get_global_rank=lambda: 0, get_global_size=lambda: 1)
    space = {"torch": torch, "one_hot": F.one_hot, "softmax": F.softmax, "distributed": alone}
    exec(compile(ast.Module([found], []), "knn.py", "exec"), space)
    return space["KnnModule"]


def values(checkout: Path) -> dict[str, np.ndarray]:
    generator = torch.Generator().manual_seed(7)
    centres = torch.randn(3, 16, generator=generator)
    labels = torch.repeat_interleave(torch.arange(3), torch.tensor(SIZES))
    train = F.normalize(centres[labels] + 1.2 * torch.randn(len(labels), 16, generator=generator), dim=1)
    queries = F.normalize(centres.repeat(4, 1) + 1.2 * torch.randn(12, 16, generator=generator), dim=1)
    module = upstream(checkout)(train, labels, list(KS), 0.07, torch.device("cpu"), num_classes=3)
    votes = module(queries)
    asked = {"train": train.numpy(), "labels": labels.numpy(), "queries": queries.numpy()}
    return asked | {f"votes{k}": votes[k].numpy() for k in KS}


if __name__ == "__main__":
    used = sources(__doc__, DINOV2)
    keep(Path(__file__).with_name("meta_knn.npz"), used, [values(used[0].folder)])
