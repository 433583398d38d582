"""What an owner does by the clock: old frames, silent and hung readers, positions; and whether anybody hears it."""

from __future__ import annotations

import logging
import threading

from pipeline.clock import Clock
from pipeline.errors import PipelineError
from pipeline.frame_path.owner.dispatch import Dispatch
from pipeline.frame_path.owner.feeds import Feeds
from pipeline.frame_path.owner.publish_lanes import PublishLanes

log = logging.getLogger(__name__)

PULSE_SECONDS = 0.25
UNREACHED_SECONDS = 10.0
MAX_ABANDONED = 2
"""Readers that may hang for ever before the whole process should be replaced."""
_SAVE_EVERY = 4


class Pulse:
    """One thread. `beat` is called by others."""

    def __init__(
        self,
        name: str,
        feeds: Feeds,
        dispatch: Dispatch,
        lanes: PublishLanes,
        *,
        guard: threading.Condition,
        clock: Clock,
        is_closing: threading.Event,
        unreached_seconds: float,
    ) -> None:
        """`is_closing`: the owner reads no more; set here where it was not heard of for `unreached_seconds`."""
        self._name = name
        self._feeds = feeds
        self._dispatch = dispatch
        self._lanes = lanes
        self._guard = guard
        self._clock = clock
        self._is_closing = is_closing
        self._unreached_seconds = unreached_seconds
        self._reached_at = clock.monotonic()
        self._is_stopped = threading.Event()
        self._num_abandoned = 0
        self._fault = ""
        self._thread = threading.Thread(target=self._run, name=f"pulse-{name}", daemon=True)

    def start(self) -> None:
        self._reached_at = self._clock.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; returns at once."""
        self._is_stopped.set()

    def beat(self) -> None:
        """The supervisor is there.

        Raises:
            PipelineError: code `fault`: the owner is broken and must be replaced.
        """
        self._reached_at = self._clock.monotonic()
        if self._fault:
            raise PipelineError(self._fault, code="fault", where=self._name)

    # --- its thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        beats = 0
        while not self._clock.wait(self._is_stopped, PULSE_SECONDS):
            beats += 1
            with self._guard:
                for flow in self._feeds.flows.values():
                    flow.expire(self._clock.monotonic())
                self._dispatch.expire()
                for reader in self._feeds.staying.values():
                    reader.watch.mark_stalled()
                self._guard.notify_all()
            if not self._is_closing.is_set():
                self._look_after_readers()
            if beats % _SAVE_EVERY == 0:
                self._feeds.save()
            self._lanes.wake()

    def _look_after_readers(self) -> None:
        if self._clock.monotonic() - self._reached_at > self._unreached_seconds:
            self._give_up()
            return
        for key, reader in self._feeds.staying.items():
            if reader.watch.is_hung:
                self._replace_reader(key)
        crashed = [key for key, reader in self._feeds.staying.items() if reader.has_crashed]
        crashed += self._lanes.crashed
        with self._guard:
            crashed += self._dispatch.crashed
        if crashed:
            self._fault = f"a thread ended by itself ({', '.join(crashed)}); see the log"

    def _give_up(self) -> None:
        """Nobody knows this owner any more: perhaps another one reads its cameras already."""
        self._is_closing.set()
        log.warning("%s: no beat for %g s; the readers stop", self._name, self._unreached_seconds)
        for reader in self._feeds.readers.values():
            reader.stop()
        with self._guard:
            for flow in self._feeds.flows.values():
                flow.change("failed", code="unreached", reason="the supervisor has not been heard")
        self._fault = "stopped reading: the supervisor was not heard in time"

    def _replace_reader(self, key: str) -> None:
        with self._guard:
            if key not in self._feeds.staying:
                return  # it is being removed
            reader = self._feeds.renew(key)
            for owned in reader.plan.cameras:
                flow = self._feeds.flows[owned.camera]
                flow.pass_over()
                flow.change("backoff", code="hung", reason="the source does not answer, not even to say so")
        log.warning("%s: the reader hangs and is left behind", key)
        self._num_abandoned += 1
        if self._num_abandoned >= MAX_ABANDONED:
            self._fault = f"{self._num_abandoned} readers hang in their sources"
        reader.start()
