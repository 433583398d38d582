import random

import pytest

from pipeline.frame_path.owner.batching import BatchLimits, Candidate, FairShare

SHAPE = (224, 392)
BYTES = 224 * 392 * 3


def waiting(camera: str, deadline: float = 0.0, **rest) -> Candidate:
    rest.setdefault("shape", SHAPE)
    rest.setdefault("num_bytes", BYTES)
    return Candidate(camera=camera, deadline=deadline, **rest)


def jain(rates) -> float:
    return sum(rates) ** 2 / (len(rates) * sum(each * each for each in rates))


def test_the_earliest_deadline_goes_first_among_equals():
    share = FairShare(BatchLimits(max_batch_size=2))
    assert share.choose([waiting("a", 3.0), waiting("b", 1.0), waiting("c", 2.0)]) == ["b", "c"]


def test_a_batch_has_one_shape_and_the_other_shape_comes_next():
    share = FairShare(BatchLimits(max_batch_size=8))
    cameras = [waiting("a", 1.0), waiting("b", 2.0, shape=(224, 224)), waiting("c", 3.0)]
    assert share.choose(cameras) == ["a", "c"]
    assert share.choose(cameras)[0] == "b"


def test_a_batch_is_bounded_in_bytes_but_never_empty():
    share = FairShare(BatchLimits(max_batch_size=32, max_batch_bytes=2_000_000))
    assert len(share.choose([waiting(f"c{n}", n) for n in range(20)])) == 2_000_000 // BYTES
    assert share.choose([waiting("big", num_bytes=5_000_000)]) == ["big"]


def test_a_file_gives_several_frames_in_one_batch():
    share = FairShare(BatchLimits(max_batch_size=4))
    assert share.choose([waiting("archive", waiting=3)]) == ["archive"] * 3


def test_a_file_with_much_to_say_does_not_crowd_out_a_live_camera():
    share = FairShare(BatchLimits(max_batch_size=1))
    picks = [share.choose([waiting("archive", -1.0, waiting=16), waiting("dock", 9.0)])[0] for _ in range(20)]
    assert picks.count("dock") == 10


def served(share: FairShare, fps: dict[str, float], capacity: float, weights=None):
    """Frames analysed per camera: live cameras whose newest frame wins, and a model of `capacity` pictures/s."""
    rng, weights, seconds = random.Random(0), weights or {}, 60.0
    next_frame = {camera: rng.uniform(0, 1 / rate) for camera, rate in fps.items()}
    mailbox: dict[str, float] = {}
    done = dict.fromkeys(fps, 0)
    now = 0.0
    while now < seconds:
        for camera, rate in fps.items():
            while next_frame[camera] <= now:
                mailbox[camera] = next_frame[camera]
                next_frame[camera] += rng.uniform(0.9, 1.1) / rate
        chosen = share.choose([waiting(c, at + 1.0, weight=weights.get(c, 1.0)) for c, at in mailbox.items()])
        for camera in chosen:
            del mailbox[camera]
            done[camera] += 1
        now += max(1, len(chosen)) / capacity
    return done


@pytest.mark.parametrize("batch", [1, 4])
def test_equal_cameras_get_equal_rates_under_overload(batch):
    fps = {f"cam-{n}": 5.0 for n in range(8)}
    rates = served(FairShare(BatchLimits(max_batch_size=batch)), fps, capacity=8 * 5.0 / 1.5)
    assert jain(rates.values()) >= 0.99


def test_a_fast_camera_takes_nothing_from_the_slow_ones():
    slow = {f"cam-{n}": 2.0 for n in range(6)}
    alone = served(FairShare(BatchLimits(max_batch_size=1)), slow, capacity=16.0)
    beside = served(FairShare(BatchLimits(max_batch_size=1)), slow | {"fast": 60.0}, capacity=16.0)
    for camera, count in alone.items():
        assert beside[camera] >= 0.98 * count
    assert beside["fast"] >= 0.9 * (16.0 - 12.0) * 60.0


def test_weight_decides_who_keeps_its_rate():
    fps = {"important": 5.0, **{f"cam-{n}": 5.0 for n in range(4)}}
    rates = served(FairShare(BatchLimits(max_batch_size=1)), fps, capacity=10.0, weights={"important": 10.0})
    assert rates["important"] >= 0.8 * 300  # an equal share would be 0.4
    others = [count for camera, count in rates.items() if camera != "important"]
    assert jain(others) >= 0.99
    assert min(others) > 0


def test_what_an_idle_camera_saved_is_gone():
    share = FairShare(BatchLimits(max_batch_size=1))
    for _ in range(100):
        share.choose([waiting("busy")])
    picks = [share.choose([waiting("busy", 1.0), waiting("late", 2.0)])[0] for _ in range(10)]
    assert picks.count("late") == 5
