"""Finds what stands in front of the learnt empty view by looks alone: where depth or the camera's pose is not known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from operators.results import Subject
from operators.scene.empty_view import EmptyView
from operators.scene.grouping import MIN_PATCHES, connected

NEW_LOOKS = 0.5
"""Least novelty of a patch that no depth vouches for, whatever the view's own threshold says. Source: own measurements
on four clips from the field: most of a car or a fruit is above 0.6, the floor while the camera's exposure halves hardly
ever above 0.4."""


def new_patches(view: EmptyView, tokens: np.ndarray) -> np.ndarray:
    """Bool (N,): patches that look clearly like nothing learnt.

    Args:
        view: the learnt empty view; one light is enough, since what changes with the light is below `NEW_LOOKS`.
        tokens: float (N, D) L2-normalised tokens of block 2.
    """
    learnt = np.where(np.isfinite(view.thresholds), view.thresholds, 0.0)
    return view.novelty(tokens) > np.maximum(learnt, NEW_LOOKS)


def subjects_by_looks(
    view: EmptyView,
    tokens: np.ndarray,
    grid: tuple[int, int],
    parts_of: Callable[[np.ndarray], list[np.ndarray]] | None = None,
) -> list[Subject]:
    """Every subject of one frame, without distances; the lowest in the picture first.

    Args:
        view: the learnt empty view.
        tokens: float (N, D) L2-normalised tokens of block 2, row-major.
        grid: (h, w) patches, h * w = N.
        parts_of: cuts bool (h, w) patches that touch into what is called differently; left out: nothing does.
    """
    groups = [each for each in connected(new_patches(view, tokens).reshape(grid)) if each.sum() >= MIN_PATCHES]
    parts = groups if parts_of is None else [part for group in groups for part in parts_of(group)]
    return sorted((_subject(part) for part in parts), key=lambda each: -each.box[3])


def _subject(mask: np.ndarray) -> Subject:
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, right = float(columns[0]) / width, float(columns[-1] + 1) / width
    top, bottom = float(rows[0]) / height, float(rows[-1] + 1) / height
    return Subject(box=(left, top, right, bottom), mask=mask, distances=())
