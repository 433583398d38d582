import numpy as np

from operators.scene.cut_by_class import cut_by_class

TRUCK, PERSON = 0, 1


def scene():
    """A truck of 4 x 8 patches, and a person of 4 x 2 before its lower edge; scores say so."""
    truck, person = np.zeros((10, 12), bool), np.zeros((10, 12), bool)
    truck[1:5, 2:10] = True
    person[4:8, 4:6] = True
    truck &= ~person
    scores = np.zeros((10, 12, 2))
    scores[truck, TRUCK] = scores[person, PERSON] = 1.0
    return truck, person, scores


def always(_part, _index):
    return True


def same(masks, *wanted):
    return sorted(m.tobytes() for m in masks) == sorted(m.tobytes() for m in wanted)


def test_a_person_before_a_truck_is_a_part_of_its_own():
    truck, person, scores = scene()
    parts = cut_by_class(truck | person, scores, always)
    assert len(parts) == 2
    small = min(parts, key=np.sum)
    assert (small & person).sum() >= 6
    assert (small & truck).sum() <= 2
    np.testing.assert_array_equal(parts[0] ^ parts[1], truck | person)


def test_a_part_that_is_not_called_so_as_a_whole_stays_with_its_neighbour():
    truck, person, scores = scene()
    group = truck | person
    assert same(cut_by_class(group, scores, lambda _, index: index == TRUCK), group)


def test_a_few_odd_patches_cut_nothing():
    truck, _, scores = scene()
    scores[2, 3] = scores[3, 8] = (0.0, 1.0)
    assert same(cut_by_class(truck, scores, always), truck)


def test_a_truck_that_somebody_covers_in_the_middle_is_one_part():
    group = np.ones((4, 12), bool)
    scores = np.zeros((4, 12, 2))
    scores[..., TRUCK] = 1.0
    scores[:, 5:8] = (0.0, 1.0)
    parts = cut_by_class(group, scores, always)
    assert sorted(int(part.sum()) for part in parts) == [12, 36]


def test_what_is_too_small_to_be_two_is_one():
    group = np.zeros((4, 6), bool)
    group[1, :5] = True
    scores = np.zeros((4, 6, 2))
    scores[1, :3, TRUCK] = scores[1, 3:, PERSON] = 1.0
    assert same(cut_by_class(group, scores, always), group)


def test_a_class_without_pictures_calls_nothing():
    truck, _, scores = scene()
    scores[..., PERSON] = -np.inf
    assert same(cut_by_class(truck, scores, always), truck)
