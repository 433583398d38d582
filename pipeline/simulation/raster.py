"""Draws meshes into a z-buffer: which face every pixel sees, and how far away it is, exactly.

Source: the inverse depth of a plane is affine in pixel coordinates, so each face needs one multiply-add per pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.simulation.mesh import Mesh
from pipeline.simulation.pose import Camera

NEAR_METRES = 0.15
_SHIFT = 4
"""Bits of sub-pixel precision that cv2 takes."""


@dataclass(frozen=True, slots=True, repr=False)
class DepthBuffer:
    """What has been drawn so far."""

    inverse_depth: np.ndarray
    """float32 (H, W) 1 / metres."""
    faces: np.ndarray
    """int16 (H, W) number of the face that a pixel sees; 0: nothing drawn."""

    @staticmethod
    def empty(size: tuple[int, int]) -> DepthBuffer:
        """Nothing anywhere, infinitely far."""
        return DepthBuffer(np.zeros(size, np.float32), np.zeros(size, np.int16))


@dataclass(frozen=True, slots=True, repr=False)
class _Face:
    """One face, ready to be drawn."""

    number: int
    outline: np.ndarray
    """int32 (K, 2) relative to the box's corner, for cv2 with `shift`."""
    box: tuple[int, int, int, int]
    """x0, y0, x1, y1 pixels."""
    plane: np.ndarray
    """float32 (3,): inverse depth = plane @ (ray_u, ray_v, 1)."""
    inverse_range: np.ndarray
    """float32 (2,) least and greatest inverse depth of its corners."""


def draw(buffer: DepthBuffer, camera: Camera, mesh: Mesh, first_face: int) -> None:
    """Draws the faces of `mesh` that look at the camera, numbered from `first_face`, where they are nearest.

    A pixel that an edge only touches counts as covered where the plane of the face at the pixel's centre is no nearer
    and no farther than the face itself.
    """
    points = camera.to_camera(mesh.vertices)
    normals = mesh.normals @ camera.axes.T
    offsets = np.einsum("ij,ij->i", normals, points[mesh.corners[:, 0]])
    planes = (normals / np.minimum(offsets, -1e-6)[:, None]).astype(np.float32)
    depths = points[:, 2][mesh.corners]  # (F, K)
    is_near = depths.min(axis=1) < NEAR_METRES
    outlines = outline(camera, np.maximum(points, (-np.inf, -np.inf, NEAR_METRES)))[mesh.corners]  # (F, K, 2)
    boxes = _boxes(outlines, camera.size)
    local = outlines - (boxes[:, None, :2] << _SHIFT)
    ranges = (1 / np.maximum(np.stack([depths.max(axis=1), depths.min(axis=1)], axis=1), NEAR_METRES)).astype(
        np.float32
    )
    is_seen = (offsets < -1e-6) & (is_near | ((boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])))
    for number in np.flatnonzero(is_seen):
        points_px, box, span = local[number], boxes[number], ranges[number]
        if is_near[number]:
            corners = clipped(points[mesh.corners[number]])
            if len(corners) < 3:
                continue
            points_px = outline(camera, corners)
            box = _boxes(points_px[None], camera.size)[0]
            points_px = points_px - (box[:2] << _SHIFT)
            span = _inverse_ranges(corners[None, :, 2])[0]
        _draw_face(
            buffer, camera, _Face(first_face + int(number), points_px, tuple(box.tolist()), planes[number], span)
        )


def clipped(corners: np.ndarray) -> np.ndarray:
    """The part of a convex polygon (N, 3), camera metres, that lies beyond the near plane.

    Source: Sutherland and Hodgman 1974, one plane.
    """
    kept: list[np.ndarray] = []
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if a[2] >= NEAR_METRES:
            kept.append(a)
        if (a[2] >= NEAR_METRES) != (b[2] >= NEAR_METRES):
            kept.append(a + (b - a) * ((NEAR_METRES - a[2]) / (b[2] - a[2])))
    return np.array(kept)


def outline(camera: Camera, corners: np.ndarray) -> np.ndarray:
    """int32 (N, 2) for cv2's fill functions with `shift`, from (N, 3) camera metres beyond the near plane."""
    return np.round((camera.to_pixels(corners) - 0.5) * (1 << _SHIFT)).astype(np.int32)


def fill(target: np.ndarray, points: np.ndarray, value: int) -> None:
    """Fills a convex `outline`."""
    cv2.fillConvexPoly(target, points, value, lineType=cv2.LINE_8, shift=_SHIFT)


def _inverse_ranges(depths: np.ndarray) -> np.ndarray:
    """float32 (F, 2) least and greatest inverse depth of faces with corners (F, K), a hair wider for rounding."""
    nearest, farthest = np.maximum(depths.min(axis=1), NEAR_METRES), np.maximum(depths.max(axis=1), NEAR_METRES)
    return np.stack([(1 - 1e-5) / farthest, (1 + 1e-5) / nearest], axis=1).astype(np.float32)


def _boxes(outlines: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """int32 (F, 4) x0, y0, x1, y1 of the pixels that outlines (F, K, 2) touch, kept inside the picture."""
    limit = (size[1], size[0])
    low = np.maximum(outlines.min(axis=1) >> _SHIFT, 0)
    high = np.minimum((outlines.max(axis=1) >> _SHIFT) + 2, limit)
    return np.concatenate([low, high], axis=1)


def _draw_face(buffer: DepthBuffer, camera: Camera, face: _Face) -> None:
    (x0, y0, x1, y1), plane = face.box, face.plane
    if x0 >= x1 or y0 >= y1:
        return
    covered = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillConvexPoly(covered, face.outline, 1, cv2.LINE_8, _SHIFT)
    across = camera.ray_u[x0:x1] * plane[0]
    across += plane[2]
    down = camera.ray_v[y0:y1] * plane[1]
    inverse = np.add.outer(down, across)
    seen = buffer.inverse_depth[y0:y1, x0:x1]
    nearer = inverse > seen
    nearer &= covered.view(bool)
    nearer &= inverse <= face.inverse_range[1]
    nearer &= inverse >= face.inverse_range[0]
    np.copyto(seen, inverse, where=nearer)
    buffer.faces[y0:y1, x0:x1][nearer] = face.number
