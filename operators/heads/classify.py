"""`kind: knn`: the vote of a bank's nearest pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from operators.heads.base import FrameTokens
from operators.heads.config import KnnHead
from operators.heads.embedding import pool
from operators.results import Label
from operators.retrieval.bank import Bank
from operators.scene.cut_by_class import cut_by_class

TOP = 5
"""Classes that a label carries."""


def parse_share(text: str) -> float:
    """`5%` to 0.05."""
    return float(text.strip().removesuffix("%")) / 100


@dataclass(frozen=True, slots=True)
class KnnLabels:
    """Labels by vote. The class token speaks for the frame, the mean of a subject's own patches for the subject.

    A bank is of things: `is_of_things`, with masks or without.
    """

    name: str
    config: KnnHead
    bank: Bank
    blocks: frozenset[int] = frozenset()
    normed_blocks: frozenset[int] = frozenset()
    is_of_things: bool = True

    def off_recipe(self, shape: tuple[int, int]) -> str | None:
        """None: a bank fits its shape or is refused."""
        del shape
        return None

    def of_frame(self, tokens: FrameTokens) -> Label:
        """Vote of whole pictures."""
        return self._label(tokens.cls, tokens.cls_space, pooled=False)

    def of_subject(self, tokens: FrameTokens, mask: np.ndarray) -> Label | None:
        """Vote of the things in pictures; None where the bank was built without masks."""
        if self.bank.pooled is None:
            return None
        return self._label(pool(tokens.patches, mask), tokens.pooled_space, pooled=True)

    def parts_of(self, tokens: FrameTokens, mask: np.ndarray) -> list[np.ndarray]:
        """The group of patches, bool (h, w), in parts that the bank calls differently: a person before a truck.

        Only with `vote: whitened` and a bank with masks; else the group alone.
        """
        pooled = self.bank.pooled
        if pooled is None or self.config.vote != "whitened":
            return [mask]
        num_classes = len(self.bank.classes)
        scores = np.zeros((*mask.shape, num_classes), np.float32)
        scores[mask] = pooled.likeness(tokens.patches[mask.ravel()], tokens.pooled_space, num_classes)

        def is_called(part: np.ndarray, index: int) -> bool:
            label = self._label(pool(tokens.patches, part), tokens.pooled_space, pooled=True)
            return label.name == self.bank.classes[index]

        return cut_by_class(mask, scores, is_called)

    def _label(self, vector: np.ndarray, space: str, *, pooled: bool) -> Label:
        votes = self.bank.vote(
            vector[None],
            space,
            pooled=pooled,
            vote=self.config.vote,
            k=self.config.k,
            temperature=self.config.temperature,
            false_unknown=parse_share(self.config.unknown.false_unknown),
        )[0]
        return Label(self.name, votes.shares[:TOP], is_unknown=votes.is_unknown)
