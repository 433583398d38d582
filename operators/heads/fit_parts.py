"""Which pictures a head is fitted on, chosen by, and judged on."""

from __future__ import annotations

import numpy as np

FITTED, CHOSEN, JUDGED = 0, 1, 2
"""Parts: the weights come from the first, the best of the grid is chosen on the second, figures come from the third."""
SHARES = (0.6, 0.2, 0.2)
_TRIES = 400


class SplitError(ValueError):
    """There is too little to fit, choose and judge apart from each other."""


def split(counts: np.ndarray, seed: int = 0) -> np.ndarray:
    """The part of each unit, int8 (U,). A unit (a clip, a picture) is never torn.

    Each class is spread over the three parts as evenly as its units allow. The same counts and seed give the same
    parts.

    Args:
        counts: float (U, C), how much of each class a unit shows.
        seed: Of the order.

    Raises:
        SplitError: fewer than three units.
    """
    if len(counts) < len(SHARES):
        raise SplitError(f"expected at least {len(SHARES)} pictures or clips, got {len(counts)}")
    rng = np.random.default_rng(seed)
    if ((counts > 0).sum(axis=1) <= 1).all():
        return _by_class(counts.argmax(axis=1), rng)
    goal = counts.sum(axis=0)[:, None] * np.array(SHARES)
    best, least = np.zeros(0, np.int8), np.inf
    for _ in range(_TRIES):
        parts = _dealt(len(counts), rng)
        got = np.stack([counts[parts == part].sum(axis=0) for part in range(len(SHARES))], axis=1)
        miss = float((np.abs(got - goal) / np.maximum(goal.sum(axis=1, keepdims=True), 1e-9)).sum())
        miss += 10.0 * float((got == 0).sum())
        if miss < least:
            best, least = parts, miss
    return best


def runs(count: int) -> np.ndarray:
    """int8 (count,): parts of the pictures of one clip in their order, for a class that has too few clips.

    Neighbours stay together, so that fewer pictures of one part have a twin in another.
    """
    return _in_order(count)


def _by_class(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    parts = np.zeros(len(classes), np.int8)
    for each in np.unique(classes):
        units = np.flatnonzero(classes == each)
        parts[units] = _dealt(len(units), rng)
    return parts


def _in_order(count: int) -> np.ndarray:
    """At least one of each part where there are three."""
    rest = [max(1, round(count * share)) for share in SHARES[1:]]
    return np.repeat(np.arange(len(SHARES)), [max(0, count - sum(rest)), *rest])[:count].astype(np.int8)


def _dealt(count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(_in_order(count))
