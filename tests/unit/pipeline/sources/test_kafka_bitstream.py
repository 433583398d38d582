"""Chunks to frames, and the same numbers when decoding starts again at a keyframe's chunk."""

from dataclasses import dataclass, field

import av
import pytest

from pipeline.sources.base import Decoded, Undecodable
from pipeline.sources.config import KafkaSourceConfig
from pipeline.sources.kafka_position import KafkaPosition
from pipeline.sources.kafka_records import BitstreamReader, ImageReader, capture_time
from pipeline.sources.video_packets import access_units
from tests.clips import LIVE, make_clip, number_of

NUM_FRAMES = 45
X265 = {"x265-params": "log-level=none:keyint=10:min-keyint=10:scenecut=0:open-gop=0"}
PERIOD_NS = 40_000_000


@dataclass(frozen=True)
class Record:
    offset: int
    value: bytes | None
    partition: int = 2
    timestamp: int = 1_700_000_000_000
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def joined(units, per_chunk):
    return [b"".join(units[at : at + per_chunk]) for at in range(0, len(units), per_chunk)]


@pytest.fixture(scope="module")
def chunks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chunks")
    live = list(access_units(str(make_clip(folder / "live.mp4", NUM_FRAMES, options=LIVE)), fast=True))
    b_frames = {"x264-params": "scenecut=0"}
    reordered = list(access_units(str(make_clip(folder / "b.mp4", NUM_FRAMES, options=b_frames)), fast=True))
    h265 = list(access_units(str(make_clip(folder / "h265.mp4", NUM_FRAMES, codec="libx265", options=X265)), fast=True))
    segments = []
    for number in range(4):
        path = make_clip(folder / f"{number}.ts", 10, options=LIVE)
        segments.append(path.read_bytes())
    return {
        "h264 a frame": live,
        "h264 a second": joined(live, 10),
        "h264 reordered": reordered,
        "h264 reordered in fives": joined(reordered, 5),
        "h265 reordered": h265,
        "h265 a second": joined(h265, 10),
        "mpeg-ts": segments,
    }


KINDS = (
    "h264 a frame",
    "h264 a second",
    "h264 reordered",
    "h264 reordered in fives",
    "h265 reordered",
    "h265 a second",
    "mpeg-ts",
)


def read(chunks, start=0):
    reader = BitstreamReader("gate", KafkaSourceConfig(topic="t", format="bitstream"))
    told = []
    for offset, chunk in list(enumerate(chunks))[start:]:
        for event in reader.read(Record(offset, chunk)):
            if isinstance(event, Decoded):
                told.append((event.seq, event.resume, event.rule_time_ns, number_of(event.picture.rgb())))
            else:
                told.append(event)
    return told


@pytest.mark.parametrize("kind", KINDS)
def test_frames_come_in_order_with_rising_numbers(chunks, kind):
    frames = read(chunks[kind])
    assert all(isinstance(frame, tuple) for frame in frames)
    seqs = [frame[0] for frame in frames]
    assert seqs == sorted(set(seqs))
    shown = [frame[3] for frame in frames]
    expected = list(range(10)) * 4 if kind == "mpeg-ts" else list(range(NUM_FRAMES))
    assert shown == expected[: len(shown)]
    assert len(shown) >= len(expected) - 4  # the last reordered ones wait for a keyframe that never comes


@pytest.mark.parametrize("kind", KINDS)
def test_decoding_again_from_the_keyframe_gives_equal_frames(chunks, kind):
    frames = read(chunks[kind])
    for at in range(0, len(frames), 6):
        seq, resume, *_ = frames[at]
        again = read(chunks[kind], KafkaPosition.parse(resume).offset)
        assert [frame for frame in again if frame[0] >= seq] == frames[at:]


def test_the_commit_goes_forward_with_the_keyframes(chunks):
    offsets = [KafkaPosition.parse(frame[1]).offset for frame in read(chunks["h264 a frame"])]
    assert sorted(set(offsets)) == [0, 10, 20, 30, 40]


@pytest.mark.parametrize("kind", ["h264 a frame", "h265 reordered"])
def test_a_keyframe_within_a_chunk_loses_nothing_before_it(chunks, kind):
    units = chunks[kind]
    uneven = [b"".join(units[begin:end]) for begin, end in ((0, 10), (10, 19), (19, 25), (25, 45))]
    shown = [frame[3] for frame in read(uneven)]
    assert shown == list(range(NUM_FRAMES))[: len(shown)]
    assert len(shown) >= NUM_FRAMES - 4


def test_frames_in_a_chunk_are_a_period_apart(chunks):
    times = [frame[2] for frame in read(chunks["h264 a second"])[:10]]
    assert times == [1_700_000_000_000_000_000 + number * PERIOD_NS for number in range(10)]


def test_before_the_first_keyframe_nothing_can_be_decoded(chunks):
    told = read(chunks["h264 a frame"], 3)
    assert [isinstance(event, Undecodable) for event in told[:8]] == [True] * 7 + [False]
    assert told[0].epoch == 2
    assert told[0].seq == 3 << 16


@pytest.mark.parametrize("damage", [b"nonsense", b"", b"\x47" + bytes(187), b"\x00\x00\x01\x65" + bytes(64)])
def test_damage_is_counted_in_its_place(chunks, damage):
    damaged = list(chunks["h264 a frame"])
    damaged[5] = damage
    told = read(damaged)
    seqs = [event.seq if isinstance(event, Undecodable) else event[0] for event in told]
    assert seqs == sorted(set(seqs))
    assert len(told) >= NUM_FRAMES
    whole = read(chunks["h264 a frame"])
    assert told[-30:] == whole[-30:]


def test_a_picture_is_one_frame_and_garbage_is_counted():
    reader = ImageReader("gate", KafkaSourceConfig(topic="t"))
    bad = list(reader.read(Record(9, b"garbage")))
    assert [(event.epoch, event.seq, event.resume) for event in bad] == [(2, 9, "2:9:9")]
    assert isinstance(bad[0], Undecodable)
    assert isinstance(next(reader.read(Record(10, None))), Undecodable)


def test_the_capture_time_is_the_header_s_where_it_is_sound():
    headers = [("capture_ns", b"1700000000123456789"), ("other", b"x")]
    assert capture_time(Record(0, b"", headers=headers), "capture_ns")[0] == 1_700_000_000_123_456_789
    for unsound in (None, "other", "missing"):
        time_ns, uncertainty_ns = capture_time(Record(0, b"", headers=headers), unsound)
        assert time_ns == 1_700_000_000_000_000_000
        assert uncertainty_ns == 1_000_000_000


def test_access_units_are_what_the_file_holds(tmp_path):
    path = make_clip(tmp_path / "clip.mp4", 20, options=LIVE)
    units = list(access_units(str(path), fast=True))
    assert len(units) == 20
    decoder = av.CodecContext.create("h264", "r")
    frames = [frame for packet in decoder.parse(b"".join(units)) for frame in decoder.decode(packet)]
    assert len(frames) >= 18
