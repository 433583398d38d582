"""Cameras that take most of a node: another decoder, on a node that Ray's own autoscaler brings; no frame is lost."""

from __future__ import annotations

import os
import signal
from itertools import pairwise

import pytest
import redis

from tests.clips import make_clip
from tests.e2e.autoscaling_ray import AutoscalingRay
from tests.e2e.pipeline_process import PipelineProcess, stream
from tests.e2e.site_file import site_file
from tests.waiting import until

FRAMES = 400
BUSY = tuple(f"busy-{n}" for n in range(5))
CONFIG = site_file(
    "follows",
    """
cameras:
  recording: {{source: {{file: {clip}}}, sample: {{policy: every_frame}}}}
{busy}
""",
    "  decoders: {{min: 1, max: 2}}\n  analyzers: 1",
)
CAMERA = "  {name}: {{source: {{simulated: dock, seed: 4, fps: {fps}}}, sample: {{fps: 0.2, max_age: 30s}}}}"


def cameras(fps):
    return "\n".join(CAMERA.format(name=name, fps=fps) for name in BUSY)


def decoders(pipeline):
    """Cameras by decoder that runs."""
    found = [each for each in pipeline.status()["actors"] if each["kind"] == "decode"]
    return {each["name"]: set(each["cameras"]) for each in found if each["state"] == "running"}


@pytest.mark.ray
@pytest.mark.cluster
@pytest.mark.redis
@pytest.mark.timeout(900)
def test_a_decoder_comes_with_its_node_takes_half_of_the_cameras_and_gives_them_back(
    tmp_path, redis_server, prefix, monkeypatch
):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    make_clip(tmp_path / "recording.mp4", FRAMES, size=(56, 98))
    config = tmp_path / "cameras.yaml"
    client = redis.Redis.from_url(redis_server.url)
    with AutoscalingRay(max_nodes=1) as ray:
        paths = {"clip": tmp_path / "recording.mp4", "state": tmp_path / "state", "ray": ray.address}
        paths |= {"redis": redis_server.url, "prefix": prefix}
        config.write_text(CONFIG.format(busy=cameras(60), **paths))
        with PipelineProcess(config, 300) as pipeline:
            until("a node comes", lambda: len(pipeline.status()["nodes"]) == 2, seconds=300)
            until(
                "it reads cameras",
                lambda: len([each for each in decoders(pipeline).values() if each]) == 2,
                seconds=180,
            )
            assert {len(each) for each in decoders(pipeline).values()} <= {2, 3, 4}
            (why,) = [each["why"] for each in pipeline.status()["actors"] if each["name"] == "decode-1"]
            assert "cameras over from decode-0, whose reading took" in why
            config.write_text(CONFIG.format(busy=cameras(1), **paths))
            os.kill(pipeline.pid, signal.SIGHUP)  # as `apply` does
            until("it is given back", lambda: len(decoders(pipeline)) == 1, seconds=300)
            until("and its node", lambda: len(pipeline.status()["nodes"]) == 1, seconds=180)
            until("the recording ends", lambda: client.xlen(f"{prefix}:results:recording") >= FRAMES, seconds=300)
            assert pipeline.terminate() == 0, pipeline.text
    assert pipeline.text.count("unaccounted 0") == 1 + len(BUSY), pipeline.text
    found = stream(client, f"{prefix}:results:recording")
    assert [body["seq"] for _, kind, body in found if kind.endswith("result.v1")] == list(range(FRAMES))
    for name in BUSY:
        bodies = [body for _, kind, body in stream(client, f"{prefix}:results:{name}") if kind.endswith("result.v1")]
        told = [(body["epoch"], body["seq"]) for body in bodies]
        assert all(one < other for one, other in pairwise(told)), f"{name}: order, and none twice"
