"""Orders for other cameras, carried out one after the other in the supervisor's steps."""

from __future__ import annotations

import queue
from collections.abc import Sequence

from operators.camera import CameraSpec
from pipeline.control.changes.changeover import Changeover, Control, Order
from pipeline.control.crew import Crew, CrewMember
from pipeline.frame_path.publisher.published import PublishedCamera


class CameraChanges:
    """The supervisor's loop owns it; `request` alone may be called by others."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Changeover] = queue.SimpleQueue()
        self._now: Changeover | None = None
        self._has_changed = False

    def request(self, order: Order) -> Changeover:
        """Queues it; its `done` says when it is carried out. Thread-safe."""
        change = Changeover(order)
        self._orders.put(change)
        return change

    @property
    def is_under_way(self) -> bool:
        """The next steps should come soon. Thread-safe."""
        return self._now is not None or not self._orders.empty()

    def step(self, control: Control) -> None:
        """The next part of the order at hand, or the first of the next one."""
        if self._now is None and not self._orders.empty():
            self._now, self._has_changed = self._orders.get(), True
        if self._now is not None:
            self._now.step(control)
            if self._now.done.is_set():
                self._now = None

    def update(self, control: Control, crew: Crew, members: Sequence[CrewMember]) -> None:
        """Analyzers or publishers that are up now: whoever was on the way while cameras changed was started with those
        of before.
        """
        if self._has_changed:
            crew.tell("change", lambda name: (self._known(control, crew, name),), [member.name for member in members])

    def _known(self, control: Control, crew: Crew, name: str) -> Sequence[CameraSpec] | Sequence[PublishedCamera]:
        """Whom this one should know."""
        if crew.kind == "analyze":
            return control.spec.model.cameras if self._now is None else self._now.cameras
        if self._now is not None:
            return self._now.published(name)
        return control.spec.publish_spec(name, control.plan).cameras
