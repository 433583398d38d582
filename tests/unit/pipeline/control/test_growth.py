"""How many analyzers a load gets, on a hand-driven clock."""

import pytest

from pipeline.control.planning.growth import QUIET_SECONDS, WINDOW_SECONDS, Growth
from pipeline.control.planning.plan import LaneUse

LANES = 2


class Load:
    """Analyzers that share a demand of so many lanes evenly, looked at once a second."""

    def __init__(self, growth):
        self.growth = growth
        self.now = 100.0
        self.busy = {}
        self.changes = []

    def run(self, seconds, demand, running=None):
        for _ in range(int(seconds)):
            self.now += 1.0
            self.answered_at = self.now
            count = self.growth.target if running is None else running
            for name in [name for name in self.busy if int(name) >= count]:
                del self.busy[name]
            for n in range(count):
                self.busy[str(n)] = self.busy.get(str(n), 0.0) + min(LANES, demand / count)
            uses = {name: LaneUse(LANES, self.answered_at, busy, 0) for name, busy in self.busy.items()}
            if self.growth.look(self.now, uses):
                self.changes.append((self.now, self.growth.target))
        return self.growth.target


@pytest.fixture
def load():
    return Load(Growth(1, 3))


def test_a_load_that_one_carries_changes_nothing(load):
    assert load.run(300, demand=1.5) == 1
    assert load.changes == []


def test_a_load_that_uses_all_lanes_gets_one_more_and_then_as_many_as_it_needs(load):
    assert load.run(WINDOW_SECONDS + 1, demand=3.0) == 2
    assert load.run(60, demand=3.0) == 2, "three lanes of four: enough"
    assert load.run(60, demand=5.0) == 3


def test_a_moment_of_load_is_not_answered(load):
    for _ in range(10):
        load.run(WINDOW_SECONDS - 3, demand=2.0)
        load.run(10, demand=0.5)
    assert load.changes == []


def test_it_never_leaves_its_bounds_and_says_what_would_be_needed(load):
    assert load.run(120, demand=50.0) == 3
    assert "raise runtime.analyzers.max" in load.growth.shortage
    assert "all 3 analyzers are 100%" in load.growth.shortage
    assert load.run(20 * QUIET_SECONDS, demand=0.0) == 1
    assert load.growth.shortage == ""


def test_one_less_only_after_a_quiet_time_that_the_others_would_bear(load):
    load.run(60, demand=5.0)
    assert load.run(20 * QUIET_SECONDS, demand=2.6) == 3, "2.6 of four lanes would be too much for two analyzers"
    began = load.now
    assert load.run(QUIET_SECONDS + 5, demand=2.0) == 2
    assert load.changes[-1][0] - began >= QUIET_SECONDS


def test_while_the_new_one_is_on_its_way_nobody_asks_for_another(load):
    load.run(WINDOW_SECONDS + 1, demand=9.0)
    assert load.growth.target == 2
    assert load.run(300, demand=9.0, running=1) == 2


def test_one_that_was_started_again_counts_from_nothing(load):
    load.run(WINDOW_SECONDS - 1, demand=2.0)
    load.busy["0"] = 0.0
    load.run(3, demand=2.0)
    assert load.changes == []


def test_an_answer_that_is_late_counts_for_the_time_that_it_tells_of(load):
    """A busy machine: the same answer is seen again and again."""
    for _ in range(4):
        load.run(3, demand=2.0)
        stale = {name: LaneUse(LANES, load.answered_at, busy, 0) for name, busy in load.busy.items()}
        for _ in range(5):
            if load.growth.look(load.now, stale):
                load.changes.append((load.now, load.growth.target))
    assert load.growth.target == 2
