"""Pictures of alerts on disk, and thumbnails beside them, kept for so long and so many bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote

from pipeline.frame_path.artefacts import write_whole
from pipeline.frame_path.thumbnail_store import ThumbnailStore
from pipeline.frame_path.wire_schema import WirePicture
from pipeline.sinks.config import EvidenceConfig


def evidence_path(camera: str, rule: str, episode: int, transition: str) -> str:
    """Where the picture of an event lies below the store: follows from the event's id alone."""
    return f"{quote(camera, safe='')}/{quote(rule, safe='')}/{episode:06d}-{transition}.jpg"


def preview_path(path: str) -> str:
    """Where the small picture of the same event lies, on which nothing is drawn."""
    return f"{path.removesuffix('.jpg')}-preview.jpg"


class EvidenceStore:
    """A folder of JPEGs."""

    def __init__(self, config: EvidenceConfig) -> None:
        self._root = Path(config.store)
        self._keep_ns = round(config.keep * 1e9)
        self._max_bytes = config.max_bytes
        self.thumbnails = ThumbnailStore(self._root)

    def put(self, path: str, jpeg: bytes) -> WirePicture:
        """Stores a picture, durable on return. One that is there already is of a run whose state was lost: it goes.

        Raises:
            OSError: the store cannot be written.
        """
        whole = self._root / path
        write_whole(whole, jpeg)
        return WirePicture(str(whole), hashlib.sha256(jpeg).hexdigest(), len(jpeg))

    def prune(self, now_ns: int) -> int:
        """Deletes what is too old, then what is beyond the bound: thumbnails first, since they have only the room that
        pictures of alerts leave, then the oldest of those. Returns how many pictures of alerts went.

        Raises:
            OSError: the store cannot be read or written.
        """
        found = sorted((path.stat().st_mtime_ns, path.stat().st_size, path) for path in self._root.glob("*/*/*.jpg"))
        total = sum(size for _, size, _ in found)
        self.thumbnails.prune(now_ns, self._keep_ns, self._max_bytes - total)
        num_deleted = 0
        for written_ns, size, path in found:
            if now_ns - written_ns <= self._keep_ns and total <= self._max_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
            num_deleted += 1
        return num_deleted
