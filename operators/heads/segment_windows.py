"""Segments a picture of any size as the published numbers were made: in windows, at several sizes, mirrored too.

What is kept of a window are its logits on the patch grid; the map is put together a few rows at a time, so that memory
does not grow with the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from operators.backbone import Engine
from operators.heads.segment import SegmentLinear

_CHUNK_BYTES = 64 << 20
"""Of class scores that are held at a time."""
_BATCH_PATCHES = 6000
"""Of windows in one backbone pass."""
_USUAL_SHORT_SIDE = 512
"""For a head that does not say."""


@dataclass(frozen=True, slots=True)
class SegmentRecipe:
    """How a picture is shown to the backbone."""

    short_side: int
    """Pixels that the picture's shorter side is scaled to."""
    window: int | None = None
    """Side of a window; None: the whole picture in one pass."""
    stride: int = 1
    """From one window to the next."""
    scales: tuple[float, ...] = (1.0,)
    """Further factors on `short_side`."""
    is_mirrored: bool = False
    """Whether each size is seen mirrored too."""


LINEAR_WINDOWS = SegmentRecipe(512, 512, 341)
MS_WINDOWS = SegmentRecipe(640, 640, 320, (1.0, 1.32, 1.73, 2.28, 3.0), is_mirrored=True)
"""Of Meta's heads on one layer and on four. Source: copies of its training configurations
`dinov2_vitb14_ade20k_linear_config.py` and `dinov2_vits14_voc2012_ms_config.py`."""


def recipe_of(head: SegmentLinear, kind: Literal["whole", "windows"]) -> SegmentRecipe:
    """The official windows for the head's number of layers, or one pass at the size it was trained at."""
    if kind == "whole":
        return SegmentRecipe(head.about.short_side or _USUAL_SHORT_SIDE)
    return LINEAR_WINDOWS if len(head.about.blocks) == 1 else MS_WINDOWS


def segment_picture(
    engine: Engine,
    picture: np.ndarray,
    head: SegmentLinear,
    recipe: Literal["whole", "windows"] | SegmentRecipe = "whole",
) -> np.ndarray:
    """Best class of each pixel.

    Args:
        engine: The backbone.
        picture: uint8 (H, W, 3) RGB of any size.
        head: For the engine's weights.
        recipe: `whole`: one pass; `windows`: as the head's published numbers were made, up to 10 sizes of many windows.

    Returns:
        uint8 (H, W).

    Raises:
        HeadMismatchError: the head belongs to other weights.
        ValueError: no picture.
    """
    strips = score_strips(engine, picture, head, recipe)
    return np.concatenate([strip.argmax(dim=0).to(torch.uint8).numpy() for strip in strips])


def score_strips(
    engine: Engine,
    picture: np.ndarray,
    head: SegmentLinear,
    recipe: Literal["whole", "windows"] | SegmentRecipe = "whole",
) -> Iterator[torch.Tensor]:
    """Shares of the classes, a few rows of the picture at a time, from the top: float32 (C, rows, W).

    Source: mmsegmentation 0.27.0 `EncoderDecoder.slide_inference`, `.inference` and `.aug_test`, `MultiScaleFlipAug`.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise ValueError(f"picture: expected uint8 (H, W, 3) RGB, got {picture.dtype} {picture.shape}")
    head.about.check_backbone(engine.backbone.fingerprint, engine.backbone.info.published_as)
    wanted = recipe_of(head, recipe) if isinstance(recipe, str) else recipe
    size = (picture.shape[0], picture.shape[1])
    views = [
        _look(engine, picture, head, wanted, int(wanted.short_side * scale), is_mirrored=is_mirrored)
        for scale in wanted.scales
        for is_mirrored in ((False, True) if wanted.is_mirrored else (False,))
    ]
    widest = max(size[1], *(view.size[1] for view in views))
    at_once = max(1, _CHUNK_BYTES // (4 * len(head.bias) * widest))
    for first in range(0, size[0], at_once):
        rows = np.arange(first, min(first + at_once, size[0]))
        yield torch.stack([view.shares(rows, size) for view in views]).mean(dim=0)


@dataclass(frozen=True, slots=True, repr=False)
class _Window:
    top: int
    left: int
    size: tuple[int, int]
    """(height, width), pixels."""
    logits: torch.Tensor
    """float32 (C, h, w) on the patch grid of the padded window."""

    def rows(self, rows: np.ndarray) -> torch.Tensor:
        """float32 (C, rows, width): logits enlarged to the window, of some of its rows."""
        return _resized(_mixed(self.logits, rows, self.size[0]), self.size[1])


@dataclass(frozen=True, slots=True, repr=False)
class _View:
    """The picture at one size, seen in windows."""

    size: tuple[int, int]
    windows: tuple[_Window, ...]
    is_mirrored: bool

    def shares(self, rows: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
        """float32 (C, rows, W) of the picture of `size` (H, W)."""
        above, below, weight = _neighbours(rows, self.size[0], size[0])
        needed = np.unique(np.r_[above, below])
        logits = self._logits(needed)  # (C, needed, width here)
        upper, lower = (logits[:, np.searchsorted(needed, each)] for each in (above, below))
        shares = _resized(upper + (lower - upper) * weight, size[1]).softmax(dim=0)
        return shares.flip(-1) if self.is_mirrored else shares

    def _logits(self, rows: np.ndarray) -> torch.Tensor:
        """float32 (C, rows, width): the mean of the windows that lie over each pixel."""
        total = torch.zeros(len(self.windows[0].logits), len(rows), self.size[1])
        hits = torch.zeros(1, len(rows), self.size[1])
        for window in self.windows:
            inside = np.flatnonzero((rows >= window.top) & (rows < window.top + window.size[0]))
            if inside.size:
                where = (
                    slice(None),
                    slice(inside[0], inside[-1] + 1),
                    slice(window.left, window.left + window.size[1]),
                )
                total[where] += window.rows(rows[inside] - window.top)
                hits[where] += 1
        return total / hits


def _look(
    engine: Engine, picture: np.ndarray, head: SegmentLinear, recipe: SegmentRecipe, short: int, *, is_mirrored: bool
) -> _View:
    """Source of the size's rounding and the resize: mmcv `imrescale` (cv2, bilinear)."""
    factor = short / min(picture.shape[:2])
    size = (int(picture.shape[0] * factor + 0.5), int(picture.shape[1] * factor + 0.5))
    pixels = cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    if is_mirrored:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    spans = [_spans(side, recipe.window or side, recipe.stride) for side in size]
    corners = [(top, left) for top, _ in spans[0] for left, _ in spans[1]]
    height, width = (each[0][1] - each[0][0] for each in spans)
    patch = engine.backbone.arch.patch
    grid = (-(-height // patch), -(-width // patch))
    windows: list[_Window] = []
    at_once = max(1, _BATCH_PATCHES // (grid[0] * grid[1]))
    for first in range(0, len(corners), at_once):
        batch = corners[first : first + at_once]
        crops = np.stack([pixels[top : top + height, left : left + width] for top, left in batch])
        normed = engine.run(crops, normed=head.about.blocks, is_padded=True).normed
        for (top, left), logits in zip(batch, head.logits(normed, grid), strict=True):
            windows.append(_Window(top, left, (height, width), torch.from_numpy(logits).permute(2, 0, 1).contiguous()))
    return _View(size, tuple(windows), is_mirrored)


def _spans(side: int, window: int, stride: int) -> list[tuple[int, int]]:
    """(start, end) of the windows along one side, all of one length; the last one is moved back to end with it."""
    count = max(side - window + stride - 1, 0) // stride + 1
    ends = [min(index * stride + window, side) for index in range(count)]
    return [(max(end - window, 0), end) for end in ends]


def _neighbours(rows: np.ndarray, source: int, target: int) -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    """Of rows of a map enlarged from `source` to `target` rows: the two source rows, and the second's weight (n, 1)."""
    step = np.float32(source) / np.float32(target)  # in float32, as torch has it
    place = np.maximum((rows.astype(np.float32) + np.float32(0.5)) * step - np.float32(0.5), np.float32(0))
    above = np.minimum(place.astype(np.int64), source - 1)
    below = np.minimum(above + 1, source - 1)
    return above, below, torch.from_numpy(place - above.astype(np.float32))[:, None]


def _mixed(values: torch.Tensor, rows: np.ndarray, target: int) -> torch.Tensor:
    """(C, h, w) to (C, rows, w): some rows of the map enlarged to `target` rows, bilinear, corners not aligned."""
    above, below, weight = _neighbours(rows, values.shape[1], target)
    return values[:, above] + (values[:, below] - values[:, above]) * weight


def _resized(values: torch.Tensor, width: int) -> torch.Tensor:
    """(C, n, w) to (C, n, width): along the rows alone."""
    size = (values.shape[1], width)
    return F.interpolate(values[None], size=size, mode="bilinear", align_corners=False)[0]
