"""The lanes of one owner: one for each publisher that it knows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping

from pipeline.clock import Clock
from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.handles import PublisherOf
from pipeline.frame_path.owner.publish_lane import PublishLane


class PublishLanes:
    """Each camera in the lane of its publisher, for good. Methods may be called from any thread."""

    def __init__(
        self,
        flows: Mapping[str, CameraFlow],
        guard: threading.Condition,
        clock: Clock,
        on_receipt: Callable[[dict[str, list[str]]], None],
    ) -> None:
        """`guard` is the owner's lock; `on_receipt` as for a lane."""
        self._flows = flows
        self._guard = guard
        self._clock = clock
        self._on_receipt = on_receipt
        self._lanes: dict[str, PublishLane] = {}
        self._assigned: set[str] = set()

    def assign(self, publisher_of: PublisherOf) -> None:
        """New cameras to lanes; new handles to the lanes that have their name."""
        started: list[PublishLane] = []
        with self._guard:
            flows = list(self._flows.items())
        for camera, flow in flows:
            try:
                handle = publisher_of(camera)
            except KeyError:
                continue  # none yet: a later call brings it
            with self._guard:
                lane = self._lanes.get(handle.name)
                if lane is None:
                    lane = PublishLane(handle, self._guard, self._clock, self._on_receipt)
                    self._lanes[handle.name] = lane
                    started.append(lane)
                lane.offer(handle)
                if camera not in self._assigned:
                    self._assigned.add(camera)
                    lane.add(flow)
        for lane in started:
            lane.start()

    def remove(self, cameras: Collection[str]) -> None:
        """Nothing more of their flows is sent. The caller holds the guard."""
        self._assigned.difference_update(cameras)
        for lane in self._all():
            lane.remove(cameras)

    def await_turn(self, deadline: float) -> bool:
        """Whether every call that was under way has ended by then, monotonic, with all that follows from its answer."""
        ended = [lane.await_turn(deadline - self._clock.monotonic()) for lane in self._all()]
        return all(ended)

    def wake(self) -> None:
        """There may be something to publish."""
        for lane in self._all():
            lane.wake.set()

    def stop(self) -> None:
        """Asks every thread to end; returns at once."""
        for lane in self._all():
            lane.stop()

    def join(self, deadline: float) -> bool:
        """Whether all have ended by then, monotonic."""
        ended = [lane.join(deadline - self._clock.monotonic()) for lane in self._all()]
        return all(ended)

    @property
    def crashed(self) -> list[str]:
        """Lanes whose thread has ended by itself."""
        return [lane.name for lane in self._all() if lane.has_crashed]

    def _all(self) -> Iterable[PublishLane]:
        return list(self._lanes.values())
