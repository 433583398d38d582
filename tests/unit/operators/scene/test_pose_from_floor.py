"""How a camera hangs, from floor markings as the simulator's own projection shows them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from operators.scene.floor_markings import Marking, Parallels, Rectangle, Segment
from operators.scene.pose_from_floor import PoseError, solve_pose
from pipeline.simulation.pose import POSES, Pose
from tests.floor_scenes import SIZE, random_scene, seen

POSE = Pose(3.5, 32, 74, yaw=6, lateral=-0.4)


def rectangle(pose: Pose, x: float, y: float, wide: float, long: float) -> Rectangle:
    a, b, c, d = seen(pose, [(x, y), (x + wide, y), (x + wide, y + long), (x, y + long)])
    return Rectangle((a, b, c, d), wide, long)


def segment(pose: Pose, a: tuple[float, float], b: tuple[float, float]) -> Segment:
    one, other = seen(pose, [a, b])
    return Segment((one, other), float(np.hypot(b[0] - a[0], b[1] - a[1])))


def parallels(pose: Pose, x: float, apart: float) -> Parallels:
    a, b, c, d = seen(pose, [(x, 3.0), (x, 8.0), (x + apart, 2.6), (x + apart, 9.0)])
    return Parallels((a, b), (c, d), apart)


def assert_is(markings: Sequence[Marking], pose: Pose, known: dict[str, float] | None = None) -> None:
    found = solve_pose(markings, SIZE, known)  # type: ignore[arg-type]
    assert found.pitch_degrees == pytest.approx(pose.pitch, abs=0.01)
    assert found.height_metres == pytest.approx(pose.height, abs=0.01)
    assert found.hfov_degrees == pytest.approx(pose.hfov, abs=0.02)
    assert found.roll_degrees == pytest.approx(0.0, abs=0.01)
    assert found.residual_px < 0.01
    assert not found.is_contradictory


@pytest.mark.parametrize("name", sorted(POSES))
def test_a_rectangle_alone_tells_everything(name: str) -> None:
    pose = POSES[name]
    assert_is([rectangle(pose, -1.2 - pose.lateral / 2, 3.2, 2.4, 4.0)], pose)


def test_the_corners_may_go_round_either_way_and_start_anywhere() -> None:
    found = rectangle(POSE, -1, 3, 2, 3)
    a, b, c, d = found.corners
    assert_is([Rectangle((d, c, b, a), 2.0, 3.0)], POSE)
    assert_is([Rectangle((b, c, d, a), 3.0, 2.0)], POSE)


def test_lengths_and_lanes_tell_it_too() -> None:
    lengths = [
        segment(POSE, (-1.5, 3), (1.0, 3.2)),
        segment(POSE, (-1, 3), (-1.2, 8)),
        segment(POSE, (1, 4), (1.4, 9)),
        segment(POSE, (-2, 8), (2, 7.5)),
    ]
    assert_is(lengths, POSE)
    assert_is([parallels(POSE, -1.8, 3.6), *lengths[1:3]], POSE)
    assert_is([parallels(POSE, -1.8, 3.6), lengths[1]], POSE, {"hfov": POSE.hfov})
    assert_is(lengths[:2], POSE, {"hfov": POSE.hfov})
    assert_is([lengths[1]], POSE, {"hfov": POSE.hfov, "height": POSE.height})


def test_what_is_typed_stays() -> None:
    found = solve_pose([rectangle(POSE, -1, 3, 2, 3)], SIZE, {"hfov": 74.0, "height": 3.5, "pitch": 32.0})
    assert (found.height_metres, found.pitch_degrees, found.hfov_degrees) == (3.5, 32.0, 74.0)
    assert found.sigma["pitch"] == found.sigma["hfov"] == 0
    wrong = solve_pose([rectangle(POSE, -1, 3, 2, 3)], SIZE, {"hfov": 74.0, "height": 2.5, "pitch": 32.0})
    assert wrong.is_contradictory


def test_a_wrong_size_is_told_by_the_pixels_that_remain() -> None:
    right = [rectangle(POSE, -1, 3, 2, 3), rectangle(POSE, 0, 5, 2, 2)]
    assert not solve_pose(right, SIZE).is_contradictory
    wrong = Rectangle(right[1].corners, 4.0, 2.0)
    assert solve_pose([right[0], wrong], SIZE).is_contradictory


def test_a_marking_that_cannot_tell_the_field_of_view_says_so() -> None:
    small = rectangle(POSE, -0.2, 6.0, 0.6, 0.8)
    assert "hfov" in solve_pose([small], SIZE).weak
    assert "hfov" not in solve_pose([small], SIZE, {"hfov": 74.0}).weak
    assert not solve_pose([rectangle(POSE, -1.5, 2.7, 3, 6), rectangle(POSE, -3, 4, 4, 4)], SIZE).weak


def test_too_few_markings_and_impossible_ones_are_refused() -> None:
    one = segment(POSE, (-1, 3), (1, 3))
    with pytest.raises(PoseError, match="tell 1 number, and height and pitch and hfov are wanted"):
        solve_pose([one], SIZE)
    with pytest.raises(PoseError, match="above 0"):
        solve_pose([Segment(one.ends, 0.0)], SIZE, {"hfov": 74.0, "pitch": 32.0})
    with pytest.raises(PoseError, match="two points of a marking are one"):
        solve_pose([Segment((one.ends[0], one.ends[0]), 2.0)], SIZE, {"hfov": 74.0, "pitch": 32.0})
    above = Rectangle(((0.3, 0.02), (0.6, 0.02), (0.6, 0.01), (0.3, 0.01)), 2.0, 3.0)
    with pytest.raises(PoseError, match="no camera above a floor"):
        solve_pose([above], SIZE, {"pitch": 5.0, "hfov": 60.0})


def test_a_camera_that_is_not_level_is_told_and_its_pitch_is_right_all_the_same() -> None:
    middle, angle = np.array([SIZE[1] / 2, SIZE[0] / 2]), np.radians(2.0)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = []
    for x, y, wide, long in ((-1.5, 3, 3, 5), (-2.5, 4, 5, 3)):
        corners = np.array(rectangle(POSE, x, y, wide, long).corners) * (SIZE[1], SIZE[0])
        moved = ((corners - middle) @ turn.T + middle) / (SIZE[1], SIZE[0])
        a, b, c, d = (tuple(each) for each in moved.tolist())
        turned.append(Rectangle((a, b, c, d), wide, long))
    found = solve_pose(turned, SIZE)
    assert abs(found.roll_degrees) == pytest.approx(2.0, abs=0.3)
    assert found.pitch_degrees == pytest.approx(POSE.pitch, abs=0.2)


def test_pitch_is_within_a_degree_when_marked_to_a_pixel() -> None:
    rng = np.random.default_rng(20)
    scenes = [random_scene(rng, num_rectangles=2, noise_px=1.0) for _ in range(30)]
    found = [solve_pose(scene.rectangles, SIZE) for scene in scenes]
    errors = [abs(each.pitch_degrees - scene.pose.pitch) for each, scene in zip(found, scenes, strict=True)]
    assert max(errors) < 1.0
    spread = [error / each.sigma["pitch"] for error, each in zip(errors, found, strict=True)]
    assert np.mean(np.array(spread) < 2) > 0.85  # it knows how sure it is
