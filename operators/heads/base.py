"""What a head reads of one frame, and what a head that labels must be able to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from operators.heads.depth_about import DepthAbout, Taps
from operators.results import Label


@dataclass(frozen=True, slots=True, repr=False)
class FrameTokens:
    """The backbone's tokens of one frame."""

    cls: np.ndarray
    """float32 (D,) class token after the final norm."""
    patches: np.ndarray
    """float32 (N, D) patch tokens after the final norm, row-major."""
    taps: Mapping[int, tuple[np.ndarray, np.ndarray]]
    """Raw tokens per 0-based block, batch axis kept: (1, D) and (1, N, D)."""
    grid: tuple[int, int]
    """(h, w)."""
    cls_space: str
    pooled_space: str
    """Of the mean of patches in a subject's mask."""
    normed: Mapping[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    """As `taps`, after the model's final norm."""
    registers: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """float32 (R, D) register tokens after the final norm; R is 0 for backbones without them."""


class LabelHead(Protocol):
    """Gives a frame and each subject a label, by what it was built with: a bank, weights. No state, thread-safe."""

    @property
    def name(self) -> str:
        """Under `heads:`."""
        ...

    @property
    def blocks(self) -> frozenset[int]:
        """0-based blocks whose raw tokens it reads from `FrameTokens.taps`; the normed last ones are always there."""
        ...

    @property
    def normed_blocks(self) -> frozenset[int]:
        """The same from `FrameTokens.normed`."""
        ...

    @property
    def is_of_things(self) -> bool:
        """Whether it labels what stands before the empty view; others label the whole picture.

        To a head of things a frame with nothing there is `empty`.
        """
        ...

    def off_recipe(self, shape: tuple[int, int]) -> str | None:
        """What of a model-size picture of `shape` (H, W) lies far from what it was trained with; None: nothing."""
        ...

    def of_frame(self, tokens: FrameTokens) -> Label:
        """Of the whole frame."""
        ...

    def of_subject(self, tokens: FrameTokens, mask: np.ndarray) -> Label | None:
        """Of the thing under `mask`, bool (h, w); None where it knows whole pictures alone."""
        ...


class DepthModel(Protocol):
    """Gives depth from the tokens of some blocks. No state, thread-safe."""

    @property
    def about(self) -> DepthAbout:
        """Blocks, raw or normed, what the numbers mean, for which weights."""
        ...

    def predict(self, taps: Taps, grid: tuple[int, int], focal_px: float | None = None) -> np.ndarray:
        """Depth on the patch grid.

        Args:
            taps: tokens of `about.blocks`: raw, or normed where `about.is_normed`.
            grid: (h, w) patches.
            focal_px: of the camera, in pixels of the model-size picture; None: not known, the metres are then those of
                a camera with the reference focal length.

        Returns:
            float32 (B, h, w): metres along the optical axis, NaN within 2 % of the ends of the range; or inverse depth
            (`about.output`).
        """
        ...

    def predict_map(
        self, taps: Taps, grid: tuple[int, int], size: tuple[int, int], focal_px: float | None = None
    ) -> np.ndarray:
        """The same per pixel: float32 (B, H, W) for `size` (H, W)."""
        ...

    def raw_map(self, taps: Taps, grid: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
        """What the authors' code gives: float32 (B, H, W) at the reference focal length, nothing left out."""
        ...

    def to_bytes(self) -> bytes:
        """As a file of ours; `depth_files.depth_from_bytes` reads it."""
        ...
