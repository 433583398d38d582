"""Rectangles on the floor as simulated cameras see them, marked as people do: a little off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from operators.scene.floor_markings import Rectangle
from pipeline.simulation.depth_heads import random_pose
from pipeline.simulation.pose import Camera, Pose

SIZE = (360, 640)


def seen(
    pose: Pose, floor: Sequence[tuple[float, float]], noise_px: np.ndarray | float = 0.0
) -> list[tuple[float, float]]:
    """Floor points in metres (the lane's axes) in 0..1 of the picture."""
    camera = Camera.at(pose, SIZE)
    pixels = camera.to_pixels(camera.to_camera(np.array([(x, y, 0.0) for x, y in floor]))) + noise_px
    return [(float(x) / SIZE[1], float(y) / SIZE[0]) for x, y in pixels]


@dataclass(frozen=True, slots=True)
class FloorScene:
    """A pose, and what somebody marked there."""

    pose: Pose
    rectangles: list[Rectangle]


def random_scene(rng: np.random.Generator, *, num_rectangles: int, noise_px: float) -> FloorScene:
    """A camera on a dock, and bays of 2.5 to 4.2 m by 2.5 to 6 m that lie in its picture, each corner off by
    `noise_px` (standard deviation, in x and in y)."""
    while True:
        pose = random_pose(rng)
        found = [each for _ in range(60) if (each := _rectangle(rng, pose, noise_px)) is not None]
        if len(found) >= num_rectangles:
            return FloorScene(pose, found[:num_rectangles])


def _rectangle(rng: np.random.Generator, pose: Pose, noise_px: float) -> Rectangle | None:
    wide, long = float(rng.uniform(2.5, 4.2)), float(rng.uniform(2.5, 6))
    x, y = float(rng.uniform(-2, 1)), float(rng.uniform(1.5, 5))
    floor = [(x, y), (x + wide, y), (x + wide, y + long), (x, y + long)]
    a, b, c, d = seen(pose, floor, rng.normal(0, noise_px, (4, 2)))
    is_inside = all(0 < u < 1 and 0 < v < 1 for u, v in (a, b, c, d))
    return Rectangle((a, b, c, d), wide, long) if is_inside else None
