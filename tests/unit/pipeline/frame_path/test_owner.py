"""The owner's threads together: real clock, no server, nothing timed but the limit within which it must happen."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from pipeline.clock import SystemClock
from pipeline.errors import AnalyzeError, ConnectError, PipelineError, PublishError, SourceError, StreamStalled
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.config import GateConfig, SampleConfig
from pipeline.frame_path.owner.ledger import ledger_path, read_ledger
from pipeline.frame_path.owner.owner import FeedPlan, Owner
from pipeline.frame_path.owner.positions import PositionFile
from pipeline.frame_path.owner.reader import Reader
from pipeline.messages import Analysed, Drawing, Gone, PictureWanted, Reused
from pipeline.sources.config import BackoffConfig
from tests.fakes import (
    End,
    FakeAnalyzer,
    FakeClock,
    FakePublisher,
    Fault,
    Hang,
    PublisherState,
    Script,
    Show,
    Silence,
    owned,
)
from tests.fakes import ticket as frame_ticket
from tests.waiting import until

LIMIT_SECONDS = 20.0
FAST = BackoffConfig(first=0.01, max=0.05)
EVERY = SampleConfig(max_age=60.0)


@contextmanager
def running(tmp_path, plans, analyzers, publisher, **rest) -> Iterator[Owner]:
    limits = rest.pop("limits", BatchLimits(max_batch_size=2, analyze_timeout_seconds=5.0))
    owner = Owner(
        "decode-0",
        plans,
        analyzers=analyzers,
        publisher_of=publisher if callable(publisher) else lambda _: publisher,
        clock=SystemClock(),
        state_dir=tmp_path,
        limits=limits,
        **rest,
    )
    owner.start()
    try:
        yield owner
    finally:
        owner.stop(5.0)


def plan(script: Script, **camera) -> FeedPlan:
    camera.setdefault("sample", EVERY)
    rest = {key: camera.pop(key) for key in ("stall_after_seconds", "hung_after_seconds") if key in camera}
    return FeedPlan((owned(script.camera, is_replayable=script.is_replayable, **camera),), script.feed, FAST, **rest)


def test_one_camera_through_everything_in_one_process(tmp_path):
    """Step 0: a scripted feed, the owner, a fake model, a fake publisher."""
    script = Script("archive", [Show(300), End()], is_replayable=True)
    publisher, analyzer = FakePublisher(), FakeAnalyzer()
    with running(tmp_path, [plan(script)], [(analyzer, 2)], publisher) as owner:
        until("the end of the file", lambda: owner.snapshot()[0].state == "ended")
        assert owner.drain(LIMIT_SECONDS)
        (camera,) = owner.snapshot()
    assert publisher.state.ids("archive") == [(0, seq) for seq in range(300)]
    assert publisher.state.violations == []
    assert (camera.ledger.received, camera.ledger.analysed) == (300, 300)
    assert (camera.ledger.in_flight, camera.ledger.unaccounted) == (0, 0)
    assert [each.state for each in publisher.state.states] == ["connecting", "live", "ended"]
    assert read_ledger(ledger_path(tmp_path, "archive", 7)) == camera.ledger
    assert script.committed[-1] == {"archive": "0:299"}


def test_an_owner_goes_on_where_it_is_told_and_tells_how_far_it_came(tmp_path):
    PositionFile(tmp_path / "positions" / "archive.json").save({"archive": "0:3"})  # of long ago, on another machine
    script = Script("archive", [Show(30), End()], is_replayable=True)
    publisher = FakePublisher()
    told = replace(plan(script), resume={"archive": "0:20"})
    with running(tmp_path, [told], [(FakeAnalyzer(), 2)], publisher) as owner:
        until("the end of the file", lambda: owner.snapshot()[0].state == "ended")
        assert owner.drain(LIMIT_SECONDS)
        assert owner.snapshot()[0].settled == "0:29"
    assert script.opened == [{"archive": "0:20"}]
    assert PositionFile(tmp_path / "positions" / "archive.json").load() == {"archive": "0:29"}


def test_an_owner_started_again_goes_on_where_the_sinks_are(tmp_path):
    script = Script("archive", [Show(100), End()], is_replayable=True)
    state = PublisherState()
    stuck = FakePublisher(state)
    stuck.settles, state.settled["archive"] = False, (0, 41)
    with running(tmp_path, [plan(script)], [(FakeAnalyzer(), 2)], stuck) as owner:
        until("all accepted", lambda: state.accepted.get("archive") == (0, 99))
        until("the first unsettled frame committed", lambda: script.committed[-1:] == [{"archive": "0:42"}])
        assert not owner.drain(0.1)
    with running(tmp_path, [plan(script, lease=8)], [(FakeAnalyzer(), 2)], FakePublisher(state)) as owner:
        until("the end of the file", lambda: owner.snapshot()[0].state == "ended")
        assert owner.drain(LIMIT_SECONDS)
        assert owner.snapshot()[0].ledger.analysed == 58
    assert script.opened == [{}, {"archive": "0:42"}]
    assert state.violations == []


def test_a_sink_that_settles_nothing_blocks_the_reader_and_says_so(tmp_path):
    script = Script("archive", [Show(600), End()], is_replayable=True)
    publisher = FakePublisher()
    publisher.settles = False
    with running(tmp_path, [plan(script)], [(FakeAnalyzer(), 2)], publisher) as owner:
        until("blocked", lambda: owner.snapshot()[0].state == "blocked_by_sink")
        assert publisher.state.accepted["archive"] <= (0, 256)
        publisher.settles = True
        until("the end after all", lambda: owner.snapshot()[0].state == "ended")
        assert owner.drain(LIMIT_SECONDS)
    assert len(publisher.state.ids("archive")) == 600
    assert "blocked_by_sink" in [each.state for each in publisher.state.states]


def test_a_slow_model_never_holds_up_a_live_camera_and_the_newest_wins(tmp_path):
    shown = threading.Event()
    script = Script("dock-03", [Show(50), Silence(shown)])
    analyzer, publisher = FakeAnalyzer(), FakePublisher()
    analyzer.may_answer.clear()
    with running(tmp_path, [plan(script)], [(analyzer, 1)], publisher) as owner:
        until("all received while the model stands still", lambda: owner.snapshot()[0].ledger.received == 50)
        analyzer.may_answer.set()
        until("the newest published", lambda: (7, 49) in publisher.state.ids("dock-03"))
        until("nothing in flight", lambda: owner.snapshot()[0].ledger.in_flight == 0)
        ledger = owner.snapshot()[0].ledger
    assert ledger.analysed == 2, ledger
    assert ledger.replaced == 48, ledger
    drops = [each.drops for each in publisher.state.published if isinstance(each, Analysed)]
    assert sum(each.get("replaced", 0) for each in drops) == 48


@pytest.mark.parametrize("code", ["died", "timeout", "failed"])
def test_frames_of_a_failing_analyzer_are_sent_again_elsewhere(tmp_path, code):
    script = Script("archive", [Show(40), End()], is_replayable=True)
    bad = FakeAnalyzer("bad", [AnalyzeError("no", code=code)] * 3)
    good, publisher = FakeAnalyzer("good"), FakePublisher()
    with running(tmp_path, [plan(script)], [(bad, 1), (good, 1)], publisher) as owner:
        until("the end of the file", lambda: owner.snapshot()[0].state == "ended")
        assert owner.drain(LIMIT_SECONDS)
        assert owner.snapshot()[0].ledger.analysed == 40
    assert publisher.state.ids("archive") == [(0, seq) for seq in range(40)]
    assert publisher.state.violations == []


def test_a_frame_that_no_analyzer_survives_is_gone_and_takes_no_other_with_it(tmp_path):
    class Allergic(FakeAnalyzer):
        def analyze(self, items, timeout_seconds):
            if any(item.ticket.seq == 5 for item in items):
                raise AnalyzeError("poison", code="failed")
            return super().analyze(items, timeout_seconds)

    script = Script("archive", [Show(20), End()], is_replayable=True)
    publisher = FakePublisher()
    limits = BatchLimits(max_batch_size=8)
    with running(tmp_path, [plan(script)], [(Allergic(), 1)], publisher, limits=limits) as owner:
        until("the end of the file", lambda: owner.snapshot()[0].state == "ended")
        assert owner.drain(LIMIT_SECONDS)
        ledger = owner.snapshot()[0].ledger
    assert ledger.lost == {"analyze_error": 1}
    assert ledger.analysed == 19
    gone = [each for each in publisher.state.published if isinstance(each, Gone)]
    assert [(each.ticket.seq, each.reason) for each in gone] == [(5, "analyze_error")]


def test_new_analyzers_take_over_what_the_dead_one_had(tmp_path):
    script = Script("archive", [Show(30), End()], is_replayable=True)
    publisher = FakePublisher()
    dead = FakeAnalyzer("analyze-0", [AnalyzeError("gone", code="died")] * 1000)
    with running(tmp_path, [plan(script)], [(dead, 2)], publisher) as owner:
        until("the first call", lambda: bool(dead.calls))
        owner.replace_analyzers([(FakeAnalyzer("analyze-0"), 2)])
        until("the end of the file", lambda: owner.snapshot()[0].state == "ended")
        assert owner.drain(LIMIT_SECONDS)
    assert len(publisher.state.ids("archive")) == 30


def test_a_new_publisher_gets_what_the_dead_one_had_not_settled(tmp_path):
    script = Script("archive", [Show(200), End()], is_replayable=True)
    state = PublisherState()
    first = FakePublisher(state)
    first.settles, state.settled["archive"] = False, (0, 9)
    with running(tmp_path, [plan(script)], [(FakeAnalyzer(), 2)], first) as owner:
        until("all accepted", lambda: state.accepted.get("archive") == (0, 199))
        first.is_dead = True
        known = len(state.published)
        owner.replace_publisher(lambda _: FakePublisher(state))
        assert owner.drain(LIMIT_SECONDS)
        ledger = owner.snapshot()[0].ledger
    again = [each.ticket.seq for each in state.published[known:]]
    assert again == list(range(10, 200))
    assert (ledger.analysed, ledger.unaccounted, ledger.lost) == (200, 0, {})
    assert state.violations == []


def test_a_publisher_that_answers_too_late_is_not_sent_the_same_live_frames_twice(tmp_path):
    script = Script("dock-03", [Show(1), Silence(threading.Event())])
    publisher = FakePublisher()
    publisher.late_faults = [PublishError("late", code="timeout")] * 3
    with running(tmp_path, [plan(script)], [(FakeAnalyzer(), 1)], publisher) as owner:
        until("the frame accepted", lambda: owner.snapshot()[0].ledger.analysed == 1)
        until("ticks go on", lambda: bool(publisher.state.ticks))
    frames = [each for each in publisher.state.published if isinstance(each, Analysed)]
    assert len(frames) == 1
    assert publisher.state.violations == []


def test_live_frames_that_died_with_their_publisher_count_as_lost(tmp_path):
    script = Script("dock-03", [Show(1), Silence(threading.Event())])
    state = PublisherState()
    first = FakePublisher(state)
    first.settles = False
    with running(tmp_path, [plan(script)], [(FakeAnalyzer(), 1)], first) as owner:
        until("the frame accepted", lambda: owner.snapshot()[0].ledger.analysed == 1)
        first.is_dead = True
        second = FakePublisher(state)
        second.settles = False
        owner.replace_publisher(lambda _: second)
        until("counted as lost", lambda: owner.snapshot()[0].ledger.lost == {"publisher_died": 1})
        ledger = owner.snapshot()[0].ledger
    assert (ledger.analysed, ledger.unaccounted) == (0, 0)


def test_a_publisher_that_is_not_there_at_first_holds_up_nothing_but_itself(tmp_path):
    def none_yet(camera):
        raise KeyError(camera)

    script = Script("archive", [Show(5), End()], is_replayable=True)
    publisher = FakePublisher()
    with running(tmp_path, [plan(script)], [(FakeAnalyzer(), 1)], none_yet) as owner:
        owner.replace_publisher(lambda _: publisher)
        until("the end of the file", lambda: owner.snapshot()[0].state == "ended")
        assert owner.drain(LIMIT_SECONDS)
    assert len(publisher.state.ids("archive")) == 5


def test_a_fenced_camera_stops_alone_and_commits_nothing(tmp_path):
    more = threading.Event()
    fenced = Script("archive", [Show(3), Silence(more), Show(3), End()], is_replayable=True)
    other = Script("yard-01", [Show(3), Silence(more), Show(3), Silence(threading.Event())])
    publisher = FakePublisher()
    with running(tmp_path, [plan(fenced), plan(other)], [(FakeAnalyzer(), 1)], publisher) as owner:
        until("a start", lambda: publisher.state.accepted.get("archive") == (0, 2))
        until("a commit", lambda: bool(fenced.committed))
        publisher.state.leases["archive"] = 99
        committed = len(fenced.committed)
        until("fenced", lambda: {each.camera: each.state for each in owner.snapshot()}["archive"] == "failed")
        more.set()
        until("the other camera goes on", lambda: publisher.state.accepted.get("yard-01", (0, 0)) == (7, 5))
    assert publisher.state.accepted["archive"] == (0, 2)
    assert len(fenced.committed) == committed


def test_a_camera_that_is_down_at_first_comes_later_and_blocks_nobody(tmp_path):
    down = Script("dock-03", [Show(2), Silence(threading.Event())])
    down.refusals = [ConnectError("no route", code="refused")] * 4
    fine = Script("yard-01", [Show(2), Silence(threading.Event())])
    publisher = FakePublisher()
    with running(tmp_path, [plan(down), plan(fine)], [(FakeAnalyzer(), 1)], publisher) as owner:
        until("both live", lambda: all(each.state == "live" for each in owner.snapshot()))
    mine = [(each.state, each.code) for each in publisher.state.states if each.camera == "dock-03"]
    assert mine[:3] == [("connecting", ""), ("backoff", "refused"), ("connecting", "")]
    assert mine[-1] == ("live", "")
    assert len(down.opened) == 5


def test_a_stream_that_breaks_is_opened_again_and_the_numbers_go_on(tmp_path):
    script = Script(
        "dock-03", [Show(3), Fault(ConnectError("reset", code="ended")), Show(3), Silence(threading.Event())]
    )
    publisher = FakePublisher()
    with running(tmp_path, [plan(script)], [(FakeAnalyzer(), 1)], publisher) as owner:
        until("both parts", lambda: owner.snapshot()[0].ledger.received == 6)
        until("the last frame", lambda: (7, 5) in publisher.state.ids("dock-03"))
    assert publisher.state.violations == []


def test_a_fault_in_a_source_is_a_state_of_its_camera_and_tells_no_secret(tmp_path):
    faults = [Fault(kind("cannot read rtsp://me:hunter2@cam/1")) for kind in (RuntimeError, ConnectError)]
    script = Script("dock-03", [Show(1), faults[0], Show(1), faults[1], Show(1), Silence(threading.Event())])
    publisher = FakePublisher()
    with running(tmp_path, [plan(script)], [(FakeAnalyzer(), 1)], publisher) as owner:
        until("it goes on", lambda: owner.snapshot()[0].ledger.received == 3)
        until("and is published", lambda: (7, 2) in publisher.state.ids("dock-03"))
    assert [each.code for each in publisher.state.states if each.state == "backoff"] == ["internal", "error"]
    assert "hunter2" not in repr(publisher.state.states)


def test_an_error_that_trying_again_cannot_help_ends_the_camera(tmp_path):
    error = SourceError("no such format", code="unsupported")
    error.is_transient = False
    script = Script("dock-03", [Fault(error)])
    with running(tmp_path, [plan(script)], [(FakeAnalyzer(), 1)], FakePublisher()) as owner:
        until("failed", lambda: owner.snapshot()[0].state == "failed")
    assert len(script.opened) == 1


def test_a_failed_camera_stays_failed_says_so_once_and_stops_no_other(tmp_path):
    error = SourceError("no video", code="unsupported")
    error.is_transient = False
    bad, good = Script("bad", [Fault(error)], is_replayable=True), Script("good", [Show(40), End()], is_replayable=True)
    publisher = FakePublisher()
    plans = [plan(bad, hung_after_seconds=0.5), plan(good)]
    with running(tmp_path, plans, [(FakeAnalyzer(), 1)], publisher) as owner:
        until("one failed, one through", lambda: [each.state for each in owner.snapshot()] == ["failed", "ended"])
        reader = owner._feeds.readers["bad"]
        until("its reader is done", lambda: reader.join(0.0))
        reader.watch._clock = later = FakeClock()
        later.advance(1e9)
        assert not reader.watch.is_hung
        assert owner.drain(LIMIT_SECONDS)
        ledgers = [each.ledger for each in owner.snapshot()]
    assert len(bad.opened) == 1
    told = [(each.state, each.code) for each in publisher.state.states if each.camera == "bad"]
    assert told == [("connecting", ""), ("failed", "unsupported")]
    assert [(each.in_flight, each.unaccounted) for each in ledgers] == [(0, 0), (0, 0)]
    assert ledgers[1].analysed == 40


def test_a_password_that_is_wrong_again_waits_longest(tmp_path):
    class Pauses(FakeClock):
        def wait(self, event, seconds):
            asked.append(seconds)
            self.advance(seconds)
            return event.is_set()

    asked: list[float] = []
    script = Script("archive", [Show(1), End()], is_replayable=True)
    script.refusals = [ConnectError("no", code=code) for code in ("unauthorized", "unauthorized", "unauthorized")]
    camera, clock = owned("archive", is_replayable=True, sample=EVERY), Pauses()
    flow = CameraFlow(camera, tmp_path, clock)
    flow.attached.set()
    whole = FeedPlan((camera,), script.feed, BackoffConfig(first=1.0, max=60.0))
    reader = Reader(whole, {"archive": flow}, threading.Condition(), clock, resume={}, on_news=lambda: None)
    reader.start()
    until("it gets in at last", lambda: flow.status.state == "ended")
    reader.release()
    assert reader.join(LIMIT_SECONDS)
    pauses = [each for each in asked if each > 0.6]
    assert pauses[0] < 2.0
    assert [48.0 <= each <= 72.0 for each in pauses[1:]] == [True, True]


def test_silence_on_an_open_connection_is_a_stall_and_ends_in_a_new_connection(tmp_path):
    back = threading.Event()
    script = Script("dock-03", [Show(5), Silence(back), Show(5), Silence(threading.Event())], fps=50.0)
    publisher = FakePublisher()
    with running(tmp_path, [plan(script, stall_after_seconds=0.3)], [(FakeAnalyzer(), 1)], publisher) as owner:
        until("stalled", lambda: "stalled" in [each.state for each in publisher.state.states])
        until("opened again", lambda: len(script.opened) >= 2)
        back.set()
        until("frames again", lambda: owner.snapshot()[0].ledger.received == 10)
    assert [each.state for each in publisher.state.states][:3] == ["connecting", "live", "stalled"]


def test_a_source_that_says_that_it_stalled_is_opened_again_at_once(tmp_path):
    stall = Fault(StreamStalled("no packet", code="timeout"))
    script = Script("dock-03", [Show(2), stall, Show(2), Silence(threading.Event())])
    publisher = FakePublisher()
    with running(tmp_path, [plan(script)], [(FakeAnalyzer(), 1)], publisher) as owner:
        until("frames again", lambda: owner.snapshot()[0].ledger.received == 4)
        until("and published", lambda: (7, 3) in publisher.state.ids("dock-03"))
    states = [each.state for each in publisher.state.states]
    assert states == ["connecting", "live", "stalled", "connecting", "live"]


def test_a_feed_of_several_cameras_is_one_reader_and_each_camera_keeps_its_own_order(tmp_path):
    scripts = [Script(camera, [Show(40), End()], is_replayable=True) for camera in ("a", "b")]

    class Both:
        """Frames of two cameras by turns, as of one topic."""

        is_replayable = True
        cameras = ("a", "b")

        def __init__(self):
            self.feeds = [script.feed() for script in scripts]

        def open(self, resume):
            infos = [feed.open(resume) for feed in self.feeds]
            return infos[0]

        def events(self, stop):
            for pair in zip(*(feed.events(stop) for feed in self.feeds), strict=True):
                yield from pair

        def commit(self, positions):
            scripts[0].committed.append(positions)

        def close(self):
            pass

    publisher = FakePublisher()
    cameras = tuple(owned(script.camera, is_replayable=True, sample=EVERY) for script in scripts)
    with running(tmp_path, [FeedPlan(cameras, Both, FAST)], [(FakeAnalyzer(), 2)], publisher) as owner:
        until("the end of both", lambda: all(each.state == "ended" for each in owner.snapshot()))
        assert owner.drain(LIMIT_SECONDS)
    for camera in ("a", "b"):
        assert publisher.state.ids(camera) == [(0, seq) for seq in range(40)]
    assert {camera for each in scripts[0].committed for camera in each} == {"a", "b"}


def test_a_reader_that_hangs_is_left_behind_and_replaced(tmp_path):
    release = threading.Event()
    script = Script("dock-03", [Show(2), Hang(release), Show(2), Silence(threading.Event())])
    publisher = FakePublisher()
    try:
        with running(tmp_path, [plan(script, hung_after_seconds=0.4)], [(FakeAnalyzer(), 1)], publisher) as owner:
            until("a second reader", lambda: len(script.opened) >= 2)
            owner.beat()
            until("said so", lambda: "hung" in [each.code for each in publisher.state.states])
            with pytest.raises(PipelineError, match="readers hang"):
                until("two hanging readers ask for a new process", lambda: owner.beat() is not None)
            release.set()
    finally:
        release.set()


def test_an_owner_that_nobody_reaches_stops_reading(tmp_path):
    script = Script("dock-03", [Show(1), Silence(threading.Event())])
    with running(tmp_path, [plan(script)], [(FakeAnalyzer(), 1)], FakePublisher(), unreached_seconds=0.3) as owner:
        until("stopped", lambda: owner.snapshot()[0].state == "failed")
        with pytest.raises(PipelineError, match="not heard"):
            owner.beat()


def test_unchanged_pictures_skip_the_model_in_order_unless_a_rule_is_armed(tmp_path):
    armed = threading.Event()
    script = Script("dock-03", [Show(1, 10), Show(5, 10), Silence(armed), Show(5, 10), Silence(threading.Event())])
    analyzer, publisher = FakeAnalyzer(), FakePublisher()
    sample = SampleConfig(max_age=60.0, gate=GateConfig(refresh=3600.0))
    with running(tmp_path, [plan(script, sample=sample)], [(analyzer, 1)], publisher) as owner:
        until("five unchanged", lambda: owner.snapshot()[0].ledger.gated == 5)
        publisher.armed.add("dock-03")
        before = len(publisher.state.ticks)
        until("the owner hears that a rule is armed", lambda: len(publisher.state.ticks) > before)
        armed.set()
        until("all received", lambda: owner.snapshot()[0].ledger.received == 11)
        until("all done", lambda: owner.snapshot()[0].ledger.in_flight == 0)
        ledger = owner.snapshot()[0].ledger
    assert (ledger.gated, ledger.unaccounted) == (5, 0)
    assert ledger.analysed >= 2
    first, *reused = [each for each in publisher.state.published if isinstance(each, (Analysed, Reused))][:6]
    assert all(isinstance(each, Reused) and each.of == first.ticket for each in reused)
    assert publisher.state.violations == []


def test_the_picture_that_a_rule_asks_for_is_drawn_and_sent(tmp_path):
    script = Script("dock-03", [Show(1, 200), Silence(threading.Event())])
    publisher = FakePublisher()

    drawing = Drawing("forklift 2.9 m", boxes=((0.2, 0.2, 0.6, 0.6),))
    publisher.wanted["dock-03"] = [PictureWanted("dock-03/rule/1/start", frame_ticket(0), drawing)]
    camera = plan(script, wants_evidence=True)

    class AfterTheFrame(FakePublisher):
        def publish(self, delivery):
            if not any(isinstance(each, Analysed) for each in delivery.entries) and not self.state.published:
                wanted, self.wanted = self.wanted, {}
                try:
                    return super().publish(delivery)
                finally:
                    self.wanted = wanted
            return super().publish(delivery)

    picky = AfterTheFrame(publisher.state)
    picky.wanted = publisher.wanted
    with running(tmp_path, [camera], [(FakeAnalyzer(), 1)], picky):
        until("the picture", lambda: bool(publisher.state.pictures))
    (picture,) = publisher.state.pictures
    assert (picture.event_id, picture.ticket) == ("dock-03/rule/1/start", frame_ticket(0))
    assert picture.jpeg[:3] == b"\xff\xd8\xff"


def test_a_camera_whose_pipeline_is_stopped_says_so_and_never_stays_live(tmp_path):
    script = Script("cam", [Show(3), Silence(threading.Event())])
    publisher = FakePublisher()
    with running(tmp_path, [plan(script)], [(FakeAnalyzer(), 1)], publisher) as owner:
        until("a result", lambda: owner.snapshot()[0].ledger.analysed > 0)
        assert owner.drain(LIMIT_SECONDS)
    last = publisher.state.states[-1]
    assert (last.state, last.code) == ("ended", "stopped")


def test_a_credit_thread_that_crashes_is_a_fault_that_the_supervisor_hears(tmp_path, monkeypatch):
    script = Script("cam", [Show(3), Silence(threading.Event())])
    monkeypatch.setattr(threading, "excepthook", lambda _: None)  # the crash is meant
    with running(tmp_path, [plan(script)], [(FakeAnalyzer(), 1)], FakePublisher()) as owner:
        owner.beat()

        def crash(_seat):
            raise RuntimeError("a bug of ours")

        owner._dispatch._next = crash
        owner._dispatch._guard.acquire()
        owner._dispatch._guard.notify_all()
        owner._dispatch._guard.release()

        def is_told() -> bool:
            try:
                owner.beat()
            except PipelineError as error:
                return error.code == "fault" and "credit-analyze-0-0" in error.message
            return False

        until("the fault", is_told)
