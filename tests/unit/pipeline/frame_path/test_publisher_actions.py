from __future__ import annotations

import sqlite3

import msgspec
import pytest

from pipeline.errors import PublishError
from pipeline.frame_path.publisher.action_request import ActionRequest
from pipeline.frame_path.publisher.state_db import translate
from pipeline.messages import Delivery
from tests.fakes_publisher import CAMERA, START_NS, HandClock, HandSink, body, camera, frame, ids, publisher, rule, tick

HOUR = 3600
START = "dock-03/too_close/1/start"


class Yard:
    """A publisher with a clock of its own, and what it said."""

    def __init__(self, folder, published=None):
        self.folder, self.published = folder, published or camera()
        self.clock = HandClock()
        self.open()

    def open(self):
        self.sink = HandSink()
        self.made = publisher(self.folder, [self.published], [self.sink], clock=self.clock)
        self.sink.settle()
        self.sink.seen.clear()  # what waited is offered again, and was told before

    def kill(self):
        """Ends the publisher without a word, and starts the next one."""
        self.made._is_closing = True
        self.made._wake.set()
        self.made._thread.join()
        self.made._records.close()
        self.open()

    def see(self, seqs, metres, lease=17):
        self.made.publish(Delivery(tuple(frame(seq, metres, lease=lease) for seq in seqs)))

    def act(self, action, **more):
        return self.made.act(CAMERA, ActionRequest(action=action, **{"by": "anna", **more}))

    def alerts(self):
        return [body(each) for each in self.sink.seen if each.kind == "alert"]

    def state(self):
        """Of each key the newest body, as a compacted topic keeps it."""
        newest = {each.key: each for each in self.sink.seen if each.kind == "state"}
        return {key: body(each) for key, each in newest.items() if each.body}


@pytest.fixture
def yard(tmp_path):
    made = Yard(tmp_path)
    yield made
    made.made.close(1.0)


def test_a_muted_camera_goes_on_with_its_episodes_and_tells_nobody(yard):
    acted = yard.act("mute", for_seconds=2 * HOUR, reason="crane works")
    yard.see(range(5), 2.5)
    yard.see(range(5, 7), 5.0)
    mute, start, end = yard.alerts()
    assert (mute["id"], mute["by"], mute["cause"], mute["rule"]) == ("dock-03/action/1/mute", "anna", "person", None)
    assert (mute["reason"], mute["until_ns"]) == ("crane works", START_NS + 2 * HOUR * 10**9)
    assert mute["text"] == "dock-03: muted by anna until Thu 01 Jan 02:00 (crane works)"
    assert acted.events == [mute["id"]]
    assert (start["id"], start["notify"], start["muted"]) == (START, False, True)
    assert (end["transition"], end["notify"], end["muted"]) == ("end", False, True)
    assert yard.state() == {}


def test_what_is_active_says_whether_it_is_muted_now(yard):
    yard.see(range(5), 2.5)
    assert yard.state()["dock-03/too_close"]["muted"] is False
    yard.act("mute", rule="too_close")
    assert yard.state()["dock-03/too_close"]["muted"] is True
    yard.act("unmute", rule="too_close")
    assert yard.state()["dock-03/too_close"] == yard.alerts()[0]
    yard.act("mute")
    yard.see(range(5, 7), 5.0)
    assert [(each["notify"], each["muted"]) for each in yard.alerts() if "transition" in each] == [
        (True, False),
        (False, True),
    ]
    assert len(set(ids(yard.sink.seen))) == len(yard.sink.seen), "every event has an id of its own"


def test_a_mute_and_an_episode_survive_the_publisher(yard):
    yard.act("mute", for_seconds=2 * HOUR)
    yard.see(range(5), 2.5)
    yard.kill()
    yard.see(range(5, 8), 2.4, lease=18)
    assert yard.alerts() == [], "no second start"
    yard.see(range(8, 10), 5.0, lease=18)
    yard.see(range(10, 15), 2.5, lease=18)
    assert [(each["id"], each["notify"], each["muted"]) for each in yard.alerts()] == [
        ("dock-03/too_close/1/end", False, True),
        ("dock-03/too_close/2/start", False, True),
    ]


def test_a_mute_ends_by_the_clock_on_a_camera_that_sends_nothing(yard):
    yard.act("mute", for_seconds=2 * HOUR, reason="crane works")
    yard.kill()
    yard.clock.now = 2 * HOUR - 1
    yard.made.turn()
    assert yard.alerts() == []
    yard.clock.now = 2 * HOUR
    yard.made.turn()
    yard.made.turn()
    (unmute,) = yard.alerts()
    assert (unmute["id"], unmute["cause"], unmute["by"]) == ("dock-03/action/2/unmute", "expiry", "anna")
    assert unmute["text"] == "dock-03: no longer muted, the time that anna gave is over (crane works)"


def test_a_rule_alone_is_muted(tmp_path):
    yard = Yard(tmp_path, camera(too_close=rule(), near=rule(enter="< 4.0 m", exit="> 4.4 m")))
    yard.act("mute", rule="near")
    yard.see(range(5), 2.5)
    assert {each["rule"]: each["muted"] for each in yard.alerts() if "transition" in each} == {
        "too_close": False,
        "near": True,
    }
    yard.act("mute")
    yard.act("unmute")
    assert [each["rule"] for each in yard.alerts() if each.get("action") == "unmute"] == ["near", None]
    yard.made.close(1.0)


def test_an_acknowledged_alert_says_so_until_it_ends(yard):
    yard.see(range(5), 2.5)
    yard.clock.now = 30
    yard.act("ack", alert="dock-03/too_close/1", by="bo", reason="on my way")
    seen = {"by": "bo", "at_ns": START_NS + 30 * 10**9, "reason": "on my way"}
    assert yard.state()["dock-03/too_close"]["acknowledged"] == seen
    assert (yard.alerts()[-1]["alert"], yard.alerts()[-1]["by"]) == (START, "bo")
    with pytest.raises(PublishError, match="acknowledged already, by bo at Thu 01 Jan 00:00") as refused:
        yard.act("ack", alert=START)
    assert refused.value.code == "conflict"
    yard.kill()
    yard.see(range(5, 7), 5.0, lease=18)
    (end,) = yard.alerts()
    assert (end["transition"], end["acknowledged"]) == ("end", seen)
    with pytest.raises(PublishError, match=r"is not active: it has ended, or never was\. Active on dock-03: nothing"):
        yard.act("ack", alert=START)


def test_disarming_ends_an_episode_and_arming_begins_a_new_one(yard):
    yard.see(range(5), 2.5)
    yard.act("disarm", reason="crane works")
    yard.kill()
    yard.see(range(5, 10), 2.5, lease=18)
    (end,) = yard.alerts()
    assert (end["id"], end["reason"]) == ("dock-03/too_close/1/end", "disarmed")
    yard.act("arm")
    yard.see(range(10, 15), 2.5, lease=18)
    assert [each["id"] for each in yard.alerts()[1:]] == ["dock-03/action/2/arm", "dock-03/too_close/2/start"]
    results = [body(each)["rules"]["too_close"]["is_armed"] for each in yard.sink.seen if each.kind == "result"]
    assert results == [False] * 5 + [True] * 5


def test_what_a_person_says_holds_until_the_hours_change(tmp_path):
    yard = Yard(tmp_path, camera(too_close=rule(armed={"thu": "01:00-02:00"})))  # it is Thursday, midnight
    yard.see(range(5), 2.5)
    assert yard.alerts() == []
    yard.act("arm")
    assert yard.alerts()[0]["text"] == "dock-03/too_close: armed by anna until its hours change at Thu 01 Jan 01:00"
    yard.act("disarm")
    yard.clock.now = HOUR
    yard.see([5 * HOUR - 1], 2.5)  # a frame from before the hour that comes after it
    assert len(yard.alerts()) == 2
    yard.see(range(5 * HOUR, 5 * HOUR + 5), 2.5)
    assert [each["id"] for each in yard.alerts()[2:]] == ["dock-03/action/3/arm", START]
    assert yard.alerts()[2]["cause"] == "expiry"
    assert yard.alerts()[2]["text"] == "dock-03/too_close: armed by its hours, what anna set is over"
    yard.made.close(1.0)


def test_arming_for_a_time_outlasts_the_hours(tmp_path):
    yard = Yard(tmp_path, camera(too_close=rule(armed={"thu": "00:00-01:00"})))
    yard.act("arm", for_seconds=2 * HOUR)
    yard.see(range(5), 2.5)
    yard.clock.now = 2 * HOUR - 1
    yard.see(range(5 * HOUR + 5, 5 * HOUR + 10), 2.5)
    assert [each["id"] for each in yard.alerts()] == ["dock-03/action/1/arm", START]
    yard.clock.now = 2 * HOUR
    yard.made.publish(Delivery((tick(2 * HOUR),)))
    assert [each["id"] for each in yard.alerts()[2:]] == ["dock-03/action/2/disarm", "dock-03/too_close/1/end"]
    yard.made.close(1.0)


def test_the_status_page_shows_what_is_set_until_it_is_over(yard):
    assert yard.made.snapshot().actions == {}
    yard.act("mute", for_seconds=HOUR, reason="crane works")
    yard.act("disarm", rule="too_close")
    shown = msgspec.json.decode(msgspec.json.encode(yard.made.snapshot(), enc_hook=str))["actions"][CAMERA]
    assert (shown["mutes"][""]["by"], shown["mutes"][""]["reason"]) == ("anna", "crane works")
    assert shown["overrides"]["too_close"]["is_armed"] is False
    yard.act("unmute")
    yard.act("arm")
    assert yard.made.snapshot().actions == {}


@pytest.mark.parametrize(
    ("asked", "code", "says"),
    [
        ({"action": "mute", "rule": "too_clsoe"}, "unknown", "unknown rule 'too_clsoe' of dock-03.*too_close"),
        ({"action": "mute", "by": " "}, "usage", "by: expected the name of a person"),
        ({"action": "mute", "for_seconds": 0.0}, "usage", "for: expected up to 366 days, got 0 s"),
        ({"action": "unmute"}, "conflict", "dock-03 is not muted"),
        ({"action": "unmute", "rule": "too_close"}, "conflict", "dock-03/too_close is not muted"),
        ({"action": "ack", "alert": START}, "conflict", "is not active"),
        ({"action": "ack"}, "conflict", "is not active"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_changes_nothing(yard, asked, code, says):
    with pytest.raises(PublishError, match=says) as refused:
        yard.act(**asked)
    assert refused.value.code == code
    assert yard.sink.seen == []


def test_a_mute_that_cannot_be_stored_is_not_told(yard, monkeypatch, tmp_path):
    outbox = yard.made._records.outbox

    def full_disk(*_):
        raise translate(sqlite3.OperationalError("disk full"), tmp_path)

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "append", full_disk)
        with pytest.raises(PublishError, match="cannot be written"):
            yard.act("mute")
    yard.see(range(5), 2.5)
    assert [each["muted"] for each in yard.alerts()] == [False]
