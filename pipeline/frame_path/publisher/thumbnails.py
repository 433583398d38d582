"""Which frames of a camera leave a small picture, and the queue on which those wait for the disk."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Mapping

from operators.results import Analysis
from pipeline.frame_path.publisher.thumbnail_store import ThumbnailStore, thumbnail_path
from pipeline.messages import Analysed, Entry

WAITING = 256
"""Pictures of at most 16 KiB that may wait for the disk; what comes beyond is dropped and counted."""
_EPOCHS = 256
"""Of one camera: partitions go on side by side, each with its own time."""
_OUTCOMES = ("written", "failed", "dropped")
_LOG = logging.getLogger(__name__)


class Thumbnails:
    """Of the cameras of one publisher, at most one a period of rule time.

    `see` and what is asked belong to the caller's lock; `write` to the publisher's thread alone, so that a slow disk
    holds up no delivery.
    """

    def __init__(self, store: ThumbnailStore) -> None:
        self._store = store
        self._period_ns: dict[str, int] = {}
        self._kept_ns: dict[str, dict[int, int]] = {}
        """By camera and epoch, in the order of keeping: rule time of the newest."""
        self._counts: dict[str, dict[str, int]] = {}
        self._waiting: deque[tuple[str, str, bytes]] = deque()
        self._trouble = ""

    def allow(self, camera: str, period_seconds: float) -> None:
        """From now on; 0: none of this camera."""
        if period_seconds <= 0:
            self._period_ns.pop(camera, None)
            return
        self._period_ns[camera] = round(period_seconds * 1e9)
        self._counts.setdefault(camera, dict.fromkeys(_OUTCOMES, 0))

    def allow_only(self, periods: Mapping[str, float]) -> None:
        """As `allow` for each of these cameras; none of any other."""
        self._period_ns.clear()
        for camera, period_seconds in periods.items():
            self.allow(camera, period_seconds)

    def is_due(self, camera: str, rule_time_ns: int) -> bool:
        """Whether the next frame that shows something shall bring its picture."""
        period_ns = self._period_ns.get(camera)
        newest_ns = next(reversed(self._kept_ns.get(camera, {}).values()), None)
        return period_ns is not None and (newest_ns is None or abs(rule_time_ns - newest_ns) >= period_ns)

    def see(self, entries: Iterable[Entry]) -> None:
        """What was accepted of owners. A picture that nobody is waiting for, such as an alert's, is taken if due."""
        for entry in entries:
            if isinstance(entry, Analysed) and entry.analysis.preview is not None:
                self._keep(entry.analysis, entry.analysis.preview)

    def write(self) -> None:
        """Everything that waits. A disk that refuses is logged once until it takes one again, and counted."""
        while self._waiting:
            camera, path, jpeg = self._waiting.popleft()
            try:
                self._store.put(path, jpeg)
            except OSError as error:
                self._counts[camera]["failed"] += 1
                if error.strerror != self._trouble:
                    _LOG.warning("%s: thumbnails cannot be stored: %s (%s)", camera, error.strerror, path)
                self._trouble = error.strerror or "unknown"
            else:
                self._counts[camera]["written"] += 1
                self._trouble = ""

    def counts(self) -> dict[str, dict[str, int]]:
        """By camera and outcome, since this publisher started."""
        return {camera: dict(counts) for camera, counts in self._counts.items()}

    def _keep(self, analysis: Analysis, jpeg: bytes) -> None:
        ticket, time_ns = analysis.ticket, analysis.times.rule_time_ns
        period_ns = self._period_ns.get(ticket.camera)
        if period_ns is None or not analysis.shows_something:
            return
        kept_ns = self._kept_ns.setdefault(ticket.camera, {})
        before_ns = kept_ns.get(ticket.epoch)
        if before_ns is not None and abs(time_ns - before_ns) < period_ns:
            return
        kept_ns.pop(ticket.epoch, None)
        kept_ns[ticket.epoch] = time_ns
        if len(kept_ns) > _EPOCHS:
            del kept_ns[next(iter(kept_ns))]
        if len(self._waiting) >= WAITING:
            self._counts[ticket.camera]["dropped"] += 1
        else:
            self._waiting.append((ticket.camera, thumbnail_path(ticket, time_ns), jpeg))
