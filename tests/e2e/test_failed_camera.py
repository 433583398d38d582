"""`main.py run` with a camera that can never work: the others go on, and the exit status tells."""

import json
import subprocess
import sys

import pytest

from tests.clips import make_clip
from tests.e2e.pipeline_process import ROOT

CONFIG = """
version: 1
site: {{name: failed, timezone: UTC}}
model: {{backbone: dinov2_vits14, weights: random, shapes: [56x98]}}
cameras:
  broken: {{source: {{file: {broken}}}, heads: [embedding]}}
  fine: {{source: {{file: {fine}}}, sample: {{policy: every_frame}}, heads: [embedding]}}
sinks:
  jsonl: {{path: {out}}}
runtime: {{ray: "{ray}", state_dir: {state}, admission: degrade}}
"""


@pytest.mark.ray
def test_a_file_that_is_no_video_fails_its_camera_alone_and_the_run_exits_1(tmp_path, ray_address):
    (tmp_path / "broken.mp4").write_text("no video", "utf-8")
    clip = make_clip(tmp_path / "fine.mp4", 12)
    config = tmp_path / "cameras.yaml"
    paths = {
        "broken": tmp_path / "broken.mp4",
        "fine": clip,
        "out": tmp_path / "out",
        "state": tmp_path / "state",
        "ray": ray_address,
    }
    config.write_text(CONFIG.format(**paths), "utf-8")
    run = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "run", str(config)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "broken: failed: could not open" in run.stdout
    assert "fine: decoded 12, analysed 12" in run.stdout
    told = [json.loads(line)["data"] for line in (tmp_path / "out" / "status.jsonl").read_text("utf-8").splitlines()]
    assert [(each["state"], each["code"]) for each in told if each["camera"] == "broken"] == [
        ("connecting", ""),
        ("failed", "unsupported"),
    ]
    assert [each["state"] for each in told if each["camera"] == "fine"][-1] == "ended"
