import threading

import numpy as np
import pytest

from operators.frames import Placement
from pipeline.errors import AnalyzeError
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.camera_flow import CameraFlow
from pipeline.frame_path.owner.dispatch import REPLAYABLE_TRIES, Dispatch, Seat
from pipeline.frame_path.owner.mailbox import Frame
from tests.fakes import SHAPE, FakeAnalyzer, FakeClock, owned, ticket, times


class Table:
    """One replayable frame that is on its way, and the dispatch that decides about it."""

    def __init__(self, tmp_path):
        self.clock = FakeClock()
        self.flow = CameraFlow(owned("cam", is_replayable=True), tmp_path, self.clock)
        self.dispatch = Dispatch(
            {"cam": self.flow}, BatchLimits(), threading.Condition(threading.RLock()), self.clock, lambda: None
        )

    def put(self):
        pixels, placement = np.zeros((*SHAPE, 3), np.uint8), Placement(SHAPE, SHAPE, (1.0, 1.0))
        self.flow.admit(Frame(ticket(0, "cam"), times(1.0), placement, pixels), "0:0")
        seat = Seat(FakeAnalyzer("analyze-0"))
        return seat, self.dispatch._next(seat)

    def fail(self, seat, batch, code):
        self.dispatch._failed(seat, batch, AnalyzeError("gone", code=code))
        self.clock.advance(60.0)
        return self.dispatch._next(seat)


@pytest.fixture
def table(tmp_path):
    return Table(tmp_path)


def test_calls_to_an_analyzer_that_is_dead_already_are_no_tries_of_a_frame(table):
    seat, batch = table.put()
    for _ in range(10 * REPLAYABLE_TRIES):
        batch = table.fail(seat, batch, "died")
        assert len(batch) == 1, "it waits for an analyzer that lives"
    assert table.flow.snapshot().ledger.lost == {}


def test_a_frame_that_kills_every_analyzer_is_given_up(table):
    _, batch = table.put()
    for number in range(REPLAYABLE_TRIES):
        assert len(batch) == 1
        batch = table.fail(Seat(FakeAnalyzer(f"analyze-{number}")), batch, "died")
    assert batch == []
    assert table.flow.snapshot().ledger.lost == {"analyzer_died": 1}


def test_a_frame_that_fails_again_and_again_is_given_up(table):
    seat, batch = table.put()
    for _ in range(REPLAYABLE_TRIES):
        assert len(batch) == 1
        batch = table.fail(seat, batch, "failed")
    assert batch == []
    assert table.flow.snapshot().ledger.lost == {"analyze_error": 1}
