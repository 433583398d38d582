from dataclasses import replace

import numpy as np
import pytest

from operators.results import ViewSample
from operators.scene.by_looks import NEW_LOOKS, subjects_by_looks
from operators.scene.empty_view import build_view

GRID = (8, 14)
CAR = (slice(2, 5), slice(3, 6))
VAN = (slice(5, 8), slice(9, 12))


def scene(*novelty_at, seed=0, dimensions=64):
    """float16 (N, D): patches of one floor; of each (place, novelty), what is that unlike it."""
    floor = np.zeros((*GRID, dimensions), np.float32)
    floor[..., 0] = 1.0
    floor[..., 1:] += 0.01 * np.random.default_rng(seed).normal(size=(*GRID, dimensions - 1))
    for place, novelty in novelty_at:
        floor[place] = 0.0
        floor[place][..., 0] = 1.0 - novelty
        floor[place][..., 1] = np.sqrt(1.0 - (1.0 - novelty) ** 2)
    floor /= np.linalg.norm(floor, axis=-1, keepdims=True)
    return floor.reshape(-1, dimensions).astype(np.float16)


def view(*lights):
    return build_view([[ViewSample(None, tokens, 100.0)] for tokens in lights or (scene(seed=1),)])


def test_what_looks_new_is_a_subject_without_depth_and_without_distances():
    found = subjects_by_looks(view(), scene((CAR, 0.9), (VAN, 0.8)), GRID)
    assert [each.distances for each in found] == [(), ()]
    assert [each.box for each in found] == [(9 / 14, 5 / 8, 12 / 14, 1.0), (3 / 14, 2 / 8, 6 / 14, 5 / 8)]
    assert [int(each.mask.sum()) for each in found] == [9, 9]


@pytest.mark.parametrize(("novelty", "count"), [(NEW_LOOKS - 0.05, 0), (NEW_LOOKS + 0.05, 1)])
def test_a_floor_that_only_changes_with_the_light_is_no_subject_even_after_one_light(novelty, count):
    assert view().is_one_light
    assert len(subjects_by_looks(view(), scene((CAR, novelty)), GRID)) == count


def test_lights_that_differ_more_ask_for_more():
    learnt = replace(view(scene(seed=1), scene(seed=2)), thresholds=np.full(GRID[0] * GRID[1], 0.7, np.float32))
    assert subjects_by_looks(learnt, scene((CAR, 0.65)), GRID) == []
    assert len(subjects_by_looks(learnt, scene((CAR, 0.75)), GRID)) == 1


def test_two_patches_are_noise():
    assert subjects_by_looks(view(), scene(((slice(2, 3), slice(3, 5)), 0.9)), GRID) == []


def test_what_touches_is_cut_by_what_it_is_called():
    halves = []
    for columns in (slice(3, 6), slice(6, 9)):
        halves.append(np.zeros(GRID, bool))
        halves[-1][2:5, columns] = True
    found = subjects_by_looks(view(), scene(((slice(2, 5), slice(3, 9)), 0.9)), GRID, lambda _: halves)
    assert [each.box[0] for each in found] == [3 / 14, 6 / 14]
