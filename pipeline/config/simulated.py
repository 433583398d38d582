"""What a simulated camera need not say: the simulator knows its view, its line and its zone."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from operators.geometry import FloorCamera
from operators.scene.config import ViewConfig
from pipeline.config.merge import Merged
from pipeline.simulation.pose import Pose
from pipeline.sources.simulated import SIZE, pose_for

_LANE_METRES = 2.2
"""Half the width of the apron round the lane's middle."""
_DEPTH_METRES = 12.0


def complete(camera: Merged) -> None:
    """Adds `view`, the line `dock` and the zone `apron` to a simulated camera that lacks them."""
    source = camera.value.get("source")
    if not isinstance(source, dict) or cast("dict[str, Any]", source).get("simulated") != "dock":
        return
    seed = cast("dict[str, Any]", source).get("seed", 0)
    pose = pose_for(seed if isinstance(seed, int) else 0)
    view = pose.view()
    camera.value.setdefault("view", view)
    if isinstance(lines := camera.value.setdefault("lines", {}), dict):
        lines.setdefault("dock", "here")
    if isinstance(zones := camera.value.setdefault("zones", {}), dict):
        zones.setdefault("apron", apron(pose, view))


def apron(pose: Pose, view: ViewConfig) -> list[tuple[float, float]]:
    """The floor of the lane up to 12 m as a polygon in 0..1 of the picture, cut at its edges."""
    camera = FloorCamera(view, SIZE)
    near = camera.nearest_visible_floor() + 0.05
    x = np.array([-_LANE_METRES, _LANE_METRES, _LANE_METRES, -_LANE_METRES]) - pose.lateral
    y = np.array([_DEPTH_METRES, _DEPTH_METRES, near, near])
    rows, columns = camera.pixel_of(x, y)
    corners = np.stack([columns / SIZE[1], rows / SIZE[0]], axis=1)
    corners[2:, 1] = 1.0
    return [(float(a), float(b)) for a, b in corners.clip(0.0, 1.0)]
