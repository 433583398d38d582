import threading
from itertools import pairwise

import numpy as np
import pytest

from operators.scene.config import ViewConfig
from pipeline.simulation import truth_crossings
from pipeline.sources.base import Decoded, Quiet
from pipeline.sources.config import SourceConfig
from pipeline.sources.picture import ArrayPicture
from pipeline.sources.simulated import SIZE, SimulatedFeed, dock_for, frame_at


class Clock:
    """Time passes only while somebody waits for it."""

    def __init__(self):
        self.now = 100.0

    def wall_ns(self):
        return round(self.now * 1e9)

    def monotonic(self):
        return self.now

    def wait(self, event, seconds):
        self.now += seconds
        return event.is_set()


def _frames(feed, count):
    stop, found = threading.Event(), []
    for event in feed.events(stop):
        if isinstance(event, Decoded):
            found.append(event)
        if len(found) == count:
            stop.set()
    return found


def _feed(clock, **cameras):
    return SimulatedFeed(
        {name: SourceConfig(simulated="dock", schedule_seconds=30.0, **given) for name, given in cameras.items()}, clock
    )


def test_frames_come_at_the_camera_s_rate_without_a_position():
    clock = Clock()
    feed = _feed(clock, dock={"fps": 5, "seed": 3})
    info = feed.open({})
    frames = _frames(feed, 6)
    assert (info.size, info.declared_fps) == (SIZE, 5)
    assert [frame.pts_ns for frame in frames] == [round(k * 2e8) for k in range(6)]
    assert clock.now == pytest.approx(101.0)
    assert {(f.epoch, f.seq, f.rule_time_ns, f.capture_clock) for f in frames} == {(None, None, None, "arrival")}


def test_several_cameras_share_a_feed_in_the_order_of_their_times():
    feed = _feed(Clock(), a={"fps": 4}, b={"fps": 2, "seed": 1})
    feed.open({})
    frames = _frames(feed, 9)
    assert sorted(frame.pts_ns for frame in frames) == [frame.pts_ns for frame in frames]
    assert [frame.camera for frame in frames].count("a") == 6


def test_a_frame_can_be_had_again_with_its_truth_from_seed_and_time():
    feed = _feed(Clock(), dock={"fps": 1, "seed": 5})
    feed.open({})
    frame = _frames(feed, 9)[-1]
    scene, schedule, view = dock_for(5, 30.0)
    again = frame_at(scene, schedule, frame.pts_ns / 1e9)
    assert np.array_equal(again.rgb, frame.picture.rgb())
    assert isinstance(view, ViewConfig)


def test_a_slow_reader_gets_the_present_and_not_the_past():
    clock = Clock()
    feed = _feed(clock, dock={"fps": 10})
    feed.open({})
    stop, times = threading.Event(), []
    for event in feed.events(stop):
        times.append(event.pts_ns / 1e9)
        clock.now += 0.55
        if len(times) == 4:
            stop.set()
    assert times[0] == 0.0
    assert all(b - a == pytest.approx(0.55, abs=0.1) for a, b in pairwise(times))


def test_reopening_goes_on_with_the_schedule():
    clock = Clock()
    feed = _feed(clock, dock={"fps": 2})
    feed.open({})
    _frames(feed, 4)
    feed.close()
    clock.now += 10
    feed.open({})
    assert _frames(feed, 1)[0].pts_ns == pytest.approx(11.5e9, abs=0.6e9)


def test_waiting_is_quiet_and_ends_with_stop():
    feed = _feed(Clock(), dock={"fps": 0.2})
    feed.open({})
    stop = threading.Event()
    events = feed.events(stop)
    assert isinstance(next(events), Decoded)
    assert isinstance(next(events), Quiet)
    stop.set()
    assert list(events) == []


@pytest.mark.parametrize("seed", range(4))
def test_a_dock_has_two_clear_approaches_and_one_clear_near_miss(seed):
    scene, schedule, _ = dock_for(seed, 20.0)
    assert len(truth_crossings(scene, schedule, 2, 3.0)) == 2
    nearest = {event.is_near_miss: [] for event in schedule.events}
    for event in schedule.events:
        nearest[event.is_near_miss].append(scene.measure([event.mover])[0].distance_p25)
    assert max(nearest[False]) < 2.7
    assert nearest[True] == [pytest.approx(4.0, abs=0.1)]


def test_without_a_length_the_schedule_goes_on_for_ever():
    _, schedule, _ = dock_for(2)
    moment = schedule.events[0].stops_s
    assert schedule.states(moment + 600)


def test_array_picture_averages_when_it_shrinks():
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[::2, :, 0] = 200
    picture = ArrayPicture(pixels)
    assert picture.size == (8, 8)
    assert picture.rgb() is pixels
    small = picture.rgb((4, 4))
    assert (small[..., 0] == 100).all()
    assert (small[..., 2] == 0).all()
    assert picture.luma((4, 4)).shape == (4, 4)
    assert picture.luma((4, 4))[0, 0] == round(0.299 * 100)
    assert picture.rgb((16, 16)).shape == (16, 16, 3)


def test_array_picture_refuses_what_is_no_rgb_picture():
    with pytest.raises(ValueError, match=r"uint8 \(H, W, 3\) RGB, got float64"):
        ArrayPicture(np.zeros((4, 4, 3)))
