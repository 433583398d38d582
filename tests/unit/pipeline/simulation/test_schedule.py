import numpy as np
import pytest

from pipeline.simulation import POSES, DockScene, MoverState, Schedule, truth_crossings
from pipeline.simulation.truth import nearest_truth


def test_visits_fill_the_time_one_after_the_other():
    schedule = Schedule.approaches(5, 80, 3, 2)
    assert [event.is_near_miss for event in schedule.events].count(True) == 2
    assert len(schedule.events) == 5
    ends = 0.0
    for event in schedule.events:
        assert ends < event.starts_s < event.stops_s < event.ends_s <= 80
        assert 0.7 <= event.speed <= 2.0
        ends = event.ends_s
    assert all(len(schedule.states(t)) <= 1 for t in np.arange(0, 80, 0.5))
    assert {event.kind for event in schedule.events} == {"forklift", "person", "truck", "other"}


def test_equal_seeds_give_equal_schedules():
    assert Schedule.approaches(5, 80) == Schedule.approaches(5, 80)
    assert Schedule.approaches(5, 80) != Schedule.approaches(6, 80)


def test_a_visit_comes_at_its_speed_stops_and_goes_back():
    event = Schedule.approaches(1, 60, 1, 0).events[0]
    first, last = event.state(event.starts_s), event.state(event.ends_s - 1e-6)
    assert first.y == pytest.approx(last.y, abs=1e-3)
    assert event.state(event.stops_s + event.stop_seconds / 2).y == event.mover.y
    one_second_before = event.state(event.stops_s - 1.0)
    assert one_second_before.y - event.mover.y == pytest.approx(event.speed)
    assert event.state(event.starts_s - 0.01) is None
    assert event.state(event.ends_s) is None


@pytest.mark.parametrize(("kind", "turn"), [("person", 180), ("forklift", 0), ("truck", 0)])
def test_people_turn_round_to_leave_and_vehicles_reverse(kind, turn):
    event = Schedule.approaches(1, 30, 1, 0, kinds=(kind,)).events[0]
    coming, leaving = event.state(event.starts_s), event.state(event.ends_s - 0.5)
    assert leaving.heading - coming.heading == pytest.approx(turn)


@pytest.mark.parametrize("name", ["P0", "P3", "B"])
def test_a_near_miss_stops_at_a_true_p25_of_four_metres(name):
    pose = POSES[name]
    scene = DockScene(77, pose)
    schedule = Schedule.approaches(9, 60, 0, 4, pose=pose)
    for event in schedule.events:
        assert scene.measure([event.mover])[0].distance_p25 == pytest.approx(4.0, abs=0.1)
    assert truth_crossings(scene, schedule, 1, 3.6) == []


@pytest.mark.parametrize("name", ["P1", "C"])
def test_an_approach_is_truly_nearer_than_three_metres_once(name):
    pose = POSES[name]
    schedule = Schedule.approaches(3, 60, 4, 1, pose=pose)
    crossings = truth_crossings(DockScene(12, pose), schedule, 2, 3.0)
    approaches = [event for event in schedule.events if not event.is_near_miss]
    assert len(crossings) == len(approaches) == 4
    for (enter, leave), event in zip(crossings, approaches, strict=True):
        assert event.starts_s < enter <= event.stops_s + 0.5
        assert event.stops_s + event.stop_seconds <= leave <= event.ends_s + 0.5


def test_leaving_can_need_more_distance_than_entering():
    scene, schedule = DockScene(12, POSES["P0"]), Schedule.approaches(3, 14, 1, 0)
    (plain,), (wide,) = truth_crossings(scene, schedule, 5, 3.0), truth_crossings(scene, schedule, 5, 3.0, 3.6)
    assert wide[0] == plain[0]
    assert wide[1] - plain[1] == pytest.approx(0.6 / schedule.events[0].speed, abs=0.3)


def test_who_has_sunk_below_the_picture_keeps_the_last_distance():
    scene = DockScene(1, POSES["P2"])
    below = [MoverState("person", 0.0, 0.6, 180, 1)]
    assert scene.measure(below) == [None]
    assert nearest_truth(scene, below, 2.2) == 2.2
    assert nearest_truth(scene, below, None) < 1
    assert nearest_truth(scene, [], 2.2) is None


def test_twenty_seconds_are_enough_and_ten_are_refused_with_the_reason():
    assert len(Schedule.approaches(1, 20, 2, 1).events) == 3
    with pytest.raises(ValueError, match=r"expected at least 4\.8 s a visit, got 2\.9 s"):
        Schedule.approaches(1, 10, 2, 1)


def test_a_repeated_schedule_goes_on_and_a_single_one_ends():
    once, forever = (Schedule.approaches(1, 30, 1, 0, is_repeated=again) for again in (False, True))
    t = once.events[0].stops_s
    assert once.states(t + 60) == []
    assert forever.states(t + 60)[0].y == pytest.approx(once.states(t)[0].y)
    assert Schedule.empty().states(3) == []
