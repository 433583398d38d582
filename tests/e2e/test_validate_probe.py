"""`validate --probe` as a user types it, against a real Redis, a real Kafka-protocol broker and a file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CANARY = "zQcanaryXk"


def validate(tmp_path, redis, brokers, camera="cam: {source: {file: configs/clips/dock.mp4}}"):
    path = tmp_path / "cameras.yaml"
    path.write_text(
        "version: 1\nmodel: {weights: random}\nsecrets: {login: '${env:CAM_LOGIN}'}\n"
        f"sinks:\n  redis: {{url: '{redis}'}}\n  kafka: {{brokers: ['{brokers}']}}\n"
        f"  jsonl: {{path: {tmp_path / 'out'}}}\ncameras:\n  {camera}\n"
    )
    done = subprocess.run(
        [sys.executable, "main.py", "validate", str(path), "--no-measure", "--probe"],
        cwd=ROOT,
        env=os.environ | {"CAM_LOGIN": f"admin:{CANARY}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert CANARY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.redis
@pytest.mark.kafka
def test_every_camera_and_broker_that_answers_is_told(tmp_path, redis_url, tansu_brokers):
    done = validate(tmp_path, redis_url, tansu_brokers)
    assert done.returncode == 0, done.stdout + done.stderr
    for line in (
        "ok   redis: answers",
        "ok   kafka: answers",
        "ok   jsonl: answers",
        "ok   cam: h264, 360x640 (height x width)",
    ):
        assert line in done.stdout


@pytest.mark.redis
def test_what_does_not_answer_is_told_beside_what_does(tmp_path, redis_url):
    camera = "cam: {source: {url: 'rtsp://127.0.0.1:9/x', credentials: login, open_timeout: 2s}}"
    done = validate(tmp_path, redis_url, "127.0.0.1:9", camera)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "ok   redis: answers" in done.stdout
    assert "FAIL kafka: " in done.stdout
    assert "FAIL cam: " in done.stdout
    assert "(refused)" in done.stdout
