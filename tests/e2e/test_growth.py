"""More load, one more analyzer, one more node by Ray's own autoscaler; less load, and both are given back."""

from __future__ import annotations

import pytest
import redis

from tests.clips import make_clip
from tests.e2e.autoscaling_ray import AutoscalingRay
from tests.e2e.pipeline_process import PipelineProcess, stream
from tests.e2e.site_file import site_file
from tests.waiting import until

FRAMES = 300
CONFIG = site_file(
    "grows",
    """
cameras:
  recording: {{source: {{file: {clip}}}, sample: {{policy: every_frame}}}}
  dock: {{source: {{simulated: dock, seed: 5, fps: 1}}, sample: {{fps: 0.1, max_age: 10s}}}}
""",
    "  analyzers: {{min: 1, max: 2}}",
    shape=(224, 392),
)


def analyzers(status):
    return [each for each in status["actors"] if each["kind"] == "analyze" and each["state"] == "running"]


@pytest.mark.ray
@pytest.mark.cluster
@pytest.mark.redis
@pytest.mark.timeout(900)
def test_nodes_come_with_the_load_and_go_with_it_and_no_frame_is_lost(tmp_path, redis_server, prefix, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    make_clip(tmp_path / "recording.mp4", FRAMES, size=(224, 392))
    config = tmp_path / "cameras.yaml"
    client = redis.Redis.from_url(redis_server.url)
    with AutoscalingRay(max_nodes=1) as ray:
        paths = {"redis": redis_server.url, "prefix": prefix, "state": tmp_path / "state", "ray": ray.address}
        config.write_text(CONFIG.format(clip=tmp_path / "recording.mp4", **paths))
        with PipelineProcess(config, 300) as pipeline:
            until("a node comes", lambda: len(pipeline.status()["nodes"]) == 2, seconds=180)
            until("it computes", lambda: len(analyzers(pipeline.status())) == 2, seconds=180)
            until("no more are allowed", lambda: "raise runtime.analyzers.max" in pipeline.status()["shortage"])
            until("the load ends", lambda: client.xlen(f"{prefix}:results:recording") >= FRAMES, seconds=300)
            until("one is given back", lambda: len(analyzers(pipeline.status())) == 1, seconds=180)
            until("and its node", lambda: len(pipeline.status()["nodes"]) == 1, seconds=180)
            assert pipeline.terminate() == 0, pipeline.text
    assert pipeline.text.count("unaccounted 0") == 2, pipeline.text
    found = stream(client, f"{prefix}:results:recording")
    assert [body["seq"] for _, kind, body in found if kind.endswith("result.v1")] == list(range(FRAMES))
