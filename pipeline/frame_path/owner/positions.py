"""How far a replayable source is settled, in the source's own words."""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

Position = tuple[int, int]
_MAX_EPOCHS = 256
"""Loops or partitions that are remembered."""


class ResumeLine:
    """The positions of one camera's decoded frames, oldest first. Not thread-safe: the caller holds the lock.

    Each epoch has its own line: loops of a file follow each other, partitions of a topic go on side by side.
    `newest_read` is shared by the cameras of one feed: the newest position by epoch, whichever camera it was of. A
    camera that has nothing open is settled up to there, so that one that falls silent holds nothing back.
    """

    def __init__(self, newest_read: dict[int, tuple[int, str]] | None = None) -> None:
        self._lines: dict[int, deque[tuple[int, str]]] = {}
        self._newest_read: dict[int, tuple[int, str]] = {} if newest_read is None else newest_read
        self._newest_epoch = 0
        self._told: dict[int, str] = {}
        self._begin = ""

    def add(self, position: Position, resume: str | None) -> None:
        """A frame was read, whatever became of it."""
        if resume is None:
            return
        epoch, seq = position
        self._lines.setdefault(epoch, deque()).append((seq, resume))
        self._newest_read[epoch] = (seq, resume)
        self._newest_epoch = epoch
        if len(self._newest_read) > _MAX_EPOCHS:
            del self._newest_read[next(iter(self._newest_read))]

    @property
    def newest(self) -> str | None:
        """Where reading is."""
        return self._lines[self._newest_epoch][-1][1] if self._lines else None

    def settled(self, first_open: Mapping[int, int]) -> list[str]:
        """What has moved since the last call: the position of the first frame of an epoch that is not settled, of the
        last one read where all are. The last of them is where to begin in a source that is read in one line.

        Args:
            first_open: by epoch, the oldest frame that is not settled; first the epoch of the oldest of all.
        """
        moved = [epoch for epoch in self._lines if self._has_moved(epoch, first_open.get(epoch))]
        head = next((epoch for epoch in first_open if epoch in self._lines), self._newest_epoch)
        if not self._lines or (not moved and self._told[head] == self._begin):
            return []
        self._begin = self._told[head]
        told = [self._told[epoch] for epoch in (*(each for each in moved if each != head), head)]
        self._forget(first_open)
        return told

    def _has_moved(self, epoch: int, first_open: int | None) -> bool:
        line = self._lines[epoch]
        while len(line) > 1 and (first_open is None or line[0][0] < first_open):
            line.popleft()
        seq, resume = line[0]
        newest_seq, newest = self._newest_read.get(epoch, line[0])
        if first_open is None and newest_seq > seq:
            resume = newest
        has_moved = self._told.get(epoch) != resume
        self._told[epoch] = resume
        return has_moved

    def _forget(self, first_open: Mapping[int, int]) -> None:
        """Loops of a file that are long over."""
        for epoch in [each for each in self._lines if each not in {*first_open, self._newest_epoch}][:-_MAX_EPOCHS]:
            del self._lines[epoch], self._told[epoch]


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


class SettledPositions:
    """How far the sources of all feeds are settled, by feed and camera, and the files that keep it.

    Not thread-safe but for `save`, which writes outside the caller's lock.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, PositionFile] = {}
        self._of: dict[str, dict[str, str]] = {}
        self._unsaved: set[str] = set()
        self._writing = threading.Lock()

    def add(self, feed: str, begin: Mapping[str, str] | None = None) -> None:
        """Goes on from `begin`; None: from what was saved here last.

        Raises:
            ValueError: the file is damaged.
        """
        file = PositionFile(self._folder / f"{feed}.json")
        self._of[feed], self._files[feed] = file.load() if begin is None else dict(begin), file

    def forget(self, feed: str) -> None:
        """Its file stays; save it first."""
        self._unsaved.discard(feed)
        del self._of[feed], self._files[feed]

    def of(self, feed: str) -> dict[str, str]:
        """By camera; empty at first."""
        return self._of[feed]

    def note(self, feed: str, camera: str, resume: str) -> None:
        """The camera goes on from here."""
        self._of[feed] = self._of[feed] | {camera: resume}
        self._unsaved.add(feed)

    def save(self, guard: AbstractContextManager[object]) -> None:
        """Writes what has moved, one caller at a time; `guard` is held while it is looked up alone."""
        with self._writing:
            with guard:
                unsaved = [(self._files[feed], self._of[feed]) for feed in self._unsaved]
                self._unsaved.clear()
            for file, positions in unsaved:
                file.save(positions)
