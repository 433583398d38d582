"""What the scripts that make golden tensors share: authors' code out of a checkout, seeded weights in it, one file.

Each script runs from the project's root, in an environment that has the project and what the script's first lines name
besides. The authors' code is imported from the given folders and is no part of this project.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from operators.backbone.architectures import Architecture
from operators.backbone.checkpoints import random_tensors
from tests.golden.backbone.parity_cases import summary

DINOV2 = "facebookresearch/dinov2"


@dataclass(frozen=True, slots=True)
class Source:
    """Authors' code on this disk."""

    folder: Path
    name: str
    """`OWNER/REPOSITORY@COMMIT` or `PACKAGE==VERSION`."""

    def __str__(self) -> str:
        return self.name


def sources(about: str | None, *names: str) -> list[Source]:
    """The folders that the command line names, one for each of `names`.

    Args:
        about: Docstring of the script.
        names: `OWNER/REPOSITORY`, whose checkout is importable from now on, or `PACKAGE==VERSION`, unpacked.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in names:
        parser.add_argument(name, type=Path, help=f"folder with {name}")
    given: Mapping[str, Path] = vars(parser.parse_args())
    found = [_source(name, given[name].resolve()) for name in names]
    os.environ["XFORMERS_DISABLED"] = "1"
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    return found


def _source(name: str, folder: Path) -> Source:
    if "==" in name:
        return Source(folder, name)
    asked = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    commit = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    sys.path.append(str(folder))
    return Source(folder, f"{name}@{commit}")


def dinov2_backbone(arch: Architecture, seed: int) -> Any:
    """Upstream's model as its hub makes it, cut to `arch.depth` blocks, with `random_tensors(arch, seed)`."""
    hub = importlib.import_module("dinov2.hub.backbones")
    with torch.device("meta"):  # neither memory nor time for weights that are replaced
        model = getattr(hub, arch.name.replace("reg4", "reg"))(pretrained=False)
    shorten(model, arch.depth)
    fill(model, backbone_file(arch, seed))
    return model.eval()


def backbone_file(arch: Architecture, seed: int) -> dict[str, torch.Tensor]:
    """As Meta's files have it: with the mask token, which only training uses."""
    return random_tensors(arch, seed) | {"mask_token": torch.ones(1, arch.dim)}


def shorten(backbone: Any, depth: int) -> None:
    backbone.blocks = backbone.blocks[:depth]
    backbone.n_blocks = depth


def fill(module: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Every tensor, and no other; `module` may be made on `meta`."""
    missing, unexpected = module.load_state_dict(tensors, strict=False, assign=True)
    unset = [name for name, each in (*module.named_parameters(), *module.named_buffers()) if each.is_meta]
    if missing or unexpected or unset:
        raise SystemExit(f"upstream and ours name tensors differently: {missing=} {unexpected=} {unset=}")


def keep(file: Path, made_by: Iterable[object], values: Iterable[Mapping[str, np.ndarray]]) -> None:
    """Computes one case after the other and writes all into `file`, with what made it."""
    stored: dict[str, np.ndarray] = {}
    with torch.inference_mode():
        for of_case in values:
            print(next(iter(of_case)), flush=True)  # noqa: T201 - a script
            stored |= of_case
    versions = f"torch {torch.__version__} numpy {np.__version__} cv2 {cv2.__version__}"
    np.savez_compressed(file, made_by=np.array(" ".join([*map(str, made_by), versions])), **stored)


def token_values(
    key: str, model: Any, x: torch.Tensor, *, taps: Sequence[int], norms: Iterable[bool], registers: str
) -> dict[str, np.ndarray]:
    """What is kept of a backbone's tokens: of the end, and of the blocks `taps` with and without the final norm.

    Args:
        key: Of the case.
        model: DINOv2's or DINOv3's.
        x: float32 (1, 3, H, W).
        taps: Blocks, ascending.
        norms: Which of both.
        registers: What `forward_features` calls them.
    """
    final = model.forward_features(x)
    result = {f"{key}/final": summary(final["x_norm_clstoken"], final[registers], final["x_norm_patchtokens"])}
    for norm in norms:
        layers = model.get_intermediate_layers(x, n=list(taps), return_class_token=True, norm=norm)
        for block, (patches, cls) in zip(taps, layers, strict=True):
            result[f"{key}/{'norm' if norm else 'raw'}{block}"] = summary(cls, final[registers][:, :0], patches)
    return result
