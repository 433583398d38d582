"""The vector that is published, and the one that stands for a subject."""

from __future__ import annotations

import numpy as np

from operators.retrieval.vectors import unit


def embedding(cls: np.ndarray) -> np.ndarray:
    """Float (D,) class token after the final norm to float16 (D,), L2-normalised."""
    return unit(cls).astype(np.float16)


def pool(patches: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """float32 (D,): mean of the patch tokens under a mask, L2-normalised.

    Args:
        patches: float (N, D) after the final norm, row-major.
        mask: bool (h, w), not empty.
    """
    return unit(patches[mask.ravel()].mean(axis=0))
