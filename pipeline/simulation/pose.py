"""Where a simulated camera hangs, and its exact projection.

World axes, metres: x to the right along the dock edge, y away from the dock (the edge is the line y = 0), z up.
The camera stands on the dock at `(lateral, 0, height)`; the lane that movers use lies round x = 0.
Camera axes: right, down, forward. Pixel centres lie at half integers; the optical axis meets the picture's middle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from operators.scene.config import ViewConfig


@dataclass(frozen=True, slots=True)
class Pose:
    """One way to hang a camera over a dock."""

    height: float
    """Metres above the floor."""
    pitch: float
    """Degrees below the horizon."""
    hfov: float
    """Degrees, horizontal."""
    yaw: float = 0.0
    """Degrees to the right of the dock edge's normal."""
    lateral: float = 0.0
    """Metres to the right of the lane's middle."""

    def view(self) -> ViewConfig:
        """The same as a camera's `view:`."""
        return ViewConfig(
            hfov=float(self.hfov), height=float(self.height), pitch=float(self.pitch), yaw=float(self.yaw)
        )


POSES: dict[str, Pose] = {
    "P0": Pose(3.5, 32, 74),
    "P1": Pose(2.5, 25, 66, yaw=-3, lateral=0.8),
    "P2": Pose(5.0, 42, 74, yaw=2, lateral=-0.5),
    "P3": Pose(3.0, 28, 80, yaw=-16, lateral=2.5),
    "P4": Pose(4.0, 35, 60, yaw=7, lateral=-1.5),
    "A": Pose(3.6, 31, 72),
    "B": Pose(2.6, 24, 64, yaw=-6, lateral=1.0),
    "C": Pose(4.8, 41, 76, yaw=4, lateral=-1.2),
    "D": Pose(3.1, 27, 80, yaw=-14, lateral=2.4),
}
"""From low to high, square and oblique; the nearest visible floor lies between 1.4 and 2.75 m."""


@dataclass(frozen=True, slots=True, repr=False)
class Camera:
    """A pinhole at a pose, with what every pixel looks at."""

    size: tuple[int, int]
    focal_px: float
    eye: np.ndarray
    """float64 (3,) world."""
    axes: np.ndarray
    """float64 (3, 3) rows right, down, forward in world axes: camera = axes @ (world - eye)."""
    ray_u: np.ndarray
    """float32 (W,) right per unit of depth, at pixel centres."""
    ray_v: np.ndarray
    """float32 (H,) down per unit of depth."""

    @staticmethod
    def at(pose: Pose, size: tuple[int, int]) -> Camera:
        """The camera of `pose` with pictures of `size` (height, width)."""
        height, width = size
        focal_px = width / 2 / math.tan(math.radians(pose.hfov) / 2)
        pitch, yaw = math.radians(pose.pitch), math.radians(pose.yaw)
        cos_p, sin_p, cos_y, sin_y = math.cos(pitch), math.sin(pitch), math.cos(yaw), math.sin(yaw)
        axes = np.array(
            [
                [cos_y, -sin_y, 0.0],
                [-sin_y * sin_p, -cos_y * sin_p, -cos_p],
                [sin_y * cos_p, cos_y * cos_p, -sin_p],
            ]
        )
        return Camera(
            size=size,
            focal_px=focal_px,
            eye=np.array([pose.lateral, 0.0, pose.height]),
            axes=axes,
            ray_u=((np.arange(width) + 0.5 - width / 2) / focal_px).astype(np.float32),
            ray_v=((np.arange(height) + 0.5 - height / 2) / focal_px).astype(np.float32),
        )

    def world_per_depth(self, axis: int) -> np.ndarray:
        """float32 (H, W): change of world coordinate `axis` (0 x, 1 y, 2 z) per metre of depth.

        For axis 1 this is the ground distance per metre of depth, `cos p - v sin p` where the yaw is 0.
        """
        right, down, forward = (float(row[axis]) for row in self.axes)
        return (self.ray_v[:, None] * down + (self.ray_u[None, :] * right + forward)).astype(np.float32)

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) world metres to (..., 3) camera metres: right, down, forward."""
        return (points - self.eye) @ self.axes.T

    def to_pixels(self, camera_points: np.ndarray) -> np.ndarray:
        """(N, 3) camera metres in front of the lens to (N, 2) continuous pixels (x, y); the corner is (0, 0)."""
        height, width = self.size
        return camera_points[:, :2] / camera_points[:, 2:] * self.focal_px + (width / 2, height / 2)
