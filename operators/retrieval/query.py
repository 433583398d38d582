"""A picture that somebody brings, as the vectors that galleries are searched with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from operators.backbone import Engine
from operators.backbone.preprocess import place
from operators.frames import grid_of, nearest_shape
from operators.heads.embedding import pool
from operators.retrieval.build_bank import patch_mask
from operators.retrieval.vectors import unit

FIGURE_SHARE = 0.5
"""Of the patches in a box, those that are least like anything outside stand for the thing. Source: own measurements on
ten simulated docks, precision@10 of a box against what other cameras saw: 0.62 for a box that is a patch too large,
0.59 for a tight one; the mean of all its patches gives 0.46 and 0.59, true masks 0.60."""

SCENE_SHARE = 0.1
"""The same of a whole picture, whose outermost patches are then the surroundings. Source: own measurements, chosen on
eight simulated docks, precision@10 on thirteen others: 0.36, where the mean of all patches gives 0.28 (chance 0.25)."""

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in 0..1 of the picture."""


@dataclass(frozen=True, slots=True, repr=False)
class QueryVectors:
    """Both kinds, each with the space that it lives in."""

    frame: np.ndarray
    """float32 (D,) class token."""
    frame_space: str
    subject: np.ndarray
    """float32 (D,) mean of the patches of what stands in the box, or in the picture."""
    subject_space: str


def embed_query(engine: Engine, rgb: np.ndarray, shapes: Sequence[tuple[int, int]], box: Box | None) -> QueryVectors:
    """Embeds a picture as a camera's frame would be.

    Args:
        engine: Of the backbone that the cameras use.
        rgb: uint8 (H, W, 3).
        shapes: (H, W) that the cameras use, of one shorter side; the one nearest by proportions is taken.
        box: Where the thing is; all of the picture: it is nothing but the thing. None: what is least like the
            picture's edge is asked about.
    """
    height, width = rgb.shape[:2]
    pixels, placement = place(rgb, nearest_shape((height, width), shapes))
    shape = placement.model_size
    out = engine.run(pixels[None])
    backbone = engine.backbone
    if box is None:
        chosen = standing_out(out.patches[0], grid_of(shape, backbone.arch.patch))
    else:
        mask = np.zeros((height, width), bool)
        mask[round(box[1] * height) : round(box[3] * height), round(box[0] * width) : round(box[2] * width)] = True
        chosen = figure(out.patches[0], _some(patch_mask(mask, placement, backbone.arch.patch)))
    return QueryVectors(
        frame=unit(out.cls[0]),
        frame_space=backbone.space(shape),
        subject=pool(out.patches[0], chosen),
        subject_space=backbone.space(shape, tap="patches", pooling="mask_mean"),
    )


def figure(patches: np.ndarray, box: np.ndarray, share: float = FIGURE_SHARE) -> np.ndarray:
    """Bool (h, w): what stands in a box. Without ground around it, all of it.

    Args:
        patches: float (N, D).
        box: bool (h, w), not empty.
        share: Of the patches in the box, those least like anything around it.
    """
    if box.all():
        return box
    vectors, inside = unit(patches), box.ravel()
    likeness = (vectors[inside] @ vectors[~inside].T).max(axis=1)
    chosen = np.zeros(inside.size, bool)
    rows = np.flatnonzero(inside)[np.argsort(likeness, kind="stable")]
    chosen[rows[: max(1, round(share * len(rows)))]] = True
    return chosen.reshape(box.shape)


def standing_out(patches: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Bool (h, w): of a whole picture, what is least like its outermost patches; all, where it has no others.

    Args:
        patches: float (N, D).
        grid: (h, w).
    """
    inner = np.zeros(grid, bool)
    inner[1:-1, 1:-1] = True
    return figure(patches, inner if inner.any() else ~inner, SCENE_SHARE)


def _some(mask: np.ndarray) -> np.ndarray:
    """A box in what is cut off the picture's edges touches no patch.

    Raises:
        ValueError: it does.
    """
    if not mask.any():
        raise ValueError("the box lies in what is cut off the picture's edges: expected it nearer to the middle")
    return mask
