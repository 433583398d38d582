"""Reads results until it is told to stop, and puts them into the store."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing

from pipeline.backoff import Backoff
from pipeline.clock import Clock
from pipeline.errors import SinkError
from pipeline.gallery.intake import Intake
from pipeline.gallery.results_topic import Chunk, Topic
from pipeline.gallery.store import GalleryStore

_FIRST_SECONDS, _LONGEST_SECONDS = 0.5, 30.0
_QUIET_READS = 2
"""One alone may be a broker that is slow to answer its first fetch."""
_log = logging.getLogger(__name__)


class Consumer:
    """One topic into one store. `run` blocks."""

    def __init__(self, topic: Topic, intake: Intake, store: GalleryStore, clock: Clock) -> None:
        self._topic = topic
        self._intake = intake
        self._store = store
        self._clock = clock
        self._backoff = Backoff(_FIRST_SECONDS, _LONGEST_SECONDS)
        self._was_reached = False

    def run(
        self,
        stop: threading.Event,
        *,
        is_catching_up: bool = False,
        told: Callable[[Counter[str]], None] = lambda _: None,
    ) -> None:
        """Until `stop` is set. A broker that goes away is tried again for ever.

        Args:
            stop: Ends it after the chunk at hand, within about a second.
            is_catching_up: End as soon as nothing more comes.
            told: What was done with each chunk.

        Raises:
            SinkError: the broker could not be reached at all.
            GalleryError: the store cannot be written.
        """
        while not stop.is_set():
            try:
                is_done = self._read(stop, told, is_catching_up=is_catching_up)
            except SinkError as error:
                if not self._was_reached:
                    raise
                wait = self._backoff.next_seconds()
                _log.warning("%s; trying again in %.1f s", error, wait)
                self._clock.wait(stop, wait)
            else:
                if is_done:
                    return

    def _read(self, stop: threading.Event, told: Callable[[Counter[str]], None], *, is_catching_up: bool) -> bool:
        """One connection; returns whether there is nothing more to do."""
        num_quiet = -1  # the first one only says that we are connected
        with closing(self._topic(self._store.position)) as chunks:
            for chunk in chunks:
                self._was_reached = True
                self._backoff.reset()
                told(self._take(chunk))
                num_quiet = 0 if chunk.position or chunk.missed else num_quiet + 1
                if stop.is_set() or (is_catching_up and num_quiet == _QUIET_READS):
                    break
        return True

    def _take(self, chunk: Chunk) -> Counter[str]:
        for sentence in chunk.missed:
            _log.warning("%s", sentence)
        if not chunk.position:
            return Counter()
        return self._intake.take(chunk.bodies, chunk.position, self._clock.wall_ns())
