import numpy as np

from operators.scene import grouping


def split_subjects(candidates, ground):
    """All parts of all groups."""
    return [part for parts in grouping.split_subjects(candidates, ground) for part in parts]


def grid(shape=(8, 12), *blocks):
    mask = np.zeros(shape, bool)
    for rows, columns in blocks:
        mask[rows, columns] = True
    return mask


LEFT, EDGE, RIGHT = (slice(2, 6), slice(1, 5)), (slice(2, 6), slice(5, 6)), (slice(2, 6), slice(6, 10))


def test_groups_are_8_connected():
    ground = np.full((4, 6), 5.0)
    diagonal = np.zeros((4, 6), bool)
    diagonal[[0, 1, 2, 1], [1, 2, 3, 0]] = True
    groups = split_subjects(diagonal, ground)
    assert [int(group.sum()) for group in groups] == [4]
    apart = np.zeros((4, 6), bool)
    apart[0:3, 5] = apart[1:4, 0] = True  # neighbours in memory only
    assert len(split_subjects(apart, ground)) == 2
    assert split_subjects(np.zeros((4, 6), bool), ground) == []


def test_two_things_whose_common_patches_lie_between_them_are_two():
    candidates = grid((8, 12), LEFT, EDGE, RIGHT)
    ground = np.full((8, 12), 3.0)
    ground[EDGE], ground[RIGHT] = 3.7, 4.7  # no step is a jump, the two ends are 0.45 apart
    nearer, farther = split_subjects(candidates, ground)
    np.testing.assert_array_equal(nearer, grid((8, 12), LEFT, EDGE))
    np.testing.assert_array_equal(farther, grid((8, 12), RIGHT))


def test_a_thing_that_reaches_a_little_way_back_is_one():
    candidates = grid((8, 12), LEFT, EDGE, RIGHT)
    ground = np.tile(np.linspace(3.0, 5.0, 12), (8, 1))
    (whole,) = split_subjects(candidates, ground)
    np.testing.assert_array_equal(whole, candidates)


def test_a_few_far_patches_do_not_become_a_subject():
    candidates = grid((8, 12), LEFT, (slice(2, 4), slice(5, 7)))
    ground = np.full((8, 12), 3.0)
    ground[2:4, 5], ground[2:4, 6] = 3.8, 4.8  # no jump, and two patches that would be a part
    (whole,) = split_subjects(candidates, ground)
    np.testing.assert_array_equal(whole, candidates)


def test_a_patch_too_small_for_a_part_stays_with_the_part_around_it():
    near, far = (slice(1, 7), slice(0, 6)), (slice(1, 7), slice(6, 11))
    ground = np.full((8, 12), 3.6)
    ground[far] = 5.8
    ground[1:7, 6] = ground[4, 3] = 4.6  # one patch in the middle reads as the farther part's edge
    nearer, farther = split_subjects(grid((8, 12), near, far), ground)
    np.testing.assert_array_equal(nearer, grid((8, 12), near))
    np.testing.assert_array_equal(farther, grid((8, 12), far))


def test_one_behind_and_between_two_makes_three():
    candidates = grid((6, 13), (slice(1, 5), slice(0, 13)))
    ground = np.tile([3.0, 3.0, 3.0, 3.6, 4.4, 5.4, 5.4, 5.4, 4.4, 3.6, 3.0, 3.0, 3.0], (6, 1))
    assert len(split_subjects(candidates, ground)) == 3


def test_a_group_is_split_once_since_a_long_thing_spreads_as_well():
    candidates = grid((6, 12), (slice(1, 5), slice(0, 12)))
    ground = np.tile([2.0, 2.0, 2.0, 2.5, 3.2, 3.2, 3.2, 4.0, 5.1, 5.1, 5.1, 5.1], (6, 1))
    assert len(split_subjects(candidates, ground)) == 2


def test_a_thin_thing_whose_patches_all_differ_is_one_and_not_nothing():
    person = grid((8, 12), (slice(2, 5), slice(4, 5)))
    ground = np.full((8, 12), 4.0)
    ground[2, 4], ground[3, 4] = 9.0, 6.0  # head, chest and legs, each a jump from the next
    (whole,) = split_subjects(person, ground)
    np.testing.assert_array_equal(whole, person)
    beside = person | grid((8, 12), (slice(4, 8), slice(5, 9)))  # a thing: what is cut off it is noise
    (thing,) = split_subjects(beside, ground)
    assert not thing[2:4].any()
    two = grid((8, 12), (slice(2, 4), slice(4, 5)))
    assert split_subjects(two, ground) == []


def test_no_distance_at_all_splits_nothing():
    candidates = grid((8, 12), LEFT)
    assert len(split_subjects(candidates, np.full((8, 12), np.nan))) == 1
