"""How long a node takes from joining to the first frame that its analyzer computes, and what that is made of.

`python -m tests.bench.joining_node` starts a Ray of one node, a pipeline with live cameras on it, and adds a raylet.
The weights lie in the cache, as on a node that comes back. Prints; asserts nothing.
"""
# ruff: noqa: T201 - it prints what it measures

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from pipeline.clock import SystemClock
from pipeline.config import load_config
from pipeline.control.model import model_spec
from pipeline.control.runtime import Run, started
from tests.waiting import until

CONFIG = """
version: 1
model: {{backbone: dinov2_vits14, weights: standin, shapes: [224x392]}}
cameras:
  gate: {{source: {{simulated: dock, seed: 4, fps: 10}}, sample: {{fps: 10, max_age: 5s}}}}
  dock: {{source: {{simulated: dock, seed: 5, fps: 10}}, sample: {{fps: 10, max_age: 5s}}}}
sinks: {{jsonl: {{path: "{folder}/results.jsonl"}}}}
runtime: {{ray: "{ray}", state_dir: "{folder}/state", admission: degrade}}
"""
MEMORY = 100 * 2**20
LOOK_SECONDS = 0.02
LIMIT_SECONDS = 180.0
WARM_SECONDS = 5.0


class Watch:
    """Adds the node once the pipeline is warm, and notes when what is there for the first time."""

    def __init__(self, run: Run, address: str) -> None:
        self._run = run
        self._address = address
        self.seconds: dict[str, float] = {}
        self.used = self.waited = 0.0
        """Of the thread that made the analyzer: seconds on a core, and ready to run while others had them."""

    def watch(self) -> None:
        import ray

        time.sleep(WARM_SECONDS)
        began, wall = time.monotonic(), time.time()
        ray_command = Path(sys.executable).with_name("ray")
        options = [f"--address={self._address}", "--num-cpus=1", f"--object-store-memory={MEMORY}", "--block"]
        node = subprocess.Popen(
            [str(ray_command), "start", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        looks: dict[str, Any] = {
            "Ray lists the node": lambda: sum(node["Alive"] for node in ray.nodes()) == 2,
            "it is planned for": lambda: len(self._run.supervisor.plan.analyzers) == 2,
            "its analyzer answers": lambda: self._second() is not None,
            "it has begun to compute": lambda: self._busy_seconds() > 0,
        }
        try:
            for what, is_there in looks.items():
                until(what, is_there, LIMIT_SECONDS, LOOK_SECONDS)
                self.seconds[what] = time.monotonic() - began
                if what == "its analyzer answers":
                    pid = self._second().call("pid")
                    self.seconds["(its process began)"] = _process_began(pid) - wall
                    self.used, self.waited = _busiest_thread(pid)
        finally:
            os.killpg(node.pid, signal.SIGTERM)
            node.wait(30)
            self._run.stop.set()

    def _second(self) -> Any:
        found = self._run.supervisor.running("analyze")
        return found[1] if len(found) == 2 else None

    def _busy_seconds(self) -> float:
        return self._second().call("use").busy_seconds


def _process_began(pid: int) -> float:
    """Seconds since the epoch."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    booted = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
    return int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")


def _busiest_thread(pid: int) -> tuple[float, float]:
    """(seconds on a core, seconds that it was ready to run and had none)."""
    told = [each.read_text().split() for each in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    used, waited, _ = max(told, key=lambda each: int(each[0]))
    return int(used) / 1e9, int(waited) / 1e9


def main() -> None:
    """Prints seconds since `ray start` was called."""
    from pipeline.control.cluster import NODE_SETTINGS

    os.environ.update(NODE_SETTINGS)
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "resources": {"state": 1}, "include_dashboard": False, "object_store_memory": MEMORY}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cameras.yaml"
        path.write_text(CONFIG.format(folder=folder, ray=cluster.address))
        config = load_config(path)
        with started(config, model_spec(config), SystemClock(), print) as run:
            watch = Watch(run, cluster.address)
            thread = threading.Thread(target=watch.watch)
            thread.start()
            run.loop(lambda _: None)
            thread.join()
            for what, seconds in sorted(watch.seconds.items(), key=lambda each: each[1]):
                print(f"{seconds:6.1f} s  {what}")
            print(f"the thread that made it: {watch.used:.1f} s on a core, {watch.waited:.1f} s waiting for one")
            print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    cluster.shutdown()


if __name__ == "__main__":
    main()
