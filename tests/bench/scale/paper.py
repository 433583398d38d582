"""Where the first limit lies: what each part is asked for at noon, by what it gives as it is set up by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.sinks.config import KafkaSinkConfig, RedisSinkConfig
from pipeline.sinks.topics import planned_topics
from pipeline.sinks.trimming import _ENTRY_OVERHEAD_BYTES, _RESULTS_SHARE
from tests.bench.scale.control_plane import ControlCost
from tests.bench.scale.fleet import CAMERA_FPS, NODE_CPUS, Fleet
from tests.bench.scale.load import BUSY_BY_DAY, FPS, Load
from tests.bench.scale.publishers import MANY, shared_seconds
from tests.bench.scale.service_times import SHAPE

CAMERA_BITS_PER_SECOND = 2_000_000
NODE_BITS_PER_SECOND = 10_000_000_000
PARTITION_BYTES_PER_SECOND = 10_000_000
HISTORY_SECONDS = 60.0
SCRAPE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Demand:
    """One part at one size."""

    part: str
    asked: str
    gives: str
    share: float
    """Asked by given; above 1 it is the limit, and more of it is needed."""
    remedy: str
    is_limit: bool = True
    """False: what is beyond it is only kept for less long."""


def demands(fleet: Fleet, figures: Mapping[str, float], control: ControlCost) -> list[Demand]:
    """Every part that grows with cameras, the tightest first."""
    results = fleet.cameras * FPS
    model = Load(fleet.names, BUSY_BY_DAY, 1.0).model_rate
    found = [
        *_nodes(fleet, figures, model, results),
        *_publishing(figures, results, model),
        _control(control),
    ]
    return sorted(found, key=lambda each: -each.share)


def _nodes(fleet: Fleet, figures: Mapping[str, float], model: float, results: float) -> list[Demand]:
    cores = fleet.nodes * NODE_CPUS
    decode = fleet.cameras * CAMERA_FPS * figures["decode_core_seconds"]
    reading = decode + results * figures["intake_seconds"] + model * figures["hop_core_seconds"]
    picture = SHAPE[0] * SHAPE[1] * 3
    bits = fleet.cameras * CAMERA_BITS_PER_SECOND + 8 * model * picture * (1 - 1 / fleet.nodes)
    gpus = fleet.nodes * fleet.gpus
    return [
        Demand(
            "analyzers",
            f"{model:,.0f} pictures/s",
            f"{gpus} GPU at {figures['gpu_rate']:,.0f}/s, assumed",
            model / (gpus * figures["gpu_rate"]),
            "more GPUs; a gate; fewer `sample.fps`",
        ),
        Demand(
            "reading",
            f"{reading:,.1f} cores",
            f"{cores} cores",
            reading / cores,
            "more nodes; a sub-stream of the camera",
        ),
        Demand(
            "network into a node",
            f"{bits / fleet.nodes / 1e9:.2f} Gbit/s",
            f"{NODE_BITS_PER_SECOND / 1e9:.0f} Gbit/s, assumed",
            bits / fleet.nodes / NODE_BITS_PER_SECOND,
            "owners that call the analyzer of their own node",
        ),
    ]


def _publishing(figures: Mapping[str, float], results: float, model: float) -> list[Demand]:
    seconds = shared_seconds(figures)
    sent = model * figures["result_bytes"] + (results - model) * figures["gated_bytes"]  # bytes/s
    redis, kafka = RedisSinkConfig(), KafkaSinkConfig()
    topic = max(planned_topics(kafka), key=lambda each: each.num_partitions)
    held = redis.max_bytes * _RESULTS_SHARE / (sent + results * _ENTRY_OVERHEAD_BYTES)
    return [
        Demand(
            "publishers",
            f"{results:,.0f} results/s",
            f"one at {1 / seconds:,.0f}/s, {MANY} owners at once",
            results * seconds,
            "`runtime.publishers`",
        ),
        Demand(
            "Kafka partitions of results",
            f"{sent / 1e6:,.1f} MB/s",
            f"{topic.num_partitions} x {PARTITION_BYTES_PER_SECOND / 1e6:.0f} MB/s, assumed",
            sent / (topic.num_partitions * PARTITION_BYTES_PER_SECOND),
            "`topics create --partitions`",
        ),
        Demand(
            "Redis, kept for a minute",
            f"{sent * HISTORY_SECONDS / _RESULTS_SHARE / 2**20:,.0f} MiB",
            f"{redis.max_bytes / 2**20:.0f} MiB: {held:,.1f} s",
            HISTORY_SECONDS / held,
            "`sinks.redis.max_bytes`",
            is_limit=False,
        ),
    ]


def _control(control: ControlCost) -> Demand:
    spent = control.step_seconds + control.metrics_seconds / SCRAPE_SECONDS
    return Demand(
        "supervisor",
        f"{spent:.3f} cores: a step each second, `/metrics` each {SCRAPE_SECONDS:.0f} s",
        "1 core",
        spent,
        "scrape less often",
    )
