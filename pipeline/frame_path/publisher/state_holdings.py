"""What a publisher's state holds of each camera, for people and for whoever moves it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from pipeline.errors import PublishError
from pipeline.frame_path.publisher.state_db import StateDatabase
from pipeline.frame_path.publisher.stored_camera import StoredCamera


@dataclass(frozen=True, slots=True)
class Holding:
    """Of one camera."""

    camera: str
    lease: int = 0
    """0: nothing but messages is left of it."""
    active: tuple[str, ...] = ()
    """`RULE/EPISODE` of episodes that have started and not ended."""
    mutes: tuple[str, ...] = ()
    """Rules; empty name: the whole camera."""
    view: str | None = None
    num_waiting: int = 0
    """Messages in the outbox."""
    waiting_bytes: int = 0
    """Of those that the outbox's bound counts: all but results."""
    num_pictures: int = 0
    """Pictures and clips that are wanted and not announced yet."""
    learner_bytes: int = 0
    """Of the unfinished part of the empty view."""
    num_tallies: int = 0
    """Sinks that count its results."""


def holdings(path: Path) -> Mapping[str, Holding]:
    """By camera, in the order of names.

    Raises:
        PublishError: the database is held by another process, of another version, or cannot be read.
    """
    with closing(StateDatabase(path)) as database:
        found = {
            camera: _holding(camera, state, path)
            for camera, state in database.stream("SELECT camera, state FROM cameras")
        }

        def of(camera: str) -> Holding:
            return found.get(camera, Holding(camera))

        sizes = "count(*), sum(CASE kind WHEN 'result' THEN 0 ELSE size END)"
        for camera, num, size in database.rows(f"SELECT camera, {sizes} FROM outbox GROUP BY camera"):  # noqa: S608
            found[camera] = replace(of(camera), num_waiting=num, waiting_bytes=size)
        for camera, num in database.rows("SELECT camera, count(*) FROM wanted GROUP BY camera"):
            found[camera] = replace(of(camera), num_pictures=num)
        for camera, size in database.rows("SELECT camera, length(state) FROM learners"):
            found[camera] = replace(of(camera), learner_bytes=size)
        for camera, num in database.rows("SELECT camera, count(*) FROM tallies GROUP BY camera"):
            found[camera] = replace(of(camera), num_tallies=num)
    return dict(sorted(found.items()))


def _holding(camera: str, state: bytes, path: Path) -> Holding:
    try:
        stored = StoredCamera.decode(state)
    except msgspec.MsgspecError as error:
        msg = f"the stored state of camera {camera} cannot be read: {error} ({path}). Use the version that wrote it"
        raise PublishError(msg, code="state_version") from None
    opened = [each.opened for each in stored.rules.values() if each.opened is not None]
    return Holding(
        camera,
        lease=stored.lease,
        active=tuple(f"{each.rule}/{each.episode}" for each in opened),
        mutes=tuple(sorted(stored.actions.mutes)),
        view=stored.views[-1].name if stored.views else None,
    )
