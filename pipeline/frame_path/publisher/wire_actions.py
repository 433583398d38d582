"""The bodies of what people do about alerts, as they stand on the wire. Part of `wire_schema`."""

from __future__ import annotations

from typing import Literal

import msgspec

Action = Literal["mute", "unmute", "ack", "arm", "disarm"]


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """Who has taken notice of an alert."""

    by: str
    at_ns: int
    """Wall clock."""
    reason: str = ""


class ActionBody(msgspec.Struct, frozen=True, kw_only=True):
    """A person did something about a camera, or what they had set ran out.

    Types `alert.mute`, `alert.unmute`, `alert.ack`, `alert.arm`, `alert.disarm`.
    """

    id: str
    camera: str
    labels: dict[str, str]
    action: Action
    rule: str | None
    """None: every rule of the camera."""
    alert: str | None = None
    """Of an ack: id of the alert's start."""
    text: str
    """One sentence for people."""
    by: str
    """Who did it; of what ran out: who had set it."""
    cause: Literal["person", "expiry"]
    reason: str = ""
    """As the person said it."""
    until_ns: int | None = None
    """When it ends by itself: wall clock, and rule time where it ends with the rule's next armed hours. None: it does
    not, or it has no end (ack, unmute).
    """
    published_ns: int
    """When it was done."""
