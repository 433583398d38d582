"""`main.py run` as a user starts it, for measurements: results are read back from its JSON lines."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.pipeline_process import PipelineProcess
from tests.waiting import until

RESULT = "dinostream.result.v1"


@dataclass(frozen=True, slots=True)
class Running:
    """A pipeline that runs, and where its results are written."""

    process: PipelineProcess
    folder: Path

    def results(self) -> list[dict[str, Any]]:
        """Bodies of all results of frames that were analysed so far."""
        found: list[dict[str, Any]] = []
        for path in sorted((self.folder / "out").rglob("*.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                event = json.loads(line)
                body = event.get("data", event)
                if event.get("type", event.get("ce_type")) == RESULT and body["times"]["analysed_ns"]:
                    found.append(body)
        return found

    def await_results(self, count: int, seconds: float = 120.0) -> None:
        """Until that many frames have been analysed, whichever cameras they are of."""
        until(f"{count} analysed frames", lambda: self._analysed() >= count, seconds, pause=2.0)

    def states(self) -> dict[str, str]:
        return {each["camera"]: each["state"] for each in self.process.status()["cameras"]}

    def _analysed(self) -> int:
        return sum(each["ledger"]["analysed"] for each in self.process.status()["cameras"])


@contextmanager
def running(cameras: dict[str, Any], *, shape: str = "224x392") -> Generator[Running]:
    """A pipeline with these cameras, random weights and JSON lines; ended on leaving, its folder removed.

    A random backbone of the same architecture computes as long as a trained one.
    """
    folder = Path(tempfile.mkdtemp(prefix="dinostream-bench-"))
    document = {
        "version": 1,
        "site": {"name": "bench", "timezone": "UTC"},
        "secrets": {"token": "${env:CONTROL_TOKEN}"},
        "model": {"backbone": "dinov2_vits14", "weights": "random", "shapes": [shape]},
        "cameras": cameras,
        "sinks": {"jsonl": {"path": str(folder / "out")}},
        "runtime": {
            "ray": "local",
            "state_dir": str(folder / "state"),
            "admission": "degrade",
            "http": {"bind": "127.0.0.1:0", "token": "token"},
        },
    }
    config = folder / "cameras.yaml"
    config.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    try:
        with PipelineProcess(config) as process:
            yield Running(process, folder)
            process.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def machine() -> str:
    """What a figure was measured on, and how busy it was besides."""
    return f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}"
