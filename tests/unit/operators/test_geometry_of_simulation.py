"""The simulator's own projection and ours were written apart: they must agree on every pixel."""

import numpy as np
import pytest

from operators.backbone.preprocess import place
from operators.geometry import FloorCamera
from operators.heads.fit_depth import place_like
from pipeline.simulation.dock import DockScene
from pipeline.simulation.lights import Light
from pipeline.simulation.movers import MoverState
from pipeline.simulation.pose import POSES


@pytest.mark.parametrize("pose", ["P0", "P3"])
def test_ground_distance_of_every_pixel(pose):
    rendered = DockScene(3, POSES[pose]).render([MoverState("forklift", 0.2, 4.0, 180.0, 5)], Light.of(2), 1)
    camera = FloorCamera(POSES[pose].view(), (360, 640))
    np.testing.assert_allclose(camera.ground_distance(rendered.depth), rendered.ground, atol=1e-4)
    pixels, placement = place(rendered.rgb, (224, 392))
    placed = FloorCamera(POSES[pose].view(), (224, 392), placement)
    error = placed.ground_distance(place_like(rendered.depth, placement)) - place_like(rendered.ground, placement)
    assert np.median(np.abs(error)) < 0.02  # nearest pixel: at most half a source pixel off
    assert pixels.shape == (224, 392, 3)


@pytest.mark.parametrize("pose", ["P0", "P2"])
def test_a_person_fills_most_of_the_box_that_one_takes(pose):
    scene, light = DockScene(3, POSES[pose]), Light.of(2)
    camera = FloorCamera(POSES[pose].view(), (360, 640))
    for metres in (4.0, 6.0, 8.0):
        rendered = scene.render([MoverState("person", 0.0, metres, 180.0, 5)], light, 1)
        assert 0.6 < (rendered.mover_map == 1).sum() / camera.upright_area(np.array(metres), 0.5, 1.7) < 1.2
