"""What a person asks about one camera, and the answer; travels as JSON and between processes."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pipeline.frame_path.publisher.wire_actions import Action

MAX_SECONDS = 366 * 86400.0
"""Beyond it a mute is no longer a passing matter: leave the duration out."""


class ActionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person wants; the camera is known."""

    action: Action
    by: Annotated[str, msgspec.Meta(max_length=100)]
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""
    rule: str | None = None
    """None: every rule of the camera."""
    alert: str | None = None
    """Of an ack: id of the alert's start, `camera/rule/episode/start`; without the last part it is understood too."""
    for_seconds: float | None = None
    """Of mute, arm, disarm."""


class Acted(msgspec.Struct, frozen=True, kw_only=True):
    """What was done."""

    camera: str
    events: list[str]
    """Ids."""
    texts: list[str]
    """A sentence each."""
    until_ns: int | None = None
