"""Files: every frame, in order, the same numbers on every reading. Clips are made here, in a second or so."""

import threading

import pytest

from pipeline.errors import ConnectError, DecodeError
from pipeline.sources.base import Decoded, EndOfStream, Quiet, Undecodable
from pipeline.sources.config import SourceConfig
from pipeline.sources.video_file import FileFeed
from tests.clips import LIVE, make_clip, number_of

NUM_FRAMES = 45


class FakeClock:
    """Waits pass at once."""

    def __init__(self):
        self.now = 100.0

    def wall_ns(self):
        return 0

    def monotonic(self):
        return self.now

    def wait(self, event, seconds):
        self.now += seconds
        return event.is_set()


def feed_of(path, clock=None, **fields):
    return FileFeed("archive", SourceConfig(file=str(path), **fields), clock)


def read(path, resume=None, limit=None, **fields):
    """Events, with the number that each frame shows."""
    feed = feed_of(path, **fields)
    feed.open({"archive": resume} if resume else {})
    told = []
    for event in feed.events(threading.Event()):
        if isinstance(event, Decoded):
            number = number_of(event.picture.rgb())
            told.append((event.epoch, event.seq, event.pts_ns, event.rule_time_ns, event.resume, number))
        elif not isinstance(event, Quiet):
            told.append(event)
        if len(told) == limit:
            break
    feed.close()
    return told


def blank(path, numbers):
    """Zeroes out some pictures of an MJPEG file."""
    data = bytearray(path.read_bytes())
    starts = [at for at in range(len(data)) if data[at : at + 3] == b"\xff\xd8\xff"]
    for number in numbers:
        end = data.index(b"\xff\xd9", starts[number]) + 2
        data[starts[number] : end] = bytes(end - starts[number])
    path.write_bytes(data)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    mpeg4 = {"codec": "mpeg4", "options": {"b": "2M"}}
    return {
        "b_frames.mp4": make_clip(folder / "b_frames.mp4", NUM_FRAMES),
        "open_gop.mp4": make_clip(folder / "open.mp4", NUM_FRAMES, options={"x264-params": "open-gop=1:bframes=3"}),
        "plain.mkv": make_clip(folder / "plain.mkv", NUM_FRAMES, options=LIVE),
        "raw.h264": make_clip(folder / "raw.h264", NUM_FRAMES, options=LIVE, form="h264"),
        "h265.mp4": make_clip(
            folder / "h265.mp4", NUM_FRAMES, codec="libx265", options={"x265-params": "log-level=none:keyint=10"}
        ),
        "mpeg4.avi": make_clip(folder / "mpeg4.avi", NUM_FRAMES, **mpeg4),
        "mjpeg.avi": make_clip(folder / "mjpeg.avi", NUM_FRAMES, codec="mjpeg", pixel_format="yuvj420p"),
        "444.mp4": make_clip(folder / "444.mp4", NUM_FRAMES, pixel_format="yuv444p"),
        "stream.ts": make_clip(folder / "stream.ts", NUM_FRAMES),
    }


ALL = (
    "b_frames.mp4",
    "open_gop.mp4",
    "plain.mkv",
    "raw.h264",
    "h265.mp4",
    "mpeg4.avi",
    "mjpeg.avi",
    "444.mp4",
    "stream.ts",
)


@pytest.mark.parametrize("name", ALL)
def test_every_frame_in_order(clips, name):
    *frames, end = read(clips[name])
    assert end == EndOfStream("archive")
    assert [frame[1] for frame in frames] == list(range(NUM_FRAMES))
    assert [frame[5] for frame in frames] == list(range(NUM_FRAMES))
    times = [frame[3] for frame in frames]
    assert times == sorted(set(times))


@pytest.mark.parametrize("name", ALL)
def test_resuming_anywhere_repeats_the_rest(clips, name):
    whole = read(clips[name])
    for start in (0, 1, 9, 10, 11, 29, NUM_FRAMES - 1):
        assert read(clips[name], resume=whole[start][4]) == whole[start:], start


def test_resuming_near_the_end_starts_at_a_keyframe(clips):
    feed = feed_of(clips["b_frames.mp4"])
    late = read(clips["b_frames.mp4"])[NUM_FRAMES - 1][4]
    assert late.endswith(":40")
    feed.open({"archive": late})
    first = next(event for event in feed.events(threading.Event()) if isinstance(event, Decoded))
    assert first.seq == NUM_FRAMES - 1
    feed.close()


def test_an_anchor_that_is_not_there_falls_back_to_the_start(clips):
    whole = read(clips["b_frames.mp4"])
    epoch, seq, base_ns, last_ns = whole[20][4].split(":")[:4]
    lost = f"{epoch}:{seq}:{base_ns}:{last_ns}:{12345}:{7}"
    assert [frame[:4] for frame in read(clips["b_frames.mp4"], resume=lost)[:-1]] == [f[:4] for f in whole[20:-1]]


def test_a_loop_is_an_epoch_and_time_goes_on(clips):
    told = read(clips["plain.mkv"], loop=True, limit=NUM_FRAMES * 2 + 3)
    assert [(frame[0], frame[1]) for frame in told[NUM_FRAMES : NUM_FRAMES + 2]] == [(1, 0), (1, 1)]
    times = [frame[3] for frame in told]
    assert times == sorted(set(times))
    start = NUM_FRAMES + 12
    again = read(clips["plain.mkv"], loop=True, resume=told[start][4], limit=len(told) - start)
    assert again == told[start:]


def test_damage_is_counted_and_numbered_the_same_again(tmp_path):
    path = make_clip(tmp_path / "damaged.avi", NUM_FRAMES, codec="mjpeg", pixel_format="yuvj420p")
    blank(path, [20])
    told = read(path)
    bad = [event for event in told if isinstance(event, Undecodable)]
    assert [event.seq for event in bad] == [20]
    assert len(told) == NUM_FRAMES + 1
    after = next(event for event in told if not isinstance(event, Undecodable) and event[1] == 33)
    assert read(path, resume=after[4]) == told[33:]
    assert read(path, resume=bad[0].resume) == told[20:]


def test_a_truncated_file_ends_after_what_is_there(tmp_path, clips):
    path = tmp_path / "cut.ts"
    data = clips["stream.ts"].read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    *told, end = read(path)
    assert end == EndOfStream("archive")
    assert 20 < len(told) < NUM_FRAMES


@pytest.mark.parametrize("content", [b"", b"hello world" * 100])
def test_what_is_no_video_is_unsupported(tmp_path, content):
    path = tmp_path / "note.mp4"
    path.write_bytes(content)
    with pytest.raises(ConnectError) as caught:
        feed_of(path).open({})
    assert caught.value.code == "unsupported"
    assert not caught.value.is_transient


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConnectError) as caught:
        feed_of(tmp_path / "nix.mp4").open({})
    assert caught.value.code == "not_found"
    assert not caught.value.is_transient


def test_a_foreign_position_is_refused(clips):
    with pytest.raises(ConnectError, match="resume"):
        feed_of(clips["plain.mkv"]).open({"archive": "yesterday"})


def test_a_file_without_a_single_frame_does_not_loop_for_ever(tmp_path):
    path = make_clip(tmp_path / "nothing.avi", 5, codec="mjpeg", pixel_format="yuvj420p")
    blank(path, range(5))
    feed = feed_of(path, loop=True)
    feed.open({})
    events = feed.events(threading.Event())
    assert [type(next(events)) for _ in range(5)] == [Undecodable] * 5
    with pytest.raises(DecodeError):
        next(events)
    feed.close()


def test_real_time_waits_for_each_frame(clips):
    clock = FakeClock()
    feed = feed_of(clips["plain.mkv"], clock, pace="realtime")
    feed.open({})
    for event in feed.events(threading.Event()):
        if isinstance(event, Decoded):
            assert clock.now - 100.0 == pytest.approx(event.rule_time_ns / 1e9)
    feed.close()
    assert clock.now - 100.0 == pytest.approx((NUM_FRAMES - 1) / 25)


def test_stop_ends_it(clips):
    feed, stop = feed_of(clips["plain.mkv"], loop=True), threading.Event()
    feed.open({})
    for number, _ in enumerate(feed.events(stop)):
        if number == 7:
            stop.set()
    assert number == 7
    feed.close()
    feed.close()
