from __future__ import annotations

import random

import pytest

from pipeline.errors import PublishError
from pipeline.frame_path.publisher.offers import Offers
from pipeline.frame_path.publisher.outbox import Outbox
from pipeline.frame_path.publisher.state_db import StateDatabase
from pipeline.messages import Delivery, Settlement
from pipeline.sinks.dead_letters import dead_letter
from tests.fakes_publisher import HandSink, body, camera, frame, publisher
from tests.fakes_sinks import message


@pytest.fixture
def database(tmp_path):
    made = StateDatabase(tmp_path / "state.sqlite")
    yield made
    made.close()


def append(database, outbox, *messages, to=("redis", "kafka")):
    with database.transaction():
        return [outbox.append(each, to) for each in messages]


def test_a_row_goes_when_the_last_sink_has_settled_it(database):
    outbox = Outbox(database, ["redis", "kafka"], 2**20)
    first, second = append(database, outbox, message("alert", 1), message("alert", 2))
    with database.transaction():
        outbox.settle(first.outbox, "redis")
    assert [each.id for each in outbox.after(0, "redis", 10)] == [second.id]
    assert [each.id for each in outbox.after(0, "kafka", 10)] == [first.id, second.id]
    with database.transaction():
        outbox.settle(first.outbox, "kafka")
        outbox.settle(first.outbox, "kafka")
    assert (outbox.num_rows, outbox.num_bytes) == (1, second.size)


def test_what_is_rolled_back_was_never_there(database):
    outbox = Outbox(database, ["redis"], 2**20)

    def fail():
        with database.transaction():
            outbox.append(message("alert", 1), ["redis"])
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    outbox.reload()
    assert (outbox.num_rows, outbox.num_bytes) == (0, 0)
    assert outbox.after(0, "redis", 10) == []


def test_the_bound_is_in_bytes_and_refusals_are_counted_for_ever(database):
    size = message("alert", 1).size
    outbox = Outbox(database, ["redis"], 2 * size)
    stored = append(database, outbox, *(message("alert", n) for n in range(1, 5)), to=["redis"])
    assert [each is None for each in stored] == [False, False, True, True]
    assert outbox.is_full
    assert Outbox(database, ["redis"], 2 * size).refused == 2


def test_results_of_replayable_sources_do_not_take_the_alerts_room(database):
    outbox = Outbox(database, ["redis"], message("alert", 1).size)
    append(database, outbox, *(message("result", n) for n in range(10)), to=["redis"])
    assert append(database, outbox, message("alert", 1), to=["redis"]) != [None]


def test_a_later_version_of_the_state_is_not_touched(tmp_path):
    database = StateDatabase(tmp_path / "state.sqlite")
    database.rows("PRAGMA user_version=99")
    database.close()
    with pytest.raises(PublishError, match="expected 1, got 99"):
        StateDatabase(tmp_path / "state.sqlite")


def test_a_long_backlog_moves_in_parts(database):
    outbox = Outbox(database, ["redis"], 2**24)
    append(database, outbox, *(message("alert", n) for n in range(1100)), to=["redis"])
    sink = HandSink("redis")
    offers = Offers(sink, outbox, 1100)
    assert offers.catch_up()
    assert len(sink.seen) == 512
    assert offers.catch_up()
    assert not offers.catch_up()
    assert [each.id for each in sink.seen] == [f"dock-01/1/{n}/alert" for n in range(1100)]
    assert not offers.has_backlog


def test_whatever_the_room_a_sink_gets_every_row_once_and_in_order(database):
    rng = random.Random(7)
    sink = HandSink("redis", room=5)
    outbox = Outbox(database, ["redis"], 2**24)
    offers = Offers(sink, outbox, 0)
    num_made = 0
    for _ in range(300):
        action = rng.random()
        if action < 0.5:
            new = append(
                database, outbox, *(message("alert", num_made + n) for n in range(rng.randint(1, 4))), to=["redis"]
            )
            num_made += len(new)
            offers.put([message("result", num_made), *new])
        elif action < 0.8:
            done = [each for each in sink.settle(rng.randint(1, 4)) if each.outbox is not None]
            with database.transaction():
                for each in done:
                    outbox.settle(each.outbox, "redis")
        else:
            offers.catch_up()
    sink.room = 10**9
    while offers.catch_up():
        pass
    assert [each.id for each in sink.seen if each.kind == "alert"] == [f"dock-01/1/{n}/alert" for n in range(num_made)]
    assert not offers.has_backlog


def test_a_letter_of_a_sink_without_a_place_for_it_reaches_every_sink(tmp_path):
    """As of a webhook: the letter is stored with what settles the alert."""
    pager, redis = HandSink("webhook"), HandSink("redis")
    made = publisher(tmp_path, [camera()], [redis, pager])
    made.publish(Delivery(tuple(frame(n, 2.5) for n in range(5))))
    alert = next(each for each in pager.queue if each.kind == "alert")
    letter = dead_letter(alert, "webhook: http_404", 2**20)
    pager.queue.remove(alert)
    redis.settle()
    pager.settle()
    made._on_settled([Settlement("webhook", alert, "dead_lettered", "http_404", letter)])
    made.turn()
    made.turn()
    assert [(each.id, each.kind) for each in redis.queue] == [(f"{alert.id}/dead_letter", "dead_letter")]
    assert body(redis.queue[0])["reason"] == "webhook: http_404"
    redis.settle()
    pager.settle()
    made.turn()
    assert made.snapshot().outbox_rows == 0
    made.close(1.0)
