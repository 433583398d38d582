"""`vote: paper` against Meta's own KnnModule on an unbalanced bank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from operators.retrieval.vectors import VectorSet, vote_shares

FILE = Path(__file__).with_name("meta_knn.npz")


@pytest.mark.parametrize("k", [5, 20, 165])
def test_paper_vote_equals_metas(k: int) -> None:
    with np.load(FILE) as golden:
        votes, labels = golden[f"votes{k}"], golden["labels"]
        cosines = VectorSet.of("s", golden["train"], labels).cosines(golden["queries"], "s")
    shares = vote_shares(cosines, labels, np.bincount(labels), vote="paper", k=k, temperature=0.07)
    np.testing.assert_allclose(shares, votes / votes.sum(axis=1, keepdims=True), atol=1e-5)


def test_the_golden_tells_the_votes_apart() -> None:
    with np.load(FILE) as golden:
        votes, labels = golden["votes20"], golden["labels"]
        cosines = VectorSet.of("s", golden["train"], labels).cosines(golden["queries"], "s")
    shares = vote_shares(cosines, labels, np.bincount(labels), vote="balanced", k=20, temperature=0.07)
    assert np.abs(shares - votes / votes.sum(axis=1, keepdims=True)).max() > 0.1
