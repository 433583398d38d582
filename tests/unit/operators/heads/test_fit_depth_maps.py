"""Depth heads on measured depth."""

from dataclasses import replace

import numpy as np
import pytest

from operators.frames import fit
from operators.heads.depth_about import DepthAbout
from operators.heads.fit_depth_maps import DepthPictures, DepthTruth, depth_truth, fit_depth_maps
from operators.heads.fit_parts import CHOSEN, FITTED, JUDGED

SIZE = (42, 56)
GRID = (3, 4)
DIM = 5
ABOUT = DepthAbout("log", (0, 1), 0.0, (0.0, 0.0), "f" * 64)


def pictures(count=40, focal=None, noise=0.0):
    """Patches whose first value is the log of the depth that a camera of focal length 100 would see."""
    rng = np.random.default_rng(6)
    taps, truths = [], []
    for _ in range(count):
        patches = rng.normal(size=(2, 1, 12, DIM)).astype(np.float32)
        logs = 1.0 + 0.5 * patches[0, 0, :, 0].reshape(GRID) + noise * rng.normal(size=GRID)
        own = 100.0 if focal is None else focal(rng)
        logs += np.log(own / 100.0)
        metres = np.exp(np.kron(logs, np.ones((14, 14)))).astype(np.float32)
        cls = rng.normal(size=(2, 1, DIM)).astype(np.float32)
        taps.append({block: (cls[block], patches[block]) for block in (0, 1)})
        truths.append(DepthTruth(logs.astype(np.float32), metres, None if focal is None else own))
    fifths = np.arange(count) % 5
    of_picture = np.select([fifths < 3, fifths == 3], [FITTED, CHOSEN], JUDGED)
    return DepthPictures(taps.__getitem__, truths, [np.full(GRID, part, np.int8) for part in of_picture])


def test_depth_that_the_tokens_tell_is_found():
    found = fit_depth_maps(pictures(), ABOUT)
    centres = [np.abs(np.log(said / wanted))[7::14, 7::14].max() for said, wanted in _judged(found)]
    assert max(centres) < 0.15
    assert found.errors.delta1 > 0.65
    assert found.head.about.figures["rmse_metres"] == found.errors.rmse_metres
    assert found.head.about.range_metres[0] < 1.0 < found.head.about.range_metres[1]


def _judged(found):
    given = pictures()
    return [(metres, given.truths[index].metres) for index, metres in found.maps.items()]


def test_noise_is_held_back_by_the_ridge_that_the_chosen_part_prefers():
    assert "lambda 0.001" in fit_depth_maps(pictures(), ABOUT).head.about.recipe
    noisy = fit_depth_maps(pictures(count=15, noise=3.0), ABOUT).head.about.recipe
    assert "lambda 0.001" not in noisy


def test_judged_pictures_change_nothing_but_the_figures():
    given = pictures()
    before = fit_depth_maps(given, ABOUT)
    truths = [
        replace(truth, log_depth=truth.log_depth + 1, metres=truth.metres * np.e) if part.flat[0] == JUDGED else truth
        for truth, part in zip(given.truths, given.parts, strict=True)
    ]
    after = fit_depth_maps(replace(given, truths=truths), ABOUT)
    np.testing.assert_array_equal(before.head.weight, after.head.weight)
    assert after.errors.abs_rel > before.errors.abs_rel + 0.3


def test_focal_lengths_are_taken_out_of_the_metres():
    of_many = pictures(focal=lambda rng: float(rng.uniform(50, 400)))
    about = replace(ABOUT, reference_focal_px=100.0)
    assert fit_depth_maps(of_many, about).errors.delta1 > 0.65
    blind = replace(of_many, truths=[replace(each, focal_px=None) for each in of_many.truths])
    assert fit_depth_maps(blind, about).errors.delta1 < 0.5


def test_one_scene_leaves_the_class_token_out():
    found = fit_depth_maps(pictures(count=5), ABOUT, is_one_scene=True)
    of_cls = found.head.weight.reshape(2, 2, DIM)[:, 1]
    assert not of_cls.any()
    assert "class token is left out" in found.head.about.recipe


def test_unknown_depth_is_no_depth():
    metres = np.zeros(SIZE, np.float32)
    metres[:14, :28] = 2.0
    metres[:14, 14:22] = 0.0  # more than half of the second patch
    truth = depth_truth(metres, fit(SIZE, SIZE), 90.0, 14)
    assert np.isfinite(truth.log_depth).tolist() == [[True, False, False, False], [False] * 4, [False] * 4]
    assert truth.log_depth[0, 0] == pytest.approx(np.log(2))
    assert truth.focal_px == pytest.approx(28.0)


def test_a_part_without_depth_is_refused():
    given = pictures()
    parts = [np.full(GRID, FITTED, np.int8)] * 40
    with pytest.raises(ValueError, match="to be judged on"):
        fit_depth_maps(replace(given, parts=parts), ABOUT)
