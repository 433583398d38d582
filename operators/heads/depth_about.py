"""What a depth head says about itself, and which weights and pictures it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from operators.geometry import canonical_scale

Taps = Mapping[int, tuple[np.ndarray, np.ndarray]]
"""Per 0-based block: float32 class token (B, D) and patch tokens (B, N, D); raw, or after the model's final norm where
`DepthAbout.is_normed`."""

RANGE_MARGIN = 0.02
"""Depths within this share of an end of the head's range are invalid: there the head can only say `at least`."""

RECIPE_MARGIN = 0.3
"""A picture or a focal length that differs by a larger share from what the head was trained with is off its recipe."""

DepthForm = Literal["log", "bins", "relu_clamped", "relu", "sigmoid"]


class HeadMismatchError(ValueError):
    """A head was fitted on other weights than those it is used with; its numbers would mean nothing."""


def check_weights(what: str, wanted: tuple[str, str], got: tuple[str, str], otherwise: tuple[str, str]) -> None:
    """Refuse a head on other weights than its own.

    Args:
        what: it is, for the message.
        wanted: fingerprint that it was fitted on, or empty, and the architecture whose published weights it is for.
        got: fingerprint of the backbone, and the architecture whose published weights those are, or empty.
        otherwise: what to do instead, for a fitted head and for a published one.

    Raises:
        HeadMismatchError: they are others.
    """
    (fingerprint, backbone), (ours, published_as) = wanted, got
    if fingerprint:
        if ours != fingerprint:
            raise HeadMismatchError(
                f"this {what} belongs to other weights: expected fingerprint {fingerprint[:12]}, got {ours[:12]}. "
                f"{otherwise[0]}."
            )
    elif not backbone or published_as != backbone:
        named = f"those published for {published_as}" if published_as else f"others ({ours[:12]})"
        raise HeadMismatchError(
            f"this {what} belongs to other weights: expected those published for {backbone or 'no architecture'}, "
            f"got {named}. Take those, or {otherwise[1]}."
        )


@dataclass(frozen=True, slots=True)
class DepthAbout:
    """What a depth head says about itself."""

    form: DepthForm
    """`log`: one output, the natural log of metres; `bins`: Meta's 256 depth classes; `relu_clamped`: Meta's DPT;
    `relu`: the same as Hugging Face computes it, and Depth Anything's inverse depth; `sigmoid`: a share of the
    range."""
    blocks: tuple[int, ...]
    reference_focal_px: float
    """Focal length, in pixels of the model-size picture, at which the head's metres are metres; 0: not known, or the
    head gives none."""
    range_metres: tuple[float, float]
    """(least, largest) depth it was fitted on, at the reference focal length; of no meaning for `inverse`."""
    fingerprint: str
    """Of the backbone it was fitted on; empty where a published head names its architecture alone."""
    recipe: str = ""
    licence: str = "apache-2.0"
    relative_error: float = 0.12
    """Median |error| / depth on pixels of movers in pictures it was not fitted on."""
    figures: dict[str, float] = field(default_factory=dict)
    """Further errors on unseen pictures, by name."""
    output: Literal["metric", "inverse"] = "metric"
    """`inverse`: larger is nearer, up to an unknown scale and shift; never metres."""
    is_normed: bool = False
    """Whether it reads tokens after the model's final norm."""
    backbone: str = ""
    """Architecture that a published head is for."""
    trained_size: tuple[int, int] | None = None
    """(height, width) of the pictures it was trained on; None: it is used at the size it was fitted at. A square was
    cut from pictures of any proportions: then only the shorter side counts."""

    @property
    def tells_metres(self) -> bool:
        """Whether its numbers can be metres of a camera of known focal length.

        Published heads must know their own; one fitted here without it is right for the cameras that it was fitted for.
        """
        return self.output == "metric" and (self.reference_focal_px > 0 or bool(self.fingerprint))

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
            "depth head",
            (self.fingerprint, self.backbone),
            (fingerprint, published_as),
            otherwise=("Fit one for these weights (checkpoint: fit_for_view)", "a head for these weights"),
        )

    def off_recipe(self, shape: tuple[int, int], focal_px: float | None = None) -> str | None:
        """What of a camera lies more than 30 % off what the head was trained with; None: nothing.

        Args:
            shape: (H, W) of the model-size picture.
            focal_px: of the camera in that picture; None: not known, and not judged.
        """
        if self.trained_size is None:
            return None
        pairs = [("short side", float(min(shape)), float(min(self.trained_size)))]
        if self.trained_size[0] != self.trained_size[1]:
            pairs.append(("long side", float(max(shape)), float(max(self.trained_size))))
        if focal_px is not None and self.reference_focal_px > 0:
            pairs.append(("focal length", focal_px, self.reference_focal_px))
        off = [
            f"{name} {got:.0f} px is {got / wanted:.2f} x the {wanted:.0f} px it was trained with"
            for name, got, wanted in pairs
            if abs(got / wanted - 1) > RECIPE_MARGIN
        ]
        if self.output == "metric" and self.reference_focal_px <= 0:
            off.append("the focal length it was trained with is not known")
        return "; ".join(off) or None


def about_from(values: Mapping[str, Any]) -> DepthAbout:
    """From the JSON values of a file of ours; what older files do not say has its default.

    Raises:
        ValueError: a value is missing or of the wrong kind.
    """
    wanted = {name: values[name] for name in DepthAbout.__dataclass_fields__ if name in values}
    try:
        wanted["blocks"] = tuple(int(block) for block in wanted["blocks"])
        least, largest = wanted["range_metres"]
        wanted["range_metres"] = (float(least), float(largest))
        if wanted.get("trained_size") is not None:
            height, width = wanted["trained_size"]
            wanted["trained_size"] = (int(height), int(width))
        return DepthAbout(**wanted)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not what a depth head says about itself: {error!r}") from None


def in_range(canonical: np.ndarray, about: DepthAbout, focal_px: float | None) -> np.ndarray:
    """Metres of a camera: NaN near the ends of the head's range, the rest scaled by the focal length.

    Args:
        canonical: float32, any shape: metres at the reference focal length, or inverse depth, which stays as it is.
        about: of the head.
        focal_px: of the camera; None: not known, nothing is scaled.
    """
    if about.output == "inverse":
        return canonical.astype(np.float32, copy=False)
    least, largest = about.range_metres
    is_valid = (canonical >= least * (1 + RANGE_MARGIN)) & (canonical <= largest * (1 - RANGE_MARGIN))
    is_scaled = focal_px is not None and about.reference_focal_px > 0
    scale = canonical_scale(focal_px or 1.0, about.reference_focal_px) if is_scaled else 1.0
    return np.where(is_valid, canonical * scale, np.nan).astype(np.float32)
