"""Who drives up to the dock, when, and how near: seeded, and a pure function of time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.simulation.movers import Kind, MoverState, reach_metres
from pipeline.simulation.pose import POSES, Camera, Pose
from pipeline.simulation.raster import DepthBuffer, draw

NEAR_MISS_METRES = 4.0
"""Where the 25th percentile of a near miss's visible ground distance comes to rest."""
STOP_METRES = (1.3, 2.4)
"""How near the foremost body of an approach comes, forks and their load aside."""
SPEED_METRES_PER_SECOND = (0.7, 2.0)
_FARTHEST_METRES = 15.0
_LEAST_TRAVEL_METRES = 3.2


@dataclass(frozen=True, slots=True)
class ScheduledEvent:
    """One visit: comes up the lane at constant speed, stops, goes back the same way."""

    kind: Kind
    is_near_miss: bool
    mover: MoverState
    """As it stands at its stop."""
    starts_s: float
    """When it appears, far away."""
    ends_s: float
    """When it is gone again."""
    speed: float
    """Metres per second."""
    stop_seconds: float
    slant: float
    """Metres to the right per metre away from the stop."""

    @property
    def stops_s(self) -> float:
        """When it comes to rest."""
        return (self.starts_s + self.ends_s - self.stop_seconds) / 2

    def state(self, t: float) -> MoverState | None:
        """At `t` seconds; None before it comes and after it has left."""
        if not self.starts_s <= t < self.ends_s:
            return None
        before, after = self.stops_s - t, t - self.stops_s - self.stop_seconds
        away = self.speed * max(before, after, 0.0)
        is_walking_back = self.kind == "person" and after > 0
        turned = self.mover.heading + (180.0 if is_walking_back else 0.0)
        return MoverState(
            self.kind, self.mover.x + self.slant * away, self.mover.y + away, turned, self.mover.appearance_seed
        )


@dataclass(frozen=True, slots=True)
class Schedule:
    """Visits one after the other, then nothing; or the same again for ever."""

    seconds: float
    events: tuple[ScheduledEvent, ...] = ()
    is_repeated: bool = False

    @staticmethod
    def empty(seconds: float = 0.0) -> Schedule:
        """Nobody comes."""
        return Schedule(seconds)

    @staticmethod
    def approaches(
        seed: int,
        seconds: float,
        approaches: int = 2,
        near_misses: int = 1,
        kinds: Sequence[Kind] = ("forklift", "person", "truck", "other"),
        *,
        pose: Pose = POSES["P0"],
        stop_metres: tuple[float, float] = STOP_METRES,
        is_repeated: bool = False,
    ) -> Schedule:
        """Visits in a seeded order, each in an equal share of `seconds`.

        Approaches stop with their foremost body (forks aside) at `stop_metres`. Near misses stop where the truth is
        `NEAR_MISS_METRES` for a camera at `pose`. The kinds take turns, from a seeded one on.

        Raises:
            ValueError: so short that a visit at full speed would begin too near.
        """
        rng = np.random.default_rng([23, seed])
        total = approaches + near_misses
        if total == 0:
            return Schedule(seconds)
        lead = min(3.0, 0.06 * seconds)
        share = (seconds - lead) / total
        first_kind = int(rng.integers(len(kinds)))
        events: list[ScheduledEvent] = []
        for number, which in enumerate(rng.permutation(total)):
            kind = kinds[(first_kind + number) % len(kinds)]
            stop = _stop(rng, kind, stop_metres, pose if which < near_misses else None)
            starts = lead + number * share
            events.append(_visit(rng, stop, starts, share * 0.94, is_near_miss=bool(which < near_misses)))
        return Schedule(seconds, tuple(events), is_repeated)

    def states(self, t: float) -> list[MoverState]:
        """Who is there at `t` seconds from the start."""
        if self.is_repeated:
            t %= self.seconds
        return [state for event in self.events if (state := event.state(t)) is not None]


def _visit(
    rng: np.random.Generator, stop: MoverState, starts: float, available: float, *, is_near_miss: bool
) -> ScheduledEvent:
    stop_seconds = min(float(rng.uniform(1.8, 4.0)), 0.28 * available)
    travel_seconds = (available - stop_seconds) / 2
    slowest, fastest = SPEED_METRES_PER_SECOND
    needed = _LEAST_TRAVEL_METRES / travel_seconds
    if needed > fastest:
        msg = (
            f"schedule is too short: expected at least {_LEAST_TRAVEL_METRES / fastest * 2 / 0.66:.1f} s a visit, "
            f"got {available:.1f} s. Ask for more seconds or fewer visits."
        )
        raise ValueError(msg)
    speed = float(rng.uniform(max(slowest, needed), fastest))
    travel_seconds = min(travel_seconds, (_FARTHEST_METRES - stop.y) / speed)
    ends = starts + 2 * travel_seconds + stop_seconds
    slant = math.tan(math.radians(stop.heading))
    return ScheduledEvent(stop.kind, is_near_miss, stop, starts, ends, speed, stop_seconds, slant)


def _stop(rng: np.random.Generator, kind: Kind, stop_metres: tuple[float, float], near_miss: Pose | None) -> MoverState:
    """Where a visit comes to rest: trucks and vans of `other` as they would, a truck with its rear to the dock."""
    appearance = int(rng.integers(0, 2**31))
    x, sway = float(rng.uniform(-0.6, 0.6)), float(rng.uniform(-5, 5))
    heading = sway if kind == "truck" else 180.0 + sway
    front, rear = reach_metres(kind, appearance)
    ahead = rear if kind == "truck" else front
    y = float(rng.uniform(*stop_metres)) + ahead
    if near_miss is not None:
        y = _where_p25_is(NEAR_MISS_METRES, MoverState(kind, x, 0.0, heading, appearance), near_miss)
    return MoverState(kind, x, y, heading, appearance)


def _where_p25_is(metres: float, mover: MoverState, pose: Pose) -> float:
    """The y at which the mover, alone in the picture, has this p25: by bisection, to a millimetre or so."""
    camera = Camera.at(pose, (360, 640))
    ground_per_depth = camera.world_per_depth(1)
    low, high = metres - 2.0, metres + 6.0
    for _ in range(13):
        y = (low + high) / 2
        buffer = DepthBuffer.empty(camera.size)
        draw(buffer, camera, MoverState(mover.kind, mover.x, y, mover.heading, mover.appearance_seed).mesh(), 1)
        seen = buffer.faces > 0
        distances = ground_per_depth[seen] / buffer.inverse_depth[seen]
        if distances.size and float(np.percentile(distances, 25)) > metres:
            high = y
        else:
            low = y
    return high
