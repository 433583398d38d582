from dataclasses import replace
from itertools import combinations, pairwise

import cv2
import numpy as np
import pytest

from pipeline.simulation import KINDS, POSES, DockScene, Light, MoverState, training_frames

SMALL = (180, 320)
PERSON = [MoverState("person", 0.2, 4.0, 180, 3)]


def _coarse(rgb):
    return cv2.resize(rgb, (8, 4), interpolation=cv2.INTER_AREA).astype(np.float32)


def test_equal_seeds_give_equal_pictures_and_other_seeds_do_not():
    first, again = (DockScene(6, POSES["P0"], SMALL).render(PERSON, Light.drift(2, 7.5), 11) for _ in range(2))
    assert np.array_equal(first.rgb, again.rgb)
    other = DockScene(7, POSES["P0"], SMALL).render(PERSON, Light.drift(2, 7.5), 11)
    assert np.abs(_coarse(first.rgb) - _coarse(other.rgb)).max() > 10


def test_noise_changes_pixels_but_not_the_picture():
    scene = DockScene(6, POSES["P0"], SMALL)
    a, b = (scene.render(PERSON, Light.of(2), seed).rgb for seed in (1, 2))
    assert not np.array_equal(a, b)
    assert np.abs(_coarse(a) - _coarse(b)).max() < 2


def test_a_layout_can_be_shared_by_scenes_of_other_seeds():
    a, b = (DockScene(seed, POSES["P0"], SMALL, layout_seed=9).render([], Light.of(1), 0) for seed in (1, 2))
    assert np.array_equal(a.depth, b.depth)
    assert not np.array_equal(a.rgb, b.rgb)


def test_light_stains_and_shadows_change_colours_and_never_depth():
    scene = DockScene(6, POSES["P0"], SMALL)
    a, b = (scene.render(PERSON, Light.of(seed), 0) for seed in (1, 2))
    assert np.array_equal(a.depth, b.depth)
    assert np.array_equal(a.mover_map, b.mover_map)
    assert np.abs(_coarse(a.rgb) - _coarse(b.rgb)).max() > 8


def test_45_lights_can_be_told_apart():
    scene = DockScene(6, POSES["P0"], SMALL)
    pictures = [_coarse(scene.render([], Light.of(seed), 0).rgb) for seed in range(45)]
    assert min(np.abs(a - b).mean() for a, b in combinations(pictures, 2)) > 2.0


def test_light_drifts_slowly():
    scene = DockScene(6, POSES["P0"], SMALL)
    pictures = [_coarse(scene.render([], Light.drift(4, t), 0).rgb) for t in np.arange(0, 40, 0.5)]
    steps = [np.abs(a - b).mean() for a, b in pairwise(pictures)]
    assert max(steps) < 4
    assert max(np.abs(picture - pictures[0]).mean() for picture in pictures) > 3


def test_the_edge_of_the_large_shadow_wanders_over_the_floor():
    seed = next(seed for seed in range(50) if Light.of(seed).sun[1] > 0.6 and -1 < Light.of(seed).edge_metres < 5)
    start, later = Light.drift(seed, 0.0), Light.drift(seed, 45.0)
    assert abs(later.edge_metres - start.edge_metres) > 0.2
    moved = replace(start, edge_metres=start.edge_metres + 0.5)
    scene = DockScene(6, POSES["P0"], SMALL)
    before, after = (scene.render([], light, 0) for light in (start, moved))
    changed = np.abs(before.rgb.astype(int) - after.rgb.astype(int)).sum(axis=2) > 60
    assert 50 < changed.sum() < changed.size / 3
    assert np.array_equal(before.depth, after.depth)


def test_movers_cast_shadows_away_from_the_sun():
    sunny = replace(Light.of(2), sun=(0.8, 0.8, 0.8), sun_elevation=35.0, edge_metres=-90.0, edge_width=1.0)
    scene = DockScene(6, POSES["P0"], SMALL)
    columns = []
    for azimuth in (90.0, -90.0):  # from the right, from the left
        light = replace(sunny, sun_azimuth=azimuth)
        with_person, without = scene.render([MoverState("person", 0, 5, 180, 1)], light, 0), scene.render([], light, 0)
        darker = without.rgb.astype(int).sum(axis=2) - with_person.rgb.astype(int).sum(axis=2) > 90
        columns.append(np.nonzero(darker & (with_person.mover_map == 0))[1])
    assert min(len(each) for each in columns) > 80
    assert columns[0].mean() + 15 < 160 < columns[1].mean() - 15


@pytest.mark.parametrize("kind", KINDS)
def test_a_mover_looks_like_its_own_appearance(kind):
    scene = DockScene(6, POSES["P0"], SMALL)
    pictures = [scene.render([MoverState(kind, 0, 5.5, 180, seed)], Light.of(1), 0) for seed in (2, 4, 6)]
    colours = [p.rgb[p.mover_map == 1].mean(axis=0) for p in pictures]
    assert max(np.abs(a - b).max() for a, b in combinations(colours, 2)) > 6


def test_training_frames_are_repeatable_and_hold_no_unknown_kind():
    frames = list(training_frames(13, POSES["B"], 3, SMALL))
    again = list(training_frames(2, POSES["B"], 3, SMALL))
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(frames, again, strict=False))
    kinds = {number for frame in frames for number in np.unique(frame.kind_map)}
    assert kinds <= {0, 1, 2, 3}
    assert len(kinds) == 4
    assert {len(frame.kinds) for frame in frames} == {0, 1, 2}
    layouts = {frame.depth[-1].tobytes() + frame.depth[5].tobytes() for frame in frames if not frame.kinds}
    assert len(layouts) > 1


def test_a_picture_without_truth_is_the_same_picture():
    scene = DockScene(6, POSES["P0"], SMALL)
    assert np.array_equal(
        scene.render(PERSON, Light.of(2), 5, with_truth=False).rgb, scene.render(PERSON, Light.of(2), 5).rgb
    )
