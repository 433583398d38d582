"""`kind: segment`: a class for each patch by a linear layer, ours and the published ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from operators.backbone.architectures import Architecture
from operators.backbone.errors import WeightsError
from operators.heads.base import FrameTokens
from operators.heads.class_names import class_names
from operators.heads.head_about import HeadAbout, head_from_bytes, head_to_bytes
from operators.heads.head_files import HeadFile
from operators.heads.linear_files import LinearFiles
from operators.results import Segments

KIND = "segment_linear"
NORM_EPS = 1e-5
"""Of batch norm. Source: torch's default, which facebookresearch/dinov2
`dinov2/eval/segmentation/models/decode_heads/linear_head.py` @b8931f7 keeps."""
_SHORT_SIDES = {1: 512, 4: 640}
"""Pixels of the pictures that heads on one layer and on four were trained on. Source: Meta's training configurations
`dinov2_vitb14_ade20k_linear_config.py`, `dinov2_vits14_voc2012_ms_config.py`."""
_MAX_CLASSES = 256

Normed = Mapping[int, tuple[np.ndarray, np.ndarray]]
"""Per 0-based block, after the final norm: float32 class token (B, D) and patch tokens (B, N, D)."""


@dataclass(frozen=True, slots=True, repr=False)
class SegmentLinear:
    """One linear layer over the patches of `about.blocks`, batch norm folded in."""

    weight: np.ndarray
    """float32 (C, D L) for L blocks, earlier ones first."""
    bias: np.ndarray
    """float32 (C,)."""
    about: HeadAbout

    def __repr__(self) -> str:
        return f"SegmentLinear({self.weight.shape}, blocks {self.about.blocks})"

    def logits(self, normed: Normed, grid: tuple[int, int]) -> np.ndarray:
        """float32 (B, h, w, C) of the patches of `grid` (h, w)."""
        dim = self.weight.shape[1] // len(self.about.blocks)
        total = self.bias
        for index, block in enumerate(self.about.blocks):
            total = total + normed[block][1] @ self.weight[:, dim * index : dim * (index + 1)].T  # (B, N, C)
        return total.reshape(len(total), *grid, -1)

    def predict(self, normed: Normed, grid: tuple[int, int]) -> np.ndarray:
        """uint8 (B, h, w): best class of each patch."""
        return self.logits(normed, grid).argmax(axis=-1).astype(np.uint8)

    def to_bytes(self) -> bytes:
        """As a safetensors file."""
        return head_to_bytes(KIND, self.weight, self.bias, self.about)

    @staticmethod
    def from_bytes(data: bytes) -> SegmentLinear:
        """What `to_bytes` wrote.

        Raises:
            ValueError: it is no segmenting head, or is damaged.
        """
        head = SegmentLinear(*head_from_bytes(KIND, data))
        about = head.about
        if about.reads != "patches" or not about.blocks or head.weight.shape[1] % len(about.blocks):
            raise ValueError(f"damaged {KIND}: {head.weight.shape[1]} inputs for blocks {about.blocks}, {about.reads}")
        if len(about.classes) > _MAX_CLASSES:
            raise ValueError(f"damaged {KIND}: expected at most {_MAX_CLASSES} classes, got {len(about.classes)}")
        return head

    @staticmethod
    def published(file: HeadFile, arch: Architecture, trained_on: str = "") -> SegmentLinear:
        """One of Meta's `linear` or `ms` heads for the backbone `arch`.

        Exact: batch norm is a scale and a shift of each input, and goes into the 1 x 1 convolution that follows.

        Raises:
            WeightsError: it is no segmenting head, or one for another width.
        """
        if file.family != "segment":
            raise WeightsError(f"{file.path} is no segmenting head: got a {file.family} head.")
        layers = file.layers(arch.dim)
        doubles = {name: tensor.numpy().astype(np.float64) for name, tensor in file.tensors.items()}
        scale = doubles["bn.weight"] / np.sqrt(doubles["bn.running_var"] + NORM_EPS)
        shift = doubles["bn.bias"] - doubles["bn.running_mean"] * scale
        weight = doubles["conv_seg.weight"][:, :, 0, 0]
        about = HeadAbout(
            reads="patches",
            classes=_names(len(weight), file.path),
            blocks=tuple(range(arch.depth - layers, arch.depth)),
            fingerprint="",
            backbone=arch.name,
            recipe="windows of 512, a new one every 341" if layers == 1 else "five scales of 640, flipped too",
            trained_on=trained_on,
            short_side=_SHORT_SIDES[layers],
        )
        bias = doubles["conv_seg.bias"] + weight @ shift
        return SegmentLinear((weight * scale).astype(np.float32), bias.astype(np.float32), about)


@dataclass(frozen=True, slots=True)
class PatchSegments:
    """A segmenting head under its name in `heads:`; no state, thread-safe."""

    name: str
    model: SegmentLinear
    is_mask_wanted: bool = False

    @property
    def normed_blocks(self) -> frozenset[int]:
        """0-based blocks that it reads from `FrameTokens.normed`."""
        return frozenset(self.model.about.blocks)

    def off_recipe(self, shape: tuple[int, int]) -> str | None:
        """See `HeadAbout.off_recipe`."""
        return self.model.about.off_recipe(shape)

    def of_frame(self, tokens: FrameTokens) -> Segments:
        """What each patch belongs to."""
        indices = self.model.predict(tokens.normed, tokens.grid)[0]
        return segments(self.name, self.model.about.classes, indices, is_mask_wanted=self.is_mask_wanted)


def segments(head: str, classes: tuple[str, ...], indices: np.ndarray, *, is_mask_wanted: bool = False) -> Segments:
    """`indices` uint8 (h, w) with the share of each class, largest first."""
    counts = np.bincount(indices.ravel(), minlength=len(classes))
    order = [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]
    shares = tuple((classes[index], float(counts[index] / indices.size)) for index in order)
    return Segments(head, classes, indices, shares, is_mask_wanted=is_mask_wanted)


SEGMENTERS = LinearFiles("segmenting head", SegmentLinear.from_bytes, SegmentLinear.published)
load_segmenter = SEGMENTERS.load


def short_side_of(checkpoint: str) -> int:
    """Pixels of the pictures that a head of an official name such as `ade20k_ms` was trained on."""
    return _SHORT_SIDES[4 if checkpoint.endswith("_ms") else 1]


def _names(outputs: int, path: Path) -> tuple[str, ...]:
    if outputs > _MAX_CLASSES:
        raise WeightsError(f"{path} tells too many classes apart: expected at most {_MAX_CLASSES}, got {outputs}.")
    for names in (class_names("ade20k"), class_names("voc2012")):
        if outputs == len(names):
            return names
    return tuple(f"class {index}" for index in range(outputs))
