from dataclasses import replace

import numpy as np
import pytest

from operators.results import ViewSample
from operators.scene.empty_view import EmptyView, build_view
from operators.scene.light_free import QUANTILE, TYPICAL_THRESHOLD, LightFree
from operators.scene.subjects import view_tokens

PATCHES, SIZE = 400, 16


def looks(light: int, sample: int = 0) -> np.ndarray:
    """(N, D): the same place in every light, which moves each patch along the last direction alone, and noise."""
    place = np.random.default_rng(0).normal(size=(PATCHES, SIZE))
    place[:, -1] += np.random.default_rng([1, light]).normal(size=PATCHES)
    return view_tokens(place + 0.02 * np.random.default_rng([2, light, sample]).normal(size=place.shape))


def lights(count: int) -> list[np.ndarray]:
    return [np.stack([looks(light, sample) for sample in range(3)]) for light in range(count)]


def view(count: int) -> EmptyView:
    depth = np.zeros((20, 20), np.float16)
    return build_view([[ViewSample(depth, tokens, 100.0) for tokens in light] for light in lights(count)])


def moved(direction: int, patches: slice) -> np.ndarray:
    tokens = looks(0).astype(np.float32)
    tokens[patches, direction] += 0.3
    return view_tokens(tokens)


def test_what_the_light_does_is_hardly_new_and_anything_else_is():
    learnt, some = view(4), slice(0, 40)
    by_light, by_thing = (learnt.newness(moved(direction, some))[some] for direction in (SIZE - 1, 0))
    assert np.median(by_thing) > 20 * np.median(by_light)
    by_light, by_thing = (learnt.novelty(moved(direction, some))[some] for direction in (SIZE - 1, 0))
    assert np.median(by_thing) < 10 * np.median(by_light), "the cosine tells them apart less well"


def test_two_lights_say_too_little_and_looks_are_compared_by_the_cosine():
    learnt = view(2)
    assert learnt.light_free is None
    np.testing.assert_allclose(learnt.newness(looks(7)), learnt.novelty(looks(7)) / learnt.thresholds)


def test_distances_are_those_to_the_nearest_reference_at_the_same_patch():
    learnt = view(3)
    assert learnt.light_free is not None
    apart = learnt.references.astype(np.float64) - looks(7).astype(np.float64)
    expected = np.einsum("knd,de,kne->kn", apart, learnt.light_free.weights.astype(np.float64), apart).min(axis=0)
    found = learnt.light_free.distances(learnt.references, looks(7).astype(np.float32))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_threshold_lies_between_the_lights_own_and_the_typical_one():
    samples = [light.astype(np.float32) for light in lights(3)]
    own: list[np.ndarray] = []
    for left_out in range(3):
        others = [light for index, light in enumerate(samples) if index != left_out]
        # A third light, equal to the first, leaves the scatter as it is and is no nearer.
        metric = LightFree.learnt([others[0], others[1], others[0], others[1]])
        assert metric is not None
        apart = [other.mean(axis=0) - tokens for other in others for tokens in samples[left_out]]
        squared = [np.einsum("nd,de,ne->n", each, metric.weights, each) for each in apart]
        own.append(np.minimum(squared[:3], squared[3:]).ravel())
    learnt = LightFree.learnt(samples)
    assert learnt is not None
    expected = np.sqrt(TYPICAL_THRESHOLD * np.quantile(np.concatenate(own), QUANTILE))
    assert learnt.threshold == pytest.approx(expected, rel=1e-3)


def test_where_the_whole_frame_is_strange_a_patch_must_be_newer():
    learnt = view(4)
    one, all_moved = (moved(0, patches) for patches in (slice(0, 1), slice(None)))
    assert learnt.newness(all_moved)[0] < 0.75 * learnt.newness(one)[0]
    truck = moved(0, slice(0, PATCHES * 7 // 10))
    assert learnt.newness(truck)[0] == pytest.approx(learnt.newness(one)[0], rel=1e-6), "a quarter is as ever"


def test_lights_that_are_all_alike_leave_a_threshold():
    tokens = np.stack([looks(0)] * 3)
    learnt = LightFree.learnt([tokens, tokens, tokens])
    assert learnt is not None
    assert learnt.threshold > 0
    references = np.concatenate([tokens] * 3).astype(np.float32)
    assert np.isfinite(learnt.newness(references, moved(0, slice(0, 1)))).all()


def test_a_view_read_back_judges_as_before():
    learnt = view(3)
    again = EmptyView.from_bytes(learnt.to_bytes())
    np.testing.assert_array_equal(again.newness(looks(7)), learnt.newness(looks(7)))
    older = EmptyView.from_bytes(replace(learnt, light_free=None).to_bytes())
    np.testing.assert_allclose(older.newness(looks(7)), older.novelty(looks(7)) / older.thresholds)


def test_tokens_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"as in the view, got \(3, 16\)"):
        view(3).newness(np.zeros((3, SIZE), np.float16))
