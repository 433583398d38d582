"""What the chart starts as the driver: it waits for nodes, then becomes the program; and Ray without its token."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "chart" / "files" / "wait_for_nodes.py"
BECOME = [sys.executable, "-c", "print('the driver, as process', __import__('os').getpid())"]


@pytest.mark.ray
@pytest.mark.slow
def test_the_driver_waits_for_the_nodes_and_becomes_the_program(ray_cluster):
    there = len(ray_cluster.list_all_nodes())
    environment = {**os.environ, "RAY_ADDRESS": ray_cluster.address}
    command = [sys.executable, SCRIPT, str(there + 1), "120", *BECOME]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout.readline() == f"nodes with cores: {there} of {there + 1}\n"
        node = ray_cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)
        try:
            assert waiting.stdout.readline() == f"nodes with cores: {there + 1} of {there + 1}\n"
            assert waiting.stdout.readline() == f"the driver, as process {waiting.pid}\n"
        finally:
            ray_cluster.remove_node(node)
    assert waiting.returncode == 0


@pytest.mark.ray
def test_after_its_time_it_starts_with_what_is_there(ray_cluster):
    there = len(ray_cluster.list_all_nodes())
    environment = {**os.environ, "RAY_ADDRESS": ray_cluster.address}
    command = [sys.executable, SCRIPT, str(there + 1), "0", *BECOME]
    node = ray_cluster.add_node(num_cpus=0, object_store_memory=100 * 2**20)  # one without a core does not count
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    finally:
        ray_cluster.remove_node(node)
    assert f"nodes with cores: {there} of {there + 1}\nthe driver" in done.stdout


@pytest.mark.ray
def test_a_missing_token_is_one_sentence(tmp_path):
    script = tmp_path / "join.py"
    script.write_text(
        "from pipeline.control.cluster import connect\n"
        "from pipeline.errors import PipelineError\n"
        "try:\n    connect('127.0.0.1:1')\n"
        "except PipelineError as error:\n    print(error.code, error)\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "token"}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("no_token the Ray cluster at 127.0.0.1:1 wants a token and none is here")
    assert "Set RAY_AUTH_TOKEN" in done.stdout
