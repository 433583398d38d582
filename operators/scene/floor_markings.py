"""Things of known size on a flat floor, as somebody marks them in a picture.

Each kind says how its floor points follow from a few free numbers (its place, its direction), so that a camera's pose
can be fitted to the marked pixels. Floor coordinates are metres, (x, y) with x to the right and y ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from operators.zones import XY


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Four corners in order round a rectangle, such as a painted bay or a mat."""

    corners: tuple[XY, XY, XY, XY]
    """In 0..1 of the picture."""
    first_metres: float
    """From the first corner to the second."""
    second_metres: float
    """From the second corner to the third."""

    equations = 5
    """Numbers that it tells of the camera: eight, less its own place and direction."""
    num_free = 4

    @property
    def points(self) -> tuple[XY, ...]:
        return self.corners

    @property
    def sizes(self) -> tuple[float, ...]:
        return (self.first_metres, self.second_metres)

    def start(self, floor: np.ndarray) -> np.ndarray:
        """Free numbers (x, y, angle of the first side, turn) that come near to back-projected corners (4, 2)."""
        first, second = floor[1] - floor[0], floor[2] - floor[1]
        turn = 1.0 if first[0] * second[1] - first[1] * second[0] > 0 else -1.0
        return np.array([*floor.mean(axis=0), np.arctan2(first[1], first[0]), turn])

    def floor_points(self, free: np.ndarray) -> np.ndarray:
        """(4, 2) metres."""
        along, across = _axes(free[2])
        a, b = self.first_metres / 2 * along, np.sign(free[3]) * self.second_metres / 2 * across
        return free[:2] + np.stack([-a - b, a - b, a + b, b - a])

    def lengths(self, floor: np.ndarray) -> np.ndarray:
        """Sides as back-projected, over what they are."""
        sides = np.linalg.norm(floor - np.roll(floor, -1, axis=0), axis=1)
        return sides / np.array([*self.sizes, *self.sizes])


@dataclass(frozen=True, slots=True)
class Segment:
    """Two points a known length apart, such as the ends of a painted line."""

    ends: tuple[XY, XY]
    metres: float

    equations = 1
    num_free = 3

    @property
    def points(self) -> tuple[XY, ...]:
        return self.ends

    @property
    def sizes(self) -> tuple[float, ...]:
        return (self.metres,)

    def start(self, floor: np.ndarray) -> np.ndarray:
        """Free numbers (x, y, angle)."""
        along = floor[1] - floor[0]
        return np.array([*floor.mean(axis=0), np.arctan2(along[1], along[0])])

    def floor_points(self, free: np.ndarray) -> np.ndarray:
        """(2, 2) metres."""
        half = self.metres / 2 * _axes(free[2])[0]
        return free[:2] + np.stack([-half, half])

    def lengths(self, floor: np.ndarray) -> np.ndarray:
        """As back-projected, over what it is."""
        return np.array([np.linalg.norm(floor[1] - floor[0]) / self.metres])


@dataclass(frozen=True, slots=True)
class Parallels:
    """Two parallel lines a known way apart, each by two points anywhere on it, such as the sides of a lane."""

    first: tuple[XY, XY]
    second: tuple[XY, XY]
    metres: float
    """From one to the other, square to them."""

    equations = 2
    num_free = 7

    @property
    def points(self) -> tuple[XY, ...]:
        return (*self.first, *self.second)

    @property
    def sizes(self) -> tuple[float, ...]:
        return (self.metres,)

    def start(self, floor: np.ndarray) -> np.ndarray:
        """Free numbers (angle, way of the first line from the origin, side, way along of each of the four points)."""
        one, other = floor[1] - floor[0], floor[3] - floor[2]
        other = other if one @ other >= 0 else -other
        mean = one / np.linalg.norm(one) + other / np.linalg.norm(other)
        angle = np.arctan2(mean[1], mean[0])
        along, across = _axes(angle)
        ways = floor @ across
        side = 1.0 if ways[2:].mean() > ways[:2].mean() else -1.0
        return np.array([angle, ways.mean() - side * self.metres / 2, side, *(floor @ along)])

    def floor_points(self, free: np.ndarray) -> np.ndarray:
        """(4, 2) metres."""
        along, across = _axes(free[0])
        ways = free[1] + np.sign(free[2]) * self.metres * np.array([0.0, 0.0, 1.0, 1.0])
        return free[3:, None] * along + ways[:, None] * across

    def lengths(self, floor: np.ndarray) -> np.ndarray:
        """Ways apart as back-projected, over what they are."""
        free = self.start(floor)
        ways = floor @ _axes(free[0])[1]
        return np.abs(ways[2:] - ways[:2]) / self.metres


Marking = Rectangle | Segment | Parallels


def _axes(angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors along a direction on the floor and square to it."""
    return np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
