"""When somebody was really too near: from exact geometry, without pictures."""

from __future__ import annotations

from pipeline.simulation.dock import DockScene
from pipeline.simulation.movers import MoverState, reach_metres
from pipeline.simulation.schedule import Schedule


def nearest_truth(scene: DockScene, movers: list[MoverState], before: float | None) -> float | None:
    """Metres: the least p25 of the movers; None without any.

    A mover that has sunk below the picture counts as where it was last seen (`before`), or as where its body is.
    """
    nearest: list[float] = []
    for mover, truth in zip(movers, scene.measure(movers), strict=True):
        if truth is not None:
            nearest.append(truth.distance_p25)
            continue
        front, rear = reach_metres(mover.kind, mover.appearance_seed)
        nearest.append(before if before is not None else mover.y - (rear if mover.kind == "truck" else front))
    return min(nearest, default=None)


def truth_crossings(
    scene: DockScene, schedule: Schedule, fps: float, threshold: float, leave_threshold: float | None = None
) -> list[tuple[float, float]]:
    """(enter, leave) seconds of each time that the nearest p25 went below `threshold`, sampled at `fps`.

    It is left at the first sample that is not below `leave_threshold` (left out: `threshold`) or shows nobody.
    """
    limit = threshold if leave_threshold is None else leave_threshold
    crossings: list[tuple[float, float]] = []
    entered: float | None = None
    value: float | None = None
    for frame in range(int(schedule.seconds * fps) + 1):
        t = frame / fps
        movers = schedule.states(t)
        value = nearest_truth(scene, movers, value) if movers else None
        if entered is None and value is not None and value < threshold:
            entered = t
        elif entered is not None and (value is None or value >= limit):
            crossings.append((entered, t))
            entered = None
    if entered is not None:
        crossings.append((entered, schedule.seconds))
    return crossings
