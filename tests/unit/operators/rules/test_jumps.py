"""Recorded sequences of distances: what is believed, and when."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from operators.camera import CameraSpec
from operators.frames import Placement, Ticket, Times
from operators.results import Analysis, Depth, LineDistance, Subject
from operators.rules.config import RuleConfig
from operators.rules.jumps import Trails
from operators.rules.measures import parse_measure, read_measure

CAMERA = CameraSpec(
    camera="dock",
    shape=(56, 56),
    lines={"dock": "here"},
    zones={"apron": ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0))},
)
RELATIVE_SIGMA = 0.18
"""As a depth head that errs by 12 % gives it."""


def subject(metres, track=1, **changes):
    mask = np.zeros((4, 4), dtype=bool)
    mask[2, 1:3] = True
    distance = LineDistance("dock", metres, RELATIVE_SIGMA * metres)
    return replace(Subject((0, 0, 1, 1), mask, (distance,), track=track), **changes)


def analysis(subjects, depth=None):
    grid = np.full((4, 4), 5.0, np.float16) if depth is None else depth
    share = float(np.isfinite(grid).mean())
    return Analysis(
        ticket=Ticket("dock", 1, 1, 1),
        times=Times(0, 0, 0, "arrival", 0),
        placement=Placement((56, 56), (56, 56), (1.0, 1.0)),
        space="s",
        embedding=None,
        depth=Depth("depth", grid, 5.0, 5.0, share, is_calibrated=True),
        labels=(),
        subjects=tuple(subjects),
        view="view/dock@1",
    )


def read(frame, held=(), **rule):
    config = RuleConfig.model_validate({"measure": "distance_to(dock)", "enter": "< 3 m", "exit": "> 4 m", **rule})
    return read_measure(parse_measure(config.measure), config, CAMERA, frame, held)


def readings(*frames, period_seconds=0.5, restart=False):
    """Each frame: the distances of tracks 1, 2, ... ; None: that one is not seen."""
    trails, found = Trails(), []
    for number, metres in enumerate(frames):
        subjects = [subject(each, track) for track, each in enumerate(metres, start=1) if each is not None]
        if restart:
            trails = Trails.from_list(msgspec.json.decode(msgspec.json.encode(trails.to_list())))
        trails, seen = trails.step(subjects, round(number * period_seconds * 1e9))
        found.append(read(analysis(seen)))
    return found


def values(*frames, **how):
    return [each.value if each.is_known else "?" for each in readings(*frames, **how)]


@pytest.mark.parametrize("restart", [False, True])
def test_one_wild_sample_is_unknown_and_the_next_is_believed_again(restart):
    assert values([5.0], [1.4], [5.1], restart=restart) == [5.0, "?", 5.1]


@pytest.mark.parametrize("restart", [False, True])
def test_a_jump_that_persists_is_believed_at_the_second_sample(restart):
    assert values([5.0], [1.4], [1.5], [1.4], restart=restart) == [5.0, "?", 1.5, 1.4]


def test_samples_that_agree_with_nothing_stay_unknown():
    assert values([6.0], [1.0], [30.0], [1.0]) == [6.0, "?", "?", "?"]


def test_a_vehicle_at_two_metres_a_second_is_believed_all_the_way():
    approach = [[8.0 - step] for step in range(8)]
    assert values(*approach) == [8.0 - step for step in range(8)]


def test_readings_further_apart_than_two_seconds_say_nothing_of_each_other():
    assert values([6.0], [1.0], period_seconds=2.5) == [6.0, 1.0]


def test_a_jump_up_hides_nobody_who_may_still_be_near():
    found = readings([2.0, 4.0], [9.0, 4.0])
    assert not found[1].is_known
    assert found[1].reason == "jumped from 2.0 m to 9.0 m in one sample"


def test_a_far_thing_that_jumps_does_not_hide_the_near_one():
    assert values([12.0, 2.0], [3.0, 2.0], [12.0, 2.0]) == [2.0, 2.0, 2.0]


def test_another_track_is_another_thing():
    assert values([6.0], [None, 1.0]) == [6.0, 1.0]


def test_while_a_jump_is_in_doubt_the_next_frame_is_wanted():
    trails, _ = Trails().step([subject(5.0)], 0)
    assert not trails.is_in_doubt
    trails, _ = trails.step([subject(1.4)], 500_000_000)
    assert trails.is_in_doubt
    trails, _ = trails.step([], 3_000_000_000)
    assert not trails.is_in_doubt


@pytest.mark.parametrize(("share", "is_known"), [(0.0, True), (0.2, True), (0.21, False)])
def test_a_subject_with_a_fifth_of_its_depth_invalid_is_unknown(share, is_known):
    found = read(analysis([subject(2.5, invalid_share=share)]))
    assert found.is_known is is_known
    assert is_known or found.reason == "21% of a subject has no valid depth"


def test_a_far_subject_without_depth_does_not_hide_the_near_one():
    assert read(analysis([subject(9.0, invalid_share=0.6), subject(2.0, 2)])).value == 2.0
    assert not read(analysis([subject(1.5, invalid_share=0.6), subject(2.0, 2)])).is_known


def test_what_is_held_below_the_picture_keeps_what_was_last_read_of_it():
    assert read(analysis([]), [subject(1.5, invalid_share=0.6)]).value == 1.5


def test_invalid_depth_in_the_zone_counts_where_the_rule_has_one_else_in_the_picture():
    sky = np.full((4, 4), 5.0, np.float16)
    sky[0] = np.nan
    assert not read(analysis([subject(2.5)], sky)).is_known
    assert read(analysis([subject(2.5)], sky), **{"in": "apron"}).value == 2.5
    floor = np.full((4, 4), 5.0, np.float16)
    floor[3, :2] = np.nan
    assert read(analysis([subject(2.5)], floor)).value == 2.5
    found = read(analysis([subject(2.5)], floor), **{"in": "apron"})
    assert found.reason == "only 6 of 8 patches of zone apron have valid depth"
