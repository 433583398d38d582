"""Clips for the alarm's acceptance: one visit or an empty scene, with exact truth, on a simulated clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.simulation.dock import DockScene
from pipeline.simulation.lights import Light
from pipeline.simulation.movers import Kind, MoverState
from pipeline.simulation.pose import POSES
from pipeline.simulation.rendered import Rendered
from pipeline.simulation.schedule import Schedule, ScheduledEvent

FPS = 2.0
EMPTY_FPS = 0.5
"""Of scenes in which nobody comes: their minutes are many, and two samples in a row are then enough for a start."""
ENTER_METRES, EXIT_METRES = 3.0, 3.6
LIGHTS_LEARNT = 4
SAMPLES_PER_LIGHT = 5
SAMPLES_APART_SECONDS = 2.0
"""As `scene learn --for 10s` takes them, once under each light; a longer sitting may be of several."""
FARTHEST_METRES = 9.0
"""A clip shows its mover from here on, until it is as far away again."""
SETTLED_SECONDS = 2.5
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
    """When the exact p25 of an approach first falls below `ENTER_METRES`."""
    leaving_s: float | None = None
    """When it last rises above `EXIT_METRES`."""

    @property
    def kind(self) -> str:
        return "empty" if self.event is None else self.event.kind

    @property
    def is_approach(self) -> bool:
        return self.event is not None and not self.event.is_near_miss

    @property
    def fps(self) -> float:
        return EMPTY_FPS if self.event is None else FPS

    def frames(self) -> Iterator[tuple[float, Rendered]]:
        """The sampled frames with their truth: (seconds, picture)."""
        for number, t in enumerate(np.arange(self.begins_s, self.ends_s, 1 / self.fps)):
            mover = None if self.event is None else self.event.state(float(t))
            yield float(t), self.site.picture([] if mover is None else [mover], self.light_seed, float(t), number)


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

    def picture(self, movers: Sequence[MoverState], light_seed: int, t: float, number: int) -> Rendered:
        """One frame under a light that drifts."""
        return self.scene.render(movers, Light.drift(light_seed, t), light_seed * 1000 + number)

    def empty_samples(self) -> list[list[Rendered]]:
        """Nobody there under four lights that no clip uses, at several moments of each."""
        return [
            [
                self.picture([], self.seed * 10 + light, SAMPLES_APART_SECONDS * moment, moment)
                for moment in range(SAMPLES_PER_LIGHT)
            ]
            for light in range(LIGHTS_LEARNT)
        ]

    def clips(self, approaches: Mapping[Kind, int], near_misses: int, empty_seconds: float) -> list[Clip]:
        """Visits of each kind (also of `other`, that no head was fitted on), near misses, then an empty scene."""
        wanted: dict[Kind | None, int] = {**approaches, None: near_misses}
        clips: list[Clip] = []
        for attempt in range(40):
            schedule = Schedule.approaches(
                self.seed * 31 + attempt, 14.0 * 8, approaches=6, near_misses=2, pose=POSES[self.pose]
            )
            for event in schedule.events:
                which = None if event.is_near_miss else event.kind
                if not wanted.get(which):
                    continue
                clip = self._clip(event, len(clips))
                if clip is not None:
                    wanted[which] -= 1
                    clips.append(clip)
            if not any(wanted.values()):
                break
        assert not any(wanted.values()), f"{self.seed}: no visits for {wanted}"
        if empty_seconds:
            light = self.seed * 50 + 1999
            clips.append(Clip(f"{self.pose}/{self.seed}/empty", self, None, light, 0.0, empty_seconds))
        return clips

    def _clip(self, event: ScheduledEvent, number: int) -> Clip | None:
        """None: an approach that stops with its body near, but the 25th percentile of its surface is not."""
        passages = None if event.is_near_miss else passage_seconds(self.scene, event)
        if passages is None and not event.is_near_miss:
            return None
        away = max(FARTHEST_METRES - event.mover.y, 1.0) / event.speed
        first, last = event.stops_s - away, event.stops_s + event.stop_seconds + away
        return Clip(
            name=f"{self.pose}/{self.seed}/{number}",
            site=self,
            event=event,
            light_seed=self.seed * 50 + 1000 + number,
            begins_s=max(first, event.starts_s) + (number % 5) * 0.1,
            ends_s=min(last, event.ends_s) + SETTLED_SECONDS,
            crossing_s=passages[0] if passages else None,
            leaving_s=passages[1] if passages else None,
        )


def passage_seconds(scene: DockScene, event: ScheduledEvent) -> tuple[float, float] | None:
    """When the exact p25 first falls below the one threshold and last rises above the other.

    None: it never falls, or only by a hair, or is not seen to rise again.
    """
    before: tuple[float, float] | None = None
    enters: float | None = None
    leaves: float | None = None
    least = np.inf
    for t in np.arange(event.starts_s, event.ends_s, _SEARCH_SECONDS):
        mover = event.state(float(t))
        truth = None if mover is None else scene.measure([mover])[0]
        if truth is None:
            continue
        now = (float(t), truth.distance_p25)
        least = min(least, now[1])
        if enters is None and now[1] < ENTER_METRES:
            enters = _passage(before, now, ENTER_METRES)
        if enters is not None and before is not None and before[1] < EXIT_METRES <= now[1]:
            leaves = _passage(before, now, EXIT_METRES)
        before = now
    if enters is None or leaves is None or least >= ENTER_METRES - 0.3:
        return None
    return enters, leaves


def _passage(before: tuple[float, float] | None, now: tuple[float, float], metres: float) -> float:
    """Seconds, between two looks."""
    if before is None:
        return now[0]
    share = (metres - before[1]) / (now[1] - before[1])
    return before[0] + share * (now[0] - before[0])
