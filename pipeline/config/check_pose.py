"""Rules that start at a distance against the floor that the camera can see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, isnan

import numpy as np

from operators.geometry import FloorCamera
from operators.rules.measures import parse_measure
from operators.units import Threshold
from pipeline.config.problems import Place
from pipeline.config.schema import CameraConfig

PERSON_METRES = (0.5, 1.7)
"""Width and height of somebody who stands."""
FILLED = 0.77
"""Share of that box that a person fills. Source: own measurements, simulated yards at two poses, 4 to 9 m."""
SURE_PATCHES = 4.0
"""Who shows fewer may be missed. Source: own measurements, see docs/scene.md."""
CLEAR = 1.25
"""Below this many times the nearest visible floor little of a subject is seen. Source: own measurements."""


@dataclass(frozen=True, slots=True)
class Reach:
    """One rule that starts below a distance, and the nearest floor in view, both from the rule's line."""

    rule: str
    enter: Threshold
    nearest_metres: float
    """NaN: no floor is in view."""

    @property
    def is_blind(self) -> bool:
        """Nothing that stands so near shows its foot."""
        return isnan(self.nearest_metres) or self.enter.value <= self.nearest_metres

    @property
    def is_poor(self) -> bool:
        """Only a part of what stands so near is in the picture."""
        return not self.is_blind and self.enter.value < CLEAR * self.nearest_metres


def reaches(camera: CameraConfig, floor: FloorCamera) -> Iterator[Reach]:
    """Each rule of the camera that starts below a distance to a line; those with other mistakes are left out."""
    for name, rule in camera.rules.items():
        if not isinstance(rule.enter, Threshold) or not rule.enter.points_down:
            continue
        try:
            measure = parse_measure(rule.measure)
        except ValueError:
            continue  # `check_rule` says so
        line = camera.lines.get(measure.args[0]) if measure.name == "distance_to" else None
        if line == "here" or (line is not None and line[0] != line[1]):
            yield Reach(name, rule.enter, floor.nearest_visible_floor(line))


def sees_persons_to(floor: FloorCamera, patch: int) -> float:
    """Metres from the camera's foot, straight ahead, up to which a person shows enough patches to be found.

    Args:
        floor: the camera, with the size of the model's picture.
        patch: side of a patch in pixels.
    """
    ahead = np.arange(0.5, 100.0, 0.1)
    patches = FILLED * floor.upright_area(ahead, *PERSON_METRES) / patch**2
    return float(ahead[patches >= SURE_PATCHES].max(initial=0.0))


def check_pose(place: Place, camera: CameraConfig, shapes: Sequence[tuple[int, int]]) -> Iterator[tuple[Place, str]]:
    """No rule starts where little of a subject is seen, whatever the proportions of the camera's pictures."""
    if camera.view is None or not shapes:
        return
    by_shape = [{each.rule: each for each in reaches(camera, FloorCamera(camera.view, shape))} for shape in shapes]
    for name, first in by_shape[0].items():
        best = min((each[name] for each in by_shape), key=lambda reach: (reach.is_blind, reach.nearest_metres))
        if best.is_blind or best.is_poor:
            yield (*place, "rules", name, "enter"), _told(first.enter, best)


def _told(enter: Threshold, best: Reach) -> str:
    if isnan(best.nearest_metres):
        return (
            f"the camera is blind there: it starts at {enter}, but this pose shows no floor at all. Tilt the camera "
            "down, or correct `view`"
        )
    least = CLEAR * best.nearest_metres
    what = "the camera is blind there" if best.is_blind else "little of a subject is in view there"
    return (
        f"{what}: it starts at {enter}, but this pose sees no floor nearer than {best.nearest_metres:.2f} m from the "
        f"line. Raise the threshold to at least {ceil(100 * least) / 100:.2f} m ({CLEAR:g} times that), tilt the "
        "camera down, or correct `view`"
    )
