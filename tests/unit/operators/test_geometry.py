from math import cos, radians, sin, tan

import numpy as np
import pytest

from operators.frames import Placement
from operators.geometry import FloorCamera, canonical_scale, focal_px, signed_distance
from operators.scene.config import ViewConfig

DOCK = ViewConfig(height=3.5, pitch=32.0, hfov=74.0)
TURNED = ViewConfig(height=3.0, pitch=28.0, hfov=80.0, yaw=-16.0)


def rotation_matrix_rays(view: ViewConfig, v: float, u: float) -> np.ndarray:
    """The same ray by another road: camera axes as vectors, then yaw as a rotation about the vertical."""
    pitch, yaw = radians(view.pitch), radians(view.yaw)
    forward = np.array([0.0, cos(pitch), -sin(pitch)])
    down = np.array([0.0, -sin(pitch), -cos(pitch)])
    ray = forward + v * down + u * np.array([1.0, 0.0, 0.0])
    turn = np.array([[cos(yaw), sin(yaw), 0], [-sin(yaw), cos(yaw), 0], [0, 0, 1]])
    return turn @ ray


def test_focal_length_from_field_of_view():
    assert focal_px(90.0, 392) == pytest.approx(196.0)
    assert FloorCamera(DOCK, (224, 392)).focal[1] == pytest.approx(196 / tan(radians(37)))


@pytest.mark.parametrize("view", [DOCK, TURNED])
def test_rays_agree_with_a_rotation_matrix(view):
    camera = FloorCamera(view, (224, 392))
    for y, x in [(0.5, 0.5), (112.0, 196.0), (220.0, 17.0), (60.0, 391.0)]:
        v, u = (y - 112) / camera.focal[0], (x - 196) / camera.focal[1]
        right, ahead, down = camera.rays(np.float64(y), np.float64(x))
        expected = rotation_matrix_rays(view, v, u)
        assert [float(right), float(ahead), -float(down)] == pytest.approx(expected.tolist())


def test_ground_distance_at_yaw_zero_is_the_documented_identity():
    camera = FloorCamera(DOCK, (224, 392))
    depth = np.full((16, 28), 4.0, np.float32)
    y = (np.arange(16) + 0.5) * 14
    v = (y - 112) / camera.focal[0]
    expected = 4.0 * (cos(radians(32)) - v * sin(radians(32)))
    np.testing.assert_allclose(camera.ground_distance(depth), np.repeat(expected[:, None], 28, 1), rtol=1e-6)


@pytest.mark.parametrize("view", [DOCK, TURNED])
@pytest.mark.parametrize("placement", [None, Placement((360, 640), (224, 392), (1.6, 1.6), (0.8, 6.4))])
def test_floor_seen_through_a_pixel_is_where_the_pixel_of_that_floor_point_is(view, placement):
    camera = FloorCamera(view, (224, 392), placement)
    depth = camera.floor_depth((16, 28))
    x, y = camera.floor_points(np.where(np.isfinite(depth), depth, np.nan))
    rows, columns = camera.pixel_of(x, y)
    expected_rows, expected_columns = np.broadcast_arrays(*camera.cell_centres((16, 28)))
    seen = np.isfinite(depth)
    assert seen.sum() > 200
    np.testing.assert_allclose(rows[seen], expected_rows[seen], atol=1e-9)
    np.testing.assert_allclose(columns[seen], expected_columns[seen], atol=1e-9)


def test_a_crop_keeps_the_focal_length_of_the_source():
    cropped = FloorCamera(DOCK, (224, 392), Placement((360, 640), (224, 392), (1.6, 1.6), (0.8, 6.4)))
    assert cropped.focal[1] == pytest.approx(focal_px(74.0, 640) / 1.6)
    assert cropped.centre == pytest.approx(((180 - 0.8) / 1.6, (320 - 6.4) / 1.6))


def test_what_stands_upright_takes_less_of_the_picture_the_farther_it_is_and_the_more_is_cut_off():
    level = FloorCamera(ViewConfig(hfov=90.0, height=1.0, pitch=0.0), (200, 200))  # focal length 100 px
    near, below, far = level.upright_area(np.array([2.0, 0.5, 4.0]), 0.5, 1.0)
    assert (near, far) == pytest.approx((100 / 2 * 100 * 0.5 / 2, 100 / 4 * 100 * 0.5 / 4))
    assert below == pytest.approx(100 * 100 * 0.5 / 0.5), "its foot is below the picture"
    turned = FloorCamera(ViewConfig(hfov=90.0, height=1.0, pitch=0.0, yaw=30.0), (200, 200))
    assert turned.upright_area(np.array([2.0]), 0.5, 1.0) == pytest.approx(near)


def test_nearest_visible_floor_of_the_reference_poses():
    # Poses P0 and P3 at 16:9; the corner of a turned camera sees nearest.
    assert FloorCamera(DOCK, (360, 640)).nearest_visible_floor() == pytest.approx(3.5 / tan(radians(32 + 22.97)), 1e-3)
    assert FloorCamera(TURNED, (360, 640)).nearest_visible_floor() == pytest.approx(1.35, abs=0.06)


def test_a_camera_that_looks_up_sees_no_floor():
    up = FloorCamera(ViewConfig(height=3.0, pitch=-60.0, hfov=60.0), (224, 392))
    assert np.isnan(up.nearest_visible_floor())
    assert up.contact_distance(np.ones((16, 28), bool)) is None
    assert np.isinf(up.floor_depth((16, 28))).all()


def test_signed_distance_to_a_line_of_two_points():
    x, y = np.array([0.0, 3.0, 0.0]), np.array([0.0, 5.0, 9.0])
    assert signed_distance(x, y, "here").tolist() == [0.0, 5.0, 9.0]
    for line in [((-1.0, 4.0), (1.0, 4.0)), ((1.0, 4.0), (-1.0, 4.0))]:
        np.testing.assert_allclose(signed_distance(x, y, line), [-4.0, 1.0, 5.0])
    slanted = signed_distance(np.array([4.0]), np.array([4.0]), ((0.0, 4.0), (4.0, 0.0)))
    assert slanted[0] == pytest.approx(4 / np.sqrt(2))
    through_the_foot = signed_distance(np.array([1.0]), np.array([2.0]), ((5.0, 0.0), (-5.0, 0.0)))
    assert through_the_foot[0] == pytest.approx(2.0)


def test_a_line_of_one_point_is_refused():
    with pytest.raises(ValueError, match="two different floor points"):
        signed_distance(np.zeros(1), np.zeros(1), ((1.0, 1.0), (1.0, 1.0)))


def test_contact_distance_is_the_floor_under_the_lowest_patches():
    camera = FloorCamera(DOCK, (224, 392))
    mask = np.zeros((16, 28), bool)
    mask[4:11, 13:15] = True
    v = (11 * 14 - 112) / camera.focal[0]
    pitch = radians(32)
    expected = 3.5 * (cos(pitch) - v * sin(pitch)) / (sin(pitch) + v * cos(pitch))
    assert camera.contact_distance(mask) == pytest.approx(expected)
    assert camera.contact_distance(np.zeros((16, 28), bool)) is None


def test_canonical_scale():
    assert canonical_scale(520.0, 260.0) == 2.0
    with pytest.raises(ValueError, match="positive"):
        canonical_scale(520.0, 0.0)
