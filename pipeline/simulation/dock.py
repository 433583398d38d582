"""One yard before one dock, seen by one camera: pictures with exact truth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from pipeline.simulation.lights import Light
from pipeline.simulation.mesh import Mesh
from pipeline.simulation.movers import Kind, MoverState
from pipeline.simulation.pose import Pose
from pipeline.simulation.raster import DepthBuffer, draw
from pipeline.simulation.rendered import MoverTruth, Rendered, kind_numbers
from pipeline.simulation.shading import FaceTable, cast_shadow, darken_contact
from pipeline.simulation.still import StillScene, across_edge

_NOISE_LEVELS = 12.0
"""Standard deviation of the noise bank, grey levels about 128."""
_NOISE_MARGIN_PX = 64


class DockScene:
    """A layout seen from a pose. Not thread-safe: one scene per thread."""

    def __init__(
        self, seed: int, pose: Pose, size: tuple[int, int] = (360, 640), *, layout_seed: int | None = None
    ) -> None:
        """Builds what does not move (about a fifth of a second). `layout_seed` fixes what stands and is painted
        where; left out, it is `seed`, which otherwise only shifts the sensor's noise.
        """
        self.seed, self.pose, self.size = seed, pose, size
        self._still = StillScene(seed if layout_seed is None else layout_seed, pose, size)

    def render(self, movers: Sequence[MoverState], light: Light, noise_seed: int, with_truth: bool = True) -> Rendered:
        """One frame. `with_truth` False leaves `depth`, `ground` and `kind_map` empty, shape (0, 0)."""
        meshes = [mover.mesh() for mover in movers]
        buffer, owners = self._drawn(meshes)
        rgb = _exposed(self._coloured(meshes, buffer, light), light, np.random.default_rng([17, self.seed, noise_seed]))
        return self._with_maps(rgb, buffer, owners, movers, with_truth=with_truth)

    def measure(self, movers: Sequence[MoverState]) -> list[MoverTruth | None]:
        """The truth about each mover without its picture; None where it cannot be seen."""
        buffer, owners = self._drawn([mover.mesh() for mover in movers])
        maps = self._with_maps(np.zeros((0, 0, 3), np.uint8), buffer, owners, movers, with_truth=True)
        return [maps.truth(index) for index in range(len(movers))]

    def _drawn(self, meshes: Sequence[Mesh]) -> tuple[DepthBuffer, np.ndarray]:
        """The z-buffer, faces numbered from 1 through all meshes, and uint8 (1 + faces,) whose face it is."""
        buffer = DepthBuffer(self._still.inverse_depth.copy(), np.zeros(self.size, np.int16))
        owners = [np.zeros(1, np.uint8)]
        first = 1
        for number, mesh in enumerate(meshes, start=1):
            draw(buffer, self._still.camera, mesh, first)
            owners.append(np.full(len(mesh.corners), number, np.uint8))
            first += len(mesh.corners)
        return buffer, np.concatenate(owners)

    def _with_maps(
        self,
        rgb: np.ndarray,
        buffer: DepthBuffer,
        owners: np.ndarray,
        movers: Sequence[MoverState],
        *,
        with_truth: bool,
    ) -> Rendered:
        kinds: tuple[Kind, ...] = tuple(mover.kind for mover in movers)
        mover_map = np.take(owners, buffer.faces) if movers else np.zeros(self.size, np.uint8)
        if not with_truth:
            nothing = np.zeros((0, 0), np.float32)
            return Rendered(rgb, nothing, nothing.astype(np.uint8), mover_map, nothing, kinds)
        depth = 1 / buffer.inverse_depth
        kind_map = np.take(kind_numbers(kinds), mover_map)
        return Rendered(rgb, depth, kind_map, mover_map, depth * self._still.ground_per_depth, kinds)

    def _coloured(self, meshes: Sequence[Mesh], buffer: DepthBuffer, light: Light) -> np.ndarray:
        """uint8 (H, W, 3): colours times light, before lens and sensor."""
        still, sunlight = self._still, self._still.sunlight(light)
        planes, openness, reach = list(still.colours(light)), still.openness, sunlight.reach
        across = sunlight.across_edge
        if meshes:
            openness, reach = self._darkened_floor(meshes, light, openness, reach)
            planes, across = [plane.copy() for plane in planes], across.copy()
            self._paint(meshes, buffer, light, (planes, openness, reach, across))
        reach = cv2.multiply(reach, _beyond_edge(light, across), scale=1 / 255)
        lit = [
            cv2.multiply(
                plane,
                cv2.addWeighted(openness, ambient * 128 / 255, reach, sun * 128 / 255, 0),
                scale=light.gain / 128,
            )
            for plane, ambient, sun in zip(planes, light.ambient, light.sun, strict=True)
        ]
        return cv2.merge(lit)

    def _darkened_floor(
        self, meshes: Sequence[Mesh], light: Light, openness: np.ndarray, reach: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        contact, lit = np.full(self.size, 255, np.uint8), np.full(self.size, 255, np.uint8)
        for mesh in meshes:
            darken_contact(contact, self._still.camera, mesh, 95)
            if max(light.sun) > 0.1:
                cast_shadow(lit, self._still.camera, mesh, light.towards_sun)
        contact, lit = cv2.blur(cv2.blur(contact, (9, 9)), (7, 7)), cv2.blur(lit, (3, 3))
        contact, lit = (cv2.bitwise_or(mask, self._still.not_floor) for mask in (contact, lit))
        return cv2.multiply(openness, contact, scale=1 / 255), cv2.multiply(reach, lit, scale=1 / 255)

    def _paint(
        self,
        meshes: Sequence[Mesh],
        buffer: DepthBuffer,
        light: Light,
        targets: tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray],
    ) -> None:
        """Writes colours, openness, sunlight and place across the edge where movers are seen."""
        places = np.flatnonzero(buffer.faces)
        rows, columns = np.divmod(places, self.size[1])
        face = np.take(buffer.faces, places).astype(np.int32) - 1
        depth = 1 / np.take(buffer.inverse_depth, places)
        camera, table = self._still.camera, FaceTable.of(meshes, self._still.camera)
        u, v = np.take(camera.ray_u, columns), np.take(camera.ray_v, rows)
        colours = table.colours_at(face, depth, u, v)
        planes, openness, reach, across = targets
        for number, plane in enumerate(planes):
            np.put(plane, places, colours[:, number])
        np.put(openness, places, np.take(table.openness(), face))
        np.put(reach, places, np.take(table.facing(light.towards_sun), face))
        x, y, z = (
            depth * (u * np.float32(right) + v * np.float32(down) + np.float32(forward)) + np.float32(eye)
            for (right, down, forward), eye in zip(camera.axes.T, camera.eye, strict=True)
        )
        np.put(across, places, across_edge(light.towards_sun, light.edge_angle, x, y, z))


def _beyond_edge(light: Light, across: np.ndarray) -> np.ndarray:
    """uint8 (H, W): 0 in the large shadow, 255 outside it."""
    per_metre = 255 / light.edge_softness
    start = cv2.addWeighted(across, -per_metre, across, 0, light.edge_metres * per_metre, dtype=cv2.CV_8U)
    if light.edge_width > 100:
        return start
    end_metres = light.edge_metres + light.edge_width
    end = cv2.addWeighted(across, per_metre, across, 0, -end_metres * per_metre, dtype=cv2.CV_8U)
    return cv2.max(start, end)


def _exposed(rgb: np.ndarray, light: Light, rng: np.random.Generator) -> np.ndarray:
    """The lens's blur and the sensor's noise."""
    height, width = rgb.shape[:2]
    blurred = cv2.GaussianBlur(rgb, (3, 3), light.blur)
    row, column = (int(v) for v in rng.integers(0, _NOISE_MARGIN_PX, 2))
    noise = _noise_bank((height, width))[row : row + height, column : column + width]
    share = light.noise / _NOISE_LEVELS
    return cv2.addWeighted(blurred, 1.0, noise, share, -128 * share)


@cache
def _noise_bank(size: tuple[int, int]) -> np.ndarray:
    rng = np.random.default_rng([19])
    shape = (size[0] + _NOISE_MARGIN_PX, size[1] + _NOISE_MARGIN_PX, 3)
    return np.clip(rng.normal(128, _NOISE_LEVELS, shape), 0, 255).round().astype(np.uint8)
