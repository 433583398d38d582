"""One event as a broker carries it: attributes beside the body, or both in one JSON object."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pipeline.messages import Message
from pipeline.sinks.names import ATTRIBUTE_PREFIX, BODY_FIELD


def headers(message: Message) -> list[tuple[str, bytes]]:
    """CloudEvents attributes as `ce_*`. Binary mode."""
    return [(ATTRIBUTE_PREFIX + name, value.encode()) for name, value in message.attributes.items()]


def fields(message: Message) -> dict[str, bytes]:
    """`headers` and the body under `data`."""
    return {**dict(headers(message)), BODY_FIELD: message.body}


def line(message: Message) -> bytes:
    """One JSON object without a line break: the attributes and, under `data`, the body (null for a tombstone).

    Source: CloudEvents 1.0.2, JSON event format, section 3.1.
    """
    return _line(message.attributes, message.body)


def line_of(carried: Mapping[bytes, bytes]) -> bytes:
    """The same from what `fields` or `headers` gave, read back from a broker."""
    prefix = ATTRIBUTE_PREFIX.encode()
    attributes = {
        name[len(prefix) :].decode(): value.decode() for name, value in carried.items() if name.startswith(prefix)
    }
    return _line(attributes, carried.get(BODY_FIELD.encode(), b""))


def _line(attributes: Mapping[str, str], body: bytes) -> bytes:
    if b"\n" in body or b"\r" in body:
        body = msgspec.json.encode(msgspec.json.decode(body))
    return msgspec.json.encode({**attributes, BODY_FIELD: msgspec.Raw(body) if body else None})
