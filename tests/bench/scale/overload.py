"""More asked than the analyzers give: what the number of credits does to ages, fairness and drops."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.control.planning.plan import Plan
from tests.bench.fairness import jain
from tests.bench.scale.fleet import Fleet
from tests.bench.scale.load import BUSY_BY_DAY, Load
from tests.bench.scale.service_times import ServiceTimes

ASKED = 1.25
"""Pictures asked for by pictures that the analyzers give."""
SECONDS = {100: 20.0, 1000: 10.0, 10_000: 5.0}


@dataclass(frozen=True, slots=True)
class Overload:
    """One fleet that is asked for too much."""

    cameras: int
    plan: str
    calls_at_an_analyzer: int
    age_p50_seconds: float
    age_p99_seconds: float
    jain: float
    dropped_share: float
    all_calls: int
    """Credits of all owners at all analyzers."""
    gives: float
    """Pictures/s of all analyzers."""


def simulate(fleet: Fleet, times: ServiceTimes) -> list[Overload]:
    """With a call of each owner at every analyzer, and with the credits of `make_plan`."""
    asked = Load(fleet.names, BUSY_BY_DAY, 1.0).model_rate
    rate = asked / ASKED / len(fleet.plan.analyzers)
    # A full batch takes its call's own time as well, which the rate has to make up for.
    batch = fleet.plan.analyzers[0].max_batch_size
    slow = replace(times, gpu_rate=batch / (batch / rate - times.gpu_call_seconds))
    plans = {"a call at each analyzer": everywhere(fleet.plan), "as planned": fleet.plan}
    return [_one(fleet, slow, what, plan) for what, plan in plans.items()]


def everywhere(plan: Plan) -> Plan:
    """What if each owner called every analyzer."""
    return replace(plan, credits={(owner.name, each.name): 1 for owner in plan.decoders for each in plan.analyzers})


def _one(fleet: Fleet, times: ServiceTimes, what: str, plan: Plan) -> Overload:
    found = fleet.simulate(times, BUSY_BY_DAY, SECONDS[fleet.cameras], plan=plan)
    p50, p99 = np.percentile(found.ages, (50, 99))
    dropped = found.fates["replaced"] + found.fates["stale"]
    first = plan.analyzers[0].name
    return Overload(
        cameras=fleet.cameras,
        plan=what,
        calls_at_an_analyzer=sum(number for (_, analyzer), number in plan.credits.items() if analyzer == first),
        age_p50_seconds=float(p50),
        age_p99_seconds=float(p99),
        jain=jain(found.shares),
        dropped_share=dropped / (dropped + found.fates["analysed"]),
        all_calls=sum(plan.credits.values()),
        gives=Load(fleet.names, BUSY_BY_DAY, 1.0).model_rate / ASKED,
    )
