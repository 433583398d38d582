"""Reads files of published heads: Meta's classifiers, depth and segmentation heads, Hugging Face's classifiers.

A file does not say how many of the backbone's layers its head reads; the width of the backbone that it is used with
does (`HeadFile.layers`). Nothing in a file is executed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from operators.backbone.errors import WeightsError

if TYPE_CHECKING:  # the table of published heads is part of the configuration, which does without torch's seconds
    import torch

HeadFamily = Literal["classify", "depth_linear", "depth_dpt", "segment"]

_INPUTS: dict[HeadFamily, dict[int, int]] = {
    "classify": {1: 2, 4: 5},
    "depth_linear": {1: 2, 4: 8},
    "segment": {1: 1, 4: 4},
    "depth_dpt": {4: 2},
}
"""Layers that are read to widths of the backbone that go in. Source: facebookresearch/dinov2 @b8931f7,
`dinov2/hub/{classifiers,depthers}.py`, `dinov2/eval/segmentation/models/decode_heads/linear_head.py`."""

_FIRST: dict[HeadFamily, str] = {
    "classify": "weight",
    "depth_linear": "conv_depth.weight",
    "segment": "conv_seg.weight",
    "depth_dpt": "reassemble_blocks.readout_projects.0.0.weight",
}
"""Whose second side is the width that goes in, and without which it is no such head."""

_NEEDED: dict[HeadFamily, tuple[str, ...]] = {
    "classify": ("weight", "bias"),
    "depth_linear": ("conv_depth.weight", "conv_depth.bias"),
    "segment": (
        "conv_seg.weight",
        "conv_seg.bias",
        "bn.weight",
        "bn.bias",
        "bn.running_mean",
        "bn.running_var",
    ),
    "depth_dpt": (),
}
"""Tensors of the small heads, all of which are kept; a DPT head's are checked by who builds it."""

_HUGGINGFACE = ("Dinov2ForImageClassification", "Dinov2WithRegistersForImageClassification")


@dataclass(frozen=True, slots=True, repr=False)
class HeadFile:
    """One head's tensors: float32, finite, contiguous, by their authors' names without `decode_head.`."""

    path: Path
    origin: Literal["meta", "huggingface"]
    family: HeadFamily
    tensors: dict[str, torch.Tensor]
    classes: tuple[str, ...] = ()
    """Names that the file itself gives (Hugging Face's `id2label`); empty: none."""

    def __repr__(self) -> str:
        return f"HeadFile({self.path.name}, {self.family}, {len(self.tensors)} tensors)"

    def layers(self, dim: int) -> int:
        """How many of the backbone's layers it reads, 1 or 4.

        Args:
            dim: D, width of the backbone.

        Raises:
            WeightsError: it is a head for another width.
        """
        inputs = self.tensors[_FIRST[self.family]].shape[1]
        for layers, widths in _INPUTS[self.family].items():
            if inputs == widths * dim:
                return layers
        wanted = " or ".join(str(widths * dim) for widths in _INPUTS[self.family].values())
        raise WeightsError(
            f"{self.path} is a head for another backbone: expected {wanted} inputs for tokens of {dim} values, got "
            f"{inputs}. Take the head of your model.backbone."
        )


def read_head(path: Path) -> HeadFile:
    """Reads a head: Meta's `.pth`, or a folder of a Hugging Face classifier.

    Optimiser state, training notes and backbone tensors are left aside.

    Raises:
        WeightsError: it is not there, is damaged, is no head that this version knows, or could run code.
    """
    if not path.exists():
        raise WeightsError(f"no head: {path} does not exist. Give an existing file, or an official name.")
    if path.is_dir():
        return _checked(_from_folder(path))
    from operators.backbone.weights_only import read_pickle

    raw = _state_dict(read_pickle(path), path)
    family = _family(raw, path)
    needed = _NEEDED[family]
    tensors = {name: tensor for name, tensor in raw.items() if not needed or name in needed}
    return _checked(HeadFile(path, "meta", family, tensors))


def _state_dict(content: Any, path: Path) -> dict[str, torch.Tensor]:
    """Of the head alone, by names without `decode_head.`."""
    import torch

    inner = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(inner, dict) or not inner:
        raise WeightsError(f"{path} is no head: expected a dictionary of tensors, got {type(inner).__name__}.")
    odd = sorted(str(name) for name, value in inner.items() if not isinstance(value, torch.Tensor))
    if odd:
        raise WeightsError(f"{path} is no head: expected tensors alone, got others ({', '.join(odd[:3])}).")
    named = {str(name).removeprefix("module."): value for name, value in inner.items()}
    of_head = {name.removeprefix("decode_head."): value for name, value in named.items() if "decode_head." in name}
    return of_head or named


def _family(names: Collection[str], path: Path) -> HeadFamily:
    for family, first in _FIRST.items():
        if first in names and (family != "classify" or len(names) == len(_NEEDED["classify"])):
            return family
    shown = ", ".join(sorted(names)[:3])
    raise WeightsError(
        f"{path} is no head that is known here: expected one of Meta's classifiers, depth or segmentation heads, got "
        f"{len(names)} tensors ({shown}, ...). Give the ..._head.pth file."
    )


def _from_folder(folder: Path) -> HeadFile:
    try:
        config = json.loads((folder / "config.json").read_text())
        kinds = list(config["architectures"])
    except FileNotFoundError:
        raise WeightsError(
            f"no head in {folder}: expected config.json. Give a folder as Hugging Face serves it."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise WeightsError(f"{folder / 'config.json'} is damaged: expected JSON with `architectures`.") from None
    if not set(kinds) & set(_HUGGINGFACE):
        raise WeightsError(
            f"{folder} holds no classifier: expected {' or '.join(_HUGGINGFACE)}, got {', '.join(map(str, kinds))}."
        )
    tensors = {name: _folder_tensor(folder, f"classifier.{name}") for name in _NEEDED["classify"]}
    return HeadFile(folder, "huggingface", "classify", tensors, _labels(config, folder))


def _folder_tensor(folder: Path, name: str) -> torch.Tensor:
    from safetensors import SafetensorError, safe_open

    index, file = folder / "model.safetensors.index.json", folder / "model.safetensors"
    try:
        if index.exists():
            file = folder / Path(json.loads(index.read_text())["weight_map"][name]).name
        with safe_open(str(file), framework="pt") as content:
            return content.get_tensor(name)
    except FileNotFoundError:
        raise WeightsError(f"no weights in {folder}: expected {file.name}. Fetch it again.") from None
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{file} is damaged: {name} cannot be read ({error}). Fetch it again.") from None


def _labels(config: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    given = config.get("id2label") or {}
    try:
        return tuple(str(given[str(index)]) for index in range(len(given)))
    except (KeyError, TypeError):
        raise WeightsError(f"{folder / 'config.json'} is damaged: expected id2label to count from 0.") from None


def _checked(file: HeadFile) -> HeadFile:
    """Complete, of matching shapes, float32 and finite.

    Raises:
        WeightsError: it is not so.
    """
    import torch

    missing = [name for name in _NEEDED[file.family] if name not in file.tensors]
    if missing:
        raise WeightsError(f"{file.path} is incomplete: expected {', '.join(missing)} too. Fetch it again.")
    for name, shape in _small_shapes(file).items():
        if tuple(file.tensors[name].shape) != shape:
            raise WeightsError(
                f"{file.path} is damaged: expected {shape} for {name}, got {tuple(file.tensors[name].shape)}."
            )
    ready: dict[str, torch.Tensor] = {}
    for name, tensor in file.tensors.items():
        if not tensor.is_floating_point():
            raise WeightsError(f"{file.path} is damaged: expected floats for {name}, got {tensor.dtype}.")
        ready[name] = tensor.to(torch.float32).contiguous()
        if not bool(torch.isfinite(ready[name]).all()):
            raise WeightsError(f"{file.path} is damaged: {name} holds values that are not finite. Fetch it again.")
    if "bn.running_var" in ready and bool((ready["bn.running_var"] < 0).any()):
        raise WeightsError(f"{file.path} is damaged: bn.running_var holds values below 0. Fetch it again.")
    return HeadFile(file.path, file.origin, file.family, ready, file.classes)


def _small_shapes(file: HeadFile) -> dict[str, tuple[int, ...]]:
    """Of a head that is one linear layer: all that follows from its weight's own shape."""
    first = _FIRST[file.family]
    sides = tuple(file.tensors[first].shape)
    if len(sides) < 2:
        raise WeightsError(f"{file.path} is damaged: expected outputs x inputs for {first}, got {sides}.")
    if file.family == "depth_dpt":
        return {}
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(_NEEDED[file.family], (sides[1],))
    shapes[first] = sides[:2] if file.family == "classify" else (*sides[:2], 1, 1)
    shapes[first.replace("weight", "bias")] = sides[:1]
    return shapes
