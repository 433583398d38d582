"""Cameras by the thousand in the real supervisor, with actors that answer and do nothing: what deciding costs."""

from __future__ import annotations

import logging
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import yaml
from prometheus_client import generate_latest

from pipeline.clock import SystemClock
from pipeline.config import load_config
from pipeline.control.model import ModelSpec
from pipeline.control.planning.plan import Node, Offer, Plan
from pipeline.control.planning.specs import RunSpec
from pipeline.control.planning.topology import make_plan
from pipeline.control.serving.health import judge
from pipeline.control.serving.telemetry import registry
from pipeline.control.supervisor import Supervisor
from tests.bench.scale.still_actors import StillStarters

CAMERAS_PER_NODE = 150
NODE_CPUS = 16
STEPS = 5
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ControlCost:
    """What the supervisor spends on so many cameras; seconds of one core, without waits for the disk."""

    cameras: int
    nodes: int
    decoders: int
    calls_at_an_analyzer: int
    """Credits of all owners together at one analyzer."""
    load_seconds: float
    """Reading and checking the YAML."""
    plan_seconds: float
    replan_seconds: float
    """After the loss of a node."""
    start_seconds: float
    """All of the supervisor's own part; the actors start at once. Besides, each decoder's leases wait for the disk."""
    step_seconds: float
    """Once a second: a beat of each actor, and what came back."""
    loss_seconds: float
    """The step after a node is lost: plan carried out, actors moved."""
    memory_bytes: int
    """Of the supervisor, its plan and snapshots; without the interpreter, the configuration and Ray."""
    metrics_bytes: int
    metrics_seconds: float
    health_seconds: float

    def json(self) -> dict[str, float]:
        return asdict(self)


def offer_for(cameras: int, gpus: int = 1) -> Offer:
    """As many nodes as these cameras need."""
    count = -(-cameras // CAMERAS_PER_NODE)
    return Offer(tuple(Node(f"node-{n:02d}", NODE_CPUS, gpus) for n in range(count)))


def run_spec(folder: Path, cameras: int, publishers: int = 1) -> RunSpec:
    """The configuration of so many cameras at five pictures a second, read from a file as a user writes it."""
    path = folder / "cameras.yaml"
    document = {
        "version": 1,
        "cameras": {
            f"cam-{n:05d}": {"source": {"url": f"rtsp://cameras.example/{n}"}, "sample": {"fps": 5, "gate": {}}}
            for n in range(cameras)
        },
        "sinks": {"jsonl": {"path": str(folder / "out")}},
        "runtime": {"state_dir": str(folder / "state"), "publishers": publishers},
    }
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    (folder / "state").mkdir()
    config = load_config(path)
    specs = tuple(config.camera_spec(camera) for camera in config.cameras)
    return RunSpec(config, ModelSpec(config.model, config.heads, specs, folder / "artefacts", {}))


def measure(cameras: int) -> ControlCost:
    """Starts, steps, loses a node and is scraped."""
    logging.getLogger("pipeline").setLevel(logging.ERROR)  # each move is news elsewhere
    with tempfile.TemporaryDirectory(prefix="dinostream-bench-") as name:
        spec, load_seconds = _timed(lambda: run_spec(Path(name), cameras))
        offer = offer_for(cameras)
        plan, plan_seconds = _timed(lambda: make_plan(spec.wish(), offer))
        less = Offer(offer.nodes[1:] or offer.nodes)
        after, replan_seconds = _timed(lambda: make_plan(spec.wish(), less, before=plan))
        starters = StillStarters()
        supervisor, start_seconds = _timed(lambda: _start(spec, plan, starters))
        _, steps_seconds = _timed(lambda: [supervisor.step() for _ in range(STEPS)])
        snapshot = supervisor.snapshot()
        pages = registry(supervisor.snapshot)
        page, metrics_seconds = _timed(lambda: generate_latest(pages))
        _, health_seconds = _timed(lambda: judge(snapshot, frozenset({"jsonl"}), 0))
        _, loss_seconds = _timed(lambda: _lose(supervisor, after))
        supervisor.stop()
        memory_bytes = _memory(spec, plan)
    first = plan.analyzers[0].name
    return ControlCost(
        cameras=cameras,
        nodes=len(offer.nodes),
        decoders=len(plan.decoders),
        calls_at_an_analyzer=sum(count for (_, analyzer), count in plan.credits.items() if analyzer == first),
        load_seconds=load_seconds,
        plan_seconds=plan_seconds,
        replan_seconds=replan_seconds,
        start_seconds=start_seconds,
        step_seconds=steps_seconds / STEPS,
        loss_seconds=loss_seconds,
        memory_bytes=memory_bytes,
        metrics_bytes=len(page),
        metrics_seconds=metrics_seconds,
        health_seconds=health_seconds,
    )


def _start(spec: RunSpec, plan: Plan, starters: StillStarters) -> Supervisor:
    supervisor = Supervisor(spec, plan, SystemClock(), starters)
    supervisor.start(lambda _: None, threading.Event())
    return supervisor


def _lose(supervisor: Supervisor, after: Plan) -> None:
    supervisor.carry_out(after)
    supervisor.step()


def _memory(spec: RunSpec, plan: Plan) -> int:
    """Counted apart, since counting slows everything down."""
    tracemalloc.start()
    supervisor = _start(spec, plan, StillStarters())
    supervisor.step()
    found, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    supervisor.stop()
    return found


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """What came of it, and the processor time that it took: waits for the disk are not in it."""
    began = time.process_time()
    done = work()
    return done, time.process_time() - began
