"""What must not be imported too early, or where it costs much; each in a process of its own."""

import subprocess
import sys

import pytest


def imported(module, *names):
    """Which of `names` are loaded once `module` is."""
    told = f"import sys, {module}; print(*[each for each in {names!r} if each in sys.modules])"
    return subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("module", ["pipeline.control.runtime", "pipeline.cli.app", "pipeline.cli.run"])
def test_ray_is_imported_when_it_is_known_whether_to_listen_on_loopback_alone(module):
    assert imported(module, "ray") == []


@pytest.mark.parametrize("actor", ["decode_actor", "publish_actor", "depot_actor"])
def test_processes_that_compute_nothing_start_without_torch(actor):
    assert imported(f"pipeline.control.actors.{actor}", "ray", "torch") == ["ray"]
