"""A node that offers little memory: no camera is read there and no model runs there, and `/status` says why."""

from __future__ import annotations

import pytest
import redis

from tests.e2e.pipeline_process import PipelineProcess
from tests.e2e.site_file import site_file
from tests.waiting import until

pytestmark = [pytest.mark.ray, pytest.mark.cluster, pytest.mark.redis, pytest.mark.timeout(600)]

CONFIG = site_file(
    "memory",
    """
defaults: {{sample: {{fps: 5, max_age: 5s}}}}
cameras:
  gate: {{source: {{simulated: dock, seed: 4, fps: 5}}}}
  dock: {{source: {{simulated: dock, seed: 5, fps: 5}}}}
""",
    "  decoders: {decoders}",
)
MIB = 2**20
OBJECTS = 100 * MIB
ROOM = 8000 * MIB


@pytest.fixture(scope="module")
def cluster():
    """A head that computes nothing."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "resources": {"state": 1}, "include_dashboard": False, "object_store_memory": OBJECTS}
    found = Cluster(initialize_head=True, head_node_args=head)
    yield found
    found.shutdown()


@pytest.fixture
def add(cluster):
    """Adds a node that says how much memory it offers; gives its id."""
    added = []

    def add(memory, cores=1):
        added.append(cluster.add_node(num_cpus=cores, memory=memory, object_store_memory=OBJECTS))
        return added[-1].node_id

    yield add
    for node in added:
        cluster.remove_node(node)


@pytest.fixture
def config(tmp_path, cluster, redis_server, prefix):
    def write(decoders):
        path = tmp_path / "cameras.yaml"
        places = {"redis": redis_server.url, "prefix": prefix, "state": tmp_path / "state", "ray": cluster.address}
        path.write_text(CONFIG.format(decoders=decoders, **places))
        return path

    return write


def actors(pipeline, kind):
    return [each for each in pipeline.status()["actors"] if each["kind"] == kind]


def test_a_node_without_room_gets_no_reader_and_no_model_and_its_neighbour_gets_them(config, add, redis_server, prefix):
    small, large = add(100 * MIB, cores=4), add(ROOM)
    client = redis.Redis.from_url(redis_server.url)
    with PipelineProcess(config(decoders="auto"), 300) as pipeline:
        until("results", lambda: all(client.xlen(f"{prefix}:results:{each}") > 5 for each in ("gate", "dock")))
        assert {each["id"] for each in pipeline.status()["nodes"]} == {small, large}
        readers, models = actors(pipeline, "decode"), actors(pipeline, "analyze")
        assert {camera for each in readers for camera in each["cameras"]} == {"gate", "dock"}
        assert {each["node"] for each in (*readers, *models)} == {large}
        assert all("(1 more have no memory for it)" in each["why"] for each in readers)
        assert [each["why"] for each in models] == ["one a node; 1 more have no 900 MiB of memory left for one"]
        assert pipeline.terminate() == 0, pipeline.text
    assert pipeline.text.count("unaccounted 0") == 2, pipeline.text


def test_a_camera_for_which_no_node_has_room_waits_for_one_that_has(config, add, redis_server, prefix):
    small = add(100 * MIB)
    client = redis.Redis.from_url(redis_server.url)
    with PipelineProcess(config(decoders=1), 300) as pipeline:
        (reader,) = actors(pipeline, "decode")
        assert (reader["state"], reader["node"]) == ("waiting", "")
        assert reader["why"] == "no node has 314 MiB of memory left for its 2 cameras. Add a node"
        (model,) = actors(pipeline, "analyze")
        assert model["node"] == small, "without any, nothing could begin: the first one runs all the same"
        large = add(ROOM)
        until("results", lambda: all(client.xlen(f"{prefix}:results:{each}") > 5 for each in ("gate", "dock")))
        assert [each["node"] for each in actors(pipeline, "decode")] == [large]
        assert pipeline.terminate() == 0, pipeline.text
    assert pipeline.text.count("unaccounted 0") == 2, pipeline.text
