"""Files from the field, where the folder with them lies beside the project: see its own README."""

import threading
from pathlib import Path

import pytest

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
