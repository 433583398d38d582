"""One camera whose frames come from several partitions of a topic: each is settled and committed for itself."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from operators.frames import Ticket
from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.positions import ResumeLine
from pipeline.frame_path.owner.publish_lane import PublishLane
from pipeline.frame_path.publisher.published import PublishedCamera
from pipeline.frame_path.publisher.settling import Settling
from pipeline.messages import Delivery, Message
from tests.fakes import FakeClock, owned
from tests.fakes_publisher import CAMERA, HandSink, camera, frame, publisher

OWNED = owned(CAMERA, lease=17, is_replayable=True)


class Partitions:
    """An owner's flow and a real publisher; the test says which results the sink acknowledges."""

    def __init__(self, tmp_path) -> None:
        self.clock, self.sink = FakeClock(), HandSink()
        self.made = publisher(tmp_path, [PublishedCamera(OWNED.spec, is_replayable=True)], [self.sink])
        self.made.name = "publish-0"
        self.flow = CameraFlow(OWNED, tmp_path, self.clock)
        self.told: list[str] = []
        self.lane = PublishLane(self.made, threading.Condition(), self.clock, self._on_receipt)
        self.lane.add(self.flow)

    def _on_receipt(self, settled: dict[str, list[str]]) -> None:
        for moved in settled.values():
            self.told += moved

    def read(self, *positions: tuple[int, int]) -> None:
        for number, (epoch, seq) in enumerate(positions):
            analysis = frame(number, None, epoch=epoch).analysis
            analysis = replace(analysis, ticket=Ticket(CAMERA, 17, epoch, seq))
            self.flow._read(analysis.ticket, f"{epoch}:{seq}:{seq}")
            self.flow.book.expect(analysis.ticket)
            self.flow.book.resolve(analysis)
        self.turn()

    def turn(self) -> None:
        self.clock.advance(1.0)
        while self.lane._step():
            pass

    def acknowledge(self, which: Callable[[Message], bool] = lambda _: True) -> None:
        held = [each for each in self.sink.queue if not which(each)]
        self.sink.queue = [each for each in self.sink.queue if which(each)]
        self.sink.settle()
        self.sink.queue = held
        self.turn()


@pytest.fixture
def partitions(tmp_path):
    made = Partitions(tmp_path)
    yield made
    made.made.close(1.0)


def of(*positions: tuple[int, int]) -> Callable[[Message], bool]:
    return lambda message: message.ticket is None or message.ticket.position in positions


def test_a_higher_partition_that_is_settled_says_nothing_of_a_lower_one(partitions):
    partitions.read((1, 5), (0, 10), (1, 6), (0, 11))
    partitions.acknowledge(of((1, 5), (1, 6)))
    assert partitions.flow.book.first_open == {0: 10}
    assert partitions.told[-2:] == ["1:6:6", "0:10:10"]
    partitions.acknowledge()
    assert partitions.flow.book.first_open == {}
    assert partitions.told[-1] == "0:11:11"


def test_a_lower_partition_goes_on_while_a_higher_one_waits(partitions):
    partitions.read((0, 10), (1, 5), (0, 11), (1, 6), (0, 12))
    partitions.acknowledge(lambda message: message.ticket is None or message.ticket.epoch == 0)
    assert partitions.flow.book.first_open == {1: 5}
    assert partitions.flow.book.num_open == 2
    assert {"0:12:12", "1:5:5"} <= set(partitions.told)
    assert "1:6:6" not in partitions.told


def test_a_publisher_that_starts_again_knows_how_far_each_partition_is(tmp_path):
    sink = HandSink()
    made = publisher(tmp_path, [camera(is_replayable=True)], [sink])
    order = [(0, 10), (1, 5), (0, 11), (1, 6)]
    entries = [frame(number, None, epoch=epoch) for number, (epoch, _) in enumerate(order)]
    entries = [
        replace(each, analysis=replace(each.analysis, ticket=Ticket(CAMERA, 17, *position)))
        for each, position in zip(entries, order, strict=True)
    ]
    made.publish(Delivery(tuple(entries)))
    sink.queue = [each for each in sink.queue if each.ticket.epoch == 1]
    sink.settle()
    made.turn()
    made.close(1.0)
    again = publisher(tmp_path, [camera(is_replayable=True)], [HandSink()])
    assert dict(again.attach(CAMERA, 18).settled_upto) == {1: 6}
    again.close(1.0)


def test_epochs_settle_side_by_side_and_old_ones_are_forgotten():
    settling = Settling({})
    settling.add((0, 1), {"redis"})
    settling.add((1, 1), {"redis"})
    settling.settle((1, 1), "redis")
    assert settling.upto == {1: 1}
    for epoch in range(2, 400):
        settling.add((epoch, 0), ())
    assert len(settling.upto) == 256
    assert settling.newest == (399, 0)


def test_a_file_that_is_looped_begins_again_where_its_oldest_open_frame_is():
    line = ResumeLine()
    for loop in range(300):
        for seq in range(2):
            line.add((loop, seq), f"{loop}:{seq}")
        assert line.settled({loop: 1})[-1] == f"{loop}:1"
    line.add((300, 0), "300:0")
    assert line.settled({299: 1, 300: 0})[-1] == "299:1"
    assert line.settled({300: 0})[-1] == "300:0"
    assert len(line._lines) <= 258
