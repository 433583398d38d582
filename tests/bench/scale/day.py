"""A day: each hour by a window, one node lost in each; what an hour is, is summed with weights."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tests.bench.fairness import jain
from tests.bench.scale.fleet import CAMERA_FPS, NODE_CPUS, Fleet
from tests.bench.scale.load import Load, busy_share
from tests.bench.scale.parts import Outcome
from tests.bench.scale.service_times import ServiceTimes

HOUR_SECONDS = 3600.0
NOON = 12
ROOM = 0.7
"""Of a node that a plan for growth fills."""


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour without the loss."""

    hour: int
    busy: float
    age_p50_seconds: float
    age_p99_seconds: float
    analyzer_busy: float
    publisher_busy: float
    jain: float
    dropped_share: float
    nodes_needed: int


@dataclass(frozen=True, slots=True)
class Day:
    """All of it."""

    fleet: Fleet
    hours: tuple[Hour, ...]
    age_p50_seconds: float
    age_p99_seconds: float
    fates: dict[str, float]
    """Share of the sampled frames, with a node lost each hour."""
    fates_of_a_loss: dict[str, float]
    """The same within the seconds of a loss by day alone."""
    loss_seconds: float
    jain: float
    """The least of all hours."""
    node_hours: float
    """A camera and day, all nodes always there."""
    node_hours_grown: float
    """The same if nodes come and go with the hour."""


def simulate(fleet: Fleet, times: ServiceTimes, *, seconds: float, detect: float, restart: float) -> Day:
    """Windows of `seconds`; hours of the same load are one. A loss at noon stands for each hour's."""
    shares = [round(busy_share(hour), 2) for hour in range(24)]
    of_share = {busy: fleet.simulate(times, busy, seconds, seed=n) for n, busy in enumerate(dict.fromkeys(shares))}
    loss = fleet.lose_node(times, busy_share(NOON), detect=detect, restart=restart)
    hours = tuple(_hour(fleet, times, hour, busy, of_share[busy]) for hour, busy in enumerate(shares))
    ages: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    total: Counter[str] = Counter()
    quiet_seconds = HOUR_SECONDS - loss.seconds
    parts = [(found, shares.count(busy) * quiet_seconds / found.seconds) for busy, found in of_share.items()]
    for part, weight in (*parts, (loss, 24.0)):
        ages.append(np.asarray(part.ages))
        weights.append(np.full(len(part.ages), weight))
        for fate, count in part.fates.items():
            total[fate] += count * weight  # type: ignore[assignment]
    p50, p99 = _weighted(np.concatenate(ages), np.concatenate(weights), (0.5, 0.99))
    return Day(
        fleet=fleet,
        hours=hours,
        age_p50_seconds=p50,
        age_p99_seconds=p99,
        fates=_shares(total),
        fates_of_a_loss=_shares(loss.fates),
        loss_seconds=loss.seconds,
        jain=min(each.jain for each in hours),
        node_hours=24 * fleet.nodes / fleet.cameras,
        node_hours_grown=sum(each.nodes_needed for each in hours) / fleet.cameras,
    )


def _hour(fleet: Fleet, times: ServiceTimes, hour: int, busy: float, found: Outcome) -> Hour:
    p50, p99 = np.percentile(found.ages, (50, 99))
    offered = found.fates["analysed"] + found.fates["replaced"] + found.fates["stale"]
    return Hour(
        hour=hour,
        busy=busy,
        age_p50_seconds=float(p50),
        age_p99_seconds=float(p99),
        analyzer_busy=found.analyzer_busy,
        publisher_busy=found.publisher_busy,
        jain=jain(found.shares),
        dropped_share=1 - found.fates["analysed"] / offered,
        nodes_needed=nodes_needed(fleet, times, busy),
    )


def nodes_needed(fleet: Fleet, times: ServiceTimes, busy: float) -> int:
    """So many that neither decoding nor the model fills more than `ROOM` of them."""
    decode_cores = fleet.cameras * CAMERA_FPS * fleet.decode_core_seconds
    rate = Load(fleet.names, busy, 1.0).model_rate
    if fleet.gpus:
        return math.ceil(max(decode_cores / NODE_CPUS, rate / (times.gpu_rate * fleet.gpus)) / ROOM)
    return math.ceil((decode_cores + rate * times.lane_seconds) / NODE_CPUS / ROOM)


def _shares(counts: Mapping[str, float]) -> dict[str, float]:
    whole = sum(counts.values())
    return {fate: count / whole for fate, count in sorted(counts.items())}


def _weighted(values: np.ndarray, weights: np.ndarray, quantiles: tuple[float, ...]) -> list[float]:
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return [float(values[order][np.searchsorted(reached, each)]) for each in quantiles]
