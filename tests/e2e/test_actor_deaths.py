"""SIGKILL of any actor while real cameras, a real Ray and a real broker run: nothing is lost, doubled or out of order.

`KILLS=50` makes the long run of the acceptance; the default keeps the suite short.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import redis

from tests.e2e.pipeline_process import PipelineProcess, stream, until

KILLS = int(os.environ.get("KILLS", "3"))
FRAMES = 40

CONFIG = """
version: 1
site: {{name: deaths, timezone: UTC}}
secrets: {{token: "${{env:CONTROL_TOKEN}}"}}
model: {{backbone: dinov2_vits14, weights: random, shapes: [56x98]}}
cameras:
  clip:
    source: {{file: {clip}, loop: true, pace: realtime}}
    sample: {{policy: every_frame}}
  dock-sim:
    source: {{simulated: dock, seed: 4, fps: 5}}
    sample: {{fps: 5, max_age: 5s}}
sinks:
  redis: {{url: "{redis}", prefix: {prefix}}}
runtime:
  ray: "{ray}"
  state_dir: {state}
  admission: degrade
  http: {{bind: "127.0.0.1:0", token: token}}
"""


def write_clip(path: Path) -> None:
    rng = np.random.default_rng(5)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 196, 112, "yuv420p"
        video.codec_context.thread_count = 1
        video.codec_context.gop_size = 10
        for _ in range(FRAMES):
            picture = rng.integers(0, 255, (14, 24, 3), np.uint8).repeat(8, 0).repeat(9, 1)[:112, :196]
            picture = np.pad(picture, ((0, 112 - picture.shape[0]), (0, 196 - picture.shape[1]), (0, 0)))
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())


def positions(entries):
    return [(body["epoch"], body["seq"]) for _, kind, body in entries if kind.startswith("dinostream.result")]


@pytest.mark.ray
@pytest.mark.redis
@pytest.mark.slow
@pytest.mark.timeout(200 + 60 * KILLS)
def test_random_kills_of_owner_analyzer_and_publisher(tmp_path, redis_server, ray_address, prefix):
    write_clip(tmp_path / "clip.mp4")
    config = tmp_path / "cameras.yaml"
    config.write_text(
        CONFIG.format(
            clip=tmp_path / "clip.mp4",
            redis=redis_server.url,
            prefix=prefix,
            ray=ray_address,
            state=tmp_path / "state",
        )
    )
    client = redis.Redis.from_url(redis_server.url)
    streams = {camera: f"{prefix}:results:{camera}" for camera in ("clip", "dock-sim")}
    rng = random.Random(20_261_125)
    kinds = ["decode", "analyze", "publish"]
    killed: Counter[str] = Counter()
    with PipelineProcess(config) as pipeline:

        def published():
            return {camera: client.xlen(name) for camera, name in streams.items()}

        until("first results", lambda: all(published().values()))
        for number in range(KILLS):
            kind = kinds[number] if number < len(kinds) else rng.choice(kinds)
            status = pipeline.status()
            victim = next(each for each in status["actors"] if each["kind"] == kind)
            os.kill(victim["pid"], signal.SIGKILL)
            killed[kind] += 1

            def is_back(victim=victim):
                now = {each["name"]: each for each in pipeline.status()["actors"]}[victim["name"]]
                return now["state"] == "running" and now["pid"] not in {victim["pid"], None}

            until(f"{victim['name']} is started again", is_back)
            before = published()
            until("every camera goes on", lambda before=before: all(n > before[c] for c, n in published().items()))
        code, _ = pipeline.get("/readyz")
        assert code == 200
        assert pipeline.terminate() == 0, pipeline.text
        assert pipeline.text.count("unaccounted 0") == 2, pipeline.text
    assert sum(killed.values()) == KILLS

    clip = positions(stream(client, streams["clip"]))
    rounds: dict[int, set[int]] = {}
    for epoch, seq in clip:
        rounds.setdefault(epoch, set()).add(seq)
    last = max(rounds)
    for epoch, seen in rounds.items():
        wanted = FRAMES if epoch < last else max(seen) + 1
        assert seen == set(range(wanted)), f"round {epoch} lacks {sorted(set(range(wanted)) - seen)}"

    live = list(dict.fromkeys(positions(stream(client, streams["dock-sim"]))))
    assert all(a < b for a, b in pairwise(live)), "live frames rise once repeated ids are removed"
    assert len({epoch for epoch, _ in live}) == 1 + killed["decode"], "every owner had a lease of its own"
