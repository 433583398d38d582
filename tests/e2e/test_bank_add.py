"""A class is added to a bank by command line while a real pipeline runs; an analyzer dies; the run starts again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
import redis

from pipeline.simulation import POSES
from pipeline.simulation.training import training_frames
from tests.e2e.pipeline_process import ROOT, TOKEN, PipelineProcess, stream, until
from tests.e2e.test_actor_deaths import positions, write_clip

CONFIG = """
version: 1
site: {{name: banks, timezone: UTC}}
secrets: {{token: "${{env:CONTROL_TOKEN}}"}}
model: {{backbone: dinov2_vits14, weights: random, shapes: [56x98]}}
heads:
  vehicles: {{kind: knn, bank: {bank}}}
cameras:
  clip:
    source: {{file: {clip}, loop: true, pace: realtime}}
    sample: {{policy: every_frame}}
    heads: [embedding, vehicles]
  dock-sim:
    source: {{simulated: dock, seed: 4, fps: 5}}
    sample: {{fps: 5, max_age: 5s}}
    heads: [embedding, vehicles]
sinks:
  redis: {{url: "{redis}", prefix: {prefix}}}
runtime:
  ray: "{ray}"
  state_dir: {state}
  admission: degrade
  publishers: 2
  http: {{bind: "127.0.0.1:0", token: token}}
"""
COLLECTED_SECONDS = 5.0
START_SECONDS = 400.0
"""The machine may be busy with other suites."""


def main(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "main.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "DINOSTREAM_TOKEN": TOKEN, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def write_pictures(folder: Path) -> None:
    for number, kind in enumerate(("forklift", "truck")):
        (folder / kind).mkdir(parents=True)
        for index, frame in enumerate(training_frames(4, POSES["P0"], number, movers=(1, 1), kinds=(kind,))):
            cv2.imwrite(str(folder / kind / f"{index}.png"), frame.rgb[:, :, ::-1])


def artefacts(entries) -> list[str]:
    """The bank's version of each result, in order."""
    return [
        next((name for name in body["artefacts"] if name.startswith("head/vehicles@")), "")
        for _, kind, body in entries
        if kind.startswith("dinostream.result")
    ]


def labels(entries, version: str) -> list[str]:
    return [
        body["frame_label"]["vehicles"]["top"][0][0]
        for _, kind, body in entries
        if kind.startswith("dinostream.result") and version in body["artefacts"]
    ]


@pytest.mark.ray
@pytest.mark.redis
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_class_added_while_it_runs_is_named_by_every_camera_and_survives_a_kill_and_a_restart(
    tmp_path, redis_server, prefix, ray_address
):
    write_clip(tmp_path / "clip.mp4")
    write_pictures(tmp_path / "pictures")
    bank = tmp_path / "bank"
    built = main(
        "bank", "build", str(tmp_path / "pictures"), "--out", str(bank), "--weights", "random", "--shape", "56x98"
    )
    assert built.returncode == 0, built.stderr
    config = tmp_path / "cameras.yaml"
    paths = {"clip": tmp_path / "clip.mp4", "bank": bank, "state": tmp_path / "state"}
    config.write_text(CONFIG.format(redis=redis_server.url, prefix=prefix, ray=ray_address, **paths))
    client = redis.Redis.from_url(redis_server.url)
    streams = {camera: f"{prefix}:results:{camera}" for camera in ("clip", "dock-sim")}

    def shown(camera):
        return stream(client, streams[camera])

    with PipelineProcess(config, START_SECONDS) as pipeline:
        until("results of both", lambda: all(artefacts(shown(camera)) for camera in streams), 240)
        asked = ("bank", "add", "pallet", "--camera", "dock-sim", "--http", pipeline.address)
        began = time.monotonic()
        added = main(*asked, "--next", f"{COLLECTED_SECONDS:g}s")
        took = time.monotonic() - began - COLLECTED_SECONDS
        assert added.returncode == 0, added.stderr
        in_use = re.search(r"in use (?:everywhere )?(\d+\.\d) s after the last picture", added.stdout)
        assert in_use is not None, added.stdout
        print(f"collected, in use after {in_use[1]} s; the command took {took:.1f} s besides the collection")  # noqa: T201 - a figure, not a promise
        newest = "head/vehicles@2"
        told = {line.split(":")[0].strip() for line in added.stdout.splitlines() if line.startswith("  ")}
        assert told == set(streams), added.stdout
        until("both name it", lambda: all(newest in artefacts(shown(camera)) for camera in streams), 240)
        from_file = main("bank", "add", "box", "--camera", "clip", "--http", pipeline.address, "--at", "00:00..00:02")
        assert from_file.returncode == 0, from_file.stderr
        assert "head/vehicles@3" in from_file.stdout
        wrong = main(*asked, "--next", "3s", DINOSTREAM_TOKEN="another")
        assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1), wrong.stderr
        unknown = main("bank", "add", "x", "--camera", "dock-sym", "--http", pipeline.address, "--next", "1s")
        assert (unknown.returncode, "did you mean 'dock-sim'" in unknown.stderr) == (2, True), unknown.stderr
        actors = {each["name"]: each for each in pipeline.status()["actors"]}
        os.kill(actors["analyze-0"]["pid"], signal.SIGKILL)
        before = {camera: len(shown(camera)) for camera in streams}
        until("both go on", lambda: all(len(shown(camera)) > before[camera] + 10 for camera in streams), 240)
        assert pipeline.terminate() == 0, pipeline.text
    for camera in streams:
        versions = artefacts(shown(camera))
        assert versions == sorted(versions), f"{camera} went back to an older version"
        assert set(versions) == {"head/vehicles@1", newest, "head/vehicles@3"}
    said = labels(shown("dock-sim"), newest)
    assert said.count("pallet") > 0.6 * len(said), said
    assert positions(shown("clip")) == sorted(set(positions(shown("clip"))))
    assert "unaccounted 0" in pipeline.text
    with PipelineProcess(config, START_SECONDS) as pipeline:
        seen = {camera: len(shown(camera)) for camera in streams}
        until(
            "results after the restart", lambda: all(len(shown(camera)) > seen[camera] + 3 for camera in streams), 240
        )
        assert pipeline.terminate() == 0, pipeline.text
    for camera in streams:
        assert artefacts(shown(camera))[-1] == "head/vehicles@3"
    counts = json.loads((bank / "report.json").read_text())["classes"]
    assert set(counts) == {"forklift", "truck", "pallet", "box"}
