import math

import numpy as np
import pytest

from pipeline.simulation import POSES, Camera, DockScene, Light, MoverState, Pose, placed_apart
from pipeline.simulation.mesh import Skin, box, join
from pipeline.simulation.movers import reach_metres
from pipeline.simulation.raster import NEAR_METRES, DepthBuffer, draw

SMALL = (180, 320)
LIGHT = Light.of(3)


@pytest.mark.parametrize("name", POSES)
def test_floor_pixels_lie_where_trigonometry_puts_them(name):
    pose = POSES[name]
    scene = DockScene(5, pose, SMALL)
    seen = scene.render([], LIGHT, 0)
    focal = SMALL[1] / 2 / math.tan(math.radians(pose.hfov / 2))
    found = 0
    for row in range(90, 180, 7):
        # in the middle column, yaw does not matter for the depth of the floor: it hangs on the dip alone
        v = (row + 0.5 - 90) / focal
        dip = math.radians(pose.pitch) + math.atan(v)
        slant = pose.height / math.sin(dip)
        depth = slant * math.cos(math.atan(v))
        u = (160 + 0.5 - 160) / focal
        yaw = math.radians(pose.yaw)
        ahead, aside = slant * math.cos(dip), u * depth
        expected_ground = ahead * math.cos(yaw) - aside * math.sin(yaw)
        if abs(seen.depth[row, 160] - depth) < 1e-3 * depth:
            found += 1
            assert seen.ground[row, 160] == pytest.approx(expected_ground, abs=2e-3)
        else:
            assert seen.depth[row, 160] < depth, "nothing is farther than the floor"
    assert found >= 8


def test_ground_distance_is_depth_times_cos_pitch_minus_v_sin_pitch():
    pose = POSES["P0"]
    seen = DockScene(1, pose, SMALL).render([MoverState("truck", 0, 6, 0, 1)], LIGHT, 0)
    focal = SMALL[1] / 2 / math.tan(math.radians(pose.hfov / 2))
    v = (np.arange(SMALL[0]) + 0.5 - SMALL[0] / 2) / focal
    p = math.radians(pose.pitch)
    assert np.allclose(seen.ground, seen.depth * (math.cos(p) - v * math.sin(p))[:, None], atol=1e-4)


@pytest.mark.parametrize("name", ["P0", "P2", "P3", "B", "D"])
def test_a_truck_s_rear_face_reads_its_own_distance_at_every_pose(name):
    mover = MoverState("truck", 0.0, 6.0, 0.0, 4)
    _, rear = reach_metres("truck", 4)
    seen = DockScene(2, POSES[name], SMALL).render([mover], LIGHT, 0)
    distances = seen.ground[seen.mover_map == 1]
    on_doors = np.abs(distances - (6.0 - rear + 0.03)) < 0.05  # lamps stand 5 cm before the doors
    assert on_doors.mean() > 0.4
    assert distances.min() > 6.0 - rear - 0.06, "a pixel's width at most, where an edge touches it"


def test_depth_of_two_movers_is_the_nearer_one_of_each_alone():
    scene = DockScene(3, POSES["P1"], SMALL)
    a, b = MoverState("person", 0.2, 3.5, 180, 1), MoverState("forklift", 0.4, 6.0, 180, 2)
    both, only_a, only_b = (scene.render(movers, LIGHT, 0) for movers in ([a, b], [a], [b]))
    assert np.array_equal(both.depth, np.minimum(only_a.depth, only_b.depth))
    hidden = (only_a.mover_map > 0) & (only_b.mover_map > 0)
    assert hidden.any()
    assert (both.mover_map[hidden] == 1).all()


def test_maps_agree_with_each_other_and_are_disjoint():
    movers = [MoverState("person", -1.0, 4.0, 90, 5), MoverState("other", 1.0, 5.0, 180, 7)]
    seen = DockScene(8, POSES["A"], SMALL).render(movers, LIGHT, 0)
    empty = DockScene(8, POSES["A"], SMALL).render([], LIGHT, 0)
    assert set(np.unique(seen.mover_map)) == {0, 1, 2}
    assert np.array_equal(seen.kind_map, np.array([0, 2, 4], np.uint8)[seen.mover_map])
    nobody = seen.mover_map == 0
    assert np.array_equal(seen.depth[nobody], empty.depth[nobody])
    assert (seen.depth[~nobody] < empty.depth[~nobody]).all()


def test_a_mover_around_the_lens_is_cut_at_the_near_plane():
    seen = DockScene(1, POSES["P1"], SMALL).render([MoverState("truck", 0.5, 2.0, 0, 3)], LIGHT, 0)
    assert seen.depth.min() >= NEAR_METRES * 0.999
    assert np.isfinite(seen.depth).all()


def test_the_z_buffer_reads_a_slanted_face_exactly():
    camera = Camera.at(Pose(2.0, 30, 70, yaw=9, lateral=0.4), SMALL)
    mesh = join([box((0, 0, 0.5), (1.0, 1.0, 1.0), Skin((255, 255, 255)))]).moved(0.3, 4.0, 33.0)
    buffer = DepthBuffer.empty(SMALL)
    draw(buffer, camera, mesh, 1)
    rows, columns = np.nonzero(buffer.faces)
    z = 1 / buffer.inverse_depth[rows, columns]
    rays = np.stack([camera.ray_u[columns], camera.ray_v[rows], np.ones(len(rows))], axis=1)
    points = (rays * z[:, None]) @ camera.axes + camera.eye
    numbers = buffer.faces[rows, columns] - 1
    from_plane = np.einsum("ij,ij->i", points - mesh.vertices[mesh.corners[numbers, 0]], mesh.normals[numbers])
    assert np.median(np.abs(from_plane)) < 1e-5
    assert np.mean(np.abs(from_plane) < 1e-4) > 0.95, "only pixels that an edge touches may be held at its depth"
    assert np.abs(from_plane).max() < 0.05


def test_truth_without_a_picture_equals_truth_of_the_picture():
    scene = DockScene(4, POSES["C"], SMALL)
    movers = placed_apart(np.random.default_rng(1), ("forklift", "person"))
    seen = scene.render(movers, LIGHT, 0)
    assert scene.measure(movers) == [seen.truth(0), seen.truth(1)]
    assert seen.truth(0).distance_p25 > seen.truth(0).foremost


def test_who_is_out_of_the_picture_has_no_truth():
    assert DockScene(4, POSES["C"], SMALL).measure([MoverState("person", 30, 3, 0, 1)]) == [None]


def test_a_forklift_s_p25_lies_well_behind_its_fork_tips():
    truth = DockScene(2, POSES["P0"]).measure([MoverState("forklift", 0, 5, 180, 1)])[0]
    assert 0.4 < truth.distance_p25 - truth.foremost < 1.6


def test_the_view_says_how_the_camera_hangs():
    view = POSES["P3"].view()
    assert (view.height, view.pitch, view.hfov, view.yaw) == (3.0, 28.0, 80.0, -16.0)
