"""Files from the field, where the folder with them lies beside the project: see its own README."""

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from operators.scene.empty_view import build_view
from pipeline.clock import SystemClock
from pipeline.config import load_config
from pipeline.control.banks.bank_pictures import file_items
from pipeline.control.model import build_analyzer, model_spec
from pipeline.control.planning.specs import RunSpec
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.owner import Owner
from pipeline.frame_path.publisher.artefacts import ArtefactStore
from pipeline.frame_path.publisher.publisher import PublishedCamera, Publisher
from pipeline.sinks.registry import build_sinks
from pipeline.sources.base import Decoded, EndOfStream, Quiet, Undecodable
from pipeline.sources.config import SourceConfig
from pipeline.sources.images import NotAPicture, decode_image
from pipeline.sources.video_file import FileFeed

FOOTAGE = Path(__file__).resolve().parents[3] / "shared" / "data"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not FOOTAGE.is_dir(), reason="no footage beside the project: ../shared/data is not there"),
]
FILES = {
    "video/intel_car-detection.mp4": (377, {(432, 768)}),
    "video/vtest_20s_h264.mp4": (200, {(576, 768)}),
    "video/vtest_3s_mjpeg.avi": (30, {(576, 768)}),
    "video/bgs_road_overhead.avi": (374, {(360, 640)}),
    "video/bgs_highway.avi": (748, {(240, 320)}),
    "robust/robust_vpf_res_change.h264": (96, {(464, 848), (232, 424)}),
    "robust/robust_decord_rot90.mov": (3, {(568, 320)}),
    "robust/robust_decord_rot180.mov": (3, {(320, 568)}),
    "robust/robust_decord_unordered.mov": (4, {(50, 50)}),
    "robust/robust_av1.mkv": (125, {(360, 640)}),
    "robust/robust_h265.mp4": (10, {(128, 128)}),
}
"""Frames and sizes as shown."""


def read(path, resume=None):
    feed = FileFeed("archive", SourceConfig(file=str(path)))
    feed.open({"archive": resume} if resume else {})
    events = []
    for event in feed.events(threading.Event()):
        if isinstance(event, Decoded):
            picture = event.picture
            events.append((event.seq, event.rule_time_ns, event.resume, picture.size, picture.rgb((28, 42)).tobytes()))
        elif not isinstance(event, Quiet):
            events.append(event)
    feed.close()
    return events


@pytest.mark.parametrize("name", FILES)
def test_every_frame_once_and_again_from_anywhere(name):
    num_frames, sizes = FILES[name]
    *frames, end = read(FOOTAGE / name)
    assert end == EndOfStream("archive")
    assert [frame[0] for frame in frames] == list(range(num_frames))
    times = [frame[1] for frame in frames]
    assert times == sorted(set(times))
    assert {frame[3] for frame in frames} == sizes
    for start in (num_frames // 3, num_frames - 1):
        assert read(FOOTAGE / name, frames[start][2])[:-1] == frames[start:]


def test_a_damaged_file_is_counted_and_read_to_its_end():
    *events, end = read(FOOTAGE / "robust/robust_decord_corrupted.mp4")
    assert end == EndOfStream("archive")
    bad = [event for event in events if isinstance(event, Undecodable)]
    assert [event.seq for event in bad] == [28]
    assert len(events) == 50


def test_pictures_from_the_field():
    folder = FOOTAGE / "near_duplicates"
    for path in sorted(folder.glob("*.jpg")):
        if "corrupt" in path.name:
            with pytest.raises(NotAPicture):
                decode_image(path.read_bytes())
        else:
            assert decode_image(path.read_bytes()).shape[2] == 3


CAR_PARK = """\
version: 1
model: {weights: standin, shapes: [224x392]}
cameras:
  carpark:
    source: {file: FOOTAGE/video/intel_car-detection.mp4}
    sample: {policy: every_frame, fps: 2}
    zones:
      up: [[0.44, 0.15], [0.75, 0.15], [0.75, 0.85], [0.44, 0.85]]
      down: [[0.02, 0.15], [0.32, 0.15], [0.32, 0.85], [0.02, 0.85]]
    rules:
      drives_up: {measure: count_in(up), enter: ">= 1", exit: "< 1", hold: 400ms, release: 1s, accept: one_light}
      drives_down: {measure: count_in(down), enter: ">= 1", exit: "< 1", hold: 400ms, release: 1s, accept: one_light}
sinks: {jsonl: {path: TMP/out}}
runtime: {state_dir: TMP/state}
evidence: {store: TMP/evidence}
"""
"""A camera that looks down on a car park, of which nobody knows how it hangs."""
EMPTY_SECONDS = (0.0, 4.0)
CARS = {"drives_up": [(4.4, 8.5), (15.0, 19.0)], "drives_down": [(14.5, 18.9), (25.2, 27.9)]}
"""By eye: each car's first and last moment in the picture, seconds. The two in the middle are there at once."""


def ended(owner):
    """Waits for the end of its one file; an owner that hears nothing stops its reader."""
    never, deadline = threading.Event(), time.monotonic() + 240.0
    while owner.snapshot()[0].state != "ended":
        assert time.monotonic() < deadline, "the clip has no end"
        owner.beat()
        never.wait(0.1)


class _Here:
    """Analyzer and publisher in this process, as an owner calls them."""

    name = "here"

    def __init__(self, analyzer, publisher):
        self._analyzer = analyzer
        self.attach, self.publish = publisher.attach, publisher.publish

    def analyze(self, items, timeout_seconds):
        del timeout_seconds
        return self._analyzer.analyze(items)


@pytest.mark.timeout(300)
def test_each_car_is_one_start_and_one_end(tmp_path):
    file = tmp_path / "cameras.yaml"
    file.write_text(CAR_PARK.replace("FOOTAGE", str(FOOTAGE)).replace("TMP", str(tmp_path)))
    config = load_config(file)
    model = model_spec(config)
    analyzer = build_analyzer(model)
    artefacts = ArtefactStore(model.artefacts)
    empty = file_items(config, "carpark", EMPTY_SECONDS, None)[::4][:6]
    samples = [replace(each, wants_view_sample=True) for each in empty]
    light = [each.view_sample for each in analyzer.analyze(samples) if each.view_sample is not None]
    artefacts.put("view/carpark", build_view([light], analyzer.about.fingerprint).to_bytes())
    sinks, required = build_sinks(config.sinks, "site", config.secrets)
    publisher = Publisher(
        cameras=[PublishedCamera(model.camera("carpark"), is_replayable=True)],
        sinks=sinks,
        required=required,
        state_dir=tmp_path / "publish-0",
        site="site",
        timezone="UTC",
        model=analyzer.about,
        outbox=config.outbox,
        evidence=config.evidence,
        clock=SystemClock(),
        artefacts=artefacts,
    )
    publisher.start()
    here = _Here(analyzer, publisher)
    owner = Owner(
        "decode-0",
        [RunSpec(config, model).feed_plan(["carpark"], {"carpark": 7})],
        analyzers=[(here, 2)],
        publisher_of=lambda _: here,
        clock=SystemClock(),
        state_dir=tmp_path,
        limits=BatchLimits(),
    )
    owner.start()
    ended(owner)
    assert owner.drain(240.0)
    owner.stop(5.0)
    publisher.close(5.0)
    lines = [json.loads(line)["data"] for line in (tmp_path / "out" / "alerts.jsonl").read_text().splitlines()]
    for rule, cars in CARS.items():
        told = [(each["transition"], each["rule_time_ns"] / 1e9) for each in lines if each["rule"] == rule]
        assert [transition for transition, _ in told] == ["start", "end"] * len(cars)
        for (came, went), (_, start), (_, end) in zip(cars, told[::2], told[1::2], strict=True):
            assert came < start < went < end + 1.0
