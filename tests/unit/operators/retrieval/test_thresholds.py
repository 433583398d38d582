from __future__ import annotations

import numpy as np
import pytest

from operators.retrieval.bank import Bank
from operators.retrieval.left_out import leave_out_clips
from operators.retrieval.thresholds import class_thresholds, nearness_if_small
from operators.retrieval.vectors import VectorSet
from tests.unit.operators.retrieval.test_left_out import SPACE, clips


def cut(stock: VectorSet, label: int, num_clips: int, first: int = 0) -> VectorSet:
    """The class `label` with only these of its clips."""
    kept = [f"{label}/clip{number}/" for number in range(first, first + num_clips)]
    rows = [not name.startswith(f"{label}/") or name.startswith(tuple(kept)) for name in stock.names]
    return stock.rows(np.array(rows))


def test_five_frames_of_one_clip_are_as_near_to_new_clips_as_was_promised():
    """By themselves they know nothing of how clips differ; a threshold of forty clips is far too strict."""
    borrowed, as_the_large = [], []
    for seed in range(12):
        stock = clips(seed, per_class=40, classes=3)
        few = cut(stock, 2, 1)
        new = stock.rows(np.array([name.startswith("2/") and "/clip0/" not in name for name in stock.names]))
        nearest = (new.vectors @ few.vectors[few.labels == 2].T).max(axis=1)
        thresholds = few.thresholds(3, 0.1)
        borrowed.append((nearest < thresholds[2]).mean())
        as_the_large.append((nearest < thresholds[:2].min()).mean())
    assert abs(np.mean(borrowed) - 0.1) < 0.06
    assert np.mean(as_the_large) > 0.3


def test_a_class_of_few_clips_borrows_from_large_classes_cut_to_its_size():
    stock = cut(clips(4, per_class=12, classes=3), 2, 2)
    found = stock.thresholds(3, 0.1)
    lent = []
    for label in range(2):
        rows = stock.labels == label
        values = np.sort(nearness_if_small(stock.vectors[rows], stock.clips[rows], 2, 5))
        lent.append(values[int(0.1 * (values.size + 1)) - 1])
        own = np.sort(stock.own[rows])
        assert found[label] == pytest.approx(own[int(0.1 * (own.size + 1)) - 1])
    assert found[2] == pytest.approx(np.mean(lent))
    assert found[2] < found[:2].min()


def test_cutting_a_class_asks_every_picture_that_is_left_and_none_of_what_is_kept():
    vectors = np.eye(8, dtype=np.float32)
    of = np.repeat(np.arange(4), 2)
    values = nearness_if_small(vectors, of, 1, 1)
    assert values.shape == (4 * 6,)  # each clip once, asked about by the other three
    assert values.max() == 0.0  # nobody meets itself
    assert nearness_if_small(vectors, of, 3, 2).shape == (4 * 2,)


def test_without_a_large_class_the_lowest_that_is_known_holds():
    vectors, labels, of = np.eye(10, dtype=np.float32), np.repeat([0, 1], 5), np.arange(10)
    own = np.array([0.5, 0.6, 0.7, 0.8, 0.9] + [np.nan] * 5, np.float32)
    assert class_thresholds(vectors, labels, of, own, num_classes=2, false_unknown=0.05).tolist() == [0.5, -1.0]
    nothing = np.full(10, np.nan, np.float32)
    found = class_thresholds(vectors, labels, of, nothing, num_classes=3, false_unknown=0.05)
    assert found.tolist() == [-1.0, -1.0, -1.0]  # one has no picture


def test_a_report_leaves_clips_out_of_what_is_borrowed_too():
    for seed in range(3):
        stock = cut(clips(seed, per_class=7, frames=5, classes=3), 2, 2)
        left = leave_out_clips(stock, 3, vote="balanced", k=20, temperature=0.07, false_unknown=0.4)
        for clip in np.unique(stock.clips):
            out = stock.clips == clip
            votes = Bank(("a", "b", "c"), stock.rows(~out)).vote(
                stock.vectors[out], SPACE, vote="balanced", false_unknown=0.4
            )
            assert [vote.is_unknown for vote in votes] == left.is_unknown[out].tolist()


def test_without_a_large_class_one_of_few_clips_and_many_pictures_speaks_for_itself():
    stock = clips(2, per_class=3, frames=10, classes=2)
    own = np.sort(stock.own[stock.labels == 0])
    assert stock.thresholds(2, 0.1)[0] == pytest.approx(own[2])
