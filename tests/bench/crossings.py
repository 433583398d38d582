"""Clips in which two movers pass each other, seen by one camera: who is who is exactly known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.simulation import Kind, Light, MoverState, Rendered, placed
from pipeline.simulation.dock import DockScene
from pipeline.simulation.training import are_apart

FPS = 2.0
FRAMES = 12
_LEAST_PX = 300
"""Of 640 x 360 that show a mover at the start and at the end."""


@dataclass(frozen=True)
class Crossing:
    """One clip at `FPS`: one mover comes nearer, the other goes across before or behind it."""

    kinds: tuple[Kind, Kind]
    light_seed: int
    states: tuple[tuple[MoverState, MoverState], ...]
    """Per frame."""

    def render(self, scene: DockScene) -> Iterator[Rendered]:
        """The pictures, under a light that drifts."""
        for at, movers in enumerate(self.states):
            yield scene.render(movers, Light.drift(self.light_seed, at / FPS), self.light_seed % 100_000 + at)


def crossings(scene: DockScene, seed: int, pairs: Sequence[tuple[Kind, Kind]]) -> Iterator[Crossing]:
    """One clip per pair, each mover in view at its start and at its end, and left and right swapped between them."""
    for number, kinds in enumerate(pairs):
        rng = np.random.default_rng([53, seed, number])
        while True:
            states = _paths(rng, kinds)
            if all(are_apart(*movers) for movers in states) and _is_told(scene, states):
                break
        yield Crossing(kinds, int(rng.integers(2**31)), states)


def _paths(rng: np.random.Generator, kinds: tuple[Kind, Kind]) -> tuple[tuple[MoverState, MoverState], ...]:
    """The first comes straight nearer, at 0.3 to 1 m/s; the second goes across at 0.6 to 1.4 m/s, face first."""
    middle = (FRAMES - 1) / 2 / FPS
    comes, goes = placed(rng, kinds[0], (2.0, 7.0)), placed(rng, kinds[1], (2.0, 8.0))
    nearer, side = float(rng.uniform(0.3, 1.0)), float(rng.choice((-1, 1)))
    across = side * float(rng.uniform(0.6, 1.4))
    meets_x = comes.x + float(rng.uniform(-0.4, 0.4))
    times = [at / FPS - middle for at in range(FRAMES)]
    return tuple(
        (
            replace(comes, y=comes.y - nearer * t),
            replace(goes, x=meets_x + across * t, heading=90.0 * side),
        )
        for t in times
    )


def _is_told(scene: DockScene, states: tuple[tuple[MoverState, MoverState], ...]) -> bool:
    """Both are in view at the start and at the end, and who is left is then right."""
    ends = [scene.measure(states[at]) for at in (0, -1)]
    if any(truth is None or truth.visible_px < _LEAST_PX for pair in ends for truth in pair):
        return False
    before, after = ((movers[0].x - movers[1].x) for movers in (states[0], states[-1]))
    return before * after < 0
