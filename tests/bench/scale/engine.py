"""Live cameras under a virtual clock: real mailboxes, the real choice of frames, real merging of calls, real credits.

What is real: `Mailbox`, `FairShare`, `LanePool`'s choice of a batch, and the plan of `make_plan` with its credits. What
is simulated: time. A call takes what `ServiceTimes` says; publishers are `Transactions`.
"""

from __future__ import annotations

import gc
import heapq
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from operators.frames import Ticket
from pipeline.control.planning.plan import Plan
from pipeline.frame_path.owner.batching import BatchLimits, FairShare
from pipeline.frame_path.owner.handles import OwnedCamera
from pipeline.frame_path.owner.mailbox import Frame, Mailbox
from tests.bench.scale.parts import Analyzer, Call, Camera, Outcome, Owner, Seat, VirtualClock
from tests.bench.scale.service_times import PIXELS, ServiceTimes
from tests.bench.scale.transactions import Transactions

PULSE_SECONDS = 0.25
FEWEST_OFFERED = 5
"""Cameras that asked for less say nothing about fairness."""


class Simulation:
    """One plan under one load. `run` once."""

    def __init__(
        self, plan: Plan, owned: Sequence[OwnedCamera], times: ServiceTimes, *, seed: int, begins_at: float = 0.0
    ) -> None:
        """Counts nothing before `begins_at`: queues fill meanwhile."""
        self.clock = VirtualClock()
        self._times = times
        self._random = random.Random(seed)
        self._begins_at = begins_at
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0
        self.outcome = Outcome()
        self._publishers = [Transactions(times, begins_at) for _ in plan.publishers]
        self.limits = BatchLimits(max_batch_size=max(each.max_batch_size for each in plan.analyzers))
        self.analyzers = {each.name: Analyzer(each, self.clock) for each in plan.analyzers}
        self.owners: dict[str, Owner] = {}
        publisher_of = {camera: n for n, each in enumerate(plan.publishers) for camera in each.cameras}
        by_name = {each.camera: each for each in owned}
        self.cameras: dict[str, Camera] = {}
        for decoder in plan.decoders:
            owner = self.owners[decoder.name] = Owner(decoder.name, FairShare(self.limits))
            for name in decoder.cameras:
                mailbox = Mailbox(1, newest_wins=True)
                self.cameras[name] = Camera(by_name[name], mailbox, owner, publisher_of[name])
        self.seat(plan)

    # --- from outside -------------------------------------------------------------------------------------------

    def seat(self, plan: Plan) -> None:
        """Owners take the credits of `plan` at analyzers that they have none at yet, as `Dispatch.seat` does."""
        for analyzer in plan.analyzers:
            if analyzer.name not in self.analyzers:
                self.analyzers[analyzer.name] = Analyzer(analyzer, self.clock)
        for (decoder, analyzer), count in plan.credits.items():
            owner, there = self.owners.get(decoder), self.analyzers[analyzer]
            if owner is not None and owner.is_alive and owner not in there.callers:
                there.callers.add(owner)
                owner.free += [Seat(owner, there) for _ in range(count)]

    def at(self, seconds: float, work: Callable[..., None], *arguments: Any) -> None:
        """Does `work` then."""
        self._number += 1
        heapq.heappush(self._events, (seconds, self._number, work, arguments))

    def run(self, arrivals: Iterable[tuple[float, str, bool]], until: float) -> Outcome:
        """`arrivals` in order of time: (seconds, camera, whether the gate passes it over)."""
        events, clock = self._events, self.clock
        gc.disable()  # frames by the million, and no cycles among them
        self.at(PULSE_SECONDS, self._pulse, until)
        for seconds, camera, is_gated in arrivals:
            while events and events[0][0] <= seconds:
                clock.now, _, work, arguments = heapq.heappop(events)
                work(*arguments)
            clock.now = seconds
            self._arrive(self.cameras[camera], is_gated=is_gated)
        while events and events[0][0] <= until:
            clock.now, _, work, arguments = heapq.heappop(events)
            work(*arguments)
        gc.enable()
        return self._close(until)

    # --- the owner ----------------------------------------------------------------------------------------------

    def count(self, fate: str, number: int = 1) -> None:
        if self.clock.now >= self._begins_at:
            self.outcome.fates[fate] += number

    def _arrive(self, camera: Camera, *, is_gated: bool) -> None:
        owner, now = camera.owner, self.clock.now
        if not owner.is_alive:
            self.count("unread")
            return
        camera.seq += 1
        if is_gated:
            self._publish(camera.publisher)
            self.count("gated")
            return
        if now >= self._begins_at:
            camera.offered += 1
        name = camera.owned.camera
        ticket = Ticket(name, 1, 1, camera.seq)
        for _ in camera.mailbox.put(Frame(ticket, None, None, PIXELS, None, now)):  # type: ignore[arg-type]
            self.count("replaced")
        owner.waiting[name] = camera
        if owner.free:
            self._next(owner)

    def _next(self, owner: Owner) -> None:
        """As `Dispatch._next`, for a free credit by chance: which thread wakes first is nobody's choice."""
        self._expire(owner)
        while owner.waiting and owner.free:
            at = self._random.randrange(len(owner.free))
            owner.free[at], owner.free[-1] = owner.free[-1], owner.free[at]
            seat = owner.free.pop()
            if not seat.is_open:
                continue
            candidates = [found for each in owner.waiting.values() if (found := each.mailbox.candidate(each.owned))]
            frames: list[Frame] = []
            for name in owner.share.choose(candidates):
                camera = owner.waiting[name]
                frames.append(camera.mailbox.take())
                if not len(camera.mailbox):
                    del owner.waiting[name]
            self.outcome.calls += self.clock.now >= self._begins_at
            call = Call(frames, [None] * len(frames), len(frames), seat=seat)  # type: ignore[arg-type]
            self.at(self.clock.now + self._times.hop_seconds / 2, self._enter, call)

    def _expire(self, owner: Owner) -> None:
        """What is too old goes, as in `CameraFlow.expire`."""
        now = self.clock.now
        for name, camera in list(owner.waiting.items()):
            oldest = camera.mailbox.oldest
            if oldest is not None and now - oldest.admitted_at > camera.owned.sample.max_age:
                camera.mailbox.take()
                del owner.waiting[name]
                self.count("stale")

    def _pulse(self, until: float) -> None:
        for owner in self.owners.values():
            if owner.waiting:
                self._expire(owner)
        if self.clock.now < until:
            self.at(self.clock.now + PULSE_SECONDS, self._pulse, until)

    # --- the analyzer -------------------------------------------------------------------------------------------

    def _enter(self, call: Call) -> None:
        assert call.seat is not None
        analyzer = call.seat.analyzer
        if not analyzer.is_alive:
            self.hang(call)
            return
        analyzer.waiting.extend((call, n) for n in range(len(call.items)))
        self._look(analyzer)

    def _look(self, analyzer: Analyzer) -> None:
        """An idle lane takes a batch once it is full, or has waited for company for as long as it may."""
        while analyzer.idle and analyzer.waiting and analyzer.is_alive:
            limits = analyzer.plan
            if limits.max_wait_seconds and len(analyzer.waiting) < limits.max_batch_size:
                if analyzer.gathers_until is None:
                    analyzer.gathers_until = self.clock.now + limits.max_wait_seconds
                    self.at(analyzer.gathers_until, self._look, analyzer)
                if self.clock.now < analyzer.gathers_until:
                    return
            analyzer.gathers_until = None
            batch = analyzer.pool._pick()
            seconds = analyzer.slowness * self._times.model_seconds(len(batch), is_gpu=limits.gpus > 0)
            analyzer.idle -= 1
            if self.clock.now >= self._begins_at:
                analyzer.busy_seconds += seconds
                self.outcome.batches += 1
                self.outcome.batched += len(batch)
            self.at(self.clock.now + seconds, self._done, analyzer, batch)

    def _done(self, analyzer: Analyzer, batch: list[tuple[Call, int]]) -> None:
        if not analyzer.is_alive:
            for call in {id(call): call for call, _ in batch}.values():
                self.hang(call)
            return
        analyzer.idle += 1
        for call, _ in batch:
            call.missing -= 1
            if call.missing == 0:
                self.at(self.clock.now + self._times.hop_seconds / 2, self._return, call)
        self._look(analyzer)

    def _return(self, call: Call) -> None:
        seat = call.seat
        assert seat is not None
        owner = seat.owner
        if not owner.is_alive:
            self.count("lost", len(call.items))
            return
        for frame in call.items:
            camera = self.cameras[frame.ticket.camera]
            is_counted = frame.admitted_at >= self._begins_at
            self._publish(camera.publisher, frame.admitted_at - self._times.intake_seconds if is_counted else None)
            if is_counted:
                self.outcome.fates["analysed"] += 1
                camera.analysed += 1
        if seat.is_open:
            owner.free.append(seat)
            self._next(owner)

    def hang(self, call: Call) -> None:
        """Nobody answers: the credit is held until the loss is known, and its frames are too old by then."""
        assert call.seat is not None
        if call.seat.is_open:
            self.count("lost", len(call.items))
        call.seat.is_open = False

    # --- the publisher ------------------------------------------------------------------------------------------

    def _publish(self, publisher: int, decoded_at: float | None = None) -> None:
        self._publishers[publisher].put(self.clock.now + self._times.plumbing_seconds, decoded_at)

    def _close(self, until: float) -> Outcome:
        found, seconds = self.outcome, until - self._begins_at
        found.seconds = seconds
        lanes = sum(each.plan.lanes for each in self.analyzers.values())
        found.analyzer_busy = sum(each.busy_seconds for each in self.analyzers.values()) / (lanes * seconds)
        for each in self._publishers:
            each.settle()
            found.ages += each.ages
        found.publisher_busy = max(each.busy_seconds for each in self._publishers) / seconds
        asked = [each for each in self.cameras.values() if each.offered >= FEWEST_OFFERED]
        found.shares = [each.analysed / each.offered for each in asked]
        return found
