"""What the demo hears from Redis while it runs: newest result per camera for the table, alerts as sentences."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipeline.cli.demo.sheet import frame_text, subject_text
from pipeline.cli.table import Seen

Body = dict[str, Any]


@dataclass(slots=True)
class Heard:
    """Everything that was heard, by camera. Written by the subscriber's thread under `lock`."""

    say: Callable[[str], None] = print
    lock: threading.Lock = field(default_factory=threading.Lock)
    results: dict[str, list[Body]] = field(default_factory=dict[str, list[Body]])
    """Light copies, without embedding and depth, in order of arrival."""
    newest: dict[str, Body] = field(default_factory=dict[str, Body])
    """Whole, of analysed frames."""
    starts: dict[str, Body] = field(default_factory=dict[str, Body])
    """Alert starts by id."""
    ends: dict[str, Body] = field(default_factory=dict[str, Body])
    pictures: dict[str, str] = field(default_factory=dict[str, str])
    """Alert id -> path under the evidence store."""
    first: threading.Event = field(default_factory=threading.Event)
    """The first analysed frame is there."""

    def on_event(self, kind: str, body: Body) -> None:
        """One new event."""
        with self.lock:
            match kind:
                case "dinostream.result.v1":
                    self._on_result(body)
                case "dinostream.alert.start.v1":
                    self.starts[body["id"]] = body
                    self.say(f"ALERT {body['text']}, picture {body['evidence']}")
                case "dinostream.alert.end.v1":
                    self.ends[body["id"]] = body
                    self.say(f"      {body['text']}")
                case "dinostream.alert.evidence.v1":
                    if body["picture"] is not None:
                        self.pictures[body["alert"]] = body["picture"]["path"]
                case _:
                    pass

    def _on_result(self, body: Body) -> None:
        if body["tick"]:
            return
        light = {name: value for name, value in body.items() if name not in {"embedding", "depth"}}
        self.results.setdefault(body["camera"], []).append(light)
        if body["reused_of"] is None:
            self.newest[body["camera"]] = body
            self.first.set()

    def look(self, camera: str) -> Seen:
        """For the table."""
        with self.lock:
            body = self.newest.get(camera)
        if body is None:
            return Seen()
        near = min(body["subjects"], key=_nearest, default=None)
        return Seen(frame_text(body) or "-", subject_text(near) if near else "nobody")


def _nearest(subject: Body) -> float:
    metres = [each["metres"] for each in subject["distances"] if each["metres"] is not None]
    return min(metres, default=float("inf"))
