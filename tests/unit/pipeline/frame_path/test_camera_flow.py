import numpy as np
import pytest

from operators.frames import Ticket
from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.camera_state import CameraStatus, RuleClock
from pipeline.frame_path.owner.config import SampleConfig
from pipeline.frame_path.owner.full_size import FullSize, FullSizePictures
from pipeline.frame_path.owner.mailbox import Frame
from pipeline.frame_path.owner.positions import PositionFile, ResumeLine
from pipeline.frame_path.owner.versions import Versions
from pipeline.messages import (
    Analysed,
    ArtefactVersion,
    Attachment,
    CameraReceipt,
    Reused,
    Status,
    Tick,
)
from pipeline.sources.base import Decoded
from tests.fakes import SHAPE, FakeClock, PlainPicture, analysis_of, owned, placement, ticket

NS = 10**9


@pytest.fixture
def clock():
    return FakeClock()


def attachment(camera="dock-03", lease=7, **rest) -> Attachment:
    values = {"refused": None, "last_position": None, "settled_upto": (), "last_rule_time_ns": 0, "artefacts": ()}
    return Attachment(camera=camera, lease=lease, **(values | {"is_armed": False} | rest))


def receipt(accepted=None, settled=None, **rest) -> CameraReceipt:
    return CameraReceipt(rest.pop("camera", "dock-03"), accepted, (settled,) if settled else (), **rest)


def flow_of(tmp_path, clock, *, attach=True, **camera) -> CameraFlow:
    flow = CameraFlow(owned(**camera), tmp_path, clock)
    if attach:
        flow.attach(attachment(flow.camera), is_new_publisher=False)
        assert isinstance(flow.send(10**6)[0], Status)
        flow.accept(receipt(camera=flow.camera))
    return flow


def decoded(camera="dock-03", **rest) -> Decoded:
    values = {"epoch": None, "seq": None, "pts_ns": None, "rule_time_ns": None, "capture_ns": None}
    return Decoded(camera, PlainPicture(), **(values | rest), capture_clock="arrival", capture_uncertainty_ns=0)


def admit(flow, clock, resume=None, **rest) -> Ticket:
    named, times = flow.stamp(decoded(flow.camera, **rest))
    pixels = np.zeros((*SHAPE, 3), np.uint8)
    flow.admit(Frame(named, times, placement(), pixels, admitted_at=clock.monotonic()), resume)
    return named


def analyse(flow) -> Ticket:
    item, _ = flow.take()
    flow.book.resolve(analysis_of(item))
    return item.ticket


# --- time and order -------------------------------------------------------------------------------------------------


def test_rule_time_goes_on_from_the_last_owner_and_no_step_of_the_wall_clock_moves_it(clock):
    rule = RuleClock(clock, not_below_ns=clock.wall_ns() + 5 * NS)
    first = rule.now_ns()
    assert first == clock.wall_ns() + 5 * NS
    clock.step_wall(-3600)
    clock.advance(1.0)
    assert rule.now_ns() - first == NS
    assert rule.now_ns() > first + NS, "two frames never share a time"


def test_a_live_camera_numbers_its_frames_by_lease_and_a_file_keeps_its_own(tmp_path, clock):
    live = flow_of(tmp_path, clock)
    assert [admit(live, clock).position for _ in range(3)] == [(7, 0), (7, 1), (7, 2)]
    file = flow_of(tmp_path, clock, camera="archive", is_replayable=True)
    assert admit(file, clock, epoch=2, seq=40, rule_time_ns=5).position == (2, 40)


def test_a_file_that_comes_back_to_a_frame_in_our_hands_is_not_counted_again(tmp_path, clock):
    flow = flow_of(tmp_path, clock, camera="archive", is_replayable=True)
    known = admit(flow, clock, epoch=0, seq=3, rule_time_ns=5)
    assert flow.is_repeated(known)
    assert not flow.is_repeated(Ticket("archive", 7, 0, 4))
    assert not flow.is_repeated(Ticket("archive", 7, 1, 0)), "the next round"


def test_ticks_pass_the_time_while_nothing_comes_and_never_overtake_a_frame(tmp_path, clock):
    flow = flow_of(tmp_path, clock)
    assert flow.send(10**6) == []
    clock.advance(0.25)
    (tick,) = flow.send(10**6)
    assert isinstance(tick, Tick)
    flow.accept(receipt())
    clock.advance(0.25)
    named, times = flow.stamp(decoded())
    assert times.rule_time_ns > tick.rule_time_ns
    clock.advance(0.25)
    assert flow.send(10**6) == [], "the reader looks at a frame"
    flow.admit(Frame(named, times, placement(), np.zeros((*SHAPE, 3), np.uint8), admitted_at=clock.monotonic()), None)
    clock.advance(0.25)
    assert flow.send(10**6) == [], "a frame is in flight"
    analyse(flow)
    (entry,) = flow.send(10**6)
    assert isinstance(entry, Analysed)
    flow.accept(receipt((7, 0), (7, 0)))
    clock.advance(0.25)
    (tick,) = flow.send(10**6)
    assert isinstance(tick, Tick)
    assert tick.rule_time_ns > times.rule_time_ns


def test_a_files_time_stands_still_while_it_waits(tmp_path, clock):
    flow = flow_of(tmp_path, clock, camera="archive", is_replayable=True)
    clock.advance(0.25)
    assert flow.send(10**6) == [], "no time is known yet"
    admit(flow, clock, epoch=0, seq=0, rule_time_ns=123)
    analyse(flow)
    flow.send(10**6)
    flow.accept(receipt((0, 0), None, camera="archive"))
    clock.advance(60.0)
    (tick,) = flow.send(10**6)
    assert (tick.rule_time_ns, tick.state) == (123, "connecting")


def test_an_ended_camera_ticks_only_until_all_is_settled(tmp_path, clock):
    flow = flow_of(tmp_path, clock, camera="archive", is_replayable=True)
    admit(flow, clock, epoch=0, seq=0, rule_time_ns=123)
    analyse(flow)
    flow.change("ended")
    flow.send(10**6)
    flow.accept(receipt((0, 0), None, camera="archive"))
    clock.advance(0.25)
    assert len(flow.send(10**6)) == 1
    flow.accept(receipt((0, 0), (0, 0), camera="archive"))
    clock.advance(0.25)
    assert flow.send(10**6) == []


# --- the window of a lost publisher ---------------------------------------------------------------------------------


def test_while_the_publisher_is_lost_no_more_than_a_window_is_analysed(tmp_path, clock):
    flow = flow_of(tmp_path, clock, sample=SampleConfig(max_age=1000.0))
    num_analysed = 0
    for _ in range(100):
        admit(flow, clock)
        if flow.candidate(clock.monotonic()) is not None:
            analyse(flow)
            num_analysed += 1
    assert num_analysed == 32
    ledger = flow.book.ledger.snapshot()
    assert (ledger.in_flight, ledger.replaced, ledger.unaccounted) == (33, 67, 0)


def test_states_that_wait_for_a_lost_publisher_are_bounded_and_the_newest_stays(tmp_path, clock):
    flow = flow_of(tmp_path, clock)
    for n in range(100):
        flow.change("backoff", code="refused", reason=f"try {n}")
    entries = flow.send(10**6)
    assert len(entries) == 32
    assert entries[-1].reason == "try 99"


def test_a_state_is_news_once(clock):
    status = CameraStatus("dock-03", 7, clock)
    assert status.change("live") is not None
    assert status.change("live") is None
    since = status.since_ns
    clock.advance(5)
    assert status.change("live", reason="other").since_ns == since
    assert status.change("stalled").since_ns == since + 5 * NS


# --- wishes ---------------------------------------------------------------------------------------------------------


def test_one_view_sample_is_asked_of_the_model_for_each_wish(tmp_path, clock):
    flow = flow_of(tmp_path, clock)
    admit(flow, clock)
    first, _ = flow.take()
    assert not first.wants_view_sample
    flow.book.resolve(analysis_of(first))
    flow.send(10**6)
    flow.accept(receipt((7, 0), (7, 0), view_sample_wanted=True))
    assert flow.reference is None, "an unchanged picture would bring none"
    admit(flow, clock)
    second, _ = flow.take()
    admit(flow, clock)
    third, _ = flow.take()
    assert (second.wants_view_sample, third.wants_view_sample) == (True, False)
    flow.book.lose(second.ticket, "analyzer_died")
    flow.book.resolve(analysis_of(third))
    flow.send(10**6)
    flow.accept(receipt((7, 2), (7, 2), view_sample_wanted=True))
    admit(flow, clock)
    assert flow.take()[0].wants_view_sample, "the first one was lost"


def test_a_thumbnail_is_asked_of_the_model_while_one_is_due_and_a_gate_stays_shut(tmp_path, clock):
    flow = flow_of(tmp_path, clock)
    admit(flow, clock)
    first, _ = flow.take()
    assert not first.wants_thumbnail
    flow.book.resolve(analysis_of(first))
    flow.send(10**6)
    flow.accept(receipt((7, 0), (7, 0), is_thumbnail_due=True))
    assert flow.reference is not None, "an unchanged picture shows nothing new"
    for _ in range(2):
        admit(flow, clock)
        item, _ = flow.take()
        assert (item.wants_thumbnail, item.wants_preview) == (True, False)
        flow.book.resolve(analysis_of(item))
    flow.send(10**6)
    flow.accept(receipt((7, 2), (7, 2)))
    admit(flow, clock)
    assert not flow.take()[0].wants_thumbnail


def test_a_frame_is_analysed_with_the_versions_that_are_valid_at_its_place():
    versions = Versions(["view/dock-03@11", "head/vehicles@7"])
    versions.add(ArtefactVersion("view/dock-03@12", (0, 300)))
    versions.add(ArtefactVersion("view/dock-03@12", (0, 300)))
    assert versions.at((0, 299)) == ("view/dock-03@11", "head/vehicles@7")
    assert versions.at((0, 300)) == ("view/dock-03@12", "head/vehicles@7")


def test_an_unchanged_picture_falls_with_the_frame_that_it_stands_for(tmp_path, clock):
    flow = flow_of(tmp_path, clock)
    first = admit(flow, clock)
    item, _ = flow.take()
    named, times = flow.stamp(decoded())
    assert flow.reference == first
    flow.unchanged(named, times, first, None)
    flow.book.lose(item.ticket, "analyzer_timeout")
    assert flow.reference is None
    assert [type(each).__name__ for each in flow.send(10**6)] == ["Gone", "Gone"]
    ledger = flow.book.ledger.snapshot()
    assert (ledger.lost, ledger.gated, ledger.unaccounted) == ({"analyzer_timeout": 2}, 0, 0)


def test_an_unchanged_picture_waits_for_the_frame_that_it_stands_for(tmp_path, clock):
    flow = flow_of(tmp_path, clock)
    first = admit(flow, clock)
    item, _ = flow.take()
    named, times = flow.stamp(decoded())
    flow.unchanged(named, times, first, None)
    assert flow.send(10**6) == []
    flow.book.resolve(analysis_of(item))
    analysed, reused = flow.send(10**6)
    assert isinstance(analysed, Analysed)
    assert isinstance(reused, Reused)
    assert reused.of == analysed.ticket


def test_an_unchanged_picture_is_dropped_with_the_frame_that_grew_stale_before_its_turn(tmp_path, clock):
    flow = flow_of(tmp_path, clock)
    first = admit(flow, clock)
    named, times = flow.stamp(decoded())
    flow.unchanged(named, times, first, None)
    clock.advance(1.5)
    flow.expire(clock.monotonic())
    assert flow.send(10**6)[0:1] != [Reused(named, times, first)]
    ledger = flow.book.ledger.snapshot()
    assert (ledger.stale, ledger.gated, ledger.in_flight, ledger.unaccounted) == (2, 0, 0, 0)


def test_a_fence_ends_everything_that_is_in_flight_and_what_comes_later_is_ignored(tmp_path, clock):
    flow = flow_of(tmp_path, clock)
    admit(flow, clock)
    item, _ = flow.take()
    admit(flow, clock)
    flow.accept(receipt(refused="fenced"))
    ledger = flow.book.ledger.snapshot()
    assert (ledger.lost, ledger.in_flight, ledger.unaccounted) == ({"fenced": 2}, 0, 0)
    flow.book.resolve(analysis_of(item))
    clock.advance(1.0)
    assert flow.send(10**6) == []
    assert flow.candidate(clock.monotonic()) is None
    assert flow.book.ledger.snapshot() == ledger


def test_a_stale_frame_makes_room_and_is_counted(tmp_path, clock):
    flow = flow_of(tmp_path, clock)
    admit(flow, clock)
    clock.advance(1.5)
    assert flow.candidate(clock.monotonic()) is None
    assert flow.book.ledger.snapshot().stale == 1
    assert flow.is_idle


# --- positions ------------------------------------------------------------------------------------------------------


def test_the_first_frame_that_is_not_settled_is_where_to_go_on():
    line = ResumeLine()
    for seq in range(5):
        line.add((0, seq), f"0:{seq}")
    assert line.settled({0: 2}) == ["0:2"]
    assert line.settled({0: 2}) == [], "said already"
    assert line.settled({}) == ["0:4"]
    assert line.newest == "0:4"


def test_a_camera_that_fell_silent_holds_its_partition_back_for_nobody():
    newest: dict[int, tuple[int, str]] = {}
    silent, busy = ResumeLine(newest), ResumeLine(newest)
    silent.add((3, 10), "3:10")
    for seq in range(11, 20):
        busy.add((3, seq), f"3:{seq}")
    assert silent.settled({3: 10}) == ["3:10"]
    assert silent.settled({}) == ["3:19"]
    assert busy.settled({3: 15}) == ["3:15"]


def test_positions_survive_a_restart_and_damage_is_named(tmp_path):
    file = PositionFile(tmp_path / "positions" / "archive.json")
    assert file.load() == {}
    file.save({"archive": "0:41"})
    assert PositionFile(tmp_path / "positions" / "archive.json").load() == {"archive": "0:41"}
    (tmp_path / "positions" / "archive.json").write_text("{", "utf-8")
    with pytest.raises(ValueError, match=r"positions.*archive\.json"):
        file.load()


# --- evidence -------------------------------------------------------------------------------------------------------


def test_pictures_are_kept_in_flight_and_the_last_accepted_one_stays():
    pictures = FullSizePictures()
    for seq in range(4):
        pictures.keep(ticket(seq), FullSize(np.full((4, 4, 3), seq, np.uint8)))
    pictures.let_go(ticket(1))
    pictures.accepted(ticket(0))
    pictures.accepted(ticket(2))
    assert len(pictures) == 2
    assert pictures.of(ticket(2)).pixels[0, 0, 0] == 2
    assert pictures.of(ticket(1)) is None
    pictures.accepted(ticket(5))
    assert pictures.of(ticket(5)).pixels[0, 0, 0] == 3, "an unchanged picture looks like the one before"
