from __future__ import annotations

import numpy as np
import pytest

from operators.retrieval.small_classes import allowances, cuts
from operators.retrieval.vectors import VectorSet
from operators.retrieval.whitening import NEAREST
from tests.unit.operators.retrieval.test_left_out import SPACE, clips
from tests.unit.operators.retrieval.test_thresholds import cut

APART = 0.5
"""Classes lie nearer to each other than clips of one class do."""


def recalls(few: VectorSet, asked: VectorSet, *, is_heard_as_large: bool) -> np.ndarray:
    if not is_heard_as_large:
        few._allowances[3] = np.zeros(3, np.float32)
    best = few.shares(asked.vectors, SPACE, 3, vote="whitened", k=1, temperature=1.0).argmax(axis=1)
    return np.array([(best[asked.labels == label] == label).mean() for label in range(3)])


def test_a_class_of_one_clip_is_recognised_more_often_for_less_than_others_lose() -> None:
    gained, lost = [], []
    for seed in range(12):
        stock = clips(seed, per_class=24, classes=3, apart=APART)
        is_new = np.array([int(name.split("/")[1].removeprefix("clip")) >= 12 for name in stock.names])
        asked, few = stock.rows(is_new), cut(stock.rows(~is_new), 2, 1)
        change = recalls(few, asked, is_heard_as_large=True) - recalls(
            cut(stock.rows(~is_new), 2, 1), asked, is_heard_as_large=False
        )
        gained.append(change[2])
        lost.append(-change[:2].mean())
    assert np.mean(gained) > 0.03
    assert np.mean(gained) > np.mean(lost)


def test_what_is_lent_is_what_large_classes_lose_when_they_are_cut() -> None:
    stock = cut(clips(3, per_class=8, frames=5, classes=2), 1, 2)
    found = allowances(stock.vectors, stock.labels, stock.clips, 2)
    mine, others = stock.vectors[stock.labels == 0], stock.vectors[stock.labels == 1]
    of = stock.clips[stock.labels == 0]
    losses = []
    for few, rest in cuts(of, 2, 5):
        own = [
            _nearest(each, mine[of != clip]) - _nearest(each, mine[few])
            for each, clip in zip(mine[rest], of[rest], strict=True)
        ]
        strange = [_nearest(each, mine) - _nearest(each, mine[few]) for each in others]
        losses.append((np.mean(own) + np.mean(strange)) / 2)
    assert found[0] == 0
    assert found[1] == pytest.approx(np.mean(losses), rel=1e-4)
    assert found[1] > 0.01


def _nearest(query: np.ndarray, vectors: np.ndarray) -> float:
    return float(np.sort(vectors @ query)[-NEAREST:].mean())


def test_nothing_is_lent_among_classes_of_one_size() -> None:
    large, small = clips(1, per_class=6, classes=2), clips(1, per_class=5, classes=2)
    assert not allowances(large.vectors, large.labels, large.clips, 2).any()
    assert not allowances(small.vectors, small.labels, small.clips, 3).any()  # one has no picture


def test_a_report_lends_as_the_bank_without_the_clip_would() -> None:
    stock = cut(clips(5, per_class=7, frames=4, classes=2), 1, 2)
    left = stock.shares_without_own_clip(2, vote="whitened", k=1, temperature=1.0)
    for clip in np.unique(stock.clips):  # fewer clips than folds: each is left out alone
        out = stock.clips == clip
        shares = stock.rows(~out).shares(stock.vectors[out], SPACE, 2, vote="whitened", k=1, temperature=1.0)
        np.testing.assert_allclose(left[out], shares, atol=1e-5)
