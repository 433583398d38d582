"""Brings what a source yields into the flow of its camera."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from operators.frames import Ticket, Times
from pipeline.clock import Clock
from pipeline.errors import SourceError
from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.camera_state import Details
from pipeline.frame_path.owner.handles import OwnedCamera
from pipeline.frame_path.owner.intake import Converted, Intake
from pipeline.frame_path.owner.mailbox import Frame
from pipeline.frame_path.owner.reader_watch import ReaderWatch
from pipeline.messages import CameraState
from pipeline.sources.base import Decoded, SourceInfo, Undecodable

ROOM_PATIENCE_SECONDS = 0.5
"""A reader that waits longer than this for its sinks says so."""


class Admission:
    """Used by one reader's thread; `close` and `change` may be called by another, which holds the guard.

    Pictures are looked at and converted outside the owner's lock, counted inside it, each in one step: a frame that is
    converted when the process dies was never received.
    """

    def __init__(
        self,
        flows: Mapping[str, CameraFlow],
        guard: threading.Condition,
        clock: Clock,
        *,
        watch: ReaderWatch,
        stop: threading.Event,
        on_news: Callable[[], None],
    ) -> None:
        self._flows = flows
        self._guard = guard
        self._clock = clock
        self._watch = watch
        self._stop = stop
        self._on_news = on_news
        self._is_closed = False
        self._intakes = {camera: Intake(flow.owned) for camera, flow in flows.items()}

    def close(self) -> None:
        """From here on nothing is taken in."""
        self._is_closed = True

    def change(self, owned: OwnedCamera) -> None:
        """From the next frame on; any thread."""
        self._intakes[owned.camera] = self._intakes[owned.camera].changed(owned)

    def decoded(self, event: Decoded, info: SourceInfo | None) -> None:
        """One frame. Blocks while a replayable camera has no room."""
        flow = self._flows[event.camera]
        with self._guard:
            if self._is_over(flow):
                return
            ticket, times = flow.stamp(event)
            self._watch.frame(event.camera)
            if flow.is_repeated(ticket):
                flow.pass_over()
                return
            reference = flow.reference
        try:
            self._take_in(flow, event, (ticket, times, reference), info)
        except SourceError as error:
            self.undecodable(Undecodable(event.camera, error.code, event.epoch, event.seq, event.resume))
        if flow.book.num_waiting:
            self._on_news()

    def undecodable(self, event: Undecodable) -> None:
        """Something that is no picture."""
        flow = self._flows[event.camera]
        with self._guard:
            if not self._is_over(flow):
                flow.undecodable(event)
        self._on_news()

    def say(
        self, camera: str, state: CameraState, code: str = "", reason: str = "", details: Details | None = None
    ) -> None:
        """A camera's state."""
        flow = self._flows[camera]
        with self._guard:
            if not self._is_over(flow):
                flow.change(state, code, reason, details)
        self._on_news()

    def _take_in(
        self,
        flow: CameraFlow,
        event: Decoded,
        stamped: tuple[Ticket, Times, Ticket | None],
        info: SourceInfo | None,
    ) -> None:
        ticket, times, reference = stamped
        intake = self._intakes[event.camera]
        look = intake.look(event.picture, times, may_reuse=reference is not None)
        has_room = not look.is_due or self._await_room(flow)
        with self._guard:
            if self._is_over(flow) or not has_room:
                flow.pass_over()
                return
            self._alive(flow, info, is_frozen=look.is_frozen if look.is_due else flow.status.state == "frozen")
            if not look.is_due:
                flow.sampled_out(ticket, event.resume)
                return
            if look.converted is None and reference is not None and flow.reference == reference:
                flow.unchanged(ticket, times, reference, event.resume)
                return
        converted = look.converted or intake.convert(event.picture)  # the reference died meanwhile
        if flow.tapes is not None and converted.full_size is not None:
            flow.tapes.add(times, converted.full_size)
        with self._guard:
            if self._is_over(flow):
                flow.pass_over()
                return
            flow.admit(self._frame(ticket, times, converted), event.resume)
            self._guard.notify()  # one credit is enough; whoever cannot take it leaves it to the pulse

    def _frame(self, ticket: Ticket, times: Times, converted: Converted) -> Frame:
        now = self._clock.monotonic()
        return Frame(ticket, times, converted.placement, converted.pixels, converted.full_size, now)

    def _await_room(self, flow: CameraFlow) -> bool:
        """Blocks until the frame may be admitted; False: it never will be."""
        is_late = False
        while True:
            with self._guard:
                if self._is_over(flow) or self._stop.is_set():
                    return False
                if flow.has_room:
                    return True
                flow.room.clear()
                if is_late and flow.is_blocked_by_sink:
                    flow.change(
                        "blocked_by_sink", code="blocked_by_sink", reason="a required sink has not acknowledged"
                    )
            self._on_news()
            with self._watch.waiting():
                is_late = not self._clock.wait(flow.room, ROOM_PATIENCE_SECONDS)

    def _is_over(self, flow: CameraFlow) -> bool:
        return self._is_closed or flow.is_over

    def _alive(self, flow: CameraFlow, info: SourceInfo | None, *, is_frozen: bool) -> None:
        if is_frozen:
            seconds = flow.owned.frozen_after_seconds
            flow.change("frozen", code="frozen", reason=f"the same picture again and again for {seconds:g} s")
        elif flow.status.state != "live":
            flow.change("live", details=_details(info))


def _details(info: SourceInfo | None) -> Details:
    if info is None:
        return {}
    details: dict[str, str | int | float] = {"codec": info.codec, **info.details}
    if info.size is not None:
        details |= {"height": info.size[0], "width": info.size[1]}
    if info.declared_fps is not None:
        details["declared_fps"] = info.declared_fps
    return details
