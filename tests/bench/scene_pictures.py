"""What may happen to a camera, drawn: the light of a whole day; a lens covered, dirty, blurred or turned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from pipeline.simulation.lights import Gains, Light
from pipeline.simulation.pose import Pose

MOVES = ("pan", "tilt", "zoom", "re-aimed")
COVERS = ("hand", "sheet", "web", "dirt", "defocus")


def day_to_night(seed: int, share: float, t_seconds: float) -> Light:
    """Light that drifts, and falls from the day of a seed (`share` 0) to lamps in the dark (1)."""
    day, dark = Light.drift(seed, t_seconds), night(seed)
    return replace(
        day,
        sun=_between(day.sun, dark.sun, share),
        ambient=_between(day.ambient, dark.ambient, share),
        gain=day.gain + (dark.gain - day.gain) * share,
        noise=day.noise + (dark.noise - day.noise) * share,
    )


def night(seed: int) -> Light:
    """Lamps: a fifth of the day's light, warm, with a sensor that struggles."""
    rng = np.random.default_rng([31, seed])
    level = float(rng.uniform(0.16, 0.3))
    return replace(
        Light.of(seed),
        sun=(0.0, 0.0, 0.0),
        ambient=(level * 1.15, level, level * 0.75),
        gain=1.0,
        noise=float(rng.uniform(4, 8)),
        edge_width=1000.0,
    )


def lamp_lit(rgb: np.ndarray, seed: int, share: float = 1.0) -> np.ndarray:
    """The cone of a lamp over a picture; `share` 0 leaves it as it is."""
    rng = np.random.default_rng([32, seed])
    height, width = rgb.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    column, row = rng.uniform(0.25, 0.75) * width, rng.uniform(0.4, 0.9) * height
    reach = rng.uniform(0.35, 0.7) * width
    cone = 0.45 + 1.1 * np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * reach**2))
    return _clipped(rgb * (1 + (cone - 1) * share)[..., None])


def infrared(rgb: np.ndarray, seed: int) -> np.ndarray:
    """As a camera's own infrared lamp shows it: grey, bright in the middle, dark in the corners, noisy."""
    rng = np.random.default_rng([33, seed])
    height, width = rgb.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    reach = width * rng.uniform(0.28, 0.4)
    cone = 0.12 + 1.7 * np.exp(-((x - width / 2) ** 2 + (y - height * 0.6) ** 2) / (2 * reach**2))
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    gray = _clipped(128 * (gray * cone / 128) ** 0.9 + rng.normal(0, rng.uniform(3, 6), gray.shape))
    return cv2.merge([gray, gray, gray])


def moved(pose: Pose, what: str, seed: int) -> Pose:
    """The pose after a knock (`pan`, `tilt`: 2 to 8 degrees), a `zoom` of 8 to 25 %, or a turn to another place."""
    rng = np.random.default_rng([35, seed])
    side, degrees = float(rng.choice((-1, 1))), float(rng.uniform(2, 8))
    if what == "pan":
        return replace(pose, yaw=pose.yaw + side * degrees)
    if what == "tilt":
        return replace(pose, pitch=pose.pitch + side * degrees)
    if what == "zoom":
        factor = rng.uniform(0.75, 0.92) if side < 0 else rng.uniform(1.08, 1.25)
        return replace(pose, hfov=pose.hfov * float(factor))
    turn, fall = float(rng.uniform(20, 55)), float(rng.uniform(-12, 12))
    return replace(pose, yaw=pose.yaw + side * turn, pitch=pose.pitch + fall)


def covered(rgb: np.ndarray, what: str, seed: int) -> np.ndarray:
    """The picture behind what is on the lens, one of `COVERS`. Dirt lies on 40 to 75 % of it."""
    return _COVERS[what](rgb, np.random.default_rng([34, seed]))


def _hand(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = rgb.shape[:2]
    mask = np.zeros((height, width), np.float32)
    column, row = rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height
    for finger in range(4):
        at = (int(column + (finger - 1.5) * width * rng.uniform(0.15, 0.22)), int(row))
        axes = (int(width * rng.uniform(0.1, 0.16)), int(height * rng.uniform(0.6, 0.9)))
        cv2.ellipse(mask, at, axes, rng.uniform(-10, 10), 0, 360, 1, -1)
    palm = (int(width * 0.45), int(height * 0.5))
    cv2.ellipse(mask, (int(column), int(row + height * 0.3)), palm, 0, 0, 360, 1, -1)
    skin = np.array(rng.choice([[190, 140, 115], [120, 80, 60], [60, 50, 45], [150, 105, 85]]), np.float32)
    colour = skin * _level(rgb) * rng.uniform(0.4, 1.0) * (1 + 0.12 * _cloudy(rng, mask.shape, 4)[..., None])
    return _behind(rgb, colour, cv2.GaussianBlur(mask, (0, 0), rng.uniform(10, 25)), rng)


def _sheet(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cloth or foil with folds, which lets little light through; four in ten leave a strip at the side open."""
    shape = rgb.shape[:2]
    folds = cv2.GaussianBlur(_cloudy(rng, shape, int(rng.integers(3, 9))), (0, 0), 3)
    colour = rng.uniform(60, 230, 3) * _level(rgb) * (1 + rng.uniform(0.05, 0.25) * folds[..., None])
    mask = np.full(shape, rng.uniform(0.85, 1.0), np.float32)
    behind = cv2.GaussianBlur(rgb, (0, 0), 6)
    if rng.random() < 0.4:
        mask[:, int(shape[1] * rng.uniform(0.75, 1.0)) :] = 0
        mask = cv2.GaussianBlur(mask, (0, 0), 8)
        behind = np.where(mask[..., None] > 0.02, behind, rgb)
    return _behind(behind, colour, mask, rng)


def _web(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A cobweb right before the lens: out of focus, bright, and a veil over everything."""
    mask = np.zeros(rgb.shape[:2], np.float32)
    height, width = rgb.shape[:2]
    middle = np.array([rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height])
    thick = int(rng.integers(5, 12))
    angles = np.sort(rng.uniform(0, 2 * math.pi, int(rng.integers(9, 16))))
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for ray in rays:
        cv2.line(mask, tuple(int(v) for v in middle), tuple(int(v) for v in middle + 900 * ray), 1, thick)
    for radius in np.arange(40, 700, rng.uniform(38, 60)):
        ring = middle + radius * rays * rng.uniform(0.93, 1.07, rays.shape)
        cv2.polylines(mask, [ring.astype(np.int32)], isClosed=True, color=1, thickness=thick)
    level = _level(rgb)
    veiled = cv2.GaussianBlur(rgb, (0, 0), 1.5) * 0.75 + 200 * level * 0.25
    strands = np.full(3, min(235 * level * 1.3, 245.0))
    return _behind(veiled, strands, cv2.GaussianBlur(mask, (0, 0), rng.uniform(4, 9)) * rng.uniform(0.5, 0.9), rng)


def _dirt(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros(rgb.shape[:2], np.float32)
    height, width = rgb.shape[:2]
    wanted = rng.uniform(0.4, 0.75)
    while mask.mean() < wanted:
        at = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        cv2.ellipse(mask, at, (int(rng.uniform(20, 75)), int(rng.uniform(20, 75))), rng.uniform(0, 180), 0, 360, 1, -1)
    mud = np.array([95, 80, 60]) * _level(rgb) * rng.uniform(0.3, 1.1)
    return _behind(rgb, mud, cv2.GaussianBlur(mask, (0, 0), rng.uniform(8, 14)) * rng.uniform(0.75, 0.97), rng)


def _defocus(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    blurred = cv2.GaussianBlur(rgb, (0, 0), rng.uniform(2.5, 8))
    return _behind(blurred, np.zeros(3), np.zeros(rgb.shape[:2], np.float32), rng)


_COVERS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "hand": _hand,
    "sheet": _sheet,
    "web": _web,
    "dirt": _dirt,
    "defocus": _defocus,
}


def _behind(rgb: np.ndarray, colour: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`colour` over the picture where `mask` is 1, then the sensor's noise."""
    share = mask[..., None]
    return _clipped(rgb * (1 - share) + colour * share + rng.normal(0, 2.5, rgb.shape))


def _level(rgb: np.ndarray) -> float:
    """How bright it is, 1 for a usual day."""
    return float(rgb.mean()) / 110


def _cloudy(rng: np.random.Generator, shape: tuple[int, ...], cells: int) -> np.ndarray:
    coarse = rng.normal(0, 1, (cells, cells * 2)).astype(np.float32)
    return cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def _between(a: Gains, b: Gains, share: float) -> Gains:
    red, green, blue = (x + (y - x) * share for x, y in zip(a, b, strict=True))
    return (red, green, blue)


def _clipped(values: np.ndarray) -> np.ndarray:
    return np.clip(values, 0, 255).astype(np.uint8)
