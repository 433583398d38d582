"""Pictures to fit and to test on: other layouts, all lights, movers anywhere in view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.simulation.dock import DockScene
from pipeline.simulation.lights import Light
from pipeline.simulation.movers import Kind, MoverState
from pipeline.simulation.pose import Pose
from pipeline.simulation.rendered import Rendered

KNOWN_KINDS: tuple[Kind, ...] = ("forklift", "person", "truck")
"""What a head may be fitted on; `other` is kept for tests."""

_FRAMES_PER_LAYOUT = 6
_TRAINED_METRES = (1.0, 10.0)
"""Where movers of training pictures have their nearest side. Evenly spread in the logarithm, so that half of them are
nearer than 3.2 m, where alarms are decided. Source: own measurements: against an even spread over 1.6 to 10 m, the
error of the distance at one pose fell from 0.37 / 1.05 to 0.20 / 0.66 m (median / p90)."""
_ROOM_METRES: dict[Kind, float] = {"forklift": 1.3, "person": 0.5, "truck": 4.0, "other": 1.6}
"""Radius that movers keep clear of each other."""


def placed(
    rng: np.random.Generator, kind: Kind, y_metres: tuple[float, float] = (1.6, 10.0), *, is_near_often: bool = False
) -> MoverState:
    """A mover of `kind` somewhere before the dock, its nearest side in `y_metres`, turned as its kind would be.

    `is_near_often` spreads that evenly in the logarithm.
    """
    near = float(np.exp(rng.uniform(*np.log(y_metres))) if is_near_often else rng.uniform(*y_metres))
    x = float(rng.uniform(-2.2, 2.2) * (0.5 if kind == "truck" else 1.0))
    heading = {
        "truck": float(rng.normal(0, 6)),
        "person": float(rng.uniform(0, 360)),
    }.get(kind, float(180 + rng.normal(0, 25) + 180 * (rng.random() < 0.15)))
    middle = {"forklift": 0.9, "person": 0.2, "truck": 1.0, "other": 1.4}[kind]
    return MoverState(kind, x, near + middle, heading, int(rng.integers(0, 2**31)))


def placed_apart(
    rng: np.random.Generator,
    kinds: Sequence[Kind],
    y_metres: tuple[float, float] = (1.6, 10.0),
    *,
    is_near_often: bool = False,
) -> list[MoverState]:
    """Movers that do not stand inside each other; fewer than asked for where there is no room."""
    movers: list[MoverState] = []
    for kind in kinds:
        for _ in range(20):
            mover = placed(rng, kind, y_metres, is_near_often=is_near_often)
            if all(are_apart(mover, other) for other in movers):
                movers.append(mover)
                break
    return movers


def training_frames(
    count: int,
    pose: Pose,
    seed: int,
    size: tuple[int, int] = (360, 640),
    movers: tuple[int, int] = (0, 2),
    *,
    kinds: Sequence[Kind] = KNOWN_KINDS,
) -> Iterator[Rendered]:
    """`count` pictures at `pose`: a new layout every six, a new light every one, `movers` (least, most) of `kinds`."""
    rng = np.random.default_rng([29, seed])
    scene: DockScene | None = None
    for number in range(count):
        if scene is None or number % _FRAMES_PER_LAYOUT == 0:
            scene = DockScene(int(rng.integers(0, 2**31)), pose, size)
        wanted: list[Kind] = [
            kinds[int(rng.integers(len(kinds)))] for _ in range(int(rng.integers(movers[0], movers[1] + 1)))
        ]
        light = Light.of(int(rng.integers(0, 2**31)))
        yield scene.render(placed_apart(rng, wanted, _TRAINED_METRES, is_near_often=True), light, number)


def are_apart(a: MoverState, b: MoverState) -> bool:
    """Whether two movers keep clear of each other on the floor."""
    a_y, b_y = (m.y + (3.0 if m.kind == "truck" else 0.0) for m in (a, b))
    a_wide, b_wide = (1.25 if m.kind == "truck" else _ROOM_METRES[m.kind] for m in (a, b))
    is_beside = abs(a.x - b.x) > a_wide + b_wide
    return is_beside or abs(a_y - b_y) > _ROOM_METRES[a.kind] + _ROOM_METRES[b.kind]
