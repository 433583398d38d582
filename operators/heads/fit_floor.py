"""Depth of a flat floor from four points of it whose places are known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_LEAST_AREA = 1e-3
"""Of the quadrilateral, as a share of the picture or in square metres."""


@dataclass(frozen=True, slots=True)
class FloorMark:
    """A point of the floor in the picture and in the world."""

    x: float
    """0..1 from the left."""
    y: float
    """0..1 from the top."""
    right_metres: float
    """On the floor, from any corner that you like."""
    ahead_metres: float


@dataclass(frozen=True, slots=True, repr=False)
class FloorDepth:
    """What four points say of the picture."""

    metres: np.ndarray
    """float32 (H, W) along the optical axis, NaN off the floor."""
    hfov_degrees: float
    height_metres: float
    """Of the lens above the floor."""


def floor_depth(
    marks: tuple[FloorMark, ...],
    size: tuple[int, int],
    hfov_degrees: float | None = None,
    area: tuple[tuple[float, float], ...] = (),
) -> FloorDepth:
    """Depth of the floor, for square pixels and a lens without distortion whose axis meets the picture's middle.

    Source: Z. Zhang, A Flexible New Technique for Camera Calibration, 2000, section 2.3 (what one plane says of the
    camera).

    Args:
        marks: Four, no three of them in a line.
        size: (H, W) of the picture.
        hfov_degrees: Horizontal; None: it follows from the points, unless they are seen square on.
        area: Polygon of (x, y) in 0..1 that shows bare floor; empty: the quadrilateral of the marks.

    Raises:
        ValueError: the marks do not tell.
    """
    if len(marks) != 4:
        raise ValueError(f"a floor needs four points, got {len(marks)}")
    height, width = size
    pixels = np.array([(mark.x * width, mark.y * height) for mark in marks])
    floor = np.array([(mark.right_metres, mark.ahead_metres) for mark in marks])
    _check_spread(pixels, floor, size)
    centred = (pixels - (width / 2, height / 2)).astype(np.float32)
    plane = cv2.getPerspectiveTransform(floor.astype(np.float32), centred)  # metres to pixels from the middle
    focal = width / 2 / np.tan(np.radians(hfov_degrees) / 2) if hfov_degrees else _focal(plane)
    pose = np.diag([1 / focal, 1 / focal, 1.0]) @ plane
    pose /= (np.linalg.norm(pose[:, 0]) + np.linalg.norm(pose[:, 1])) / 2
    pose *= np.sign(pose[2] @ np.append(floor.mean(axis=0), 1.0))  # the floor lies before the camera
    normal = np.cross(pose[:, 0], pose[:, 1])
    depth = _plane_depth(normal / np.linalg.norm(normal), pose[:, 2], focal, size)
    corners = np.array(area) * (width, height) if area else cv2.convexHull(pixels.astype(np.float32))[:, 0]
    inside = cv2.fillPoly(np.zeros(size, np.uint8), [np.round(corners).astype(np.int32)], 1) > 0
    found = np.where(inside, depth, np.nan).astype(np.float32)
    if not np.isfinite(found).any():
        raise ValueError("no floor is seen in that area: check the order of the points and of the area's corners")
    distance = abs(float(normal @ pose[:, 2])) / float(np.linalg.norm(normal))
    return FloorDepth(found, float(np.degrees(2 * np.arctan(width / 2 / focal))), distance)


def _check_spread(pixels: np.ndarray, floor: np.ndarray, size: tuple[int, int]) -> None:
    """Raises: ValueError: three of the points lie in a line."""
    for name, points, least in (
        ("in the picture", pixels, _LEAST_AREA * size[0] * size[1]),
        ("on the floor", floor, _LEAST_AREA),
    ):
        if _least_triangle(points) < least:
            raise ValueError(f"three of the four floor points lie in a line {name}. Give the corners of a rectangle")


def _focal(plane: np.ndarray) -> float:
    """Focal length in pixels for which the floor's axes are square to each other and of one length."""
    a, b = plane[:, 0], plane[:, 1]
    # With q = 1 / f^2: q (a0 b0 + a1 b1) + a2 b2 = 0 and q (a0^2 + a1^2 - b0^2 - b1^2) + a2^2 - b2^2 = 0.
    slope = np.array([a[:2] @ b[:2], a[:2] @ a[:2] - b[:2] @ b[:2]])
    constant = np.array([a[2] * b[2], a[2] ** 2 - b[2] ** 2])
    size = float(slope @ slope)
    inverse = -float(slope @ constant) / size if size > 0 else 0.0
    if inverse <= 0 or not np.isfinite(inverse):
        raise ValueError("the four points do not tell the focal length: give --hfov, or check their order")
    return inverse**-0.5


def _plane_depth(normal: np.ndarray, point: np.ndarray, focal: float, size: tuple[int, int]) -> np.ndarray:
    """(H, W) metres along the axis to the plane through `point`; NaN where a ray does not meet it."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    along = normal[0] * (x - size[1] / 2) / focal + normal[1] * (y - size[0] / 2) / focal + normal[2]
    with np.errstate(divide="ignore"):
        depth = (normal @ point) / along
    return np.where(np.isfinite(depth) & (depth > 0), depth, np.nan)


def _least_triangle(points: np.ndarray) -> float:
    """Area of the smallest triangle of three of the four points."""
    areas: list[float] = []
    for left_out in range(4):
        a, b, c = np.delete(points, left_out, axis=0)
        (ux, uy), (vx, vy) = b - a, c - a
        areas.append(abs(float(ux * vy - uy * vx)) / 2)
    return min(areas)
