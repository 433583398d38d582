"""What the light does to the picture without anything being there: sun, shade, stains, colour, noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

Gains = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Light:
    """One state of the light and of the camera's own settings. Brightness factors multiply displayed colours."""

    seed: int
    sun_azimuth: float
    """Degrees to the right of the dock edge's normal, towards the sun."""
    sun_elevation: float
    """Degrees above the horizon."""
    sun: Gains
    """RGB factor of full sun on a surface square to it; 0: overcast."""
    ambient: Gains
    """RGB factor in the shade, of a surface that looks up."""
    gain: float
    """Exposure."""
    edge_angle: float
    """Degrees; the direction across which a large shadow's edge runs over the floor."""
    edge_metres: float
    """Where the edge lies along that direction."""
    edge_width: float
    """Metres; the shadow's width (a crane, a roof), or a large number: half of the yard."""
    edge_softness: float
    """Metres over which the edge fades."""
    stains: int
    """Seed of wet and dusty places on the floor."""
    noise: float
    """Standard deviation of the sensor's noise, grey levels."""
    blur: float
    """Standard deviation of the lens's blur, pixels."""

    @staticmethod
    def of(seed: int) -> Light:
        """The light of a seed: three in five have hard sun, the others are overcast; each has its own stains."""
        rng = np.random.default_rng([7, seed])
        is_sunny = rng.random() < 0.6
        level = rng.uniform(0.46, 0.66) if is_sunny else rng.uniform(0.62, 1.05)
        cool = rng.uniform(-0.02, 0.10) if is_sunny else rng.uniform(-0.05, 0.06)
        strength = rng.uniform(0.45, 0.85) if is_sunny else rng.uniform(0.0, 0.06)
        warm = rng.uniform(0.0, 0.16)
        return Light(
            seed=seed,
            sun_azimuth=float(rng.uniform(-180, 180)),
            sun_elevation=float(rng.uniform(24, 66)),
            sun=(strength * (1 + warm), strength, strength * (1 - warm)),
            ambient=(level * (1 - cool), level, level * (1 + cool)),
            gain=float(rng.uniform(0.85, 1.25)),
            edge_angle=float(rng.uniform(0, 360)),
            edge_metres=float(rng.uniform(-3, 7)),
            edge_width=float(rng.uniform(0.6, 3.0)) if rng.random() < 0.35 else 1000.0,
            edge_softness=float(rng.uniform(0.06, 0.5)),
            stains=int(rng.integers(0, 2**31)),
            noise=float(rng.uniform(1.2, 4.0)),
            blur=float(rng.uniform(0.35, 0.9)),
        )

    @staticmethod
    def drift(seed: int, t_seconds: float) -> Light:
        """The light of a seed, `t_seconds` later: clouds pass, the colour wanders, the shadow's edge moves on."""
        start = Light.of(seed)
        rng = np.random.default_rng([8, seed])
        periods, phases = rng.uniform(18, 90, 4), rng.uniform(0, 2 * math.pi, 4)
        cloud, exposure, colour, sway = (
            math.sin(2 * math.pi * t_seconds / period + phase) for period, phase in zip(periods, phases, strict=True)
        )
        sun = 1 - 0.30 * (1 + cloud) / 2
        sky = 1 + 0.06 * cloud
        tint = (1 + 0.02 * colour, 1.0, 1 - 0.02 * colour)
        pace = float(rng.uniform(0.01, 0.05)) * float(rng.choice((-1, 1)))
        return replace(
            start,
            sun=_times(start.sun, sun, tint),
            ambient=_times(start.ambient, sky, tint),
            gain=start.gain * (1 + 0.05 * exposure),
            edge_metres=start.edge_metres + pace * t_seconds + 0.25 * sway,
        )

    @property
    def towards_sun(self) -> np.ndarray:
        """float64 (3,) unit vector."""
        return direction(self.sun_azimuth, self.sun_elevation)


def direction(azimuth: float, elevation: float) -> np.ndarray:
    """float64 (3,) unit vector in world axes from degrees."""
    turn, rise = math.radians(azimuth), math.radians(elevation)
    return np.array([math.cos(rise) * math.sin(turn), math.cos(rise) * math.cos(turn), math.sin(rise)])


def _times(gains: Gains, factor: float, tint: Gains) -> Gains:
    red, green, blue = (gain * factor * t for gain, t in zip(gains, tint, strict=True))
    return (red, green, blue)
