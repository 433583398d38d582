"""Faces and light to colour. Light is kept as bytes (128 = a factor of 1), so that one pass of cv2 applies it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.simulation import materials
from pipeline.simulation.mesh import Mesh
from pipeline.simulation.pose import Camera
from pipeline.simulation.raster import NEAR_METRES, clipped, fill, outline


@dataclass(frozen=True, slots=True, repr=False)
class FaceTable:
    """What to know of each face that may have been drawn; row 0 is the face numbered 1."""

    texture: np.ndarray
    """float32 (F, 8): two tile coordinates, each (u, v, 1) @ [:3] * depth + [3], rays in camera axes."""
    colours: np.ndarray
    """float32 (F, 3) RGB factor of the material's tile."""
    tiles: np.ndarray
    """int32 (F,) first texel of the material in the atlas."""
    normals: np.ndarray
    """float32 (F, 3) world."""

    @staticmethod
    def of(meshes: Sequence[Mesh], camera: Camera) -> FaceTable:
        """The faces of `meshes`, one mesh after the other."""
        skins = [skin for mesh in meshes for skin in mesh.skins]
        axes = [
            np.column_stack([rows[:, :3] @ camera.axes.T, rows[:, 3] + rows[:, :3] @ camera.eye])
            for rows in (
                np.concatenate([getattr(mesh, name) for mesh in meshes]) for name in ("texture_u", "texture_v")
            )
        ]
        return FaceTable(
            np.column_stack(axes).astype(np.float32),
            np.array([skin.colour for skin in skins], np.float32) / 255,
            np.array([materials.NUMBER[skin.material] for skin in skins], np.int32) * materials.TILE**2,
            np.concatenate([mesh.normals for mesh in meshes]).astype(np.float32),
        )

    def colours_at(self, face: np.ndarray, depth: np.ndarray, ray_u: np.ndarray, ray_v: np.ndarray) -> np.ndarray:
        """uint8 (N, 3) RGB of N pixels: `face` counts from 0, `depth` in metres, rays per metre of depth."""
        rows = np.take(self.texture, face, axis=0)  # (N, 8)
        tile = np.float32(materials.TILE)
        s = (rows[:, 0] * ray_u + rows[:, 1] * ray_v + rows[:, 2]) * depth + rows[:, 3]
        t = (rows[:, 4] * ray_u + rows[:, 5] * ray_v + rows[:, 6]) * depth + rows[:, 7]
        column = np.minimum(((s - np.floor(s)) * tile).astype(np.int32), materials.TILE - 1)
        row = np.minimum(((t - np.floor(t)) * tile).astype(np.int32), materials.TILE - 1)
        texel = np.take(self.tiles, face) + row * materials.TILE + column
        tinted = np.take(materials.atlas(), texel, axis=0) * np.take(self.colours, face, axis=0)
        return np.minimum(tinted, 255).astype(np.uint8)

    def facing(self, towards_sun: np.ndarray) -> np.ndarray:
        """uint8 (F,) share of full sun that falls on each face, 255 for square to the sun."""
        return (np.clip(self.normals @ towards_sun.astype(np.float32), 0, 1) * 255).astype(np.uint8)

    def openness(self) -> np.ndarray:
        """uint8 (F,) share of the sky's light: 255 for a face that looks up, less for walls and undersides."""
        up = self.normals[:, 2]
        return np.round((0.74 + np.where(up > 0, 0.26, 0.34) * up) * 255).astype(np.uint8)


def cast_shadow(target: np.ndarray, camera: Camera, mesh: Mesh, towards_sun: np.ndarray) -> None:
    """Sets `target`, uint8 (H, W), to 0 where the parts of `mesh` keep the sun from the floor."""
    fall = mesh.vertices[:, 2:] / towards_sun[2]
    shadow = mesh.vertices - fall * towards_sun
    shadow[:, 2] = 0.0
    _fill_parts(target, camera, shadow, mesh.parts, 0)


def darken_contact(target: np.ndarray, camera: Camera, mesh: Mesh, value: int) -> None:
    """Sets `target`, uint8 (H, W), to `value` under those parts of `mesh` that are near the floor."""
    flat = mesh.vertices.copy()
    flat[:, 2] = 0.0
    low = tuple(part for part in mesh.parts if mesh.vertices[part, 2].min() < 0.75)
    _fill_parts(target, camera, flat, low, value)


def _fill_parts(target: np.ndarray, camera: Camera, vertices: np.ndarray, parts: tuple[slice, ...], value: int) -> None:
    points = camera.to_camera(vertices)
    for part in parts:
        flat = vertices[part, :2].astype(np.float32)
        order = np.asarray(cv2.convexHull(flat, returnPoints=False), np.intp).ravel()
        hull = points[part][order]
        if hull[:, 2].min() < NEAR_METRES:
            hull = clipped(hull)
        if len(hull) > 2:
            fill(target, outline(camera, hull), value)
