"""What does not move in one view, computed once: depth and colours per scene, stains and sunlight per light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from pipeline.simulation.ground import stain_factors
from pipeline.simulation.layout import floor_texels, lay_out
from pipeline.simulation.lights import Light, direction
from pipeline.simulation.pose import Camera, Pose
from pipeline.simulation.raster import DepthBuffer, draw
from pipeline.simulation.shading import FaceTable, cast_shadow, darken_contact

_FAR_METRES = 60.0
"""Where a ray that meets nothing ends."""
_SUPERSAMPLING = 2


@dataclass(frozen=True, slots=True, repr=False)
class Sunlight:
    """Where the sun of one light reaches in the empty scene."""

    reach: np.ndarray
    """uint8 (H, W) share of full sun, shadows of standing things included."""
    across_edge: np.ndarray
    """float32 (H, W) metres across the direction of the large shadow's edge, followed along the sun to the floor."""


class StillScene:
    """A layout seen from a pose, without movers. Not thread-safe: it keeps the last few lights."""

    def __init__(self, layout_seed: int, pose: Pose, size: tuple[int, int]) -> None:
        self.camera = Camera.at(pose, size)
        self._layout = lay_out(layout_seed)
        x_per_depth, self.ground_per_depth, self.up_per_depth = (self.camera.world_per_depth(axis) for axis in range(3))
        buffer = self._drawn(self.camera, self.up_per_depth)
        self.inverse_depth = buffer.inverse_depth
        """float32 (H, W) 1 / metres."""
        self._faces = buffer.faces
        depth = 1 / buffer.inverse_depth
        self.is_floor = (buffer.faces == 0) & (depth < _FAR_METRES * 0.999)
        """bool (H, W)."""
        self.not_floor = np.where(self.is_floor, 0, 255).astype(np.uint8)
        """uint8 (H, W) 255 where something stands."""
        self._x = depth * x_per_depth + np.float32(pose.lateral)
        self._y = depth * self.ground_per_depth
        self._z = np.where(self.is_floor, np.float32(0), depth * self.up_per_depth + np.float32(pose.height))
        table = FaceTable.of([self._layout.solids], self.camera)
        self._normals = np.concatenate([[[0.0, 0.0, 1.0]], table.normals]).astype(np.float32)
        self._albedo = self._colours(pose, table)
        self.openness = self._open_sky(table)
        """uint8 (H, W) share of the sky's light."""
        self._stained = lru_cache(maxsize=4)(self._with_stains)
        self._sunlit = lru_cache(maxsize=4)(self._with_sun)

    def colours(self, light: Light) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Three uint8 (H, W) planes R, G, B of the scene's own colours with the light's stains, not to be written."""
        return self._stained(light.stains)

    def sunlight(self, light: Light) -> Sunlight:
        """Of this light's direction; not to be written."""
        return self._sunlit(light.sun_azimuth, light.sun_elevation, light.edge_angle)

    def _drawn(self, camera: Camera, up_per_depth: np.ndarray) -> DepthBuffer:
        floor = np.maximum(up_per_depth / np.float32(-camera.eye[2]), np.float32(1 / _FAR_METRES))
        buffer = DepthBuffer(floor, np.zeros(camera.size, np.int16))
        draw(buffer, camera, self._layout.solids, 1)
        return buffer

    def _colours(self, pose: Pose, table: FaceTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        height, width = self.camera.size
        camera = Camera.at(pose, (height * _SUPERSAMPLING, width * _SUPERSAMPLING))
        buffer = self._drawn(camera, camera.world_per_depth(2))
        depth = 1 / buffer.inverse_depth
        column, row = floor_texels(
            depth * camera.world_per_depth(0) + np.float32(pose.lateral), depth * camera.world_per_depth(1)
        )
        picture = cv2.remap(self._layout.floor, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        rows, columns = np.nonzero(buffer.faces)
        picture[rows, columns] = table.colours_at(
            buffer.faces[rows, columns] - 1, depth[rows, columns], camera.ray_u[columns], camera.ray_v[rows]
        )
        red, green, blue = cv2.split(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))
        return (red, green, blue)

    def _open_sky(self, table: FaceTable) -> np.ndarray:
        by_face = np.concatenate([[255], table.openness()]).astype(np.uint8)
        contact = np.full(self.camera.size, 255, np.uint8)
        darken_contact(contact, self.camera, self._layout.solids, 120)
        contact = cv2.GaussianBlur(contact, (0, 0), 3.5)
        contact[~self.is_floor] = 255
        return cv2.multiply(by_face[self._faces], contact, scale=1 / 255)

    def _with_stains(self, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        factors = stain_factors(seed, self._x, self._y)
        red, green, blue = (
            cv2.multiply(plane, np.where(self.is_floor, factor, np.float32(1)), dtype=cv2.CV_8U)
            for plane, factor in zip(self._albedo, factors, strict=True)
        )
        return (red, green, blue)

    def _with_sun(self, azimuth: float, elevation: float, edge_angle: float) -> Sunlight:
        towards_sun = direction(azimuth, elevation)
        facing = (np.clip(self._normals @ towards_sun.astype(np.float32), 0, 1) * 255).astype(np.uint8)
        lit = np.full(self.camera.size, 255, np.uint8)
        cast_shadow(lit, self.camera, self._layout.solids, towards_sun)
        lit = cv2.GaussianBlur(lit, (3, 3), 0)
        lit[~self.is_floor] = 255
        reach = cv2.multiply(facing[self._faces], lit, scale=1 / 255)
        return Sunlight(reach, across_edge(towards_sun, edge_angle, self._x, self._y, self._z))


def across_edge(towards_sun: np.ndarray, edge_angle: float, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """float32: metres across the large shadow's edge of places (x, y, z), each followed along the sun to the floor."""
    angle = np.radians(edge_angle)
    along_x, along_y = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    fall = np.float32((towards_sun[0] * np.cos(angle) + towards_sun[1] * np.sin(angle)) / towards_sun[2])
    return x * along_x + y * along_y - z * fall
