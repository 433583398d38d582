import numpy as np
import pytest

from operators.zones import coverage, crossing_edges, touches, zone_depth, zone_mask

SQUARE = [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]
BOW_TIE = [(0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)]


def test_coverage_of_a_square_on_patch_borders_is_exact():
    expected = np.zeros((4, 8), np.float32)
    expected[1:3, 2:6] = 1.0
    np.testing.assert_array_equal(coverage(SQUARE, (4, 8)), expected)
    np.testing.assert_array_equal(coverage(SQUARE[::-1], (4, 8)), expected)


def test_coverage_of_a_partly_covered_patch_is_its_share():
    upper_left = coverage([(0, 0), (0.5, 0), (0.5, 1), (0, 1)], (1, 1))
    assert upper_left[0, 0] == pytest.approx(3 / 7)  # 3 of 7 sample columns lie left of the middle
    triangle = coverage([(0, 0), (1, 0), (0, 1)], (16, 28))
    assert triangle.mean() == pytest.approx(0.5, abs=0.01)


def test_a_subject_touches_a_zone_with_half_a_patch():
    zone = [(3 / 8, 2 / 4), (4 / 8, 2 / 4), (4 / 8, 3 / 4), (3 / 8, 3 / 4)]  # exactly patch (2, 3)
    mask = np.zeros((4, 8), bool)
    mask[1, 3] = True
    assert not touches(mask, zone)
    mask[2, 3] = True
    assert touches(mask, zone)
    assert zone_mask(zone, (4, 8)).sum() == 1
    narrow = [(3 / 8, 2 / 4), (3.4 / 8, 2 / 4), (3.4 / 8, 3 / 4), (3 / 8, 3 / 4)]
    assert not touches(mask, narrow)


def test_crossing_edges():
    assert crossing_edges(SQUARE) is None
    assert crossing_edges([(0, 0), (1, 0), (0, 1)]) is None
    assert crossing_edges(BOW_TIE) == (0, 2)
    touching = [(0, 0), (1, 0), (1, 1), (0.5, 0.0), (0, 1)]  # a corner lies on another edge
    assert crossing_edges(touching) is not None


def test_zone_depth_counts_only_valid_patches_inside():
    depth = np.full((4, 8), 50.0, np.float16)
    depth[1:3, 2:6] = np.array([[1, 2, 3, 4], [5, 6, np.nan, np.nan]], np.float16)
    found = zone_depth(depth, SQUARE)
    assert found.median == 3.5
    assert found.p05 == pytest.approx(1.25)
    assert found.valid_share == 0.75


def test_zone_depth_of_nothing_is_not_a_number():
    found = zone_depth(np.full((4, 8), np.nan, np.float16), SQUARE)
    assert np.isnan(found.p05)
    assert np.isnan(found.median)
    assert found.valid_share == 0.0


def test_statistics_of_a_zone_are_those_of_numpy_to_the_last_bit():
    rng = np.random.default_rng(0)
    whole = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    for count in range(1, 120):
        depth = rng.normal(6.0, 3.0, (1, count)).astype(np.float16)
        found = zone_depth(depth, whole)
        values = depth.astype(np.float64)
        assert (found.p05, found.median) == (np.percentile(values, 5), np.median(values))
