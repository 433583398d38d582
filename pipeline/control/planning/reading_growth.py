"""How many decoders a load needs: one more while reading takes most of a node's cores, one less after a quiet time.

Pure. What reading takes is the processor time of its threads, with the time in which they were ready to run and others
had the cores, as each owner tells it of each camera: frames are late by it, whoever it was.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.control.planning.plan import DecoderPlan, Offer, Plan

BUSY_SHARE = 0.7
"""Of the cores that a node gives; beyond this frames come late as soon as a model or a second camera wants them."""
BUSY_SECONDS = 10.0
"""For which it must last."""
SETTLING_SECONDS = 15.0
"""After another decoder is up: until what its cameras take is measured anew."""
QUIET_SHARE = 0.4
"""What reading would take of the cores of all with one decoder less."""
QUIET_SECONDS = 60.0


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

    def look(self, now: float, plan: Plan, offer: Offer, cores: Mapping[str, float], num_up: int) -> bool:
        """Whether `target` has changed.

        Args:
            now: Monotonic seconds.
            plan: What runs.
            offer: Nodes with their cores.
            cores: That reading takes and waits for, by camera.
            num_up: How many of the floating decoders run.
        """
        shares = {each.name: found for each in plan.decoders if (found := _share(each, plan, offer, cores)) is not None}
        self.share = max(shares.values(), default=0.0)
        if num_up < self.target:
            self._busy_since = self._quiet_since = None  # one is on its way: nobody knows yet whether it is enough
            self._looks_at = now + SETTLING_SECONDS
            return False
        if now < self._looks_at:
            return False
        can_split = any(shares.get(each.name) == self.share and len(each.feeds) > 1 for each in plan.decoders)
        self._busy_since = (self._busy_since or now) if self.share > BUSY_SHARE else None
        self._quiet_since = (self._quiet_since or now) if self._is_quiet(plan, offer, cores) else None
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

    def _is_quiet(self, plan: Plan, offer: Offer, cores: Mapping[str, float]) -> bool:
        total = sum(cores.get(camera, 0.0) for each in plan.decoders for camera in each.cameras)
        nodes = {each.node for each in plan.decoders if not each.is_floating}
        given = sum(node.cpus for node in offer.nodes if node.id in nodes)
        claimed = sum(each.cores for each in plan.decoders if each.is_floating)
        last = max((each.cores for each in plan.decoders if each.is_floating), default=0)
        return bool(last) and total < QUIET_SHARE * (given + claimed - last)


def _share(decoder: DecoderPlan, plan: Plan, offer: Offer, cores: Mapping[str, float]) -> float | None:
    """Of the cores that it claims, or that its node has for all decoders there; None: its node is not there."""
    if decoder.is_floating:
        return sum(cores.get(camera, 0.0) for camera in decoder.cameras) / decoder.cores
    node = next((node for node in offer.nodes if node.id == decoder.node), None)
    if node is None:
        return None
    there = [camera for each in plan.decoders if each.node == decoder.node for camera in each.cameras]
    return sum(cores.get(camera, 0.0) for camera in there) / node.cpus
