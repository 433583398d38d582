"""Servers, clips and configuration of the demo: everything that stands before the pipeline starts."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.cli.demo.recording import Recording
from pipeline.local.kafka import local_kafka
from pipeline.local.redis import local_redis
from pipeline.local.rtsp import RtspPublisher, RtspServer
from pipeline.secrets import Secrets
from pipeline.sinks.config import KafkaSinkConfig
from pipeline.sinks.topics import create_topics, planned_topics

SHAPE = (224, 392)
DOCK_FPS = 2.0
ENTER_METRES, EXIT_METRES = 3.1, 3.6
"""The docks see no floor nearer than 2.42 m; a threshold lies at 1.25 times that or beyond."""
HOLD_SECONDS, RELEASE_SECONDS = 0.6, 0.5
DOCK_SEEDS = {"dock-sim": 8, "dock-rtsp": 20}
"""Both hang at the first pose: one depth head serves them."""
OTHER_SEEDS = {"archive": 33, "weighbridge": 46}
RTSP_FPS = 5.0
RTSP_LEAD_SECONDS = 3.0
"""Of nobody, while the pipeline connects again."""
KAFKA_TOPIC = "edge.weighbridge.jpeg"
MIN_OTHER_FPS, MAX_OTHER_FPS = 0.25, 4.0


@dataclass(frozen=True, slots=True)
class Rates:
    """What the model gives and what the cameras ask for, pictures per second."""

    bare: float
    dock: float
    other: float

    @property
    def offered(self) -> float:
        return 2 * self.dock + 2 * self.other


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses of what the demo started."""

    redis: str
    kafka: str
    rtsp: RtspServer


def choose_rates(bare: float) -> Rates:
    """About half of what the model gives: the docks have 2 a second each, the others share the rest."""
    rest = (bare / 2 - 2 * DOCK_FPS) / 2
    return Rates(bare, DOCK_FPS, min(MAX_OTHER_FPS, max(MIN_OTHER_FPS, round(4 * rest) / 4)))


def start_servers(stack: ExitStack, folder: Path) -> Servers:
    """Redis, Kafka and RTSP on free loopback ports, ended with `stack`; the topics exist."""
    redis = stack.enter_context(local_redis(folder))
    kafka = stack.enter_context(local_kafka())
    sink = KafkaSinkConfig(brokers=(kafka,))
    create_topics(sink, Secrets({}), planned_topics(sink, 2), replication_factor=1)
    return Servers(redis, kafka, stack.enter_context(RtspServer()))


def write_config(
    path: Path, servers: Servers, *, rates: Rates, recordings: Sequence[Recording], bank: Path, weights: str
) -> None:
    """The configuration as a user would write it; it stays behind to be read."""
    by_name = {each.camera: each for each in recordings}
    rule = {
        "measure": "distance_to(dock)",
        "in": "apron",
        "enter": f"< {ENTER_METRES} m",
        "exit": f"> {EXIT_METRES} m",
        "hold": f"{round(HOLD_SECONDS * 1000)}ms",
        "release": f"{RELEASE_SECONDS:g}s",
        "severity": "critical",
        "evidence": {"snapshot": True, "history": "10s"},
    }
    pose = by_name["dock-sim"].scene.pose
    dock: dict[str, Any] = {
        "heads": ["embedding", "depth", "vehicles"],
        "sample": {"fps": rates.dock},
        "view": {
            "hfov": f"{pose.hfov:g}deg",
            "height": f"{pose.height:g}m",
            "pitch": f"{pose.pitch:g}deg",
            "yaw": f"{pose.yaw:g}deg",
        },
        "lines": {"dock": "here"},
        "zones": {"apron": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]},
        "rules": {"too_close": rule},
    }
    sim = by_name["dock-sim"]
    document = {
        "version": 1,
        "site": {"name": "demo", "timezone": "UTC"},
        "model": {"backbone": "dinov2_vits14", "weights": weights, "shapes": ["x".join(map(str, SHAPE))]},
        "heads": {
            "depth": {"kind": "depth", "checkpoint": "fit_for_view"},
            "vehicles": {"kind": "knn", "bank": str(bank), "vote": "balanced"},
        },
        "profiles": {"dock": dock},
        "cameras": {
            "dock-sim": {
                "profile": "dock",
                "source": {
                    "simulated": "dock",
                    "seed": sim.seed,
                    "fps": RTSP_FPS,
                    "schedule_seconds": f"{sim.schedule_seconds:g}s",
                },
            },
            "dock-rtsp": {
                "profile": "dock",
                "source": {"url": servers.rtsp.url("dock"), "backoff": {"first": "500ms", "max": "1s"}},
            },
            "archive": {
                "source": {"file": str(path.parent / "archive.mp4"), "pace": "realtime"},
                "sample": {"policy": "every_frame"},
                "heads": ["embedding", "vehicles"],
            },
            "weighbridge": {
                "source": {"kafka": {"topic": KAFKA_TOPIC, "format": "image", "start": "earliest", "group": "demo"}},
                "sample": {"policy": "every_frame"},
                "heads": ["embedding", "vehicles"],
            },
        },
        "sinks": {"redis": {"url": servers.redis}, "kafka": {"brokers": [servers.kafka]}},
        "evidence": {"store": str(path.parent / "evidence")},
        "runtime": {
            "ray": "local",
            "state_dir": str(path.parent / "state"),
            "admission": "degrade",
            "http": {"bind": "127.0.0.1:0"},
        },
    }
    path.write_text("# Written by `main.py demo`.\n" + yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


class KafkaCamera:
    """A small publisher in a process of its own: JPEG frames of a clip into a topic, at their rate."""

    def __init__(self, clip: Path, brokers: str, fps: float) -> None:
        main = Path(__file__).resolve().parents[3] / "main.py"
        self._command = [sys.executable, str(main), "publish", str(clip), "--kafka", brokers, "--topic", KAFKA_TOPIC]
        self._command += ["--key", "weighbridge", "--format", "image", "--fps", f"{fps:g}"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def close(self) -> None:
        """Ends it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


class RtspCamera:
    """The dock that is read back over RTSP. `started_ns` is the wall clock of its first picture."""

    def __init__(self, clip: Path, server: RtspServer) -> None:
        self._server = server
        self._publisher = RtspPublisher(clip, server.url("dock"), loop=False)
        self.started_ns = 0

    def start(self, stack: ExitStack) -> None:
        stack.enter_context(self._publisher)
        self._server.wait_until_live("dock")
        self.started_ns = time.time_ns()
