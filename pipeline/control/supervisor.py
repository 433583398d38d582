"""Who decides: starts the actors, hears their beats, starts the dead ones again under new leases, drains at the end.

The supervisor is the driver process. It never touches a frame: its loss stops no frame for ten seconds, and then the
owners stop by themselves.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from operators.results import ModelInfo
from pipeline.clock import Clock
from pipeline.config.loader import Config
from pipeline.control.accounts import Accounts
from pipeline.control.actors.publish_spec import Promised
from pipeline.control.actors.ray_starters import RayStarters
from pipeline.control.actors.starters import Starters, SupervisedWorker
from pipeline.control.changes.camera_changes import CameraChanges
from pipeline.control.changes.changeover import Changeover, Order
from pipeline.control.crashes import Crashes
from pipeline.control.crew import BEGIN_AGAIN_SECONDS, BEGIN_SECONDS, Crew, CrewMember
from pipeline.control.draining import drain
from pipeline.control.planning.memory_use import MemoryUse
from pipeline.control.planning.plan import Feed, LaneUse, Plan, Wish
from pipeline.control.planning.planner import Planner
from pipeline.control.planning.reading_costs import ReadingCosts
from pipeline.control.planning.specs import RunSpec
from pipeline.control.planning.topology import isolate
from pipeline.control.snapshot import ActorKind, ActorStatus, PipelineSnapshot
from pipeline.control.told_positions import ToldPositions
from pipeline.errors import PipelineError
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.handles import FeedPlan
from pipeline.frame_path.owner.ledger import prune_ledgers
from pipeline.frame_path.publisher.publisher import PublisherSnapshot
from pipeline.messages import LedgerSnapshot

log = logging.getLogger(__name__)


class Supervisor:
    """Carries out a plan. `step()` once a second; not thread-safe but for `snapshot`."""

    def __init__(
        self,
        spec: RunSpec,
        plan: Plan,
        clock: Clock,
        starters: Starters | None = None,
        planner: Planner | None = None,
    ) -> None:
        """`planner` says when another plan is due; None: this one stays."""
        self._planner = planner or Planner(clock)
        self._uses: dict[str, LaneUse] = {}
        self._up = frozenset[str]()
        """Analyzers that answered when last looked at."""
        self._starters = starters or RayStarters()
        self._spec = spec
        self._plan = plan
        self._clock = clock
        self._accounts = Accounts(spec.state_dir, clock)
        self._crashes = Crashes(spec.state_dir)
        self._costs = ReadingCosts(spec.state_dir, clock)
        self._positions = ToldPositions(spec.state_dir)
        self._memory = MemoryUse(spec.state_dir, clock)
        self._model: ModelInfo | None = None
        self._published: dict[str, PublisherSnapshot] = {}
        self._changes = CameraChanges()
        self._assemble()

    def start(self, progress: Callable[[str], None], stop: threading.Event) -> None:
        """Starts the model, the publishers and the readers, side by side; returns when all have answered. Where a node
        is lost meanwhile, everything starts again on those that are left.

        Raises:
            PipelineError: an actor could not start, with its own reason; or `stop` was set meanwhile (`stopped`).
        """
        while True:
            try:
                return self._start_all(progress, stop)
            except PipelineError as error:
                plan = None if error.code == "stopped" else self._planner.next(self._plan, self._wish, {})
                if plan is None:
                    raise
                progress(f"starting again, for the nodes are others now: {error}")
            self.stop()
            self._plan = plan
            self._assemble()

    def _start_all(self, progress: Callable[[str], None], stop: threading.Event) -> None:
        prune_ledgers(self._spec.state_dir, self._spec.cameras)
        progress("loading the model")
        for crew in (self._analyzers, self._publishers, self._decoders):
            crew.begin()  # each is a process, which takes seconds to start
        self._analyzers.await_all(stop)
        self._model = self._analyzers.running[0].call("about")
        progress("opening the sinks")
        self._publishers.await_all(stop)
        progress("opening the cameras")
        self._decoders.await_all(stop)
        self._begin(list(self._decoders), BEGIN_SECONDS)

    def step(self) -> None:
        """One look at every node and actor; call it about once a second."""
        self._changes.step(self)
        uses = {worker.name: self._uses[worker.name] for worker in self._analyzers.running if worker.name in self._uses}
        if not self.is_changing:
            self._follow_load(uses)
        self._analyzers.see_off()
        self._analyzers.watch("use", self._uses)
        self._help_stranded()
        self._publishers.watch("snapshot", self._published)
        self._decoders.watch("beat", self._accounts.beats)
        self._costs.note(self._accounts.cameras)
        self._positions.note(self._accounts.cameras, [feed for each in self._plan.decoders for feed in each.feeds])
        self._memory.note(self._accounts.beats, uses.values())
        if up := self._analyzers.revive():
            self._changes.update(self, self._analyzers, up)
            self._decoders.tell("replace_analyzers", lambda name: (self._analyzers_for(name),))
        if up := self._publishers.revive():
            self._changes.update(self, self._publishers, up)
            self._decoders.tell("replace_publishers", lambda name: (self.publishers_for(name),))
        self._begin(self._decoders.revive(), BEGIN_AGAIN_SECONDS)

    def _follow_load(self, uses: Mapping[str, LaneUse]) -> None:
        """Another plan where one is due; cameras that move to another decoder do so as in any change of them."""
        up = {worker.name for worker in self._decoders.running}
        plan = self._planner.next(self._plan, self._wish, uses, self._costs.now, up)
        if plan is not None:
            self.carry_out(plan)
        elif self._planner.is_uneven(self._plan, up) and self.plan_for(self._spec).decoders != self._plan.decoders:
            self.change(Order(self._spec, frozenset(), frozenset()))

    def carry_out(self, plan: Plan) -> None:
        """Another plan from now on: what is new starts, what is gone ends, what has moved starts where it belongs now.

        Feeds that come to or leave a decoder which stays are the caller's to tell it.
        """
        before = self._plan
        for was in before.decoders:
            now = next((each for each in plan.decoders if each.name == was.name), None)
            if now is None:
                self._accounts.close(was.name, was.cameras)
                self._decoders.remove(was.name)
            elif now.node != was.node and self._decoders.member(was.name).state != "waiting":
                self._accounts.close(was.name, was.cameras)
                self._decoders.member(was.name).move(now.why)
        self._plan = plan
        for was in before.analyzers:
            now = next((each for each in plan.analyzers if each.name == was.name), None)
            if now is None and was.node is None:
                self._analyzers.retire(was.name)
            elif now is None or (now.node, now.lanes) != (was.node, was.lanes):
                self._analyzers.remove(was.name)
        for analyzer in plan.analyzers:
            if analyzer.name not in self._analyzers.names:
                self._analyzers.add(analyzer.name, partial(self._start_analyzer, analyzer.name))
        for decoder in plan.decoders:
            if decoder.name not in self._decoders.names:
                self._decoders.add(decoder.name, partial(self._start_decoder, decoder.name))
        self._decoders.tell("replace_analyzers", lambda name: (self._analyzers_for(name),))

    # --- other cameras ------------------------------------------------------------------------------------------

    def change(self, order: Order) -> Changeover:
        """Carries it out in the next steps; its `done` says when. Thread-safe."""
        return self._changes.request(order)

    @property
    def is_changing(self) -> bool:
        """The next steps should come soon."""
        return self._changes.is_under_way

    @property
    def spec(self) -> RunSpec:
        """What runs now. Thread-safe."""
        return self._spec

    def config(self) -> Config:
        """What runs now. Thread-safe."""
        return self._spec.config

    @property
    def analyzers(self) -> Crew:
        return self._analyzers

    @property
    def publishers(self) -> Crew:
        return self._publishers

    @property
    def decoders(self) -> Crew:
        return self._decoders

    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock.monotonic()

    def plan_for(self, spec: RunSpec) -> Plan:
        """Raises: PipelineError."""
        up = frozenset(worker.name for worker in self._decoders.running)
        return self._planner.anew(self._plan, replace(spec.wish(self._costs.cores, self._memory.needs), ready=up))

    def adopt(self, spec: RunSpec, plan: Plan) -> None:
        """Other cameras from now on; feeds of decoders that stay are the caller's to tell."""
        self._spec = spec
        self.carry_out(plan)

    def feed_plans(self, feeds: Sequence[Feed]) -> list[FeedPlan]:
        """Under new leases."""
        leases = self._accounts.lease([camera for feed in feeds for camera in feed])
        return [replace(self._spec.feed_plan(feed, leases), resume=self._positions.of(feed)) for feed in feeds]

    def note_closed(self, decoder: str, ledgers: Sequence[LedgerSnapshot]) -> None:
        """The accounts of cameras that have left their owner."""
        self._accounts.settle(decoder, ledgers)

    @property
    def plan(self) -> Plan:
        """What is carried out now."""
        return self._plan

    def snapshot(self) -> PipelineSnapshot:
        """What the last step saw."""
        return PipelineSnapshot(
            site=self._spec.site,
            taken_ns=self._clock.wall_ns(),
            model=self._model,
            cameras=self._accounts.cameras,
            closed=dict(self._accounts.closed),
            publishers=dict(self._published),
            actors=self._statuses(),
            nodes=self._planner.nodes,
            shortage=self._planner.shortage,
        )

    def running(self, kind: ActorKind) -> list[SupervisedWorker]:
        """The actors of one kind that answer. Thread-safe."""
        return {"decode": self._decoders, "analyze": self._analyzers, "publish": self._publishers}[kind].running

    def publisher_of(self, camera: str) -> SupervisedWorker:
        """Thread-safe.

        Raises:
            PipelineError: it does not run now.
        """
        name = self._plan.publisher_of(camera)
        found = next((worker for worker in self._publishers.running if worker.name == name), None)
        if found is None:
            raise PipelineError(f"{name} is being started again. Ask again in a few seconds", code="not_running")
        return found

    @property
    def is_finished(self) -> bool:
        """Every camera has ended for good (files), and what was read of it is settled: a slow model is waited for."""
        seen = {each.camera: each for each in self._accounts.cameras}
        if seen.keys() != self._spec.cameras.keys() or self.is_changing:
            return False
        return all(
            each.state == "failed" or (each.state == "ended" and not each.ledger.in_flight) for each in seen.values()
        )

    def drain(self, timeout_seconds: float) -> bool:
        """Readers stop, what is in flight is published and settled; True if nothing is left behind."""
        return drain(
            self._decoders,
            self._publishers,
            beats=self._accounts.beats,
            published=self._published,
            timeout_seconds=timeout_seconds,
            clock=self._clock,
        )

    def stop(self) -> None:
        """Ends every actor at once; `drain` first for a clean end."""
        for crew in (self._decoders, self._analyzers, self._publishers):
            crew.stop()

    # --- one actor ----------------------------------------------------------------------------------------------

    def _assemble(self) -> None:
        """The crews of the plan; nobody is started yet."""
        self._analyzers = Crew("analyze", self._clock, CrewMember.lost)
        self._publishers = Crew("publish", self._clock, CrewMember.lost)
        self._decoders = Crew("decode", self._clock, self._lose_decoder)
        for analyzer in self._plan.analyzers:
            self._analyzers.add(analyzer.name, partial(self._start_analyzer, analyzer.name))
        for publisher in self._plan.publishers:
            self._publishers.add(publisher.name, partial(self._start_publisher, publisher.name))
        for decoder in self._plan.decoders:
            self._decoders.add(decoder.name, partial(self._start_decoder, decoder.name))

    def _statuses(self) -> tuple[ActorStatus, ...]:
        plan = self._plan
        where = {each.name: {"node": each.node or "", "why": each.why} for each in (*plan.decoders, *plan.analyzers)}
        whose = {each.name: {"cameras": each.cameras} for each in (*plan.decoders, *plan.publishers)}
        members = (*self._decoders.statuses, *self._analyzers.statuses, *self._publishers.statuses)
        return tuple(replace(each, **where.get(each.name, {}), **whose.get(each.name, {})) for each in members)

    def _start_analyzer(self, name: str) -> SupervisedWorker:
        calls = sum(count for (_, analyzer), count in self._plan.credits.items() if analyzer == name)
        # Twice: more come while another analyzer is lost, and an actor cannot be told later.
        return self._starters.start_analyzer(self._spec.model, self._plan.analyzer(name), 2 * calls)

    def _start_publisher(self, name: str) -> SupervisedWorker:
        model = self._model or Promised(self._analyzers.first_started.begin("about"))
        calls = 2 * len(self._plan.decoders)
        return self._starters.start_publisher(self._spec.publish_spec(name, self._plan), model, calls)

    def _start_decoder(self, name: str) -> SupervisedWorker:
        plan = self._plan.decoder(name)
        if plan.node is None and not plan.is_floating:
            raise PipelineError(plan.why, code="no_node", where=name)
        feeds = self.feed_plans(plan.feeds)
        limits = BatchLimits(max_batch_size=max(each.max_batch_size for each in self._plan.analyzers))
        return self._starters.start_decoder(plan, feeds, self._spec.state_dir, limits)

    def _begin(self, members: Sequence[CrewMember], limit_seconds: float) -> None:
        names = [member.name for member in members]
        handles = self._analyzers_for, self.publishers_for
        self._decoders.tell("start", lambda name: tuple(each(name) for each in handles), names, limit_seconds)

    def _lose_decoder(self, member: CrewMember, reason: str) -> None:
        crash = self._crashes.note(member.name)
        member.lost(reason if crash is None else f"{crash[1]} while it read {crash[0]}")
        self._accounts.close(member.name, self._plan.decoder(member.name).cameras)
        if crash is not None and self._crashes.is_enough(crash[0]):
            self._isolate(crash[0])

    def _wish(self) -> Wish:
        return self._spec.wish(self._costs.cores, self._memory.needs)

    def _isolate(self, camera: str) -> None:
        """Its feed is read in a process of its own from the next start on, so that it takes down nobody else."""
        feed = self._plan.decoder(self._plan.decoder_of(camera)).feed_of(camera)
        plan = isolate(self._plan, feed, self._planner.wish(self._wish()))
        if plan is self._plan:
            return
        self._plan = plan
        name = plan.decoder_of(camera)
        log.warning("%s has crashed its decoder again: it is read by %s alone from now on", camera, name)
        self._decoders.add(name, partial(self._start_decoder, name))

    # --- who talks to whom --------------------------------------------------------------------------------------

    def _help_stranded(self) -> None:
        """Owners none of whose analyzers is up call the others meanwhile."""
        up = frozenset(worker.name for worker in self._analyzers.running)
        if up == self._up or not up:
            return
        self._up = up
        served = {owner for owner, analyzer in self._plan.credits if analyzer in up}
        stranded = [name for name in self._decoders.names if name not in served]
        self._decoders.tell("replace_analyzers", lambda name: (self._analyzers_for(name),), stranded)

    def _analyzers_for(self, decoder: str) -> list[tuple[str, Any, int]]:
        """Those that it has credits at; while none of them is up, one call at each of the others."""
        calls = self._plan.credits
        running = self._analyzers.running
        mine = [worker for worker in running if (decoder, worker.name) in calls]
        return [(worker.name, worker.actor, calls.get((decoder, worker.name), 1)) for worker in mine or running]

    def publishers_for(self, decoder: str) -> dict[str, tuple[str, Any]]:
        """Of each camera of this decoder, where its publisher is up."""
        mine = set(self._plan.decoder(decoder).cameras)
        running = {worker.name: worker.actor for worker in self._publishers.running}
        up = [each for each in self._plan.publishers if each.name in running]
        return {camera: (each.name, running[each.name]) for each in up for camera in each.cameras if camera in mine}
