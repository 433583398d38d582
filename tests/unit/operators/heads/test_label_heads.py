from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from operators.heads.base import FrameTokens
from operators.heads.classify import KnnLabels, parse_share
from operators.heads.config import KnnHead, SimilarityHead
from operators.heads.embedding import embedding, pool
from operators.heads.similarity import SimilarityLabels
from operators.retrieval.bank import Bank
from operators.retrieval.vectors import VectorSet

GRID = (2, 3)
LEFT = np.array([[1, 0, 0], [1, 0, 0]], bool)
RIGHT = np.array([[0, 0, 1], [0, 0, 1]], bool)
KNN = KnnHead(kind="knn", bank="b", k=2)
WANTED = SimilarityHead(kind="similarity", pictures="p")


def two_things() -> FrameTokens:
    """Patches on the left look like axis 0, on the right like axis 1, between them like axis 2."""
    patches = np.zeros((6, 4), np.float32)
    patches[[0, 3], 0] = 5.0
    patches[[2, 5], 1] = 3.0
    patches[[1, 4], 2] = 9.0
    return FrameTokens(np.array([0, 0, 0, 2], np.float32), patches, {}, GRID, "whole", "things")


def bank(*, with_things: bool = True) -> Bank:
    vectors, labels = np.eye(4, dtype=np.float32)[[0, 1, 3]], np.arange(3)
    things = VectorSet.of("things", vectors, labels)
    return Bank(
        ("forklift", "person", "truck"), VectorSet.of("whole", vectors, labels), things if with_things else None
    )


def test_pool_is_the_mean_of_the_patches_under_the_mask_alone() -> None:
    tokens = two_things()
    np.testing.assert_allclose(pool(tokens.patches, LEFT), [1, 0, 0, 0])
    np.testing.assert_allclose(pool(tokens.patches, LEFT | RIGHT), np.array([5, 3, 0, 0]) / np.hypot(5, 3), rtol=1e-6)


def test_embedding_has_length_one() -> None:
    found = embedding(np.array([3.0, 4.0], np.float32))
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, [0.6, 0.8], atol=1e-3)


def test_two_subjects_of_one_frame_get_their_own_labels() -> None:
    head, tokens = KnnLabels("vehicles", KNN, bank()), two_things()
    left, right = (head.of_subject(tokens, mask) for mask in (LEFT, RIGHT))
    assert left is not None
    assert right is not None
    assert (left.name, right.name) == ("forklift", "person")
    assert head.of_frame(tokens).name == "truck"
    assert sum(score for _, score in left.top) == pytest.approx(1.0)


def test_similarity_scores_are_cosines_of_frame_and_subject() -> None:
    head, tokens = SimilarityLabels("wanted", WANTED, bank()), two_things()
    assert head.of_frame(tokens).top[0] == ("truck", pytest.approx(1.0))
    subject = head.of_subject(tokens, LEFT | RIGHT)
    assert subject is not None
    assert subject.top[0] == ("forklift", pytest.approx(5 / np.hypot(5, 3)))


def test_a_bank_without_masks_gives_subjects_no_label() -> None:
    frames_only = bank(with_things=False)
    for head in (KnnLabels("v", KNN, frames_only), SimilarityLabels("w", WANTED, frames_only)):
        assert head.of_subject(two_things(), LEFT) is None


def test_shares_are_percent() -> None:
    assert parse_share("5%") == 0.05


def three_kinds(*, vote: Literal["whitened", "balanced"] = "whitened", with_things: bool = True) -> KnnLabels:
    """A bank of five things a class, each near an axis of its own."""
    rng = np.random.default_rng(3)
    vectors = np.repeat(np.eye(8, dtype=np.float32)[:3], 5, axis=0) + rng.normal(0, 0.1, (15, 8)).astype(np.float32)
    labels = np.repeat(np.arange(3), 5)
    things = VectorSet.of("things", vectors, labels) if with_things else None
    made = Bank(("forklift", "person", "truck"), VectorSet.of("whole", vectors, labels), things)
    return KnnLabels("vehicles", KnnHead(kind="knn", bank="b", vote=vote), made)


def side_by_side(left: int, right: int) -> FrameTokens:
    """2 x 6 patches: half of them near one axis, half near another."""
    patches = np.random.default_rng(4).normal(0, 0.1, (2, 6, 8)).astype(np.float32)
    patches[:, :3, left] += 1
    patches[:, 3:, right] += 1
    return FrameTokens(np.zeros(8, np.float32), patches.reshape(12, 8), {}, (2, 6), "whole", "things")


def test_a_group_that_the_bank_calls_two_things_is_cut() -> None:
    group = np.ones((2, 6), bool)
    parts = three_kinds().parts_of(side_by_side(1, 2), group)
    assert sorted(part.sum() for part in parts) == [6, 6]
    assert {tuple(part.any(axis=0)) for part in parts} == {(True,) * 3 + (False,) * 3, (False,) * 3 + (True,) * 3}


def test_a_group_is_one_thing_where_the_bank_calls_it_so_or_cannot_tell() -> None:
    group = np.ones((2, 6), bool)
    for head, tokens in (
        (three_kinds(), side_by_side(1, 1)),
        (three_kinds(), side_by_side(1, 7)),  # the right half is like nothing that it knows
        (three_kinds(vote="balanced"), side_by_side(1, 2)),
        (three_kinds(with_things=False), side_by_side(1, 2)),
    ):
        (whole,) = head.parts_of(tokens, group)
        np.testing.assert_array_equal(whole, group)
