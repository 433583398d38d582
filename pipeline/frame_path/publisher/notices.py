"""Events that are neither results nor alerts: status, a newly learnt view, dead letters."""

from __future__ import annotations

from dataclasses import dataclass

from operators.camera import CameraSpec
from pipeline.frame_path.publisher.draft import Letterhead
from pipeline.frame_path.publisher.view_condition import Condition
from pipeline.frame_path.publisher.wire import encode_event, event_type
from pipeline.frame_path.publisher.wire_schema import DeadLetterBody, SceneBody, StatusBody
from pipeline.messages import Gone, Message, Status


@dataclass(frozen=True, slots=True)
class SeenView:
    """What a frame met."""

    view: str | None
    lights: int
    position: tuple[int, int]


@dataclass(frozen=True, slots=True)
class NoticeWriter:
    """Builds the notices of one camera."""

    spec: CameraSpec
    letterhead: Letterhead

    def status(self, entry: Status, number: int, published_ns: int) -> Message:
        """`number` counts the camera's states, for ever."""
        body = StatusBody(
            id=f"{self.spec.camera}/status/{number}",
            camera=self.spec.camera,
            labels=self.spec.labels,
            lease=entry.lease,
            state=entry.state,
            since_ns=entry.since_ns,
            code=entry.code,
            reason=entry.reason,
            details=entry.details,
            published_ns=published_ns,
        )
        return encode_event(
            body,
            event_id=body.id,
            kind="status",
            event="status",
            camera=self.spec.camera,
            site=self.letterhead.site,
            time_ns=published_ns,
        )

    def view_learnt(self, view: str, valid_from: tuple[int, int], lights: int, published_ns: int) -> Message:
        body = SceneBody(
            id=f"{self.spec.camera}/scene/{view}",
            camera=self.spec.camera,
            labels=self.spec.labels,
            change="view_learnt",
            view=view,
            lights=lights,
            valid_from=valid_from,
            text=f"{self.spec.camera}: learnt its empty view anew, {lights} {'light' if lights == 1 else 'lights'}",
            published_ns=published_ns,
        )
        return self._scene(body)

    def absorbed(self, view: str, valid_from: tuple[int, int], lights: int, published_ns: int) -> Message:
        """A parked thing became part of the view; `view_learnt` says the same of the version."""
        body = SceneBody(
            id=f"{self.spec.camera}/scene/{view}/absorbed",
            camera=self.spec.camera,
            labels=self.spec.labels,
            change="absorbed",
            view=view,
            lights=lights,
            valid_from=valid_from,
            text=(
                f"{self.spec.camera}: what stood there for {self.spec.scene.absorb_after:.0f} s is part of the empty "
                "view now, and no subject any more"
            ),
            published_ns=published_ns,
        )
        return self._scene(body)

    def condition(self, found: Condition, seen: SeenView, published_ns: int) -> Message:
        """The view is well, learning, or no longer shown."""
        body = SceneBody(
            id=f"{self.spec.camera}/scene/condition/{found.number}",
            camera=self.spec.camera,
            labels=self.spec.labels,
            change="condition",
            scene=found.word,
            text=found.text,
            view=seen.view or "",
            lights=seen.lights,
            valid_from=seen.position,
            published_ns=published_ns,
        )
        return self._scene(body)

    def _scene(self, body: SceneBody) -> Message:
        return encode_event(
            body,
            event_id=body.id,
            kind="scene",
            event="scene",
            camera=self.spec.camera,
            site=self.letterhead.site,
            time_ns=body.published_ns,
        )

    def dead_letter(self, entry: Gone, published_ns: int) -> Message:
        """Of a frame that would have had a result."""
        missing = f"{entry.ticket.id}/result"
        body = DeadLetterBody(
            of={"id": missing, "type": event_type("result")},
            camera=self.spec.camera,
            key=self.spec.camera,
            reason=entry.reason,
        )
        return encode_event(
            body,
            event_id=f"{missing}/dead_letter",
            kind="dead_letter",
            event="dead_letter",
            camera=self.spec.camera,
            site=self.letterhead.site,
            time_ns=published_ns,
        )
