"""Which frames go next. Pure: decides, and does nothing.

Self-clocked fair queueing: a camera that begins to wait gets a tag, the present virtual time plus one over its weight;
the smallest tag goes first, the earliest deadline among equals, and the virtual time follows the tags served. Equal
cameras thus get equal rates under overload, a heavy one keeps most of its rate, what a slow camera leaves goes to the
others, and nobody saves up by being idle.

Nothing waits for company: on a CPU a larger batch is not faster, and on a GPU the analyzer merges calls.

Source: S. J. Golestani, "A self-clocked fair queueing scheme for broadband applications", INFOCOM 1994.
Differs: deadlines decide between equal tags, and frames of one shape are preferred once a batch has begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much one call of the analyzer carries, and how long it may take."""

    max_batch_size: int = 1
    """1 suits a CPU, where company only adds age; a GPU wants what its analyzer takes at once."""
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
    """Remembers how long each waiting camera has waited, in shares."""

    def __init__(self, limits: BatchLimits) -> None:
        self._limits = limits
        self._virtual_time = 0.0
        self._tags: dict[str, float] = {}

    def choose(self, candidates: Sequence[Candidate]) -> list[str]:
        """Cameras to take a frame from, in this order, a camera as often as it gives frames. One shape a batch."""
        arrival = self._virtual_time
        self._tags = {each.camera: self._tags.get(each.camera, arrival + 1 / each.weight) for each in candidates}
        left = {each.camera: each.waiting for each in candidates}
        chosen: list[str] = []
        shape: tuple[int, int] | None = None
        budget_bytes = self._limits.max_batch_bytes
        while len(chosen) < self._limits.max_batch_size:
            open_ = [each for each in candidates if left[each.camera] and shape in {None, each.shape}]
            if chosen:
                open_ = [each for each in open_ if each.num_bytes <= budget_bytes]
            if not open_:
                break
            pick = min(open_, key=lambda each: (self._tags[each.camera], each.deadline, each.camera))
            shape = pick.shape
            budget_bytes -= pick.num_bytes
            left[pick.camera] -= 1
            self._serve(pick, is_waiting=left[pick.camera] > 0)
            chosen.append(pick.camera)
        return chosen

    def _serve(self, pick: Candidate, *, is_waiting: bool) -> None:
        tag = self._tags.pop(pick.camera)
        self._virtual_time = max(self._virtual_time, tag)
        if is_waiting:
            self._tags[pick.camera] = tag + 1 / pick.weight
