"""What a classifying or segmenting head says about itself, and which weights and pictures it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from operators.heads.depth_about import RECIPE_MARGIN, check_weights
from operators.tensor_file import from_tensor_bytes, to_tensor_bytes

Reads = Literal["cls", "cls_mean", "cls4_mean", "pooled", "patches"]


@dataclass(frozen=True, slots=True)
class HeadAbout:
    """What a linear head says about itself."""

    reads: Reads
    """What goes in, after the backbone's final norm. `cls`: the class token. `cls_mean`: that and the mean of the
    patches. `cls4_mean`: the class tokens of four blocks and the mean of the last one's patches. `pooled`: the mean of
    the patches of a thing, or of the picture, L2-normalised. `patches`: each patch, of all blocks one after the
    other."""
    classes: tuple[str, ...]
    blocks: tuple[int, ...]
    """0-based, ascending."""
    fingerprint: str
    """Of the backbone it was fitted on; empty where a published head names its architecture alone."""
    backbone: str = ""
    """Architecture that a published head is for."""
    space: str = ""
    """Of the vectors it was fitted on (`spaces.space_of`); empty: it was made for no size in particular."""
    recipe: str = ""
    """How it was made, for people."""
    licence: str = "apache-2.0"
    trained_on: str = ""
    short_side: int | None = None
    """Of the pictures it was trained on, pixels; None: not known."""
    figures: dict[str, float] = field(default_factory=dict)
    """Errors on pictures that it was not fitted on, by name."""

    def check_backbone(self, fingerprint: str, published_as: str = "") -> None:
        """Refuse other weights.

        Args:
            fingerprint: of the backbone.
            published_as: architecture whose published weights they are (`WeightsInfo.published_as`); empty: none.

        Raises:
            HeadMismatchError: a fitted head belongs to another fingerprint, or a published head to other weights than
                those published for its architecture.
        """
        check_weights(
            "head",
            (self.fingerprint, self.backbone),
            (fingerprint, published_as),
            otherwise=("Fit one on these weights", "fit a head on these"),
        )

    def off_recipe(self, shape: tuple[int, int]) -> str | None:
        """What of a picture of `shape` (H, W) lies more than 30 % off what the head was trained with; None: nothing."""
        return off_short_side(shape, self.short_side)


def off_short_side(shape: tuple[int, int], short_side: int | None) -> str | None:
    """How far a picture of `shape` (H, W) lies from those of `short_side` px; None: within 30 %, or not known."""
    if short_side is None or abs(min(shape) / short_side - 1) <= RECIPE_MARGIN:
        return None
    return f"short side {min(shape)} px is {min(shape) / short_side:.2f} x the {short_side} px it was trained with"


def head_to_bytes(kind: str, weight: np.ndarray, bias: np.ndarray, about: HeadAbout) -> bytes:
    """A linear head as a safetensors file."""
    arrays = {"weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}
    return to_tensor_bytes(kind, arrays, asdict(about))


def head_from_bytes(kind: str, data: bytes) -> tuple[np.ndarray, np.ndarray, HeadAbout]:
    """What `head_to_bytes` wrote: float32 weight (C, inputs), bias (C,), and what the head says.

    Raises:
        ValueError: it is no such file, or is damaged.
    """
    arrays, values = from_tensor_bytes(kind, data)
    about = _about(values)
    wanted = {"weight": (len(about.classes), -1), "bias": (len(about.classes),)}
    for name, shape in wanted.items():
        array = arrays.get(name)
        if array is None or array.dtype != np.float32 or len(array.shape) != len(shape) or len(array) != shape[0]:
            got = "nothing" if array is None else f"{array.dtype} {array.shape}"
            raise ValueError(f"damaged {kind}: expected float32 {name} of {len(about.classes)} classes, got {got}")
        if not np.isfinite(array).all():
            raise ValueError(f"damaged {kind}: {name} holds values that are not finite")
    return arrays["weight"], arrays["bias"], about


def _about(values: Mapping[str, Any]) -> HeadAbout:
    known = {name: values[name] for name in HeadAbout.__dataclass_fields__ if name in values}
    try:
        known["classes"] = tuple(str(name) for name in known["classes"])
        known["blocks"] = tuple(int(block) for block in known["blocks"])
        return HeadAbout(**known)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not what a head says about itself: {error!r}") from None
