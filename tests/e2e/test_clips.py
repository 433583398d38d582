"""Clips of alerts: owner and publisher in one process, on real video; what lies in the store is decoded again."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from operators.camera import CameraSpec
from operators.frames import Item
from operators.preview import preview_jpeg
from operators.results import Analysis, Label, ModelInfo
from operators.rules.config import RuleConfig
from pipeline.clock import SystemClock
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.config import SampleConfig
from pipeline.frame_path.owner.handles import FeedPlan, OwnedCamera
from pipeline.frame_path.owner.owner import Owner
from pipeline.frame_path.publisher.publisher import PublishedCamera, Publisher
from pipeline.local.rtsp import RtspPublisher, RtspServer
from pipeline.secrets import Secrets
from pipeline.sinks.config import EvidenceConfig, JsonlSinkConfig, OutboxConfig, SinksConfig
from pipeline.sinks.registry import build_sinks
from pipeline.sources.base import Feed
from pipeline.sources.config import SourceConfig
from pipeline.sources.video_file import FileFeed
from pipeline.sources.video_live import LiveFeed
from tests.clips import LIVE, make_clip, number_of
from tests.fakes import FakeAnalyzer, analysis_of
from tests.waiting import until

MODEL = ModelInfo("none", "random", "f" * 64, "apache-2.0", {"28x42": "s" * 64})
FPS = 10
BEGINS_SECONDS, NUM_FRAMES = 6.0, 120
CORNER = ((0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (0.0, 1.0))
"""The lower left quarter."""
RULE: dict[str, Any] = {
    "measure": "score(watch.seen)",
    "enter": "> 0.5",
    "exit": "< 0.4",
    "hold": "400ms",
    "evidence": {"clip": {"before": "2s", "after": "1s"}},
}


class Watchful(FakeAnalyzer):
    """Sees something from some second of the stream on."""

    def __init__(self, begins_seconds: float) -> None:
        super().__init__()
        self._begins_ns = begins_seconds * 1e9

    def analyze(self, items: Sequence[Item], timeout_seconds: float) -> list[Analysis]:
        del timeout_seconds
        return [self._seen(item) for item in items]

    def _seen(self, item: Item) -> Analysis:
        is_there = (item.times.pts_ns or 0) >= self._begins_ns
        label = Label("watch", (("seen", 1.0 if is_there else 0.0),))
        preview = preview_jpeg(item.pixels) if item.wants_preview else None
        return replace(analysis_of(item), labels=(label,), preview=preview)


class Direct:
    """A handle that calls the publisher in this process."""

    name = "publish-0"

    def __init__(self, publisher: Publisher) -> None:
        self.attach = publisher.attach
        self.publish = publisher.publish


def run(folder: Path, clip: Path, **spec: Any) -> dict[str, dict[str, Any]]:
    """What a file's alert leaves."""
    return watched(folder, lambda: FileFeed("gate", SourceConfig(file=str(clip))), **spec)


def watched(
    folder: Path,
    open_feed: Callable[[], Feed],
    *,
    is_replayable: bool = True,
    begins: float = BEGINS_SECONDS,
    **spec: Any,
) -> dict[str, dict[str, Any]]:
    """What the camera's first alert leaves: alert bodies by the end of their id."""
    rules = {"seen": RuleConfig.model_validate(spec.pop("rule", RULE))}
    store = spec.pop("store", str(folder / "evidence"))
    camera = CameraSpec("gate", (28, 42), heads=("watch",), rules=rules, **spec)
    owned = OwnedCamera(camera, 7, SampleConfig(fps=5, max_age=30.0), is_replayable, wants_evidence=True)
    sinks, required = build_sinks(SinksConfig(jsonl=JsonlSinkConfig(path=str(folder / "out"))), "site", Secrets({}))
    publisher = Publisher(
        cameras=[PublishedCamera(camera, is_replayable, thumbnail_seconds=0.5)],
        sinks=sinks,
        required=required,
        state_dir=folder / "publish-0",
        site="site",
        timezone="UTC",
        model=MODEL,
        outbox=OutboxConfig(),
        evidence=EvidenceConfig(store=store),
        clock=SystemClock(),
    )
    publisher.start()
    handle = Direct(publisher)
    owner = Owner(
        "decode-0",
        [FeedPlan((owned,), open_feed)],
        analyzers=[(Watchful(begins), 1)],
        publisher_of=lambda _: handle,
        clock=SystemClock(),
        state_dir=folder,
        limits=BatchLimits(max_batch_size=4),
    )
    owner.start()
    try:
        until("the clip is announced", lambda: "start/evidence/clip" in alerts(folder))
        until("the picture is announced", lambda: "start/evidence" in alerts(folder))
        assert owner.snapshot()[0].tape_bytes, "what is held in memory is told"
    finally:
        owner.stop(5.0)
        publisher.close(5.0)
    return alerts(folder)


def alerts(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / "out" / "alerts.jsonl"
    lines = [json.loads(line)["data"] for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    return {each["id"].partition("gate/seen/1/")[2]: each for each in lines}


def shown(data: bytes) -> list[np.ndarray]:
    """Every picture of an MP4 as a player shows it."""
    with av.open(io.BytesIO(data)) as container:
        frames = list(container.decode(video=0))
    return [np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90) for frame in frames]


def stored(said: dict[str, Any]) -> bytes:
    """The file that an evidence event names, as it says."""
    data = Path(said["path"]).read_bytes()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (said["sha256"], said["num_bytes"])
    return data


def turned(path: Path) -> Path:
    """The same MP4, to be shown turned by a quarter: the matrix of its track header."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    for index, value in enumerate((0, 1 << 16, 0, -(1 << 16) & 0xFFFFFFFF, 0, 0, 0, 0, 1 << 30)):
        data[at + 4 * index : at + 4 * index + 4] = value.to_bytes(4, "big")
    path.write_bytes(data)
    return path


def test_a_clip_of_a_file_is_its_own_video_from_before_the_alert_began(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", NUM_FRAMES, fps=FPS, gop=10)
    found = run(tmp_path, clip)
    start, said = found["start"], found["start/evidence/clip"]
    assert (said["of"], said["alert"], said["missing"]) == ("clip", start["id"], None)
    assert said["clip"]["path"] == start["clip"] == str(tmp_path / "evidence/gate/seen/000001-start.mp4")
    assert said["clip"]["is_copied"]
    assert not said["clip"]["is_shortened"]
    assert start["began_ns"] == BEGINS_SECONDS * 1e9
    assert said["clip"]["from_ns"] <= start["began_ns"] - 2e9
    assert said["clip"]["to_ns"] >= start["rule_time_ns"] + 0.9e9
    numbers = [number_of(rgb) for rgb in shown(stored(said["clip"]))]
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "every frame, not only the sampled ones"
    assert numbers[0] == round(said["clip"]["from_ns"] / 1e9 * FPS)
    assert 30 <= numbers[0] <= 40, "from the keyframe before"
    assert found["start/evidence"]["picture"]["path"] == start["evidence"]


@pytest.mark.parametrize("is_turned", [False, True])
def test_privacy_is_black_in_everything_that_an_alert_leaves(tmp_path, is_turned):
    clip = make_clip(tmp_path / "a.mp4", NUM_FRAMES, fps=FPS, size=(96, 160))
    found = run(tmp_path, turned(clip) if is_turned else clip, privacy=(CORNER,))
    said = found["start/evidence/clip"]["clip"]
    assert not said["is_copied"], "its own packets show what is hidden"
    assert said["from_ns"] <= found["start"]["began_ns"] - 1.7e9
    pictures = shown(stored(said))
    assert len(pictures) >= 12
    snapshot = stored(found["start/evidence"]["picture"])
    preview = (tmp_path / "evidence/gate/seen/000001-start-preview.jpg").read_bytes()
    assert len(found["start"]["preview"]) > 100
    thumbnails = [path.read_bytes() for path in (tmp_path / "evidence/thumbnails").rglob("*.jpg")]
    assert thumbnails
    jpegs = (snapshot, preview, *thumbnails)
    pictures += [cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_COLOR) for each in jpegs]
    for picture in pictures:
        height, width = picture.shape[:2]
        hidden = picture[height // 2 + 1 : round(0.8 * height), : width // 2 - 1]
        assert hidden.max() < 24, "black but for what compression smears"
        rest = (picture[: height // 2], picture[height // 2 :, width // 2 + 2 :])
        assert max(each.max() for each in rest) > 100, "the rest is there"
    if is_turned:
        assert pictures[0].shape[0] > pictures[0].shape[1], "shown upright"


def test_a_clip_that_is_turned_stays_turned(tmp_path):
    clip = turned(make_clip(tmp_path / "a.mp4", NUM_FRAMES, fps=FPS))
    first = shown(stored(run(tmp_path, clip)["start/evidence/clip"]["clip"]))[0]
    assert first.shape == (160, 96, 3)


def test_a_clip_beyond_its_bytes_is_shortened_and_says_so(tmp_path):
    noise = make_noise(tmp_path / "a.mp4")
    small = {**RULE, "evidence": {"clip": {"before": "2s", "after": "1s", "max_bytes": "300KiB"}}}
    said = run(tmp_path, noise, rule=small)["start/evidence/clip"]
    assert said["missing"] is None
    assert said["clip"]["is_shortened"]
    assert said["clip"]["num_bytes"] < 320 * 1024
    assert shown(stored(said["clip"]))


@pytest.mark.rtsp
def test_a_clip_of_an_rtsp_camera_is_its_own_video_from_before_the_alert_began(tmp_path):
    clip = make_clip(tmp_path / "a.mkv", NUM_FRAMES, fps=FPS, gop=5, options=LIVE)
    short = {**RULE, "evidence": {"clip": {"before": "1s", "after": "500ms"}}}
    with RtspServer() as server, RtspPublisher(clip, server.url("gate")):
        server.wait_until_live("gate")
        config = SourceConfig(url=server.url("gate"))
        found = watched(
            tmp_path, lambda: LiveFeed("gate", config, Secrets({})), is_replayable=False, begins=2.5, rule=short
        )
    start, said = found["start"], found["start/evidence/clip"]
    assert said["missing"] is None
    assert said["clip"]["is_copied"]
    assert said["clip"]["from_ns"] < start["began_ns"] - 0.9e9
    assert said["clip"]["to_ns"] > start["rule_time_ns"]
    numbers = [number_of(rgb) for rgb in shown(stored(said["clip"]))]
    assert len(numbers) >= 15
    steps = {(after - before) % NUM_FRAMES for before, after in pairwise(numbers)}
    assert steps == {1}, "every frame of the camera's ten a second"


def make_noise(path: Path) -> Path:
    """Twelve seconds that no encoder makes small."""
    rng = np.random.default_rng(5)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "20"})
        stream.height, stream.width, stream.pix_fmt = 96, 160, "yuv420p"
        stream.codec_context.gop_size = 5
        for _ in range(NUM_FRAMES):
            pixels = rng.integers(0, 256, (96, 160, 3), dtype=np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        output.mux(stream.encode())
    return path
