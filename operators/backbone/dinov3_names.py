"""DINOv3's layouts, Meta's and Hugging Face's, to the names that every backbone here has.

Source: facebookresearch/dinov3 `dinov3/models/vision_transformer.py` and `dinov3/layers/attention.py` @6876159 (read,
not copied: DINOv3 License); transformers `modeling_dinov3_vit.py` 5.24.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from operators.backbone.errors import WeightsError
from operators.backbone.preprocess import MEAN, STD
from operators.backbone.rotary import usual_periods

_HEAD_DIM = 64
"""Of every DINOv3 ViT up to H+."""
_HF_PATCHES = "embeddings.patch_embeddings.weight"


def is_dinov3(names: Collection[str]) -> bool:
    """Whether tensors of these names are a DINOv3 ViT in Meta's layout."""
    return "storage_tokens" in names


def from_dinov3(tensors: Mapping[str, torch.Tensor], path: Path) -> dict[str, torch.Tensor]:
    """Meta's layout: keys lose their bias, as the mask in the file says, and the two halves of SwiGLU become one.

    Raises:
        WeightsError: a half or a mask is missing, or the model is of satellite pictures.
    """
    if any(name.startswith("local_cls_norm.") for name in tensors):
        raise _not_offered(path)
    result: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        block = re.fullmatch(r"(blocks\.\d+\.)(attn\.qkv\.bias|attn\.qkv\.bias_mask|mlp\.w1\.\w+|mlp\.w2\.\w+)", name)
        if name == "storage_tokens":
            result["register_tokens"] = tensor
        elif block is None:
            result[name] = tensor
        elif block[2] == "attn.qkv.bias":
            mask = _beside(tensors, f"{name}_mask", tensor, path)
            result[name] = tensor * mask.to(tensor.dtype)
        elif block[2].startswith("mlp.w1."):
            kind = name.rpartition(".")[2]
            second = _beside(tensors, f"{block[1]}mlp.w2.{kind}", tensor, path)
            result[f"{block[1]}mlp.w12.{kind}"] = torch.cat((tensor, second))
    return result


def _beside(tensors: Mapping[str, torch.Tensor], name: str, other: torch.Tensor, path: Path) -> torch.Tensor:
    found = tensors.get(name)
    if found is None or found.shape != other.shape:
        got = "none" if found is None else tuple(found.shape)
        raise WeightsError(f"{path} is incomplete: expected {name} of shape {tuple(other.shape)}, got {got}.")
    return found


def is_huggingface_dinov3(names: Collection[str]) -> bool:
    """Whether tensors of these names are a `DINOv3ViTModel`."""
    return _HF_PATCHES in names


def completed(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Hugging Face's layout with what it leaves out: the bias of keys, which is nought, and the periods.

    Meta's files store their periods as they were in training; Hugging Face computes them anew in float32, so the same
    model has two fingerprints, and its tokens differ a little.
    """
    is_gated = any(".mlp.gate_proj." in name for name in tensors)
    result: dict[str, torch.Tensor] = {"rope_embed.periods": usual_periods(_HEAD_DIM)}
    for name, tensor in tensors.items():
        if name.startswith("embeddings.patch_embeddings."):
            result[name.replace("embeddings.patch_embeddings.", "patch_embed.proj.")] = tensor
        elif ".mlp." in name and not is_gated:
            result[name.replace("up_proj", "fc1").replace("down_proj", "fc2")] = tensor
        else:
            result[name] = tensor
        if name.endswith("attention.q_proj.bias"):
            result.setdefault(name.replace("q_proj", "k_proj"), torch.zeros_like(tensor))
    return result


def check_normalisation(path: Path) -> None:
    """Refuses a Hugging Face folder whose pictures are normalised otherwise than we do.

    Raises:
        WeightsError: they are, or the folder's note of it is damaged.
    """
    note = path / "preprocessor_config.json"
    if not note.is_file():
        return
    try:
        said: dict[str, Any] = json.loads(note.read_text())
        mean, std = said.get("image_mean", MEAN), said.get("image_std", STD)
        differs = max(abs(got - ours) for got, ours in zip((*mean, *std), (*MEAN, *STD), strict=True)) > 1e-3
    except (ValueError, TypeError, AttributeError):
        raise WeightsError(f"{note} is damaged: expected image_mean and image_std. Fetch it again.") from None
    if differs:
        raise _not_offered(path)


def _not_offered(path: Path) -> WeightsError:
    return WeightsError(
        f"{path} is refused: it was trained on pictures with another mean and deviation than ImageNet's (satellite "
        "pictures), and its tokens would be wrong without a word. Take the weights of ordinary pictures (lvd1689m)."
    )
