"""A person of tapered rods and blocks: on foot, or driving."""

from __future__ import annotations

import math

import numpy as np

from pipeline.simulation.mesh import Colour, Part, Skin, box, rod

_VESTS: tuple[Colour, ...] = ((236, 242, 40), (255, 122, 20), (250, 70, 40), (150, 240, 60))
_CLOTHES: tuple[Colour, ...] = ((44, 62, 110), (70, 70, 76), (120, 30, 34), (60, 96, 70), (150, 140, 120), (34, 34, 40))
_SKINS: tuple[Colour, ...] = ((226, 176, 146), (190, 138, 104), (122, 84, 62), (84, 56, 44))
_HELMETS: tuple[Colour, ...] = ((245, 245, 240), (250, 210, 30), (40, 90, 190), (220, 60, 40))
_TROUSERS: tuple[Colour, ...] = ((40, 48, 74), (58, 58, 62), (92, 84, 66), (30, 32, 38), (70, 90, 110))


def _any(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    red, green, blue = (float(v) for v in np.array(colours[rng.integers(len(colours))]) * rng.uniform(0.85, 1.1))
    return (red, green, blue)


def person(rng: np.random.Generator, phase: float) -> list[Part]:
    """On foot, in mid-stride at `phase` 0..1."""
    scale = float(rng.uniform(0.93, 1.08))
    trousers, face = Skin(_any(rng, _TROUSERS), "cloth"), Skin(_any(rng, _SKINS), "paint")
    sleeve = Skin(_any(rng, _CLOTHES), "cloth")
    has_vest, has_helmet = rng.random() < 0.75, rng.random() < 0.6
    chest = Skin(_any(rng, _VESTS), "vest") if has_vest else sleeve
    head = Skin(_any(rng, _HELMETS if has_helmet else ((40, 32, 28), (90, 64, 40), (150, 140, 130))), "paint")
    shoe = Skin((36, 32, 30), "rubber")
    swing = 0.27 * math.sin(2 * math.pi * phase)
    parts: list[Part] = []
    for side, step in ((-1, swing), (1, -swing)):
        hip, foot = (side * 0.10, 0.0, 0.90), (side * 0.11, step, 0.09)
        knee = (side * 0.105, step * 0.55 + 0.04, 0.50)
        parts += [rod(knee, hip, (0.075, 0.105), trousers, 6), rod(foot, knee, (0.055, 0.075), trousers, 6)]
        parts.append(box((side * 0.11, step + 0.06, 0.0), (0.10, 0.28, 0.10), shoe))
        shoulder, hand = (side * 0.23, 0.0, 1.42), (side * 0.27, -step * 0.9 + 0.05, 0.86)
        elbow = (side * 0.28, -step * 0.35 - 0.02, 1.13)
        parts += [rod(elbow, shoulder, (0.05, 0.068), sleeve, 6), rod(hand, elbow, (0.04, 0.05), sleeve, 6)]
        parts.append(box((hand[0], hand[1], 0.78), (0.07, 0.09, 0.10), face))
    parts += _upper_body(chest, trousers, face, head, has_helmet=bool(has_helmet))
    return [_scaled(part, scale) for part in parts]


def driver(rng: np.random.Generator, seat: tuple[float, float, float]) -> list[Part]:
    """Sitting at `seat` (x, y, z), hands on the wheel."""
    chest, trousers = Skin(_any(rng, _VESTS), "vest"), Skin(_any(rng, _TROUSERS), "cloth")
    face, head = Skin(_any(rng, _SKINS), "paint"), Skin(_any(rng, _HELMETS), "paint")
    x, y, z = seat
    parts = [
        rod((x, y, z), (x, y, z + 0.52), (0.20, 0.22), chest, 8, flat=0.62),
        box((x, y + 0.22, z), (0.36, 0.46, 0.15), trousers),
        rod((x, y, z + 0.56), (x, y, z + 0.74), (0.09, 0.10), face, 6),
        rod((x, y, z + 0.70), (x, y, z + 0.84), (0.135, 0.08), head, 8),
    ]
    parts += [
        rod((x + side * 0.24, y, z + 0.46), (x + side * 0.16, y + 0.42, z + 0.30), (0.06, 0.045), chest, 6)
        for side in (-1, 1)
    ]
    return parts


def _upper_body(chest: Skin, trousers: Skin, face: Skin, head: Skin, *, has_helmet: bool) -> list[Part]:
    top = 0.15 if has_helmet else 0.12
    return [
        rod((0, 0, 0.86), (0, 0, 1.02), (0.17, 0.165), trousers, 8, flat=0.66),
        rod((0, 0, 0.98), (0, 0, 1.36), (0.175, 0.215), chest, 8, flat=0.62),
        rod((0, 0, 1.36), (0, 0, 1.48), (0.215, 0.10), chest, 8, flat=0.62),
        rod((0, 0.01, 1.46), (0, 0.02, 1.66), (0.075, 0.095), face, 8),
        rod((0, 0.0, 1.62), (0, 0.0, 1.70), (0.105 + 0.3 * (top - 0.12), 0.105), head, 8),
        rod((0, 0.0, 1.70), (0, 0.0, 1.63 + top), (0.105, 0.05), head, 8),
    ]


def _scaled(part: Part, scale: float) -> Part:
    return Part(part.vertices * scale, part.faces, part.skins)
