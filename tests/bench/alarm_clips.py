"""Clips for the alarm's acceptance: one visit or an empty scene, with exact truth, on a simulated clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.simulation.dock import DockScene
from pipeline.simulation.lights import Light
from pipeline.simulation.pose import POSES
from pipeline.simulation.rendered import Rendered
from pipeline.simulation.schedule import Schedule, ScheduledEvent

FPS = 2.0
THRESHOLD_METRES = 3.0
LIGHTS_LEARNT = 4
SAMPLES_PER_LIGHT = 3
FARTHEST_METRES = 10.0
"""A clip shows its mover from here on, until it is as far away again."""
SETTLED_SECONDS = 1.5
"""A clip goes on this long after that."""

_SEARCH_SECONDS = 0.25


@dataclass(frozen=True)
class Clip:
    """One visit (or none) before one layout under one drifting light."""

    name: str
    site: Site
    event: ScheduledEvent | None
    light_seed: int
    begins_s: float
    ends_s: float
    crossing_s: float | None = None
    """When the exact p25 of an approach first falls below the threshold."""

    @property
    def kind(self) -> str:
        return "empty" if self.event is None else self.event.kind

    @property
    def is_approach(self) -> bool:
        return self.event is not None and not self.event.is_near_miss

    def times(self) -> np.ndarray:
        """Seconds of the sampled frames."""
        return np.arange(self.begins_s, self.ends_s, 1 / FPS)

    def frames(self) -> Iterator[Rendered]:
        """The sampled frames with their truth."""
        for number, t in enumerate(self.times()):
            mover = None if self.event is None else self.event.state(float(t))
            light = Light.drift(self.light_seed, float(t))
            yield self.site.scene.render([] if mover is None else [mover], light, self.light_seed * 1000 + number)


@dataclass(frozen=True)
class Site:
    """A layout at a pose: what a camera on one dock sees."""

    pose: str
    seed: int
    scene: DockScene

    @staticmethod
    def of(pose: str, number: int) -> Site:
        seed = 900_000 + 100 * sorted(POSES).index(pose) + number
        return Site(pose, seed, DockScene(seed, POSES[pose]))

    def empty_samples(self) -> list[list[Rendered]]:
        """Renders without movers under four lights that no clip uses; three moments of each."""
        lights = [self.seed * 10 + index for index in range(LIGHTS_LEARNT)]
        return [
            [
                self.scene.render([], Light.drift(light, 15.0 * moment), light * 7 + moment)
                for moment in range(SAMPLES_PER_LIGHT)
            ]
            for light in lights
        ]

    def clips(self, approaches: int, near_misses: int, empty_seconds: float) -> list[Clip]:
        """Visits of all kinds (also of the one that no head was fitted on), then an empty scene."""
        wanted = {False: approaches, True: near_misses}
        clips: list[Clip] = []
        for attempt in range(20):
            schedule = Schedule.approaches(
                self.seed * 31 + attempt, 14.0 * 8, approaches=6, near_misses=2, pose=POSES[self.pose]
            )
            for event in schedule.events:
                if not wanted[event.is_near_miss]:
                    continue
                number = len(clips)
                shown = _shown_seconds(event)
                crossing = None if event.is_near_miss else crossing_seconds(self.scene, event)
                if crossing is None and not event.is_near_miss:
                    continue  # stops with its body near, but the 25th percentile of its surface is not
                clip = Clip(
                    name=f"{self.pose}/{self.seed}/{number}",
                    site=self,
                    event=event,
                    light_seed=self.seed * 50 + 1000 + number,
                    begins_s=shown[0] + (number % 5) * 0.1,
                    ends_s=shown[1] + SETTLED_SECONDS,
                    crossing_s=crossing,
                )
                wanted[event.is_near_miss] -= 1
                clips.append(clip)
            if not any(wanted.values()):
                break
        if empty_seconds:
            light = self.seed * 50 + 1999
            clips.append(Clip(f"{self.pose}/{self.seed}/empty", self, None, light, 0.0, empty_seconds))
        return clips


def _shown_seconds(event: ScheduledEvent) -> tuple[float, float]:
    """From when to when a visit's mover is near enough to be judged."""
    away = max(FARTHEST_METRES - event.mover.y, 1.0) / event.speed
    first, last = event.stops_s - away, event.stops_s + event.stop_seconds + away
    return max(first, event.starts_s), min(last, event.ends_s)


def crossing_seconds(scene: DockScene, event: ScheduledEvent) -> float | None:
    """When the exact p25 first falls below the threshold; None: never, or only by a hair."""
    before: tuple[float, float] | None = None
    found, least = None, np.inf
    for t in np.arange(event.starts_s, event.ends_s, _SEARCH_SECONDS):
        mover = event.state(float(t))
        truth = None if mover is None else scene.measure([mover])[0]
        if truth is None:
            continue
        metres = truth.distance_p25
        least = min(least, metres)
        if found is None and metres < THRESHOLD_METRES:
            share = 1.0 if before is None else (before[1] - THRESHOLD_METRES) / max(before[1] - metres, 1e-6)
            found = float(t) - _SEARCH_SECONDS * (1 - share)
        before = (float(t), metres)
    return found if least < THRESHOLD_METRES - 0.3 else None
