"""Events that are neither results nor alerts: status, a newly learnt view, dead letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from operators.camera import CameraSpec
from pipeline.frame_path.publisher.draft import Letterhead
from pipeline.frame_path.publisher.view_condition import Condition, SceneWord
from pipeline.frame_path.publisher.wire import encode_event, event_type
from pipeline.frame_path.publisher.wire_schema import DeadLetterBody, SceneBody, StatusBody
from pipeline.messages import Gone, Message, Status

SceneChange = Literal["view_learnt", "absorbed", "condition"]


@dataclass(frozen=True, slots=True)
class SeenView:
    """Which version of the view a frame met, or brought."""

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
        text = f"{self.spec.camera}: learnt its empty view anew, {lights} {'light' if lights == 1 else 'lights'}"
        seen = SeenView(view, lights, valid_from)
        return self._scene(view, seen, change="view_learnt", text=text, published_ns=published_ns)

    def absorbed(self, view: str, valid_from: tuple[int, int], lights: int, published_ns: int) -> Message:
        """A parked thing became part of the view; `view_learnt` says the same of the version."""
        text = (
            f"{self.spec.camera}: what stood there for {self.spec.scene.absorb_after:.0f} s is part of the empty "
            "view now, and no subject any more"
        )
        seen = SeenView(view, lights, valid_from)
        return self._scene(f"{view}/absorbed", seen, change="absorbed", text=text, published_ns=published_ns)

    def condition(self, found: Condition, seen: SeenView, published_ns: int) -> Message:
        """The view is well, learning, or no longer shown."""
        name = f"condition/{found.number}"
        return self._scene(name, seen, change="condition", text=found.text, published_ns=published_ns, scene=found.word)

    def _scene(
        self, name: str, seen: SeenView, *, change: SceneChange, text: str, published_ns: int, scene: SceneWord = ""
    ) -> Message:
        body = SceneBody(
            id=f"{self.spec.camera}/scene/{name}",
            camera=self.spec.camera,
            labels=self.spec.labels,
            change=change,
            view=seen.view or "",
            lights=seen.lights,
            valid_from=seen.position,
            scene=scene,
            text=text,
            published_ns=published_ns,
        )
        return encode_event(
            body,
            event_id=body.id,
            kind="scene",
            event="scene",
            camera=self.spec.camera,
            site=self.letterhead.site,
            time_ns=published_ns,
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
