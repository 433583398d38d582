"""Pieces of evidence that came from owners and wait for the store, which may be slow: no call of an owner does."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass

from pipeline.frame_path.publisher.draft import Wanted
from pipeline.frame_path.publisher.evidence import EvidenceStore, preview_path
from pipeline.frame_path.publisher.wire_schema import WirePicture
from pipeline.messages import ClipPart

WAITING_BYTES = 64 * 2**20
"""What may wait in memory; what comes beyond is let go, and its alert says so."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Arrived:
    """A whole picture or clip."""

    wanted: Wanted
    data: bytes
    """Empty: the owner has none."""
    part: ClipPart | None = None
    """Of a clip: its first piece, which says what it shows."""
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of it."""

    arrived: Arrived
    file: WirePicture | None
    preview: WirePicture | None


class EvidenceQueue:
    """`add`, `forget` and `done` belong to the caller's lock; `write` may be called beside them."""

    def __init__(self, store: EvidenceStore) -> None:
        self._store = store
        self._waiting: deque[Arrived] = deque()
        self._names: set[str] = set()
        self._done: dict[str, Stored] = {}
        self._writing = threading.Lock()

    def __contains__(self, event_id: str) -> bool:
        """It came; nobody needs to send it again."""
        return event_id in self._names

    @property
    def done(self) -> dict[str, Stored]:
        """By event id, what is written and not announced yet."""
        return dict(self._done)

    def add(self, arrived: Arrived) -> bool:
        """False: too much waits already."""
        if sum(len(each.data) for each in self._waiting) + len(arrived.data) > WAITING_BYTES:
            return False
        self._names.add(arrived.wanted.event_id)
        self._waiting.append(arrived)
        return True

    def forget(self, event_id: str) -> None:
        """It is announced."""
        self._names.discard(event_id)
        self._done.pop(event_id, None)

    def write(self) -> None:
        """Everything that waits."""
        with self._writing:
            while self._waiting:
                arrived = self._waiting[0]
                wanted = arrived.wanted
                file = self._put(wanted.path, arrived.data) if arrived.data else None
                # nothing is drawn on the preview: a bank may learn from it
                preview = self._put(preview_path(wanted.path), wanted.preview) if wanted.preview else None
                self._done[wanted.event_id] = Stored(arrived, file, preview)
                self._waiting.popleft()

    def _put(self, path: str, data: bytes) -> WirePicture | None:
        try:
            return self._store.put(path, data)
        except OSError as error:
            _LOG.error("evidence %s cannot be stored: %s", path, error.strerror)
            return None
