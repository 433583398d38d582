"""The actors of one plan: each kind's crew, who among them calls whom, and what changes with another plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pipeline.clock import Clock
from pipeline.control.actors.starters import SupervisedWorker
from pipeline.control.crew import Crew, CrewMember
from pipeline.control.planning.plan import DecoderPlan, Plan
from pipeline.control.snapshot import ActorKind, ActorStatus


class Crews:
    """The supervisor's loop owns them; `running` may be asked by others."""

    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        start: Mapping[ActorKind, Callable[[str], SupervisedWorker]],
        lose_decoder: Callable[[CrewMember, str], None],
    ) -> None:
        """Nobody is started yet. `start` starts one by its name in the plan; `lose_decoder` is told of one that is
        lost, with the reason.
        """
        self.plan = plan
        """What is carried out now."""
        self.analyzers = Crew("analyze", clock, CrewMember.lost)
        self.publishers = Crew("publish", clock, CrewMember.lost)
        self.decoders = Crew("decode", clock, lose_decoder)
        self._start = start
        self._up = frozenset[str]()
        """Analyzers that answered when last looked at."""
        for publisher in plan.publishers:
            self.publishers.add(publisher.name, partial(start["publish"], publisher.name))
        self.add_new(plan)

    def __iter__(self) -> Iterator[Crew]:
        return iter((self.analyzers, self.publishers, self.decoders))

    def running(self, kind: ActorKind) -> list[SupervisedWorker]:
        """The actors of one kind that answer. Thread-safe."""
        return next(crew for crew in self if crew.kind == kind).running

    @property
    def statuses(self) -> tuple[ActorStatus, ...]:
        """Every actor, with its node, its cameras and why it is there."""
        plan = self.plan
        where = {each.name: {"node": each.node or "", "why": each.why} for each in (*plan.decoders, *plan.analyzers)}
        whose = {each.name: {"cameras": each.cameras} for each in (*plan.decoders, *plan.publishers)}
        members = (*self.decoders.statuses, *self.analyzers.statuses, *self.publishers.statuses)
        return tuple(replace(each, **where.get(each.name, {}), **whose.get(each.name, {})) for each in members)

    # --- another plan -----------------------------------------------------------------------------------------------

    def carry_out(self, plan: Plan, close: Callable[[DecoderPlan], None]) -> None:
        """Another plan from now on: what is new starts, what is gone ends, what has moved starts where it belongs now.

        Feeds that come to or leave a decoder which stays are the caller's to tell it. `close` is told of decoders that
        read here no more, as they were.
        """
        before = self.plan
        for was in before.decoders:
            now = next((each for each in plan.decoders if each.name == was.name), None)
            if now is None:
                close(was)
                self.decoders.remove(was.name)
            elif now.node != was.node and self.decoders.member(was.name).state != "waiting":
                close(was)
                self.decoders.member(was.name).move(now.why)
        self.plan = plan
        for was in before.analyzers:
            now = next((each for each in plan.analyzers if each.name == was.name), None)
            if now is None and was.node is None:
                self.analyzers.retire(was.name)
            elif now is None or (now.node, now.lanes) != (was.node, was.lanes):
                self.analyzers.remove(was.name)
        self.add_new(plan)
        self.tell_analyzers()

    def add_new(self, plan: Plan) -> None:
        """Another plan from now on, in which nothing ends or moves; nobody is told of it."""
        self.plan = plan
        for crew, planned in ((self.analyzers, plan.analyzers), (self.decoders, plan.decoders)):
            for name in [each.name for each in planned if each.name not in crew.names]:
                crew.add(name, partial(self._start[crew.kind], name))

    # --- who calls whom ---------------------------------------------------------------------------------------------

    def tell_analyzers(self) -> None:
        """Every owner learns which analyzers it may call."""
        self.decoders.tell("replace_analyzers", lambda name: (self.analyzers_for(name),))

    def tell_publishers(self) -> None:
        """Every owner learns where the publishers of its cameras are."""
        self.decoders.tell("replace_publishers", lambda name: (self.publishers_for(name),))

    def help_stranded(self) -> None:
        """Owners none of whose analyzers is up call the others meanwhile; call it now and then."""
        up = frozenset(worker.name for worker in self.analyzers.running)
        if up == self._up or not up:
            return
        self._up = up
        served = {owner for owner, analyzer in self.plan.credits if analyzer in up}
        stranded = [name for name in self.decoders.names if name not in served]
        self.decoders.tell("replace_analyzers", lambda name: (self.analyzers_for(name),), stranded)

    def analyzers_for(self, decoder: str) -> list[tuple[str, Any, int]]:
        """Those that it has credits at; while none of them is up, one call at each of the others."""
        calls = self.plan.credits
        running = self.analyzers.running
        mine = [worker for worker in running if (decoder, worker.name) in calls]
        return [(worker.name, worker.actor, calls.get((decoder, worker.name), 1)) for worker in mine or running]

    def publishers_for(self, decoder: str) -> dict[str, tuple[str, Any]]:
        """Of each camera of this decoder, where its publisher is up."""
        mine = set(self.plan.decoder(decoder).cameras)
        running = {worker.name: worker.actor for worker in self.publishers.running}
        up = [each for each in self.plan.publishers if each.name in running]
        return {camera: (each.name, running[each.name]) for each in up for camera in each.cameras if camera in mine}
