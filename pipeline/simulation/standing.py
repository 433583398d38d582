"""A vehicle that stands still at a known distance, as somebody with a tape would place it."""

from __future__ import annotations

import numpy as np

from pipeline.simulation.movers import Kind, MoverState, reach_metres
from pipeline.simulation.schedule import Schedule, ScheduledEvent

_LANE_METRES = 0.6


def standing(kind: Kind, metres: float, seed: int, seconds: float = 3600.0) -> Schedule:
    """A schedule in which one vehicle stands all the time.

    Args:
        kind: Of the vehicle.
        metres: From the dock edge to its foremost body: forks and their load reach further.
        seed: Its looks, its place across the lane and its heading.
        seconds: How long.
    """
    rng = np.random.default_rng([37, seed])
    appearance = int(rng.integers(0, 2**31))
    x, sway = float(rng.uniform(-_LANE_METRES, _LANE_METRES)), float(rng.uniform(-5, 5))
    front, rear = reach_metres(kind, appearance)
    is_backing = kind == "truck"
    mover = MoverState(
        kind, x, metres + (rear if is_backing else front), sway if is_backing else 180.0 + sway, appearance
    )
    event = ScheduledEvent(
        kind, is_near_miss=False, mover=mover, starts_s=0.0, ends_s=seconds, speed=1.0, stop_seconds=seconds, slant=0.0
    )
    return Schedule(seconds, (event,))
