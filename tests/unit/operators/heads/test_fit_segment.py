"""Segmenting heads on patches, judged on pixels."""

import numpy as np
import pytest

from operators.frames import fit
from operators.heads import fit_segment as module
from operators.heads.fit_parts import CHOSEN, FITTED, JUDGED
from operators.heads.fit_segment import UNKNOWN, fit_segment, ious, mean_iou, pixel_confusion, segment_truth
from operators.heads.head_about import HeadAbout

SIZE = (42, 56)
GRID = (3, 4)
DIM = 6
ABOUT = HeadAbout("patches", ("floor", "thing", "sky"), (8, 9, 10, 11), "f" * 64)


def scene(seed, told_by=(3,)):
    """float16 (4, N, D) patches that tell their class in the blocks `told_by`, and the mask."""
    rng = np.random.default_rng(seed)
    classes = rng.choice(3, GRID, p=(0.8, 0.1, 0.1))
    classes.flat[:3] = (0, 1, 2)
    tokens = rng.normal(size=(4, 12, DIM))
    for block in told_by:
        tokens[block] += 3 * np.eye(DIM)[classes.ravel()]
    return tokens.astype(np.float16), np.kron(classes, np.ones((14, 14))).astype(np.uint8)


def fitted(count=30, told_by=(3,), **kwargs):
    scenes = [scene(seed, told_by) for seed in range(count)]
    truths = [segment_truth(mask, fit(SIZE, SIZE), 3, 14) for _, mask in scenes]
    parts = np.select([np.arange(count) % 5 < 3, np.arange(count) % 5 == 3], [FITTED, CHOSEN], JUDGED)
    return fit_segment(lambda index: scenes[index][0], truths, parts, ABOUT, iterations=120, **kwargs), scenes, parts


def test_what_patches_tell_is_found_again_in_pixels():
    found, scenes, parts = fitted()
    assert (
        found.head.about.figures["mean_iou"] > 0.5
    )  # all of it floor would be 0.27; logits are enlarged smoothly: edges of 14 px things blur
    assert set(found.maps) == set(np.flatnonzero(parts == JUDGED))
    assert found.confusion.sum() == 6 * SIZE[0] * SIZE[1]
    hits = [answer[7::14, 7::14] == scenes[index][1][7::14, 7::14] for index, answer in found.maps.items()]
    assert np.mean(hits) > 0.85


def test_blocks_are_read_that_tell():
    assert fitted(told_by=(0,))[0].head.about.blocks == (8, 9, 10, 11)
    last = fitted()[0].head
    assert last.weight.shape == (3, DIM * len(last.about.blocks))


def test_memory_is_bounded_by_drawing_patches(monkeypatch):
    monkeypatch.setattr(module, "FEATURE_BYTES", 18 * 5 * 2 * 4 * DIM)  # five patches of each of 18 pictures
    found = fitted()[0]
    assert "90 patches drawn" in found.head.about.recipe


def test_pixels_of_no_class_are_neither_fitted_nor_judged():
    mask = np.full(SIZE, UNKNOWN, np.uint8)
    mask[:14, :14] = 1
    mask[:14, 14:20] = 2
    truth = segment_truth(mask, fit(SIZE, SIZE), 3, 14)
    assert truth.shares.sum() == 14 * 14 + 14 * 6
    assert truth.shares[0].tolist() == [0, 196, 0]
    assert truth.shares[1].tolist() == [0, 0, 84]
    assert pixel_confusion(truth.mask, np.zeros(SIZE, np.uint8), 3).tolist() == [[0, 0, 0], [196, 0, 0], [84, 0, 0]]


def test_intersection_over_union():
    table = np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]])
    np.testing.assert_allclose(ious(table), [6 / 9, 3 / 6, np.nan])
    assert mean_iou(table) == pytest.approx((6 / 9 + 0.5) / 2)


def test_the_lean_towards_what_is_frequent_is_chosen_where_it_helps():
    """Patches that tell nothing: the balanced fit would scatter rare classes everywhere."""
    found = fitted(told_by=())[0]
    assert found.confusion[:, 0].sum() > 0.5 * found.confusion.sum()
