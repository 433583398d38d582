"""One actor over its deaths: started, ready, lost, started again after a pause that grows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from pipeline.backoff import Backoff
from pipeline.clock import Clock
from pipeline.control.snapshot import ActorKind, ActorState, ActorStatus
from pipeline.errors import PipelineError

log = logging.getLogger(__name__)

STABLE_SECONDS = 60.0
"""Running this long forgives earlier deaths."""


class Worker(Protocol):
    """A started actor; `actor_calls.py` has the real one."""

    def first_answer(self) -> int | None:
        """Its process id once it is ready, None before.

        Raises:
            PipelineError: it died on the way.
        """
        ...

    def kill(self) -> None:
        """Ends it, dead or alive."""
        ...


W = TypeVar("W", bound=Worker)


class Member(Generic[W]):
    """Whether an actor runs, and the decision to start it again. Not thread-safe: the supervisor's loop owns it."""

    def __init__(self, name: str, kind: ActorKind, start: Callable[[], W], clock: Clock) -> None:
        """`start` raises PipelineError while it cannot be started; it is asked again in the next step."""
        self.name = name
        self.kind: ActorKind = kind
        self.worker: W | None = None
        self.state: ActorState = "backoff"
        self.restarts = 0
        self._start = start
        self._clock = clock
        self._backoff = Backoff(first=0.5, maximum=30.0)
        self._not_before = clock.monotonic()
        self._since = clock.monotonic()
        self._reason = ""
        self._pid: int | None = None
        self._has_run = False

    @property
    def running(self) -> W | None:
        """The actor, if it answers."""
        return self.worker if self.state == "running" else None

    @property
    def status(self) -> ActorStatus:
        return ActorStatus(self.name, self.kind, self.state, self.restarts, self._pid, self._reason)

    def step(self) -> bool:
        """Starts it when its time has come; True in the step in which it became ready."""
        now = self._clock.monotonic()
        if self.state in {"backoff", "waiting"} and now >= self._not_before:
            try:
                self.worker = self._start()
            except PipelineError as error:
                if (self.state, self._reason) != ("waiting", error.message):
                    log.warning("%s waits: %s", self.name, error.message)
                self.state, self._reason = "waiting", error.message
                return False
            self.state, self._since, self._pid = "starting", now, None
        if self.state == "starting" and self.worker is not None:
            try:
                self._pid = self.worker.first_answer()
            except PipelineError as error:
                self.lost(error.message if error.where == self.name else str(error))
                return False
            if self._pid is not None:
                self.state, self._since, self._has_run = "running", now, True
                return True
        return False

    def lost(self, reason: str) -> None:
        """It died or hangs: end it, and start another one later."""
        now = self._clock.monotonic()
        if self.state == "running" and now - self._since > STABLE_SECONDS:
            self._backoff.reset()
        if self.worker is not None:
            self.worker.kill()
        self.worker = None
        self.restarts += 1
        self.state, self._reason = "backoff", reason
        pause = self._backoff.next_seconds()
        self._not_before = now + pause
        if self._has_run:  # else whoever started it ends with the reason
            log.warning("%s is lost (%s); starting it again in %.1f s", self.name, reason, pause)

    def stop(self) -> None:
        """Ends it for good."""
        if self.worker is not None:
            self.worker.kill()
        self.worker = None
        self.state = "backoff"
        self._not_before = float("inf")

    def move(self, reason: str) -> None:
        """Ends it where it is; the next step starts it where it belongs now. No death of its own."""
        if self.worker is not None:
            self.worker.kill()
        self.worker = None
        self.restarts += 1
        self.state, self._reason, self._not_before = "backoff", reason, self._clock.monotonic()
        log.warning("%s: %s; starting it elsewhere", self.name, reason)
