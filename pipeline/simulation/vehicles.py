"""Forklift, truck, and the two kinds of `other`: a drum cart and a van."""

from __future__ import annotations

import numpy as np

from pipeline.simulation.mesh import Colour, Part, Skin, box, extruded, rod
from pipeline.simulation.people import driver

_FORKLIFTS: tuple[Colour, ...] = (
    (244, 176, 20),
    (236, 96, 20),
    (200, 40, 32),
    (60, 130, 70),
    (232, 210, 40),
    (40, 96, 170),
)
_BODIES: tuple[Colour, ...] = (
    (238, 238, 234),
    (226, 226, 220),
    (60, 96, 160),
    (180, 44, 40),
    (210, 190, 150),
    (110, 150, 120),
)
_CABS: tuple[Colour, ...] = ((230, 230, 228), (170, 30, 34), (30, 60, 130), (240, 190, 30), (60, 64, 70))
_DRUMS: tuple[Colour, ...] = ((30, 80, 180), (30, 120, 80), (190, 50, 40), (110, 112, 118))
_STEEL: Colour = (92, 94, 100)
_DARK: Colour = (46, 46, 50)


def _one(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    red, green, blue = (float(v) for v in np.array(colours[rng.integers(len(colours))]) * rng.uniform(0.85, 1.06))
    return (red, green, blue)


def wheel(x: float, y: float, radius: float, width: float, sides: int = 10) -> list[Part]:
    """A tyre standing on the floor, with its rim showing outwards."""
    tyre, rim = Skin((60, 60, 62), "rubber", 0.4), Skin((186, 186, 190), "paint")
    side = 1 if x > 0 else -1
    outer = x + side * width / 2
    return [
        rod((x - width / 2, y, radius), (x + width / 2, y, radius), (radius, radius), tyre, sides),
        rod((outer - side * 0.02, y, radius), (outer + side * 0.02, y, radius), (radius * 0.55, radius * 0.45), rim, 8),
    ]


def forklift(rng: np.random.Generator) -> list[Part]:
    """A counterbalance truck with mast, forks 1.05 m long, overhead guard and driver; one in three carries a pallet."""
    colour = _one(rng, _FORKLIFTS)
    paint, dark, steel = Skin(colour, "paint", 1.0), Skin(_DARK, "paint", 1.0), Skin(_STEEL, "paint", 0.5)
    parts: list[Part] = [
        box((0, -0.12, 0.22), (1.05, 1.20, 0.42), paint),
        extruded(
            [(-1.15, 0.40), (-1.02, 0.20), (-0.55, 0.20), (-0.55, 1.02), (-1.02, 1.00), (-1.15, 0.85)],
            1.08,
            Skin(_DARK if rng.random() < 0.4 else colour, "paint", 1.0),
        ),
        box((0, -0.45, 0.64), (0.98, 0.55, 0.36), paint, top=dark),
        box((0, -0.62, 1.0), (0.52, 0.12, 0.46), dark),
        extruded([(0.30, 0.60), (0.52, 0.60), (0.52, 1.02), (0.42, 1.10)], 0.92, paint),
        rod((0, 0.30, 0.95), (0, 0.18, 1.12), (0.03, 0.03), dark, 6),
    ]
    for x in (-0.47, 0.47):
        parts += wheel(x, 0.36, 0.32, 0.22) + wheel(x * 0.94, -0.78, 0.26, 0.2)
        parts.append(rod((x, 0.42, 1.0), (x * 0.94, 0.22, 2.06), (0.035, 0.035), dark, 4))
        parts.append(rod((x, -0.80, 1.0), (x * 0.94, -0.62, 2.06), (0.035, 0.035), dark, 4))
    parts.append(box((0, -0.2, 2.06), (0.98, 0.95, 0.05), dark, top=Skin((190, 190, 190), "grille")))
    parts.append(rod((0.3, -0.5, 2.11), (0.3, -0.5, 2.24), (0.06, 0.05), Skin((255, 140, 20)), 6))
    parts += driver(rng, (0.0, -0.36, 1.02))
    return parts + _mast(rng, steel, dark)


def _mast(rng: np.random.Generator, steel: Skin, dark: Skin) -> list[Part]:
    lift = float(rng.choice((0.06, 0.06, 0.15, 0.35)))
    parts: list[Part] = []
    for x in (-0.34, 0.34):
        parts.append(box((x, 0.64, 0.08), (0.09, 0.15, 2.05), steel))
        parts.append(box((x * 0.75, 0.93, lift), (0.13, 1.05, 0.05), dark))
        parts.append(box((x * 0.75, 0.79 - 0.035, lift), (0.13, 0.07, 0.55), dark))
    parts += [box((0, 0.64, z), (0.72, 0.10, 0.10), steel) for z in (0.25, 1.15, 2.03)]
    parts.append(rod((0, 0.66, 0.2), (0, 0.66, 1.9), (0.045, 0.035), Skin((200, 200, 205)), 6))
    parts += [box((0, 0.76, lift + z), (0.98, 0.05, 0.10), dark) for z in (0.12, 0.50)]
    parts += [box((x, 0.76, lift + 0.55), (0.03, 0.04, 0.62), dark) for x in (-0.42, -0.21, 0.0, 0.21, 0.42)]
    if rng.random() < 0.33:
        parts += _load(rng, lift + 0.05)
    return parts


def _load(rng: np.random.Generator, z: float) -> list[Part]:
    height = float(rng.uniform(0.45, 0.95))
    carton = Skin((255, 255, 255), "carton", 0.5)
    return [
        box(
            (0, 1.24, z), (1.15, 0.85, 0.14), Skin((235, 220, 200), "pallet_edge"), top=Skin((200, 168, 124), "planks")
        ),
        box((0, 1.24, z + 0.14), (1.05, 0.78, height), carton),
    ]


def truck(rng: np.random.Generator) -> list[Part]:
    """A lorry with a box body; its rear, at -y, is what a dock sees."""
    length, width, top = float(rng.uniform(6.0, 8.5)), float(rng.uniform(2.35, 2.5)), float(rng.uniform(3.4, 3.9))
    middle, floor = length / 2 - 1.0, 1.0
    rear = middle - length / 2
    body, cab = Skin(_one(rng, _BODIES), "ribs", 2.2), Skin(_one(rng, _CABS), "paint", 2.0)
    parts = box_body(rear, (width, length - 2.2), (floor, top), body)
    front = rear + length - 2.1
    glass = Skin((235, 245, 255), "glass")
    parts += [
        extruded(
            [(front, 0.55), (front + 1.95, 0.55), (front + 2.05, 1.5), (front + 1.7, 2.75), (front, 2.85)],
            width - 0.1,
            cab,
        ),
        box((0, front + 1.9, 1.6), (width - 0.4, 0.12, 0.8), glass),
        box((0, front + 1.0, 1.6), (width - 0.06, 0.8, 0.75), glass),
    ]
    for x in (-width / 2 + 0.2, width / 2 - 0.2):
        parts += wheel(x, front + 0.9, 0.5, 0.3)
    return parts


def box_body(rear: float, size: tuple[float, float], heights: tuple[float, float], body: Skin) -> list[Part]:
    """The box of a lorry or trailer on its frame and rear wheels; the doors look to -y.

    `size` is (width, length), `heights` (floor, top) of the box.
    """
    (width, length), (floor, top) = size, heights
    frame, black = Skin((54, 54, 58), "paint", 1.0), Skin((40, 40, 42), "rubber", 1.0)
    doors = Skin(body.colour, "doors")
    parts = [
        box((0, rear + length / 2, floor), (width, length, top - floor), body, back=doors),
        box((0, rear + length / 2, 0.72), (1.0, length - 0.3, 0.28), frame),
        box((0, rear + 0.06, 0.42), (width - 0.1, 0.12, 0.16), Skin((255, 255, 255), "red_white")),
        box((0, rear + 0.05, 0.86), (width - 0.02, 0.14, 0.16), frame),
        box((0, rear + 0.01, 0.62), (0.52, 0.06, 0.13), Skin((250, 220, 60), "plate")),
    ]
    for side in (-1, 1):
        x = side * (width / 2 - 0.22)
        parts.append(box((x, rear - 0.02, 0.64), (0.34, 0.06, 0.18), Skin((225, 26, 22))))
        parts.append(box((x, rear + 0.62, 0.30), (0.44, 0.04, 0.62), black))
        parts.append(box((side * 0.4, rear + 0.06, 0.5), (0.1, 0.1, 0.4), frame))
        for y in (rear + 1.25, rear + 2.4):
            parts += wheel(x, y, 0.5, 0.4)
    return parts


def drum_cart(rng: np.random.Generator) -> list[Part]:
    """A low hand cart with two to four drums."""
    steel = Skin((70, 74, 80), "paint", 0.5)
    parts = [box((0, 0, 0.24), (0.95, 1.5, 0.07), steel, top=Skin((170, 150, 120), "planks"))]
    for x in (-0.4, 0.4):
        parts += wheel(x, 0.55, 0.13, 0.07, 8) + wheel(x, -0.55, 0.13, 0.07, 8)
        parts.append(rod((x, -0.74, 0.28), (x, -0.95, 1.05), (0.025, 0.025), steel, 4))
    parts.append(rod((-0.4, -0.95, 1.05), (0.4, -0.95, 1.05), (0.025, 0.025), steel, 4))
    for number in range(int(rng.integers(2, 5))):
        x, y = (-0.23, 0.23)[number % 2], (0.40, -0.30)[number // 2]
        paint = Skin(_one(rng, _DRUMS), "paint")
        parts.append(rod((x, y, 0.31), (x, y, 1.16), (0.27, 0.27), paint, 10))
        parts.append(rod((x, y, 0.72), (x, y, 0.77), (0.285, 0.285), paint, 10))
    return parts


def van(rng: np.random.Generator) -> list[Part]:
    """A small delivery van; its front is at +y."""
    paint, glass = Skin(_one(rng, _BODIES), "paint", 2.5), Skin((235, 245, 255), "glass")
    width = float(rng.uniform(1.75, 1.95))
    parts = [
        extruded([(-2.3, 0.32), (1.25, 0.32), (1.45, 1.25), (0.75, 1.98), (-2.2, 2.05), (-2.3, 1.2)], width, paint),
        extruded([(1.2, 0.32), (2.25, 0.35), (2.25, 0.8), (2.05, 1.02), (1.2, 1.25)], width - 0.06, paint),
        extruded([(1.41, 1.22), (1.50, 1.26), (0.86, 1.93), (0.78, 1.90)], width - 0.22, glass),
        box((0, 0.35, 1.22), (width + 0.03, 1.0, 0.55), glass),
        box((0, 2.26, 0.36), (width - 0.1, 0.08, 0.22), Skin((50, 50, 54))),
        box((0, 2.27, 0.44), (0.5, 0.08, 0.12), Skin((250, 250, 250), "plate")),
        box((0, -2.31, 0.36), (width - 0.1, 0.08, 0.20), Skin((50, 50, 54))),
        box((0, -2.29, 1.25), (width - 0.35, 0.06, 0.55), glass),
    ]
    for x in (-width / 2 + 0.1, width / 2 - 0.1):
        parts += wheel(x, 1.45, 0.33, 0.22) + wheel(x, -1.45, 0.33, 0.22)
        parts.append(box((x * 0.92, 2.24, 0.66), (0.3, 0.07, 0.16), Skin((245, 245, 225))))
        parts.append(box((x * 0.98, -2.30, 0.7), (0.14, 0.06, 0.4), Skin((210, 30, 26))))
    return parts
