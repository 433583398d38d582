"""A picture of the dock with everything that is true about it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pipeline.simulation.movers import KINDS, Kind


@dataclass(frozen=True, slots=True)
class MoverTruth:
    """What is exactly true of one visible mover."""

    kind: Kind
    distance_p25: float
    """Metres: 25th percentile over its visible pixels of the ground distance to the dock edge. Of a forklift this
    lies about a metre behind the tips of its forks."""
    foremost: float
    """Metres: the least of the same."""
    visible_px: int


@dataclass(frozen=True, slots=True, repr=False)
class Rendered:
    """One frame. Maps are exact at pixel centres; `rgb` alone has noise and blur."""

    rgb: np.ndarray
    """uint8 (H, W, 3); black where only the truth was asked for."""
    depth: np.ndarray
    """float32 (H, W) metres along the optical axis."""
    kind_map: np.ndarray
    """uint8 (H, W): 0 background, 1 forklift, 2 person, 3 truck, 4 other."""
    mover_map: np.ndarray
    """uint8 (H, W): 0 background, else 1 + the mover's index."""
    ground: np.ndarray
    """float32 (H, W) metres on the floor from the dock edge to below (or above) what the pixel sees."""
    kinds: tuple[Kind, ...] = field(default=())
    """Of the movers, by index."""

    def truth(self, index: int) -> MoverTruth | None:
        """Of mover `index`; None where no pixel shows it."""
        distances = self.ground[self.mover_map == index + 1]
        if distances.size == 0:
            return None
        near = float(np.percentile(distances, 25))
        return MoverTruth(self.kinds[index], near, float(distances.min()), int(distances.size))


def kind_numbers(kinds: tuple[Kind, ...]) -> np.ndarray:
    """uint8 (1 + movers,): from a mover map's numbers to a kind map's."""
    return np.array([0, *(KINDS.index(kind) + 1 for kind in kinds)], np.uint8)
