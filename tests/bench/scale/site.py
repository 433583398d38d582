"""Cameras of small pictures on some raylets of this machine, or in one process without Ray."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from tests.clips import make_clip
from tests.e2e.pipeline_process import ROOT, TOKEN, PipelineProcess
from tests.waiting import until

NAMES = tuple(f"cam-{n}" for n in range(8))
SIZE = (180, 320)
SHAPE = "56x98"
CPUS = 2
FPS = (4.0, 25.0)
"""Of each camera: about half of what two cores give, and more than they give."""
MEMORY = 100 * 2**20


@dataclass(frozen=True, slots=True)
class Seen:
    """One result, as it was written."""

    camera: str
    ingest_seconds: float
    """Wall clock."""
    age_seconds: float
    lane_seconds: float


def node_cpus(raylets: int) -> tuple[int, ...]:
    """Of each node: together those of the machine, and one each at least."""
    return (max(1, CPUS // max(1, raylets)),) * max(1, raylets)


class Site:
    """Cluster on enter, pipeline at `start`; all ended on exit."""

    def __init__(self, folder: Path, raylets: int) -> None:
        self._folder = folder
        self._raylets = raylets
        self._config = folder / "cameras.yaml"
        self._cluster: Any = None
        self._pipeline: PipelineProcess | None = None
        self._bare: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir()
        self._clip = make_clip(self._folder / "clip.mp4", 100, size=SIZE, fps=25)
        if self._raylets:
            from ray.cluster_utils import Cluster

            first, *others = node_cpus(self._raylets)
            head = {"num_cpus": first, "resources": {"state": 1}, "include_dashboard": False}
            self._cluster = Cluster(initialize_head=True, head_node_args=head | {"object_store_memory": MEMORY})
            for cpus in others:
                self._cluster.add_node(num_cpus=cpus, object_store_memory=MEMORY)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._pipeline is not None:
            self._pipeline.terminate()
            self._pipeline.__exit__()
        if self._bare is not None:
            self._bare.communicate("end\n", timeout=60)
        if self._cluster is not None:
            self._cluster.shutdown()

    def start(self) -> None:
        """Returns when frames are analysed."""
        self._write(FPS[0])
        if self._raylets:
            self._pipeline = PipelineProcess(self._config)
            self._pipeline.__enter__()
        else:
            self._bare = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.scale.bare", str(self._config)],
                cwd=ROOT,
                env={**os.environ, "CONTROL_TOKEN": TOKEN},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert self._bare.stdout is not None
            assert self._bare.stdout.readline() == "ready\n"
        until("the first results", lambda: len(self.results(0, self.now_ns())) >= len(NAMES), pause=1.0)

    def ask(self, fps: float) -> None:
        """So many pictures a second of each camera from about now on."""
        self._write(fps)
        if self._pipeline is not None:
            self._pipeline.signal(signal.SIGHUP)
        if self._bare is not None and self._bare.stdin is not None and self._bare.stdout is not None:
            self._bare.stdin.write("again\n")
            self._bare.stdin.flush()
            self._bare.stdout.readline()

    def results(self, from_ns: int, to_ns: int) -> list[Seen]:
        """Analysed frames that were published within."""
        found: list[Seen] = []
        for path in sorted((self._folder / "out").rglob("*.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                event = json.loads(line)
                body = event.get("data", event)
                times = body.get("times")
                if times and times["analysed_ns"] and from_ns <= times["published_ns"] < to_ns:
                    ingest, published = times["ingest_ns"] / 1e9, times["published_ns"] / 1e9
                    found.append(Seen(body["camera"], ingest, published - ingest, times["computed_seconds"]))
        return found

    def now_ns(self) -> int:
        return time.time_ns()

    def _write(self, fps: float) -> None:
        source = {"file": str(self._clip), "loop": True, "pace": "realtime"}
        document = {
            "version": 1,
            "site": {"name": "bench", "timezone": "UTC"},
            "secrets": {"token": "${env:CONTROL_TOKEN}"},
            "model": {"backbone": "dinov2_vits14", "weights": "random", "shapes": [SHAPE]},
            "cameras": {name: {"source": dict(source), "sample": {"fps": fps}} for name in NAMES},
            "sinks": {"jsonl": {"path": str(self._folder / "out")}},
            "runtime": {
                "ray": self._cluster.address if self._cluster is not None else "local",
                "state_dir": str(self._folder / "state"),
                "admission": "degrade",
                "http": {"bind": "127.0.0.1:0", "token": "token"},
            },
        }
        self._config.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
