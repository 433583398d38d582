"""One, two and four raylets on this machine under one load, and the same cameras in one process without Ray.

The load is cameras of small pictures from files in realtime. First so many that about half of two cores is in use, then
more than they give: files wait then, and nothing is replaced. Rounds go 0-1-2-4-4-2-1-0 raylets, so that what else runs
falls on all alike. More nodes cannot give more on the same cores: what is seen is what each of them takes.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from operators.camera import CameraSpec
from pipeline.control.planning.plan import Node, Offer, Wish
from pipeline.control.planning.topology import make_plan
from pipeline.frame_path.owner.config import SampleConfig
from pipeline.frame_path.owner.handles import OwnedCamera
from tests.bench.runs import machine
from tests.bench.scale.engine import Simulation
from tests.bench.scale.processes import core_seconds
from tests.bench.scale.service_times import SHAPE, ServiceTimes
from tests.bench.scale.site import FPS, NAMES, Seen, Site, node_cpus

RAYLETS = (0, 1, 2, 4)
SECONDS = 12.0
SETTLE_SECONDS = 3.0
SIMULATED_SECONDS = 30.0
CARRIED = 0.9
"""Of what is asked at the lower load."""
HOP_SECONDS = 0.003
"""Both hops of a call through Ray; measured earlier on two cores."""


@dataclass(frozen=True, slots=True)
class Window:
    """Some seconds of one load; of several rounds the medians."""

    raylets: int
    """0: one process without Ray."""
    fps: float
    """Asked of each camera."""
    analysed: float
    """A second, of all cameras."""
    age_p50_seconds: float
    """From ingest to published."""
    age_p99_seconds: float
    lane_seconds: float
    """A picture in the model, by the clock."""
    cores: dict[str, float]
    """In use, by kind of process."""
    phases: dict[str, float]
    """By camera, when its pictures come: seconds beyond a multiple of their period."""
    foretold: float = 0.0
    """Pictures/s, by the simulation."""
    foretold_p50_seconds: float = 0.0

    @property
    def core_seconds(self) -> float:
        """Of a core for a frame, all processes together."""
        return sum(self.cores.values()) / self.analysed


@dataclass(frozen=True, slots=True)
class Curve:
    """All rounds."""

    machine: str
    windows: tuple[Window, ...]
    idle: dict[int, dict[str, float]]
    """Raylets -> cores in use while nothing runs on them, by kind."""

    @property
    def is_carried(self) -> bool:
        """Whether the lower load was: else the machine had no cores to spare, and costs a frame say nothing."""
        return all(each.analysed >= CARRIED * each.fps * len(NAMES) for each in self.windows if each.fps == FPS[0])

    def at(self, raylets: int, fps: float) -> Window:
        return next(each for each in self.windows if (each.raylets, each.fps) == (raylets, fps))


def measure(say: Callable[[str], None]) -> Curve:
    """Every round, and what the simulation says of each."""
    seen: dict[tuple[int, float], list[Window]] = {}
    idle: dict[int, list[Mapping[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="dinostream-bench-") as folder:
        for number, raylets in enumerate((*RAYLETS, *reversed(RAYLETS))):
            say(f"raylets: {raylets}" if raylets else "one process without Ray")
            with Site(Path(folder) / str(number), raylets) as site:
                if raylets:
                    idle.setdefault(raylets, []).append(_cores(SETTLE_SECONDS))
                site.start()
                for fps in FPS:
                    site.ask(fps)
                    _rest(SETTLE_SECONDS)
                    seen.setdefault((raylets, fps), []).append(_window(site, raylets, fps))
    windows = [_middle(found) for found in seen.values()]
    plumbing = max(0.0, windows[0].age_p50_seconds - windows[0].lane_seconds)
    return Curve(
        machine=machine(),
        windows=tuple(_foretold(each, plumbing) for each in windows),
        idle={raylets: _mean(found) for raylets, found in idle.items()},
    )


def _rest(seconds: float) -> None:
    threading.Event().wait(seconds)


def _cores(seconds: float) -> dict[str, float]:
    """In use on average, by kind of process, over so many seconds from now."""
    before = core_seconds()
    _rest(seconds)
    return {kind: max(0.0, spent - before.get(kind, 0.0)) / seconds for kind, spent in core_seconds().items()}


def _window(site: Site, raylets: int, fps: float) -> Window:
    began_ns = site.now_ns()
    cores = _cores(SECONDS)
    seen = site.results(began_ns, site.now_ns())
    p50, p99 = np.percentile([each.age_seconds for each in seen], (50, 99))
    return Window(
        raylets=raylets,
        fps=fps,
        analysed=len(seen) / SECONDS,
        age_p50_seconds=float(p50),
        age_p99_seconds=float(p99),
        lane_seconds=statistics.median(each.lane_seconds for each in seen),
        cores=cores,
        phases=_phases(seen, 1 / fps),
    )


def _phases(seen: Sequence[Seen], period: float) -> dict[str, float]:
    """Of each camera: the middle of where its pictures come within a period, which is a circle."""
    found: dict[str, float] = {}
    for name in NAMES:
        turns = [2j * np.pi * (each.ingest_seconds % period) / period for each in seen if each.camera == name]
        angle = float(np.angle(np.mean(np.exp(turns)))) if turns else 0.0
        found[name] = angle / (2 * np.pi) % 1.0 * period
    return found


def _middle(found: Sequence[Window]) -> Window:
    names = ("analysed", "age_p50_seconds", "age_p99_seconds", "lane_seconds")
    medians = {name: statistics.median(getattr(each, name) for each in found) for name in names}
    return replace(found[0], cores=_mean([each.cores for each in found]), **medians)


def _mean(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    kinds = sorted({kind for each in found for kind in each})
    return {kind: statistics.mean(each.get(kind, 0.0) for each in found) for kind in kinds}


def _foretold(window: Window, plumbing_seconds: float) -> Window:
    """With what the simulation says of it, told how long the lane took and what a frame takes besides without Ray."""
    wish = Wish(tuple((name,) for name in NAMES), dict.fromkeys(NAMES, window.fps))
    nodes = tuple(Node(f"node-{n}", cpus) for n, cpus in enumerate(node_cpus(window.raylets)))
    times = ServiceTimes(
        lane_seconds=window.lane_seconds,
        gpu_rate=1.0,
        gpu_call_seconds=0.0,
        hop_seconds=HOP_SECONDS if window.raylets else 0.0,
        intake_seconds=0.0,
        plumbing_seconds=plumbing_seconds,
        publish_call_seconds=0.0,
        publish_result_seconds=0.0,
    )
    sample = SampleConfig(fps=window.fps)
    cameras = [OwnedCamera(CameraSpec(name, SHAPE), 1, sample, is_replayable=False) for name in NAMES]
    simulation = Simulation(make_plan(wish, Offer(nodes)), cameras, times, seed=0)
    ticks = range(int(SIMULATED_SECONDS * window.fps))
    arrivals = sorted((window.phases[name] + n / window.fps, name, False) for name in NAMES for n in ticks)
    found = simulation.run(arrivals, SIMULATED_SECONDS)
    return replace(
        window,
        foretold=found.fates["analysed"] / SIMULATED_SECONDS,
        foretold_p50_seconds=float(np.median(found.ages)),
    )


def keep(found: Curve, path: Path) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")


def kept(path: Path) -> Curve:
    return msgspec.json.decode(path.read_bytes(), type=Curve)
