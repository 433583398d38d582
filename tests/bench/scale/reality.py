"""The simulation against the real thing: owner, readers, credits, lanes and threads in this process, without Ray.

The model is a lane that is busy for a given time, or the real backbone; the simulation is told how long its calls took
and what one frame takes besides, both measured in the runs, and must then say the ages and what is dropped.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from operators.backbone import Engine, load_backbone
from operators.camera import CameraSpec
from operators.frames import Item
from operators.results import Analysis
from pipeline.clock import SystemClock
from pipeline.control.bare_model import TAPS
from pipeline.control.planning.plan import Offer, Plan, Wish
from pipeline.control.planning.topology import make_plan
from pipeline.frame_path.lanes import LaneLimits, LanePool
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.config import SampleConfig
from pipeline.frame_path.owner.handles import FeedPlan, OwnedCamera
from pipeline.frame_path.owner.owner import Owner
from pipeline.messages import CameraSnapshot
from tests.bench.scale.engine import Simulation
from tests.bench.scale.service_times import SHAPE, ServiceTimes
from tests.fakes import FakePublisher, Script, Show, analysis_of

CPUS = 2
SECONDS = 8.0
LANE_SECONDS = 0.060
LONELY_FPS = 4.0
LOADS = ((2, 10.0), (4, 12.0))
"""(cameras, pictures/s of each): 0.6 and 1.44 of what two lanes can."""
Compute = Callable[[Sequence[Item]], list[Analysis]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one load came to."""

    age_p50_seconds: float
    dropped_share: float
    """Replaced and stale, of all that asked for the model."""


@dataclass(frozen=True, slots=True)
class Check:
    """One load, as it was and as it was foretold."""

    what: str
    cameras: int
    fps: float
    lane_seconds: float
    plumbing_seconds: float
    real: Seen
    simulated: Seen

    @property
    def age_factor(self) -> float:
        """At least 1, whichever is larger."""
        pair = sorted((self.real.age_p50_seconds, self.simulated.age_p50_seconds))
        return pair[1] / pair[0]


@dataclass(slots=True)
class TimedLane:
    """Notes how long each call takes."""

    compute: Compute
    spent: list[float] = field(default_factory=list)

    def __call__(self, items: Sequence[Item]) -> list[Analysis]:
        began = time.perf_counter()
        found = self.compute(items)
        self.spent.append(time.perf_counter() - began)
        return found


class PooledAnalyzer:
    """A handle at lanes of this process."""

    name = "analyze-0"

    def __init__(self, pool: LanePool) -> None:
        self.analyze = pool.analyze


def measure() -> list[Check]:
    """Two loads of a lane that waits, under and above what it can; one of the real backbone."""
    wait = threading.Event()

    def rest(items: Sequence[Item]) -> list[Analysis]:
        wait.wait(LANE_SECONDS)
        return [analysis_of(each) for each in items]

    plumbing = max(0.0, _real(1, LONELY_FPS, lane := TimedLane(rest)).age_p50_seconds - statistics.median(lane.spent))
    checks = [
        _check("a lane that waits", count, fps, TimedLane(rest), plumbing) for count, fps in ((2, 10.0), (4, 12.0))
    ]
    torch.set_num_threads(1)
    backbone = load_backbone("dinov2_vits14", "random")
    engine = Engine(backbone)

    def run(items: Sequence[Item]) -> list[Analysis]:
        engine.run(np.stack([each.pixels for each in items]), TAPS)
        return [analysis_of(each) for each in items]

    return [*checks, _check("the real backbone", 4, 5.0, TimedLane(run), plumbing)]


def plumbing(checks: Sequence[Check]) -> float:
    """What one frame took besides its lane where nothing else was under way."""
    return checks[0].plumbing_seconds


def _check(what: str, cameras: int, fps: float, lane: TimedLane, plumbing_seconds: float) -> Check:
    real = _real(cameras, fps, lane)
    times = ServiceTimes(
        lane_seconds=statistics.mean(lane.spent),
        gpu_rate=1.0,
        gpu_call_seconds=0.0,
        hop_seconds=0.0,
        intake_seconds=0.0,
        plumbing_seconds=plumbing_seconds,
        publish_call_seconds=0.0,
        publish_result_seconds=0.0,
    )
    return Check(what, cameras, fps, times.lane_seconds, plumbing_seconds, real, _simulated(cameras, fps, times))


def _names(cameras: int) -> list[str]:
    return [f"cam-{n}" for n in range(cameras)]


def _plan(cameras: int, fps: float) -> Plan:
    names = _names(cameras)
    return make_plan(Wish(tuple((name,) for name in names), dict.fromkeys(names, fps)), Offer.of(CPUS))


def _owned(name: str) -> OwnedCamera:
    return OwnedCamera(CameraSpec(name, SHAPE), 7, SampleConfig(), is_replayable=False)


def _due(camera: int, cameras: int, fps: float) -> Iterator[float]:
    """Seconds from the beginning; cameras come one after the other, as far apart as they can."""
    at = camera / cameras / fps
    while True:
        yield at
        at += 1 / fps


def _real(cameras: int, fps: float, compute: Compute) -> Seen:
    plan = _plan(cameras, fps)
    analyzer = plan.analyzers[0]
    clock = SystemClock()
    pool = LanePool(compute, LaneLimits(analyzer.lanes, analyzer.max_batch_size, analyzer.max_wait_seconds), clock)
    publisher = FakePublisher()
    began, never = time.monotonic() + 0.5, threading.Event()

    def feed(n: int, name: str) -> FeedPlan:
        due = _due(n, cameras, fps)

        def pause() -> None:
            never.wait(max(0.0, began + next(due) - time.monotonic()))

        script = Script(name, [Show(10**9)], fps=fps, pause=pause)
        return FeedPlan((_owned(name),), script.feed)

    with tempfile.TemporaryDirectory(prefix="dinostream-bench-") as folder:
        owner = Owner(
            "decode-0",
            [feed(n, name) for n, name in enumerate(_names(cameras))],
            analyzers=[(PooledAnalyzer(pool), plan.credits["decode-0", analyzer.name])],
            publisher_of=lambda _: publisher,
            clock=clock,
            state_dir=Path(folder),
            limits=BatchLimits(max_batch_size=analyzer.max_batch_size),
            unreached_seconds=10 * SECONDS,
        )
        owner.start()
        never.wait(SECONDS + 0.5)
        found = owner.snapshot()
        owner.stop(10.0)
        pool.close()
    return _seen(found)


def _seen(found: Sequence[CameraSnapshot]) -> Seen:
    dropped = sum(each.ledger.replaced + each.ledger.stale for each in found)
    analysed = sum(each.ledger.analysed for each in found)
    ages = [each.age_p50_seconds for each in found if each.age_p50_seconds is not None]
    return Seen(statistics.mean(ages), dropped / (dropped + analysed))


def _simulated(cameras: int, fps: float, times: ServiceTimes) -> Seen:
    names = _names(cameras)
    simulation = Simulation(_plan(cameras, fps), [_owned(name) for name in names], times, seed=0)
    due = {name: _due(n, cameras, fps) for n, name in enumerate(names)}
    ticks = int(SECONDS * fps)
    arrivals = sorted((next(due[name]), name, False) for name in names for _ in range(ticks))
    found = simulation.run(arrivals, SECONDS)
    dropped = found.fates["replaced"] + found.fates["stale"]
    return Seen(statistics.median(found.ages), dropped / (dropped + found.fates["analysed"]))
