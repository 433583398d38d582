"""Names of a backbone's tensors as Hugging Face has them, to Meta's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch

from operators.backbone.dinov3_names import completed, is_huggingface_dinov3
from operators.backbone.errors import WeightsError

_PLAIN = {
    "embeddings.cls_token": "cls_token",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.register_tokens": "register_tokens",
    "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
    "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
    "layernorm.weight": "norm.weight",
    "layernorm.bias": "norm.bias",
}
_BLOCK = {
    "attention.output.dense": "attn.proj",
    "attention.o_proj": "attn.proj",
    "mlp.weights_in": "mlp.w12",
    "mlp.weights_out": "mlp.w3",
    "mlp.down_proj": "mlp.w3",
    "layer_scale1": "ls1",
    "layer_scale2": "ls2",
}
_PARTS = {
    "attention.attention.query": ("attn.qkv", 0),
    "attention.attention.key": ("attn.qkv", 1),
    "attention.attention.value": ("attn.qkv", 2),
    "attention.q_proj": ("attn.qkv", 0),
    "attention.k_proj": ("attn.qkv", 1),
    "attention.v_proj": ("attn.qkv", 2),
    "mlp.gate_proj": ("mlp.w12", 0),
    "mlp.up_proj": ("mlp.w12", 1),
}


def from_huggingface(tensors: Mapping[str, torch.Tensor], path: Path) -> dict[str, torch.Tensor]:
    """Tensors by Meta's names, from both spellings that transformers has used for DINOv2, and from `DINOv3ViTModel`.

    Source: its conversion scripts, `modeling_dinov2.py` 5.23 and `modeling_dinov3_vit.py` 5.24.

    Args:
        tensors: By Hugging Face's names, without a prefix.
        path: Of the file, for the message.

    Raises:
        WeightsError: parts of a tensor that Meta keeps whole are missing.
    """
    if is_huggingface_dinov3(tensors):
        tensors = completed(tensors)
    result: dict[str, torch.Tensor] = {}
    parts: dict[str, dict[int, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        found = re.fullmatch(r"(?:encoder\.)?layer\.(\d+)\.(.+)\.(weight|bias|lambda1)", name)
        if found is None:
            result[_PLAIN.get(name, name)] = tensor
            continue
        index, inner, kind = found.groups()
        if inner in _PARTS:
            whole, place = _PARTS[inner]
            parts.setdefault(f"blocks.{index}.{whole}.{kind}", {})[place] = tensor
        else:
            kind = "gamma" if kind == "lambda1" else kind
            result[f"blocks.{index}.{_BLOCK.get(inner, inner)}.{kind}"] = tensor
    for name, pieces in parts.items():
        count = 3 if ".qkv." in name else 2
        if sorted(pieces) != list(range(count)) or len({piece.shape for piece in pieces.values()}) != 1:
            raise WeightsError(f"{path} is incomplete: {name} needs {count} equal parts, got {len(pieces)}.")
        result[name] = torch.cat([pieces[place] for place in range(count)])
    return result
