from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from pipeline.errors import PublishError
from pipeline.frame_path.publisher.wire import decode_array
from pipeline.messages import Gone, Status
from tests.fakes_publisher import (
    CAMERA,
    START_NS,
    HandClock,
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
from tests.fakes_sinks import fake_sink


def approach(made, *, lease=17, first=0):
    """Nobody, then three frames at 2.5 m: the third one starts the episode (hold 0.6 s at 5 frames a second)."""
    entries = [frame(first, None, lease=lease), *(frame(first + n, 2.5, lease=lease) for n in range(1, 5))]
    return deliver(made, *entries)


def test_an_approach_is_one_start_and_one_end_with_their_states_and_a_sentence(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    approach(made)
    deliver(made, *(frame(n, 5.0) for n in range(5, 8)))
    assert ids(sink.seen, "alert", "state") == [
        "dock-03/too_close/1/start",
        "dock-03/too_close/1/state/start",
        "dock-03/too_close/1/end",
        "dock-03/too_close/1/state/end",
    ]
    start, state, end, tombstone = [each for each in sink.seen if each.kind in {"alert", "state"}]
    assert body(start)["text"] == "dock-03: forklift 2.5 m from the dock (limit 3.0), held 0.6 s"
    assert (body(start)["value"], body(start)["notify"], body(start)["frame"]) == (2.5, True, "dock-03/17/4")
    assert (state.key, body(state)["id"]) == ("dock-03/too_close", "dock-03/too_close/1/start")
    assert body(end)["text"] == "dock-03: too_close over after 0.8 s, nearest 2.5 m"
    assert (body(end)["extreme"], body(end)["began_ns"]) == (2.5, body(start)["began_ns"])
    assert tombstone.body == b""
    made.close(1.0)


def test_a_result_carries_what_the_wire_promises(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    deliver(made, frame(7, 2.5))
    message = sink.seen[0]
    said = body(message)
    assert message.attributes["id"] == "dock-03/17/7/result"
    assert message.attributes["source"] == "dinostream/north-quay"
    assert message.attributes["type"] == "dinostream.result.v1"
    assert said["labels"] == {"line": "outbound"}
    assert said["drops"] == {"replaced": 2}
    assert said["times"]["capture_clock"] == "arrival"
    assert said["times"]["published_ns"] == START_NS
    assert said["model"]["weights"] == "random"
    assert said["subjects"][0]["track"] == 1
    assert said["subjects"][0]["distances"][0]["metres"] == 2.5
    assert said["zones"]["apron"]["median_metres"] == 6.0
    assert said["rules"]["too_close"]["value"] == 2.5
    assert said["rules"]["too_close"]["phase"] == "pending"
    assert decode_array(said["embedding"]).shape == (384,)
    assert decode_array(said["depth"]["metres"]).shape == (16, 28)
    assert said["frame_label"]["vehicles"]["name"] == "forklift"
    made.close(1.0)


def test_a_second_try_changes_nothing(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    approach(made)
    seen = len(sink.seen)
    receipt = approach(made)
    assert len(sink.seen) == seen
    assert receipt.of(CAMERA).accepted_upto == (17, 4)
    assert made.snapshot().retries == 5
    made.close(1.0)


def test_a_superseded_owner_is_fenced_and_nothing_of_it_is_published(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    deliver(made, frame(0, None))
    made.attach(CAMERA, 18)
    seen = len(sink.seen)
    receipt = deliver(made, frame(1, 2.5), Status(CAMERA, 17, "live", START_NS), tick(0.4))
    assert receipt.of(CAMERA).refused == "fenced"
    assert receipt.of(CAMERA).settled_upto == ()
    assert len(sink.seen) == seen
    assert made.attach(CAMERA, 17).refused == "fenced"
    assert made.snapshot().fenced == 3
    assert deliver(made, frame(0, None, lease=18)).of(CAMERA).refused is None
    made.close(1.0)


def test_a_camera_that_is_not_published_here_is_an_error_that_names_those_that_are(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    with pytest.raises(PublishError, match=r"yard-01.*expected one of dock-03"):
        deliver(made, frame(0, None, name="yard-01"))
    made.close(1.0)


def test_settled_means_every_required_sink_and_no_other(tmp_path):
    redis, kafka = HandSink("redis"), HandSink("kafka")
    made = publisher(tmp_path, [camera()], [redis, kafka], required=["redis"])
    assert deliver(made, frame(0, None), frame(1, None)).of(CAMERA).settled_upto == ()
    redis.settle(1)
    assert deliver(made, tick(0.5)).of(CAMERA).settled_upto == ((17, 0),)
    redis.settle(outcome="dropped", reason="queue_full")
    assert deliver(made, tick(0.6)).of(CAMERA).settled_upto == ((17, 1),)
    made.close(1.0)


def test_frames_settle_in_order_and_gone_ones_with_them(tmp_path):
    redis = HandSink("redis")
    made = publisher(tmp_path, [camera()], [redis])
    deliver(made, frame(0, None), frame(1, None), Gone(frame(2, None).ticket, "analyze_error"))
    first, second = redis.queue
    redis.queue = [second]
    redis.settle()
    assert deliver(made, tick(0.5)).of(CAMERA).settled_upto == ()
    redis.queue = [first]
    redis.settle()
    assert deliver(made, tick(0.6)).of(CAMERA).settled_upto == ((17, 2),)
    made.close(1.0)


def test_a_frame_of_a_replayable_source_without_a_result_is_a_dead_letter(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera(is_replayable=True)], [sink])
    deliver(made, Gone(frame(3, None).ticket, "undecodable: no picture"))
    (letter,) = sink.seen
    assert (letter.kind, letter.id) == ("dead_letter", "dock-03/17/3/result/dead_letter")
    assert body(letter)["reason"] == "undecodable: no picture"
    made.close(1.0)


def test_what_a_new_owner_repeats_is_counted_and_its_rules_are_not_stepped_again(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera(is_replayable=True)], [sink])
    deliver(made, *(frame(n, 2.5, epoch=0) for n in range(5)))
    made.attach(CAMERA, 18)
    deliver(made, *(frame(n, 2.5, epoch=0, lease=18) for n in range(6)))
    assert ids(sink.seen, "result") == [f"dock-03/0/{n}/result" for n in range(6)]
    assert ids(sink.seen, "alert") == ["dock-03/too_close/1/start"]
    (ledger,) = made.snapshot().ledgers
    assert (ledger.dropped, ledger.queued) == ({"repeated": 5}, 6)
    made.close(1.0)


def test_positions_rise_per_epoch_so_that_two_partitions_may_take_turns(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera(is_replayable=True)], [sink])
    deliver(made, frame(10, None, epoch=0), frame(5, None, epoch=1), frame(11, None, epoch=0))
    assert ids(sink.seen, "result") == ["dock-03/0/10/result", "dock-03/1/5/result", "dock-03/0/11/result"]
    made.close(1.0)


def test_an_unchanged_picture_counts_for_the_rules_and_has_no_embedding(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    deliver(made, frame(0, 2.5), reused(1, 0), reused(2, 0), reused(3, 0))
    assert ids(sink.seen, "alert") == ["dock-03/too_close/1/start"]
    said = body(next(each for each in sink.seen if each.id == "dock-03/17/3/result"))
    assert (said["reused_of"], said["embedding"], said["depth"]) == ("dock-03/17/0", None, None)
    assert said["subjects"][0]["distances"][0]["metres"] == 2.5
    made.close(1.0)


def test_an_unchanged_picture_of_an_unknown_frame_is_unknown_to_the_rules(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    deliver(made, frame(0, 2.5), reused(2, 1))
    said = body(sink.seen[-1])
    assert said["rules"]["too_close"]["is_known"] is False
    made.close(1.0)


def test_a_new_owner_may_refer_to_a_frame_that_it_analysed_again(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera(is_replayable=True)], [sink])
    deliver(made, frame(0, 2.5, lease=17, epoch=17), reused(1, 0), reused(2, 0))
    made.attach(CAMERA, 18)
    deliver(made, frame(1, 2.5, lease=18, epoch=17))
    entry = reused(3, 1)
    deliver(made, replace(entry, ticket=replace(entry.ticket, lease=18), of=replace(entry.of, lease=18)))
    assert ids(sink.seen, "alert") == ["dock-03/too_close/1/start"]
    made.close(1.0)


def test_a_tick_is_published_only_where_it_changes_a_rule(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera(too_close=rule(on_unknown="clear"))], [sink])
    approach(made)
    seen = len(sink.seen)
    deliver(made, tick(1.0))
    assert len(sink.seen) == seen
    deliver(made, tick(1.2, "stalled"))
    result, end, _ = sink.seen[seen:]
    assert body(result)["tick"] is True
    assert body(end)["reason"] == "camera stalled"
    assert end.id == "dock-03/too_close/1/end"
    assert made.snapshot().rules[CAMERA]["too_close"].reason == "camera stalled"
    made.close(1.0)


def test_a_frozen_picture_says_nothing_about_the_scene(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    deliver(made, Status(CAMERA, 17, "frozen", START_NS), *(frame(n, 2.5) for n in range(6)))
    assert ids(sink.seen, "alert") == []
    assert body(sink.seen[-1])["rules"]["too_close"]["reason"] == "camera frozen"
    made.close(1.0)


def test_status_events_are_numbered_for_ever(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    deliver(made, Status(CAMERA, 17, "connecting", START_NS), Status(CAMERA, 17, "live", START_NS))
    made.close(1.0)
    made = publisher(tmp_path, [camera()], [HandSink(), again := HandSink("kafka")])
    deliver(made, Status(CAMERA, 18, "backoff", START_NS, "refused", "no answer"))
    assert ids(sink.seen) == ["dock-03/status/1", "dock-03/status/2"]
    assert ids(again.seen) == ["dock-03/status/3"]
    assert body(again.seen[0])["code"] == "refused"
    made.close(1.0)


def test_the_gate_stays_open_while_a_rule_is_engaged(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    assert deliver(made, frame(0, None)).of(CAMERA).is_armed is False
    assert deliver(made, frame(1, 2.5)).of(CAMERA).is_armed is True
    assert made.attach(CAMERA, 18).is_armed is True
    made.close(1.0)


def test_a_rule_that_is_removed_while_active_still_ends_its_episode(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    approach(made)
    made.close(1.0)
    sink = HandSink()
    made = publisher(tmp_path, [camera(other=rule())], [sink])
    assert ids(sink.seen, "alert") == ["dock-03/too_close/1/start", "dock-03/too_close/1/end"]
    assert body(sink.seen[-2])["reason"] == "rule_removed"
    assert made.snapshot().active == []
    made.close(1.0)


def test_a_camera_that_is_removed_while_active_still_ends_its_episode_once(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    approach(made)
    made.close(1.0)
    sink = HandSink()
    made = publisher(tmp_path, [camera("yard-01")], [sink])
    assert ids(sink.seen, "alert", "state")[2:] == ["dock-03/too_close/1/end", "dock-03/too_close/1/state/end"]
    assert set(made.snapshot().rules) == {"yard-01"}
    made.close(1.0)
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    again = len(sink.seen)
    approach(made, first=20)
    assert ids(sink.seen[again:], "alert") == ["dock-03/too_close/2/start"]
    made.close(1.0)


def test_cooldown_concerns_the_notification_alone(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera(too_close=rule(hold="0s", notify={"cooldown": "1h"}))], [sink])
    deliver(made, frame(0, 2.5), frame(1, 5.0), frame(2, 2.5))
    starts = [body(each) for each in sink.seen if each.id.endswith("/start") and each.kind == "alert"]
    assert [(each["episode"], each["notify"]) for each in starts] == [(1, True), (2, False)]
    made.close(1.0)


def test_the_snapshot_shows_values_alerts_and_views(tmp_path):
    clock = HandClock()
    made = publisher(tmp_path, [camera()], [HandSink()], clock=clock)
    approach(made)
    shown = made.snapshot()
    assert shown.rules[CAMERA]["too_close"].value == 2.5
    assert [(each.rule, each.episode) for each in shown.active] == [("too_close", 1)]
    assert shown.view_lights[CAMERA] == 3
    assert shown.outbox_rows == 2
    made.close(1.0)
    assert made.snapshot().active == shown.active


def test_a_closed_publisher_takes_nothing(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    made.close(1.0)
    made.close(1.0)
    with pytest.raises(PublishError, match="closed"):
        deliver(made, frame(0, None))


def test_owners_on_many_threads_keep_each_camera_in_order(tmp_path):
    names = [f"cam-{n}" for n in range(4)]
    sink, broker = fake_sink("redis")
    made = publisher(tmp_path, [camera(name) for name in names], [sink])

    def own(name):
        made.attach(name, 17)
        for seq in range(0, 60, 3):
            deliver(made, *(frame(seq + n, 2.5 if seq % 20 < 10 else 5.0, name=name) for n in range(3)))

    owners = [threading.Thread(target=own, args=(name,)) for name in names]
    for owner in owners:
        owner.start()
    for owner in owners:
        owner.join()
    made.close(30.0)
    for name in names:
        seen = [each for each in broker.received if each.camera == name]
        assert [each.ticket.seq for each in seen if each.kind == "result"] == list(range(60))
        starts_and_ends = [each.type.split(".")[2] for each in seen if each.kind == "alert"]
        assert starts_and_ends == ["start", "end"] * 3
    assert all(each.queued == 0 for each in made.snapshot().ledgers)
