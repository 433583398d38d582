"""Clips that the publisher asked for: waited for, cut on a thread of their own, and sent in pieces."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.clock import Clock
from pipeline.frame_path.owner.tapes import Tapes
from pipeline.messages import ClipPart, ClipSpan, PictureWanted

PART_BYTES = 1_000_000
"""What travels in one call beside results."""
MAX_JOBS = 32
"""Asked for and not forgotten, over all cameras of a publisher."""
_LATE_SECONDS = 5.0
"""Beyond the time that is still missing: then the clip ends where the camera ended."""
_LATE_REPLAYABLE_SECONDS = 25.0
"""A file may be read more slowly than it was filmed."""
_FORGET_SECONDS = 60.0
"""After the last piece: a publisher that was lost meanwhile asks again."""
log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Job:
    wanted: PictureWanted
    span: ClipSpan
    tapes: Tapes | None
    deadline: float
    parts: list[ClipPart] = field(default_factory=list[ClipPart])
    """Empty until it is cut."""
    num_sent: int = 0
    is_with_worker: bool = False


class Clips:
    """Of one publishing lane, whose thread calls everything."""

    def __init__(self, clock: Clock, wake: Callable[[], None]) -> None:
        """`wake` is called when a clip is ready to go."""
        self._clock = clock
        self._wake = wake
        self._jobs: dict[str, _Job] = {}
        self._to_cut: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def ask(self, wanted: PictureWanted, tapes: Tapes | None) -> None:
        """Asked again after everything was sent, it is sent again."""
        known = self._jobs.get(wanted.event_id)
        if known is not None:
            if known.parts and known.num_sent == len(known.parts):
                known.num_sent = 0
            return
        span = wanted.clip
        assert span is not None, f"not a clip ({wanted.event_id})"
        now = self._clock.monotonic()
        newest_ns = tapes.newest_ns() if tapes is not None else None
        late = _LATE_REPLAYABLE_SECONDS if tapes is not None and tapes.is_replayable else _LATE_SECONDS
        missing_seconds = 0.0 if newest_ns is None else max(0.0, (span.to_ns - newest_ns) / 1e9)
        job = self._jobs[wanted.event_id] = _Job(wanted, span, tapes, now + missing_seconds + late)
        if tapes is None or newest_ns is None:
            job.parts = [_missing(wanted, "not_kept")]
        elif len(self._jobs) > MAX_JOBS:
            job.parts = [_missing(wanted, "too_many")]

    def turn(self) -> None:
        """Has those cut whose time is over, and forgets those that were sent long ago."""
        now = self._clock.monotonic()
        for name, job in list(self._jobs.items()):
            if job.parts and job.num_sent == len(job.parts) and now > job.deadline + _FORGET_SECONDS:
                del self._jobs[name]
            elif not job.parts and not job.is_with_worker and self._is_ready(job, now):
                job.is_with_worker = True
                self._start()
                self._to_cut.put(job)

    def next(self) -> ClipPart | None:
        """What to send now; to be answered by `sent` or `refused`, or by nothing where the publisher is lost."""
        waiting = (job for job in self._jobs.values() if job.num_sent < len(job.parts))
        job = next(waiting, None)
        return None if job is None else job.parts[job.num_sent]

    def sent(self, part: ClipPart) -> None:
        """The publisher has it."""
        self._jobs[part.event_id].num_sent += 1

    def refused(self, part: ClipPart) -> None:
        """A living publisher does not take it: the clip is given up, and its alert will say so in time."""
        log.warning("the clip of %s is given up, the publisher refuses it", part.event_id)
        job = self._jobs[part.event_id]
        job.num_sent = len(job.parts)

    def stop(self) -> None:
        """Ends the thread once it has cut what it has in hand; returns at once."""
        self._to_cut.put(None)

    def _is_ready(self, job: _Job, now: float) -> bool:
        newest_ns = job.tapes.newest_ns() if job.tapes is not None else None
        return now >= job.deadline or (newest_ns is not None and newest_ns >= job.span.to_ns)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="clips", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (job := self._to_cut.get()) is not None:
            try:
                job.parts = _cut(job)
            except Exception as error:  # noqa: BLE001 - a clip that cannot be made is no reason to lose the next one
                log.warning("no clip of %s: unexpected %s: %s", job.wanted.event_id, type(error).__name__, error)
                job.parts = [_missing(job.wanted, "failed")]
            self._wake()


def _cut(job: _Job) -> list[ClipPart]:
    assert job.tapes is not None
    found = job.tapes.cut(job.span)
    if found is None:
        return [_missing(job.wanted, "not_kept")]
    data = found.clip.data
    pieces = [data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)]
    return [
        ClipPart(
            job.wanted.event_id,
            job.wanted.ticket,
            index,
            len(pieces),
            piece,
            from_ns=found.clip.from_ns,
            to_ns=found.clip.to_ns,
            is_copied=found.is_copied,
            is_shortened=found.clip.is_shortened,
        )
        for index, piece in enumerate(pieces)
    ]


def _missing(wanted: PictureWanted, reason: str) -> ClipPart:
    return ClipPart(wanted.event_id, wanted.ticket, 0, 1, b"", missing=reason)
