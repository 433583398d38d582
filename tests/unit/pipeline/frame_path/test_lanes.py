import threading

import numpy as np
import pytest

from operators.frames import Item, Placement, Ticket, Times
from operators.results import Analysis
from pipeline.clock import SystemClock
from pipeline.errors import AnalyzeError
from pipeline.frame_path.lanes import LaneLimits, LanePool
from tests.fakes import FakeClock


def item(camera, seq, shape=(28, 28)):
    times = Times(seq, seq, seq, "arrival", 0)
    return Item(Ticket(camera, 1, 1, seq), times, Placement(shape, shape, (1.0, 1.0)), np.zeros((*shape, 3), np.uint8))


def result(each):
    return Analysis(each.ticket, each.times, each.placement, "s", None, None, (), (), None)


class Model:
    """Records the batches it gets; can be held back."""

    def __init__(self):
        self.batches = []
        self.started = threading.Event()
        self.go = threading.Event()

    def __call__(self, items):
        self.started.set()
        self.go.wait(10)
        self.batches.append([each.ticket.id for each in items])
        if any(each.ticket.camera == "bad" for each in items):
            msg = "no such picture"
            raise ValueError(msg)
        return [result(each) for each in items]


def call(pool, items, out):
    def run():
        try:
            out.append([each.ticket.id for each in pool.analyze(items)])
        except AnalyzeError as error:
            out.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_calls_of_several_owners_share_a_batch_of_one_shape_and_each_gets_its_own_back():
    model = Model()
    pool = LanePool(model, LaneLimits(lanes=1, max_batch_size=4), SystemClock())
    answers = [[], [], []]
    threads = [call(pool, [item("first", 1)], answers[0])]
    assert model.started.wait(10)  # the lane is busy, so the next two calls meet in the queue
    threads.append(call(pool, [item("a", 1), item("a", 2, (42, 28))], answers[1]))
    threads.append(call(pool, [item("b", 1)], answers[2]))
    while len(pool._waiting) < 3:
        threading.Event().wait(0.001)
    model.go.set()
    for thread in threads:
        thread.join(10)
    pool.close()
    assert answers == [[["first/1/1"]], [["a/1/1", "a/1/2"]], [["b/1/1"]]]
    assert sorted(map(sorted, model.batches)) == [["a/1/1", "b/1/1"], ["a/1/2"], ["first/1/1"]]


def test_a_failure_reaches_those_who_asked_and_the_lane_goes_on():
    model = Model()
    model.go.set()
    pool = LanePool(model, LaneLimits(lanes=1, max_batch_size=1), SystemClock())
    with pytest.raises(AnalyzeError, match="ValueError: no such picture") as caught:
        pool.analyze([item("bad", 1)])
    assert caught.value.code == "failed"
    assert [each.ticket.id for each in pool.analyze([item("good", 2)])] == ["good/1/2"]
    pool.close()


def test_closing_fails_those_who_still_wait_and_those_who_come_later():
    model = Model()
    pool = LanePool(model, LaneLimits(lanes=1, max_batch_size=1), SystemClock())
    first, second = [], []
    threads = [call(pool, [item("a", 1)], first)]
    assert model.started.wait(10)
    threads.append(call(pool, [item("b", 1)], second))
    while not pool._waiting:
        threading.Event().wait(0.001)
    closer = threading.Thread(target=pool.close)
    closer.start()
    threads[1].join(10)
    model.go.set()
    closer.join(10)
    threads[0].join(10)
    assert first == [["a/1/1"]]
    assert second[0].code == "died"
    with pytest.raises(AnalyzeError):
        pool.analyze([item("c", 1)])


def test_a_timeout_takes_the_call_out_of_the_queue():
    model = Model()
    pool = LanePool(model, LaneLimits(lanes=1, max_batch_size=1), SystemClock())
    first = []
    thread = call(pool, [item("a", 1)], first)
    assert model.started.wait(10)
    with pytest.raises(AnalyzeError) as caught:
        pool.analyze([item("b", 1)], timeout_seconds=0.01)
    assert caught.value.code == "timeout"
    model.go.set()
    thread.join(10)
    pool.close()
    assert model.batches == [["a/1/1"]]


def test_each_result_says_how_long_its_batch_was_computed():
    clock = FakeClock()

    def analyze(items):
        clock.advance(0.25)
        return [result(each) for each in items]

    pool = LanePool(analyze, LaneLimits(lanes=1, max_batch_size=1), clock)
    assert [each.computed_seconds for each in pool.analyze([item("a", 1), item("a", 2)])] == [0.25, 0.25]
    pool.close()
