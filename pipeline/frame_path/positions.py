"""How far a replayable source is settled, in the source's own words."""

from __future__ import annotations

import json
import os
from collections import deque
from pathlib import Path

Position = tuple[int, int]
_MAX_EPOCHS = 64


class ResumeLine:
    """The positions of one camera's decoded frames, oldest first. Not thread-safe: the caller holds the lock.

    `newest_read` is shared by the cameras of one feed: the newest position by epoch, whichever camera it was of. A
    camera that has nothing open is settled up to there, so that one that falls silent holds nothing back.
    """

    def __init__(self, newest_read: dict[int, tuple[int, str]] | None = None) -> None:
        self._line: deque[tuple[Position, str]] = deque()
        self._newest_read: dict[int, tuple[int, str]] = {} if newest_read is None else newest_read
        self._told: str | None = None

    def add(self, position: Position, resume: str | None) -> None:
        """A frame was read, whatever became of it."""
        if resume is not None:
            self._line.append((position, resume))
            self._newest_read[position[0]] = (position[1], resume)
            if len(self._newest_read) > _MAX_EPOCHS:
                del self._newest_read[next(iter(self._newest_read))]

    @property
    def newest(self) -> str | None:
        """Where reading is."""
        return self._line[-1][1] if self._line else None

    def settled(self, first_open: Position | None) -> str | None:
        """The position of the first frame that is not settled, the last one read where all are; None: as before."""
        while len(self._line) > 1 and (first_open is None or self._line[0][0] < first_open):
            self._line.popleft()
        if not self._line:
            return None
        (epoch, seq), resume = self._line[0]
        newest_seq, newest = self._newest_read.get(epoch, (seq, resume))
        if first_open is None and newest_seq > seq:
            resume = newest
        if resume == self._told:
            return None
        self._told = resume
        return resume


class PositionFile:
    """Positions of one feed's cameras, kept over a restart of the owner. One writer."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, str]:
        """What was saved last; empty at first.

        Raises:
            ValueError: the file is damaged; the message names it.
        """
        if not self._path.is_file():
            return {}
        try:
            return {str(camera): str(resume) for camera, resume in json.loads(self._path.read_text("utf-8")).items()}
        except (json.JSONDecodeError, AttributeError) as error:
            raise ValueError(f"not a file of positions: {error} ({self._path}). Remove it to begin anew.") from None

    def save(self, positions: dict[str, str]) -> None:
        """Replaces the file in one step."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(positions), "utf-8")
        os.replace(draft, self._path)  # noqa: PTH105 - the one call that replaces in one step on every system
