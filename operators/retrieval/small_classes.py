"""Large classes cut to the size of a small one: what they would say then, the small one borrows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from operators.retrieval.whitening import nearest_mean

FEWEST_CLIPS = 6
"""Of which a class can say how much its pictures vary; one of fewer asks the others. Source: own measurements on one
simulated dock, of 5 % promised for new clips of a class: by itself 42 % of one clip, 15 % of two, 6 % of three to five,
3 % of six; by the others 1 %, 4 %, 2 to 9 %, 4 %."""
_MOST_CUTS = 40
"""Ways in which a large class is cut to the size of a small one."""


def cuts(clips: np.ndarray, num_clips: int, per_clip: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """A class cut in up to 40 ways, the clips of each spread evenly.

    Args:
        clips: int (n,) of one class, of more than `num_clips` clips.
        num_clips: Clips that are left.
        per_clip: Most pictures of each that are left.

    Yields:
        int (m,) rows that are left, and bool (n,) rows of all other clips.
    """
    names = np.unique(clips)
    step = len(names) // num_clips
    for start in np.unique(np.linspace(0, len(names) - 1, min(len(names), _MOST_CUTS)).astype(int)):
        kept = names[(start + step * np.arange(num_clips)) % len(names)]
        few = np.concatenate([_spread(np.flatnonzero(clips == clip), per_clip) for clip in kept])
        yield few, ~np.isin(clips, kept)


def pictures_per_clip(clips: np.ndarray) -> int:
    """Of a class with these clips, rounded up."""
    return -(-len(clips) // len(np.unique(clips)))


def allowances(vectors: np.ndarray, labels: np.ndarray, clips: np.ndarray, num_classes: int) -> np.ndarray:
    """float32 (C,): what is added to the mean cosine by which a class speaks, so that a small one is heard as a large.

    The nearest of few pictures are farther away than the nearest of many, of pictures of the class and of others. A
    class of fewer than `FEWEST_CLIPS` clips gets what large ones lose when they are cut to its size. 0 for large
    classes, and where no class is large.

    Args:
        vectors: float (n, D), whitened, of length 1.
        labels: int (n,).
        clips: int (n,), equal where two pictures are of one clip.
        num_classes: C.
    """
    found = np.zeros(num_classes, np.float32)
    num_clips = [len(np.unique(clips[labels == index])) for index in range(num_classes)]
    lenders = [index for index, count in enumerate(num_clips) if count >= FEWEST_CLIPS]
    for index, count in enumerate(num_clips):
        if lenders and 0 < count < FEWEST_CLIPS:
            per_clip = pictures_per_clip(clips[labels == index])
            found[index] = np.mean([_lost(vectors, labels == each, clips, count, per_clip) for each in lenders])
    return found


def _lost(vectors: np.ndarray, is_mine: np.ndarray, clips: np.ndarray, num_clips: int, per_clip: int) -> float:
    """Halfway between what its own pictures and what those of others lose of their mean cosine to a cut class: there
    the cut class is told from others as well as it can be.
    """
    mine, of = vectors[is_mine], clips[is_mine]
    own, strange = mine @ mine.T, vectors[~is_mine] @ mine.T
    own_before = nearest_mean(np.where(of[:, None] == of[None], -np.inf, own))
    strange_before = nearest_mean(strange)
    lost: list[float] = []
    for few, rest in cuts(of, num_clips, per_clip):
        by_own = own_before[rest] - nearest_mean(own[rest][:, few])
        by_strange = strange_before - nearest_mean(strange[:, few])
        lost.append(float(by_own.mean() + by_strange.mean()) / 2)
    return float(np.mean(lost))


def _spread(rows: np.ndarray, count: int) -> np.ndarray:
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int))]
