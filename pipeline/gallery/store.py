"""The gallery's writer: a log that batches are appended to, and sealed segments behind it.

    FOLDER/lock                 one writer
    FOLDER/logs/000000012.log   what is written to; an older one is there only until its segment is
    FOLDER/segments/000000011/  sealed

How far the results topic was read lies in the same batches as the records, so that after a crash nothing is missing
and nothing is there twice. Times are arguments of batches; nothing here looks at a clock.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from pipeline.errors import GalleryError
from pipeline.gallery.blocks import gathered
from pipeline.gallery.config import GalleryConfig
from pipeline.gallery.log import Log, read_log
from pipeline.gallery.records import Batch, Record, hash_of
from pipeline.gallery.segment import Segment, open_segment, remove_segment, write_segment

SEAL_RECORDS = 32_768
"""A log is sealed with so many: reading one takes a tenth of a second, and a million vectors are 31 segments."""
SEAL_BYTES = 96 * 2**20
"""Or when it is so large."""
PARTS = 16
"""Of the bytes and of the time that may be kept, one segment takes at most this fraction: dropping one drops little."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """Now."""

    num_records: int
    num_bytes: int
    num_segments: int
    counts: dict[str, int]
    """Since the store was made."""


class GalleryStore:
    """Not thread-safe. `add` returns when the batch is durable."""

    def __init__(self, config: GalleryConfig) -> None:
        """Takes the folder, cuts a torn end, seals what a crash left unsealed.

        Raises:
            GalleryError: another process writes there, or the folder cannot be read or written.
        """
        self._root = Path(config.store)
        self._max_bytes = config.max_bytes
        self._keep_ns = round(config.keep * 1e9)
        self.position: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.live: list[Record] = []
        """Records that are not sealed yet."""
        self._hashes: set[int] = set()
        self._began_ns = 0
        try:
            for folder in (self._root / "logs", self._root / "segments"):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self._root / "lock")
            self._segments = _segments(self._root / "segments")
            self._log_file = self._recovered()
        except OSError as error:
            raise _unusable(self._root, error) from None

    def _recovered(self) -> Log:
        logs = sorted((self._root / "logs").glob("*.log"))
        for path in logs[:-1]:
            self._seal(path)
        if not logs:
            newest = self._segments[-1].number if self._segments else 0
            return self._created(newest + 1, 0)
        log, batches, torn_bytes = Log.reopen(logs[-1])
        for batch in batches:
            self._note(batch)
        if torn_bytes:
            _log.warning(
                "%s: %d bytes of a batch that was not finished were cut off; what they held is read again",
                log.path,
                torn_bytes,
            )
            self._log_file = log
            self._append(Batch(counts={"torn_bytes": torn_bytes}, written_ns=batches[-1].written_ns if batches else 0))
        return log

    def _created(self, number: int, now_ns: int) -> Log:
        head = Batch(position=self.position, counts=dict(self.counts), written_ns=now_ns)
        return Log.create(self._root / "logs" / f"{number:09d}.log", head)

    def _note(self, batch: Batch) -> None:
        """In memory what is on disk."""
        self.position |= batch.position
        self.counts.update(batch.counts)
        self.live.extend(batch.records)
        self._hashes.update(hash_of(record.frame) for record in batch.records)
        self._hashes.update(sighting.by for sighting in batch.sightings)
        self._hashes.update(batch.seen)
        if batch.records and not self._began_ns:
            self._began_ns = batch.written_ns

    def known(self, hashes: Iterable[int]) -> set[int]:
        """Those of `hashes` whose result was taken in before."""
        asked = np.fromiter(set(hashes), np.uint64)
        found = {int(each) for each in asked if int(each) in self._hashes}
        for segment in self._segments:
            at = np.searchsorted(segment.frames, asked)
            at[at == len(segment.frames)] = 0
            found.update(int(each) for each in asked[segment.frames[at] == asked])
        return found

    def add(self, batch: Batch) -> bool:
        """Appends; durable on return. Then seals what is full and drops what is too old or too much.

        Returns:
            Whether the log was sealed: sightings may not name records of before.

        Raises:
            GalleryError: the disk is full or gone; the batch is then not there.
        """
        try:
            self._append(batch)
            is_full = self._is_full(batch.written_ns)
            if is_full:
                self._turn_over(batch.written_ns)
            self._drop(batch.written_ns)
        except OSError as error:
            raise _unusable(self._root, error) from None
        return is_full

    def _append(self, batch: Batch) -> None:
        self._log_file.append(batch)
        self._note(batch)

    def _is_full(self, now_ns: int) -> bool:
        is_old = self._began_ns > 0 and now_ns - self._began_ns >= self._keep_ns // PARTS
        is_large = self._log_file.num_bytes >= min(SEAL_BYTES, self._max_bytes // PARTS)
        return is_old or is_large or len(self.live) >= SEAL_RECORDS

    def _turn_over(self, now_ns: int) -> None:
        """A new log first, which holds position and counts; then the old one becomes a segment."""
        full = self._log_file
        full.close()
        self.live.clear()
        self._hashes.clear()
        self._began_ns = 0
        self._log_file = self._created(int(full.path.stem) + 1, now_ns)
        self._seal(full.path)

    def _seal(self, path: Path) -> None:
        """Writes the segment of a log that is no longer written to, unless it is there, and removes the log."""
        folder = self._root / "segments" / path.stem
        if not folder.exists():
            batches, _, _ = read_log(path)
            blocks = gathered(batches)
            if blocks:
                write_segment(folder, blocks, batches[-1].written_ns)
                self._segments.append(open_segment(folder))
        path.unlink()

    def _drop(self, now_ns: int) -> None:
        dropped: Counter[str] = Counter()
        while self._segments:
            oldest = self._segments[0]
            is_old = now_ns - oldest.written_ns > self._keep_ns
            if not is_old and self.num_bytes <= self._max_bytes:
                break
            del self._segments[0]
            remove_segment(oldest.folder)
            dropped.update({"dropped_segments": 1, "dropped_records": oldest.num_records})
        if dropped:
            self._append(Batch(counts=dict(dropped), written_ns=now_ns))

    @property
    def num_bytes(self) -> int:
        """Of everything on disk."""
        return self._log_file.num_bytes + sum(segment.num_bytes for segment in self._segments)

    def status(self) -> StoreStatus:
        """Now."""
        num_records = len(self.live) + sum(segment.num_records for segment in self._segments)
        return StoreStatus(num_records, self.num_bytes, len(self._segments), dict(self.counts))

    def close(self) -> None:
        """Gives the folder back; idempotent."""
        self._log_file.close()
        self._lock.close()


def _locked(path: Path) -> IO[str]:
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise GalleryError(
            f"{path.parent} is written to by process {holder}: expected it to be free. Stop that gallery, or give this "
            "one another `gallery.store`",
            code="in_use",
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _segments(folder: Path) -> list[Segment]:
    """Oldest first; what a crash left half made or half removed goes."""
    for half in [*folder.glob("*.part"), *folder.glob("*.gone")]:
        shutil.rmtree(half)
    return [open_segment(path) for path in sorted(folder.iterdir())]


def _unusable(root: Path, error: OSError) -> GalleryError:
    return GalleryError(f"gallery {root} cannot be used: {error}. Check disk and owner", code="store")
