"""Simulated yards as a camera sees them: the lights that are learnt, visits under another, and a day that falls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from operators.backbone.preprocess import place
from pipeline.simulation.dock import DockScene
from pipeline.simulation.lights import Light
from pipeline.simulation.pose import POSES
from pipeline.simulation.rendered import Rendered
from pipeline.simulation.schedule import Schedule
from tests.bench.alarm_chain import SHAPE
from tests.bench.scene_pictures import day_to_night, infrared, lamp_lit, night

FPS = 0.5
CLOSER_FPS = 5.0
"""As `sample.fps` in configs/loading_dock.yaml."""
NIGHT_FROM, NIGHT_BY = 0.4, 0.9
"""Shares of the drift at which dusk begins and ends."""
MOMENTS = 3
"""Pictures of each light that is learnt."""


@dataclass(frozen=True)
class Yard:
    """One layout at one pose. Everything follows from the seed."""

    seed: int
    pose: str
    scene: DockScene

    @staticmethod
    def of(seed: int, pose: str) -> Yard:
        return Yard(seed, pose, DockScene(seed, POSES[pose]))

    def learnt(self, num_lights: int) -> list[list[Rendered]]:
        """The empty yard under so many lights; the last is night, or infrared where the seed is odd, where there are
        three or more.
        """
        lights = [[self._by_day(light, moment) for moment in range(MOMENTS)] for light in range(num_lights)]
        if num_lights >= 3:
            lights[-1] = [_dark(self.scene, self.seed, moment) for moment in range(MOMENTS)]
        return lights

    def _by_day(self, light: int, moment: int) -> Rendered:
        return self.scene.render([], Light.drift(self.seed * 10 + light, 15.0 * moment), moment)

    def who_comes(self, seconds: float) -> list[tuple[float, tuple[int, ...]]]:
        """(seconds, numbers of the visits in it) of each picture of three approaches and a near miss."""
        events = self._schedule(seconds).events
        times = [float(t) for t in np.arange(1.0, seconds, 1 / FPS)]
        return [(t, tuple(at for at, event in enumerate(events) if event.state(t) is not None)) for t in times]

    def visit_pictures(self, seconds: float) -> Iterator[Rendered]:
        """Those pictures, under a light that was not learnt; the movers of each are those of its visits, in order."""
        schedule = self._schedule(seconds)
        for t, _ in self.who_comes(seconds):
            yield self.scene.render(schedule.states(t), Light.drift(self.seed * 10 + 500, t), int(t) + 7000)

    def _schedule(self, seconds: float) -> Schedule:
        return Schedule.approaches(self.seed + 5, seconds, approaches=3, near_misses=1, pose=POSES[self.pose])

    def empty_pictures(self, minutes: float) -> Iterator[tuple[float, Rendered]]:
        """(seconds, picture) of nobody, from day to night."""
        times = _times(minutes)
        for number, t in enumerate(times):
            yield t, self._empty(t, times[-1], 9000 + number)

    def closer_pictures(self, minutes: float, number: int) -> Iterator[Rendered]:
        """What lies between the two neighbours of one of `empty_pictures`, at `CLOSER_FPS`, with other noise."""
        last = _times(minutes)[-1]
        between = round(CLOSER_FPS / FPS)
        for step in range(1 - between, between):
            t = number / FPS + step / CLOSER_FPS
            if 0.0 <= t <= last:
                yield self._empty(t, last, 20_000 + number * between + step)

    def _empty(self, t: float, last: float, noise: int) -> Rendered:
        dusk = float(np.clip((t / last - NIGHT_FROM) / (NIGHT_BY - NIGHT_FROM), 0, 1))
        light = day_to_night(self.seed * 10 + 600, dusk, t)
        rendered = self.scene.render([], light, noise, with_truth=False)
        return with_rgb(rendered, lamp_lit(rendered.rgb, self.seed + 1, dusk))


def _times(minutes: float) -> list[float]:
    """Seconds of the pictures of an empty scene."""
    return [float(t) for t in np.arange(0.0, minutes * 60, 1 / FPS)]


def patch_shares(mask: np.ndarray, grid: Sequence[int]) -> np.ndarray:
    """Float (h, w): share of each patch that the mask of a whole picture covers."""
    rgb = np.repeat((mask * 255).astype(np.uint8)[..., None], 3, axis=2)
    placed = place(rgb, SHAPE)[0][..., 0].astype(np.float32) / 255
    height, width = grid[:2]
    return placed.reshape(height, SHAPE[0] // height, width, SHAPE[1] // width).mean(axis=(1, 3))


def with_rgb(rendered: Rendered, rgb: np.ndarray) -> Rendered:
    """The same truth in other colours."""
    return Rendered(rgb, rendered.depth, rendered.kind_map, rendered.mover_map, rendered.ground, rendered.kinds)


def _dark(scene: DockScene, seed: int, moment: int) -> Rendered:
    if seed % 2:
        rendered = scene.render([], Light.drift(seed * 10 + 90, 20.0 * moment), 900 + moment)
        return with_rgb(rendered, infrared(rendered.rgb, seed * 10 + moment))
    rendered = scene.render([], night(seed * 10 + 9), 900 + moment)
    return with_rgb(rendered, lamp_lit(rendered.rgb, seed))
