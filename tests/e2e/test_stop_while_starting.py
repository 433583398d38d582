"""SIGTERM in the first seconds, as a pod gets it that is made anew at once."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.pipeline_process import ROOT
from tests.waiting import until

pytestmark = [pytest.mark.ray]
CONFIG = """
version: 1
site: {{name: early, timezone: UTC}}
model: {{backbone: dinov2_vits14, weights: random, shapes: [56x98]}}
cameras: {{dock: {{source: {{simulated: dock}}}}}}
sinks: {{jsonl: {{path: {folder}/out}}}}
runtime: {{ray: local, state_dir: {folder}/state}}
"""


def test_while_ray_starts_its_servers_the_run_ends_with_status_0_and_they_with_it(tmp_path):
    config = tmp_path / "cameras.yaml"
    config.write_text(CONFIG.format(folder=tmp_path))
    run = subprocess.Popen(
        [sys.executable, "main.py", "run", str(config)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until("Ray's servers begin", lambda: servers_of(run.pid) or run.poll() is not None, 60)
        servers = servers_of(run.pid)
        assert servers, "Ray's own handler of SIGTERM is in place while they start"
        run.send_signal(signal.SIGTERM)
        said, _ = run.communicate(timeout=60)
        assert run.returncode == 0, said
        assert "Traceback" not in said
        until("Ray's servers have ended", lambda: not any(map(is_alive, servers)), 30)
    finally:
        run.kill()


def servers_of(pid: int) -> list[int]:
    """Its children that keep Ray's table of nodes and actors."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(each) for task in tasks for each in task.read_text().split()]
    return [child for child in children if is_alive(child)]


def is_alive(pid: int) -> bool:
    try:
        return "gcs_server" in Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
