import numpy as np
import pytest
from safetensors.numpy import save

from operators.results import ViewSample
from operators.scene.empty_view import EmptyView, build_view
from operators.scene.subjects import view_tokens
from operators.tensor_file import to_tensor_bytes

GRID = (4, 6)


def sample(seed: int, depth: float = 5.0, luma: float = 100.0, spread: float = 0.05) -> ViewSample:
    """Tokens of a scene (always the same directions) with `spread` noise by seed."""
    scene = np.random.default_rng(0).normal(size=(24, 16))
    noise = np.random.default_rng(seed).normal(size=(24, 16))
    return ViewSample(np.full(GRID, np.log(depth), np.float16), view_tokens(scene + spread * noise), luma)


def test_novelty_is_one_minus_the_best_cosine_at_the_same_patch():
    references = np.zeros((2, 24, 16), np.float16)
    references[0, :, 0] = 1.0
    references[1, :, 1] = 1.0
    view = EmptyView(np.zeros(GRID, np.float32), references, np.full(24, 0.5, np.float32), 2)
    tokens = np.zeros((24, 16), np.float16)
    tokens[:, 2] = 1.0
    tokens[0] = references[1, 0]
    tokens[1, :3] = [0.6, 0.0, 0.8]
    novelty = view.novelty(tokens)
    assert novelty[0] == pytest.approx(0.0, abs=1e-3)
    assert novelty[1] == pytest.approx(0.4, abs=1e-3)
    assert novelty[2] == pytest.approx(1.0)


def test_novelty_refuses_tokens_of_another_shape():
    view = build_view([[sample(1)], [sample(2)]])
    with pytest.raises(ValueError, match=r"as in the view, got \(23, 16\)"):
        view.novelty(np.zeros((23, 16), np.float16))


def test_threshold_is_the_quantile_against_the_other_lights_only():
    lights = [[sample(seed) for seed in range(10 * light, 10 * light + 3)] for light in range(3)]
    view = build_view(lights)
    expected = []
    for left_out in range(3):
        others = np.stack([s.tokens for i, light in enumerate(lights) for s in light if i != left_out])
        for s in lights[left_out]:
            cosines = (others.astype(np.float64) * s.tokens.astype(np.float64)).sum(-1)
            expected.append(1 - cosines.max(0))
    assert view.thresholds[0] == pytest.approx(np.quantile(np.concatenate(expected), 0.999), rel=1e-3)
    # With the light's own samples among the references it would be 0.
    assert view.thresholds[0] > 1e-4


def test_one_light_leaves_nothing_to_tokens():
    view = build_view([[sample(1), sample(2), sample(3)]])
    assert view.is_one_light
    assert np.isinf(view.thresholds).all()


def test_a_passer_by_is_not_learnt():
    passing = [sample(seed) for seed in range(5)]
    stranger = view_tokens(np.random.default_rng(99).normal(size=(24, 16)))
    passing[2].tokens[7] = stranger[7]
    passing[2].log_depth[1, 1] = np.log(2.0)  # patch 7, nearer than the floor
    view = build_view([passing, [sample(20), sample(21), sample(22)]])
    assert view.log_depth[1, 1] == pytest.approx(np.log(5.0), abs=1e-2)
    assert view.novelty(stranger)[7] > 0.3


def test_closer_by_is_a_share_and_invalid_depth_is_not_closer():
    view = build_view([[sample(1, depth=10.0)], [sample(2, depth=10.0)]])
    depth = np.full(GRID, np.log(9.0))
    depth[0, 0] = np.nan
    closer = view.closer_by(depth)
    assert closer[0, 0] == 0.0
    assert closer[1, 1] == pytest.approx(0.1, abs=2e-3)


def test_bytes_carry_everything():
    view = build_view([[sample(1)], [sample(2)]], made_by="abc")
    again = EmptyView.from_bytes(view.to_bytes())
    np.testing.assert_array_equal(again.references, view.references)
    np.testing.assert_array_equal(again.log_depth, view.log_depth)
    np.testing.assert_array_equal(again.thresholds, view.thresholds)
    assert (again.num_lights, again.made_by) == (2, "abc")


def test_other_bytes_are_refused():
    with pytest.raises(ValueError, match="not a file that this program wrote"):
        EmptyView.from_bytes(save({"a": np.zeros(1, np.float32)}))
    with pytest.raises(ValueError, match="kind 'empty_view', got 'bank'"):
        EmptyView.from_bytes(to_tensor_bytes("bank", {"a": np.zeros(1, np.float32)}, {}))
    with pytest.raises(ValueError, match="not safetensors"):
        EmptyView.from_bytes(b"nonsense that is long enough")


def test_a_view_needs_samples_of_one_shape():
    with pytest.raises(ValueError, match="at least one sample"):
        build_view([[], []])
    other = ViewSample(np.zeros((2, 2), np.float16), np.zeros((4, 16), np.float16), 1.0)
    with pytest.raises(ValueError, match="one shape"):
        build_view([[sample(1)], [other]])
