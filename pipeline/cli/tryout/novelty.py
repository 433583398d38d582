"""What is new against the first seconds, without anything learnt before."""

from __future__ import annotations

import numpy as np

from operators.results import ViewSample
from operators.scene.empty_view import EmptyView, build_view
from operators.scene.grouping import split_subjects

ABOVE_MEDIAN = 0.25
"""Novelty by which a patch must exceed its picture's median. Source: looked at on six clips: things are 0.3 to 0.9
above it, floors 0.1; a learnt threshold (`build_view`) fails where things move during the first seconds already, and a
fixed one where the exposure drifts."""


class FirstSeconds:
    """The first few pictures, and groups of patches of later ones that look like none of them at the same place."""

    def __init__(self, num_pictures: int) -> None:
        self._wanted = num_pictures
        self._samples: list[ViewSample] = []
        self._view: EmptyView | None = None

    def new_in(self, sample: ViewSample, grid: tuple[int, int]) -> list[np.ndarray] | None:
        """Bool (h, w) masks, the largest first; None while the first pictures are still being taken in.

        Args:
            sample: With the tokens of the early block.
            grid: (h, w) of its patches.
        """
        if self._view is None:
            self._samples.append(sample)
            if len(self._samples) == self._wanted:
                self._view = build_view([self._samples])
            return None
        novelty = self._view.novelty(sample.tokens).reshape(grid)
        is_new = novelty > np.median(novelty) + ABOVE_MEDIAN
        groups = [np.logical_or.reduce(parts) for parts in split_subjects(is_new, np.ones(grid))]
        return sorted(groups, key=lambda mask: -int(mask.sum()))
