"""How a camera hangs, from things of known size on the floor that somebody marked in its picture.

Least squares over the distances in pixels between what was marked and where the same things would be seen, for square
pixels and a lens without distortion whose axis meets the picture's middle.
Source: Z. Zhang, A Flexible New Technique for Camera Calibration, 2000, for what one plane tells; Levenberg-Marquardt
after Nocedal and Wright, Numerical Optimization, chapter 10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import radians, tan
from typing import Literal

import numpy as np

from operators.scene.floor_markings import Marking
from operators.scene.least_squares import Minimum, minimise

CLICK_SHARE = 0.002
"""Standard deviation of a marked point, as a share of the picture's width: 1.3 pixels of 640."""
ROLL_SIGMA = 1.0
"""Degrees: cameras are hung level, more or less; a marking of few points does not tell."""
WEAK_PITCH, WEAK_HFOV, WEAK_HEIGHT = 0.5, 4.0, 0.04
"""Standard deviations (degrees, degrees, share of the height) beyond which a value is better typed."""
MIN_HFOV, MAX_HFOV = 15.0, 150.0
_START_PITCHES, _START_HFOVS = (6, 12, 18, 25, 32, 40, 50, 60, 72), (30, 45, 60, 75, 90, 110)
_NUM_STARTS = 4
_MOST_SIZE_METRES = 1000.0

Known = Literal["height", "pitch", "hfov"]
_ORDER: tuple[str, ...] = ("height", "pitch", "hfov", "roll")


class PoseError(ValueError):
    """The markings do not tell how the camera hangs; the message says what to do."""


@dataclass(frozen=True, slots=True)
class FloorPose:
    """A camera above a flat floor, with how sure that is."""

    height_metres: float
    pitch_degrees: float
    hfov_degrees: float
    roll_degrees: float
    """Turned about the optical axis; a configuration knows level cameras alone."""
    sigma: Mapping[str, float]
    """Standard deviation of `height`, `pitch`, `hfov`, `roll`; 0 where it was typed."""
    residual_px: float
    """Root mean square distance between marked and fitted points; 0 where no number was left over to disagree."""
    expected_px: float
    """What careful marking leaves."""

    @property
    def weak(self) -> tuple[str, ...]:
        """Which of `hfov`, `pitch`, `height` the markings hardly tell."""
        limits = {"hfov": WEAK_HFOV, "pitch": WEAK_PITCH, "height": WEAK_HEIGHT * self.height_metres}
        return tuple(name for name, limit in limits.items() if self.sigma[name] > limit)

    @property
    def is_contradictory(self) -> bool:
        """Whether points lie further off than marking explains: a size is wrong, or the order of the corners."""
        return self.residual_px > 3 * self.expected_px


def solve_pose(
    markings: Sequence[Marking], size: tuple[int, int], known: Mapping[Known, float] | None = None
) -> FloorPose:
    """The pose that explains the markings best.

    Args:
        markings: On one flat floor.
        size: (H, W) of the picture in pixels.
        known: What was typed: `height` in metres, `pitch` and `hfov` in degrees.

    Raises:
        PoseError: too few markings, or such as no camera above a floor can see.
    """
    known = known or {}
    _check(markings, known)
    fit = _Fit(markings, size, known)
    starts = fit.starts()
    if not starts:
        raise PoseError(
            "no camera above a floor sees these markings like that: check the order of the corners and the sizes"
        )
    minima = [minimise(fit.residuals, start) for start in starts]
    best = min(minima, key=lambda each: each.cost)
    return fit.pose(best)


def _check(markings: Sequence[Marking], known: Mapping[Known, float]) -> None:
    unknown = [name for name in ("height", "pitch", "hfov") if name not in known]
    told = sum(marking.equations for marking in markings)
    if told < len(unknown):
        raise PoseError(
            f"the markings tell {told} number{'s' if told != 1 else ''}, and {' and '.join(unknown)} are wanted. "
            "A rectangle tells five, two parallel lines two, a length one: mark more, or type a value"
        )
    for marking in markings:
        if not all(0 < each < _MOST_SIZE_METRES for each in marking.sizes):
            raise PoseError(f"sizes must lie above 0 and below {_MOST_SIZE_METRES:g} m, got {marking.sizes}")
        if len(set(marking.points)) < len(marking.points):
            raise PoseError("two points of a marking are one: mark different ones")


class _Fit:
    """The residuals of one set of markings as a function of the free numbers."""

    def __init__(self, markings: Sequence[Marking], size: tuple[int, int], known: Mapping[Known, float]) -> None:
        self._markings = markings
        self._size = size
        self._known = {str(name): value for name, value in known.items()}
        self._free = [name for name in _ORDER if name not in self._known]
        self._pixels = [
            np.array(marking.points) * (size[1], size[0]) - (size[1] / 2, size[0] / 2) for marking in markings
        ]
        self._click_px = CLICK_SHARE * size[1]

    def starts(self) -> list[np.ndarray]:
        """Free numbers near the best of a coarse grid of poses."""
        found: list[tuple[float, np.ndarray]] = []
        pitches = [self._known["pitch"]] if "pitch" in self._known else _START_PITCHES
        hfovs = [self._known["hfov"]] if "hfov" in self._known else _START_HFOVS
        for pitch in pitches:
            for hfov in hfovs:
                start = self._start(float(pitch), float(hfov))
                if start is not None:
                    found.append((float(np.square(self.residuals(start)).sum()), start))
        found.sort(key=lambda each: each[0])
        return [start for _, start in found[:_NUM_STARTS]]

    def _start(self, pitch: float, hfov: float) -> np.ndarray | None:
        unit = {"height": 1.0, "pitch": pitch, "hfov": hfov, "roll": 0.0}
        floors = [_to_floor(pixels, unit, self._size) for pixels in self._pixels]
        if not all(np.isfinite(floor).all() for floor in floors):
            return None
        ratios = [marking.lengths(floor) for marking, floor in zip(self._markings, floors, strict=True)]
        if not ratios:
            return self._packed(unit | self._known, [])
        height = self._known.get("height", 1 / max(1e-6, float(np.median(np.concatenate(ratios)))))
        places = [marking.start(height * floor) for marking, floor in zip(self._markings, floors, strict=True)]
        return self._packed(unit | {"height": height}, places)

    def _packed(self, pose: Mapping[str, float], places: list[np.ndarray]) -> np.ndarray:
        values = [np.log(pose[name]) if name == "height" else pose[name] for name in self._free]
        return np.concatenate([values, *places])

    def _unpacked(self, free: np.ndarray) -> dict[str, float]:
        pose = dict(self._known)
        for name, value in zip(self._free, free, strict=False):
            pose[name] = float(np.exp(min(value, 20.0))) if name == "height" else float(value)
        pose["hfov"] = min(max(pose["hfov"], MIN_HFOV), MAX_HFOV)
        return pose

    def residuals(self, free: np.ndarray) -> np.ndarray:
        """In standard deviations of a marked point, the roll's distance from level last."""
        pose = self._unpacked(free)
        at = len(self._free)
        parts: list[np.ndarray] = []
        for marking, pixels in zip(self._markings, self._pixels, strict=True):
            count = marking.num_free
            seen = _to_pixels(marking.floor_points(free[at : at + count]), pose, self._size)
            parts.append(((seen - pixels) / self._click_px).ravel())
            at += count
        return np.concatenate([*parts, [pose["roll"] / ROLL_SIGMA]])

    def pose(self, found: Minimum) -> FloorPose:
        """The pose at a minimum, and what the residuals say of it."""
        pose = self._unpacked(found.at)
        num_left = sum(marking.equations for marking in self._markings) + 1 - len(self._free)
        noise = max(1.0, np.sqrt(found.cost / num_left)) if num_left > 0 else 1.0
        spread = noise * np.sqrt(np.maximum(np.diag(found.covariance()), 0.0))
        sigma = dict.fromkeys(_ORDER, 0.0) | dict(zip(self._free, (float(each) for each in spread), strict=False))
        sigma["height"] *= pose["height"]
        offsets = self.residuals(found.at)[:-1] * self._click_px
        num_points = max(1, len(offsets) // 2)
        return FloorPose(
            height_metres=pose["height"],
            pitch_degrees=pose["pitch"],
            hfov_degrees=pose["hfov"],
            roll_degrees=pose["roll"],
            sigma=sigma,
            residual_px=float(np.sqrt(np.square(offsets).sum() / num_points)),
            expected_px=float(np.sqrt(2) * self._click_px),
        )


def _focal(pose: Mapping[str, float], size: tuple[int, int]) -> float:
    return size[1] / 2 / tan(radians(pose["hfov"]) / 2)


def _to_floor(pixels: np.ndarray, pose: Mapping[str, float], size: tuple[int, int]) -> np.ndarray:
    """Pixels from the picture's middle (N, 2) to floor points (N, 2); NaN at and above the horizon."""
    pitch, roll = radians(pose["pitch"]), radians(pose["roll"])
    u, v = (pixels / _focal(pose, size)).T
    u, v = u * np.cos(roll) - v * np.sin(roll), u * np.sin(roll) + v * np.cos(roll)
    down = np.sin(pitch) + v * np.cos(pitch)
    depth = pose["height"] / np.where(down > 1e-3, down, np.nan)
    return np.stack([u * depth, (np.cos(pitch) - v * np.sin(pitch)) * depth], axis=1)


def _to_pixels(floor: np.ndarray, pose: Mapping[str, float], size: tuple[int, int]) -> np.ndarray:
    """The other way; points behind the lens come out far away."""
    pitch, roll = radians(pose["pitch"]), radians(pose["roll"])
    depth = np.maximum(floor[:, 1] * np.cos(pitch) + pose["height"] * np.sin(pitch), 1e-3)
    u = floor[:, 0] / depth
    v = (pose["height"] * np.cos(pitch) - floor[:, 1] * np.sin(pitch)) / depth
    u, v = u * np.cos(roll) + v * np.sin(roll), v * np.cos(roll) - u * np.sin(roll)
    return np.stack([u, v], axis=1) * _focal(pose, size)
