from dataclasses import dataclass

import numpy as np
import pytest

from operators.frames import fit
from operators.heads.depth_linear import DepthAbout
from operators.heads.fit_depth import DepthFit, canonical_log_depth, depth_target

BLOCKS = (2, 5)
DIM = 6
GRID = (4, 5)
ABOUT = DepthAbout("log", BLOCKS, 260.0, (0.5, 40.0), "aa")


@dataclass
class Picture:
    rgb: np.ndarray
    depth: np.ndarray
    kind_map: np.ndarray


def pictures(count, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield {
            block: (
                rng.normal(size=(1, DIM)).astype(np.float32),
                (3 + rng.normal(size=(1, 20, DIM))).astype(np.float32),
            )
            for block in BLOCKS
        }


def linear_truth(taps, weight):
    features = [np.concatenate([taps[2][1][0, n], taps[2][0][0], taps[5][1][0, n], taps[5][0][0]]) for n in range(20)]
    return (np.stack(features) @ weight + 1.2).reshape(GRID)


def test_a_linear_relation_is_found_exactly():
    weight = 0.1 * np.random.default_rng(5).normal(size=4 * DIM)
    gathered = DepthFit(BLOCKS)
    for taps in pictures(60):
        gathered.add(taps, linear_truth(taps, weight), np.ones(GRID))
    head = gathered.solve(ABOUT, regularisation=1e-9)
    unseen = next(pictures(1, seed=9))
    np.testing.assert_allclose(np.log(head.predict(unseen, GRID))[0], linear_truth(unseen, weight), atol=1e-4)


def test_heavier_patches_pull_the_fit():
    def constant_fit(weight_of_second):
        gathered = DepthFit(BLOCKS)
        for index, taps in enumerate(pictures(2)):
            none = {block: (np.zeros_like(cls), np.zeros_like(patches)) for block, (cls, patches) in taps.items()}
            gathered.add(none, np.full(GRID, float(index)), np.full(GRID, [1.0, weight_of_second][index]))
        return float(gathered.solve(ABOUT).bias[0])

    assert constant_fit(1.0) == pytest.approx(0.5)
    assert constant_fit(4.0) == pytest.approx(0.8)


def test_nothing_cannot_be_fitted():
    with pytest.raises(ValueError, match="no picture"):
        DepthFit().solve(ABOUT)


def test_canonical_depth_is_that_of_the_reference_camera():
    assert np.exp(canonical_log_depth(np.log(4.0), 520.0)) == pytest.approx(2.0)
    assert np.exp(canonical_log_depth(np.log(100.0), 260.0)) == pytest.approx(40.0)


def test_target_of_a_patch_is_the_movers_depth_where_it_fills_most_of_it():
    size = (28, 42)
    depth, kinds = np.full(size, 8.0, np.float32), np.zeros(size, np.uint8)
    kinds[:, :8] = 1  # 8 of 14 columns of the first patches
    kinds[:, 28:33] = 2  # 5 of 14 of the last
    depth[kinds > 0] = 3.0
    target = depth_target(Picture(np.zeros((*size, 3), np.uint8), depth, kinds), fit(size, size), 14)
    np.testing.assert_allclose(np.exp(target.log_depth), [[3, 8, 8]] * 2, rtol=1e-6)
    np.testing.assert_allclose(target.mover_share, [[8 / 14, 0, 5 / 14]] * 2)
