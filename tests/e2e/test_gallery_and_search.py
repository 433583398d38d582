"""`gallery` and `search` as a user runs them: results of simulated docks on a real Redis, found again with pictures."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from operators.backbone import Engine, load_backbone
from operators.retrieval.query import embed_query
from pipeline.frame_path.wire import encode_array, encode_event
from pipeline.frame_path.wire_schema import ResultBody
from pipeline.messages import Message
from pipeline.secrets import Secrets
from pipeline.sinks.config import RedisSinkConfig, SinksConfig
from pipeline.sinks.registry import build_sinks
from pipeline.sources.simulated import dock_for, frame_at
from tests.contract.sink_contract import running
from tests.fakes_gallery import SECOND, result, subject

pytestmark = [pytest.mark.redis, pytest.mark.slow, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
SEEDS = {"dock-1": 8, "dock-2": 20}
TIMES = (14.0, 50.0)
SHAPE = (224, 392)
BOX = (0.3, 0.1, 0.7, 0.9)


def main(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "main.py", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def config(tmp_path: Path, redis_url: str, prefix: str) -> Path:
    path = tmp_path / "site.yaml"
    cameras = "\n".join(f"  {name}: {{source: {{simulated: dock, seed: {seed}}}}}" for name, seed in SEEDS.items())
    path.write_text(
        f"""\
version: 1
site: {{name: yard}}
model: {{weights: random, shapes: [224x392]}}
cameras:
{cameras}
  gate: {{source: {{url: "rtsp://127.0.0.1:1/gate"}}}}
sinks:
  redis: {{url: "{redis_url}", prefix: {prefix}}}
gallery: {{store: {tmp_path / "gallery"}}}
"""
    )
    return path


def published(engine: Engine, camera: str, seconds: float) -> Message:
    """A result as the pipeline writes it, of a frame that can be drawn again."""
    vectors = embed_query(engine, picture("dock-1" if camera == "gate" else camera, seconds), (SHAPE,), BOX)
    seq = round(seconds)
    body = msgspec.json.decode(result(seq, subject(vectors.subject), camera=camera), type=ResultBody)
    seen = msgspec.structs.replace(body.subjects[0], box=BOX, embedding=encode_array(vectors.subject))
    body = msgspec.structs.replace(
        body,
        subjects=[seen],
        model=msgspec.structs.replace(body.model, space=vectors.frame_space, subject_space=vectors.subject_space),
        times=msgspec.structs.replace(body.times, pts_ns=round(seconds * SECOND)),
    )
    return encode_event(
        body, event_id=body.id, kind="result", event="result", camera=camera, site="yard", time_ns=body.times.ingest_ns
    )


def picture(camera: str, seconds: float) -> np.ndarray:
    scene, schedule, _ = dock_for(SEEDS[camera])
    return frame_at(scene, schedule, seconds).rgb


def publish(redis_url: str, prefix: str, messages: Sequence[Message]) -> None:
    (sink,) = build_sinks(SinksConfig(redis=RedisSinkConfig(url=redis_url, prefix=prefix)), "test", Secrets({}))[0]
    with running(sink) as settled:
        sink.put(messages)
        settled.await_number(len(messages))


def test_a_picture_and_a_frame_find_their_moments_and_show_them(
    config: Path, tmp_path: Path, redis_url: str, prefix: str
) -> None:
    engine = Engine(load_backbone("dinov2_vits14", "random"), "fp32")
    messages = [published(engine, camera, seconds) for camera in SEEDS for seconds in TIMES]
    publish(redis_url, prefix, [*messages, published(engine, "gate", 25.0)])
    filled = main("gallery", config, "--catch-up")
    assert filled.returncode == 0, filled.stderr
    assert "read: 5 kept" in filled.stdout
    assert "5 vectors" in filled.stdout.splitlines()[-1]

    asked = tmp_path / "asked.png"
    cv2.imwrite(str(asked), picture("dock-2", 50.0)[:, :, ::-1])
    sheet = tmp_path / "sheet.png"
    found = main("search", asked, config, "--box", ",".join(map(str, BOX)), "--top", "4", "--out", sheet)
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert lines[2].split()[0] == "1"
    assert "dock-2/17/50" in lines[2]
    assert "vehicles: forklift" in lines[2]
    assert "some have no picture: a live camera's pictures are not kept" in found.stdout
    drawn = cv2.imread(str(sheet))
    assert drawn is not None
    assert drawn.shape[0] > 400  # two rows: the query and four moments
    first, second = drawn[40:210, 10:310], drawn[40:210, 330:630]
    assert np.abs(first.astype(int) - second).mean() < 8  # the query and the very frame, drawn again

    found = main("search", "dock-1/17/14", config, "--camera", "dock-2", "--out", sheet)
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert lines[0].startswith("dock-1/17/14, part 0 of 1: vehicles: forklift")
    assert sorted(line.split()[7] for line in lines[2:4]) == ["dock-2/17/14", "dock-2/17/50"]
    assert "the query and 2 moments" in lines[4]


def test_sigterm_ends_it_with_its_status(config: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "main.py", "gallery", str(config)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert "reading results from Redis" in child.stdout.readline()
        second = main("gallery", config, "--catch-up")
        assert second.returncode == 3
        assert f"is written to by process {child.pid}" in second.stderr
        child.send_signal(signal.SIGTERM)
        rest = child.stdout.read()
        assert child.wait(20) == 0
    assert rest.splitlines()[0] == "read: nothing"
