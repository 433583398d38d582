"""The states of several publishers dealt out anew: a camera goes, with all that is stored of it, to one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from heapq import merge
from pathlib import Path
from typing import Any

import msgspec

from pipeline.errors import PublishError
from pipeline.frame_path.publisher.state_db import StateDatabase

BY_CAMERA = ("cameras", "learners", "tallies", "wanted")
"""Tables in which each row is one camera's and means the same in every state."""


class _Stamped(msgspec.Struct):
    attributes: dict[str, str]


_DECODER = msgspec.msgpack.Decoder(_Stamped)
_Waiting = tuple[str, tuple[Any, ...]]
"""When it was published, and the row."""


def deal(sources: Sequence[Path], targets: Sequence[Path], place: Callable[[str], int]) -> None:
    """Writes every target anew, from all sources; what lies in these stays as it is.

    Messages that wait keep their order within each source; those of different sources come in the order in which they
    were published.

    Args:
        sources: Databases that no publisher holds.
        targets: Databases that are not there yet.
        place: Of a camera, the index of its target.

    Raises:
        PublishError: a source is held (code `state_locked`), of another version (`state_version`), or has a camera
            that another one has too (`state_twice`); or a target cannot be written (`state_unwritable`).
    """
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(StateDatabase(path))) for path in sources]
        for source in opened:
            source.define("place", place)
        _check_each_once(sources, opened)
        for number, path in enumerate(targets):
            with closing(StateDatabase(path)) as target, target.transaction():
                _fill(target, opened, number)


def _check_each_once(paths: Sequence[Path], opened: Sequence[StateDatabase]) -> None:
    found: dict[str, Path] = {}
    for path, source in zip(paths, opened, strict=True):
        for (camera,) in source.rows("SELECT camera FROM cameras"):
            if camera in found:
                msg = (
                    f"the state of camera {camera} lies twice: expected it in one of {found[camera]} and {path}. "
                    "Set aside the folder of the one that is not up to date"
                )
                raise PublishError(msg, code="state_twice")
            found[camera] = path


def _fill(target: StateDatabase, opened: Sequence[StateDatabase], number: int) -> None:
    """Within a transaction: what is of the cameras of target `number`."""
    for table in BY_CAMERA:
        for source in opened:
            for row in source.stream(f"SELECT * FROM {table} WHERE place(camera) = ?", (number,)):  # noqa: S608 - ours
                marks = ", ".join("?" * len(row))
                target.insert(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - marks alone
    bits = _register(target, opened)
    for _, row in merge(*(_waiting(source, number, bits) for source in opened), key=lambda each: each[0]):
        target.insert("INSERT INTO outbox (kind, camera, key, waiting, size, message) VALUES (?, ?, ?, ?, ?, ?)", row)
    if number == 0:  # of a publisher, not of a camera: what counts is the sum
        for name, value in _counters(opened).items():
            target.insert("INSERT INTO counters VALUES (?, ?)", (name, value))


def _register(target: StateDatabase, opened: Sequence[StateDatabase]) -> Mapping[str, int]:
    """One bit for each sink that any source knows."""
    names = sorted({name for source in opened for (name,) in source.rows("SELECT name FROM sinks")})
    for bit, name in enumerate(names):
        target.insert("INSERT INTO sinks VALUES (?, ?)", (name, bit))
    return {name: 1 << bit for bit, name in enumerate(names)}


def _waiting(source: StateDatabase, number: int, bits: Mapping[str, int]) -> Iterator[_Waiting]:
    """In order; each waits for the same sinks as before, by name."""
    known = [(1 << bit, bits[name]) for name, bit in source.rows("SELECT name, bit FROM sinks")]
    sql = "SELECT kind, camera, key, waiting, size, message FROM outbox WHERE place(camera) = ? ORDER BY row"
    for kind, camera, key, waiting, size, message in source.stream(sql, (number,)):
        renamed = sum(new for old, new in known if waiting & old)
        published = _DECODER.decode(message).attributes["time"]
        yield published, (kind, camera, key, renamed, size, message)


def _counters(opened: Sequence[StateDatabase]) -> Counter[str]:
    found = Counter[str]()
    for source in opened:
        found.update(dict(source.rows("SELECT name, value FROM counters")))
    return found
