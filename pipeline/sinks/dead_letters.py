"""What is left of a message that a broker will never take."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from pipeline.messages import Message

_ARRAY_KEYS = frozenset({"dtype", "shape", "data"})


def dead_letter(message: Message, reason: str, limit_bytes: int) -> Message:
    """Says what `message` was, why it went no further, and its body without arrays.

    The body is left out whole where it is no JSON or still larger than half of `limit_bytes`.
    """
    attributes = {
        **message.attributes,
        "id": f"{message.id}/dead_letter",
        "type": "dinostream.dead_letter.v1",
        "datacontenttype": "application/json",
    }
    letter: dict[str, Any] = {
        "of": message.attributes,
        "camera": message.camera,
        "key": message.key,
        "reason": reason,
        "bytes": len(message.body),
        "limit_bytes": limit_bytes,
        "body": _without_arrays(message.body),
    }
    body = msgspec.json.encode(letter)
    if len(body) > limit_bytes // 2:
        body = msgspec.json.encode({**letter, "body": None})
    return Message(
        id=attributes["id"],
        kind="dead_letter",
        type=attributes["type"],
        camera=message.camera,
        key=message.camera,
        attributes=attributes,
        body=body,
    )


def _without_arrays(body: bytes) -> Any:
    try:
        return _strip(msgspec.json.decode(body))
    except msgspec.DecodeError:
        return None


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        kept = {"dtype", "shape"} if members.keys() >= _ARRAY_KEYS else members.keys()
        return {name: _strip(member) for name, member in members.items() if name in kept}
    if isinstance(value, list):
        return [_strip(member) for member in cast("list[Any]", value)]
    return value
