"""How a camera hangs as somebody finds it on site, from painted bays, and the depth heads fitted for what was found."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from operators.backbone import Engine
from operators.heads.depth_linear import DepthLinear
from operators.scene.config import ViewConfig
from operators.scene.floor_markings import Rectangle
from operators.scene.pose_from_floor import CLICK_SHARE, solve_pose
from pipeline.simulation.depth_heads import head_for_view
from pipeline.simulation.pose import POSES
from tests.floor_scenes import SIZE, seen

SHAPE = (224, 392)
NUM_BAYS = 2
YAW_SIGMA_DEGREES = 1.0
"""Markings do not tell the yaw: it is typed, as somebody estimates it."""


@dataclass(frozen=True)
class FoundPose:
    """What commissioning writes into the configuration."""

    pose: str
    view: ViewConfig

    def errors(self) -> dict[str, float]:
        """Found less true: degrees, and per cent of the height."""
        true = POSES[self.pose]
        return {
            "pose_pitch_error": self.view.pitch - true.pitch,
            "pose_height_error_percent": 100 * (self.view.height / true.height - 1),
            "pose_hfov_error": self.view.hfov - true.hfov,
            "pose_yaw_error": self.view.yaw - true.yaw,
        }


def find_pose(pose: str) -> FoundPose:
    """Two painted bays, their corners marked as carefully as the product expects; nothing else is known."""
    rng = np.random.default_rng([61, sorted(POSES).index(pose)])
    bays = [_bay(rng, pose) for _ in range(NUM_BAYS)]
    found = solve_pose(bays, SIZE)
    view = ViewConfig(
        hfov=round(found.hfov_degrees, 1),
        height=round(found.height_metres, 2),
        pitch=round(found.pitch_degrees, 1),
        yaw=float(round(POSES[pose].yaw + rng.normal(0, YAW_SIGMA_DEGREES))),
    )
    return FoundPose(pose, view)


def _bay(rng: np.random.Generator, pose: str) -> Rectangle:
    """2.5 to 4.2 m by 2.5 to 6 m, somewhere in the picture."""
    while True:
        wide, long = float(rng.uniform(2.5, 4.2)), float(rng.uniform(2.5, 6.0))
        x, y = float(rng.uniform(-3, 1)), float(rng.uniform(1.5, 6))
        floor = [(x, y), (x + wide, y), (x + wide, y + long), (x, y + long)]
        a, b, c, d = seen(POSES[pose], floor, rng.normal(0, CLICK_SHARE * SIZE[1], (4, 2)))
        if all(0 < u < 1 and 0 < v < 1 for u, v in (a, b, c, d)):
            return Rectangle((a, b, c, d), wide, long)


def fit_heads(wanted: Iterable[tuple[Engine, ViewConfig]], cache_dir: Path) -> list[DepthLinear]:
    """The heads for views as the product fits them, two at a time, from layouts and lights that no clip has."""
    with ThreadPoolExecutor(2) as lanes:
        return list(lanes.map(lambda each: head_for_view(each[0], each[1], SHAPE, cache_dir), wanted))
