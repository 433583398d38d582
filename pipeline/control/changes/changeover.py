"""Other cameras while everything runs: who is told what, in which order, so that nobody meets a camera unprepared.

Analyzers and publishers know a camera before its first frame is read, and forget it after its last one is settled. Each
part is carried out in a step of the supervisor, which hears its actors in between.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from operators.camera import CameraSpec
from pipeline.control.actors.starters import SupervisedWorker
from pipeline.control.crews import Crews
from pipeline.control.planning.plan import DecoderPlan, Feed, Plan
from pipeline.control.planning.specs import RunSpec
from pipeline.errors import PipelineError
from pipeline.frame_path.owner.handles import FeedPlan
from pipeline.frame_path.publisher.published import PublishedCamera
from pipeline.messages import LedgerSnapshot

log = logging.getLogger(__name__)

SETTLE_SECONDS = 8.0
"""How long an owner may take to settle what is in flight of cameras that leave it."""
PATIENCE_SECONDS = 30.0
"""An owner that has not let go of a camera after this is ended and replaced."""


@dataclass(frozen=True, slots=True)
class Order:
    """What shall run from now on."""

    spec: RunSpec
    changed: frozenset[str]
    """Cameras that go on under another configuration, without a gap."""
    reopened: frozenset[str]
    """Cameras whose feed is opened anew, under a new lease."""


class Control(Protocol):
    """The supervisor, as it lets a changeover do its part."""

    @property
    def crews(self) -> Crews: ...
    @property
    def spec(self) -> RunSpec: ...
    @property
    def plan(self) -> Plan: ...
    def plan_for(self, spec: RunSpec) -> Plan: ...
    def adopt(self, spec: RunSpec, plan: Plan) -> None: ...
    def carry_out(self, plan: Plan) -> None: ...
    def feed_plans(self, feeds: Sequence[Feed]) -> list[FeedPlan]: ...
    def note_closed(self, decoder: str, ledgers: Sequence[LedgerSnapshot]) -> None: ...
    def now(self) -> float: ...


class Changeover:
    """One order. `step` belongs to the supervisor's loop; `done` may be waited for by others."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.done = threading.Event()
        """Every actor that runs has it; one that is started later is started with it."""
        self.failure: PipelineError | None = None
        """Nothing was changed."""
        self._steps: Iterator[None] | None = None
        self._cameras: tuple[CameraSpec, ...] = ()
        self._published: Mapping[str, tuple[PublishedCamera, ...]] = {}

    def step(self, control: Control) -> None:
        """The next part."""
        try:
            if self._steps is None:
                plan = control.plan_for(self.order.spec)
                self._know_both(control, plan)
                self._steps = self._parts(control, plan)
            next(self._steps)
        except StopIteration:
            self.done.set()
        except PipelineError as error:
            self.failure = error
            self.done.set()

    @property
    def cameras(self) -> tuple[CameraSpec, ...]:
        """Whom analyzers know now."""
        return self._cameras

    def published(self, publisher: str) -> tuple[PublishedCamera, ...]:
        """Whom this publisher knows now."""
        return self._published[publisher]

    def _know_both(self, control: Control, plan: Plan) -> None:
        """Those that come, and those that have not left yet."""
        was, now = control.spec, self.order.spec
        leaving = [camera for camera in was.cameras if camera not in now.cameras]
        self._cameras = (*now.model.cameras, *(was.camera_spec(camera) for camera in leaving))
        self._published = {
            each.name: (
                *(now.published(camera) for camera in each.cameras),
                *(was.published(camera) for camera in control.plan.publisher(each.name).cameras if camera in leaving),
            )
            for each in plan.publishers
        }

    def _know_the_new(self, plan: Plan) -> None:
        now = self.order.spec
        self._cameras = now.model.cameras
        self._published = {each.name: tuple(now.published(name) for name in each.cameras) for each in plan.publishers}

    # --- the parts --------------------------------------------------------------------------------------------------

    def _parts(self, control: Control, plan: Plan) -> Iterator[None]:
        control.crews.analyzers.tell("change", lambda _: (self.cameras,))
        yield
        control.crews.publishers.tell("change", lambda name: (self.published(name),))
        yield
        before = control.plan
        control.adopt(self.order.spec, _with_emptied(before, plan))
        moves = [_Moves.of(each, plan, self.order.reopened) for each in before.decoders]
        self._start_anew(control, moves)
        read = {camera for each in before.decoders for camera in each.cameras}
        owners = {each.name: worker for each in moves if (worker := control.crews.decoders.member(each.name).running)}
        self._change(control, owners)
        self._add(control, owners, {each.name: [feed for feed in each.come if read.isdisjoint(feed)] for each in moves})
        yield from self._let_go(control, {each.name: each.go for each in moves if each.go}, owners)
        self._add(
            control, owners, {each.name: [feed for feed in each.come if not read.isdisjoint(feed)] for each in moves}
        )
        self._know_the_new(plan)
        yield
        control.crews.publishers.tell("change", lambda name: (self.published(name),))
        yield
        control.crews.analyzers.tell("change", lambda _: (self.cameras,))
        control.carry_out(_without(control.plan, _names(before) - _names(plan)))

    def _start_anew(self, control: Control, moves: Sequence[_Moves]) -> None:
        """Those that are on their way were given the cameras of before."""
        touched = self.order.changed | self.order.reopened
        for each in moves:
            member = control.crews.decoders.member(each.name)
            if member.state == "starting" and (each.go or each.come or not touched.isdisjoint(each.cameras)):
                member.move("its cameras changed while it started")

    def _change(self, control: Control, owners: Mapping[str, SupervisedWorker]) -> None:
        spec, changed = self.order.spec, self.order.changed
        mine = {
            name: [spec.owned(camera, 0) for camera in control.plan.decoder(name).cameras if camera in changed]
            for name in owners
        }
        control.crews.decoders.tell("change", lambda name: (mine[name],), [name for name in mine if mine[name]])

    def _add(
        self, control: Control, owners: Mapping[str, SupervisedWorker], come: Mapping[str, Sequence[Feed]]
    ) -> None:
        """An owner that was started since has its feeds already."""
        names = [name for name, worker in owners.items() if control.crews.decoders.member(name).running is worker]
        wanted = {name: control.feed_plans(come[name]) for name in names if come[name]}
        control.crews.decoders.tell(
            "add_feeds", lambda name: (wanted[name], control.crews.publishers_for(name)), list(wanted)
        )

    def _let_go(
        self, control: Control, go: Mapping[str, Sequence[Feed]], owners: Mapping[str, SupervisedWorker]
    ) -> Iterator[None]:
        """Until every owner that still runs has settled what leaves it."""
        asked: dict[str, Any] = {}
        for name in go.keys() & owners.keys():
            cameras = [camera for feed in go[name] for camera in feed]
            asked[name] = owners[name].begin("remove_feeds", cameras, SETTLE_SECONDS)
        deadline = control.now() + PATIENCE_SECONDS
        while asked:
            yield
            for name in list(asked):
                member, worker = control.crews.decoders.member(name), owners[name]
                if member.running is not worker:
                    del asked[name]  # it died; its accounts were read where it left them
                    continue
                if worker.is_answered(asked[name]):
                    try:
                        control.note_closed(name, worker.collect(asked.pop(name), PATIENCE_SECONDS))
                    except PipelineError as error:
                        control.crews.decoders.lose(member, str(error))
                elif control.now() > deadline:
                    del asked[name]
                    control.crews.decoders.lose(member, "it does not let go of its cameras")


@dataclass(frozen=True, slots=True)
class _Moves:
    """What becomes of one decoder that was there before."""

    name: str
    cameras: tuple[str, ...]
    go: tuple[Feed, ...]
    come: tuple[Feed, ...]

    @classmethod
    def of(cls, before: DecoderPlan, plan: Plan, reopened: frozenset[str]) -> _Moves:
        now = next((each.feeds for each in plan.decoders if each.name == before.name), ())

        def is_same(feed: Feed, others: Sequence[Feed]) -> bool:
            return feed in others and reopened.isdisjoint(feed)

        return cls(
            before.name,
            before.cameras,
            tuple(feed for feed in before.feeds if not is_same(feed, now)),
            tuple(feed for feed in now if not is_same(feed, before.feeds)),
        )


def _names(plan: Plan) -> set[str]:
    return {each.name for each in plan.decoders}


def _without(plan: Plan, going: Collection[str]) -> Plan:
    """Without these decoders."""
    decoders = tuple(each for each in plan.decoders if each.name not in going)
    calls = {pair: count for pair, count in plan.credits.items() if pair[0] not in going}
    return replace(plan, decoders=decoders, credits=calls)


def _with_emptied(before: Plan, plan: Plan) -> Plan:
    """The plan, with those decoders that will go: they settle their cameras first."""
    names = _names(plan)
    going = [replace(each, feeds=()) for each in before.decoders if each.name not in names]
    analyzers = {each.name for each in plan.analyzers}
    calls = {
        (decoder, analyzer): count
        for (decoder, analyzer), count in before.credits.items()
        if decoder not in names and analyzer in analyzers
    }
    has_calls = {decoder for decoder, _ in calls}
    for each in going:
        if each.name not in has_calls:
            calls |= {(each.name, analyzer): 1 for analyzer in analyzers}
    return replace(plan, decoders=(*plan.decoders, *going), credits={**plan.credits, **calls})
