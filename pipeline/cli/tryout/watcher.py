"""The thread that reads a source for a while and hands over a picture now and then."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.base import Decoded, EndOfStream, Event, Feed, SourceInfo

_WAITING = 3
"""Pictures of a file that may wait to be looked at; of a camera one, the newest."""
_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Opened:
    """The source is open."""

    info: SourceInfo


@dataclass(frozen=True, slots=True, repr=False)
class Seen:
    """One picture to look at."""

    seconds: float
    """Since the first frame: by the clock of the stream for a file, by this machine's for a camera."""
    rgb: np.ndarray
    """uint8 (H, W, 3) RGB, full size."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more comes."""

    error: SourceError | None
    """Why, where it did not end well."""


News = Opened | Seen | Ended


@dataclass(frozen=True, slots=True)
class Measured:
    """What the stream really did."""

    num_frames: int = 0
    first_seconds: float = 0.0
    last_seconds: float = 0.0

    @property
    def fps(self) -> float | None:
        """Frames per second from the first to the last; None: too few."""
        span = self.last_seconds - self.first_seconds
        return (self.num_frames - 1) / span if self.num_frames > 1 and span > 0 else None

    def with_frame(self, seconds: float) -> Measured:
        """With one more frame, `seconds` after the start."""
        first = self.first_seconds if self.num_frames else seconds
        return Measured(self.num_frames + 1, first, seconds)


class Watcher:
    """Reads on a thread of its own, which also opens and closes the feed.

    A context manager: leaving it ends the thread. A camera never waits for whoever looks: an older picture gives way.
    A file waits as long as it is ahead of its own time, so that a slow machine skips pictures and ends in time too.
    """

    def __init__(self, feed: Feed, *, seconds: float, fps: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Opens nothing yet.

        Args:
            feed: Of one camera.
            seconds: Of the stream to look at.
            fps: Pictures per second to hand over.
            clock: Monotonic seconds; times a camera's frames.
        """
        self._feed = feed
        self._seconds = seconds
        self._period = 1.0 / fps
        self._clock = clock
        self._news: deque[News] = deque()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="try-watcher", daemon=True)
        self._taken_at: float | None = None
        """When the first picture was taken."""
        self.measured = Measured()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(_STOP_SECONDS)

    def take(self) -> News:
        """The next piece of news; blocks until there is one. `Ended` is the last."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._news))
            news = self._news.popleft()
            if isinstance(news, Seen) and self._taken_at is None:
                self._taken_at = self._clock()
            self._changed.notify_all()
            return news

    def stop(self) -> None:
        """No more pictures; `Ended` still comes."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        error: SourceError | None = None
        try:
            self._tell(Opened(self._feed.open({})))
            self._watch()
        except SourceError as failed:
            error = failed
        finally:
            self._feed.close()
            self._tell(Ended(error))

    def _watch(self) -> None:
        started: float | None = None
        due = 0.0
        for event in self._feed.events(self._stop):
            if isinstance(event, EndOfStream):
                return
            at = self._time_of(event)
            if at is None:
                continue
            started = at if started is None else started
            seconds = at - started
            if seconds >= self._seconds:
                return
            if isinstance(event, Decoded):
                self.measured = self.measured.with_frame(seconds)
                if seconds >= due:
                    due = (seconds // self._period + 1) * self._period
                    self._tell(Seen(seconds, event.picture.rgb()))

    def _time_of(self, event: Event) -> float | None:
        """Of a camera by the clock, of a file by what the frame says; None: this event tells no time."""
        if not self._feed.is_replayable:
            return self._clock()
        if not isinstance(event, Decoded) or event.rule_time_ns is None:
            return None
        return event.rule_time_ns / 1e9

    def _tell(self, news: News) -> None:
        with self._changed:
            if isinstance(news, Seen):
                if not self._feed.is_replayable:
                    self._news = deque(each for each in self._news if not isinstance(each, Seen))
                elif not self._has_room(news.seconds):
                    return
            self._news.append(news)
            self._changed.notify_all()

    def _has_room(self, seconds: float) -> bool:
        """Waits for room until the stream's time has come; for the first picture to be taken it waits all the same."""

        def is_over() -> bool:
            return len(self._news) < _WAITING or self._stop.is_set()

        self._changed.wait_for(lambda: self._taken_at is not None or is_over())
        if self._taken_at is not None:
            self._changed.wait_for(is_over, timeout=max(0.0, self._taken_at + seconds - self._clock()))
        return len(self._news) < _WAITING
