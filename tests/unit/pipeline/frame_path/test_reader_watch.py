"""When a camera counts as silent."""

import threading

import pytest

from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.handles import FeedPlan
from pipeline.frame_path.owner.reader import Reader
from pipeline.frame_path.owner.reader_watch import ReaderWatch
from pipeline.sources.base import EndOfStream, Quiet, SourceInfo
from tests.fakes import FakeClock, owned


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def watch(tmp_path, clock):
    camera = owned("dock-03")
    return ReaderWatch(FeedPlan((camera,), lambda: None), {"dock-03": CameraFlow(camera, tmp_path, clock)}, clock)


def passes(clock, watch, seconds, *, has_packets):
    """Whether the stream would be opened anew within that time."""
    for _ in range(2 * seconds):
        clock.advance(0.5)
        if has_packets:
            watch.packets()
        if watch.must_reconnect():
            return False
    return True


def test_a_stream_joined_between_two_keyframes_is_waited_for(watch, clock):
    watch.begin(25.0)
    assert passes(clock, watch, 55, has_packets=True)


def test_a_stream_that_never_shows_a_picture_is_opened_anew(watch, clock):
    watch.begin(25.0)
    assert not passes(clock, watch, 70, has_packets=True)


def test_without_packets_nothing_is_waited_for(watch, clock):
    watch.begin(25.0)
    assert not passes(clock, watch, 6, has_packets=False)


def test_once_there_were_pictures_packets_alone_are_silence(watch, clock):
    watch.begin(25.0)
    watch.frame("dock-03")
    assert not passes(clock, watch, 6, has_packets=True)


class JoinedLate:
    """A stream whose first keyframe comes after ten seconds; counts how often it was opened."""

    cameras = ("dock-03",)
    is_replayable = False

    def __init__(self, clock):
        self.clock = clock
        self.num_opened = 0

    def open(self, _resume):
        self.num_opened += 1
        return SourceInfo("h264", None, 25.0)

    def events(self, _stop):
        for _ in range(20):
            self.clock.advance(0.5)
            yield Quiet(has_packets=True)
        yield EndOfStream("dock-03")

    def commit(self, _positions):
        pass

    def close(self):
        pass


def test_the_reader_stays_connected_until_the_keyframe(tmp_path, clock):
    camera = owned("dock-03")
    feed = JoinedLate(clock)
    flows = {"dock-03": CameraFlow(camera, tmp_path, clock)}
    plan = FeedPlan((camera,), lambda: feed)
    reader = Reader(plan, flows, threading.Condition(), clock, resume={}, on_news=lambda: None)
    flows["dock-03"].attached.set()
    reader.start()
    is_read = reader._is_quiet.wait(10)
    reader.release()
    assert is_read
    assert feed.num_opened == 1
    assert flows["dock-03"].status.state == "ended"
