"""Decoders that follow the load, and nodes without memory for more."""

from dataclasses import replace

import pytest

from pipeline.control.planning.decoders import READERS_PER_DECODER
from pipeline.control.planning.memory import MIB, PROCESS_BYTES, MemoryNeeds
from pipeline.control.planning.plan import Node, Offer, Wish
from pipeline.control.planning.reading_growth import (
    BUSY_SECONDS,
    QUIET_SECONDS,
    SETTLING_SECONDS,
    Reading,
    ReadingGrowth,
)
from pipeline.control.planning.topology import isolate, make_plan

ONE = Offer((Node("here", 1),))
CAMERAS = ("a", "b", "c", "d")
COSTS = {"a": 0.4, "b": 0.2, "c": 0.2, "d": 0.1}


def wish(**more):
    return Wish(tuple((each,) for each in CAMERAS), dict.fromkeys(CAMERAS, 5.0), decoders=1, decode_cores=COSTS, **more)


@pytest.fixture
def one():
    """One decoder with all cameras."""
    return make_plan(wish(), ONE)


@pytest.fixture
def two(one):
    """The second has half of them."""
    return make_plan(
        wish(floating=1, ready=frozenset({"decode-0", "decode-1"})), ONE, make_plan(wish(floating=1), ONE, one)
    )


def cameras(plan):
    return {each.name: set(each.cameras) for each in plan.decoders}


def test_one_more_claims_a_core_and_reads_nothing_until_it_runs(one):
    plan = make_plan(wish(floating=1), ONE, one)
    fresh = plan.decoder("decode-1")
    assert (fresh.cores, fresh.node, fresh.cameras) == (1, None, ())
    assert "their number follows the load" in fresh.why
    assert cameras(plan)["decode-0"] == set(CAMERAS)
    assert make_plan(wish(floating=1, ready=frozenset({"decode-0"})), ONE, plan) == plan


def test_one_that_runs_takes_half_of_the_busiest_ones_work_and_says_so(two):
    assert cameras(two) == {"decode-0": {"a", "d"}, "decode-1": {"b", "c"}}
    assert "took 2 of 4 cameras over from decode-0, whose reading took 0.90 cores" in two.decoder("decode-1").why
    assert make_plan(wish(floating=1, ready=frozenset({"decode-0", "decode-1"})), ONE, two) == two


def test_what_changes_for_other_reasons_moves_no_camera(two):
    assert cameras(make_plan(wish(floating=0), ONE, two)) == cameras(two)
    assert cameras(make_plan(wish(floating=1), ONE, two)) == cameras(two)


def test_one_that_leaves_or_is_down_gives_its_cameras_back(two):
    everywhere = frozenset({"decode-0", "decode-1"})
    assert cameras(make_plan(wish(floating=0, ready=everywhere), ONE, two)) == {"decode-0": set(CAMERAS)}
    down = make_plan(wish(floating=1, ready=frozenset({"decode-0"})), ONE, two)
    assert cameras(down) == {"decode-0": set(CAMERAS), "decode-1": set()}


def test_one_whose_cameras_would_not_fit_elsewhere_stays():
    many = [f"cam-{n:02}" for n in range(READERS_PER_DECODER + 4)]
    asked = Wish(tuple((each,) for each in many), dict.fromkeys(many, 5.0), decoders=1, floating=1)
    few = replace(asked, feeds=asked.feeds[:8], floating=0)
    plan = make_plan(replace(few, floating=1), ONE, make_plan(few, ONE))
    ready = frozenset(each.name for each in plan.decoders)
    plan = make_plan(replace(asked, ready=ready), ONE, make_plan(replace(few, floating=1, ready=ready), ONE, plan))
    assert cameras(make_plan(replace(asked, floating=0, ready=ready), ONE, plan)) == cameras(plan)


def test_cameras_that_only_some_nodes_reach_stay_there():
    yard = Offer((Node("here", 1, place="yard"),))
    asked = wish(places=dict.fromkeys(CAMERAS, "yard"))
    plan = make_plan(replace(asked, floating=1), yard, make_plan(asked, yard))
    assert cameras(make_plan(replace(asked, floating=1, ready=frozenset(cameras(plan))), yard, plan)) == cameras(plan)


def test_a_camera_that_crashes_one_that_follows_the_load_is_not_isolated_there(two):
    feed = two.decoder("decode-1").feeds[0]
    assert isolate(two, feed, wish()) is two


# --- memory ---------------------------------------------------------------------------------------------------------

SMALL = MemoryNeeds(reader_bytes=100 * MIB, analyzer_bytes=1000 * MIB)


def room(readers):
    return PROCESS_BYTES + readers * 100 * MIB


def test_a_node_without_memory_gets_no_decoder_and_no_analyzer_and_it_is_said():
    offer = Offer((Node("empty", 8, memory_bytes=200 * MIB), Node("large", 2, memory_bytes=8000 * MIB)))
    plan = make_plan(replace(wish(memory=SMALL), decoders=2), offer)
    assert {each.node for each in plan.decoders} == {"large"}
    assert "(1 more have no memory for it)" in plan.decoders[0].why
    assert [each.node for each in plan.analyzers] == ["large"]
    assert "one a node; 1 more have no 1000 MiB of memory left for one" in plan.analyzers[0].why


def test_a_decoder_takes_no_further_camera_where_memory_is_out_and_a_camera_without_room_waits_and_says_so():
    offer = Offer((Node("here", 8, memory_bytes=room(3)),))
    three = replace(wish(memory=SMALL), feeds=wish().feeds[:3])
    plan = make_plan(wish(memory=SMALL), offer, make_plan(three, offer))
    alone = plan.decoder(plan.decoder_of("d"))
    assert (alone.cameras, alone.node) == (("d",), None)
    assert alone.why == "no node has 390 MiB of memory left for its 1 cameras. Add a node"
    more = Offer((*offer.nodes, Node("new", 1, memory_bytes=room(1))))
    assert make_plan(wish(memory=SMALL), more, plan).decoder(alone.name).node == "new"


def test_what_runs_stays_however_large_it_grew(one):
    grown = MemoryNeeds(reader_bytes=10_000 * MIB, analyzer_bytes=10_000 * MIB)
    small = Offer((Node("here", 1, memory_bytes=500 * MIB),))
    after = make_plan(wish(memory=grown), small, one)
    assert (after.decoders, after.analyzers) == (one.decoders, one.analyzers)


def test_one_analyzer_runs_all_the_same():
    offer = Offer((Node("here", 2, memory_bytes=600 * MIB),))
    (analyzer,) = make_plan(wish(memory=SMALL), offer).analyzers
    assert analyzer.node == "here"


# --- how many -------------------------------------------------------------------------------------------------------


class Load:
    """Looked at once a second; what is wanted runs after a while."""

    def __init__(self, plan, most):
        self.growth, self.plan, self.now, self.num_up, self.changes = ReadingGrowth(most), plan, 50.0, 0, []

    def run(self, seconds, used=1.0, **cores):
        """Cores that cameras take and wait for; `used`: share of them that they take."""
        reading = Reading({name: used * each for name, each in cores.items()}, cores)
        for _ in range(int(seconds)):
            self.now += 1
            if self.growth.look(self.now, self.plan, ONE, reading, self.num_up):
                self.changes.append((self.now, self.growth.target))
        return self.growth.target


def test_one_more_once_reading_has_taken_most_of_the_nodes_cores_for_a_while(one):
    load = Load(one, most=2)
    assert load.run(BUSY_SECONDS, a=0.4, b=0.4) == 0
    assert load.run(5, a=0.2) == 0
    assert load.run(BUSY_SECONDS + 1, a=0.4, b=0.4) == 1
    assert load.run(300, a=0.4, b=0.4) == 1, "it is on its way: nobody knows whether it is enough"


def test_a_single_camera_cannot_be_shared_out():
    alone = make_plan(replace(wish(), feeds=(("a",),)), ONE)
    assert Load(alone, most=2).run(300, a=1.0) == 0


def test_what_one_that_follows_the_load_reads_counts_against_its_own_core(one, two):
    load = Load(one, most=2)
    load.run(BUSY_SECONDS + 1, **COSTS)
    load.plan, load.num_up = two, 1
    assert load.run(300, **COSTS) == 1, "a half of 0.9 each"
    assert load.run(BUSY_SECONDS + 1, a=0.1, b=0.4, c=0.4, d=0.1) == 2


def test_at_most_it_says_what_would_be_needed(one):
    load = Load(one, most=1)
    load.run(BUSY_SECONDS + 1, **COSTS)
    assert load.growth.target == 1
    assert "reading takes 90% of its cores at the busiest decoder" in load.growth.shortage
    assert "raise runtime.decoders.max" in load.growth.shortage
    load.run(1, a=0.1)
    assert load.growth.shortage == ""


def test_one_less_after_a_quiet_time_and_not_before(one, two):
    load = Load(one, most=1)
    load.run(BUSY_SECONDS + 1, **COSTS)
    load.plan, load.num_up = two, 1
    load.run(SETTLING_SECONDS, **COSTS)
    assert load.run(QUIET_SECONDS, a=0.2, b=0.1) == 1
    assert load.run(3, a=0.2, b=0.1) == 0


def test_readers_that_wait_for_cores_count_where_they_compute_themselves(one, two):
    assert Load(one, most=1).run(BUSY_SECONDS + 1, used=0.3, **COSTS) == 1
    crowded = Load(one, most=1)
    assert crowded.run(300, used=0.1, **COSTS) == 0, "others crowd the machine: a decoder more would wait there too"
    assert crowded.growth.shortage == ""
    crowded.run(BUSY_SECONDS + 1, used=0.9, **COSTS)
    crowded.plan, crowded.num_up = two, 1
    assert crowded.run(SETTLING_SECONDS + QUIET_SECONDS + 3, used=0.3, **COSTS) == 1
    assert crowded.run(QUIET_SECONDS + 3, used=0.1, **COSTS) == 0
