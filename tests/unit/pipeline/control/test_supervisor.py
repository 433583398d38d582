"""The supervisor over actors that die, hang and fail to start on command; no Ray."""

import logging
import threading
from dataclasses import replace
from itertools import pairwise

import pytest

from pipeline.control.planning.plan import DecoderPlan
from pipeline.errors import PipelineError
from pipeline.frame_path.owner.ledger import Ledger, ledger_path
from pipeline.messages import CameraSnapshot, LedgerSnapshot
from tests.fakes_actors import FakeActor, dead, steps
from tests.unit.pipeline.control.conftest import PLAN


def test_the_model_comes_first_then_publishers_then_readers_who_are_told_of_both(supervisor, starters):
    said = []
    supervisor.start(said.append, threading.Event())
    assert [each.name for each in starters.started] == ["analyze-0", "publish-0", "decode-0", "decode-1"]
    assert said == ["loading the model", "opening the sinks", "opening the cameras"]
    assert starters.did("start") == [
        ("decode-0#2", ([("analyze-0", "analyze-0#0", 1)], {"gate": ("publish-0", "publish-0#1")})),
        ("decode-1#3", ([("analyze-0", "analyze-0#0", 2)], {"yard": ("publish-0", "publish-0#1")})),
    ]


def test_every_process_begins_while_the_model_still_loads(supervisor, starters):
    starters.prepare = lambda actor: setattr(actor, "is_hung", actor.name == "analyze-0")
    with pytest.raises(PipelineError, match="analyze-0: not ready within"):
        supervisor.start(lambda _: None, threading.Event())
    assert [each.name for each in starters.started] == ["analyze-0", "publish-0", "decode-0", "decode-1"]


def test_owners_may_take_their_time_to_begin_when_a_run_starts(supervisor, starters):
    starters.prepare = lambda actor: setattr(actor, "answer_seconds", 20.0 * actor.name.startswith("decode"))
    supervisor.start(lambda _: None, threading.Event())
    assert {each.state for each in supervisor.snapshot().actors} == {"running"}


def test_a_step_asks_all_of_a_crew_before_it_waits_for_one(running, starters, clock):
    starters.pulses.clear()
    steps(running, clock, 1)
    told = [(actor, what) for actor, what, method in starters.pulses if method == "beat"]
    assert told == [("decode-0#2", "ask"), ("decode-1#3", "ask"), ("decode-0#2", "pulse"), ("decode-1#3", "pulse")]


def test_a_dead_owner_is_replaced_under_a_higher_lease_and_the_other_is_left_alone(running, starters, clock):
    first = starters.newest("decode-0")
    first.failure = dead()
    steps(running, clock, 2)
    second = starters.newest("decode-0")
    assert second is not first
    assert second.leases["gate"] > first.leases["gate"]
    assert (second.actor, "start") in [(actor, what) for actor, what, _ in starters.diary]
    assert starters.count("decode-1") == 1
    (status,) = [each for each in running.snapshot().actors if each.name == "decode-0"]
    assert (status.state, status.restarts, status.pid) == ("running", 1, 1000 + second.number)
    assert "the actor is gone" in status.reason


def crash(starters, tmp_path, decoder, thread="reader-gate pump"):
    """The decoder dies of a segmentation fault in this thread, and has told so."""
    told = f"thread 0x00007f0000000001 {thread}\nFatal Python error: Segmentation fault\n\n"
    told += "Current thread 0x00007f0000000001 (most recent call first):\n"
    path = tmp_path / "state" / "logs" / f"{decoder}.fault"
    path.parent.mkdir(exist_ok=True)
    path.write_text(told)
    starters.newest(decoder).failure = dead()


def test_a_camera_that_killed_its_process_twice_gets_one_of_its_own(supervise, starters, clock, tmp_path, caplog):
    crowded = DecoderPlan("decode-0", (("gate",), ("yard",)), "here")
    running = supervise(replace(PLAN, decoders=(crowded,), credits={("decode-0", "analyze-0"): 3}))
    running.start(lambda _: None, threading.Event())
    crash(starters, tmp_path, "decode-0")
    steps(running, clock, 2)
    (status,) = [each for each in running.snapshot().actors if each.kind == "decode"]
    assert "Segmentation fault while it read gate" in status.reason
    assert set(starters.newest("decode-0").leases) == {"gate", "yard"}, "once may be chance"
    before = dict(starters.newest("decode-0").leases)
    crash(starters, tmp_path, "decode-0")
    with caplog.at_level(logging.WARNING):
        steps(running, clock, 5)
    assert "gate has crashed its decoder again: it is read by decode-1 alone from now on" in caplog.text
    assert set(starters.newest("decode-0").leases) == {"yard"}
    assert set(starters.newest("decode-1").leases) == {"gate"}
    assert starters.newest("decode-1").leases["gate"] > before["gate"]
    told = [args for actor, args in starters.did("start") if actor == starters.newest("decode-1").actor]
    assert told == [([("analyze-0", "analyze-0#0", 2)], {"gate": ("publish-0", "publish-0#1")})]
    for _ in range(3):
        crash(starters, tmp_path, "decode-1")
        steps(running, clock, 40)
    assert starters.count("decode-2") == 0, "alone it is already"
    assert {each.name: each.state for each in running.snapshot().actors}["decode-0"] == "running"


def test_what_killed_it_from_outside_blames_no_camera(supervise, starters, clock, tmp_path):
    crowded = DecoderPlan("decode-0", (("gate",), ("yard",)), "here")
    running = supervise(replace(PLAN, decoders=(crowded,), credits={("decode-0", "analyze-0"): 3}))
    running.start(lambda _: None, threading.Event())
    for thread in ("publish-publish-0", "clips", "publish-publish-0"):
        crash(starters, tmp_path, "decode-0", thread)
        steps(running, clock, 40)
    (tmp_path / "state" / "logs" / "decode-0.fault").unlink()
    for _ in range(3):
        starters.newest("decode-0").failure = dead()
        steps(running, clock, 40)
    assert starters.count("decode-1") == 0


def test_leases_rise_though_the_machines_clock_was_set_back(running, starters, clock):
    before = starters.newest("decode-0").leases["gate"]
    clock.step_wall(-86_400.0)
    starters.newest("decode-0").failure = dead()
    steps(running, clock, 2)
    assert starters.newest("decode-0").leases["gate"] == before + 1


def test_what_a_dead_owner_counted_stays_in_the_sum_and_what_it_held_is_lost(running, starters, clock, tmp_path):
    from operators.frames import Ticket

    owner = starters.newest("decode-0")
    lease = owner.leases["gate"]
    ledger = Ledger(ledger_path(tmp_path / "state", "gate", lease), "gate", lease)
    ledger.enter(Ticket("gate", lease, 0, 1))
    ledger.enter(Ticket("gate", lease, 0, 2))
    ledger.leave(Ticket("gate", lease, 0, 1), "analysed")
    ledger.close()
    owner.failure = dead()
    steps(running, clock, 2)
    total = running.snapshot().total("gate")
    assert (total.analysed, total.in_flight, total.lost) == (1, 0, {"owner_died": 1})


def test_a_hung_actor_is_ended_after_ten_seconds_and_not_before(running, starters, clock):
    hung = starters.newest("decode-1")
    hung.is_hung = True
    steps(running, clock, 10)
    assert (hung.actor, ()) not in starters.did("kill")
    steps(running, clock, 3)
    assert (hung.actor, ()) in starters.did("kill")
    assert starters.count("decode-1") == 2


def test_one_that_does_not_hear_what_it_is_told_keeps_nobody_else_waiting(running, starters, clock):
    starters.newest("decode-0").is_hung = True
    starters.newest("analyze-0").failure = dead()
    steps(running, clock, 2)
    did = [(actor, method) for actor, method, _ in starters.diary]
    assert did.index(("decode-1#3", "replace_analyzers")) < did.index(("decode-0#2", "kill")), "at once"
    assert starters.count("decode-1") == 1


@pytest.mark.parametrize(("name", "method"), [("analyze-0", "replace_analyzers"), ("publish-0", "replace_publishers")])
def test_owners_hear_of_a_replaced_analyzer_or_publisher(running, starters, clock, name, method):
    starters.newest(name).failure = dead()
    steps(running, clock, 2)
    fresh = starters.newest(name).actor
    told = starters.did(method)
    assert [actor for actor, _ in told] == ["decode-0#2", "decode-1#3"]
    assert all(fresh in str(args) for _, args in told)


def test_a_start_that_fails_is_tried_again_after_pauses_that_grow(running, starters, clock):
    def refuse(actor):
        actor.failure = PipelineError("no such camera", code="failed", where=actor.name)

    starters.prepare = refuse
    starters.newest("decode-0").failure = dead()
    counts = []
    for _ in range(60):
        steps(running, clock, 1)
        counts.append(starters.count("decode-0"))
    tries = [second for second, (a, b) in enumerate(pairwise(counts)) if b > a]
    pauses = [b - a for a, b in pairwise(tries)]
    assert len(tries) >= 4
    assert pauses[-1] > pauses[0]
    starters.prepare = lambda _: None
    steps(running, clock, 40)
    assert {each.name: each.state for each in running.snapshot().actors}["decode-0"] == "running"


def test_what_cannot_start_at_first_ends_the_run_with_its_own_reason(supervisor, starters):
    def refuse(actor):
        if actor.name == "publish-0":
            actor.failure = PipelineError("the broker refuses us", code="failed", where=actor.name)

    starters.prepare = refuse
    with pytest.raises(PipelineError, match="the broker refuses us") as caught:
        supervisor.start(lambda _: None, threading.Event())
    assert caught.value.code == "no_start"
    assert starters.did("start") == [], "no camera is opened before there is somebody to publish"


def test_an_actor_that_never_answers_ends_the_start_in_time(supervisor, starters, clock):
    starters.prepare = lambda actor: setattr(actor, "is_hung", True)
    before = clock.monotonic()
    with pytest.raises(PipelineError, match="analyze-0: not ready within 180 s"):
        supervisor.start(lambda _: None, threading.Event())
    assert clock.monotonic() - before < 182


def test_a_stop_while_it_starts_is_heard(supervisor, starters):
    stop = threading.Event()
    stop.set()
    starters.prepare = lambda actor: setattr(actor, "is_hung", True)
    with pytest.raises(PipelineError) as caught:
        supervisor.start(lambda _: None, stop)
    assert caught.value.code == "stopped"


def test_a_drain_asks_every_owner_before_it_closes_the_publisher(running, starters):
    assert running.drain(20.0)
    asked = [(actor, what) for actor, what, _ in starters.diary if what in {"drain", "beat", "close"}]
    assert asked == [
        ("decode-0#2", "drain"),
        ("decode-1#3", "drain"),
        ("decode-0#2", "beat"),
        ("decode-1#3", "beat"),
        ("publish-0#1", "close"),
    ]


@pytest.mark.parametrize("trouble", ["left", "dead"])
def test_a_drain_that_leaves_something_says_so_and_closes_the_publisher_all_the_same(
    running, starters, caplog, trouble
):
    owner = starters.newest("decode-0")
    owner.is_clean, owner.failure = trouble != "left", dead() if trouble == "dead" else None
    with caplog.at_level(logging.WARNING):
        assert not running.drain(20.0)
    assert len(starters.did("close")) == 1
    assert ("the actor is gone" in caplog.text) == (trouble == "dead")


def test_a_drain_without_an_owner_is_not_clean(running, starters, clock):
    starters.prepare = lambda actor: setattr(actor, "is_hung", True)
    starters.newest("decode-0").failure = dead()
    steps(running, clock, 2)
    assert not running.drain(20.0)


def test_a_stop_ends_readers_first_and_publishers_last_and_nothing_starts_again(running, starters, clock):
    running.stop()
    assert starters.did("kill") == [(name, ()) for name in ("decode-0#2", "decode-1#3", "analyze-0#0", "publish-0#1")]
    steps(running, clock, 120)
    assert len(starters.started) == 4


def test_it_is_finished_when_every_camera_has_ended_for_good_and_its_frames_are_settled(running, clock, monkeypatch):
    states = {"gate": "ended", "yard": "live"}
    in_flight = {"gate": 3, "yard": 2}

    def beat(self, method):
        if method != "beat":
            return None
        return [
            CameraSnapshot(camera, lease, states[camera], 0, LedgerSnapshot(camera, lease, in_flight=in_flight[camera]))
            for camera, lease in self.leases.items()
        ]

    monkeypatch.setattr(FakeActor, "_answer", beat)
    steps(running, clock, 1)
    assert not running.is_finished
    states["yard"] = "failed"
    steps(running, clock, 1)
    assert not running.is_finished, "three frames of the file are still with the model"
    in_flight["gate"] = 0
    steps(running, clock, 1)
    assert running.is_finished
