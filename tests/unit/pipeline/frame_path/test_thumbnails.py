"""Small pictures for searches: when they are asked for, what is kept, and what a full or broken disk does."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from operators.frames import Ticket
from pipeline.frame_path.owner.wishes import Wishes
from pipeline.frame_path.publisher.evidence import EvidenceStore, evidence_path
from pipeline.frame_path.publisher.thumbnail_store import ThumbnailStore, thumbnail_path
from pipeline.frame_path.publisher.thumbnails import WAITING, Thumbnails
from pipeline.messages import Analysed, Delivery
from pipeline.sinks.config import EvidenceConfig
from tests.fakes_publisher import CAMERA, START_NS, HandSink, camera, frame, publisher, reused, tick

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


def opened(folder: Path, period: float = 5.0, *, is_replayable: bool = False):
    """A publisher that wants a thumbnail every `period` seconds; frames come five a second."""
    published = replace(camera(is_replayable=is_replayable), thumbnail_seconds=period)
    return publisher(folder, [published], [HandSink()])


def due_after(made, *entries) -> bool:
    receipt = made.publish(Delivery(tuple(entries))).of(CAMERA)
    assert receipt is not None
    return receipt.is_thumbnail_due


def kept(folder: Path) -> list[str]:
    """Frames that have one, in order."""
    paths = (folder / "evidence/thumbnails").rglob("*.jpg")
    found = [(path.parts[-4], int(path.parts[-3]), int(path.name.partition("@")[0])) for path in paths]
    return [f"{camera}/{epoch}/{seq}" for camera, epoch, seq in sorted(found)]


def test_one_is_due_until_a_frame_with_something_in_view_brings_it_and_again_after_the_period(tmp_path):
    made = opened(tmp_path)
    assert made.attach(CAMERA, 17).is_thumbnail_due
    assert due_after(made, frame(0, None))
    assert due_after(made, frame(1, None, preview=b"nobody there")), "an empty dock is nothing to find"
    assert due_after(made, frame(2, 4.0)), "asked for before, and on its way without"
    assert not due_after(made, frame(3, 4.0, preview=b"three"), frame(4, 4.0, preview=b"four"))
    assert not due_after(made, reused(27, 4))
    assert due_after(made, tick(5.6)), "three came at 0.6 s"
    assert not due_after(made, frame(30, 4.0, preview=b"thirty"))
    made.close(1.0)
    assert kept(tmp_path) == ["dock-03/17/3", "dock-03/17/30"]
    assert made.snapshot().thumbnails == {CAMERA: {"written": 2, "failed": 0, "dropped": 0}}
    at_ns = START_NS + 600_000_000
    path = tmp_path / f"evidence/thumbnails/dock-03/17/{START_NS // HOUR}/3@{at_ns}.jpg"
    assert path.read_bytes() == b"three"


def test_where_evidence_lies_in_no_folder_they_lie_in_the_state(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.fakes_publisher.EvidenceConfig", lambda **_: EvidenceConfig(store="memory://evidence/b"))
    made = opened(tmp_path)
    assert made.attach(CAMERA, 17).is_thumbnail_due
    assert not due_after(made, frame(3, 4.0, preview=b"three"))
    made.close(1.0)
    path = thumbnail_path(frame(3, 4.0).ticket, START_NS + 600_000_000)
    assert (tmp_path / "state" / path).read_bytes() == b"three"
    several = EvidenceStore(EvidenceConfig(store="memory://evidence/b"), state_dir=tmp_path / "run")
    several.thumbnails.put(path, b"of one of several publishers")
    assert (tmp_path / "run" / path).exists()


def test_without_a_learnt_view_any_frame_will_do(tmp_path):
    made = opened(tmp_path)
    unlearnt = replace(frame(0, None, preview=b"x").analysis, view=None)
    assert not due_after(made, Analysed(unlearnt))
    made.turn()
    assert kept(tmp_path) == ["dock-03/17/0"]
    made.close(1.0)


def test_a_camera_that_wants_none_leaves_none(tmp_path):
    made = opened(tmp_path, 0.0)
    assert not made.attach(CAMERA, 17).is_thumbnail_due
    assert not due_after(made, frame(0, 4.0, preview=b"of an alert"))
    made.close(1.0)
    assert kept(tmp_path) == []
    assert made.snapshot().thumbnails == {}


def test_partitions_that_are_read_side_by_side_have_each_their_own_time(tmp_path):
    made = opened(tmp_path, is_replayable=True)
    for seq in range(0, 40, 10):  # every 2 s
        due_after(made, frame(seq, 4.0, epoch=0, preview=b"a"), frame(seq + 500, 4.0, epoch=1, preview=b"b"))
    made.close(1.0)
    assert kept(tmp_path) == ["dock-03/0/0", "dock-03/0/30", "dock-03/1/500", "dock-03/1/530"]


def test_a_disk_that_refuses_is_counted_and_said_once_and_nothing_else_stops(tmp_path, caplog):
    made = opened(tmp_path, 0.2)
    (tmp_path / "evidence").write_text("a file where a folder should be")
    with caplog.at_level(logging.WARNING):
        for seq in range(4):
            due_after(made, frame(seq, 4.0, preview=b"x"))
            made.turn()
    said = [each.message for each in caplog.records if "thumbnails cannot be stored" in each.message]
    assert len(said) == 1
    assert said[0].startswith("dock-03: thumbnails cannot be stored: Not a directory")
    (tmp_path / "evidence").unlink()
    due_after(made, frame(4, 4.0, preview=b"x"))
    made.close(1.0)
    assert made.snapshot().thumbnails == {CAMERA: {"written": 1, "failed": 4, "dropped": 0}}


def test_what_waits_for_a_slow_disk_is_bounded_and_the_rest_is_counted(tmp_path):
    thumbnails = Thumbnails(ThumbnailStore(tmp_path))
    thumbnails.allow(CAMERA, 0.1)
    thumbnails.see(frame(seq, 4.0, preview=b"x") for seq in range(WAITING + 3))
    thumbnails.write()
    assert thumbnails.counts() == {CAMERA: {"written": WAITING, "failed": 0, "dropped": 3}}


def test_the_owner_asks_with_every_frame_while_one_is_due_and_leaves_the_gate_alone(tmp_path):
    made, wishes = opened(tmp_path), Wishes()
    wishes.attached(made.attach(CAMERA, 17), is_first=True)
    assert wishes.is_thumbnail_due
    made.publish(Delivery((frame(0, None),)))
    wishes.is_sample_wanted = False
    assert not wishes.needs_analysis
    receipt = made.publish(Delivery((frame(1, 4.0, preview=b"x"),))).of(CAMERA)
    assert receipt is not None
    wishes.received(receipt, has_sample_in_flight=True)
    assert not wishes.is_thumbnail_due
    made.close(1.0)


# --- on disk --------------------------------------------------------------------------------------------------------


def put(store: ThumbnailStore, seq: int, at_ns: int, *, name: str = CAMERA, epoch: int = 17) -> str:
    path = thumbnail_path(Ticket(name, epoch, epoch, seq), at_ns)
    store.put(path, b"12345")
    return path


def test_the_nearest_come_first_across_the_hour_and_not_of_others(tmp_path):
    store = ThumbnailStore(tmp_path)
    hour = START_NS // HOUR * HOUR + HOUR
    for seq, seconds in enumerate((-9, -2, 1, 4, 6)):
        put(store, seq, hour + seconds * SECOND)
    put(store, 50, hour, name="gate")
    put(store, 60, hour, epoch=18)
    near = store.near(CAMERA, 17, hour, 5 * SECOND)
    assert [each.seq for each in near] == [2, 1, 3]
    assert near[0].rule_time_ns == hour + SECOND
    assert ThumbnailStore(tmp_path / "nowhere").near(CAMERA, 17, hour, SECOND) == []


def test_hours_go_by_age_and_folders_with_them(tmp_path):
    store = ThumbnailStore(tmp_path)
    old = tmp_path / put(store, 1, START_NS, epoch=16)
    new = tmp_path / put(store, 2, START_NS + HOUR)
    written_ns = new.parent.stat().st_mtime_ns
    os.utime(old.parent, ns=(written_ns - HOUR, written_ns - HOUR))
    assert store.prune(written_ns, HOUR, 100) == 0
    assert store.prune(written_ns + 1, HOUR, 100) == 1
    assert (old.parent.parent.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize(("max_bytes", "alerts", "hours"), [(25, 2, 3), (24, 2, 2), (14, 2, 0), (9, 1, 0)])
def test_beyond_the_room_thumbnails_go_before_any_picture_of_an_alert(tmp_path, max_bytes, alerts, hours):
    store = EvidenceStore(EvidenceConfig.model_construct(store=str(tmp_path), keep=3600.0, max_bytes=max_bytes))
    for episode in (1, 2):
        store.put(evidence_path(CAMERA, "near", episode, "start"), b"12345")
    written = [tmp_path / put(store.thumbnails, hour, START_NS + hour * HOUR) for hour in range(3)]
    newest_ns = written[-1].parent.stat().st_mtime_ns
    for number, path in enumerate(written):
        os.utime(path.parent, ns=(newest_ns - 3 + number, newest_ns - 3 + number))
    store.prune(newest_ns)
    assert len(list((tmp_path / CAMERA).rglob("*.jpg"))) == alerts
    assert [path.exists() for path in written] == [False] * (3 - hours) + [True] * hours


def test_an_hour_that_grew_is_weighed_again(tmp_path):
    store = ThumbnailStore(tmp_path)
    first = tmp_path / put(store, 1, START_NS)
    assert store.prune(first.parent.stat().st_mtime_ns, HOUR, 7) == 0
    put(store, 2, START_NS + SECOND)
    os.utime(first.parent)
    assert store.prune(first.parent.stat().st_mtime_ns, HOUR, 7) == 1
