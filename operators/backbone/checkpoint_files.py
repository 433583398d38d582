"""Reads checkpoint files into canonical tensors: Meta's, Hugging Face's, Depth Anything's, ours.

Files of whole depth models hold a backbone and a head; the head is left aside here (`operators/heads/depth_files.py`).

Nothing in a file is executed: `.pth` is read by torch's weights-only unpickler, everything else is safetensors.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from operators.backbone.architectures import Architecture
from operators.backbone.dinov3_names import check_normalisation, from_dinov3, is_dinov3
from operators.backbone.errors import WeightsError
from operators.backbone.huggingface_names import from_huggingface
from operators.backbone.position import PositionRule, metas_rule
from operators.backbone.weights_only import read_pickle

Origin = Literal["meta", "huggingface", "ours"]

_PREFIXES = ("module.", "pretrained.", "backbone.", "dinov2_with_registers.", "dinov2.", "model.")
_HEADS = ("classifier.", "head.", "dino_head.", "ibot_head.", "linear_head.", "depth_head.", "neck.")
_UNREAD = {"mask_token", "embeddings.mask_token"}
_FORMAT = "dinostream-backbone-1"


@dataclass(frozen=True, slots=True)
class CheckpointFile:
    """What a file holds, before it is matched with an architecture."""

    path: Path
    origin: Origin
    tensors: dict[str, torch.Tensor]
    """By Meta's names."""
    metadata: dict[str, str]
    is_depth_anything: bool = False
    """Whether the backbone is an encoder that Depth Anything fine-tuned."""

    def published_as(self, arch: Architecture) -> str:
        """Name of the architecture whose published weights these may be, going by layout; empty: none."""
        if self.origin == "ours" or self.is_depth_anything != bool(arch.sizes_of):
            return ""
        return arch.name

    def position_rule(self, arch: Architecture) -> PositionRule:
        """Fixed by the origin: our files say it, the other two follow their authors' code."""
        stated = self.metadata.get("position")
        if stated in {"hub_offset", "hub_antialias", "hf", "rotary"}:
            return stated  # pyright: ignore[reportReturnType] - narrowed by the set
        if self.origin == "huggingface" and not arch.registers:
            return "hf"
        return metas_rule(arch)

    def canonical(self, arch: Architecture) -> dict[str, torch.Tensor]:
        """Float32 tensors of `arch`, complete, of the right shapes and finite.

        Raises:
            WeightsError: any of it is not so.
        """
        expected = arch.tensor_shapes()
        missing = sorted(set(expected) - set(self.tensors))
        extra = sorted(set(self.tensors) - set(expected))
        if missing or extra:
            raise WeightsError(
                f"{self.path} does not hold {arch.name}: {len(missing)} tensors missing{_some(missing)}, "
                f"{len(extra)} unknown{_some(extra)}. Name the backbone that the file was made for."
            )
        result: dict[str, torch.Tensor] = {}
        for name, shape in expected.items():
            tensor = self.tensors[name]
            if tuple(tensor.shape) != shape or not tensor.is_floating_point():
                raise WeightsError(
                    f"{self.path} does not hold {arch.name}: expected float {shape} for {name}, "
                    f"got {tensor.dtype} {tuple(tensor.shape)}. Name the backbone that the file was made for."
                )
            result[name] = tensor.to(torch.float32).contiguous()
            if not bool(torch.isfinite(result[name]).all()):
                raise WeightsError(f"{self.path} is damaged: {name} holds values that are not finite. Fetch it again.")
        return result


def _some(names: list[str]) -> str:
    return f" ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else ""


def read_checkpoint(path: Path) -> CheckpointFile:
    """Reads a `.pth`, a `.safetensors`, or a Hugging Face folder.

    Raises:
        WeightsError: it is not there, damaged, or no checkpoint.
    """
    if not path.exists():
        raise WeightsError(f"no weights: {path} does not exist. Give an existing file, or `official` or `standin`.")
    raw, metadata = read_raw(path)
    tensors = _strip(raw)
    tuned = is_depth_anything(raw)
    if any(name.startswith("embeddings.") for name in tensors):
        check_normalisation(path)
        return CheckpointFile(path, "huggingface", from_huggingface(tensors, path), metadata, tuned)
    origin: Origin = "ours" if metadata.get("format") == _FORMAT else "meta"
    flat = {re.sub(r"^blocks\.\d+\.(\d+)\.", r"blocks.\1.", name): tensor for name, tensor in tensors.items()}
    if is_dinov3(flat):
        flat = from_dinov3(flat, path)
    return CheckpointFile(path, origin, flat, metadata, tuned)


def is_depth_anything(names: Collection[str]) -> bool:
    """Whether tensors of these names are a whole Depth Anything model, in its authors' layout or Hugging Face's.

    Hugging Face's DPT models have a neck too, but one that reads the class token.
    """
    has_neck = any(name.startswith("neck.") for name in names)
    reads_cls = any(name.startswith("neck.reassemble_stage.readout_projects.") for name in names)
    return any(name.startswith("depth_head.") for name in names) or (has_neck and not reads_cls)


def write_checkpoint(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Writes our own format, whole or not at all. `metadata` must name the `position` rule."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # several processes may make the same file at once
    try:
        save_file(dict(tensors), str(part), {"format": _FORMAT, **metadata})
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_raw(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Every tensor by the file's own names, and the metadata of a safetensors file.

    Raises:
        WeightsError: it is damaged, or no checkpoint.
    """
    if path.is_dir():
        return _read_folder(path)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    return _state_dict(path), {}


def _read_folder(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    index = folder / "model.safetensors.index.json"
    if index.exists():
        try:
            names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise WeightsError(f"{index} is damaged: expected a weight_map. Fetch it again.") from None
    else:
        names = ["model.safetensors"]
    tensors: dict[str, torch.Tensor] = {}
    for name in names:
        file = folder / Path(name).name
        if not file.exists():
            raise WeightsError(
                f"no weights in {folder}: expected {file.name}. Give a folder as Hugging Face serves it."
            )
        tensors |= _read_safetensors(file)[0]
    return tensors, {}


def _read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged: no safetensors file ({error}). Fetch it again.") from None


def _state_dict(path: Path) -> dict[str, torch.Tensor]:
    content = read_pickle(path)
    for name in ("state_dict", "teacher", "model"):
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    if not isinstance(content, dict):
        raise WeightsError(f"{path} is no checkpoint: expected a dictionary of tensors, got {type(content).__name__}.")
    odd = [str(name) for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if odd or not content:
        raise WeightsError(
            f"{path} is no checkpoint: expected tensors alone{_some(sorted(odd))}. Export its state_dict."
        )
    return {str(name): value for name, value in content.items()}


def _strip(raw: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for key, tensor in raw.items():
        name = key
        while prefix := next((each for each in _PREFIXES if name.startswith(each)), None):
            name = name.removeprefix(prefix)
        if name not in _UNREAD and not name.startswith(_HEADS):
            tensors[name] = tensor
    return tensors
