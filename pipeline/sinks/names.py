"""Where each kind of event goes: one table for every sink, subscriber and tool."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.messages import Kind

KINDS: tuple[Kind, ...] = ("result", "alert", "scene", "state", "status", "dead_letter")

BODY_FIELD = "data"
"""Field of a Redis stream entry and member of a JSON line that holds the body."""

ATTRIBUTE_PREFIX = "ce_"
"""Of CloudEvents attributes in Kafka headers and Redis fields.
Source: CloudEvents 1.0.2, Kafka protocol binding, section 3.2.3."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """Where one event is written."""

    topic: str
    """Kafka."""
    is_compacted: bool
    """Whether the topic keeps the newest message of a key; an empty body is then a tombstone."""
    streams: tuple[str, ...]
    """Redis streams, each gets the event."""
    hash: str | None
    """Redis hash that holds what is true now."""
    hash_per_key: bool
    """True: one field per key, deleted by an empty body. False: the hash is one event, a field per attribute."""
    file: str
    """JSON lines, without the ending."""


def destinations(prefix: str, kind: Kind, camera: str) -> Destinations:
    """The table of names for `kind` of `camera`."""
    match kind:
        case "result":
            return Destinations(f"{prefix}.results.v1", False, (f"{prefix}:results:{camera}",), None, False, "results")
        case "alert" | "scene":
            streams = (f"{prefix}:alerts:{camera}", f"{prefix}:alerts")
            return Destinations(f"{prefix}.alerts.v1", False, streams, None, False, "alerts")
        case "state":
            return Destinations(f"{prefix}.alerts.state.v1", True, (), f"{prefix}:alerts:active", True, "alerts_state")
        case "status":
            streams = (f"{prefix}:status",)
            return Destinations(f"{prefix}.status.v1", True, streams, f"{prefix}:status:{camera}", False, "status")
        case "dead_letter":
            return Destinations(f"{prefix}.dlq.v1", False, (f"{prefix}:dlq",), None, False, "dead_letters")
