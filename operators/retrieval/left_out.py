"""What a bank says of its own pictures when their whole clip is left out: the honest half of its report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from operators.retrieval.thresholds import class_thresholds
from operators.retrieval.vectors import VectorSet, Vote


@dataclass(frozen=True, slots=True, repr=False)
class LeftOut:
    """Of each vector, by all other clips. Rows without another clip are not in `told`."""

    told: np.ndarray
    """bool (n,)."""
    best: np.ndarray
    """int64 (n,) class by vote."""
    margin: np.ndarray
    """float32 (n,) vote share of the true class less that of the best other one: below 0 is called wrong."""
    is_unknown: np.ndarray
    """bool (n,): not near enough, with thresholds that have not seen the clip either."""

    def __repr__(self) -> str:
        return f"LeftOut({int(self.told.sum())} of {len(self.told)} vectors)"


def leave_out_clips(
    vectors: VectorSet, num_classes: int, *, vote: Vote, k: int, temperature: float, false_unknown: float
) -> LeftOut:
    """Asks for each vector what the bank without its clip would say. Parameters as of `Bank.vote`."""
    shares = vectors.shares_without_own_clip(num_classes, vote=vote, k=k, temperature=temperature)
    told = np.isfinite(shares[:, 0])
    filled = np.nan_to_num(shares, nan=-1.0)
    best = filled.argmax(axis=1)
    rows = np.arange(len(shares))
    true_share = filled[rows, vectors.labels]
    others = filled.copy()
    others[rows, vectors.labels] = -1.0
    is_unknown = np.zeros(len(shares), bool)
    cosines = vectors.vectors @ vectors.vectors.T
    clips = vectors.clips
    for clip in np.unique(clips[told]):
        out = clips == clip
        thresholds = _thresholds_without(
            vectors, cosines, out, num_classes=num_classes, false_unknown=false_unknown, wanted=np.unique(best[out])
        )
        for row in np.flatnonzero(out):
            nearest = cosines[row][~out & (vectors.labels == best[row])].max(initial=-1.0)
            is_unknown[row] = nearest < thresholds[best[row]]
    return LeftOut(told, best, true_share - others.max(axis=1), is_unknown)


def _thresholds_without(
    vectors: VectorSet,
    cosines: np.ndarray,
    out: np.ndarray,
    *,
    num_classes: int,
    false_unknown: float,
    wanted: np.ndarray,
) -> np.ndarray:
    """float32 (C,) of the bank without the rows `out`; only those near the clip's class have to be measured again."""
    own, clips = vectors.own.copy(), vectors.clips
    own[out] = np.nan
    for label in np.unique(vectors.labels[out]):
        rows = np.flatnonzero((vectors.labels == label) & ~out)
        allowed = clips[rows][:, None] != clips[rows][None]
        near = np.where(allowed, cosines[np.ix_(rows, rows)], -np.inf)
        own[rows] = near.max(axis=1, initial=-np.inf)
    own[np.isneginf(own)] = np.nan
    rest = ~out
    return class_thresholds(
        vectors.vectors[rest],
        vectors.labels[rest],
        clips[rest],
        own[rest],
        num_classes=num_classes,
        false_unknown=false_unknown,
        wanted=wanted.tolist(),
    )
