"""The shipped configuration of a cluster: on one node and on four, the same results and the same alerts."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
import redis
import yaml

from tests.e2e.pipeline_process import ROOT, PipelineProcess, stream

COSINE = 0.999
CAMERAS = ("gate", "dock", "tour")


@pytest.fixture
def run(tmp_path, redis_url, ray_cluster):
    """Runs it to its end, in a state of its own; results and alerts by id, and on how many nodes it computed."""
    config = yaml.safe_load((ROOT / "configs/cluster.yaml").read_text())
    client = redis.Redis.from_url(redis_url)

    def results_and_alerts(prefix):
        config["secrets"] = {"token": "${env:CONTROL_TOKEN}"}
        config["sinks"]["redis"] |= {"url": redis_url, "prefix": prefix}
        http = {"bind": "127.0.0.1:0", "token": "token"}
        config["runtime"] |= {"ray": ray_cluster.address, "state_dir": str(tmp_path / prefix), "http": http}
        path = tmp_path / f"{prefix}.yaml"
        path.write_text(yaml.safe_dump(config))
        with PipelineProcess(path, 300) as pipeline:
            nodes = {each["node"] for each in pipeline.status()["actors"] if each["kind"] == "analyze"}
            assert pipeline.wait(300) == 0, pipeline.text
        assert pipeline.text.count("unaccounted 0") == len(CAMERAS), pipeline.text
        found = {id_: body for camera in CAMERAS for id_, _, body in stream(client, f"{prefix}:results:{camera}")}
        alerts = {id_: body for id_, _, body in stream(client, f"{prefix}:alerts")}
        return found, alerts, len(nodes)

    return results_and_alerts


@pytest.mark.ray
@pytest.mark.cluster
@pytest.mark.redis
@pytest.mark.timeout(900)
def test_four_nodes_say_what_one_says(run, prefix, ray_cluster):
    found, alerts, count = run(f"{prefix}-one")
    assert count == 1
    assert alerts, "the gate's clip has trucks in it"
    more = [ray_cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20) for _ in range(3)]
    try:
        same, same_alerts, count = run(f"{prefix}-four")
    finally:
        for node in more:
            ray_cluster.remove_node(node)
    assert count == 4
    assert same.keys() == found.keys()
    for id_, body in found.items():
        assert _cosine(body, same[id_]) > COSINE, id_
        assert body["frame_label"]["machines"]["top"][0][0] == same[id_]["frame_label"]["machines"]["top"][0][0], id_
    assert {id_: _story(body) for id_, body in alerts.items()} == {
        id_: _story(body) for id_, body in same_alerts.items()
    }


def _cosine(one, other):
    a, b = (np.frombuffer(base64.b64decode(each["embedding"]["data"]), "<f2").astype(float) for each in (one, other))
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def _story(body):
    """What an alert says, but for when it was published."""
    return json.dumps({key: body.get(key) for key in ("camera", "rule", "episode", "frame", "rule_time_ns")})
