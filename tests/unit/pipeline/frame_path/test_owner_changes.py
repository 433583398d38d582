"""Feeds come and go and cameras change at an owner that goes on; the last test with the real publisher."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from pipeline.clock import SystemClock
from pipeline.errors import AnalyzeError, PublishError
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.config import SampleConfig
from pipeline.frame_path.owner.ledger import ledger_path, read_ledger
from pipeline.frame_path.owner.publish_lane import PublishLane
from tests.fakes import End, FakeAnalyzer, FakePublisher, Hang, Script, Show, Silence, owned
from tests.fakes_publisher import CAMERA, HandSink, body, camera, ids, publisher
from tests.unit.pipeline.frame_path.test_owner import EVERY, LIMIT_SECONDS, plan, running
from tests.waiting import until

NEVER = threading.Event()
MASK = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


def live(name: str, *steps) -> Script:
    return Script(name, [*steps, Silence(NEVER)])


def leases(owner) -> dict[str, int]:
    return {each.camera: each.lease for each in owner.snapshot()}


def test_other_cameras_lose_no_frame_and_keep_lease_and_connection_while_feeds_come_and_go(tmp_path):
    long = Script("long", [Show(1500), End()], is_replayable=True)
    fake = FakePublisher()
    with running(tmp_path, [plan(long), plan(live("first", Show(3)))], [(FakeAnalyzer(), 2)], fake) as owner:
        until("the long one runs", lambda: len(fake.state.ids("long")) > 50)
        owner.add_feed(plan(live("added", Show(5))), lambda _: fake)
        (ledger,) = owner.remove_feeds(["first"], LIMIT_SECONDS)
        assert (ledger.camera, ledger.analysed + ledger.replaced, ledger.in_flight, ledger.unaccounted) == (
            "first",
            3,
            0,
            0,
        )
        assert read_ledger(ledger_path(tmp_path, "first", 7)) == ledger
        for n in range(8, 12):
            owner.add_feed(plan(live("first", Show(1)), lease=n), lambda _: fake)
            until("read again", lambda n=n: (n, 0) in fake.state.ids("first"))
            owner.remove_feeds(["first"], LIMIT_SECONDS)
        owner.change([owned("long", is_replayable=True, sample=EVERY, wants_evidence=True)])
        assert set(leases(owner)) == {"long", "added"}
        until("the end of the long one", lambda: owner.snapshot()[0].state == "ended")
        assert owner.drain(LIMIT_SECONDS)
        assert leases(owner) == {"long": 7, "added": 7}
        owner.beat()
    assert fake.state.ids("long") == [(0, seq) for seq in range(1500)]
    assert len(long.opened) == 1
    assert fake.state.violations == []
    assert "added" in {each.ticket.camera for each in fake.state.published}


def test_what_is_in_flight_of_a_removed_camera_is_still_published(tmp_path):
    analyzer, fake = FakeAnalyzer(), FakePublisher()
    analyzer.may_answer.clear()
    script = Script("archive", [Show(12), Silence(NEVER)], is_replayable=True)
    with running(tmp_path, [plan(script)], [(analyzer, 2)], fake) as owner:
        until("frames in flight", lambda: owner.snapshot()[0].ledger.in_flight == 12)

        class Waiting(SystemClock):
            """The model answers once somebody waits for what is in flight."""

            def wait(self, event, seconds):
                if event is owner._moved:
                    analyzer.may_answer.set()
                return super().wait(event, seconds)

        owner._clock = Waiting()
        found = owner.remove_feeds(["archive"], LIMIT_SECONDS)
        assert owner.snapshot() == []
    assert (found[0].analysed, found[0].lost) == (12, {})
    assert fake.state.ids("archive") == [(0, seq) for seq in range(12)]
    assert script.committed[-1] == {"archive": "0:11"}


def test_a_camera_that_cannot_settle_is_let_go_in_time_counted_and_what_comes_late_is_ignored(tmp_path):
    slow, fake = FakeAnalyzer(), FakePublisher()
    slow.may_answer.clear()
    with running(tmp_path, [plan(live("gone", Show(1))), plan(live("stays"))], [(slow, 2)], fake) as owner:
        until("one in flight", lambda: owner._dispatch._flows["gone"].book.num_pending == 1)
        (ledger,) = owner.remove_feeds(["gone"], 0.2)
        assert (ledger.lost, ledger.in_flight, ledger.unaccounted) == ({"drained": 1}, 0, 0)
        owner.add_feed(plan(live("gone", Show(1)), lease=8), lambda _: fake)
        slow.may_answer.set()
        until("goes on under a new lease", lambda: (8, 0) in fake.state.ids("gone"))
        assert owner.remove_feeds(["unknown"], 1.0) == []
        owner.beat()
    assert (7, 0) not in fake.state.ids("gone")


def test_a_failed_call_for_a_removed_camera_is_not_tried_again(tmp_path):
    analyzer, fake = FakeAnalyzer(faults=[ValueError("no")]), FakePublisher()
    analyzer.may_answer.clear()
    with running(tmp_path, [plan(live("gone", Show(1))), plan(live("stays"))], [(analyzer, 1)], fake) as owner:
        until("one in flight", lambda: owner._dispatch._flows["gone"].book.num_pending == 1)
        owner.remove_feeds(["gone"], 0.1)
        owner.add_feed(plan(live("gone", Show(1)), lease=8), lambda _: fake)
        analyzer.may_answer.set()
        until("the thread of the credit lives", lambda: fake.state.ids("gone") == [(8, 0)])
        owner.beat()
    assert [(each.camera, each.lease) for call in analyzer.calls for each in call] == [("gone", 7), ("gone", 8)]


def test_a_frame_that_waits_for_another_analyzer_is_forgotten_with_its_camera(tmp_path):
    analyzer, fake = FakeAnalyzer(faults=[AnalyzeError("gone", code="died")]), FakePublisher()
    with running(tmp_path, [plan(live("gone", Show(1)))], [(analyzer, 1)], fake) as owner:
        until("it waits", lambda: owner._dispatch._again)
        (ledger,) = owner.remove_feeds(["gone"], 0.1)
        with owner._guard:
            owner._dispatch.expire()
        assert ledger.lost == {"drained": 1}


def test_a_file_that_is_opened_anew_goes_on_where_it_was(tmp_path):
    go = threading.Event()
    script = Script("archive", [Show(20), Silence(go), Show(20), End()], is_replayable=True)
    fake = FakePublisher()
    with running(tmp_path, [plan(script)], [(FakeAnalyzer(), 2)], fake) as owner:
        until("the first part", lambda: len(fake.state.ids("archive")) == 20)
        owner.remove_feeds(["archive"], LIMIT_SECONDS)
        go.set()
        owner.add_feed(plan(script, lease=8), lambda _: fake)
        until("the end", lambda: owner.snapshot()[0].state == "ended")
        assert owner.drain(LIMIT_SECONDS)
        assert leases(owner) == {"archive": 8}
    assert script.opened == [{}, {"archive": "0:19"}]
    assert fake.state.ids("archive") == [(0, seq) for seq in range(40)]
    assert fake.attachments == [("archive", 7), ("archive", 8)]
    assert fake.state.violations == []


def test_a_camera_changes_in_place(tmp_path):
    go = threading.Event()
    script = Script("archive", [Show(20, grey=200), Silence(go), Show(21, grey=200), End()], is_replayable=True)
    fake, analyzer = FakePublisher(), FakeAnalyzer()
    with running(tmp_path, [plan(script)], [(analyzer, 1)], fake) as owner:
        until("the first part", lambda: len(fake.state.ids("archive")) == 20)
        thin = SampleConfig(fps=5.0, policy="every_frame")
        owner.change(
            [
                owned("archive", lease=99, is_replayable=True, sample=thin, privacy=(MASK,), wants_evidence=True),
                owned("elsewhere"),
            ]
        )
        assert owner._feeds.flows["archive"].owned.lease == 7
        go.set()
        until("the end", lambda: owner.snapshot()[0].state == "ended")
        assert owner.drain(LIMIT_SECONDS)
        (seen,) = owner.snapshot()
    assert (seen.lease, seen.ledger.sampled_out, seen.ledger.analysed) == (7, 10, 31)
    assert len(script.opened) == 1
    before, after = analyzer.items[:20], analyzer.items[20:]
    assert {(int(each.pixels.max()), each.wants_preview) for each in before} == {(200, False)}
    assert {(int(each.pixels.max()), each.wants_preview) for each in after} == {(0, True)}


def test_a_reader_that_hangs_is_left_behind_when_its_camera_is_removed_and_not_replaced(tmp_path):
    release = threading.Event()
    script = Script("hung", [Show(1), Hang(release), Silence(NEVER)])
    fake = FakePublisher()
    try:
        with running(tmp_path, [plan(script, hung_after_seconds=0.3)], [(FakeAnalyzer(), 1)], fake) as owner:
            until("one frame", lambda: fake.state.ids("hung") == [(7, 0)])
            owner.remove_feeds(["hung"], 1.0)
            owner.add_feed(plan(live("next", Show(1))), lambda _: fake)
            until("another camera goes on", lambda: fake.state.ids("next") == [(7, 0)])
            owner.beat()
        assert len(script.opened) == 1
    finally:
        release.set()


def test_a_camera_that_its_publisher_refuses_forever_can_be_removed_and_come_back(tmp_path):
    fake = FakePublisher()
    fake.faults = [PublishError("always", code="failed")] * 10_000
    with running(tmp_path, [plan(live("bad", Show(1)))], [(FakeAnalyzer(), 1)], fake) as owner:
        (lane,) = owner._lanes._all()
        until("it is refused", lambda: "bad" in lane._refusals._doubts)
        owner.remove_feeds(["bad"], 0.3)
        assert lane._refusals._doubts == {}
        fake.faults.clear()
        owner.add_feed(plan(live("bad", Show(1)), lease=8), lambda _: fake)
        until("no doubt is left", lambda: (8, 0) in fake.state.ids("bad"))


def test_a_camera_that_is_read_already_is_not_read_twice(tmp_path):
    nobody_reads = pytest.raises(ValueError, match="expected cameras that nobody reads, got a")
    with running(tmp_path, [plan(live("a"))], [], FakePublisher()) as owner, nobody_reads:
        owner.add_feed(plan(live("a")), lambda _: FakePublisher())


def test_what_has_not_begun_yet_has_not_crashed(tmp_path):
    """The pulse looks at any time, also between the making of a reader or a lane and its start."""
    fake = FakePublisher(name="publish-9")
    with running(tmp_path, [plan(live("a"))], [(FakeAnalyzer(), 1)], FakePublisher()) as owner:
        reader = owner._feeds.add(plan(live("b")))
        lane = PublishLane(fake, owner._guard, SystemClock(), lambda _: None)
        assert (reader.has_crashed, lane.has_crashed) == (False, False)
        reader.start()
        reader.stop()
        reader.release()
        assert reader.join(LIMIT_SECONDS)
        assert reader.has_crashed is False


class PromptSink(HandSink):
    """Acknowledges at once."""

    def put(self, messages):
        refused = super().put(messages)
        self.settle()
        return refused


def test_of_several_cameras_one_is_edited_one_added_one_removed_and_the_others_do_not_notice(tmp_path):
    """Owner and publisher as they run, in one process."""
    names = [CAMERA, "edited", "gone"]
    scripts = {name: Script(name, [Show(600), End()], is_replayable=True) for name in (*names, "added")}
    published = {name: camera(name, is_replayable=True) for name in scripts}
    sink = PromptSink()
    made = publisher(tmp_path, [published[name] for name in names], [sink])

    class Handle:
        """The publisher as an owner holds it."""

        name, attach, publish = "publish-0", made.attach, made.publish

    handle = Handle()
    with running(tmp_path, [plan(scripts[name]) for name in names], [(FakeAnalyzer(), 2)], lambda _: handle) as owner:
        until("all run", lambda: sum(each.kind == "result" for each in list(sink.seen)) > 60)
        spec = replace(published["edited"].spec, labels={"line": "inbound"})
        edited = replace(published["edited"], spec=spec)
        stays = [published[CAMERA], edited]
        made.change([*stays, published["gone"], published["added"]])
        owner.add_feed(plan(scripts["added"], lease=9), lambda _: handle)
        owner.change([replace(owned("edited", is_replayable=True, sample=EVERY), spec=spec)])
        owner.remove_feeds(["gone"], LIMIT_SECONDS)
        made.change([*stays, published["added"]])
        until("the end of all", lambda: {each.state for each in owner.snapshot()} == {"ended"})
        assert owner.drain(LIMIT_SECONDS)
        assert leases(owner) == {CAMERA: 7, "edited": 7, "added": 9}
    made.close(1.0)
    for name in (CAMERA, "edited", "added"):
        results = [each for each in ids(sink.seen, "result") if each.startswith(f"{name}/")]
        assert results == [f"{name}/0/{seq}/result" for seq in range(600)], name
        assert len(scripts[name].opened) == 1
    gone = [each for each in ids(sink.seen, "result") if each.startswith("gone/")]
    assert gone == [f"gone/0/{seq}/result" for seq in range(len(gone))]
    told = [body(each) for each in sink.seen if each.kind == "status" and each.camera == "gone"]
    assert (told[-1]["state"], told[-1]["code"]) == ("ended", "removed")
    assert made.snapshot().fenced == 0


def test_calls_under_way_at_once_follow_the_credits_of_now(tmp_path):
    """An owner whose cameras come and go gets more credits at the same analyzers, or fewer."""
    script = Script("archive", [Show(40), End()], is_replayable=True)
    analyzer, fake = FakeAnalyzer(), FakePublisher()
    analyzer.may_answer.clear()
    limits = BatchLimits(max_batch_size=1, analyze_timeout_seconds=LIMIT_SECONDS)
    with running(tmp_path, [plan(script)], [(analyzer, 1)], fake, limits=limits) as owner:

        def threads():
            return sorted(each.name for each in threading.enumerate() if each.name.startswith("credit-analyze-0"))

        owner.replace_analyzers([(analyzer, 3)])
        assert threads() == [f"credit-analyze-0-{n}" for n in range(3)]
        owner.replace_analyzers([(analyzer, 1)])
        analyzer.may_answer.set()
        until("those beyond the credits have ended", lambda: len(threads()) == 1)
        until("the end", lambda: owner.snapshot()[0].state == "ended")
        assert owner.drain(LIMIT_SECONDS)
        owner.beat()
    assert fake.state.ids("archive") == [(0, seq) for seq in range(40)]
