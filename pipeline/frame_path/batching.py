"""Which frames go next. Pure: decides, and does nothing.

Earliest deadline first among the cameras that still have their share, and shares by deficit round robin: in each round
a waiting camera earns its weight over the largest weight, a frame costs one, and what an empty camera saved is gone.
Equal cameras thus get equal rates under overload, and what a slow camera leaves goes to the others.

Nothing waits for company: on a CPU a larger batch is not faster, and on a GPU the analyzer merges calls.

Source: M. Shreedhar, G. Varghese, "Efficient fair queueing using deficit round robin", SIGCOMM 1995.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much one call of the analyzer carries, and how long it may take."""

    max_batch_size: int = 8
    max_batch_bytes: int = 2_000_000
    """Of pixels: what travels inline in one hop."""
    analyze_timeout_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One camera with frames waiting."""

    camera: str
    shape: tuple[int, int]
    num_bytes: int
    """Of one frame's pixels."""
    deadline: float
    """Monotonic seconds at which its oldest frame becomes stale."""
    waiting: int = 1
    weight: float = 1.0


class FairShare:
    """Remembers what each waiting camera is owed."""

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        self._owed: dict[str, float] = {}

    def choose(self, candidates: Sequence[Candidate]) -> list[str]:
        """Cameras to take a frame from, in this order, a camera as often as it gives frames. One shape a batch."""
        self._owed = {each.camera: self._owed.get(each.camera, 0.0) for each in candidates}
        left = {each.camera: each.waiting for each in candidates}
        chosen: list[str] = []
        first: Candidate | None = None
        num_bytes = 0
        while len(chosen) < self._limits.max_batch_size:
            open_ = [each for each in candidates if left[each.camera] > 0 and _goes_with(each, first)]
            if first is not None:
                open_ = [each for each in open_ if num_bytes + each.num_bytes <= self._limits.max_batch_bytes]
            if not open_:
                break
            pick = self._next(open_, [each for each in candidates if left[each.camera] > 0])
            first = first or pick
            num_bytes += pick.num_bytes
            left[pick.camera] -= 1
            self._owed[pick.camera] -= 1.0
            chosen.append(pick.camera)
        return chosen

    def _next(self, open_: Sequence[Candidate], waiting: Sequence[Candidate]) -> Candidate:
        while True:
            entitled = [each for each in open_ if self._owed[each.camera] >= 1.0]
            if entitled:
                return min(entitled, key=lambda each: (each.deadline, each.camera))
            largest = max(each.weight for each in open_)
            for each in waiting:
                self._owed[each.camera] += min(1.0, each.weight / largest)


def _goes_with(candidate: Candidate, first: Candidate | None) -> bool:
    return first is None or candidate.shape == first.shape
