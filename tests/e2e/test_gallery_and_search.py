"""`gallery` and `search` as a user runs them: results on a real Redis, of simulated docks and of a live camera that
the pipeline's own parts watched, found again with pictures.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from operators.analyzer import Analyzer
from operators.backbone import Engine, load_backbone
from operators.frames import Item
from operators.results import Analysis
from operators.retrieval.query import embed_query
from pipeline.clock import SystemClock
from pipeline.config import load_config
from pipeline.control.model import build_analyzer, model_spec
from pipeline.control.planning.plan import Plan, PublisherPlan
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.owner import Owner
from pipeline.frame_path.publisher.publisher import Publisher
from pipeline.frame_path.publisher.wire import encode_array, encode_event
from pipeline.frame_path.publisher.wire_result import ResultBody
from pipeline.local.rtsp import RtspPublisher, RtspServer
from pipeline.messages import Message
from pipeline.secrets import Secrets
from pipeline.sinks.config import RedisSinkConfig, SinksConfig
from pipeline.sinks.registry import build_sinks
from pipeline.sources.simulated import dock_for, frame_at
from tests.clips import LIVE, make_clip
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
    assert (
        "some have no picture: a live camera's frames are not kept, and no thumbnail was taken within 5 s"
        in found.stdout
    )
    drawn = cv2.imread(str(sheet))
    assert drawn is not None
    assert drawn.shape[0] > 400  # two rows: the query and four moments
    first, second = drawn[60:260, 10:370], drawn[60:260, 400:760]
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


class Model:
    """The analyzer as its owner calls it, in this process."""

    name = "analyze-0"

    def __init__(self, analyzer: Analyzer) -> None:
        self._analyzer = analyzer

    def analyze(self, items: Sequence[Item], timeout_seconds: float) -> list[Analysis]:
        del timeout_seconds
        return self._analyzer.analyze(items)


class Desk:
    """The publisher as its owner calls it, in this process."""

    name = "publish-0"

    def __init__(self, publisher: Publisher) -> None:
        self.attach = publisher.attach
        self.publish = publisher.publish


def watch(config: Path, monkeypatch: pytest.MonkeyPatch, num_thumbnails: int) -> None:
    """What `run` does with this file, without Ray, until so many pictures of `gate` are kept."""
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # read when ray is imported: loopback alone
    from pipeline.control.planning.specs import RunSpec

    loaded = load_config(config)
    run = RunSpec(loaded, model_spec(loaded))
    spec = run.publish_spec("publish-0", Plan((), (), (PublisherPlan("publish-0", ("gate",)),), {}))
    sinks, required = build_sinks(spec.sinks, spec.site, spec.secrets)
    analyzer = build_analyzer(run.model)
    clock = SystemClock()
    publisher = Publisher(
        cameras=spec.cameras,
        sinks=sinks,
        required=required,
        state_dir=spec.state_dir,
        site=spec.site,
        timezone=spec.timezone,
        model=analyzer.about,
        outbox=spec.outbox,
        evidence=spec.evidence,
        clock=clock,
    )
    owner = Owner(
        "decode-0",
        [run.feed_plan(["gate"], {"gate": 7})],
        analyzers=[(Model(analyzer), 1)],
        publisher_of=lambda _: desk,
        clock=clock,
        state_dir=config.parent,
        limits=BatchLimits(max_batch_size=1),
    )
    desk, pause, deadline = Desk(publisher), threading.Event(), time.monotonic() + 120.0
    publisher.start()
    owner.start()
    try:
        while publisher.snapshot().thumbnails["gate"]["written"] < num_thumbnails:
            assert time.monotonic() < deadline, (publisher.snapshot(), owner.snapshot())
            owner.beat()
            pause.wait(0.05)
        assert owner.drain(20.0)
    finally:
        owner.stop(5.0)
        publisher.close(10.0)


@pytest.mark.rtsp
def test_moments_of_a_live_camera_are_shown(
    tmp_path: Path, redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, evidence = tmp_path / "live.yaml", tmp_path / "evidence"
    clip = make_clip(tmp_path / "clip.mkv", 50, options=LIVE, size=(224, 392))
    with RtspServer() as server, RtspPublisher(clip, server.url("gate")):
        server.wait_until_live("gate")
        config.write_text(
            f"""\
version: 1
site: {{name: yard}}
model: {{weights: random, shapes: [112x196]}}
cameras:
  gate:
    source: {{url: "{server.url("gate")}"}}
    sample: {{fps: 5}}
    privacy: [[[0.0, 0.0], [0.5, 0.0], [0.5, 0.5], [0.0, 0.5]]]
sinks:
  redis: {{url: "{redis_url}", prefix: {prefix}}}
runtime: {{state_dir: {tmp_path / "state"}}}
evidence: {{store: {evidence}}}
gallery: {{store: {tmp_path / "gallery"}, thumbnails: 600ms}}
"""
        )
        watch(config, monkeypatch, 3)
    first, second, *_ = sorted(evidence.rglob("*.jpg"), key=lambda path: int(path.stem.partition("@")[2]))
    apart = (int(second.stem.partition("@")[2]) - int(first.stem.partition("@")[2])) / SECOND
    assert 0.6 <= apart < 30.0
    assert max(path.stat().st_size for path in evidence.rglob("*.jpg")) <= 16 * 1024

    filled = main("gallery", config, "--catch-up")
    assert filled.returncode == 0, filled.stderr
    sheet = tmp_path / "sheet.png"
    frame = f"gate/7/{first.stem.partition('@')[0]}"
    asked = tmp_path / "asked.png"
    asked.write_bytes(first.read_bytes())
    found = main("search", asked, config, "--by", "frame", "--top", "1", "--out", sheet)
    assert found.returncode == 0, found.stderr
    assert f"  {frame}  " in found.stdout.splitlines()[2]
    assert "no picture" not in found.stdout
    drawn = cv2.imread(str(sheet))
    assert drawn is not None
    query, answer = drawn[52:268, 6:378].astype(int), drawn[52:268, 396:768].astype(int)
    assert np.abs(query[10:200] - answer[10:200]).mean() < 3, "the very frame, from its thumbnail"
    assert answer[10:95, 10:170].max() < 12, "privacy: darker than anything in the clip"
    assert answer[125:200, 200:360].mean() > 40
