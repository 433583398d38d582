"""How many decoders a load needs: one more while reading takes most of a node's cores, one less after a quiet time.

Pure. What reading takes is the processor time of its threads, with the time in which they were ready to run and others
had the cores, as each owner tells it of each camera: frames are late by it, whoever it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.control.planning.plan import DecoderPlan, Offer, Plan

BUSY_SHARE = 0.7
"""Of the cores that a node gives; beyond this frames come late as soon as a model or a second camera wants them."""
LEAST_SHARE = 0.2
"""Of them that it must take itself: on a machine that others crowd everybody waits, and moving readers that hardly
compute gains nothing.
"""
BUSY_SECONDS = 10.0
"""For which it must last."""
SETTLING_SECONDS = 15.0
"""After another decoder is up: until what its cameras take is measured anew."""
QUIET_SHARE = 0.4
"""What reading would take and wait for of the cores of all with one decoder less; below `LEAST_SHARE` it may wait."""
QUIET_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Reading:
    """Cores by camera that is read now."""

    used: Mapping[str, float] = field(default_factory=dict[str, float])
    wanted: Mapping[str, float] = field(default_factory=dict[str, float])
    """With what its threads wait for while others have the cores."""


class ReadingGrowth:
    """Up to `most` decoders beyond the first ones. Times are monotonic seconds."""

    def __init__(self, most: int) -> None:
        self.target = 0
        """How many there should be beyond the first ones."""
        self.share = 0.0
        """Of its cores that reading took at the busiest decoder, when last looked at."""
        self._most = most
        self._busy_since: float | None = None
        self._quiet_since: float | None = None
        self._looks_at = 0.0

    def look(self, now: float, plan: Plan, offer: Offer, reading: Reading, num_up: int) -> bool:
        """Whether `target` has changed.

        Args:
            now: Monotonic seconds.
            plan: What runs.
            offer: Nodes with their cores.
            reading: What it takes.
            num_up: How many of the floating decoders run.
        """
        shares = {each.name: _share(each, plan, offer, reading.wanted) for each in plan.decoders}
        busiest = max(plan.decoders, key=lambda each: shares[each.name])
        self.share = shares[busiest.name]
        if _share(busiest, plan, offer, reading.used) < LEAST_SHARE:
            self.share = min(self.share, BUSY_SHARE)
        if num_up < self.target:
            self._busy_since = self._quiet_since = None  # one is on its way: nobody knows yet whether it is enough
            self._looks_at = now + SETTLING_SECONDS
            return False
        if now < self._looks_at:
            return False
        can_split = len(busiest.feeds) > 1
        self._busy_since = (self._busy_since or now) if self.share > BUSY_SHARE else None
        self._quiet_since = (self._quiet_since or now) if _is_quiet(plan, offer, reading) else None
        wanted = self.target
        if self._busy_since is not None and now - self._busy_since >= BUSY_SECONDS and can_split:
            wanted = min(self._most, self.target + 1)
        elif self._quiet_since is not None and now - self._quiet_since >= QUIET_SECONDS:
            wanted = max(0, self.target - 1)
        if wanted == self.target:
            return False
        self.target, self._busy_since, self._quiet_since = wanted, None, None
        return True

    @property
    def shortage(self) -> str:
        """What would be needed beyond `most`, for people; empty while there is enough."""
        if self.target < self._most or self.share <= BUSY_SHARE:
            return ""
        return (
            f"reading takes {self.share:.0%} of its cores at the busiest decoder, and there are as many as allowed: "
            "raise runtime.decoders.max and add a node for it, or have cameras send fewer or smaller pictures"
        )


def _is_quiet(plan: Plan, offer: Offer, reading: Reading) -> bool:
    """Whether one decoder less would do."""
    floating = [each.cores for each in plan.decoders if each.is_floating]
    if not floating:
        return False
    nodes = {each.node for each in plan.decoders if not each.is_floating}
    left = sum(node.cpus for node in offer.nodes if node.id in nodes) + sum(floating) - max(floating)
    cameras = [camera for each in plan.decoders for camera in each.cameras]
    used, wanted = (_cores(cameras, each) for each in (reading.used, reading.wanted))
    return wanted < QUIET_SHARE * left or used < LEAST_SHARE * left


def _share(decoder: DecoderPlan, plan: Plan, offer: Offer, cores: Mapping[str, float]) -> float:
    """Of the cores that it claims, or that its node has for all decoders there; 0: its node is not there."""
    if decoder.is_floating:
        return _cores(decoder.cameras, cores) / decoder.cores
    node = next((node for node in offer.nodes if node.id == decoder.node), None)
    if node is None:
        return 0.0
    there = [camera for each in plan.decoders if each.node == decoder.node for camera in each.cameras]
    return _cores(there, cores) / node.cpus


def _cores(cameras: Iterable[str], cores: Mapping[str, float]) -> float:
    return sum(cores.get(camera, 0.0) for camera in cameras)
