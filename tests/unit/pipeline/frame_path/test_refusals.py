"""What a living publisher always refuses is given up, alone. A real publisher and real lanes on a clock that stands.

The poison is natural: a bank's folder whose name is no UTF-8 gives labels that JSON cannot carry.
"""

import logging
import threading
from dataclasses import replace

import numpy as np
import pytest

from operators.frames import Ticket, Times
from operators.results import Label
from pipeline.errors import PublishError
from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.doubts import LAST_PATIENCE, Doubt
from pipeline.frame_path.owner.mailbox import Frame
from pipeline.frame_path.owner.publish_lane import PublishLane
from pipeline.frame_path.publisher.published import PublishedCamera
from pipeline.messages import Gone, Picture
from tests.fakes import FakeClock, analysis_of, owned, placement
from tests.fakes_publisher import HandSink, body, publisher

POISON = Label("vehicles", (("caf\udce9", 0.9),))
FILE, LIVE = owned("archive", is_replayable=True), owned("dock-03")


class Handle:
    """The publisher in this process; it can be told to raise."""

    name = "publish-0"

    def __init__(self, made) -> None:
        self.made = made
        self.is_broken = lambda _: False
        self.shut = set()
        self.calls = []

    def attach(self, camera, lease):
        if camera in self.shut:
            raise RuntimeError("no such camera")
        return self.made.attach(camera, lease)

    def publish(self, delivery):
        self.calls.append(delivery)
        if self.is_broken(delivery):
            raise RuntimeError("refused")
        return self.made.publish(delivery)


class Table:
    """One lane over a real publisher, stepped by hand."""

    def __init__(self, tmp_path, *cameras) -> None:
        self.clock, self.guard, self.sink = FakeClock(), threading.Condition(), HandSink()
        self.made = publisher(
            tmp_path, [PublishedCamera(each.spec, each.is_replayable) for each in cameras], [self.sink]
        )
        self.flows = {each.camera: CameraFlow(each, tmp_path, self.clock) for each in cameras}
        self.handle = Handle(self.made)
        self.settled = {}
        self.lane = PublishLane(self.handle, self.guard, self.clock, self.settled.update)
        for flow in self.flows.values():
            self.lane.add(flow)

    def analysed(self, camera: str, *seqs: int, poison: tuple[int, ...] = ()) -> None:
        flow = self.flows[camera]
        for seq in seqs:
            ns = self.clock.wall_ns() + seq
            ticket = Ticket(camera, flow.lease, 0, seq)
            frame = Frame(
                ticket, Times(ns, ns, ns, "arrival", 0), placement(), np.zeros((28, 42, 3), np.uint8), None, 0
            )
            flow.admit(frame, f"0:{seq}" if flow.owned.is_replayable else None)
            item, _ = flow.take()
            found = analysis_of(item)
            flow.book.resolve(replace(found, labels=(POISON,)) if seq in poison else found)

    def turn(self, seconds: float = 0.0) -> None:
        """What the lane's thread does while so much time goes by."""
        for _ in range(max(1, round(seconds / 0.1))):
            while self.lane._step():
                pass
            self.sink.settle()
            self.clock.advance(0.1 if seconds else 0.0)

    def results(self, camera: str) -> list[int]:
        return [each.ticket.seq for each in self.sink.seen if each.kind == "result" and each.camera == camera]

    def ledger(self, camera: str):
        return self.flows[camera].snapshot().ledger


@pytest.fixture
def table(tmp_path):
    made = Table(tmp_path, FILE, LIVE)
    yield made
    made.made.close(1.0)


def test_a_frame_that_is_always_refused_is_gone_and_everything_else_goes_on_in_order(table, caplog):
    table.analysed("archive", *range(20), poison=(7,))
    table.analysed("dock-03", *range(5), poison=(3,))
    with caplog.at_level(logging.WARNING):
        table.turn(3.0)
    assert table.results("archive") == [seq for seq in range(20) if seq != 7]
    assert table.results("dock-03") == [0, 1, 2, 4]
    for camera, analysed in (("archive", 19), ("dock-03", 4)):
        ledger = table.ledger(camera)
        assert (ledger.analysed, ledger.lost) == (analysed, {"publish_error": 1})
        assert (ledger.in_flight, ledger.unaccounted) == (0, 0)
    assert table.settled["archive"][-1] == "0:19"
    letters = [body(each) for each in table.sink.seen if each.kind == "dead_letter"]
    assert [(each["of"]["id"], each["reason"]) for each in letters] == [("archive/0/7/result", "publish_error")]
    warnings = sorted(record.getMessage() for record in caplog.records)
    assert [text.split(" is given up")[0] for text in warnings] == [
        "archive: frame archive/0/7",
        "dock-03: frame dock-03/0/3",
    ]
    assert all("UnicodeEncodeError" in text for text in warnings)


def test_the_next_result_says_that_one_before_it_was_lost(table):
    table.analysed("dock-03", 0, poison=(0,))
    table.turn(3.0)
    table.analysed("dock-03", 1)
    table.turn()
    assert body([each for each in table.sink.seen if each.kind == "result"][-1])["drops"] == {"publish_error": 1}


def test_other_cameras_never_wait_for_the_one_that_is_refused(table):
    table.turn()
    table.analysed("archive", *range(20), poison=(0,))
    table.analysed("dock-03", 0)
    table.turn()
    assert table.results("dock-03") == [0]
    table.analysed("dock-03", 1)
    table.turn()
    assert table.results("dock-03") == [0, 1]
    assert table.results("archive") == []


def test_the_culprit_among_many_is_found_in_few_calls(table):
    table.turn()
    table.analysed("archive", *range(128), poison=(101,))
    before = len(table.handle.calls)
    table.turn(2.0)
    assert len(table.results("archive")) == 127
    ticks = sum(all(not hasattr(entry, "ticket") for entry in each.entries) for each in table.handle.calls[before:])
    assert len(table.handle.calls) - before - ticks <= 3 + 2 * 7 + 3


def test_a_publisher_that_is_lost_is_no_reason_to_give_up_anything(table):
    def dead(_):
        raise PublishError("gone", code="died")

    table.analysed("archive", *range(3))
    table.handle.is_broken = dead
    table.turn(60.0)
    table.handle.is_broken = lambda _: False
    table.turn(10.0)
    assert table.results("archive") == [0, 1, 2]
    assert table.ledger("archive").lost == {}


def test_a_camera_of_which_nothing_is_taken_stops_and_says_so(table):
    table.turn()
    table.analysed("archive", 0, 1)
    table.handle.is_broken = lambda delivery: any(hasattr(each, "ticket") for each in delivery.entries)
    table.turn(40.0)
    archive = table.flows["archive"].snapshot()
    assert archive.state == "failed"
    assert "refuses everything" in archive.reason
    assert (archive.ledger.lost, archive.ledger.in_flight, archive.ledger.unaccounted) == ({"publish_error": 2}, 0, 0)
    gone = [each for call in table.handle.calls for each in call.entries if isinstance(each, Gone)]
    assert len(gone) == LAST_PATIENCE
    assert table.settled.get("archive") is None
    last = [body(each) for each in table.sink.seen if each.kind == "status" and each.camera == "archive"][-1]
    assert (last["state"], last["code"]) == ("failed", "publish_error")
    table.handle.is_broken = lambda _: False
    table.analysed("dock-03", 0)
    table.turn()
    assert table.results("dock-03") == [0]


def test_a_status_that_cannot_be_written_is_dropped(table):
    table.flows["archive"].change("backoff", "not_found", "no file caf\udce9.mp4")
    table.analysed("archive", 0)
    table.turn(3.0)
    assert table.results("archive") == [0]
    states = [body(each)["state"] for each in table.sink.seen if each.kind == "status" and each.camera == "archive"]
    assert states == ["connecting"]


def test_a_picture_that_is_always_refused_is_given_up(table):
    table.turn()
    table.lane._pictures.append(Picture("dock-03/rule/1/start", Ticket("dock-03", 7, 0, 0), b""))
    table.handle.is_broken = lambda delivery: bool(delivery.pictures)
    table.analysed("dock-03", 0, 1)
    table.turn(3.0)
    assert table.results("dock-03") == [0, 1]
    assert table.lane._pictures == []
    assert table.ledger("dock-03").lost == {}


def test_a_camera_that_is_not_let_in_holds_up_nobody(table):
    table.handle.shut = {"archive"}
    table.analysed("archive", 0)
    table.analysed("dock-03", 0)
    table.turn(3.0)
    assert table.results("dock-03") == [0]
    assert "does not let it in" in table.flows["archive"].snapshot().reason
    table.handle.shut = set()
    table.turn(10.0)
    assert table.results("archive") == [0]


def test_a_camera_that_is_never_let_in_is_stopped_and_its_frames_are_counted(table):
    table.handle.shut = {"archive"}
    table.analysed("archive", 0, 1)
    table.turn(30.0)
    found = table.flows["archive"].snapshot()
    assert (found.state, found.ledger.lost) == ("failed", {"publish_error": 2})
    assert (found.ledger.in_flight, found.ledger.unaccounted) == (0, 0)
    assert "does not let it in" in found.reason
    assert table.flows["archive"].attached.is_set(), "its reader waits no longer"
    table.handle.shut = set()
    table.analysed("dock-03", 0)
    table.turn(10.0)
    assert table.results("dock-03") == [0]
    assert table.results("archive") == []


def test_a_fault_that_passes_costs_no_frame(table):
    table.turn()
    table.analysed("archive", *range(9))
    faults = [True, True, True, True]
    table.handle.is_broken = lambda _: bool(faults and faults.pop())
    table.turn(3.0)
    assert table.results("archive") == list(range(9))
    assert table.ledger("archive").lost == {}


def test_a_doubt_narrows_by_halves_and_ends_once_all_is_taken():
    doubt = Doubt()
    assert [doubt.failed(8, 0.0) for _ in range(3)] == [False] * 3
    assert doubt.most == 4
    assert not doubt.took(4)
    assert doubt.most == 2
    assert not doubt.took(2)
    assert not doubt.took(1)
    assert doubt.took(1)
