"""Cuts a group of patches that is two things by what its patches are called: where ground distances do not differ, as
with a person right in front of a truck.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from operators.scene.grouping import MIN_PATCHES, connected, grown


def cut_by_class(
    mask: np.ndarray, scores: np.ndarray, is_called: Callable[[np.ndarray, int], bool]
) -> list[np.ndarray]:
    """The parts of a group, one a class at most; the group alone where it is one thing, or nobody can tell.

    A patch is called by the mean score of its neighbourhood in the group. Connected patches of one class are a
    candidate; it stays if it is called by that class as a whole too. What remains goes to the neighbour with which it
    shares most.

    Args:
        mask: bool (h, w) the group.
        scores: float (h, w, C) how much each patch looks like each class; -inf: that class has no pictures.
        is_called: Whether a part, bool (h, w), is called by the class of this index.

    Returns:
        bool (h, w) masks that make up the group.
    """
    if mask.sum() < 2 * MIN_PATCHES:
        return [mask]
    best = _of_neighbourhood(np.where(np.isfinite(scores), scores, -1.0), mask).argmax(axis=-1)
    found: dict[int, np.ndarray] = {}
    rest: list[np.ndarray] = []
    for index in np.unique(best[mask]).tolist():
        for part in connected(mask & (best == index)):
            if part.sum() < MIN_PATCHES:
                rest.append(part)
            else:
                found[index] = found.get(index, np.zeros_like(mask)) | part
    if len(found) < 2:
        return [mask]
    kept = {index: part for index, part in found.items() if is_called(part, index)}
    if len(kept) < 2:
        return [mask]
    for part in rest + [part for index, part in found.items() if index not in kept]:
        around = grown(part)
        most = max(kept, key=lambda index: int((kept[index] & around).sum()))
        kept[most] = kept[most] | part
    return list(kept.values())


def _of_neighbourhood(scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean over the patches of the mask in 3 x 3 around each: float (h, w, C)."""
    height, width = mask.shape
    inside = np.pad(mask.astype(np.float64), 1)
    padded = np.pad(scores * mask[..., None], ((1, 1), (1, 1), (0, 0)))
    steps = [(row, column) for row in range(3) for column in range(3)]
    total = sum(padded[row : row + height, column : column + width] for row, column in steps)
    count = sum(inside[row : row + height, column : column + width] for row, column in steps)
    return total / np.maximum(count, 1.0)[..., None]
