"""Labelled vectors of one space: neighbours, votes, and how near a class's own pictures are to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Vote = Literal["paper", "balanced"]


class SpaceMismatchError(ValueError):
    """Vectors of different spaces were about to meet; their cosines would mean nothing."""


def unit(vectors: np.ndarray) -> np.ndarray:
    """float32 (..., D) of length 1; a vector of zeros stays zeros."""
    values = np.asarray(vectors, np.float32)
    return values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12)


def vote_shares(
    cosines: np.ndarray,
    labels: np.ndarray,
    sizes: np.ndarray,
    *,
    vote: Vote = "balanced",
    k: int = 20,
    temperature: float = 0.07,
) -> np.ndarray:
    """Weighted vote of the k nearest.

    Args:
        cosines: float (Q, n) of queries to labelled vectors; -inf takes a vector out.
        labels: int (n,) class of each vector.
        sizes: float (C,) or (Q, C) vectors per class.
        vote: `paper`: each neighbour votes with exp(cosine / temperature); `balanced`: each class's vote is then
            divided by its size, so that a class of few pictures can win.
        k: Neighbours.
        temperature: Smaller listens more to the nearest.

    Returns:
        float32 (Q, C), each row sums to 1.

    Source: facebookresearch/dinov2 `dinov2/eval/knn.py` @b8931f7. Differs: shares are taken over the k nearest instead
    of the 200 nearest; the quotient of two classes' votes is the same.
    """
    k = min(k, cosines.shape[1])
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :k]  # (Q, k)
    near = np.take_along_axis(cosines, nearest, axis=1).astype(np.float64)
    weights = np.exp((near - near[:, :1]) / temperature)
    shares = np.zeros((len(cosines), sizes.shape[-1]))
    rows = np.arange(len(cosines))[:, None]
    np.add.at(shares, (rows, labels[nearest]), weights)
    if vote == "balanced":
        shares /= np.maximum(sizes, 1)
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True, slots=True, repr=False)
class VectorSet:
    """Vectors of one space with their classes."""

    space: str
    vectors: np.ndarray
    """float32 (n, D), L2-normalised."""
    labels: np.ndarray
    """int64 (n,) index of the class."""
    own: np.ndarray
    """float32 (n,) cosine to the nearest other vector of the same class; NaN where there is none."""

    def __repr__(self) -> str:
        return f"VectorSet({len(self.vectors)} vectors, space={self.space[:12]})"

    @staticmethod
    def of(space: str, vectors: np.ndarray, labels: np.ndarray) -> VectorSet:
        """Normalises, and measures how near each vector is to its own class."""
        normed, classes = unit(vectors), np.asarray(labels, np.int64)
        own = np.full(len(normed), np.nan, np.float32)
        for index in range(len(normed)):
            others = classes == classes[index]
            others[index] = False
            if others.any():
                own[index] = (normed[others] @ normed[index]).max()
        return VectorSet(space, normed, classes, own)

    def cosines(self, queries: np.ndarray, space: str) -> np.ndarray:
        """float32 (Q, n) of `queries` (Q, D), which live in `space`.

        Raises:
            SpaceMismatchError: that is another space than the vectors'.
        """
        if space != self.space:
            raise SpaceMismatchError(
                f"vectors of different spaces: the bank's is {self.space[:16]}, the query's is {space[:16]}. Build the "
                "bank again with the weights and shapes that the cameras use."
            )
        return unit(queries) @ self.vectors.T

    def sizes(self, num_classes: int) -> np.ndarray:
        """int64 (C,) vectors per class."""
        return np.bincount(self.labels, minlength=num_classes)

    def thresholds(self, num_classes: int, false_unknown: float) -> np.ndarray:
        """float32 (C,): below this cosine to its nearest of a class, a picture is unknown to it.

        It is the `false_unknown` quantile of what leave-one-out gives the class's own pictures; -1 for a class of one.
        """
        result = np.full(num_classes, -1.0, np.float32)
        for index in range(num_classes):
            own = self.own[(self.labels == index) & np.isfinite(self.own)]
            if own.size:
                result[index] = np.quantile(own, false_unknown)
        return result

    def leave_one_out(self, num_classes: int, *, vote: Vote, k: int, temperature: float) -> np.ndarray:
        """int64 (C, C): rows are true classes, columns what the vote of all other pictures says."""
        cosines = self.vectors @ self.vectors.T
        np.fill_diagonal(cosines, -np.inf)
        sizes = self.sizes(num_classes)[None] - np.eye(num_classes, dtype=np.int64)[self.labels]
        k = min(k, len(self.vectors) - 1)
        confusion = np.zeros((num_classes, num_classes), np.int64)
        if k < 1:
            return confusion
        shares = vote_shares(cosines, self.labels, sizes, vote=vote, k=k, temperature=temperature)
        np.add.at(confusion, (self.labels, shares.argmax(axis=1)), 1)
        return confusion
