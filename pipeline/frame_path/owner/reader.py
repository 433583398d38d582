"""One thread per feed: opens it, reads it, comes back after every failure."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from pipeline.backoff import Backoff
from pipeline.clock import Clock
from pipeline.errors import ConnectError, SourceError, StreamStalled
from pipeline.faults import name_thread
from pipeline.frame_path.owner.admission import Admission
from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.camera_state import Details
from pipeline.frame_path.owner.handles import FeedPlan, OwnedCamera
from pipeline.frame_path.owner.reader_watch import ReaderWatch
from pipeline.messages import CameraState
from pipeline.secrets import redact
from pipeline.sources.base import Decoded, EndOfStream, Feed, Quiet, SourceInfo, Undecodable, Unrouted

log = logging.getLogger(__name__)

READER = "reader-"
"""How its thread is called, before the feed's first camera; a thread that reads for it goes on with ` pump`."""
_LOOK_SECONDS = 0.5


class Reader:
    """Reads one feed into the flows of its cameras.

    Threads: `start` begins its own; `stop`, `commit` and the watch are called by others. A reader that ignores `stop`
    can be abandoned: whatever it still brings is passed over.
    """

    def __init__(
        self,
        plan: FeedPlan,
        flows: Mapping[str, CameraFlow],
        guard: threading.Condition,
        clock: Clock,
        *,
        resume: Mapping[str, str],
        on_news: Callable[[], None],
    ) -> None:
        """`guard` is the owner's lock, notified where there is work; `on_news` is called when there is something to
        publish; `resume` is where to begin.
        """
        self.plan = plan
        self.watch = ReaderWatch(plan, flows, clock)
        self._flows = flows
        self._guard = guard
        self._clock = clock
        self._begin = dict(resume)
        self._stop = threading.Event()
        self._admission = Admission(flows, guard, clock, watch=self.watch, stop=self._stop, on_news=on_news)
        self._backoff = Backoff(plan.backoff.first, plan.backoff.max)
        self._feed: Feed | None = None
        self._info: SourceInfo | None = None
        self._has_frames = False
        self._opened_at = clock.monotonic()
        self._ended: set[str] = set()
        self._has_returned = False
        self._is_quiet = threading.Event()
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{READER}{plan.cameras[0].camera}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Asks it to read no more; returns at once. The feed stays open for commits until `release`."""
        self._stop.set()
        for flow in self._flows.values():
            flow.room.set()

    def change(self, owned: OwnedCamera) -> None:
        """A camera of it goes on under another configuration. The caller holds the guard."""
        cameras = tuple(owned if each.camera == owned.camera else each for each in self.plan.cameras)
        self.plan = replace(self.plan, cameras=cameras)
        self._admission.change(owned)

    def abandon(self) -> None:
        """It ignores `stop`: from here on it touches nothing. The caller holds the guard."""
        self._admission.close()
        self.release()

    def wait_quiet(self, timeout_seconds: float) -> bool:
        """Whether it reads no more."""
        return self._clock.wait(self._is_quiet, timeout_seconds)

    def release(self) -> None:
        """Nothing will be committed any more: the feed is closed."""
        self._released.set()
        self.stop()

    def join(self, timeout_seconds: float) -> bool:
        """Whether it has ended."""
        self._thread.join(max(0.0, timeout_seconds))
        return not self._thread.is_alive()

    @property
    def has_crashed(self) -> bool:
        """Its thread is gone without having returned: a fault of ours. One that is not started yet is none."""
        return self._thread.ident is not None and not self._thread.is_alive() and not self._has_returned

    def commit(self, positions: dict[str, str]) -> None:
        """Tells the source what is settled; the lane's thread calls it. A failure is repeated by the next call."""
        feed = self._feed
        if feed is None:
            return
        try:
            feed.commit(positions)
        except SourceError as error:
            log.warning("positions not committed: %s", error)

    # --- its thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        name_thread()
        try:
            self._sessions()
            self._has_returned = True
        finally:
            self.watch.finish()
            self._is_quiet.set()

    def _sessions(self) -> None:
        for flow in self._flows.values():
            while not self._clock.wait(flow.attached, _LOOK_SECONDS):
                if self._stop.is_set():
                    return
        while not self._stop.is_set() and not self._is_finished:
            pause = self._session()
            if pause is None:
                return
            with self.watch.waiting():
                self._clock.wait(self._stop, pause)

    @property
    def _is_finished(self) -> bool:
        return all(flow.is_over or camera in self._ended for camera, flow in self._flows.items())

    def _session(self) -> float | None:
        """From connecting to the loss of the stream; returns the pause before the next try, None: no more."""
        self._has_frames = False
        self._opened_at = self._clock.monotonic()
        self._change_all("connecting")
        self.watch.begin()
        feed: Feed | None = None
        try:
            feed = self.plan.open_feed()
            for flow in self._flows.values():
                if flow.tapes is not None:
                    flow.tapes.record(feed)
            self._info = feed.open(self._resume())
            self._feed = feed
            self.watch.begin(self._info.declared_fps)
            self._read(feed)
            self._linger()
        except SourceError as error:
            return self._failed(error)
        except Exception as error:  # noqa: BLE001 - a fault in a source is this camera's failure, not the end of all
            name = type(error).__name__
            log.error("%s: unexpected %s: %s", self.plan.cameras[0].camera, name, redact(str(error)))  # noqa: TRY400
            return self._failed(SourceError(f"unexpected {name} in the source", code="internal"))
        finally:
            self._feed = None
            if feed is not None:
                feed.close()
        return None

    def _linger(self) -> None:
        """The last frames are not settled yet when reading ends."""
        with self.watch.waiting():
            self._is_quiet.set()
            self._released.wait()

    def _resume(self) -> dict[str, str]:
        with self._guard:
            newest = {camera: flow.resumes.newest for camera, flow in self._flows.items()}
        return self._begin | {camera: resume for camera, resume in newest.items() if resume is not None}

    def _read(self, feed: Feed) -> None:
        for event in feed.events(self._stop):
            self.watch.event()
            match event:
                case Decoded():
                    self._has_frames = True
                    self._admission.decoded(event, self._info)
                case Undecodable():
                    self._admission.undecodable(event)
                case EndOfStream():
                    self._ended.add(event.camera)
                    self._admission.say(event.camera, "ended")
                case Unrouted():
                    with self._guard:
                        self._flows[self.plan.cameras[0].camera].book.meters.unrouted[event.topic] += 1
                case Quiet():
                    if event.has_packets:
                        self.watch.packets()
            if self._stop.is_set() or self._is_finished:
                return
            if self.watch.must_reconnect():
                with self._guard:
                    self.watch.mark_stalled()
                raise StreamStalled("nothing comes although the connection stands", code="stalled")
        if not self._stop.is_set() and not self._is_finished:
            raise ConnectError("the stream ended", code="ended")

    def _failed(self, error: SourceError) -> float | None:
        reason = redact(error.message)
        if error.code == "fenced":
            with self._guard:
                for flow in self._flows.values():
                    flow.fence()
            return None
        if not error.is_transient:
            self._change_all("failed", error.code, reason)
            return None
        if self._has_frames:
            self._backoff.reset()
            if isinstance(error, StreamStalled):
                self._change_all("stalled", error.code, reason)
                has_lasted = self._clock.monotonic() - self._opened_at >= self.plan.stall_after_seconds
                return 0.0 if has_lasted else self._backoff.next_seconds()
        is_refused_again = error.code == "unauthorized" and self._backoff.failures > 0
        pause = self._backoff.longest_seconds() if is_refused_again else self._backoff.next_seconds()
        self._change_all("backoff", error.code, reason, {"failures": self._backoff.failures})
        return pause

    def _change_all(self, state: CameraState, code: str = "", reason: str = "", details: Details | None = None) -> None:
        for camera in self._flows.keys() - self._ended:
            self._admission.say(camera, state, code, reason, details)
