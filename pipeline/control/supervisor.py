"""Who decides: starts the actors, hears their beats, starts the dead ones again under new leases, drains at the end.

The supervisor is the driver process. It never touches a frame: its loss stops no frame for ten seconds, and then the
owners stop by themselves.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

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
from pipeline.control.crew import BEGIN_AGAIN_SECONDS, BEGIN_SECONDS, CrewMember
from pipeline.control.crews import Crews
from pipeline.control.draining import drain
from pipeline.control.planning.memory_use import MemoryUse
from pipeline.control.planning.plan import Feed, LaneUse, Plan, Wish
from pipeline.control.planning.planner import Planner
from pipeline.control.planning.reading_costs import ReadingCosts
from pipeline.control.planning.specs import RunSpec
from pipeline.control.planning.topology import isolate
from pipeline.control.snapshot import ActorKind, PipelineSnapshot
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
        self._starters = starters or RayStarters()
        self._spec = spec
        self._clock = clock
        self._accounts = Accounts(spec.state_dir, clock)
        self._crashes = Crashes(spec.state_dir)
        self._costs = ReadingCosts(spec.state_dir, clock)
        self._positions = ToldPositions(spec.state_dir)
        self._memory = MemoryUse(spec.state_dir, clock)
        self._model: ModelInfo | None = None
        self._published: dict[str, PublisherSnapshot] = {}
        self._changes = CameraChanges()
        self.crews = self._assembled(plan)
        """Who runs, and the plan that they carry out. Thread-safe to ask who runs."""

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
                plan = None if error.code == "stopped" else self._planner.next(self.plan, self._wish, {})
                if plan is None:
                    raise
                progress(f"starting again, for the nodes are others now: {error}")
            self.stop()
            self.crews = self._assembled(plan)

    def _start_all(self, progress: Callable[[str], None], stop: threading.Event) -> None:
        prune_ledgers(self._spec.state_dir, self._spec.cameras)
        progress("loading the model")
        for crew in self.crews:
            crew.begin()  # each is a process, which takes seconds to start
        self.crews.analyzers.await_all(stop)
        self._model = self.crews.analyzers.running[0].call("about")
        progress("opening the sinks")
        self.crews.publishers.await_all(stop)
        progress("opening the cameras")
        self.crews.decoders.await_all(stop)
        self._begin(list(self.crews.decoders), BEGIN_SECONDS)

    def step(self) -> None:
        """One look at every node and actor; call it about once a second."""
        self._changes.step(self)
        crews = self.crews
        uses = {each.name: self._uses[each.name] for each in crews.analyzers.running if each.name in self._uses}
        if not self.is_changing:
            self._follow_load(uses)
        crews.analyzers.see_off()
        crews.analyzers.watch("use", self._uses)
        crews.help_stranded()
        crews.publishers.watch("snapshot", self._published)
        crews.decoders.watch("beat", self._accounts.beats)
        self._accounts.note()
        self._costs.note(self._accounts.cameras)
        self._positions.note(self._accounts.cameras, [feed for each in self.plan.decoders for feed in each.feeds])
        self._memory.note(self._accounts.beats, uses.values())
        if up := crews.analyzers.revive():
            self._changes.update(self, crews.analyzers, up)
            crews.tell_analyzers()
        if up := crews.publishers.revive():
            self._changes.update(self, crews.publishers, up)
            crews.tell_publishers()
        self._begin(crews.decoders.revive(), BEGIN_AGAIN_SECONDS)

    def _follow_load(self, uses: Mapping[str, LaneUse]) -> None:
        """Another plan where one is due; cameras that move to another decoder do so as in any change of them."""
        up = {worker.name for worker in self.crews.decoders.running}
        plan = self._planner.next(self.plan, self._wish, uses, self._costs.now, up)
        if plan is not None:
            self.carry_out(plan)
        elif self._planner.is_uneven(self.plan, up) and self.plan_for(self._spec).decoders != self.plan.decoders:
            self.change(Order(self._spec, frozenset(), frozenset()))

    def carry_out(self, plan: Plan) -> None:
        """Another plan from now on; feeds that come to or leave a decoder which stays are the caller's to tell it."""
        self.crews.carry_out(plan, lambda was: self._accounts.close(was.name, was.cameras))

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

    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock.monotonic()

    def plan_for(self, spec: RunSpec) -> Plan:
        """Raises: PipelineError."""
        up = frozenset(worker.name for worker in self.crews.decoders.running)
        return self._planner.anew(self.plan, replace(spec.wish(self._costs.cores, self._memory.needs), ready=up))

    def adopt(self, spec: RunSpec, plan: Plan) -> None:
        """Other cameras from now on; feeds of decoders that stay are the caller's to tell."""
        self._spec = spec
        self._accounts.unread.forget_others(spec.cameras)
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
        return self.crews.plan

    def snapshot(self) -> PipelineSnapshot:
        """What the last step saw."""
        return PipelineSnapshot(
            site=self._spec.site,
            taken_ns=self._clock.wall_ns(),
            model=self._model,
            cameras=self._accounts.cameras,
            closed=dict(self._accounts.closed),
            unread_seconds=self._accounts.unread.seconds,
            publishers=dict(self._published),
            actors=self.crews.statuses,
            nodes=self._planner.nodes,
            shortage=self._planner.shortage,
        )

    def running(self, kind: ActorKind) -> list[SupervisedWorker]:
        """The actors of one kind that answer. Thread-safe."""
        return self.crews.running(kind)

    def publisher_of(self, camera: str) -> SupervisedWorker:
        """Thread-safe.

        Raises:
            PipelineError: it does not run now.
        """
        name = self.plan.publisher_of(camera)
        found = next((worker for worker in self.crews.publishers.running if worker.name == name), None)
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
            self.crews.decoders,
            self.crews.publishers,
            beats=self._accounts.beats,
            published=self._published,
            timeout_seconds=timeout_seconds,
            clock=self._clock,
        )

    def stop(self) -> None:
        """Ends every actor at once; `drain` first for a clean end."""
        for crew in (self.crews.decoders, self.crews.analyzers, self.crews.publishers):
            crew.stop()

    # --- one actor ----------------------------------------------------------------------------------------------

    def _assembled(self, plan: Plan) -> Crews:
        start: dict[ActorKind, Callable[[str], SupervisedWorker]] = {
            "analyze": self._start_analyzer,
            "publish": self._start_publisher,
            "decode": self._start_decoder,
        }
        return Crews(plan, self._clock, start, self._lose_decoder)

    def _start_analyzer(self, name: str) -> SupervisedWorker:
        calls = sum(count for (_, analyzer), count in self.plan.credits.items() if analyzer == name)
        # Twice: more come while another analyzer is lost, and an actor cannot be told later.
        return self._starters.start_analyzer(self._spec.model, self.plan.analyzer(name), 2 * calls)

    def _start_publisher(self, name: str) -> SupervisedWorker:
        model = self._model or Promised(self.crews.analyzers.first_started.begin("about"))
        calls = 2 * len(self.plan.decoders)
        return self._starters.start_publisher(self._spec.publish_spec(name, self.plan), model, calls)

    def _start_decoder(self, name: str) -> SupervisedWorker:
        plan = self.plan.decoder(name)
        if plan.node is None and not plan.is_floating:
            raise PipelineError(plan.why, code="no_node", where=name)
        feeds = self.feed_plans(plan.feeds)
        limits = BatchLimits(max_batch_size=max(each.max_batch_size for each in self.plan.analyzers))
        return self._starters.start_decoder(plan, feeds, self._spec.state_dir, limits)

    def _begin(self, members: Sequence[CrewMember], limit_seconds: float) -> None:
        names = [member.name for member in members]
        handles = self.crews.analyzers_for, self.crews.publishers_for
        self.crews.decoders.tell("start", lambda name: tuple(each(name) for each in handles), names, limit_seconds)

    def _lose_decoder(self, member: CrewMember, reason: str) -> None:
        crash = self._crashes.note(member.name)
        member.lost(reason if crash is None else f"{crash[1]} while it read {crash[0]}")
        self._accounts.close(member.name, self.plan.decoder(member.name).cameras)
        if crash is not None and self._crashes.is_enough(crash[0]):
            self._isolate(crash[0])

    def _wish(self) -> Wish:
        return self._spec.wish(self._costs.cores, self._memory.needs)

    def _isolate(self, camera: str) -> None:
        """Its feed is read in a process of its own from the next start on, so that it takes down nobody else."""
        feed = self.plan.decoder(self.plan.decoder_of(camera)).feed_of(camera)
        plan = isolate(self.plan, feed, self._planner.wish(self._wish()))
        if plan is self.plan:
            return
        name = plan.decoder_of(camera)
        log.warning("%s has crashed its decoder again: it is read by %s alone from now on", camera, name)
        self.crews.add_new(plan)
