"""What moves on the dock: its state, and its solid by kind and appearance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from pipeline.simulation.mesh import Mesh, Part, join
from pipeline.simulation.people import person
from pipeline.simulation.vehicles import drum_cart, forklift, truck, van

Kind = Literal["forklift", "person", "truck", "other"]

KINDS: tuple[Kind, ...] = ("forklift", "person", "truck", "other")
"""In the order of their numbers in a kind map, from 1."""

_STRIDE_METRES = 1.4
"""Of two steps of a person."""
_STRIDE_PHASES = 8


@dataclass(frozen=True, slots=True)
class MoverState:
    """One mover at one moment."""

    kind: Kind
    x: float
    """Metres to the right of the lane's middle; of the middle of its footprint, loads and forks aside."""
    y: float
    """Metres from the dock edge; the same point."""
    heading: float
    """Degrees: 0 its front away from the dock, 90 to the right, 180 towards the dock."""
    appearance_seed: int
    """Size, colours and load; for `other` also whether it is a drum cart or a van."""

    def mesh(self) -> Mesh:
        """Its solid in world metres; a person's legs follow the way that it has gone."""
        travelled = (self.x + self.y) / _STRIDE_METRES * _STRIDE_PHASES
        phase = int(travelled) % _STRIDE_PHASES if self.kind == "person" else 0
        return _solid(self.kind, self.appearance_seed, phase).moved(self.x, self.y, self.heading)


def reach_metres(kind: Kind, appearance_seed: int) -> tuple[float, float]:
    """(to the front, to the rear) from the reference point of a mover, forks and their load aside."""
    if kind == "forklift":
        return (0.72, 1.15)
    places = _solid(kind, appearance_seed, 0).vertices[:, 1]
    return (float(places.max()), float(-places.min()))


@lru_cache(maxsize=256)
def _solid(kind: Kind, appearance_seed: int, phase: int) -> Mesh:
    rng = np.random.default_rng([KINDS.index(kind) + 1, appearance_seed])
    match kind:
        case "forklift":
            parts: list[Part] = forklift(rng)
        case "person":
            parts = person(rng, phase / _STRIDE_PHASES)
        case "truck":
            parts = truck(rng)
        case "other":
            parts = drum_cart(rng) if appearance_seed % 2 else van(rng)
    return join(parts)
