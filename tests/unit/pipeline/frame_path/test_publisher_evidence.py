from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from operators.preview import preview_jpeg
from pipeline.frame_path.publisher.evidence import EvidenceStore, StillNamed, clip_path, evidence_path, preview_path
from pipeline.messages import ClipPart, Delivery, FloorMark, Outline, Picture
from pipeline.sinks.config import EvidenceConfig
from tests.fakes_publisher import (
    CAMERA,
    START_NS,
    HandClock,
    HandSink,
    body,
    camera,
    deliver,
    frame,
    publisher,
    reused,
    rule,
    tick,
)

WISH = {"snapshot": True, "history": "1s"}


def started(folder, clock=None, *, preview=None):
    sink = HandSink()
    made = publisher(folder, [camera(too_close=rule(evidence=WISH))], [sink], clock=clock)
    entries = [frame(n, 2.5, preview=preview) for n in range(5)]
    return made, sink, deliver(made, *entries).of(CAMERA)


def evidence_of(sink):
    return [body(each) for each in sink.seen if each.type == "dinostream.alert.evidence.v1"]


def test_a_start_names_its_picture_and_the_receipt_asks_for_it_with_a_drawing(tmp_path):
    made, sink, receipt = started(tmp_path)
    (wanted,) = receipt.pictures_wanted
    start = body(next(each for each in sink.seen if each.kind == "alert"))
    assert (wanted.event_id, wanted.ticket.id) == ("dock-03/too_close/1/start", "dock-03/17/3")
    assert wanted.drawing.text == start["text"]
    assert wanted.drawing.boxes == ()
    assert wanted.drawing.counting == (Outline((0.36, 0.5, 0.5, 0.69), "forklift 2.5 m"),)
    assert wanted.drawing.floor == (
        FloorMark("here", text="dock"),
        FloorMark("here", 3.0, "limit 3 m", is_threshold=True),
    )
    assert start["evidence"] == str(tmp_path / "evidence/dock-03/too_close/000001-start.jpg")
    assert [point[1] for point in start["history"]] == [2.5] * 4
    made.close(1.0)


def test_start_and_end_carry_what_the_model_saw_with_the_drawing_on_it(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera(too_close=rule(evidence=WISH), plain=rule())], [sink])
    plain = preview_jpeg(np.full((224, 392, 3), 60, np.uint8))
    deliver(made, *(frame(n, 2.5, preview=plain) for n in range(5)))
    deliver(made, *(frame(n, 9.0, preview=plain) for n in range(5, 9)))
    told = {
        each.id.removeprefix("dock-03/"): body(each)
        for each in sink.seen
        if each.kind in {"alert", "state"} and each.body
    }
    pictures = [
        cv2.imdecode(np.frombuffer(base64.b64decode(told[name]["preview"]), np.uint8), 1)
        for name in (
            "too_close/1/start",
            "too_close/1/end",
        )
    ]
    for picture in pictures:
        assert picture.shape == (224, 392, 3)
        assert (np.abs(picture.astype(int) - 60) > 60).any(), "something is drawn"
    assert (pictures[0] != pictures[1]).any(), "each says its own sentence"
    assert [told[name]["preview"] for name in ("plain/1/start", "plain/1/end")] == [None, None]
    assert told["too_close/1/state/start"]["preview"] is None, "what is active now stays small"
    made.close(1.0)


def test_those_in_the_zone_count_and_others_do_not(tmp_path):
    made = publisher(
        tmp_path,
        [camera(full=rule(measure="count_in(apron)", enter="> 0", exit="< 1", hold="0s", evidence=WISH))],
        [HandSink()],
    )
    seen = frame(0, 2.5)
    outside = replace(seen.analysis.subjects[0], box=(0.0, 0.0, 0.1, 0.1), mask=np.zeros((16, 28), bool))
    both = replace(seen.analysis, subjects=(outside, *seen.analysis.subjects))
    (wanted,) = deliver(made, replace(seen, analysis=both)).of(CAMERA).pictures_wanted
    assert wanted.drawing.boxes == ((0.0, 0.0, 0.1, 0.1),)
    assert [each.box for each in wanted.drawing.counting] == [(0.36, 0.5, 0.5, 0.69)]
    assert wanted.drawing.floor == ()
    made.close(1.0)


def test_a_picture_is_stored_where_the_start_said_and_announced_with_its_hash(tmp_path):
    made, sink, receipt = started(tmp_path)
    (wanted,) = receipt.pictures_wanted
    deliver(made, pictures=[Picture(wanted.event_id, wanted.ticket, b"jpeg")])
    made.turn()
    (said,) = evidence_of(sink)
    start = body(next(each for each in sink.seen if each.kind == "alert"))
    assert said["picture"] == {"path": start["evidence"], "sha256": hashlib.sha256(b"jpeg").hexdigest(), "num_bytes": 4}
    assert Path(start["evidence"]).read_bytes() == b"jpeg"
    deliver(made, pictures=[Picture(wanted.event_id, wanted.ticket, b"other")])
    made.turn()
    assert len(evidence_of(sink)) == 1
    made.close(1.0)


def test_an_owner_is_asked_again_after_a_while_only(tmp_path):
    clock = HandClock()
    made, _, receipt = started(tmp_path, clock)
    assert len(receipt.pictures_wanted) == 1
    assert deliver(made, tick(1.0)).of(CAMERA).pictures_wanted == ()
    clock.now = 2.5
    assert len(deliver(made, tick(1.1)).of(CAMERA).pictures_wanted) == 1
    made.close(1.0)


def test_a_picture_that_never_comes_says_so_and_leaves_the_preview(tmp_path):
    clock = HandClock()
    made, sink, _ = started(tmp_path, clock, preview=b"small")
    clock.now = 31.0
    made.turn()
    (said,) = evidence_of(sink)
    assert (said["picture"], said["missing"]) == (None, "timeout")
    assert Path(said["preview"]["path"]).read_bytes() == b"small"
    made.close(1.0)


def test_a_new_owner_does_not_have_the_pictures_of_the_dead_one(tmp_path):
    made, sink, _ = started(tmp_path)
    made.attach(CAMERA, 17)
    assert evidence_of(sink) == []
    made.attach(CAMERA, 18)
    assert [each["missing"] for each in evidence_of(sink)] == ["owner_died"]
    made.close(1.0)


def test_a_picture_that_the_owner_no_longer_has_is_missing_at_once(tmp_path):
    made, sink, receipt = started(tmp_path)
    (wanted,) = receipt.pictures_wanted
    deliver(made, pictures=[Picture(wanted.event_id, wanted.ticket, b"")])
    assert [each["missing"] for each in evidence_of(sink)] == ["not_kept"]
    made.close(1.0)


def test_a_store_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "evidence").write_text("a file where a folder should be")
    made, sink, receipt = started(tmp_path)
    (wanted,) = receipt.pictures_wanted
    deliver(made, frame(6, 2.5), pictures=[Picture(wanted.event_id, wanted.ticket, b"jpeg")])
    made.turn()
    assert [each["missing"] for each in evidence_of(sink)] == ["store_unwritable"]
    made.close(1.0)


def test_what_is_wanted_survives_a_restart(tmp_path):
    made, _, _ = started(tmp_path)
    made.close(1.0)
    sink = HandSink()
    made = publisher(tmp_path, [camera(too_close=rule(evidence=WISH))], [sink])
    assert len(deliver(made, reused(6, 4)).of(CAMERA).pictures_wanted) == 1
    made.close(1.0)


def test_a_tick_has_no_picture(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera(too_close=rule(evidence=WISH, on_unknown="clear"))], [sink])
    deliver(made, *(frame(n, 2.5) for n in range(5)))
    receipt = deliver(made, tick(1.1, "stalled")).of(CAMERA)
    assert receipt.pictures_wanted == ()
    end = body(next(each for each in sink.seen if each.id.endswith("1/end")))
    assert end["evidence"] is None
    made.close(1.0)


def test_old_pictures_go_by_age_and_then_by_bytes(tmp_path):
    config = EvidenceConfig.model_construct(store=str(tmp_path), keep=3600.0, max_bytes=10)
    store = EvidenceStore(config)
    for episode in range(1, 5):
        store.put(evidence_path("dock-03", "near", episode, "start"), b"12345")
    times = sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg"))
    assert store.prune(times[-1]) == 2
    assert sorted(path.name for path in tmp_path.rglob("*.jpg")) == ["000003-start.jpg", "000004-start.jpg"]
    assert store.prune(times[-1] + round(3601e9)) == 2


class Filled:
    """A store with three pictures of five bytes that may hold one, and a publisher of it."""

    def __init__(self, folder: Path, *, owns=lambda _: True) -> None:
        self.config = EvidenceConfig.model_construct(store=str(folder / "evidence"), keep=3600.0, max_bytes=5)
        self.store = EvidenceStore(self.config, owns)
        for episode in range(1, 4):
            path = self.store.put(evidence_path("dock-03", "too_close", episode, "start"), b"12345").path
            os.utime(path, ns=(START_NS + episode, START_NS + episode))

    def left(self, still_named: StillNamed, now_ns: int = START_NS) -> list[str]:
        self.store.prune(now_ns, still_named)
        return sorted(path.name[:6] for path in Path(self.config.store).rglob("*.jpg"))


def test_what_a_waiting_message_may_name_outlives_the_bound_on_bytes_and_age(tmp_path):
    assert Filled(tmp_path).left(StillNamed(START_NS + 2)) == ["000002", "000003"]
    assert Filled(tmp_path).left(StillNamed(START_NS + 2), START_NS + 2 * 3600 * 10**9) == ["000002", "000003"]


def test_the_evidence_of_an_open_episode_stays_with_its_preview_and_clip(tmp_path):
    filled = Filled(tmp_path)
    path = evidence_path("dock-03", "too_close", 1, "start")
    for more in (preview_path(path), clip_path(path)):
        filled.store.put(more, b"more")
    filled.left(StillNamed(events=frozenset({path})))
    folder = tmp_path / "evidence/dock-03/too_close"
    assert {each.name for each in folder.iterdir()} >= {
        "000001-start.jpg",
        "000001-start-preview.jpg",
        "000001-start.mp4",
    }
    assert not (folder / "000003-start.jpg").exists()
    assert filled.left(StillNamed()) == [], "over at last: all of it is older than an hour or beyond five bytes"


def test_a_store_full_of_what_is_named_takes_nothing_more_until_it_is_not(tmp_path):
    filled = Filled(tmp_path)
    assert len(filled.left(StillNamed(START_NS))) == 3
    with pytest.raises(OSError, match="not over"):
        filled.store.put("dock-03/too_close/000004-start.jpg", b"12345")
    assert filled.left(StillNamed()) == ["000003"]
    filled.store.put("dock-03/too_close/000004-start.jpg", b"12345")


def test_a_publisher_leaves_the_evidence_of_others_to_them(tmp_path):
    assert len(Filled(tmp_path, owns=lambda camera: camera != "dock-03").left(StillNamed())) == 3


def test_evidence_is_named_while_its_events_wait_or_its_episode_is_open(tmp_path):
    made, sink, receipt = started(tmp_path)
    (wanted,) = receipt.pictures_wanted
    deliver(made, pictures=[Picture(wanted.event_id, wanted.ticket, b"jpeg")])
    made.turn()
    path = evidence_path("dock-03", "too_close", 1, "start")
    named = made._desk.still_named()
    assert named.since_ns is not None
    assert START_NS - 200 * 10**9 < named.since_ns < START_NS
    assert named.events == {path}
    sink.settle()
    made.turn()
    assert made._desk.still_named() == StillNamed(None, frozenset({path})), "the alert is still active"
    deliver(made, *(frame(n, 9.0) for n in range(5, 12)))
    sink.settle()
    made.turn()
    (end,) = (each for each in made._records.pictures.paths)
    assert made._desk.still_named() == StillNamed(None, frozenset({end})), "over; the end's picture is on its way"
    made.close(1.0)


def test_a_rule_with_an_odd_name_stays_inside_the_store():
    assert evidence_path("dock-03", "../../etc", 1, "start") == "dock-03/..%2F..%2Fetc/000001-start.jpg"


def test_a_picture_of_a_run_whose_state_was_lost_is_replaced(tmp_path):
    store = EvidenceStore(EvidenceConfig(store=str(tmp_path)))
    path = evidence_path("dock-03", "near", 1, "start")
    store.put(path, b"of last week")
    stored = store.put(path, b"now")
    assert Path(stored.path).read_bytes() == b"now"
    assert stored.sha256 == hashlib.sha256(b"now").hexdigest()


CLIPPED = {**WISH, "clip": {"before": "2s", "after": "1s"}}


def clipped(folder, clock=None):
    """A start whose picture has come, and what is asked for its clip."""
    sink = HandSink()
    made = publisher(folder, [camera(too_close=rule(evidence=CLIPPED))], [sink], clock=clock)
    asked = deliver(made, *(frame(n, 2.5) for n in range(5))).of(CAMERA).pictures_wanted
    (clip,) = (each for each in asked if each.clip is not None)
    return made, sink, clip


def part(wanted, index, count, data=b"", **more):
    return ClipPart(wanted.event_id, wanted.ticket, index, count, data, **more)


def parts(made, *sent):
    for each in sent:
        made.publish(Delivery((), (), (each,)))
    made.turn()


def clips_of(sink):
    return [each for each in evidence_of(sink) if each["of"] == "clip"]


def test_a_start_asks_for_a_clip_of_the_time_around_it(tmp_path):
    made, sink, wanted = clipped(tmp_path)
    start = body(next(each for each in sink.seen if each.kind == "alert"))
    assert wanted.clip.from_ns == start["began_ns"] - 2 * 10**9
    assert wanted.clip.to_ns == start["rule_time_ns"] + 10**9
    assert start["clip"] == str(tmp_path / "evidence/dock-03/too_close/000001-start.mp4")
    made.close(1.0)


def test_pieces_are_joined_and_announced_once(tmp_path):
    made, sink, wanted = clipped(tmp_path)
    parts(made, part(wanted, 0, 2, b"one", from_ns=5, to_ns=9), part(wanted, 0, 2, b"one", from_ns=5, to_ns=9))
    assert clips_of(sink) == []
    parts(made, part(wanted, 1, 2, b"two", from_ns=5, to_ns=9), part(wanted, 1, 2, b"two"))
    (said,) = clips_of(sink)
    assert said["id"] == "dock-03/too_close/1/start/evidence/clip"
    assert Path(said["clip"]["path"]).read_bytes() == b"onetwo"
    assert said["clip"]["sha256"] == hashlib.sha256(b"onetwo").hexdigest()
    assert (said["clip"]["from_ns"], said["clip"]["to_ns"]) == (5, 9)
    made.close(1.0)


def test_a_publisher_that_was_replaced_between_two_pieces_waits_for_the_first_again(tmp_path):
    made, _, wanted = clipped(tmp_path)
    parts(made, part(wanted, 0, 2, b"one"))
    made.close(1.0)
    sink = HandSink()
    clock = HandClock()
    made = publisher(tmp_path, [camera(too_close=rule(evidence=CLIPPED))], [sink], clock=clock)
    parts(made, part(wanted, 1, 2, b"two"), part(wanted, 1, 2, b"two"))
    assert clips_of(sink) == [], "two ends are no clip"
    clock.now = 2.5
    again = deliver(made, tick(1.0)).of(CAMERA).pictures_wanted
    assert wanted.event_id in {each.event_id for each in again}
    parts(made, part(wanted, 0, 2, b"one"), part(wanted, 1, 2, b"two"))
    assert Path(clips_of(sink)[0]["clip"]["path"]).read_bytes() == b"onetwo"
    made.close(1.0)


def test_the_clip_of_an_owner_that_died_is_missing_and_says_so(tmp_path):
    made, sink, wanted = clipped(tmp_path)
    parts(made, part(wanted, 0, 2, b"one"))
    made.attach(CAMERA, 18)
    assert [(each["clip"], each["missing"]) for each in clips_of(sink)] == [(None, "owner_died")]
    made.close(1.0)


def test_a_clip_that_is_larger_than_agreed_is_let_go(tmp_path):
    made, sink, wanted = clipped(tmp_path)
    piece = bytes(10**6)
    parts(made, *(part(wanted, index, 40, piece) for index in range(20)))
    assert [each["missing"] for each in clips_of(sink)] == ["too_large"]
    made.close(1.0)


def test_a_clip_has_until_its_time_is_over_and_half_a_minute(tmp_path):
    clock = HandClock()
    made, sink, _ = clipped(tmp_path, clock)
    clock.now = 32.0
    made.turn()
    assert clips_of(sink) == []
    clock.now = 34.0
    made.turn()
    assert [each["missing"] for each in clips_of(sink)] == ["timeout"]
    made.close(1.0)
