"""One run of `main.py run`: cameras are added, removed and edited in its file while it goes on, seen at the broker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import redis

from tests.e2e.pipeline_process import ROOT, TOKEN, PipelineProcess, stream
from tests.e2e.site_file import site_file
from tests.waiting import until

CONFIG = site_file(
    "changes",
    """
heads: {{look: {{kind: similarity, pictures: {pictures}}}}}
defaults:
  source: {{file: {clip}, loop: true, pace: realtime}}
  sample: {{policy: every_frame}}
  heads: [embedding, look]
  rules:
    bright: {{measure: similarity(look), enter: "> 0.5", exit: "< 0.4"}}
cameras:
  stays: {{}}
  edited: {{}}
  gone: {{}}
""",
)
FPS = 5


def picture(number: int) -> np.ndarray:
    """Always bright, never twice the same."""
    rgb = np.random.default_rng(7).integers(150, 255, (7, 12, 3), np.uint8).repeat(16, 0).repeat(16, 1)[:112, :192]
    rgb[40:56, 8 * (number % 20) : 8 * (number % 20) + 8] = 0
    return np.ascontiguousarray(rgb)


def write_clip(path: Path) -> None:
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = 192, 112, "yuv420p"
        video.codec_context.thread_count = 1
        for number in range(4 * FPS):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        container.mux(video.encode())


def apply(config: Path, address: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "main.py", "apply", str(config), "--http", address],
        cwd=ROOT,
        env={**os.environ, "DINOSTREAM_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, [*done.stdout.splitlines(), *done.stderr.splitlines()]


def assert_no_gap(results: list[tuple[int, int]]) -> None:
    """(epoch, seq) of a clip of 20 frames that is read again and again."""
    frames = [epoch * 4 * FPS + seq for epoch, seq in dict.fromkeys(results)]
    assert frames == list(range(len(frames)))


@pytest.mark.ray
@pytest.mark.redis
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_one_camera_is_edited_one_added_one_removed_and_the_other_does_not_notice(
    tmp_path, redis_url, prefix, ray_address
):
    (tmp_path / "pictures").mkdir()
    av.VideoFrame.from_ndarray(picture(0), format="rgb24").to_image().save(tmp_path / "pictures" / "bright.png")
    write_clip(tmp_path / "clip.mp4")
    config, client = tmp_path / "cameras.yaml", redis.Redis.from_url(redis_url)
    paths = {"clip": tmp_path / "clip.mp4", "pictures": tmp_path / "pictures", "state": tmp_path / "state"}
    before = CONFIG.format(redis=redis_url, prefix=prefix, ray=ray_address, **paths)
    config.write_text(before)

    def results(camera):
        return [(body["epoch"], body["seq"]) for _, _, body in stream(client, f"{prefix}:results:{camera}")]

    def alerts(camera):
        found = {event: body for event, _, body in stream(client, f"{prefix}:alerts:{camera}")}
        return [(event.removeprefix(f"{camera}/"), body["reason"]) for event, body in found.items()]

    with PipelineProcess(config) as pipeline:

        def lease(camera):
            return next((each["lease"] for each in pipeline.status()["cameras"] if each["camera"] == camera), None)

        names = ("stays", "edited", "gone")
        until("an episode of each camera", lambda: all(alerts(camera) for camera in names))
        until("a beat of its owner", lambda: lease("gone"))
        leases = {camera: lease(camera) for camera in names}
        stricter = 'edited: {rules: {bright: {enter: "> 0.6", exit: "< 0.3"}}}'
        after = before.replace("gone: {}", "added: {}").replace("admission: degrade", "admission: refuse")
        config.write_text(after.replace("edited: {}", stricter + "\n  wrong: {heads: [depht]}"))
        code, said = apply(config, pipeline.address)
        assert (code, said[1:4]) == (1, ["edited: changed (rules)", "gone: removed", "added: added"])
        assert said[4].startswith("wrong: refused: ")
        assert said[-2:] == ["1 camera unchanged", "runtime.admission: needs restart"]
        until("its episode ends", lambda: alerts("gone")[-1] == ("bright/1/end", "camera_removed"), seconds=30)
        until("it says so last", lambda: b'"removed"' in client.hget(f"{prefix}:status:gone", "data"), seconds=30)
        status = client.hgetall(f"{prefix}:status:gone")
        assert (json.loads(status[b"data"])["state"], json.loads(status[b"data"])["code"]) == ("ended", "removed")
        assert client.hget(f"{prefix}:alerts:active", "gone/bright") is None
        until("the added camera has its own episode", lambda: alerts("added"), seconds=30)
        assert alerts("edited") == [("bright/1/start", "")], "a threshold is not what a rule watches"
        count = len(results("gone"))
        assert {camera: lease(camera) for camera in names} == {**leases, "gone": None}

        config.write_text(after.replace("edited: {}", "edited: {rules: {bright: {measure: novelty}}}"))
        pipeline.signal(signal.SIGHUP)
        until("a mistake is told", lambda: "edited: refused: " in pipeline.text, seconds=30)
        config.write_text(after)
        pipeline.signal(signal.SIGHUP)
        until("the rule of before again", lambda: "edited: changed (rules)" in pipeline.text, seconds=30)
        decoder = next(each for each in pipeline.status()["actors"] if each["kind"] == "decode")
        os.kill(decoder["pid"], signal.SIGKILL)
        until("its cameras come back", lambda: (lease("added") or 0) > leases["stays"] != lease("stays"), seconds=60)
        assert {each["camera"] for each in pipeline.status()["cameras"]} == {"stays", "edited", "added"}
        assert pipeline.terminate() == 0, pipeline.text
        assert "gone: decoded" in pipeline.text
        assert pipeline.text.count("unaccounted 0") == 4, pipeline.text
    assert len(results("gone")) == count
    for camera in ("stays", "edited", "added"):
        assert_no_gap(results(camera))
    assert alerts("stays") == alerts("edited") == [("bright/1/start", "")]
