"""Pixels, depth and floor lines to metres, for a camera of known height, pitch, yaw and field of view.

The floor's axes: the origin is the camera's foot, `y` points ahead along the normal of the line `here`, `x` to the
right of it. Pixel coordinates are continuous: pixel `i` covers `[i, i + 1)`, so its centre is `i + 0.5`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, radians, sin, tan

import numpy as np

from operators.frames import Placement
from operators.scene.config import Line, ViewConfig


def focal_px(hfov_degrees: float, width: int) -> float:
    """Focal length in pixels of a picture `width` pixels wide."""
    return width / 2 / tan(radians(hfov_degrees) / 2)


def canonical_scale(focal: float, reference_focal: float) -> float:
    """By what to multiply the depth that a head gives, to get metres of this camera.

    A head learns how large things look, which is size times focal length over depth: a picture taken with twice the
    focal length looks as if everything were twice as near.
    Source: canonical camera space, Metric3D, arXiv 2307.10984, section 3.2 (transformation of labels).

    Raises:
        ValueError: a focal length is not positive.
    """
    if focal <= 0 or reference_focal <= 0:
        raise ValueError(f"focal lengths must be positive, got {focal=} and {reference_focal=}")
    return focal / reference_focal


def signed_distance(x: np.ndarray, y: np.ndarray, line: Line) -> np.ndarray:
    """Metres on the floor from an (infinite) line to the points (x, y).

    Positive beyond the line as seen from the camera's foot, negative on the foot's side; where the foot stands on
    the line, positive ahead of it.

    Raises:
        ValueError: the two points of the line are one point.
    """
    if line == "here":
        return y
    (ax, ay), (bx, by) = line
    length = hypot(bx - ax, by - ay)
    if length == 0:
        raise ValueError(f"a line needs two different floor points, got {line}")
    normal_x, normal_y = -(by - ay) / length, (bx - ax) / length
    foot = -(normal_x * ax + normal_y * ay)
    side = -1.0 if foot > 0 or (foot == 0 and normal_y < 0) else 1.0
    return side * (normal_x * (x - ax) + normal_y * (y - ay))


def beside_line(line: Line, metres: float, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Floor points (x, y) whose `signed_distance` to a line is `metres`.

    Args:
        line: floor line.
        metres: 0: on the line itself.
        along: float, any shape: metres along the line, from its middle; of `here` from the camera's foot, to the right.

    Raises:
        ValueError: the two points of the line are one point.
    """
    if line == "here":
        return along, np.full_like(along, metres)
    (ax, ay), (bx, by) = line
    length = hypot(bx - ax, by - ay)
    if length == 0:
        raise ValueError(f"a line needs two different floor points, got {line}")
    normal_x, normal_y = -(by - ay) / length, (bx - ax) / length
    middle_x, middle_y = (ax + bx) / 2, (ay + by) / 2
    ahead = signed_distance(np.array(middle_x + normal_x), np.array(middle_y + normal_y), line)
    off = metres * float(ahead)
    return (
        middle_x + along * (bx - ax) / length + off * normal_x,
        middle_y + along * (by - ay) / length + off * normal_y,
    )


@dataclass(frozen=True, slots=True)
class FloorCamera:
    """A camera above a flat floor. Pure: everything follows from its three fields."""

    view: ViewConfig
    size: tuple[int, int]
    """(H, W) of the model-size picture in pixels."""
    placement: Placement | None = None
    """How that picture was cut from the source; None: it shows the whole picture with square pixels."""

    @property
    def focal(self) -> tuple[float, float]:
        """(fy, fx) in pixels of the model-size picture."""
        if self.placement is None:
            focal = focal_px(self.view.hfov, self.size[1])
            return (focal, focal)
        focal = focal_px(self.view.hfov, self.placement.source_size[1])
        return (focal / self.placement.scale[0], focal / self.placement.scale[1])

    @property
    def centre(self) -> tuple[float, float]:
        """(cy, cx) where the optical axis meets the model-size picture."""
        if self.placement is None:
            return (self.size[0] / 2, self.size[1] / 2)
        (height, width), (sy, sx) = self.placement.source_size, self.placement.scale
        return ((height / 2 - self.placement.offset[0]) / sy, (width / 2 - self.placement.offset[1]) / sx)

    def cell_centres(self, grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Pixel coordinates of the centres of a grid laid over the picture: y (h, 1) and x (1, w)."""
        y = (np.arange(grid[0]) + 0.5) * (self.size[0] / grid[0])
        x = (np.arange(grid[1]) + 0.5) * (self.size[1] / grid[1])
        return y[:, None], x[None, :]

    def rays(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where the rays through pixels go per metre of depth along the optical axis.

        Args:
            y: pixel rows, any shape that broadcasts with `x`.
            x: pixel columns.

        Returns:
            (right, ahead, down) in the floor's axes, metres per metre of depth. At yaw 0, ahead is
            `cos(pitch) - v sin(pitch)` with v = (y - cy) / f.
        """
        pitch, yaw = radians(self.view.pitch), radians(self.view.yaw)
        v = (y - self.centre[0]) / self.focal[0]
        u = (x - self.centre[1]) / self.focal[1]
        u, v = np.broadcast_arrays(u, v)
        along = cos(pitch) - v * sin(pitch)
        return (u * cos(yaw) + along * sin(yaw), along * cos(yaw) - u * sin(yaw), sin(pitch) + v * cos(pitch))

    def floor_points(self, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Floor coordinates (x, y) in metres below every cell of a depth grid.

        Args:
            depth: float (h, w) metres along the optical axis, a grid laid over the whole picture.
        """
        right, ahead, _ = self.rays(*self.cell_centres((depth.shape[0], depth.shape[1])))
        metres = depth.astype(np.float64)
        return right * metres, ahead * metres

    def ground_distance(self, depth: np.ndarray, line: Line = "here") -> np.ndarray:
        """Metres on the floor from a line to what every cell shows; needs no camera height. float64 (h, w)."""
        return signed_distance(*self.floor_points(depth), line)

    def floor_depth(self, grid: tuple[int, int]) -> np.ndarray:
        """Depth that the bare floor would have, metres along the optical axis, inf above the horizon. (h, w)."""
        _, _, down = self.rays(*self.cell_centres(grid))
        return np.where(down > 0, self.view.height / np.where(down > 0, down, 1.0), np.inf)

    def floor_distance_at(self, y: np.ndarray, x: np.ndarray, line: Line = "here") -> np.ndarray:
        """Metres from a line to where the rays through pixels meet the floor; NaN where they do not."""
        right, ahead, down = self.rays(y, x)
        depth = np.where(down > 0, self.view.height / np.where(down > 0, down, 1.0), np.nan)
        return signed_distance(right * depth, ahead * depth, line)

    def nearest_visible_floor(self, line: Line = "here") -> float:
        """Metres from a line to the nearest floor at the picture's bottom edge; NaN where no floor is seen.

        Nothing that stands nearer shows its foot. A threshold below it is blind, one above 0.8 of it is late.
        """
        x = np.linspace(0.0, self.size[1], 33)
        distances = self.floor_distance_at(np.full_like(x, self.size[0]), x, line)
        seen = distances[np.isfinite(distances)]
        return float(seen.min()) if seen.size else float("nan")

    def contact_distance(self, mask: np.ndarray, line: Line = "here", percentile: float = 25.0) -> float | None:
        """Metres from a line to where a subject meets the floor, from its lowest patches; no depth is used.

        Args:
            mask: bool (h, w) patches.
            line: floor line.
            percentile: over the mask's columns.

        Returns:
            None where no column's foot is on visible floor (above the horizon).
        """
        columns = np.flatnonzero(mask.any(axis=0))
        if columns.size == 0:
            return None
        height, width = mask.shape
        lowest = height - 1 - np.argmax(mask[::-1, columns], axis=0)
        y = (lowest + 1) * (self.size[0] / height)
        x = (columns + 0.5) * (self.size[1] / width)
        distances = self.floor_distance_at(y, x, line)
        seen = distances[np.isfinite(distances)]
        return float(np.percentile(seen, percentile)) if seen.size else None

    def upright_area(self, ahead: np.ndarray, width: float, height: float) -> np.ndarray:
        """Square pixels that something upright takes in the picture, as the box of its foot, head and width.

        Args:
            ahead: metres on the floor from the camera's foot, in the direction in which it looks.
            width: of the thing, in metres.
            height: of the thing, in metres.
        """
        yaw = radians(self.view.yaw)
        x, y = ahead * sin(yaw), ahead * cos(yaw)
        (foot, _), (head, _) = self.pixel_of(x, y), self.pixel_of(x, y, height)
        seen = np.clip(foot, 0, self.size[0]) - np.clip(head, 0, self.size[0])
        depth = ahead * cos(radians(self.view.pitch)) + (self.view.height - height / 2) * sin(radians(self.view.pitch))
        return seen * self.focal[1] * width / depth

    def pixel_of(self, x: np.ndarray, y: np.ndarray, above: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (y, x) of points `above` metres over floor points (x, y) in metres; NaN behind the camera."""
        pitch, yaw = radians(self.view.pitch), radians(self.view.yaw)
        along = x * sin(yaw) + y * cos(yaw)
        right = x * cos(yaw) - y * sin(yaw)
        drop = self.view.height - above
        depth = along * cos(pitch) + drop * sin(pitch)
        below = drop * cos(pitch) - along * sin(pitch)
        depth = np.where(depth > 0, depth, np.nan)
        return (
            self.centre[0] + self.focal[0] * below / depth,
            self.centre[1] + self.focal[1] * right / depth,
        )
