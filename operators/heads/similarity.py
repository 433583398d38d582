"""`kind: similarity`: cosine to the nearest of a few wanted pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from operators.heads.base import FrameTokens
from operators.heads.classify import TOP
from operators.heads.config import SimilarityHead
from operators.heads.embedding import pool
from operators.results import Label
from operators.retrieval.bank import Bank


@dataclass(frozen=True, slots=True)
class SimilarityLabels:
    """Scores are cosines, -1 to 1, not shares."""

    name: str
    config: SimilarityHead
    bank: Bank
    blocks: frozenset[int] = frozenset()
    normed_blocks: frozenset[int] = frozenset()
    is_of_things: bool = False

    def off_recipe(self, shape: tuple[int, int]) -> str | None:
        """None: wanted pictures are embedded at the shape of the cameras."""
        del shape
        return None

    def of_frame(self, tokens: FrameTokens) -> Label:
        """Nearest whole picture per class."""
        return Label(self.name, self.bank.nearest(tokens.cls[None], tokens.cls_space)[0][:TOP])

    def of_subject(self, tokens: FrameTokens, mask: np.ndarray) -> Label | None:
        """Nearest thing per class; None where the bank was built without masks."""
        if self.bank.pooled is None:
            return None
        vector = pool(tokens.patches, mask)[None]
        return Label(self.name, self.bank.nearest(vector, tokens.pooled_space, pooled=True)[0][:TOP])
