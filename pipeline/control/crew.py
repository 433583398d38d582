"""The actors of a run by kind: who answers, who is lost, who is started again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any

from pipeline.clock import Clock
from pipeline.control.actors.starters import SupervisedWorker
from pipeline.control.member import Member
from pipeline.control.planning.plan import LaneUse
from pipeline.control.snapshot import ActorKind, ActorStatus
from pipeline.errors import PipelineError

HUNG_SECONDS = 10.0
"""An actor that has not answered for this long is ended and replaced."""
TELL_SECONDS = 5.0
"""Half of what an owner waits for a beat."""
BEGIN_SECONDS = 30.0
"""For owners to begin when a run starts: nobody waits for a beat yet, and the machine is busy."""
BEGIN_AGAIN_SECONDS = 8.0
"""For one to begin in a run: other owners wait for their beat meanwhile, ten seconds at most."""
RETIRING_SECONDS = 60.0
"""One that is no longer called has no calls under way after this; a call takes less."""
READY_TIMEOUT_SECONDS = 180.0
STARTING_PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 0.1
"""For the answers of a whole crew: they come within milliseconds, and what is late is seen in the next step."""

CrewMember = Member[SupervisedWorker]

log = logging.getLogger(__name__)


class Crew:
    """All actors of one kind. The supervisor's loop owns it; `running` may be asked by others."""

    def __init__(self, kind: ActorKind, clock: Clock, on_lost: Callable[[CrewMember, str], None]) -> None:
        """`on_lost` is told of an actor that died, hangs or refuses, with the reason, and calls its `lost`."""
        self._kind: ActorKind = kind
        self._clock = clock
        self._on_lost = on_lost
        self._members: list[CrewMember] = []
        self._retiring: list[tuple[CrewMember, float]] = []

    def add(self, name: str, start: Callable[[], SupervisedWorker]) -> None:
        """One more; it is started by the next step."""
        self._members.append(Member(name, self._kind, start, self._clock))

    @property
    def kind(self) -> ActorKind:
        return self._kind

    @property
    def names(self) -> set[str]:
        return {member.name for member in self._members}

    def remove(self, name: str) -> None:
        """Ends it for good."""
        member = self.member(name)
        member.stop()
        self._members = [each for each in self._members if each is not member]

    def retire(self, name: str) -> None:
        """Ends it for good once nobody waits for its answers; those who call it were told of others."""
        member = self.member(name)
        self._members = [each for each in self._members if each is not member]
        if member.running is None:
            member.stop()
        else:
            self._retiring.append((member, self._clock.monotonic() + RETIRING_SECONDS))

    def see_off(self) -> None:
        """Looks after those that retire; call it now and then."""
        for member, deadline in list(self._retiring):
            assert member.running is not None
            try:
                use: LaneUse | None = member.running.pulse("use", HUNG_SECONDS, self._clock.monotonic())
                is_over = use is not None and not use.in_flight
            except PipelineError as error:
                log.warning("%s ended before it was told to: %s", member.name, error)
                is_over = True
            if is_over or self._clock.monotonic() > deadline:
                member.stop()
                self._retiring.remove((member, deadline))

    def member(self, name: str) -> CrewMember:
        return next(each for each in self._members if each.name == name)

    def __iter__(self) -> Iterator[CrewMember]:
        return iter(self._members)

    @property
    def running(self) -> list[SupervisedWorker]:
        """Those that answer. Thread-safe."""
        return [member.running for member in self._members if member.running is not None]

    @property
    def are_all_running(self) -> bool:
        return all(member.running is not None for member in self._members)

    @property
    def statuses(self) -> tuple[ActorStatus, ...]:
        return tuple(member.status for member in self._members)

    def watch(self, method: str, answers: dict[str, Any]) -> None:
        """Calls `method` of each that runs, and notes by name what comes back at once, or came since."""
        deadline = self._clock.monotonic() + PATIENCE_SECONDS
        asked = [(member, worker) for member in self._members if (worker := member.running) is not None]
        for _, worker in asked:
            worker.ask(method, self._clock.monotonic())
        for member, worker in asked:
            now = self._clock.monotonic()
            try:
                answer = worker.pulse(method, HUNG_SECONDS, now, max(0.0, deadline - now))
            except PipelineError as error:
                self._on_lost(member, str(error))
                continue
            if answer is not None:
                answers[member.name] = answer

    def revive(self) -> list[CrewMember]:
        """Starts whoever's time has come; returns those that became ready in this step."""
        return [member for member in self._members if member.step()]

    def tell(
        self,
        method: str,
        arguments: Callable[[str], tuple[Any, ...]],
        names: Collection[str] | None = None,
        limit_seconds: float = TELL_SECONDS,
    ) -> None:
        """Calls `method` of each that runs, or of those of these names, with `arguments` of its name; of all at once,
        so that one on a machine that is gone keeps the beat from nobody else. Whoever has not answered within
        `limit_seconds` is lost.
        """
        asked = [
            (member, worker, worker.begin(method, *arguments(member.name)))
            for member in self._members
            if (worker := member.running) is not None and (names is None or member.name in names)
        ]
        deadline = self._clock.monotonic() + limit_seconds
        for member, worker, answer in asked:
            try:
                worker.collect(answer, max(0.1, deadline - self._clock.monotonic()))
            except PipelineError as error:
                self.lose(member, str(error))

    def lose(self, member: CrewMember, reason: str) -> None:
        """It does not do what it is told: it is ended, and another one started."""
        self._on_lost(member, reason)

    @property
    def first_started(self) -> SupervisedWorker:
        """It may not have answered yet.

        Raises:
            PipelineError: none is started.
        """
        found = next((member.worker for member in self._members if member.worker is not None), None)
        if found is None:
            raise PipelineError(f"no actor of kind {self._kind} is started yet", code="not_running")
        return found

    def begin(self) -> None:
        """Starts all and waits for none; `await_all` does."""
        for member in self._members:
            member.step()

    def await_all(self, stop: threading.Event) -> None:
        """Starts those that are not, and returns when all have answered that can be started now.

        Raises:
            PipelineError: one could not start, with its own reason; or `stop` was set meanwhile (`stopped`).
        """
        deadline = self._clock.monotonic() + READY_TIMEOUT_SECONDS
        waiting = list(self._members)
        while waiting:
            waiting = [
                member
                for member in waiting
                if member.running is None and not member.step() and member.state != "waiting"
            ]
            failed = next((member for member in waiting if member.restarts), None)
            if failed is not None:
                raise PipelineError(failed.status.reason, code="no_start", where=failed.name)
            if stop.is_set():
                raise PipelineError("stopped while it started", code="stopped")
            if self._clock.monotonic() > deadline:
                names = ", ".join(member.name for member in waiting)
                msg = f"{names}: not ready within {READY_TIMEOUT_SECONDS:g} s; does the cluster have the resources?"
                raise PipelineError(msg, code="no_start")
            self._clock.wait(stop, STARTING_PAUSE_SECONDS)

    def stop(self) -> None:
        """Ends all at once."""
        for member in (*self._members, *(each for each, _ in self._retiring)):
            member.stop()
