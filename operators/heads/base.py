"""What a head reads of one frame, and what a head that labels must be able to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

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

    def of_frame(self, tokens: FrameTokens) -> Label:
        """Of the whole frame."""
        ...

    def of_subject(self, tokens: FrameTokens, mask: np.ndarray) -> Label | None:
        """Of the thing under `mask`, bool (h, w); None where it knows whole pictures alone."""
        ...
