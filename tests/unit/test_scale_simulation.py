"""The simulation of many cameras: what goes in comes out, and answers that are known on paper."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from pipeline.control.planning.plan import Offer, Wish
from pipeline.control.planning.topology import make_plan
from pipeline.frame_path.owner.config import SampleConfig
from pipeline.frame_path.publisher.gathering import MOST_ENTRIES
from tests.bench.fairness import jain
from tests.bench.scale.day import _weighted
from tests.bench.scale.engine import Simulation
from tests.bench.scale.fleet import Fleet
from tests.bench.scale.load import REFRESH_SECONDS, Load
from tests.bench.scale.overload import everywhere
from tests.bench.scale.parts import Call
from tests.bench.scale.plots import Line, bars, over_hours
from tests.bench.scale.service_times import ServiceTimes
from tests.bench.scale.transactions import Transactions
from tests.fakes import owned

TIMES = ServiceTimes(
    lane_seconds=0.1,
    gpu_rate=1000.0,
    gpu_call_seconds=0.004,
    hop_seconds=0.004,
    intake_seconds=0.001,
    plumbing_seconds=0.002,
    publish_call_seconds=0.001,
    publish_result_seconds=0.0005,
)
DECODE = 0.0026


def on_lanes(cameras, cpus=2):
    names = [f"cam-{n}" for n in range(cameras)]
    plan = make_plan(Wish(tuple((name,) for name in names), dict.fromkeys(names, 5.0)), Offer.of(cpus))
    sample = SampleConfig(fps=5)
    return Simulation(plan, [owned(name, sample=sample) for name in names], TIMES, seed=0), names


def paced(names, fps, seconds):
    """Each camera in its turn, evenly apart."""
    count = int(fps * seconds)
    return [(n / fps + k / fps / len(names), name, False) for n in range(count) for k, name in enumerate(names)]


def test_a_lonely_camera_waits_for_nothing():
    simulation, names = on_lanes(1)
    found = simulation.run(paced(names, 4.0, 5.0), 6.0)
    expected = 0.001 + 0.004 + 0.1 + 0.002 + 0.0015
    assert found.ages == pytest.approx([expected] * 20)
    assert found.fates == {"analysed": 20}


def test_two_lanes_give_what_two_lanes_can_and_the_rest_is_replaced():
    simulation, names = on_lanes(4)
    found = simulation.run(paced(names, 10.0, 10.0), 11.0)
    assert found.fates["analysed"] == pytest.approx(2 * 10.0 / 0.1, abs=5)
    assert sum(found.fates.values()) == 400
    assert jain([camera.analysed for camera in simulation.cameras.values()]) > 0.99


def test_a_gated_frame_skips_the_model():
    simulation, names = on_lanes(2)
    found = simulation.run([(seconds, name, True) for seconds, name, _ in paced(names, 5.0, 2.0)], 3.0)
    assert found.fates == {"gated": 20}
    assert found.calls == found.analyzer_busy == 0


def test_a_gpu_merges_what_owners_send_within_its_wait():
    fleet = Fleet(100, 1, 1, 1, DECODE)
    found = fleet.simulate(replace(TIMES, publish_call_seconds=0.0, publish_result_seconds=0.0), 1.0, 2.0)
    wait = fleet.plan.analyzers[0].max_wait_seconds
    assert 0.5 * 500 * wait < found.batched / found.batches <= fleet.plan.analyzers[0].max_batch_size
    assert found.fates["analysed"] == pytest.approx(1000, rel=0.06)


def test_no_batch_is_larger_than_its_analyzer_takes():
    fleet = Fleet(200, 1, 1, 1, DECODE)
    simulation = fleet._simulation(fleet.plan, replace(TIMES, gpu_rate=500.0), 0)
    sizes = []
    analyzer = simulation.analyzers["analyze-0"]
    pick = analyzer.pool._pick
    analyzer.pool._pick = lambda: sizes.append(len(batch := pick())) or batch
    simulation.run(Load(fleet.names, 1.0, 2.0).arrivals(0), 2.0)
    assert max(sizes) == fleet.plan.analyzers[0].max_batch_size


def test_frames_of_a_call_that_hangs_are_lost_once():
    simulation, _ = on_lanes(1)
    owner = simulation.owners["decode-0"]
    call = Call([None] * 3, [None] * 3, 3, seat=owner.free[0])
    simulation.hang(call)
    simulation.hang(call)
    assert simulation.outcome.fates["lost"] == 3


def test_results_that_come_while_a_publisher_writes_share_its_next_transaction():
    publisher = Transactions(TIMES, 0.0)
    for now in (1.0, 1.0005, 1.001, 2.0):
        publisher.put(now, now)
    publisher.settle()
    second = 1.0015 + 0.001 + 2 * 0.0005
    assert publisher.ages == pytest.approx([0.0015, second - 1.0005, second - 1.001, 0.0015])
    assert publisher.busy_seconds == pytest.approx(2 * 0.0015 + 0.002)


def test_a_transaction_of_the_simulation_is_bounded_like_the_real_one():
    publisher = Transactions(TIMES, 0.0)
    for _ in range(2 + MOST_ENTRIES):
        publisher.put(1.0, 1.0)
    publisher.settle()
    first, full = 0.0015, 0.001 + MOST_ENTRIES * 0.0005
    assert publisher.ages[1] == pytest.approx(first + full)
    assert publisher.ages[-1] == pytest.approx(first + full + 0.0015)


@pytest.fixture(scope="module")
def lost():
    """Forty cameras on two nodes, one of which is lost."""
    fleet = Fleet(40, 2, 1, 1, DECODE)
    return fleet, fleet.lose_node(TIMES, 1.0, detect=4.0, restart=2.0)


def test_cameras_of_a_lost_node_are_unread_until_another_node_reads_them(lost):
    fleet, found = lost
    there = sum(len(each.cameras) for each in fleet.plan.decoders if each.node == "node-00")
    assert 0 < there < fleet.cameras
    assert found.fates["unread"] == pytest.approx(there * 5.0 * (4.0 + 2.0), rel=0.05)


def test_a_lost_analyzer_takes_no_more_than_the_calls_that_were_let_to_it(lost):
    fleet, found = lost
    there = {each.name for each in fleet.plan.analyzers if each.node == "node-00"}
    calls = sum(count for (_, analyzer), count in fleet.plan.credits.items() if analyzer in there)
    assert 0 < found.fates["lost"] <= calls * fleet.plan.analyzers[0].max_batch_size


def test_every_frame_is_accounted_for_though_a_node_is_lost(lost):
    fleet, found = lost
    until = found.seconds + 0.5
    sent = sum(seconds >= 0.5 for seconds, _, _ in Load(fleet.names, 1.0, until).arrivals(0))
    in_flight = sent - sum(found.fates.values())
    assert abs(in_flight) <= fleet.cameras


def test_more_calls_at_an_analyzer_than_it_can_take_make_results_older_under_overload():
    fleet = Fleet(500, 4, 1, 15, DECODE)
    slow = replace(TIMES, gpu_rate=250.0)
    many, few = (fleet.simulate(slow, 0.45, 3.0, plan=plan) for plan in (everywhere(fleet.plan), fleet.plan))
    assert np.percentile(many.ages, 50) > 1.1 * np.percentile(few.ages, 50)
    assert jain(few.shares) > 0.97


def test_owners_whose_analyzers_are_all_slow_get_less_and_never_nothing():
    fleet = Fleet(500, 4, 1, 15, DECODE)
    slow = {"analyze-0", "analyze-1"}
    calls = {}
    for owner, analyzer in fleet.plan.credits:
        calls.setdefault(owner, set()).add(analyzer)
    stuck = {owner for owner, names in calls.items() if names <= slow}
    assert 0 < len(stuck) < len(calls) / 3
    simulation = fleet._simulation(fleet.plan, replace(TIMES, gpu_rate=400.0), 0)
    for name in slow:
        simulation.analyzers[name].slowness = 4.0
    simulation.run(Load(fleet.names, 0.45, 4.0).arrivals(0), 4.0)
    share = {
        owner: np.mean([c.analysed / c.offered for c in simulation.cameras.values() if c.owner.name == owner])
        for owner in calls
    }
    assert min(share[owner] for owner in stuck) > 0.3 * np.mean(list(share.values()))
    assert min(share[owner] for owner in calls.keys() - stuck) > 0.6 * np.mean(list(share.values()))


def test_a_busy_camera_asks_for_every_picture_and_a_quiet_one_for_its_refreshes():
    names = tuple(f"cam-{n}" for n in range(300))
    for busy in (0.0, 0.3, 1.0):
        load = Load(names, busy, 20.0)
        asked = sum(not is_gated for _, _, is_gated in load.arrivals(1)) / 20.0
        assert asked == pytest.approx(load.model_rate, rel=0.12)
    assert Load(names, 0.0, 1.0).model_rate == 300 / REFRESH_SECONDS


def test_arrivals_come_in_order_and_at_their_rate():
    found = list(Load(("a", "b", "c"), 0.5, 10.0).arrivals(2))
    seconds = [each for each, _, _ in found]
    assert seconds == sorted(seconds)
    assert len(found) == pytest.approx(150, abs=3)


def test_quantiles_follow_the_weights():
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([1.0, 97.0, 2.0])
    assert _weighted(values, weights, (0.5, 0.98, 1.0)) == [1.0, 2.0, 3.0]


def test_pictures_are_well_formed_and_hold_every_line_and_bar():
    lines = over_hours("age", "ms", [Line("a", range(24)), Line("b", range(24), is_dashed=True)], 30.0)
    assert len(ET.fromstring(lines).findall("{http://www.w3.org/2000/svg}polyline")) == 2
    drawn = ET.fromstring(bars("shares", [("100", [("x", 0.5), ("y", 2.0)]), ("1000", [("x", 1e9)])]))
    widths = [float(each.get("width")) for each in drawn.findall("{http://www.w3.org/2000/svg}rect")[1:]]
    assert len(widths) == 3
    assert widths[0] < widths[1] < widths[2] < 720
