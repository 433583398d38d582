"""One configuration on a Ray of several nodes: one that is killed, one that joins; seen by a plain Redis client."""

from __future__ import annotations

from itertools import pairwise

import pytest
import redis

from tests.e2e.pipeline_process import PipelineProcess, stream, until

CONFIG = """
version: 1
site: {{name: nodes, timezone: UTC}}
secrets: {{token: "${{env:CONTROL_TOKEN}}"}}
model: {{backbone: dinov2_vits14, weights: random, shapes: [56x98]}}
cameras:
  gate: {{place: yard, source: {{simulated: dock, seed: 4, fps: 5}}, sample: {{fps: 5, max_age: 5s}}}}
  dock: {{source: {{simulated: dock, seed: 5, fps: 5}}, sample: {{fps: 5, max_age: 5s}}}}
sinks:
  redis: {{url: "{redis}", prefix: {prefix}}}
runtime:
  ray: "{ray}"
  state_dir: {state}
  admission: degrade
  http: {{bind: "127.0.0.1:0", token: token}}
"""
MEMORY = 100 * 2**20


@pytest.fixture
def yard(ray_cluster):
    """Adds a node in the yard."""
    added = []

    def add():
        node = ray_cluster.add_node(num_cpus=1, object_store_memory=MEMORY, labels={"place": "yard"})
        added.append(node)
        return node

    yield add
    for node in added:
        if node in ray_cluster.list_all_nodes():
            ray_cluster.remove_node(node)


def actors(pipeline):
    return {each["name"]: each for each in pipeline.status()["actors"]}


def reader_of(pipeline, camera):
    """Name and node of the decoder that reads it."""
    found = next(each for each in actors(pipeline).values() if each["kind"] == "decode" and camera in each["cameras"])
    return found["name"], found["node"]


@pytest.mark.ray
@pytest.mark.cluster
@pytest.mark.redis
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_node_is_killed_and_another_joins_while_cameras_run(tmp_path, redis_server, prefix, ray_cluster, yard):
    first = yard()
    config = tmp_path / "cameras.yaml"
    places = {"redis": redis_server.url, "prefix": prefix, "state": tmp_path / "state"}
    config.write_text(CONFIG.format(ray=ray_cluster.address, **places))
    client = redis.Redis.from_url(redis_server.url)

    def results(camera):
        found = stream(client, f"{prefix}:results:{camera}")
        return [(body["epoch"], body["seq"]) for _, kind, body in found if kind.startswith("dinostream.result")]

    with PipelineProcess(config, 300) as pipeline:
        until("results of both", lambda: results("gate") and results("dock"))
        name, node = reader_of(pipeline, "gate")
        assert node == first.node_id
        assert "in place yard" in actors(pipeline)[name]["why"]
        second = yard()
        until("it computes there", lambda: any(_analyzes(each, second.node_id) for each in actors(pipeline).values()))
        before = {camera: len(results(camera)) for camera in ("gate", "dock")}
        ray_cluster.remove_node(first, allow_graceful=False)
        until("the camera is read elsewhere", lambda: reader_of(pipeline, "gate")[1] == second.node_id, seconds=180)
        until("both go on", lambda: all(len(results(c)) > before[c] + 5 for c in before), seconds=180)
        assert results("gate")[-1][0] > results("gate")[0][0], "a new lease"
        assert "its node is gone" in actors(pipeline)[name]["why"]
        assert all(each["node"] != first.node_id for each in actors(pipeline).values())
        assert pipeline.terminate() == 0, pipeline.text
    assert pipeline.text.count("unaccounted 0") == 2, pipeline.text
    for camera in ("gate", "dock"):
        assert all(one < other for one, other in pairwise(results(camera))), f"{camera}: order, and none twice"


def _analyzes(actor, node):
    return actor["kind"] == "analyze" and actor["state"] == "running" and actor["node"] == node
