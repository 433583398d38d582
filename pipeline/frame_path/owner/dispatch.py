"""Takes frames to the analyzers: one thread a credit, one call at a time."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from operators.frames import Item
from operators.results import Analysis
from pipeline.backoff import Backoff
from pipeline.clock import Clock
from pipeline.errors import AnalyzeError
from pipeline.frame_path.owner.batching import BatchLimits, FairShare
from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.handles import AnalyzerHandle
from pipeline.messages import LostReason

log = logging.getLogger(__name__)

LIVE_TRIES = 2
REPLAYABLE_TRIES = 4
"""More, since each frame counts; a frame that fails goes alone, so that it takes no others with it. Calls to an
analyzer that is dead already are no tries: it may take long to come back, and no frame may be lost to that."""
_REASONS: dict[str, LostReason] = {"died": "analyzer_died", "timeout": "analyzer_timeout"}


@dataclass(slots=True)
class Seat:
    """One analyzer at this owner's table."""

    handle: AnalyzerHandle
    num_credits: int = 0
    """Threads beyond these end."""
    is_open: bool = True
    """False: replaced; its threads end."""
    rests_until: float = 0.0
    """Dead or hung, until it is replaced or answers again; monotonic seconds."""
    has_died: bool = False
    """Calls to a dead one tell nothing about the frames in them."""
    backoff: Backoff = field(default_factory=lambda: Backoff(first=1.0, maximum=30.0))


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One frame on its way, and what befell it before."""

    item: Item
    admitted_at: float
    tries: int = 0
    failed_at: Seat | None = field(default=None, repr=False)
    reason: LostReason = "analyze_error"


class Dispatch:
    """No credit, no call: nothing queues up. `guard` is the owner's lock; its notification means that there is work."""

    def __init__(
        self,
        flows: Mapping[str, CameraFlow],
        limits: BatchLimits,
        guard: threading.Condition,
        clock: Clock,
        on_news: Callable[[], None],
    ) -> None:
        self._flows = flows
        self._limits = limits
        self._guard = guard
        self._clock = clock
        self._on_news = on_news
        self._share = FairShare(limits)
        self._again: deque[_Attempt] = deque()
        self._seats: list[Seat] = []
        self._threads: list[tuple[Seat, threading.Thread]] = []

    def seat(self, analyzers: Sequence[tuple[AnalyzerHandle, int]]) -> None:
        """The analyzers from now on, with their credits; threads beyond these end after their call."""
        with self._guard:
            kept = [seat for seat in self._seats if seat.is_open and any(seat.handle == each for each, _ in analyzers)]
            for seat in self._seats:
                seat.is_open = seat in kept
            self._seats = [*kept, *(Seat(each) for each, _ in analyzers if all(each != s.handle for s in kept))]
            self._threads = [(seat, thread) for seat, thread in self._threads if thread.is_alive()]
            for seat in self._seats:
                seat.num_credits = next(count for handle, count in analyzers if handle == seat.handle)
                for n in range(self._num_threads(seat), seat.num_credits):
                    name = f"credit-{seat.handle.name}-{n}"
                    thread = threading.Thread(target=self._run, args=(seat,), name=name, daemon=True)
                    self._threads.append((seat, thread))
                    thread.start()
            self._guard.notify_all()

    def expire(self) -> None:
        """Loses what has waited too long for another analyzer; call it now and then. The caller holds the guard."""
        now = self._clock.monotonic()
        for attempt in [each for each in self._again if self._flow(each).is_stale(each.admitted_at, now)]:
            self._again.remove(attempt)
            self._flow(attempt).book.lose(attempt.item.ticket, attempt.reason)

    def forget(self, cameras: Collection[str]) -> None:
        """Nothing of these is tried again. The caller holds the guard, and counts the frames."""
        for attempt in [each for each in self._again if each.item.ticket.camera in cameras]:
            self._again.remove(attempt)

    def stop(self) -> None:
        """Ends every thread after its call; returns at once."""
        self.seat(())

    def join(self, timeout_seconds: float) -> bool:
        """Whether all threads have ended."""
        deadline = self._clock.monotonic() + timeout_seconds
        for _, thread in self._threads:
            thread.join(max(0.0, deadline - self._clock.monotonic()))
        return not any(thread.is_alive() for _, thread in self._threads)

    @property
    def crashed(self) -> list[str]:
        """Names of threads that ended although their analyzer still has its seat. The caller holds the guard."""
        return [thread.name for seat, thread in self._threads if seat.is_open and not thread.is_alive()]

    # --- one credit ---------------------------------------------------------------------------------------------

    def _run(self, seat: Seat) -> None:
        while True:
            with self._guard:
                while not (batch := self._next(seat)):
                    if self._is_spare(seat):
                        me = threading.current_thread()
                        self._threads = [each for each in self._threads if each[1] is not me]
                        return
                    self._guard.wait()
                has_news = any(flow.book.num_waiting for flow in self._flows.values())  # some may have become stale
            if has_news:
                self._on_news()
            self._analyze(seat, batch)

    def _num_threads(self, seat: Seat) -> int:
        return sum(each is seat for each, _ in self._threads)

    def _is_spare(self, seat: Seat) -> bool:
        """Whether one thread less will do."""
        return not seat.is_open or self._num_threads(seat) > seat.num_credits

    def _next(self, seat: Seat) -> list[_Attempt]:
        now = self._clock.monotonic()
        if self._is_spare(seat) or now < seat.rests_until:
            return []
        self.expire()
        others = any(each is not seat and now >= each.rests_until for each in self._seats)
        again = next((each for each in self._again if each.failed_at is not seat or not others), None)
        if again is not None:
            self._again.remove(again)
            return [again]
        candidates = [each for flow in self._flows.values() if (each := flow.candidate(now)) is not None]
        chosen = self._share.choose(candidates) if candidates else []
        return [_Attempt(*self._flows[camera].take()) for camera in chosen]

    def _analyze(self, seat: Seat, batch: Sequence[_Attempt]) -> None:
        try:
            found = self._call(seat.handle, [each.item for each in batch])
        except AnalyzeError as error:
            with self._guard:
                self._failed(seat, batch, error)
                self._guard.notify_all()
        else:
            analysed_ns = self._clock.wall_ns()
            with self._guard:
                seat.has_died = False
                seat.backoff.reset()
                for analysis in found:
                    if (flow := self._flows.get(analysis.ticket.camera)) is not None:  # else removed meanwhile
                        flow.book.resolve(replace(analysis, analysed_ns=analysed_ns))
        self._on_news()

    def _call(self, handle: AnalyzerHandle, items: Sequence[Item]) -> list[Analysis]:
        """Raises: AnalyzeError, also for whatever else goes wrong in there."""
        try:
            found = handle.analyze(items, self._limits.analyze_timeout_seconds)
        except AnalyzeError:
            raise
        except Exception as error:  # noqa: BLE001 - an analyzer in this process may raise anything; translated
            raise AnalyzeError(f"{type(error).__name__}: {error}", code="failed", where=handle.name) from None
        if [each.ticket for each in found] != [each.ticket for each in items]:
            raise AnalyzeError(
                f"wrong answer: expected results of {[each.ticket.id for each in items]}, "
                f"got {[each.ticket.id for each in found]}",
                code="failed",
                where=handle.name,
            )
        return found

    def _failed(self, seat: Seat, batch: Sequence[_Attempt], error: AnalyzeError) -> None:
        log.warning("%d frames not analysed (%s): %s", len(batch), error.code, error)
        now = self._clock.monotonic()
        if error.code in _REASONS and now >= seat.rests_until:
            seat.rests_until = now + seat.backoff.next_seconds()
        reason = _REASONS.get(error.code, cast("LostReason", "analyze_error"))
        is_a_try = not (error.code == "died" and seat.has_died)
        seat.has_died = seat.has_died or error.code == "died"
        for attempt in batch:
            flow = self._flows.get(attempt.item.ticket.camera)
            if flow is None or attempt.item.ticket not in flow.book:
                continue  # removed meanwhile, or opened anew
            tries = attempt.tries + is_a_try
            is_last = tries >= (REPLAYABLE_TRIES if flow.owned.is_replayable else LIVE_TRIES)
            if is_last or flow.is_stale(attempt.admitted_at, now):
                flow.book.lose(attempt.item.ticket, reason)
            else:
                self._again.append(replace(attempt, tries=tries, failed_at=seat, reason=reason))

    def _flow(self, attempt: _Attempt) -> CameraFlow:
        return self._flows[attempt.item.ticket.camera]
