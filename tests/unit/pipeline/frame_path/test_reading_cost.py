"""Which cameras cost what, by the time of their threads."""

import threading

import pytest

from pipeline.frame_path.owner.reading_cost import ReadingCost, _thread_waited
from tests.fakes import FakeClock


@pytest.fixture
def threads():
    """Starts threads of these names that compute (or wait), until the end."""
    stop = threading.Event()
    started = []

    def start(name, *, computes):
        def run():
            while not stop.is_set():
                if computes:
                    sum(range(1000))
                else:
                    stop.wait(1.0)

        thread = threading.Thread(target=run, name=name)
        started.append(thread)
        thread.start()
        return thread

    yield start
    stop.set()
    for thread in started:
        thread.join()


def until_spent(thread, seconds):
    """Until a thread that computes has done so for this long."""
    from pipeline.frame_path.owner.reading_cost import _thread_seconds

    while _thread_seconds(thread.native_id) < seconds:
        pass


def test_a_camera_is_charged_for_its_reader_and_its_pump_and_for_nobody_else(threads):
    clock = FakeClock()
    cost = ReadingCost(clock)
    pump = threads("reader-gate pump", computes=True)
    threads("reader-gate", computes=False)
    threads("reader-yard", computes=False)
    threads("publish-0", computes=True)
    until_spent(pump, 0.3)
    clock.advance(10.0)
    found = dict(cost.look())
    assert found.keys() == {"gate", "yard"}
    assert found["gate"] >= 0.03
    assert found["yard"] < 0.01


def test_a_moment_counts_little_against_what_was_measured_before(threads):
    clock = FakeClock()
    cost = ReadingCost(clock)
    threads("reader-gate", computes=False)
    clock.advance(30.0)
    cost.look()
    pump = threads("reader-gate pump", computes=True)
    until_spent(pump, 0.3)
    clock.advance(0.3)
    assert 0.005 < cost.look()["gate"] < 0.5


def test_a_camera_that_is_read_no_more_costs_nothing():
    clock = FakeClock()
    cost = ReadingCost(clock)
    reader = threading.Thread(target=threading.Event().wait, args=(0.2,), name="reader-gate")
    reader.start()
    clock.advance(1.0)
    assert cost.look().keys() == {"gate"}
    reader.join()
    clock.advance(1.0)
    assert cost.look() == {}


def test_a_reader_that_waits_for_a_core_wants_more_than_it_gets(threads, monkeypatch):
    clock = FakeClock()
    cost = ReadingCost(clock)
    waited = iter([0.0, 3.0])
    monkeypatch.setattr("pipeline.frame_path.owner.reading_cost._thread_waited", lambda _: next(waited))
    threads("reader-gate", computes=False)
    clock.advance(30.0)
    assert cost.look()["gate"] == pytest.approx(cost.wanted["gate"])
    clock.advance(30.0)
    used = cost.look()["gate"]
    assert cost.wanted["gate"] == pytest.approx(used + 0.1)


def test_what_the_kernel_tells_of_waiting_only_rises(threads):
    """As many threads as cores twice: somebody waits."""
    busy = [threads(f"other-{n}", computes=True) for n in range(2)]
    until_spent(busy[0], 0.2)
    first = _thread_waited(busy[0].native_id)
    until_spent(busy[0], 0.4)
    assert 0.0 <= first <= _thread_waited(busy[0].native_id)
    assert _thread_waited(2**30) == 0.0
