"""Tiles of texture, drawn once: what paint, wood, rubber and truck doors look like from a few metres away."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

TILE = 96
"""Side of a tile in texels."""

_Grain = np.random.Generator


def _plain(rng: _Grain, level: float, grain: float) -> np.ndarray:
    coarse = cv2.resize(rng.normal(0, grain, (8, 8)).astype(np.float32), (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    fine = rng.normal(0, grain / 2, (TILE, TILE)).astype(np.float32)
    return np.repeat((level + coarse + fine)[:, :, None], 3, axis=2)


def _paint(rng: _Grain) -> np.ndarray:
    tile = _plain(rng, 235, 6)
    for _ in range(5):
        x, y = (int(v) for v in rng.integers(0, TILE, 2))
        cv2.line(tile, (x, y), (x + int(rng.integers(3, 14)), y + int(rng.integers(-2, 3))), (190, 188, 184), 1)
    return tile


def _planks(rng: _Grain) -> np.ndarray:
    tile = _plain(rng, 205, 8)
    for row in range(0, TILE, 16):
        tile[row : row + 16] *= rng.uniform(0.82, 1.08)
        tile[row : row + 2] *= 0.45
        tile[row : row + 16] += rng.normal(0, 9, (1, TILE, 1))
    return tile


def _ribs(rng: _Grain) -> np.ndarray:
    tile = _plain(rng, 222, 4)
    wave = np.sin(np.arange(TILE) / TILE * 2 * np.pi * 6)
    return tile * (0.9 + 0.12 * wave)[None, :, None]


def _rubber(rng: _Grain) -> np.ndarray:
    tile = _plain(rng, 120, 12)
    tile[::8] *= 0.6
    return tile


def _hazard(rng: _Grain) -> np.ndarray:
    row, column = np.mgrid[0:TILE, 0:TILE]
    is_dark = ((row + column) // (TILE // 4)) % 2 == 1
    tile = np.where(is_dark[:, :, None], np.array([32, 32, 34]), np.array([240, 196, 24])).astype(np.float64)
    return tile + rng.normal(0, 5, (TILE, TILE, 1))


def _red_white(rng: _Grain) -> np.ndarray:
    row, column = np.mgrid[0:TILE, 0:TILE]
    is_red = ((row + column * 4) // TILE) % 2 == 1
    tile = np.where(is_red[:, :, None], np.array([196, 30, 26]), np.array([236, 234, 228])).astype(np.float64)
    return tile + rng.normal(0, 4, (TILE, TILE, 1))


def _glass(rng: _Grain) -> np.ndarray:
    tile = _plain(rng, 62, 4)
    tile += np.linspace(55, 0, TILE)[:, None, None] * np.array([0.8, 1.0, 1.2])
    return tile


def _doors(rng: _Grain) -> np.ndarray:
    tile = _plain(rng, 232, 5)
    tile[:, TILE // 2 - 1 : TILE // 2 + 1] = 40
    for edge in (slice(0, 3), slice(TILE - 3, TILE)):
        tile[edge] = 90
        tile[:, edge] = 90
    for column in (20, 40, 55, 75):
        tile[4:-4, column : column + 2] = (120, 122, 126)
        tile[60:66, column - 3 : column + 5] = (80, 80, 84)
    for row in (14, 48, 80):
        tile[row : row + 3, 3:7] = 70
        tile[row : row + 3, -7:-3] = 70
    return tile


def _shutter(rng: _Grain) -> np.ndarray:
    tile = _plain(rng, 214, 4)
    tile[::6] *= 0.62
    return tile


def _bricks(rng: _Grain) -> np.ndarray:
    tile = _plain(rng, 196, 8)
    for number, row in enumerate(range(0, TILE, 12)):
        tile[row : row + 12] *= rng.uniform(0.9, 1.06)
        tile[row : row + 1] *= 0.72
        for column in range(12 * (number % 2), TILE, 24):
            tile[row : row + 12, column : column + 1] *= 0.72
    return tile


def _carton(rng: _Grain) -> np.ndarray:
    tile = _plain(rng, 212, 6) * np.array([0.80, 0.62, 0.42])
    tile[:, TILE // 2 - 4 : TILE // 2 + 4] *= 1.14
    tile[:3] *= 0.6
    tile[:, :3] *= 0.6
    tile[60:76, 12:30] = (226, 224, 220)
    return tile


def _vest(rng: _Grain) -> np.ndarray:
    tile = _plain(rng, 226, 8)
    for row in (52, 74):
        tile[row : row + 10] = (232, 234, 238)
    for column in (22, 66):
        tile[:52, column : column + 9] = (228, 230, 235)
    return tile


def _cloth(rng: _Grain) -> np.ndarray:
    return _plain(rng, 205, 18)


def _grille(rng: _Grain) -> np.ndarray:
    tile = _plain(rng, 60, 6)
    tile[:, ::12] = 150
    tile[:, 1::12] = 150
    tile[:, 2::12] = 150
    return tile


def _pallet_edge(rng: _Grain) -> np.ndarray:
    tile = _plain(rng, 190, 10) * np.array([0.86, 0.72, 0.52])
    tile[20:80] *= 0.18
    for column in (0, 40, 80):
        tile[20:80, column : column + 16] = np.array([150, 124, 88])
    return tile


def _plate(rng: _Grain) -> np.ndarray:
    tile = _plain(rng, 238, 3)
    for column in range(8, TILE - 8, 12):
        tile[24:72, column : column + int(rng.integers(4, 9))] = 30
    return tile


_TILES: dict[str, Callable[[_Grain], np.ndarray]] = {
    "paint": _paint,
    "planks": _planks,
    "ribs": _ribs,
    "rubber": _rubber,
    "hazard": _hazard,
    "red_white": _red_white,
    "glass": _glass,
    "doors": _doors,
    "shutter": _shutter,
    "bricks": _bricks,
    "carton": _carton,
    "vest": _vest,
    "cloth": _cloth,
    "grille": _grille,
    "pallet_edge": _pallet_edge,
    "plate": _plate,
}

NUMBER: dict[str, int] = {name: number for number, name in enumerate(_TILES)}
"""Row of each material in the atlas."""


@cache
def atlas() -> np.ndarray:
    """uint8 (materials * TILE * TILE, 3) RGB, one tile after the other, row-major; the same on every machine."""
    tiles = [drawn(np.random.default_rng([41, number])) for number, drawn in enumerate(_TILES.values())]
    return np.clip(np.stack(tiles), 0, 255).astype(np.uint8).reshape(-1, 3)
