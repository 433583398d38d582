"""Four floor points against a camera whose pose is known."""

import numpy as np
import pytest

from operators.geometry import FloorCamera
from operators.heads.fit_floor import FloorMark, floor_depth
from operators.scene.config import ViewConfig

SIZE = (432, 768)


def marks_of(camera, points):
    right, ahead = np.array(points, float).T
    y, x = camera.pixel_of(right, ahead)
    return tuple(FloorMark(px / SIZE[1], py / SIZE[0], r, a) for px, py, r, a in zip(x, y, right, ahead, strict=True))


@pytest.mark.parametrize("yaw", [0.0, 20.0])
@pytest.mark.parametrize("hfov", [None, 74.0])
def test_depth_focal_length_and_height_of_a_known_camera_come_back(yaw, hfov):
    camera = FloorCamera(ViewConfig(hfov=74.0, height=3.2, pitch=25.0, yaw=yaw), SIZE)
    marks = marks_of(camera, [(-2.0, 4.0), (2.5, 4.5), (3.0, 11.0), (-1.5, 10.0)])
    floor = floor_depth(marks, SIZE, hfov)
    assert floor.hfov_degrees == pytest.approx(74.0, abs=0.1)
    assert floor.height_metres == pytest.approx(3.2, rel=1e-3)
    known = np.isfinite(floor.metres)
    assert 0.05 < known.mean() < 0.7
    np.testing.assert_allclose(floor.metres[known], camera.floor_depth(SIZE)[known], rtol=2e-3)


def test_an_area_widens_what_is_floor_but_not_above_the_horizon():
    camera = FloorCamera(ViewConfig(hfov=74.0, height=3.0, pitch=5.0), SIZE)
    marks = marks_of(camera, [(-2.0, 6.0), (2.0, 6.0), (2.0, 12.0), (-2.0, 11.0)])
    floor = floor_depth(marks, SIZE, None, ((0, 0), (1, 0), (1, 1), (0, 1)))
    seen = np.isfinite(camera.floor_depth(SIZE)) & (camera.floor_depth(SIZE) < 100)
    assert np.isfinite(floor.metres[seen]).all()
    assert not np.isfinite(floor.metres[:100]).any()


def test_order_of_the_floors_axes_does_not_matter():
    camera = FloorCamera(ViewConfig(hfov=60.0, height=3.0, pitch=30.0), SIZE)
    marks = marks_of(camera, [(-2.0, 4.0), (2.0, 4.0), (2.5, 9.0), (-2.0, 8.0)])
    mirrored = tuple(FloorMark(each.x, each.y, -each.right_metres, each.ahead_metres) for each in marks)
    np.testing.assert_allclose(floor_depth(marks, SIZE).metres, floor_depth(mirrored, SIZE).metres, rtol=1e-4)


def test_what_does_not_tell_is_refused():
    in_line = tuple(FloorMark(0.1 * at, 0.5 + 0.1 * (at == 3), at, at == 3) for at in range(4))
    with pytest.raises(ValueError, match="lie in a line in the picture"):
        floor_depth(in_line, SIZE)
    square_on = tuple(
        FloorMark(0.4 + 0.1 * x, 0.4 + 0.1 * y * 768 / 432, x, y) for x, y in [(0, 0), (1, 0), (1, 1), (0, 1)]
    )
    with pytest.raises(ValueError, match="--hfov"):
        floor_depth(square_on, SIZE)
    assert floor_depth(square_on, SIZE, 60.0).metres[200, 350] == pytest.approx(
        768 / 2 / np.tan(np.pi / 6) / 76.8, rel=1e-3
    )
    with pytest.raises(ValueError, match="four points, got 3"):
        floor_depth(square_on[:3], SIZE)
