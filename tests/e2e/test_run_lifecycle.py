"""`main.py run` from start to end on real servers: what stops it, what does not, and what it knows afterwards."""

import json
import os
import signal
from pathlib import Path

import pytest
import redis

from pipeline.control.cluster import WORKER_ENV
from pipeline.local.child import free_port
from tests.bright_clips import make_bright_clip, save_bright
from tests.e2e.pipeline_process import PipelineProcess, stream
from tests.e2e.site_file import site_file
from tests.waiting import until

CONFIG = site_file(
    "lifecycle",
    """
heads: {{look: {{kind: similarity, pictures: {pictures}}}}}
cameras:
  clip:
    source: {{file: {clip}, pace: realtime}}
    sample: {{policy: every_frame}}
    heads: [embedding, look]
    rules:
      bright: {{measure: similarity(look), enter: "> 0.9", exit: "< 0.8", hold: 200ms, release: 200ms}}
  nobody:
    source: {{url: "rtsp://127.0.0.1:{closed}/none", backoff: {{first: 500ms, max: 1s}}}}
""",
)

FPS = 10
PARTS = ((False, 2), (True, 16), (False, 1), (True, 1), (False, 2))
"""(is bright, seconds): the long bright part begins an episode; only a run that goes on after a kill sees it end. The
short one is an episode of its own, long after the mute was asked for."""


@pytest.fixture
def configured(tmp_path, redis_server, prefix):
    """(configuration, frames of the clip)."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    save_bright(pictures / "bright.png")
    make_bright_clip(tmp_path / "clip.mp4", PARTS, FPS)
    count = sum(seconds for _, seconds in PARTS) * FPS
    config = tmp_path / "cameras.yaml"
    config.write_text(
        CONFIG.format(
            clip=tmp_path / "clip.mp4",
            pictures=pictures,
            closed=free_port(),
            ray="local",
            redis=redis_server.url,
            prefix=prefix,
            state=tmp_path / "state",
        )
    )
    return config, count


@pytest.mark.ray
@pytest.mark.redis
@pytest.mark.slow
@pytest.mark.timeout(700)
def test_driver_and_publisher_are_killed_in_a_muted_episode_and_redis_goes_away(configured, redis_server, prefix):
    config, count = configured
    client = redis.Redis.from_url(redis_server.url)

    def alerts(kind):
        return [event_id for event_id, type_, _ in stream(client, f"{prefix}:alerts:clip") if type_.endswith(kind)]

    with PipelineProcess(config) as first:
        until("an episode begins beside a camera that is down", lambda: alerts("alert.start.v1"))
        assert {each["camera"]: each["state"] for each in first.status()["cameras"]}["nobody"] != "live"
        (start,) = set(alerts("alert.start.v1"))
        assert first.post("/cameras/clip/ack", by="bo", alert=start)[0] == 200
        assert first.post("/cameras/clip/mute", by="anna", for_seconds=7200, reason="crane works")[0] == 200
        until("what is active says so", lambda: _active(client, prefix)["muted"], seconds=30)
        first.signal(signal.SIGKILL)
        first.wait()
    assert alerts("alert.end.v1") == []
    assert _active(client, prefix)["acknowledged"]["by"] == "bo"

    with PipelineProcess(config) as second:
        until("it goes on", lambda: second.status()["cameras"])
        assert _active(client, prefix)["muted"], "the publisher dies within the episode, and within the mute"
        pids = {each["kind"]: each["pid"] for each in second.status()["actors"]}
        assert all(WORKER_ENV.items() <= _environment(pid).items() for pid in pids.values())
        os.kill(pids["publish"], signal.SIGKILL)
        redis_server.kill()
        until("the sink is missed", lambda: second.get("/readyz")[0] == 503, seconds=60)
        redis_server.start()
        until("the end of the episode", lambda: alerts("alert.end.v1"), seconds=120)
        until("the end of the file", lambda: _state(second, "clip") == "ended", seconds=60)
        assert second.terminate() == 0, second.text
        assert "clip: decoded" in second.text
        assert second.text.count("unaccounted 0") == 2, second.text
    told = {event_id: body for event_id, _, body in stream(client, f"{prefix}:alerts:clip")}
    starts, ends = ([told[each] for each in dict.fromkeys(alerts(kind))] for kind in ("start.v1", "end.v1"))
    assert [each["episode"] for each in starts] == [1, 2], "one start an episode, whoever dies"
    assert [each["episode"] for each in ends] == [1, 2]
    assert (ends[0]["muted"], ends[0]["notify"], ends[0]["acknowledged"]["by"]) == (True, False, "bo")
    assert (starts[1]["muted"], starts[1]["notify"]) == (True, False), "the mute of the camera holds over both"
    assert (ends[1]["muted"], ends[1]["notify"]) == (True, False)
    assert len(set(alerts("alert.mute.v1"))) == len(set(alerts("alert.ack.v1"))) == 1
    assert alerts("alert.unmute.v1") == []
    assert client.hgetall(f"{prefix}:alerts:active") == {}
    seen = {body["seq"] for _, kind, body in stream(client, f"{prefix}:results:clip") if kind.endswith("result.v1")}
    assert seen == set(range(count)), f"missing {sorted(set(range(count)) - seen)[:10]}"


def _active(client: redis.Redis, prefix: str) -> dict:
    return json.loads(client.hget(f"{prefix}:alerts:active", "clip/bright"))


def _state(pipeline: PipelineProcess, camera: str) -> str:
    return next((each["state"] for each in pipeline.status()["cameras"] if each["camera"] == camera), "")


def _environment(pid: int) -> dict[str, str]:
    """What a process was started with."""
    found = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(each.split("=", 1) for each in found if "=" in each)
