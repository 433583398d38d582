"""Depth heads by name, from files of all origins, and from bytes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from operators.backbone.architectures import Architecture, architecture
from operators.backbone.checkpoint_files import is_depth_anything, read_checkpoint, read_raw
from operators.backbone.checkpoints import check_licence
from operators.backbone.download import Progress, official_file
from operators.backbone.errors import WeightsError
from operators.backbone.official_depth_anything import DEPTH_ANYTHING
from operators.backbone.spaces import fingerprint_of
from operators.backbone.weights_folder import default_cache_dir
from operators.heads.base import DepthModel
from operators.heads.depth_about import DepthAbout
from operators.heads.depth_dpt import KIND, DepthDpt
from operators.heads.depth_linear import DepthLinear
from operators.heads.depth_names import decoder_shape, decoder_tensors
from operators.heads.depth_published import (
    blocks_of,
    data_set,
    depth_anything_about,
    huggingface_dpt_about,
    meta_about,
)
from operators.heads.head_files import HeadFile, read_head
from operators.heads.official_heads import OFFICIAL_HEAD_NAMES, read_official_head
from operators.tensor_file import tensor_file_kind

OF_THE_BACKBONE = "depth_anything"
"""Checkpoint name of the head that lies in the file of the model's own weights."""


def load_depth_head(
    checkpoint: str,
    backbone: str,
    weights: str = "official",
    *,
    licences: Collection[str] | None = None,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> DepthModel:
    """The depth head that a configuration names.

    Args:
        checkpoint: `nyu_linear`, `kitti_dpt`, ... (downloaded once), `depth_anything` (the head in the file of the
            model's own weights), or the path of a file or folder: see `read_depth_head`.
        backbone: `model.backbone`.
        weights: `model.weights`; matters for `depth_anything` alone.
        licences: Accepted ones; None accepts all.
        cache_dir: Where downloads are kept.
        progress: Told of a download.

    Raises:
        WeightsError: the file cannot be had, is damaged, is no depth head, is for another backbone, or its licence is
            not accepted.
        ValueError: there is no such backbone, or no such head for it.
    """
    arch, folder = architecture(backbone), cache_dir or default_cache_dir()
    if checkpoint == OF_THE_BACKBONE:
        return read_depth_head(_own_file(arch, weights, licences, folder, progress), arch)
    if checkpoint in OFFICIAL_HEAD_NAMES:
        head, file = read_official_head(checkpoint, arch.name, folder, progress)
        check_licence(head.row.licence, licences, head.row.file)
        return _of_meta(file, arch, checkpoint)
    return read_depth_head(Path(checkpoint), arch)


def read_depth_head(path: Path, arch: Architecture, name: str = "") -> DepthModel:
    """A depth head from a file of ours, Meta's `..._head.pth`, a whole Depth Anything `.pth`, or a folder of Hugging
    Face's `DPTForDepthEstimation` or `DepthAnythingForDepthEstimation`.

    Args:
        path: of the file or folder.
        arch: of the backbone that it is used with.
        name: tells what the tensors do not: `nyu`, `kitti`, `metric_indoor`, `metric_hypersim`, ...; by default the
            name of the file.

    Raises:
        WeightsError: it is not there, damaged, no depth head, or for a backbone of another width.
    """
    if not path.exists():
        raise WeightsError(f"no depth head: {path} does not exist. Give an existing file, or an official name.")
    if path.is_dir():
        return _of_folder(path, arch, name)
    if path.suffix == ".safetensors":
        try:
            return depth_from_bytes(path.read_bytes())
        except (ValueError, OSError) as error:
            raise WeightsError(f"{path} is no depth head of ours: {error}. Make it again.") from None
    raw, _ = read_raw(path)
    if is_depth_anything(raw):
        about = depth_anything_about(
            arch, _fingerprint(path, arch), _largest_metres(path, arch, name), name=f"{arch.name} {name or path.name}"
        )
        return _built(raw, about, arch, path)
    file = read_head(path)
    if not file.family.startswith("depth"):
        raise WeightsError(f"{path} is no depth head: it is one to {file.family}. Name a ..._dpt_head.pth file.")
    return _of_meta(file, arch, name or path.name)


def depth_from_bytes(data: bytes) -> DepthModel:
    """What `DepthModel.to_bytes` wrote.

    Raises:
        ValueError: it is no depth head.
    """
    return DepthDpt.from_bytes(data) if tensor_file_kind(data) == KIND else DepthLinear.from_bytes(data)


def _largest_metres(path: Path, arch: Architecture, name: str) -> float | None:
    """Of a whole Depth Anything file, whose tensors do not tell; None: relative.

    Raises:
        WeightsError: the backbone's name and the file's contradict each other.
    """
    of_file = _metric_range(name or path.name)
    if arch.name not in DEPTH_ANYTHING:
        return of_file
    of_arch = _metric_range(arch.name)
    if of_file != of_arch and (name or path.name).startswith("depth_anything_v2"):
        raise WeightsError(
            f"{path.name} is not {arch.name}: expected {_said_of(of_arch)}, got {_said_of(of_file)}. Name the backbone "
            "that the file was published for."
        )
    return of_arch


def _metric_range(name: str) -> float | None:
    trained = data_set(name)
    return None if trained is None or "metric" not in name else trained.largest_metres


def _said_of(largest_metres: float | None) -> str:
    return "a relative model" if largest_metres is None else f"metres up to {largest_metres:g}"


def _own_file(
    arch: Architecture, weights: str, licences: Collection[str] | None, folder: Path, progress: Progress | None
) -> Path:
    row = DEPTH_ANYTHING.get(arch.name)
    if row is not None:
        check_licence(row.licence, licences, row.file)
        if weights == "official":
            return official_file(row, folder, progress)
    if weights in {"official", "standin", "random"}:
        raise WeightsError(
            f"no depth_anything head in {weights} weights of {arch.name}: expected model.backbone "
            f"{' or '.join(list(DEPTH_ANYTHING)[:3])}, or the path of such a file as model.weights. Choose one."
        )
    return Path(weights)


def _of_meta(file: HeadFile, arch: Architecture, name: str) -> DepthModel:
    num_blocks = file.layers(arch.dim)
    if file.family == "depth_linear":
        return DepthLinear.from_meta(file.tensors, meta_about("bins", arch, num_blocks, name))
    return _built(file.tensors, meta_about("relu_clamped", arch, num_blocks, name), arch, file.path)


def _of_folder(folder: Path, arch: Architecture, name: str) -> DepthModel:
    """Source: transformers 5.24 `modeling_dpt.py`, `modeling_depth_anything.py` and their configurations."""
    config = _config(folder)
    raw, _ = read_raw(folder)
    inner = config.get("backbone_config") or {}
    blocks = _blocks(inner, arch.depth, folder)
    named = f"{name or folder.name} {config.get('_name_or_path', '')}"
    if is_depth_anything(raw):
        largest = float(config.get("max_depth") or 1) if config.get("depth_estimation_type") == "metric" else None
        about = depth_anything_about(arch, _fingerprint(folder, arch), largest, blocks=blocks, name=named)
    else:
        about = huggingface_dpt_about(arch, blocks, named)
    return _built(raw, about, arch, folder)


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text())
    except FileNotFoundError:
        raise WeightsError(
            f"no depth head in {folder}: expected config.json. Give a folder as Hugging Face serves it."
        ) from None
    except (ValueError, OSError):
        raise WeightsError(f"{folder / 'config.json'} is damaged: expected JSON. Fetch it again.") from None
    if not isinstance(config, dict):
        raise WeightsError(f"{folder / 'config.json'} is damaged: expected a mapping. Fetch it again.")
    return config


def _blocks(config: Mapping[str, Any], depth: int, folder: Path) -> tuple[int, ...]:
    """0-based: Hugging Face counts the embeddings as 0."""
    stages = config.get("out_indices") or [str(each).removeprefix("stage") for each in config.get("out_features") or ()]
    try:
        blocks = tuple(int(stage) - 1 for stage in stages) or blocks_of(depth, 4)
    except (TypeError, ValueError):
        raise WeightsError(f"{folder / 'config.json'} is damaged: out_indices are no numbers: {stages}.") from None
    if len(blocks) != 4 or not all(0 <= block < depth for block in blocks):
        raise WeightsError(
            f"{folder} reads other blocks than the backbone has: expected four of 1 to {depth}, got {stages}. "
            "Name the backbone that it was made for."
        )
    return blocks


def _fingerprint(path: Path, arch: Architecture) -> str:
    """Of the encoder that lies in the same file."""
    file = read_checkpoint(path)
    return fingerprint_of(file.canonical(arch), arch, file.position_rule(arch))


def _built(raw: Mapping[str, torch.Tensor], about: DepthAbout, arch: Architecture, path: Path) -> DepthDpt:
    tensors = decoder_tensors(raw)
    if tensors is None:
        raise WeightsError(f"{path} is no depth head: expected a DPT decoder's tensors, got {len(raw)} others.")
    shape = decoder_shape(tensors, str(path))
    if shape.dim != arch.dim:
        raise WeightsError(
            f"{path} is a head for another backbone: expected one for tokens of {arch.dim} values ({arch.name}), got "
            f"{shape.dim}. Take the head of your model.backbone."
        )
    return DepthDpt.build(shape, tensors, about, str(path))
