"""How near is near enough: the cosine below which a picture is unknown to a class."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from operators.retrieval.small_classes import FEWEST_CLIPS, cuts, pictures_per_clip


def class_thresholds(
    vectors: np.ndarray,
    labels: np.ndarray,
    clips: np.ndarray,
    own: np.ndarray,
    *,
    num_classes: int,
    false_unknown: float,
    wanted: Iterable[int] | None = None,
) -> np.ndarray:
    """float32 (C,): below this cosine to its nearest of a class, a picture is unknown to it.

    Of a class of many clips it is the k-th smallest of what its own pictures have to their other clips, k = floor(share
    * (n + 1)): a new picture of the class lies below it with probability k / (n + 1). A class of few clips, or of too
    few pictures for k = 1, cannot say how much it varies. It takes the mean of what each large class would say if it
    were as small (see `nearness_if_small`). Where none is large, it speaks for itself all the same; of too few
    pictures, it takes the lowest of its own values and of what others say; -1 where nothing is known.

    Args:
        vectors: float (n, D), L2-normalised.
        labels: int (n,).
        clips: int (n,) equal where two pictures are of one clip.
        own: float (n,) as in `VectorSet`.
        num_classes: C.
        false_unknown: The share.
        wanted: Classes that are asked about; of others, what they borrow is left out. None: all.

    Source: split conformal prediction, arXiv 0706.3188. Differs: a class of few clips borrows.
    """
    said = np.full(num_classes, np.nan, np.float32)
    least = np.full(num_classes, np.inf, np.float32)
    num_clips = np.zeros(num_classes, np.int64)
    for index in range(num_classes):
        mine = labels == index
        known = own[mine & np.isfinite(own)]
        least[index], said[index] = known.min(initial=np.inf), _kth_smallest(known, false_unknown)
        num_clips[index] = len(np.unique(clips[mine]))
    large = np.isfinite(said) & (num_clips >= FEWEST_CLIPS)
    found = np.minimum(least, said[np.isfinite(said)].min(initial=np.inf))
    found[np.isinf(found)] = -1.0
    found = np.where(np.isfinite(said), said, found)
    for index in range(num_classes) if wanted is None else wanted:
        lenders = np.flatnonzero(large & (num_clips > num_clips[index]))
        if large[index] or not lenders.size or not num_clips[index]:
            continue
        per_clip = pictures_per_clip(clips[labels == index])
        rows = [np.flatnonzero(labels == lender) for lender in lenders]
        lent = [nearness_if_small(vectors[each], clips[each], int(num_clips[index]), per_clip) for each in rows]
        found[index] = np.mean([_kth_smallest(values, false_unknown) for values in lent])
    return found


def nearness_if_small(vectors: np.ndarray, clips: np.ndarray, num_clips: int, per_clip: int) -> np.ndarray:
    """float32 (m,): cosines of a class's pictures to their nearest, were it of that few clips and pictures.

    It is cut in up to 40 ways, the clips of each spread evenly; pictures of the other clips ask.

    Args:
        vectors: float (n, D) of one class, L2-normalised.
        clips: int (n,), of more than `num_clips` clips.
        num_clips: Clips that are left.
        per_clip: Most pictures of each that are left.
    """
    values = [(vectors[rest] @ vectors[few].T).max(axis=1) for few, rest in cuts(clips, num_clips, per_clip)]
    return np.concatenate(values)


def _kth_smallest(values: np.ndarray, share: float) -> float:
    """NaN where they are too few."""
    rank = int(share * (len(values) + 1))
    return float(np.partition(values, rank - 1)[rank - 1]) if rank else float("nan")
