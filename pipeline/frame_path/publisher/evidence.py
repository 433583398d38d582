"""Pictures and clips of alerts in a store, and thumbnails beside them, kept for so long and so many bytes."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from pipeline.frame_path.publisher.evidence_shelves import StoredFile, shelf_of
from pipeline.frame_path.publisher.thumbnail_store import ThumbnailStore, thumbnails_root
from pipeline.frame_path.publisher.wire_schema import WirePicture
from pipeline.sinks.config import EvidenceConfig


def evidence_path(camera: str, rule: str, episode: int, transition: str) -> str:
    """Where the picture of an event lies below the store: follows from the event's id alone."""
    return f"{quote(camera, safe='')}/{quote(rule, safe='')}/{episode:06d}-{transition}.jpg"


def preview_path(path: str) -> str:
    """Where the small picture of the same event lies, on which nothing is drawn."""
    return f"{path.removesuffix('.jpg')}-preview.jpg"


def clip_path(path: str) -> str:
    """Where the clip of the same event lies."""
    return f"{path.removesuffix('.jpg')}.mp4"


def picture_path(path: str) -> str:
    """The other way round: the picture beside a preview or clip."""
    return f"{path.rpartition('.')[0].removesuffix('-preview')}.jpg"


@dataclass(frozen=True, slots=True)
class StillNamed:
    """Files that messages name which are not gone yet."""

    since_ns: int | None = None
    """Wall clock: what was written then or later; None: nothing waits."""
    events: frozenset[str] = frozenset()
    """Paths of pictures whose event is open; all files of the same event stay with them."""

    def holds(self, file: StoredFile) -> bool:
        if self.since_ns is not None and file.written_ns >= self.since_ns:
            return True
        return picture_path(file.path) in self.events


_NOTHING = StillNamed()


class EvidenceStore:
    """JPEGs and MP4s below one address. Several publishers may share it; each deletes those of its own cameras."""

    def __init__(
        self, config: EvidenceConfig, owns: Callable[[str], bool] = lambda _: True, *, state_dir: Path = Path("state")
    ) -> None:
        """Takes the store as it is.

        Args:
            config: Its section.
            owns: Whether a camera's files are this publisher's to delete.
            state_dir: Of the whole run: thumbnails lie there where the store is no folder.

        Raises:
            OSError: nothing here can reach such a store.
        """
        self._shelf = shelf_of(config.store)
        self._owns = owns
        self._keep_ns = round(config.keep * 1e9)
        self._max_bytes = config.max_bytes
        self._is_full = False
        self.thumbnails = ThumbnailStore(thumbnails_root(config.store, state_dir))

    def put(self, path: str, data: bytes) -> WirePicture:
        """Stores a file, durable on return. One that is there already is of a run whose state was lost: it goes.

        Raises:
            OSError: the store cannot be written; ENOSPC too, where all that it may hold is still named by messages.
        """
        if self._is_full:
            raise OSError(errno.ENOSPC, "evidence.max_bytes is used up by files of alerts that are not over", path)
        return WirePicture(self._shelf.put(path, data), hashlib.sha256(data).hexdigest(), len(data))

    def prune(self, now_ns: int, still_named: StillNamed = _NOTHING) -> int:
        """Deletes what is too old, then what is beyond the bound: thumbnails first, since they have only the room that
        evidence leaves, then the oldest evidence, except for what is still named. Returns how many files of alerts
        went.

        Raises:
            OSError: the store cannot be read or written.
        """
        found = sorted(self._shelf.files(), key=lambda file: (file.written_ns, file.path))
        total = sum(file.num_bytes for file in found)
        self.thumbnails.prune(now_ns, self._keep_ns, self._max_bytes - total)
        num_deleted = 0
        for file in found:
            if now_ns - file.written_ns <= self._keep_ns and total <= self._max_bytes:
                break
            if not self._owns(unquote(file.path.partition("/")[0])):
                total -= file.num_bytes  # another publisher's, which sees the same and deletes it
            elif not still_named.holds(file):
                self._shelf.delete(file.path)
                total -= file.num_bytes
                num_deleted += 1
        self._is_full = total > self._max_bytes
        return num_deleted
