"""One configuration on a Ray of several nodes: one that is killed, one that joins; seen by a plain Redis client."""

from __future__ import annotations

import contextlib
import os
import signal
from itertools import pairwise

import pytest
import redis

from pipeline.control.cluster import NODE_SETTINGS
from tests.e2e.pipeline_process import PipelineProcess, stream
from tests.e2e.site_file import site_file
from tests.waiting import until

CONFIG = site_file(
    "nodes",
    """
cameras:
  gate: {{place: yard, source: {{simulated: dock, seed: 4, fps: 5}}, sample: {{fps: 5, max_age: 5s}}}}
  dock: {{source: {{simulated: dock, seed: 5, fps: 5}}, sample: {{fps: 5, max_age: 5s}}}}
""",
)
MEMORY = 100 * 2**20


@pytest.fixture(scope="module")
def cluster():
    """A head whose nodes are missed after twelve seconds, as a site's are that follows the documentation."""
    before = {name: os.environ.get(name) for name in NODE_SETTINGS}
    os.environ.update(NODE_SETTINGS)
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "resources": {"state": 1}, "include_dashboard": False, "object_store_memory": MEMORY}
    found = Cluster(initialize_head=True, head_node_args=head)
    yield found
    found.shutdown()
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


@pytest.fixture
def yard(cluster):
    """Adds a node in the yard."""
    added = []

    def add():
        node = cluster.add_node(num_cpus=1, object_store_memory=MEMORY, labels={"place": "yard"})
        added.append(node)
        return node

    yield add
    for node in added:
        if node in cluster.list_all_nodes():
            cluster.remove_node(node)


@pytest.fixture
def site(tmp_path, redis_server, prefix, cluster):
    """The configuration's path."""
    config = tmp_path / "cameras.yaml"
    places = {"redis": redis_server.url, "prefix": prefix, "state": tmp_path / "state", "ray": cluster.address}
    config.write_text(CONFIG.format(**places))
    return config


@pytest.fixture
def results(redis_server, prefix):
    """(epoch, seq) of every result of a camera, as a plain client reads them."""
    client = redis.Redis.from_url(redis_server.url)

    def read(camera):
        found = stream(client, f"{prefix}:results:{camera}")
        return [(body["epoch"], body["seq"]) for _, kind, body in found if kind.startswith("dinostream.result")]

    return read


def goes_on(results, *cameras):
    """More results of each."""
    before = {camera: len(results(camera)) for camera in cameras}
    until("cameras go on", lambda: all(len(results(c)) > before[c] + 5 for c in cameras), seconds=180)


def actors(pipeline):
    return {each["name"]: each for each in pipeline.status()["actors"]}


def reader_of(pipeline, camera):
    """Name and node of the decoder that reads it."""
    found = next(each for each in actors(pipeline).values() if each["kind"] == "decode" and camera in each["cameras"])
    return found["name"], found["node"]


@pytest.mark.ray
@pytest.mark.cluster
@pytest.mark.redis
@pytest.mark.timeout(600)
def test_a_node_is_killed_and_another_joins_while_cameras_run(site, cluster, yard, results):
    first = yard()
    with PipelineProcess(site, 300) as pipeline:
        until("results of both", lambda: results("gate") and results("dock"))
        name, node = reader_of(pipeline, "gate")
        assert node == first.node_id
        assert "in place yard" in actors(pipeline)[name]["why"]
        second = yard()
        until("it computes there", lambda: any(_analyzes(each, second.node_id) for each in actors(pipeline).values()))
        cluster.remove_node(first, allow_graceful=False)
        until("the camera is read elsewhere", lambda: reader_of(pipeline, "gate")[1] == second.node_id, seconds=180)
        goes_on(results, "gate", "dock")
        assert results("gate")[-1][0] > results("gate")[0][0], "a new lease"
        assert "its node is gone" in actors(pipeline)[name]["why"]
        assert all(each["node"] != first.node_id for each in actors(pipeline).values())
        assert pipeline.terminate() == 0, pipeline.text
    assert pipeline.text.count("unaccounted 0") == 2, pipeline.text
    for camera in ("gate", "dock"):
        assert all(one < other for one, other in pairwise(results(camera))), f"{camera}: order, and none twice"


@pytest.mark.ray
@pytest.mark.cluster
@pytest.mark.redis
@pytest.mark.timeout(600)
def test_a_node_that_freezes_and_wakes_up_publishes_nothing_more(site, yard, results):
    first, second = yard(), yard()
    with PipelineProcess(site, 300) as pipeline:
        until("results of both", lambda: results("gate") and results("dock"))
        _, node = reader_of(pipeline, "gate")
        other = next(each for each in (first, second) if each.node_id != node)
        frozen = _processes(next(each for each in (first, second) if each.node_id == node))
        frozen |= {each["pid"] for each in actors(pipeline).values() if each["node"] == node}
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        began = len(results("gate"))
        try:
            until("it is read elsewhere", lambda: reader_of(pipeline, "gate")[1] == other.node_id, seconds=180)
            goes_on(results, "gate", "dock")
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        goes_on(results, "gate", "dock")
        assert pipeline.terminate() == 0, pipeline.text
    assert pipeline.text.count("unaccounted 0") == 2, pipeline.text
    assert all(one < other for one, other in pairwise(results("gate"))), "none of an old lease after a new one"
    assert results("gate")[-1][0] > results("gate")[began - 1][0], "a new lease"


@pytest.mark.ray
@pytest.mark.cluster
@pytest.mark.redis
@pytest.mark.timeout(600)
def test_what_an_owner_still_sends_after_another_has_its_camera_is_refused(site, yard, results):
    """It sleeps with a frame that an analyzer has, and wakes when the other one publishes; its raylet, which would end
    it, does not wake.
    """
    nodes = [yard(), yard()]
    with PipelineProcess(site, 300) as pipeline:
        until("all compute", lambda: len(_models(pipeline)) == 3, seconds=180)
        goes_on(results, "gate", "dock")
        name, node = reader_of(pipeline, "gate")
        owner = actors(pipeline)[name]["pid"]
        raylet = _processes(next(each for each in nodes if each.node_id == node))
        models = _models(pipeline)
        try:
            _signal(models, signal.SIGSTOP)
            shown = _decoded(pipeline, "gate")
            until("a frame is with an analyzer", lambda: _decoded(pipeline, "gate") > shown + 10)
            _signal({owner, *raylet}, signal.SIGSTOP)
            _signal(models, signal.SIGCONT)
            count = len(results("gate"))
            until("it is read elsewhere", lambda: reader_of(pipeline, "gate")[1] not in {node, ""}, seconds=180)
            goes_on(results, "gate")
            assert results("gate")[count - 1][0] < results("gate")[-1][0], "a new lease"
            assert _fenced(pipeline) == 0
            _signal({owner}, signal.SIGCONT)
            until("what it still had has come", lambda: _fenced(pipeline) > 0 or _disorder(results("gate")))
        finally:
            _signal({owner, *raylet, *models}, signal.SIGCONT)
        goes_on(results, "gate", "dock")
        assert pipeline.terminate() == 0, pipeline.text
    assert not _disorder(results("gate")), "something of an old lease after a new one"


def _models(pipeline):
    """Of those that run."""
    return {
        each["pid"] for each in actors(pipeline).values() if each["kind"] == "analyze" and each["state"] == "running"
    }


def _decoded(pipeline, camera):
    return next(each["ledger"]["decoded"] for each in pipeline.status()["cameras"] if each["camera"] == camera)


def _fenced(pipeline):
    """Deliveries under an old lease."""
    return sum(each["fenced"] for each in pipeline.status()["publishers"].values())


def _disorder(found):
    return [(one, other) for one, other in pairwise(found) if one >= other]


def _signal(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # it was ended as one that is lost
            os.kill(pid, number)


def _processes(node):
    """The raylet and its agents."""
    return {each.process.pid for kind in node.all_processes.values() for each in kind}


def _analyzes(actor, node):
    return actor["kind"] == "analyze" and actor["state"] == "running" and actor["node"] == node
