"""What the alarm's acceptance judges, on clips whose events are made up."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.simulation.schedule import Schedule
from tests.bench.alarm_checks import checks, table
from tests.bench.alarm_clips import Clip, Site, passage_seconds
from tests.bench.alarm_figures import (
    control_figures,
    distance_errors,
    errors_with_misses,
    is_right,
    label_figures,
    pose_figures,
)
from tests.bench.alarm_watch import ClipScore, Event, FrameScore

EVENT = replace(Schedule.approaches(3, 112.0, 6, 2).events[0], kind="truck", is_near_miss=False, speed=1.0)
SITE = Site("P0", 1, None)  # pyright: ignore[reportArgumentType] - nothing is drawn here
CLIP = Clip("P0/1/0", SITE, EVENT, 1, 0.0, 20.0, crossing_s=5.0, leaving_s=12.0)
NOTHING = np.zeros(1, np.float32)


def _score(*events: Event, clip: Clip = CLIP, frames: tuple[FrameScore, ...] = ()) -> ClipScore:
    return ClipScore(clip, list(frames), list(events), [], [], NOTHING, NOTHING)


def _episode(start: float, end: float, rule: str = "close") -> tuple[Event, Event]:
    return Event(rule, "start", start), Event(rule, "end", end)


def _frame(truth: float | None, read: float | None) -> FrameScore:
    return FrameScore(0.0, truth, read, read, read, read, read, int(read is not None))


@pytest.mark.parametrize(
    ("start", "end", "holds"),
    [
        (5.6, 13.0, True),
        (7.1, 14.5, True),
        (4.1, 11.5, True),
        (7.3, 13.0, False),
        (5.6, 14.7, False),
        (3.9, 13.0, False),
    ],
)
def test_start_and_end_have_two_periods_and_60_cm_of_way_about_truth_hold_and_release(start, end, holds):
    score = _score(*_episode(start, end))
    assert is_right(score, score.events) is holds


def test_two_episodes_are_wrong_however_well_they_lie():
    score = _score(*_episode(5.6, 13.0), *_episode(14.0, 15.0))
    assert not is_right(score, score.events)
    assert not is_right(_score(Event("close", "start", 5.6)), [Event("close", "start", 5.6)])


def test_errors_are_of_frames_under_the_limit_and_a_miss_reads_as_8_m():
    score = _score(frames=(_frame(3.0, 3.4), _frame(6.0, 5.0), _frame(9.0, 4.0), _frame(2.0, None), _frame(None, 1.0)))
    assert distance_errors([score]).tolist() == pytest.approx([0.4, -1.0])
    assert distance_errors([score], under=4.5).tolist() == pytest.approx([0.4])
    assert errors_with_misses([score]).tolist() == pytest.approx([0.4, 1.0, 6.0])


def test_a_truck_that_starts_the_rule_for_forklifts_is_counted_against_it():
    figures = label_figures([_score(*_episode(5.6, 13.0), *_episode(6.0, 12.0, "forklift"))])
    assert (figures["trucks"], figures["trucks_called_forklift"], figures["persons"]) == (1, 1, 0)


def test_the_critical_rule_is_in_time_where_it_starts_no_later_than_one_that_reads_the_truth():
    frames = tuple(replace(_frame(2.0, 2.0), t=float(t)) for t in np.arange(0.2, 20.0, 0.5))
    late = label_figures([_score(*_episode(6.7, 13.0, "critical"), *_episode(6.7, 13.0), frames=frames)])
    early = label_figures([_score(*_episode(6.2, 13.0, "critical"), *_episode(6.7, 13.0), frames=frames)])
    assert (late["critical_in_time"], early["critical_in_time"], early["plain_in_time"]) == (0, 1, 0)


def test_checks_name_what_does_not_hold():
    approach = _score(*_episode(5.6, 13.0), frames=(_frame(3.0, 3.1), _frame(6.0, 6.2)))
    near = _score(Event("close", "start", 5.0), clip=replace(CLIP, event=replace(EVENT, is_near_miss=True)))
    empty = _score(Event("close", "start", 1.0), clip=replace(CLIP, event=None, crossing_s=None))
    scores = [approach, near, near, empty]
    figures = pose_figures(scores) | label_figures(scores) | control_figures([approach], [approach])
    figures |= {"floor_median": 1.0, "movers_abs_rel": 0.1, "baseline_abs_rel": 0.5}
    figures |= {"parked_starts": 2, "stopped_starts": 0, "stopped_ends": 1, "below_starts": 1, "below_ends": 0}
    figures |= {"second_starts": 2, "second_ends": 1}
    found = checks({"P0": figures})
    assert [what for what, _, _, holds in found if not holds] == [
        "P0: p90 over that of random weights, a miss read as 8 m",
        "P0: near misses with a start",
        "P0: half an hour at the threshold, starts",
        "P0: stops before the dock, starts",
        "P0: stops below the picture and goes back, ends",
        "P0: the same, ends",
        "starts in empty scenes, all poses",
    ]
    assert "| P0: near misses with a start | 2 | <= 1 | **no** |" in table({"poses": {"P0": figures}, "checks": found})


def test_a_visit_passes_3_metres_on_its_way_in_and_3_6_on_its_way_out():
    site = Site.of("P0", 0)
    clip = site.clips({"forklift": 1}, 0, 0.0)[0]
    assert clip.event is not None
    assert passage_seconds(site.scene, clip.event) == (clip.crossing_s, clip.leaving_s)
    assert clip.crossing_s is not None
    assert clip.leaving_s is not None
    metres = [
        truth.distance_p25
        for t in (clip.crossing_s, clip.leaving_s)
        if (state := clip.event.state(t)) is not None and (truth := site.scene.measure([state])[0]) is not None
    ]
    assert metres == pytest.approx([3.0, 3.6], abs=0.05)
    assert clip.begins_s < clip.crossing_s < clip.event.stops_s < clip.leaving_s < clip.ends_s - 2.0
