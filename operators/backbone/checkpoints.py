"""`load_backbone`: named weights become a backbone, and never other weights than those named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from operators.backbone.architectures import Architecture, architecture
from operators.backbone.checkpoint_files import CheckpointFile, read_checkpoint
from operators.backbone.download import Progress, official_file
from operators.backbone.errors import WeightsError
from operators.backbone.official import Official
from operators.backbone.official_depth_anything import DEPTH_ANYTHING, PUBLISHED, publisher
from operators.backbone.official_dinov3 import DINOV3
from operators.backbone.position import PositionRule, metas_rule
from operators.backbone.rotary import usual_periods
from operators.backbone.spaces import WeightsInfo, fingerprint_of
from operators.backbone.standin import STANDIN_ARCHITECTURE, standin_file
from operators.backbone.vit import FLOAT32_ALWAYS, VisionTransformer
from operators.backbone.weights_folder import default_cache_dir

__all__ = ["DTYPES", "WeightsError", "build", "load_backbone", "random_tensors"]

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

UNSTATED = "unstated"
"""Licence of a file that does not say; the person who brings it answers for it."""


def load_backbone(
    name: str = "dinov2_vits14",
    weights: str | Path = "official",
    precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    *,
    licences: Collection[str] | None = None,
    cache_dir: Path | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> VisionTransformer:
    """Loads one backbone, ready for inference.

    Args:
        name: Architecture, such as `dinov2_vits14`, `dinov2_vitb14_reg4` or `dinov3_vits16`.
        weights: `official` (downloaded once), `standin`, `random`, or the path of a file: Meta's `.pth`, Hugging Face's
            `.safetensors` or folder, or ours.
        precision: Of the arithmetic; checkpoints are read as float32 first.
        licences: Accepted licences, lower case; None accepts all. A file that states none is accepted.
        cache_dir: Where downloads and the stand-in are kept.
        seed: Of `random`.
        device: Where to compute.
        progress: Told of a download.

    Raises:
        WeightsError: the weights cannot be had, are damaged, do not fit `name`, or their licence is not accepted.
        ValueError: no such architecture.
    """
    arch = architecture(name)
    folder = cache_dir or default_cache_dir()
    match str(weights):
        case "random":
            tensors = random_tensors(arch, seed)
            rule = metas_rule(arch)
            info = _info("random", f"random weights, seed {seed}; no knowledge in them", "none", "yes", "nothing")
        case "standin":
            if arch.name != STANDIN_ARCHITECTURE:
                raise WeightsError(f"no stand-in for {arch.name}: it is a {STANDIN_ARCHITECTURE}. Choose that.")
            tensors, rule, info = _from_file(read_checkpoint(standin_file(folder)), arch, "standin")
        case "official":
            row = PUBLISHED[arch.name]
            check_licence(row.licence, licences, row.file)
            tensors, rule, info = _from_file(read_checkpoint(official_file(row, folder, progress)), arch, "official")
            info = _stated(info, row, f"{publisher(row)}'s {row.file}")
        case path:
            tensors, rule, info = _from_file(read_checkpoint(Path(path)), arch, Path(path).name)
            row = (DEPTH_ANYTHING | DINOV3).get(arch.name)
            if row is not None and info.licence == UNSTATED:
                info = _stated(info, row, info.origin)
    check_licence(info.licence, licences, info.weights)
    return build(arch, tensors, rule, info, precision=precision, device=device)


def build(
    arch: Architecture,
    tensors: Mapping[str, torch.Tensor],
    position: PositionRule,
    info: WeightsInfo | None = None,
    *,
    precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    device: str = "cpu",
) -> VisionTransformer:
    """A backbone from canonical tensors; its fingerprint is taken here, before any rounding."""
    said = info or _info("memory", "tensors from memory", UNSTATED, UNSTATED, UNSTATED)
    fingerprint = fingerprint_of(tensors, arch, position)
    stamped = replace(said, fingerprint=fingerprint)
    with torch.device("meta"):
        model = VisionTransformer(arch, position, stamped)
    dtype = DTYPES[precision]
    ready = {
        name: tensor.to(device, torch.float32 if name in FLOAT32_ALWAYS else dtype) for name, tensor in tensors.items()
    }
    model.load_state_dict(ready, strict=True, assign=True)
    return model.requires_grad_(requires_grad=False).eval()


def random_tensors(arch: Architecture, seed: int) -> dict[str, torch.Tensor]:
    """Seeded float32 weights on any machine: every tensor near its usual start, none of them trivial.

    Matrices and embeddings N(0, 0.02), norms and layer scales N(1, 0.02), as ViTs start but with no zeros, so that a
    parity test sees every tensor.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    tensors: dict[str, torch.Tensor] = {}
    for name, shape in sorted(arch.tensor_shapes().items()):
        if name == "rope_embed.periods":
            tensors[name] = usual_periods(arch.head_dim)
            continue
        values = generator.standard_normal(shape, dtype=np.float32) * np.float32(0.02)
        is_scale = name.endswith("gamma") or ("norm" in name and name.endswith("weight"))
        tensors[name] = torch.from_numpy(values + np.float32(1) if is_scale else values)
    return tensors


def _from_file(
    file: CheckpointFile, arch: Architecture, weights: str
) -> tuple[dict[str, torch.Tensor], PositionRule, WeightsInfo]:
    said = file.metadata if file.origin == "ours" else {}
    maker = "Depth Anything" if file.is_depth_anything else file.origin
    origin = said.get("origin") or f"{maker} checkpoint {file.path.name}"
    info = _info(
        weights,
        origin,
        said.get("licence", UNSTATED),
        said.get("commercial", UNSTATED),
        said.get("trained_on", UNSTATED),
    )
    info = replace(info, published_as=file.published_as(arch))
    return file.canonical(arch), file.position_rule(arch), info


def _stated(info: WeightsInfo, row: Official, origin: str) -> WeightsInfo:
    """With what the published table says of the weights."""
    return replace(info, origin=origin, licence=row.licence, commercial=row.commercial, trained_on=row.trained_on)


def _info(weights: str, origin: str, licence: str, commercial: str, trained_on: str) -> WeightsInfo:
    return WeightsInfo(weights, origin, licence.lower(), commercial, trained_on, fingerprint="")


def check_licence(licence: str, accepted: Collection[str] | None, what: str) -> None:
    """Before a download.

    Args:
        licence: lower case.
        accepted: None accepts all.
        what: for the message.

    Raises:
        WeightsError: it is not accepted.
    """
    if (
        accepted is not None
        and licence not in {UNSTATED, "none"}
        and licence not in {each.lower() for each in accepted}
    ):
        raise WeightsError(
            f"{what} is refused: its licence is {licence}, expected one of {', '.join(accepted)} (model.licences). "
            "Choose other weights, or accept that licence there."
        )
