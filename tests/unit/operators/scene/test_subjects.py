import numpy as np
import pytest

from operators.geometry import FloorCamera
from operators.results import ViewSample
from operators.scene.config import ViewConfig
from operators.scene.empty_view import EmptyView, build_view
from operators.scene.subjects import find_subjects, subject_patches, view_tokens

CAMERA = FloorCamera(ViewConfig(height=3.5, pitch=32.0, hfov=74.0), (224, 392))
GRID = (16, 28)
LINES = {"dock": "here", "gate": ((-5.0, 2.0), (5.0, 2.0))}
WALL = 12.0


def empty_depth() -> np.ndarray:
    return np.minimum(CAMERA.floor_depth(GRID), WALL)


def tokens(seed: int, new: np.ndarray | None = None) -> np.ndarray:
    scene = np.random.default_rng(0).normal(size=(GRID[0] * GRID[1], 16))
    if new is not None:
        scene[new.ravel()] = np.random.default_rng(50).normal(size=(int(new.sum()), 16))
    return view_tokens(scene + 0.05 * np.random.default_rng(seed).normal(size=scene.shape))


def view(lights: int = 2):
    log_depth = np.log(empty_depth()).astype(np.float16)
    return build_view([[ViewSample(log_depth, tokens(10 * light), 100.0)] for light in range(lights)])


def plain_view() -> EmptyView:
    """Every empty patch looks the same, and a patch is new above 0.5."""
    references = np.zeros((2, GRID[0] * GRID[1], 16), np.float32)
    references[..., 0] = 1.0
    log_depth = np.log(empty_depth()).astype(np.float32)
    return EmptyView(log_depth, references, np.full(references.shape[1], 0.5, np.float32), 2)


def looking(novelty: np.ndarray) -> np.ndarray:
    """Tokens that look so new to `plain_view`, per patch."""
    found = np.zeros((novelty.size, 16))
    found[:, 0] = 1.0 - novelty.ravel()
    found[:, 1] = np.sqrt(1.0 - found[:, 0] ** 2)
    return found.astype(np.float16)


def standing(mask: np.ndarray, metres_ahead: float) -> np.ndarray:
    """Depth of a scene where the masked patches show an upright thing at one ground distance."""
    per_metre = CAMERA.ground_distance(np.ones(GRID))
    return np.where(mask, metres_ahead / per_metre, empty_depth())


def block(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros(GRID, bool)
    mask[rows, columns] = True
    return mask


def test_a_standing_thing_is_found_with_its_exact_distance():
    mask = block(slice(5, 9), slice(10, 13))
    found = find_subjects(view(), np.log(standing(mask, 4.0)), tokens(3, mask), CAMERA, LINES)
    assert len(found) == 1
    np.testing.assert_array_equal(found[0].mask, mask)
    assert found[0].box == pytest.approx((10 / 28, 5 / 16, 13 / 28, 9 / 16))
    distance = {each.line: each for each in found[0].distances}
    assert distance["dock"].metres == pytest.approx(4.0)
    assert distance["gate"].metres == pytest.approx(2.0)
    assert distance["dock"].contact_metres == pytest.approx(CAMERA.contact_distance(mask))
    assert distance["dock"].sigma_metres == pytest.approx(1.4826 * 0.12 * 4.0, rel=1e-3)
    assert distance["gate"].sigma_metres == pytest.approx(
        distance["dock"].sigma_metres, rel=1e-3
    )  # the same depth errs
    assert found[0].invalid_share == 0.0


def test_depth_that_the_empty_view_has_and_a_subject_lacks_is_a_share_of_it():
    mask = block(slice(5, 9), slice(10, 13))
    log_depth = np.log(standing(mask, 4.0))
    log_depth[5:8, 11] = np.nan
    log_depth[0] = np.nan  # sky: outside of its box
    (found,) = find_subjects(view(), log_depth, tokens(3, mask), CAMERA, LINES)
    assert found.invalid_share == pytest.approx(3 / 12)


def test_distance_is_the_25th_percentile_over_patches():
    mask = block(slice(5, 9), slice(10, 14))
    depth = standing(mask, 4.0)
    near = block(slice(5, 9), slice(10, 11))  # a quarter of the patches, 15 % nearer: less than a cut
    depth[near] = standing(near, 3.4)[near]
    found = find_subjects(view(), np.log(depth), tokens(3, mask), CAMERA, {"dock": "here"})
    values = CAMERA.ground_distance(depth)[mask]
    assert found[0].distances[0].metres == pytest.approx(np.percentile(values, 25))


def test_new_textures_without_nearness_and_nearness_without_new_textures_are_nothing():
    mask = block(slice(5, 9), slice(10, 13))
    stain = find_subjects(view(), np.log(empty_depth()), tokens(3, mask), CAMERA, LINES)
    ghost = find_subjects(view(), np.log(standing(mask, 4.0)), tokens(3), CAMERA, LINES)
    assert (stain, ghost) == ([], [])


@pytest.mark.parametrize(
    ("closer", "novelty", "is_one"),
    [
        (0.04, 0.9, False),  # a stain
        (0.06, 0.51, True),
        (0.14, 0.49, False),  # a new shadow
        (0.25, 0.45, True),
        (0.25, 0.38, False),
        (0.7, 0.32, True),
        (0.7, 0.28, False),  # depth alone is never enough
    ],
)
def test_the_closer_a_patch_is_the_less_new_it_must_look(closer: float, novelty: float, is_one: bool):
    mask = block(slice(5, 9), slice(10, 13))
    log_depth = np.log(np.where(mask, 1 - closer, 1.0) * empty_depth())
    patches = subject_patches(plain_view(), log_depth, looking(np.where(mask, novelty, 0.1)))
    np.testing.assert_array_equal(patches, mask & is_one)


def test_beside_what_is_surely_new_nothing_that_is_hardly_new_counts():
    thing, shadow = block(slice(5, 9), slice(10, 13)), block(slice(9, 12), slice(12, 18))
    log_depth = np.log(np.where(thing | shadow, 0.75, 1.0) * empty_depth())
    novelty = np.select([thing, shadow], [0.6, 0.45], 0.1)
    np.testing.assert_array_equal(subject_patches(plain_view(), log_depth, looking(novelty)), thing)
    novelty[thing] = 0.45
    novelty[5, 10:12] = 0.6  # two patches are noise, not a thing
    np.testing.assert_array_equal(subject_patches(plain_view(), log_depth, looking(novelty)), thing | shadow)


def test_two_patches_that_are_surely_new_bring_those_that_touch_them_and_are_hardly_new():
    person, apart = block(slice(5, 9), slice(10, 12)), block(slice(5, 9), slice(20, 22))
    log_depth = np.log(np.where(person | apart, 0.9, 1.0) * empty_depth())
    novelty = np.where(person | apart, 0.35, 0.1)
    novelty[5, 10] = novelty[8, 11] = novelty[5, 20] = 0.6
    found = subject_patches(plain_view(), log_depth, looking(novelty))
    np.testing.assert_array_equal(found & person, person)
    assert (found & apart).sum() == 1, "one patch brings nobody"
    novelty[6:8, 10:12] = 0.28  # nothing between the two
    assert (subject_patches(plain_view(), log_depth, looking(novelty)) & person).sum() == 2


def test_a_picture_that_reads_nearer_as_a_whole_has_only_those_in_it_who_are_nearer_still():
    mask = block(slice(11, 15), slice(10, 13))
    night = np.log(0.7 * empty_depth())
    night[:9] = np.nan  # more than half is sky: it has no depth, and no say
    assert not subject_patches(plain_view(), night, looking(np.where(mask, 0.6, 0.1))).any()
    visited = np.where(mask, np.log(0.9), 0.0) + np.log(0.7 * empty_depth())
    found = subject_patches(plain_view(), visited, looking(np.where(mask, 0.6, 0.1)))
    np.testing.assert_array_equal(found, mask)


def test_a_night_in_which_what_is_far_reads_nearest_has_only_those_in_it_who_are_nearer_still():
    """As seen: far away the frame reads 55 % too near, near the camera 10 %, and everything looks a little new."""
    far, near = np.log(empty_depth()).max(), np.log(empty_depth()).min()
    too_near = np.interp(np.log(empty_depth()), [near, far], [0.1, 0.55])
    night = np.log((1 - too_near) * empty_depth())
    assert not subject_patches(plain_view(), night, looking(np.full(GRID, 0.4))).any()
    for rows in (slice(2, 5), slice(11, 14)):
        mask = block(rows, slice(10, 13))
        visited = night + np.where(mask, np.log(0.75), 0.0)
        found = subject_patches(plain_view(), visited, looking(np.where(mask, 0.6, 0.4)))
        np.testing.assert_array_equal(found, mask)


def test_a_picture_that_reads_farther_as_a_whole_does_not_hide_who_stands_there():
    mask = block(slice(8, 11), slice(10, 12))
    log_depth = np.log(1.12 * empty_depth()) + np.where(mask, np.log(0.9), 0.0)
    log_depth[:3] = np.nan  # no depth: not nearer than the frame, however new
    looks = np.where(mask, 0.6, 0.1)
    looks[:3] = 0.6
    np.testing.assert_array_equal(subject_patches(plain_view(), log_depth, looking(looks)), mask)


def test_what_fills_most_of_the_picture_is_not_the_picture():
    mask = block(slice(2, 16), slice(0, 26))
    log_depth = np.log(np.where(mask, 0.7, 1.0) * empty_depth())
    found = subject_patches(plain_view(), log_depth, looking(np.where(mask, 0.6, 0.1)))
    np.testing.assert_array_equal(found, mask)
    everywhere = np.log(0.7 * empty_depth())
    assert subject_patches(plain_view(), everywhere, looking(np.full(GRID, 0.6))).all()


def test_two_patches_are_noise():
    mask = block(slice(5, 6), slice(10, 12))
    assert find_subjects(view(), np.log(standing(mask, 4.0)), tokens(3, mask), CAMERA, LINES) == []


def test_one_light_uses_depth_alone_at_15_percent():
    mask = block(slice(5, 9), slice(10, 13))
    nearer = np.where(mask, 0.83, 1.0) * empty_depth()
    hardly = np.where(mask, 0.87, 1.0) * empty_depth()
    assert subject_patches(view(1), np.log(nearer), tokens(3)).sum() == mask.sum()
    assert subject_patches(view(1), np.log(hardly), tokens(3)).sum() == 0
    assert subject_patches(view(2), np.log(hardly), tokens(3, mask)).sum() == mask.sum()


def test_two_things_that_overlap_in_the_picture_are_cut_where_the_ground_distance_jumps():
    near, far = block(slice(6, 10), slice(8, 12)), block(slice(4, 8), slice(12, 16))
    depth = standing(near, 3.5)
    depth[far] = standing(far, 6.0)[far]
    found = find_subjects(view(), np.log(depth), tokens(3, near | far), CAMERA, {"dock": "here"})
    assert [each.distances[0].metres for each in found] == pytest.approx([3.5, 6.0])
    np.testing.assert_array_equal(found[0].mask, near)


def test_no_part_of_a_group_reads_nearer_than_the_group():
    mask = block(slice(4, 8), slice(8, 17))
    depth = empty_depth()
    for metres, columns in ((3.0, slice(8, 12)), (3.7, slice(12, 13)), (4.73, slice(13, 17))):
        part = block(slice(4, 8), columns)
        depth[part] = standing(part, metres)[part]
    near, far = find_subjects(view(), np.log(depth), tokens(3, mask), CAMERA, {"dock": "here"})
    assert not (near.mask & far.mask).any()
    np.testing.assert_array_equal(near.mask | far.mask, mask)
    whole = np.percentile(CAMERA.ground_distance(depth)[mask], 25)
    assert [each.distances[0].metres for each in (near, far)] == pytest.approx([whole, 4.73])
    assert whole == pytest.approx(3.0)


def test_the_near_end_of_a_long_thing_does_not_come_nearer_by_being_a_part():
    mask = block(slice(2, 5), slice(6, 16))
    ahead = np.interp(np.arange(GRID[1]), [6, 15], [2.5, 8.0])
    depth = np.where(mask, ahead / CAMERA.ground_distance(np.ones(GRID)), empty_depth())
    found = find_subjects(view(), np.log(depth), tokens(3, mask), CAMERA, {"dock": "here"})
    assert len(found) > 1
    whole = np.percentile(CAMERA.ground_distance(depth)[mask], 25)
    assert found[0].distances[0].metres == pytest.approx(whole)


def test_a_depth_map_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="as in the view"):
        find_subjects(view(), np.zeros((2, 2)), tokens(1), CAMERA, LINES)
