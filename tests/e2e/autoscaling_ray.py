"""A Ray with its own autoscaler, whose nodes are raylets on this machine (Ray's fake provider)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

from ray.util import get_node_ip_address

from pipeline.local.child import free_port

HEAD_ID = "f" * 51 + "00000"
"""What the fake provider takes the head's node id to be."""
MEMORY = 100 * 2**20
START_SECONDS = 120.0
IDLE_MINUTES = 0.2


class AutoscalingRay:
    """One core on the head; nodes of one core come when an actor finds no room, and go when they idle.

    Ray's own `AutoscalingCluster` is not used: it begins by stopping every Ray of the machine.
    """

    def __init__(self, max_nodes: int) -> None:
        host = get_node_ip_address()
        self.address = f"{host}:{free_port()}"
        self._folder = Path(tempfile.mkdtemp(prefix="ray-"))  # short: its sockets lie in it
        self._config = self._folder / "autoscaler.json"
        self._config.write_text(json.dumps(_config(self.address, max_nodes)))
        self._is_up = threading.Event()
        self.output: list[str] = []

    def __enter__(self) -> Self:
        options = {
            "--port": self.address.rpartition(":")[2],
            "--num-cpus": "1",
            "--resources": '{"state": 1}',
            "--include-dashboard": "false",
            "--object-store-memory": str(MEMORY),
            "--temp-dir": str(self._folder),
            "--autoscaling-config": str(self._config),
        }
        environment = {
            "AUTOSCALER_UPDATE_INTERVAL_S": "1",
            "RAY_FAKE_CLUSTER": "1",
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
        }
        self._process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("ray")),
                *("start", "--head", "--block", "--disable-usage-stats"),
                *(f"{name}={value}" for name, value in options.items()),
            ],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()
        assert self._is_up.wait(START_SECONDS), "".join(self.output)
        assert self._process.poll() is None, "".join(self.output)
        return self

    def __exit__(self, *_error: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        for pid in self._pids():
            os.kill(pid, signal.SIGKILL)
        self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.output.append(line)
            if "Ray runtime started" in line:
                self._is_up.set()
        self._is_up.set()

    def _pids(self) -> list[int]:
        """Whatever still names our folder: nodes that the autoscaler started are nobody's children by then."""
        found: list[int] = []
        for each in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if str(self._folder).encode() in each.read_bytes():
                    found.append(int(each.parent.name))
            except OSError:
                continue  # it has just ended
        return [pid for pid in found if pid != os.getpid()]


def _config(address: str, max_nodes: int) -> dict[str, Any]:
    provider = {
        "type": "fake_multinode",
        "use_node_id_as_ip": True,
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
        "gcs_address": address,
        "head_node_id": HEAD_ID,
    }
    worker = {"CPU": 1, "object_store_memory": MEMORY}
    types = {
        "ray.head.default": {"resources": {"CPU": 1, "state": 1}, "node_config": {}, "max_workers": 0},
        "worker": {"resources": worker, "node_config": {}, "min_workers": 0, "max_workers": max_nodes},
    }
    lists = ("initialization", "setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")
    return {
        "cluster_name": "grows",
        "provider": provider,
        "available_node_types": types,
        "head_node_type": "ray.head.default",
        "max_workers": max_nodes,
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": IDLE_MINUTES,
        "auth": {"ssh_user": "nobody"},
        "docker": {},
        "file_mounts": {},
        "cluster_synced_files": [],
        "file_mounts_sync_continuously": False,
        "rsync_exclude": [],
        "rsync_filter": [],
        **{f"{name}_commands": [] for name in lists},
    }
