from __future__ import annotations

import sqlite3

import pytest

from pipeline.errors import PublishError
from pipeline.frame_path.publisher.state_db import translate
from pipeline.messages import Status
from tests.fakes_publisher import CAMERA, START_NS, HandSink, body, camera, deliver, frame, ids, publisher, tick


def kill(made):
    """Ends a publisher without a word: nothing is written, nothing is delivered."""
    made._is_closing = True
    made._wake.set()
    made._thread.join()
    made._records.close()


def test_what_was_not_acknowledged_is_offered_again_with_equal_ids_and_bodies(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    deliver(made, *(frame(n, 2.5) for n in range(5)))
    kill(made)
    again = HandSink()
    made = publisher(tmp_path, [camera()], [again])
    before = [each for each in sink.seen if each.kind != "result"]
    assert [(each.id, each.body, each.attributes) for each in again.seen] == [
        (each.id, each.body, each.attributes) for each in before
    ]
    made.close(1.0)


def test_an_episode_survives_its_publisher_without_a_second_start(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    deliver(made, *(frame(n, 2.5) for n in range(5)))
    kill(made)
    sink = HandSink()
    made = publisher(tmp_path, [camera()], [sink])
    sink.seen.clear()
    attached = made.attach(CAMERA, 18)
    assert attached.last_rule_time_ns == START_NS + 800_000_000
    assert attached.is_armed is True
    deliver(made, *(frame(n, 2.4, lease=18) for n in range(5, 8)), *(frame(n, 5.0, lease=18) for n in range(8, 10)))
    assert ids(sink.seen, "alert") == ["dock-03/too_close/1/end"]
    made.close(1.0)


def test_a_pending_hold_survives_too(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    deliver(made, frame(0, 2.5), frame(1, 2.5))
    kill(made)
    made = publisher(tmp_path, [camera()], [sink := HandSink()])
    deliver(made, frame(2, 2.5, lease=18), frame(3, 2.5, lease=18))
    assert ids(sink.seen, "alert") == ["dock-03/too_close/1/start"]
    made.close(1.0)


def test_a_replayed_frame_whose_result_waits_is_delivered_once_more_from_disk_and_settles(tmp_path):
    made = publisher(tmp_path, [camera(is_replayable=True)], [first := HandSink()])
    deliver(made, *(frame(n, 2.5, epoch=0) for n in range(3)))
    kill(made)
    made = publisher(tmp_path, [camera(is_replayable=True)], [sink := HandSink()])
    assert [(each.id, each.body) for each in sink.seen] == [(each.id, each.body) for each in first.seen]
    attached = made.attach(CAMERA, 17)
    assert attached.settled_upto == ()
    deliver(made, *(frame(n, 1.0, epoch=0) for n in range(3)))
    assert len(sink.seen) == 3
    sink.settle(2)
    assert deliver(made, tick(1.0)).of(CAMERA).settled_upto == ((0, 1),)
    sink.settle()
    assert deliver(made, tick(1.1)).of(CAMERA).settled_upto == ((0, 2),)
    made.close(1.0)


def test_what_was_settled_stays_settled_although_only_its_row_was_deleted(tmp_path):
    made = publisher(tmp_path, [camera(is_replayable=True)], [sink := HandSink()])
    deliver(made, *(frame(n, None, epoch=0) for n in range(3)))
    sink.settle()
    made.turn()
    kill(made)
    made = publisher(tmp_path, [camera(is_replayable=True)], [HandSink()])
    assert made.attach(CAMERA, 17).settled_upto == ((0, 2),)
    made.close(1.0)


def test_live_frames_of_a_dead_publisher_are_settled_as_dropped(tmp_path):
    made = publisher(tmp_path, [camera()], [HandSink()])
    deliver(made, *(frame(n, None) for n in range(3)))
    kill(made)
    made = publisher(tmp_path, [camera()], [HandSink()])
    assert made.attach(CAMERA, 17).settled_upto == ((17, 2),)
    made.close(1.0)


def test_live_results_that_died_with_the_publisher_are_counted(tmp_path):
    sinks = [HandSink("redis"), HandSink("kafka")]
    made = publisher(tmp_path, [camera()], sinks)
    deliver(made, *(frame(n, None) for n in range(5)))
    sinks[0].settle(2)
    made.turn()
    kill(made)
    made = publisher(tmp_path, [camera()], [HandSink("redis"), HandSink("kafka")])
    deliver(made, frame(5, None))
    ledgers = {each.sink: each for each in made.snapshot().ledgers}
    assert (ledgers["redis"].acknowledged, ledgers["redis"].dropped, ledgers["redis"].queued) == (
        2,
        {"publisher_died": 3},
        1,
    )
    assert (ledgers["kafka"].dropped, ledgers["kafka"].queued) == ({"publisher_died": 5}, 1)
    made.close(1.0)


def test_a_call_that_fails_leaves_nothing_behind_and_can_be_sent_again(tmp_path, monkeypatch):
    made = publisher(tmp_path, [camera()], [sink := HandSink()])
    deliver(made, frame(0, 2.5))
    outbox = made._records.outbox
    append = outbox.append

    def full_disk(message, waiting_for):
        append(message, waiting_for)
        raise translate(sqlite3.OperationalError("disk full"), tmp_path)

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "append", full_disk)
        with pytest.raises(PublishError, match="cannot be written"):
            deliver(made, *(frame(n, 2.5) for n in range(1, 5)))
    assert len(sink.seen) == 1
    assert made.snapshot().outbox_rows == 0
    assert deliver(made, *(frame(n, 2.5) for n in range(1, 5))).of(CAMERA).accepted_upto == (17, 4)
    assert ids(sink.seen, "alert") == ["dock-03/too_close/1/start"]
    made.close(1.0)


def test_a_full_disk_is_an_error_that_passes_when_there_is_room_again(tmp_path):
    made = publisher(tmp_path, [camera()], [sink := HandSink()])
    database = made._records.transaction()
    ((num_pages,),) = database.rows("PRAGMA page_count")
    database.rows(f"PRAGMA max_page_count={num_pages + 1}")
    taken = 0

    def fill():
        nonlocal taken
        for n in range(200):
            deliver(made, Status(CAMERA, 17, "live", START_NS + n))
            taken = n + 1

    with pytest.raises(PublishError, match=r"SQLITE_FULL.*Free disk space") as error:
        fill()
    assert error.value.code == "state_unwritable"
    assert error.value.is_transient
    assert len(sink.seen) == taken
    database.rows("PRAGMA max_page_count=100000")
    deliver(made, Status(CAMERA, 17, "live", START_NS))
    assert ids(sink.seen) == [f"dock-03/status/{n}" for n in range(1, taken + 2)]
    made.close(1.0)


def test_a_sink_that_never_answers_stops_neither_the_other_nor_the_owner(tmp_path):
    dead, alive = HandSink("dead", room=3), HandSink("alive")
    made = publisher(tmp_path, [camera()], [dead, alive], required=["alive"])
    for n in range(40):
        metres = 2.5 if n % 20 < 10 else 5.0
        receipt = deliver(made, frame(n, metres), Status(CAMERA, 17, "live", START_NS))
        alive.settle()
    assert receipt.of(CAMERA).settled_upto == ((17, 38),)
    assert len(ids(alive.seen, "alert")) == 4
    assert len(ids(alive.seen, "status")) == 40
    waiting = made.snapshot().outbox_rows
    assert waiting == 48
    while dead.queue:
        dead.settle()
        made.turn()
    made.turn()
    assert [each.id for each in dead.seen if each.kind != "result"] == [
        each.id for each in alive.seen if each.kind != "result"
    ]
    assert made.snapshot().outbox_rows == 0
    made.close(1.0)


def test_a_full_outbox_refuses_alerts_and_says_so_and_keeps_the_newest_status(tmp_path):
    sink = HandSink(room=0)
    made = publisher(tmp_path, [camera()], [sink], outbox_bytes=4000)
    for n in range(10):
        deliver(made, Status(CAMERA, 17, "live" if n % 2 else "backoff", START_NS + n))
    deliver(made, *(frame(n, 2.5) for n in range(5)))
    shown = made.snapshot()
    assert shown.is_outbox_full
    assert shown.alerts_refused == 1
    assert [(each.rule, each.episode) for each in shown.active] == [("too_close", 1)]
    sink.room = 100
    made.turn()
    kept = ids(sink.seen, "status")
    assert len(kept) < 10
    assert kept == [f"dock-03/status/{n}" for n in range(11 - len(kept), 11)]
    assert ids(sink.seen, "alert") == []
    assert ids(sink.seen, "state") == ["dock-03/too_close/1/state/start"]
    made.close(1.0)


def test_a_sink_that_is_no_longer_configured_holds_nothing_back(tmp_path):
    made = publisher(tmp_path, [camera()], [redis := HandSink("redis"), HandSink("kafka")])
    deliver(made, Status(CAMERA, 17, "live", START_NS))
    redis.settle()
    made.turn()
    assert made.snapshot().outbox_rows == 1
    made.close(1.0)
    made = publisher(tmp_path, [camera()], [HandSink("redis")])
    assert made.snapshot().outbox_rows == 0
    made.close(1.0)


def test_the_ledger_of_each_sink_balances_whatever_becomes_of_results(tmp_path):
    sinks = [HandSink("redis"), HandSink("kafka")]
    made = publisher(tmp_path, [camera()], sinks)
    deliver(made, *(frame(n, None) for n in range(10)))
    sinks[0].settle(3)
    sinks[0].settle(2, "dropped", "queue_full")
    sinks[1].settle(4, "dead_lettered", "too_large")
    for ledger in made.snapshot().ledgers:
        assert ledger.acknowledged + sum(ledger.dropped.values()) + ledger.dead_lettered + ledger.queued == 10
        assert ledger.queued == {"redis": 5, "kafka": 6}[ledger.sink]
    made.close(1.0)
    assert {each.sink: each.queued for each in made.snapshot().ledgers} == {"redis": 0, "kafka": 0}


def test_results_of_replayable_sources_stay_on_disk_when_a_required_sink_closes_without_them(tmp_path):
    made = publisher(tmp_path, [camera(is_replayable=True)], [HandSink("redis"), HandSink("kafka")])
    deliver(made, frame(0, None, epoch=0))
    made.close(1.0)
    made = publisher(tmp_path, [camera(is_replayable=True)], [redis := HandSink("redis"), kafka := HandSink("kafka")])
    assert ids(redis.seen) == ["dock-03/0/0/result"]
    assert ids(kafka.seen) == []
    assert body(redis.seen[0])["seq"] == 0
    assert {each.sink: (each.queued, each.dropped) for each in made.snapshot().ledgers} == {
        "redis": (1, {}),
        "kafka": (0, {"closed": 1}),
    }
    made.close(1.0)


@pytest.mark.parametrize(
    ("error", "name", "code"),
    [
        (sqlite3.OperationalError, "SQLITE_BUSY", "state_locked"),
        (sqlite3.OperationalError, "SQLITE_FULL", "state_unwritable"),
        (sqlite3.DatabaseError, "SQLITE_CORRUPT", "state_unwritable"),
        (sqlite3.ProgrammingError, "", "state_unwritable"),
        (sqlite3.IntegrityError, "SQLITE_CONSTRAINT", "state_unwritable"),
        (sqlite3.InterfaceError, "", "state_unwritable"),
    ],
)
def test_every_error_of_sqlite_becomes_ours(tmp_path, error, name, code):
    raised = error("what")
    if name:
        raised.sqlite_errorname = name
    translated = translate(raised, tmp_path)
    assert (translated.code, str(tmp_path) in str(translated)) == (code, True)
