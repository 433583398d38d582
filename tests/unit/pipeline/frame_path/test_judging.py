from __future__ import annotations

from zoneinfo import ZoneInfoNotFoundError

import pytest

from operators.rules.measures import Reading
from pipeline.frame_path.publisher.judging import MAX_HISTORY, Judge, is_engaged, period_of
from tests.fakes_publisher import START_NS, camera, rule

SECOND = 1_000_000_000


def judge(**changes):
    return Judge(camera(too_close=rule(**changes)).spec, "UTC")


def run(made, values, *, every_ns=SECOND // 5, start_ns=START_NS, period_ns=SECOND // 5):
    memories, transitions = {}, []
    for number, value in enumerate(values):
        reading = Reading.nothing() if value is None else Reading.of(value)
        judged = made.judge(memories, {"too_close": reading}, start_ns + number * every_ns, period_ns)
        memories = judged.memories
        transitions += [each.kind for each in judged.transitions]
    return memories["too_close"], transitions


def test_history_keeps_the_seconds_that_the_rule_asks_for():
    memory, _ = run(judge(evidence={"history": "1s"}), [4.0 + n / 100 for n in range(20)])
    assert [point.value for point in memory.history] == pytest.approx([4.14, 4.15, 4.16, 4.17, 4.18, 4.19])


def test_history_is_bounded_however_long_it_may_be():
    memory, _ = run(judge(evidence={"history": "1h"}), [5.0] * 300)
    assert len(memory.history) == MAX_HISTORY


def test_without_evidence_there_is_no_history():
    memory, _ = run(judge(), [5.0] * 3)
    assert memory.history == []


def test_the_extreme_is_of_this_episode_and_in_the_direction_of_the_alarm():
    made = judge(hold="0s")
    assert run(made, [2.5, 1.5, 2.8])[0].extreme == 1.5
    assert run(made, [1.0, 5.0, 5.0, 2.5])[0].extreme == 2.5
    assert run(made, [1.0, 5.0, 5.0])[0].extreme is None
    rising = judge(enter="> 3 m", exit="< 2 m", hold="0s")
    assert run(rising, [3.5, 4.5, 3.2])[0].extreme == 4.5


def test_a_slow_camera_supports_its_hold_by_its_own_period():
    assert run(judge(hold="5s"), [2.0] * 4, every_ns=3 * SECOND, period_ns=0)[1] == []
    assert run(judge(hold="5s"), [2.0] * 4, every_ns=3 * SECOND, period_ns=3 * SECOND)[1] == ["start"]


def test_outside_its_hours_a_rule_is_idle():
    armed = judge(hold="0s", armed={"mon-sun": "00:00-01:00"})
    assert run(armed, [2.0], start_ns=START_NS)[1] == ["start"]
    assert run(armed, [2.0], start_ns=START_NS - SECOND)[1] == []


def test_a_time_zone_that_is_not_here_is_found_at_the_start():
    with pytest.raises(ZoneInfoNotFoundError, match="Mars/Olympus"):
        Judge(camera(too_close=rule(armed={"mon-sun": "00:00-01:00"})).spec, "Mars/Olympus")


def test_a_camera_is_engaged_while_a_rule_is_pending_active_or_releasing():
    made = judge(release="1s")
    assert not is_engaged({"too_close": run(made, [5.0])[0]})
    for values in ([2.0], [2.0] * 5, [2.0] * 5 + [5.0]):
        assert is_engaged({"too_close": run(made, values)[0]})


def test_the_period_survives_a_gap():
    assert period_of([200, 200, 90_000, 200]) == 200
    assert period_of([]) == 0
