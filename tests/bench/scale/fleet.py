"""Some cameras on some nodes: the real plan for them, its simulation, and the loss of a node on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from pipeline.control.planning.plan import Node, Offer, Plan, Wish
from pipeline.control.planning.topology import make_plan
from pipeline.frame_path.owner.batching import FairShare
from pipeline.frame_path.owner.config import SampleConfig
from tests.bench.scale.engine import Simulation
from tests.bench.scale.load import FPS, Load
from tests.bench.scale.parts import Outcome, Owner
from tests.bench.scale.service_times import ServiceTimes
from tests.fakes import owned

CAMERA_FPS = 25.0
NODE_CPUS = 16
WARM_SECONDS = 0.5
LOSS_AT_SECONDS = 1.5
AFTER_LOSS_SECONDS = 4.0
"""Simulated after the cameras of the lost node are read again."""


@dataclass(frozen=True)
class Fleet:
    """One site."""

    cameras: int
    nodes: int
    gpus: int
    """Of each node."""
    publishers: int
    decode_core_seconds: float
    """Of a core for one decoded picture."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(f"cam-{n:05d}" for n in range(self.cameras))

    @cached_property
    def wish(self) -> Wish:
        cores = CAMERA_FPS * self.decode_core_seconds
        return Wish(
            feeds=tuple((name,) for name in self.names),
            rates=dict.fromkeys(self.names, FPS),
            publishers=self.publishers,
            decode_cores=dict.fromkeys(self.names, cores),
        )

    @cached_property
    def offer(self) -> Offer:
        return Offer(tuple(Node(f"node-{n:02d}", NODE_CPUS, self.gpus) for n in range(self.nodes)))

    @cached_property
    def plan(self) -> Plan:
        return make_plan(self.wish, self.offer)

    @property
    def decode_share(self) -> float:
        """Of all cores, for decoding."""
        return self.cameras * CAMERA_FPS * self.decode_core_seconds / (self.nodes * NODE_CPUS)

    def slowed(self, times: ServiceTimes) -> ServiceTimes:
        """Lanes on a CPU have the cores that decoding leaves."""
        return times if self.gpus else replace(times, lane_factor=1 / max(0.05, 1 - self.decode_share))

    def simulate(
        self, times: ServiceTimes, busy: float, seconds: float, *, plan: Plan | None = None, seed: int = 0
    ) -> Outcome:
        """So many seconds of an hour in which this share of the cameras shows movement."""
        simulation = self._simulation(plan or self.plan, times, seed)
        until = WARM_SECONDS + seconds
        return simulation.run(Load(self.names, busy, until).arrivals(seed), until)

    def lose_node(self, times: ServiceTimes, busy: float, *, detect: float, restart: float, seed: int = 0) -> Outcome:
        """The same, and one node is gone on the way: known after `detect` seconds, read elsewhere `restart` later."""
        simulation = self._simulation(self.plan, times, seed)
        until = LOSS_AT_SECONDS + detect + restart + AFTER_LOSS_SECONDS
        gone = self.offer.nodes[0].id
        simulation.at(LOSS_AT_SECONDS, _lose, simulation, self.plan, gone)
        after = make_plan(self.wish, Offer(tuple(each for each in self.offer.nodes if each.id != gone)), self.plan)
        simulation.at(LOSS_AT_SECONDS + detect, _notice, simulation, self.plan, gone)
        simulation.at(LOSS_AT_SECONDS + detect + restart, _read_again, simulation, self.plan, after, gone)
        return simulation.run(Load(self.names, busy, until).arrivals(seed), until)

    def _simulation(self, plan: Plan, times: ServiceTimes, seed: int) -> Simulation:
        sample = SampleConfig(fps=FPS)
        cameras = [owned(name, sample=sample) for name in self.names]
        return Simulation(plan, cameras, self.slowed(times), seed=seed, begins_at=WARM_SECONDS)


def _lose(simulation: Simulation, plan: Plan, node: str) -> None:
    """What waits at its analyzer hangs; what its owners hold is lost, and nobody reads their cameras."""
    for each in plan.analyzers:
        if each.node == node:
            analyzer = simulation.analyzers[each.name]
            analyzer.is_alive = False
            for call in {id(call): call for call, _ in analyzer.waiting}.values():
                simulation.hang(call)
            analyzer.waiting.clear()
    for decoder in plan.decoders:
        if decoder.node == node:
            owner = simulation.owners[decoder.name]
            owner.is_alive = False
            simulation.count("lost", sum(len(camera.mailbox) for camera in owner.waiting.values()))
            for camera in owner.waiting.values():
                camera.mailbox.clear()
            owner.waiting.clear()
            owner.free.clear()


def _notice(simulation: Simulation, plan: Plan, node: str) -> None:
    """No owner has a credit there any more."""
    gone = {each.name for each in plan.analyzers if each.node == node}
    for owner in simulation.owners.values():
        owner.free = [seat for seat in owner.free if seat.analyzer.plan.name not in gone]


def _read_again(simulation: Simulation, before: Plan, after: Plan, node: str) -> None:
    """Its cameras under new leases, where the new plan puts them."""
    for decoder in before.decoders:
        if decoder.node == node:
            fresh = Owner(decoder.name, FairShare(simulation.limits))
            simulation.owners[decoder.name] = fresh
            for name in after.decoder(decoder.name).cameras:
                simulation.cameras[name].owner = fresh
    simulation.seat(after)
