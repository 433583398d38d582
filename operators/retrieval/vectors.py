"""Labelled vectors of one space: neighbours, votes, and how near a class's own pictures are to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from operators.retrieval.small_classes import allowances
from operators.retrieval.thresholds import class_thresholds
from operators.retrieval.whitening import Whitening, class_means, even_shares

Vote = Literal["paper", "balanced", "whitened"]


MOST_FOLDS = 40
"""Of clips that are left out together for the report of `whitened`; clips of one class are spread over them."""


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
    """float32 (n,) cosine to the nearest vector of the same class that is of another clip; NaN where there is none."""
    names: tuple[str, ...] = ()
    """Picture of each vector, `CLASS/NAME.jpg` or `CLASS/CLIP/NAME.jpg`; empty: not known."""
    _whitened: list[tuple[Whitening, np.ndarray]] = field(default_factory=list[tuple[Whitening, np.ndarray]])
    """Filled when first asked for; equal vectors give equal ones."""
    _thresholds: dict[tuple[int, float], np.ndarray] = field(default_factory=dict[tuple[int, float], np.ndarray])
    """Likewise, by number of classes and share."""
    _allowances: dict[int, np.ndarray] = field(default_factory=dict[int, np.ndarray])
    """Likewise, by number of classes."""

    def __repr__(self) -> str:
        return f"VectorSet({len(self.vectors)} vectors, space={self.space[:12]})"

    @staticmethod
    def of(space: str, vectors: np.ndarray, labels: np.ndarray, names: Sequence[str] = ()) -> VectorSet:
        """Normalises, and measures how near each vector is to its own class in other clips."""
        normed, classes = unit(vectors), np.asarray(labels, np.int64)
        clips = clip_numbers(names, len(normed))
        own = np.full(len(normed), np.nan, np.float32)
        for index in range(len(normed)):
            others = (classes == classes[index]) & (clips != clips[index])
            if others.any():
                own[index] = (normed[others] @ normed[index]).max()
        return VectorSet(space, normed, classes, own, tuple(names))

    def shares(
        self, queries: np.ndarray, space: str, num_classes: int, *, vote: Vote, k: int, temperature: float
    ) -> np.ndarray:
        """float32 (Q, C): what the set says of `queries` (Q, D), which live in `space`; k and temperature as of
        `vote_shares`, not used by `whitened`.

        Raises:
            SpaceMismatchError: that is another space than the vectors'.
        """
        cosines = self.cosines(queries, space)
        if vote != "whitened":
            sizes = self.sizes(num_classes)
            return vote_shares(cosines, self.labels, sizes, vote=vote, k=k, temperature=temperature)
        whitening, mine = self._whitening()
        means = class_means(whitening.apply(unit(queries)) @ mine.T, self.labels, num_classes)
        if num_classes not in self._allowances:
            self._allowances[num_classes] = allowances(mine, self.labels, self.clips, num_classes)
        return even_shares(means + self._allowances[num_classes])

    def likeness(self, queries: np.ndarray, space: str, num_classes: int) -> np.ndarray:
        """float32 (Q, C): mean whitened cosine of `queries` (Q, D) to the vectors of each class; -inf without any.

        Made for patches, which differ more than things do: the mean over a class tells them better than its nearest.

        Raises:
            SpaceMismatchError: as `shares` does.
        """
        self._check_space(space)
        whitening, mine = self._whitening()
        means = np.stack(
            [mine[self.labels == index].mean(axis=0) for index in range(num_classes) if (self.labels == index).any()]
        )
        found = np.full((len(queries), num_classes), -np.inf, np.float32)
        found[:, np.unique(self.labels)] = whitening.apply(unit(queries)) @ means.T
        return found

    def _whitening(self) -> tuple[Whitening, np.ndarray]:
        """The set's own, and its vectors after it."""
        if not self._whitened:
            made = Whitening.of(self.vectors, self.labels)
            self._whitened.append((made, made.apply(self.vectors)))
        return self._whitened[0]

    @property
    def clips(self) -> np.ndarray:
        """int64 (n,): equal where two pictures are of one clip."""
        return clip_numbers(self.names, len(self.vectors))

    def rows(self, chosen: np.ndarray) -> VectorSet:
        """The set of these rows alone, measured again."""
        names = tuple(self.names[row] for row in np.arange(len(self.vectors))[chosen]) if self.names else ()
        return VectorSet.of(self.space, self.vectors[chosen], self.labels[chosen], names)

    def cosines(self, queries: np.ndarray, space: str) -> np.ndarray:
        """float32 (Q, n) of `queries` (Q, D), which live in `space`.

        Raises:
            SpaceMismatchError: that is another space than the vectors'.
        """
        self._check_space(space)
        return unit(queries) @ self.vectors.T

    def _check_space(self, space: str) -> None:
        if space != self.space:
            raise SpaceMismatchError(
                f"vectors of different spaces: the bank's is {self.space[:16]}, the query's is {space[:16]}. Build the "
                "bank again with the weights and shapes that the cameras use."
            )

    def sizes(self, num_classes: int) -> np.ndarray:
        """int64 (C,) vectors per class."""
        return np.bincount(self.labels, minlength=num_classes)

    def thresholds(self, num_classes: int, false_unknown: float) -> np.ndarray:
        """float32 (C,) lowest cosines of what is still known: see `class_thresholds`."""
        asked = (num_classes, false_unknown)
        if asked not in self._thresholds:
            self._thresholds[asked] = class_thresholds(
                self.vectors,
                self.labels,
                self.clips,
                self.own,
                num_classes=num_classes,
                false_unknown=false_unknown,
            )
        return self._thresholds[asked]

    def leave_one_out(self, num_classes: int, *, vote: Vote, k: int, temperature: float) -> np.ndarray:
        """int64 (C, C): rows are true classes, columns what the vote of the pictures of all other clips says."""
        shares = self.shares_without_own_clip(num_classes, vote=vote, k=k, temperature=temperature)
        confusion = np.zeros((num_classes, num_classes), np.int64)
        told = np.isfinite(shares[:, 0])
        np.add.at(confusion, (self.labels[told], shares[told].argmax(axis=1)), 1)
        return confusion

    def shares_without_own_clip(self, num_classes: int, *, vote: Vote, k: int, temperature: float) -> np.ndarray:
        """float32 (n, C) vote shares of each vector by all other clips; NaN where its class has no other clip."""
        clips = self.clips
        is_own = clips[:, None] == clips[None]
        cosines = np.where(is_own, -np.inf, self.vectors @ self.vectors.T)
        left_out = np.zeros((len(clips), num_classes), np.int64)
        np.add.at(left_out.T, self.labels, is_own)  # (C, n): pictures of the own clip by class
        shares = np.full((len(clips), num_classes), np.nan, np.float32)
        has_others = ~is_own & (self.labels[:, None] == self.labels[None])
        asked = has_others.any(axis=1)
        if vote == "whitened":
            return self._whitened_without_own_clip(asked, num_classes)
        if asked.any():
            sizes = self.sizes(num_classes)[None] - left_out[asked]
            shares[asked] = vote_shares(cosines[asked], self.labels, sizes, vote=vote, k=k, temperature=temperature)
        return shares

    def _whitened_without_own_clip(self, asked: np.ndarray, num_classes: int) -> np.ndarray:
        """By folds of clips, since each has a whitening of its own that has not seen them."""
        folds = self.clips % MOST_FOLDS
        shares = np.full((len(folds), num_classes), np.nan, np.float32)
        for fold in np.unique(folds):
            out = folds == fold
            wanted = out & asked
            if wanted.any() and not out.all():
                names = tuple(name for name, is_out in zip(self.names, out, strict=False) if not is_out)
                rest = VectorSet(self.space, self.vectors[~out], self.labels[~out], self.own[~out], names)
                shares[wanted] = rest.shares(
                    self.vectors[wanted], self.space, num_classes, vote="whitened", k=1, temperature=1.0
                )
        return shares


def clip_of(name: str) -> str:
    """The clip of a picture `CLASS/CLIP/NAME.jpg`; a picture `CLASS/NAME.jpg` is a clip of its own."""
    folder, _, _ = name.rpartition("/")
    return folder if "/" in folder else name


def clip_numbers(names: Sequence[str], count: int) -> np.ndarray:
    """int64 (n,): equal where two pictures are of one clip; without names each is a clip of its own."""
    if not names:
        return np.arange(count)
    if len(names) != count:
        raise ValueError(f"names: expected one per vector, {count}, got {len(names)}")
    return np.unique([clip_of(name) for name in names], return_inverse=True)[1]
