"""Solids of flat faces: what the dock and its movers are made of.

A mesh is a set of convex parts (boxes, prisms, extruded profiles). Local axes of a mover, metres: x to its right,
y to its front, z up, the origin on the floor under the middle of its footprint.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

Colour = tuple[float, float, float]
"""RGB 0..255, multiplied into the material's tile."""


Corner = tuple[float, float, float] | np.ndarray
"""x, y, z."""


@dataclass(frozen=True, slots=True)
class Skin:
    """What covers a face."""

    colour: Colour
    material: str = "paint"
    tile_metres: float | None = None
    """Length of one tile of the material on the face; None: one tile is stretched over the face."""


@dataclass(frozen=True, slots=True, repr=False)
class Part:
    """One convex solid."""

    vertices: np.ndarray
    """float64 (V, 3) metres."""
    faces: tuple[tuple[int, ...], ...]
    """Corners of each face, in order round it."""
    skins: tuple[Skin, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Mesh:
    """Many parts as arrays."""

    vertices: np.ndarray
    """float64 (V, 3) metres."""
    corners: np.ndarray
    """int (F, K) vertices of each face, in order round it; short faces repeat their last one."""
    normals: np.ndarray
    """float64 (F, 3) outward, unit length."""
    texture_u: np.ndarray
    """float64 (F, 4): tile coordinate = position @ [:3] + [3]."""
    texture_v: np.ndarray
    """The same, downwards."""
    skins: tuple[Skin, ...]
    """One per face."""
    parts: tuple[slice, ...]
    """Vertices of each convex part, for its shadow."""

    def moved(self, x: float, y: float, heading: float) -> Mesh:
        """Turned by `heading` degrees (0: front to +y, away from the dock; 90: to +x), then put at (x, y)."""
        angle = math.radians(heading)
        turn = np.array(
            [[math.cos(angle), math.sin(angle), 0.0], [-math.sin(angle), math.cos(angle), 0.0], [0.0, 0.0, 1.0]]
        )
        shift = np.array([x, y, 0.0])
        return Mesh(
            self.vertices @ turn.T + shift,
            self.corners,
            self.normals @ turn.T,
            _moved_texture(self.texture_u, turn, shift),
            _moved_texture(self.texture_v, turn, shift),
            self.skins,
            self.parts,
        )


def join(parts: Sequence[Part]) -> Mesh:
    """One mesh of all parts; faces are turned outward and get their texture axes."""
    vertices = np.concatenate([part.vertices for part in parts])
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    most = max(len(face) for part in parts for face in part.faces)
    corners = np.array(
        [
            [start + corner for corner in face + face[-1:] * (most - len(face))]
            for part, start in zip(parts, starts[:-1].tolist(), strict=True)
            for face in part.faces
        ]
    )
    skins = tuple(skin for part in parts for skin in part.skins)
    middles = np.repeat([part.vertices.mean(axis=0) for part in parts], [len(part.faces) for part in parts], axis=0)
    places = vertices[corners]  # (F, K, 3)
    normals = _outward(places, middles)
    texture_u, texture_v = _texture_axes(places, normals, skins)
    slices = tuple(slice(a, b) for a, b in pairwise(starts.tolist()))
    return Mesh(vertices, corners, normals, texture_u, texture_v, skins, slices)


def box(centre: Sequence[float], size: Sequence[float], skin: Skin, **other: Skin) -> Part:
    """A block; `centre` is (x, y, bottom z), `size` along x, y, z. `other` names faces with a skin of their own:
    back (-y), front (+y), left (-x), right (+x), top, bottom.
    """
    x, y, z = centre
    dx, dy, dz = size[0] / 2, size[1] / 2, size[2]
    return _prism(
        [(x - dx, y - dy, z), (x + dx, y - dy, z), (x + dx, y + dy, z), (x - dx, y + dy, z)],
        [(x - dx, y - dy, z + dz), (x + dx, y - dy, z + dz), (x + dx, y + dy, z + dz), (x - dx, y + dy, z + dz)],
        [other.get(name, skin) for name in ("back", "right", "front", "left")],
        other.get("bottom", skin),
        other.get("top", skin),
    )


def extruded(profile: Sequence[tuple[float, float]], width: float, skin: Skin, x: float = 0.0) -> Part:
    """A convex outline of (y, z) points, seen from the side, pulled to `width` about `x`."""
    left = [(x - width / 2, y, z) for y, z in profile]
    right = [(x + width / 2, y, z) for y, z in profile]
    return _prism(left, right, [skin] * len(profile), skin, skin)


def rod(
    start: Corner,
    end: Corner,
    radii: tuple[float, float],
    skin: Skin,
    sides: int = 8,
    *,
    flat: float = 1.0,
) -> Part:
    """A round bar from `start` to `end`, tapering between two radii; `flat` squeezes it along its second axis."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    along = (b - a) / np.linalg.norm(b - a)
    helper = np.array([1.0, 0.0, 0.0]) if abs(along[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    across = helper - along * (helper @ along)
    across /= np.linalg.norm(across)
    other = np.cross(along, across) * flat
    turns = (np.arange(sides) + 0.5) * 2 * math.pi / sides
    ring = np.cos(turns)[:, None] * across + np.sin(turns)[:, None] * other
    return _prism(list(a + ring * radii[0]), list(b + ring * radii[1]), [skin] * sides, skin, skin)


def _prism(lower: Sequence[Corner], upper: Sequence[Corner], sides: Sequence[Skin], end: Skin, other_end: Skin) -> Part:
    n = len(lower)
    faces = [(i, (i + 1) % n, n + (i + 1) % n, n + i) for i in range(n)]
    faces += [tuple(range(n)), tuple(range(n, 2 * n))]
    vertices = np.array([*lower, *upper], dtype=np.float64)
    return Part(vertices, tuple(faces), (*sides, end, other_end))


def _outward(places: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """(F, 3) unit normals of faces with corners (F, K, 3), away from the middles (F, 3) of their parts."""
    normals = np.cross(places[:, 1] - places[:, 0], places[:, 2] - places[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    is_inward = np.einsum("ij,ij->i", normals, places.mean(axis=1) - middles) < 0
    return np.where(is_inward[:, None], -normals, normals)


def _texture_axes(places: np.ndarray, normals: np.ndarray, skins: Sequence[Skin]) -> tuple[np.ndarray, np.ndarray]:
    """Across and down each face, (F, 4) both: along x and y on flat ones, along the horizon and down on others."""
    is_flat = np.abs(normals[:, 2:]) > 0.9
    across = np.cross(normals, (0.0, 0.0, 1.0))
    across = np.where(is_flat, (1.0, 0.0, 0.0), across / (np.linalg.norm(across, axis=1, keepdims=True) + 1e-12))
    down = np.cross(normals, across)
    down = np.where(is_flat, (0.0, -1.0, 0.0), np.where(down[:, 2:] > 0, -down, down))
    tiles = np.array([skin.tile_metres or 0.0 for skin in skins])
    axes: list[np.ndarray] = []
    for axis in (across, down):
        along = np.einsum("fki,fi->fk", places, axis)
        low, span = along.min(axis=1), np.maximum(np.ptp(along, axis=1), 1e-6)
        scale = 1 / np.where(tiles > 0, tiles, span)
        axes.append(np.column_stack([axis * scale[:, None], -low * scale]))
    return axes[0], axes[1]


def _moved_texture(axes: np.ndarray, turn: np.ndarray, shift: np.ndarray) -> np.ndarray:
    turned = axes[:, :3] @ turn.T
    return np.column_stack([turned, axes[:, 3] - turned @ shift])
