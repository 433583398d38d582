"""All that is measured and simulated, as one value that can be kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import msgspec
import numpy as np

from tests.bench.fairness import jain
from tests.bench.runs import machine
from tests.bench.scale import control_plane, day, measure, overload, owners, publishers, reality
from tests.bench.scale.control_plane import ControlCost
from tests.bench.scale.day import Day, nodes_needed
from tests.bench.scale.fleet import Fleet
from tests.bench.scale.load import BUSY_BY_DAY, Load
from tests.bench.scale.overload import Overload
from tests.bench.scale.owners import OwnerCost
from tests.bench.scale.publishers import Rate
from tests.bench.scale.reality import Check
from tests.bench.scale.service_times import ASSUMED, GPU_RATES, Figure, ServiceTimes, service_times

SIZES = (100, 1000, 10_000)
NODES = {100: 2, 1000: 7, 10_000: 64}
"""Of 16 cores and a GPU each."""
WINDOW_SECONDS = {100: 20.0, 1000: 5.0, 10_000: 1.0}
"""Of each hour; the more cameras, the fewer seconds say as much."""
CPU_SIZES = (100, 1000)
PUBLISHERS_FILLED = 0.6


@dataclass(frozen=True, slots=True)
class Measured:
    """Of this machine."""

    machine: str
    figures: tuple[Figure, ...]
    rates: tuple[Rate, ...]
    owners: tuple[OwnerCost, ...]
    checks: tuple[Check, ...]
    control: tuple[ControlCost, ...]

    @property
    def values(self) -> dict[str, float]:
        return {each.name: each.value for each in self.figures}


@dataclass(frozen=True, slots=True)
class Noon:
    """One fleet at its busiest, no node lost."""

    fleet: Fleet
    what: str
    asked: float
    gives: float
    age_p50_seconds: float
    age_p99_seconds: float
    analyzer_busy: float
    jain: float
    dropped_share: float


def take(say: Callable[[str], None]) -> Measured:
    """Everything that is measured, one thing after the other."""
    say("reading and the model")
    with tempfile.TemporaryDirectory(prefix="dinostream-bench-") as folder:
        figures = [*measure.reading(Path(folder)), *measure.model()]
    say("publishers")
    rates, published = publishers.measure()
    say("owners")
    found = owners.measure()
    say("the simulation against threads")
    checks = reality.measure()
    figures += [*published, Figure("plumbing_seconds", reality.plumbing(checks), "s", "besides, a frame", "measured")]
    say("the supervisor")
    control = [control_plane.measure(size) for size in SIZES]
    return Measured(machine(), (*figures, *ASSUMED), tuple(rates), tuple(found), tuple(checks), tuple(control))


def with_publishers(found: Measured) -> Measured:
    """The same with the publishers measured anew."""
    rates, published = publishers.measure()
    fresh = {each.name: each for each in published}
    return replace(found, rates=tuple(rates), figures=tuple(fresh.get(each.name, each) for each in found.figures))


def keep(found: Measured, path: Path) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")


def kept(path: Path) -> Measured:
    return msgspec.json.decode(path.read_bytes(), type=Measured)


def fleet(size: int, values: dict[str, float], *, gpus: int = 1) -> Fleet:
    """With publishers enough; on CPUs with nodes enough."""
    count = max(1, round(size * 5.0 * publishers.shared_seconds(values) / PUBLISHERS_FILLED))
    found = Fleet(size, NODES[size], gpus, count, values["decode_core_seconds"])
    if gpus:
        return found
    needed = nodes_needed(found, service_times([Figure(k, v, "", "", "") for k, v in values.items()]), BUSY_BY_DAY)
    return replace(found, nodes=needed)


def noon(at: Fleet, times: ServiceTimes) -> Noon:
    """The windows of the day are longer where one alone must do."""
    found = at.simulate(times, BUSY_BY_DAY, 2 * WINDOW_SECONDS[at.cameras])
    p50, p99 = np.percentile(found.ages, (50, 99))
    dropped = found.fates["replaced"] + found.fates["stale"]
    slow = at.slowed(times)
    per_node = times.gpu_rate if at.gpus else 16 / (slow.lane_seconds * slow.lane_factor)
    return Noon(
        fleet=at,
        what=f"{times.gpu_rate:,.0f} pictures/s a GPU" if at.gpus else "CPU lanes",
        asked=Load(at.names, BUSY_BY_DAY, 1.0).model_rate,
        gives=per_node * at.nodes,
        age_p50_seconds=float(p50),
        age_p99_seconds=float(p99),
        analyzer_busy=found.analyzer_busy,
        jain=jain(found.shares),
        dropped_share=dropped / (dropped + found.fates["analysed"]),
    )


@dataclass(frozen=True, slots=True)
class Simulated:
    """From what was measured and assumed."""

    days: tuple[Day, ...]
    noons: tuple[Noon, ...]
    overloads: tuple[Overload, ...]


def simulate(found: Measured, say: Callable[[str], None]) -> Simulated:
    """All of it, on two processes."""
    with get_context("spawn").Pool(2) as pool:
        days = [pool.apply_async(_day, (found, size)) for size in reversed(SIZES)]
        over = [pool.apply_async(_overload, (found, size)) for size in reversed(SIZES)]
        jobs = [(size, rate) for size in SIZES for rate in GPU_RATES] + [(size, 0.0) for size in CPU_SIZES]
        noons = [pool.apply_async(_noon, (found, *job)) for job in jobs]
        say("simulating the days")
        got_days = [each.get() for each in reversed(days)]
        say("simulating overload")
        got_over = [row for each in reversed(over) for row in each.get()]
        return Simulated(tuple(got_days), tuple(each.get() for each in noons), tuple(got_over))


def _day(found: Measured, size: int) -> Day:
    values = found.values
    detect, restart = values["detect_seconds"], values["restart_seconds"]
    times = service_times(found.figures)
    return day.simulate(fleet(size, values), times, seconds=WINDOW_SECONDS[size], detect=detect, restart=restart)


def _overload(found: Measured, size: int) -> list[Overload]:
    return overload.simulate(fleet(size, found.values), service_times(found.figures))


def _noon(found: Measured, size: int, rate: float) -> Noon:
    values = found.values
    if not rate:
        return noon(fleet(size, values, gpus=0), service_times(found.figures))
    return noon(fleet(size, values), service_times(found.figures, gpu_rate=rate))
