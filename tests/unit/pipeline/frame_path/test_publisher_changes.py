"""Cameras and rules change under a publisher that goes on: what stays, what ends, and how each end is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.errors import PublishError
from pipeline.frame_path.publisher.published import PublishedCamera
from pipeline.messages import Picture, Ticket
from tests.fakes_publisher import (
    CAMERA,
    HandSink,
    body,
    camera,
    deliver,
    frame,
    ids,
    publisher,
    reused,
    rule,
    tick,
)

OTHER = "yard-01"
START = f"{CAMERA}/too_close/1/start"
END = f"{CAMERA}/too_close/1/end"


def alarm(made, *, first=0, lease=17):
    """Starts the episode."""
    deliver(made, *(frame(n, 2.5, lease=lease) for n in range(first, first + 4)))


def changed(published: PublishedCamera, **spec) -> PublishedCamera:
    return replace(published, spec=replace(published.spec, **spec))


@pytest.fixture
def sink():
    return HandSink()


@pytest.fixture
def made(tmp_path, sink):
    found = publisher(tmp_path, [camera(), camera(OTHER)], [sink])
    yield found
    found.close(1.0)


KEPT = [
    ("a stricter threshold", camera(too_close=rule(enter="< 2.6 m", exit="> 3.2 m")), 3.3),
    ("another hold and severity", camera(too_close=rule(hold="5s", release="0s", severity="info")), 5.0),
    ("a rule beside it", camera(too_close=rule(), other=rule(enter="< 1.0 m")), 5.0),
    ("labels and another pose", changed(camera(), labels={"line": "inbound"}), 5.0),
    ("a zone that it does not look at", changed(camera(), zones={}), 5.0),
]


@pytest.mark.parametrize(("what", "after", "beyond"), KEPT)
def test_an_episode_goes_on_while_its_rule_watches_the_same(made, sink, what, after, beyond):
    alarm(made)
    before = len(sink.seen)
    made.change([after, camera(OTHER)])
    assert sink.seen[before:] == [], what
    assert [each.episode for each in made.snapshot().active] == [1]
    deliver(made, frame(4, 2.5), frame(5, beyond), frame(6, beyond))
    assert ids(sink.seen, "alert") == [START, END]
    assert [body(each)["reason"] for each in sink.seen if each.kind == "alert"] == ["", ""]


def test_the_threshold_of_now_decides_from_the_next_frame_on(made, sink):
    alarm(made)
    made.change([camera(too_close=rule(enter="< 2.0 m", exit="> 2.2 m")), camera(OTHER)])
    deliver(made, frame(4, 2.5))
    assert ids(sink.seen, "alert") == [START, END]
    deliver(made, *(frame(n, 2.5) for n in range(5, 10)))
    assert ids(sink.seen, "alert") == [START, END], "2.5 m is not below 2.0 m"


OTHERWISE = [
    ("another line", changed(camera(), lines={"dock": ((0.0, 1.0), (1.0, 1.0))})),
    ("another zone", camera(too_close=rule(**{"in": "apron"}))),
    ("other subjects", camera(too_close=rule(of={"head": "vehicles", "is": ["forklift"]}))),
    ("another measure", camera(too_close=rule(measure="count_in(apron)", enter="> 3", exit="< 2"))),
    ("the other side", camera(too_close=rule(enter="> 3.0 m", exit="< 2.0 m"))),
]


@pytest.mark.parametrize(("what", "after"), OTHERWISE)
def test_an_episode_whose_rule_watches_something_else_ends_once_and_says_why(made, sink, what, after):
    alarm(made)
    made.change([after, camera(OTHER)])
    assert ids(sink.seen, "alert", "state") == [
        START,
        f"{CAMERA}/too_close/1/state/start",
        END,
        f"{CAMERA}/too_close/1/state/end",
    ], what
    assert (body(sink.seen[-2])["reason"], sink.seen[-1].body) == ("rule_changed", b"")
    assert body(sink.seen[-2])["measure"] == "distance_to(dock)", "of the rule that it began under"
    made.change([after, camera(OTHER)])
    assert len(ids(sink.seen, "alert")) == 2
    assert made.snapshot().active == []


def test_episodes_count_on_after_their_rule_has_changed(made, sink):
    alarm(made)
    made.change([changed(camera(), lines={"dock": ((0.0, 1.0), (1.0, 1.0))}), camera(OTHER)])
    alarm(made, first=4)
    assert ids(sink.seen, "alert")[-1] == f"{CAMERA}/too_close/2/start"


def test_a_picture_that_repeats_one_from_before_says_nothing_of_what_the_rule_watches_now(made, sink):
    deliver(made, frame(0, 2.5))
    made.change([camera(too_close=rule(measure="count_in(apron)", enter="> 0", exit="< 1")), camera(OTHER)])
    deliver(made, reused(1, 0))
    said = body(sink.seen[-1])["rules"]["too_close"]
    assert (said["value"], said["is_known"]) == (None, False)
    assert "newer than the last analysed frame" in said["reason"]


def test_a_rule_that_is_taken_out_ends_its_episode_once_and_the_other_camera_is_not_touched(made, sink):
    alarm(made)
    deliver(made, *(frame(n, 2.5, name=OTHER) for n in range(4)))
    before = len(sink.seen)
    made.change([camera(other=rule()), camera(OTHER)])
    assert ids(sink.seen[before:]) == [END, f"{CAMERA}/too_close/1/state/end"]
    assert body(sink.seen[-2])["reason"] == "rule_removed"
    assert [each.camera for each in made.snapshot().active] == [OTHER]


def test_a_change_that_was_made_while_the_publisher_was_down_is_told_at_its_start(tmp_path, sink):
    first = publisher(tmp_path, [camera()], [HandSink()])
    alarm(first)
    first.close(1.0)
    second = publisher(tmp_path, [changed(camera(), lines={"dock": ((0.0, 1.0), (1.0, 1.0))})], [sink])
    assert ids(sink.seen, "alert") == [START, END]
    assert body(sink.seen[-2])["reason"] == "rule_changed"
    second.close(1.0)


def test_a_removed_camera_ends_its_episode_says_that_it_is_gone_and_leaves_the_state_topic(made, sink):
    alarm(made)
    before = len(sink.seen)
    made.change([camera(OTHER)])
    made.change([camera(OTHER)])
    told = sink.seen[before:]
    assert ids(told) == [END, f"{CAMERA}/too_close/1/state/end", f"{CAMERA}/status/1"]
    assert body(told[0])["reason"] == "camera_removed"
    assert (told[1].key, told[1].body) == (f"{CAMERA}/too_close", b"")
    assert (body(told[2])["state"], body(told[2])["code"]) == ("ended", "removed")
    assert set(made.snapshot().rules) == {OTHER}
    with pytest.raises(PublishError, match="not published here"):
        made.attach(CAMERA, 18)


def test_what_still_comes_of_a_removed_camera_is_fenced_and_holds_up_no_other(made, sink):
    deliver(made, frame(0, None))
    made.change([camera(OTHER)])
    before = len(sink.seen)
    late = Picture(f"{CAMERA}/too_close/9/start", Ticket(CAMERA, 17, 17, 0), b"jpeg")
    receipt = deliver(made, frame(1, 2.5), frame(0, None, name=OTHER), pictures=[late])
    assert receipt.of(CAMERA).refused == "fenced"
    assert receipt.of(OTHER).accepted_upto == (17, 0)
    assert ids(sink.seen[before:]) == [f"{OTHER}/17/0/result"]
    assert made.snapshot().fenced == 1


def test_a_removed_camera_that_comes_back_goes_on_with_its_numbers(made, sink):
    alarm(made)
    made.change([camera(OTHER)])
    made.change([camera(), camera(OTHER)])
    assert made.attach(CAMERA, 18).last_position == (17, 3)
    alarm(made, first=10, lease=18)
    assert ids(sink.seen, "alert") == [START, END, f"{CAMERA}/too_close/2/start"]
    made.change([camera(OTHER)])
    assert ids(sink.seen, "status") == [f"{CAMERA}/status/1", f"{CAMERA}/status/2"]


def test_a_removed_camera_says_so_once_over_restarts(tmp_path):
    first = publisher(tmp_path, [camera(), camera(OTHER)], [HandSink()])
    deliver(first, frame(0, None))
    first.close(1.0)
    for times, expected in ((1, [f"{CAMERA}/status/1"]), (2, [])):
        again = publisher(tmp_path, [camera(OTHER)], [sink := HandSink()])
        sink.settle()
        assert ids(sink.seen) == expected, f"start {times}"
        again.close(1.0)


def test_what_a_sink_acknowledges_while_a_camera_is_gone_counts_when_it_comes_back(tmp_path, sink):
    both = [camera(is_replayable=True), camera(OTHER)]
    made = publisher(tmp_path, both, [sink])
    deliver(made, *(frame(n, None, epoch=0) for n in range(3)))
    made.change(both[1:])
    sink.settle()
    made.change(both)
    assert made.attach(CAMERA, 18).settled_upto == ((0, 2),)
    made.close(1.0)


def test_nothing_of_another_camera_is_read_anew_when_one_changes(made):
    """Its book stays the same one: what it holds in memory alone is not lost."""
    deliver(made, frame(0, 2.5, name=OTHER))
    values = made.snapshot().rules[OTHER]
    made.change([camera(too_close=rule(hold="1s")), camera(OTHER)])
    assert made.snapshot().rules[OTHER] == values != {}
    assert made.snapshot().rules[CAMERA] == {}
    deliver(made, tick(1.0))
    assert made.snapshot().retries == 0
