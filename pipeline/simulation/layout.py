"""What stands and is painted in one yard before a dock; nothing here moves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from pipeline.simulation.mesh import Colour, Mesh, Part, Skin, box, join, rod
from pipeline.simulation.vehicles import box_body

FLOOR_X_METRES = (-16.0, 16.0)
FLOOR_Y_METRES = (0.0, 40.0)
FLOOR_TEXELS_PER_METRE = 40
LANE_HALF_WIDTH_METRES = 2.1
"""Nothing stands nearer to the lane's middle than this."""

_PAINTS: tuple[Colour, ...] = ((226, 190, 40), (232, 230, 224), (208, 90, 40))
_WALLS: tuple[Colour, ...] = ((196, 186, 170), (150, 160, 170), (170, 120, 100), (206, 206, 200), (130, 140, 130))
_TRAILERS: tuple[Colour, ...] = ((236, 234, 228), (50, 84, 150), (170, 50, 44), (200, 180, 120), (90, 120, 100))


@dataclass(frozen=True, slots=True, repr=False)
class Layout:
    """The standing things and the floor's paint."""

    solids: Mesh
    floor: np.ndarray
    """uint8 (rows, columns, 3) RGB seen from above: rows along y from the dock edge, columns along x."""


@lru_cache(maxsize=4)
def lay_out(seed: int) -> Layout:
    """The yard of a seed: concrete or asphalt, lane markings, posts, pallets, a parked trailer, walls."""
    rng = np.random.default_rng([11, seed])
    parts = _walls(rng) + _trailer(rng) + _posts(rng)
    for _ in range(int(rng.integers(3, 7))):
        parts += _goods(rng)
    return Layout(join(parts), _floor(rng))


def floor_texels(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 (column, row) in `Layout.floor` of floor points in metres."""
    column = (x - FLOOR_X_METRES[0]) * FLOOR_TEXELS_PER_METRE - 0.5
    row = (y - FLOOR_Y_METRES[0]) * FLOOR_TEXELS_PER_METRE - 0.5
    return column.astype(np.float32), row.astype(np.float32)


def _one(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    red, green, blue = (float(v) for v in np.array(colours[rng.integers(len(colours))]) * rng.uniform(0.85, 1.05))
    return (red, green, blue)


def _walls(rng: np.random.Generator) -> list[Part]:
    distance = float(rng.uniform(17, 26))
    wall = Skin(_one(rng, _WALLS), str(rng.choice(("bricks", "ribs", "paint"))), 2.4)
    parts = [box((0, distance + 0.5, 0), (44, 1.0, 9.0), wall)]
    shutter = Skin(_one(rng, _TRAILERS), "shutter")
    for x in np.arange(-15, 16, float(rng.uniform(4.5, 7))) + rng.uniform(-2, 2):
        parts.append(box((float(x), distance - 0.02, 0), (3.2, 0.1, 3.6), shutter))
        parts.append(box((float(x), distance - 0.04, 3.6), (3.6, 0.1, 0.25), Skin((240, 200, 40), "hazard")))
    for side in (-1, 1):
        x = side * float(rng.uniform(10.5, 14))
        parts.append(
            box((x + side * 0.3, 13, 0), (0.6, 30, float(rng.uniform(2.2, 6))), Skin(_one(rng, _WALLS), "bricks", 2.4))
        )
    return parts


def _trailer(rng: np.random.Generator) -> list[Part]:
    side = float(rng.choice((-1, 1)))
    body = Skin(_one(rng, _TRAILERS), "ribs", 2.2)
    parts = box_body(0.0, (2.45, float(rng.uniform(8, 12))), (1.05, float(rng.uniform(3.5, 4.0))), body)
    shift = np.array([side * float(rng.uniform(4.2, 6.4)), float(rng.uniform(1.0, 5.0)), 0.0])
    return [Part(part.vertices + shift, part.faces, part.skins) for part in parts]


def _posts(rng: np.random.Generator) -> list[Part]:
    parts: list[Part] = []
    height, gap = float(rng.uniform(0.8, 1.1)), float(rng.uniform(2.2, 3.6))
    skin = Skin((255, 255, 255), "hazard", 0.45) if rng.random() < 0.6 else Skin(_one(rng, _PAINTS), "paint")
    x = LANE_HALF_WIDTH_METRES + float(rng.uniform(0.2, 0.7))
    for y in np.arange(float(rng.uniform(2.4, 3.4)), 11, gap):
        if rng.random() < 0.8:
            parts += [
                rod((side * x, float(y), 0), (side * x, float(y), height), (0.09, 0.09), skin, 8) for side in (-1, 1)
            ]
    return parts or [rod((x, 3, 0), (x, 3, height), (0.09, 0.09), skin, 8)]


def _goods(rng: np.random.Generator) -> list[Part]:
    """Pallets with or without cartons, drums, a skip: somewhere beside the lane."""
    x = float(rng.choice((-1, 1)) * rng.uniform(LANE_HALF_WIDTH_METRES + 1.0, 8.5))
    y = float(rng.uniform(2.8, 13))
    wood, edge = Skin((205, 172, 128), "planks"), Skin((235, 220, 200), "pallet_edge")
    match int(rng.integers(4)):
        case 0:
            return [box((x, y, 0.15 * n), (1.2, 0.8, 0.145), edge, top=wood) for n in range(int(rng.integers(1, 9)))]
        case 1:
            load = Skin((255, 255, 255), "carton", 0.5)
            return [
                box((x, y, 0), (1.2, 0.8, 0.145), edge, top=wood),
                box((x, y, 0.145), (1.1, 0.75, float(rng.uniform(0.5, 1.3))), load),
            ]
        case 2:
            paint = Skin(_one(rng, _TRAILERS), "paint")
            return [rod((x + 0.62 * n, y, 0), (x + 0.62 * n, y, 0.88), (0.29, 0.29), paint, 10) for n in range(2)]
        case _:
            return [
                box(
                    (x, y, 0.1),
                    (1.7, 1.1, 0.95),
                    Skin(_one(rng, _PAINTS), "ribs", 1.5),
                    top=Skin((60, 58, 54), "cloth"),
                )
            ]


def _floor(rng: np.random.Generator) -> np.ndarray:
    scale = FLOOR_TEXELS_PER_METRE
    rows = int((FLOOR_Y_METRES[1] - FLOOR_Y_METRES[0]) * scale)
    columns = int((FLOOR_X_METRES[1] - FLOOR_X_METRES[0]) * scale)
    level = float(rng.uniform(88, 158))
    tint = np.array([1.0, rng.uniform(0.96, 1.0), rng.uniform(0.88, 1.0)], dtype=np.float32)
    floor = np.full((rows, columns), level, np.float32)
    for cells, strength in ((12, 9.0), (60, 6.0), (300, 5.0)):
        coarse = rng.normal(0, strength, (cells, cells)).astype(np.float32)
        floor += cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)
    floor += rng.normal(0, 7, (rows, columns)).astype(np.float32)
    if rng.random() < 0.6:
        slab = float(rng.uniform(2.5, 5.0)) * scale
        for at in np.arange(rng.uniform(0, slab), rows, slab):
            floor[int(at) : int(at) + 2] *= 0.72
        for at in np.arange(rng.uniform(0, slab), columns, slab):
            floor[:, int(at) : int(at) + 2] *= 0.72
    _tyre_marks(rng, floor)
    picture = np.ascontiguousarray(floor[:, :, None] * tint)
    _markings(rng, picture)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _tyre_marks(rng: np.random.Generator, floor: np.ndarray) -> None:
    marks = np.zeros(floor.shape, np.uint8)
    scale = FLOOR_TEXELS_PER_METRE
    for _ in range(int(rng.integers(3, 9))):
        x, bend = rng.uniform(-2.5, 2.5), rng.uniform(-3, 3)
        y = np.linspace(rng.uniform(0, 4), rng.uniform(9, 30), 40)
        for gauge in (-0.5, 0.5):
            column = (x + gauge + bend * ((y - y[0]) / 14) ** 2 - FLOOR_X_METRES[0]) * scale
            line = np.stack([column, y * scale], axis=1).astype(np.int32)
            cv2.polylines(marks, [line], isClosed=False, color=int(rng.integers(40, 120)), thickness=int(0.16 * scale))
    floor *= 1 - cv2.GaussianBlur(marks, (0, 0), 2).astype(np.float32) / 255 * 0.55


def _markings(rng: np.random.Generator, picture: np.ndarray) -> None:
    scale, wear = FLOOR_TEXELS_PER_METRE, np.zeros(picture.shape[:2], np.uint8)

    def line(a: tuple[float, float], b: tuple[float, float], width: float) -> None:
        ends = [(int((x - FLOOR_X_METRES[0]) * scale), int(y * scale)) for x, y in (a, b)]
        cv2.line(wear, ends[0], ends[1], 255, max(1, int(width * scale)))

    half, width = LANE_HALF_WIDTH_METRES - float(rng.uniform(0.1, 0.5)), float(rng.uniform(0.08, 0.16))
    for side in (-1, 1):
        line((side * half, 0.0), (side * half, float(rng.uniform(11, 16))), width)
        if rng.random() < 0.7:
            for bay in (1, 2):
                x = side * (half + bay * 3.6)
                line((x, 1.0), (x, 12.0), width)
    stop = float(rng.uniform(2.6, 4.5))
    line((-half, stop), (half, stop), width * 1.6)
    if rng.random() < 0.5:
        for x in np.arange(-half, half, 0.55):
            line((float(x), stop), (float(min(x + 0.5, half)), max(stop - 1.0, 0.2)), width * 0.9)
    if rng.random() < 0.5:
        y = float(rng.uniform(5.5, 8))
        line((0, y), (0, y + 2), 0.16)
        line((0, y), (0.45, y + 0.6), 0.16)
        line((0, y), (-0.45, y + 0.6), 0.16)
    worn = cv2.GaussianBlur(wear, (0, 0), 1.0).astype(np.float32) / 255
    worn *= np.clip(rng.normal(0.82, 0.12, wear.shape), 0.3, 1.0).astype(np.float32)
    colour = np.array(_PAINTS[int(rng.integers(2))], np.float32)
    picture += worn[:, :, None] * (colour - picture)
