"""Which events this program can read: those of its own major version, whatever fields these have more or less."""

from __future__ import annotations

import re

MAJOR = 1
_TYPE = re.compile(r"dinostream\.(?P<event>[a-z_]+(\.[a-z_]+)?)\.v(?P<major>\d+)")


def event_of(event_type: str) -> str:
    """`alert.start` of `dinostream.alert.start.v1`, a key of `wire_schema.BODIES`; empty: no event of this program.

    Raises:
        ValueError: it is of another major version, whose fields mean something else.
    """
    found = _TYPE.fullmatch(event_type)
    if found is None:
        return ""
    if int(found["major"]) != MAJOR:
        msg = (
            f"cannot read {event_type}: expected version v{MAJOR}, got v{found['major']}. "
            "Read it with the program that wrote it, or a newer one"
        )
        raise ValueError(msg)
    return found["event"]
