"""The supervisor over nodes that come and go; no Ray."""

import logging
import threading
from dataclasses import replace

import pytest

from operators.frames import Ticket
from pipeline.control.planning.growth import QUIET_SECONDS, WINDOW_SECONDS, Growth
from pipeline.control.planning.kept_numbers import KEEP_SECONDS
from pipeline.control.planning.memory import MIB, PROCESS_BYTES
from pipeline.control.planning.memory_use import MemoryUse
from pipeline.control.planning.plan import LaneUse, Node, Offer, Wish
from pipeline.control.planning.planner import Planner
from pipeline.control.planning.reading_costs import ReadingCosts
from pipeline.control.planning.reading_growth import BUSY_SECONDS, SETTLING_SECONDS, ReadingGrowth
from pipeline.control.planning.reading_growth import QUIET_SECONDS as READING_QUIET_SECONDS
from pipeline.control.planning.topology import make_plan
from pipeline.errors import PipelineError
from pipeline.frame_path.owner.ledger import Ledger, ledger_path
from tests.fakes_actors import steps
from tests.unit.pipeline.control.conftest import CAMERAS

HERE, THERE = Node("here", 2), Node("there", 2)


class Cluster:
    """What it offers now."""

    def __init__(self, *nodes):
        self.nodes = nodes

    def offer(self):
        if not self.nodes:
            raise PipelineError("no node offers a core", code="no_cores")
        return Offer(self.nodes)


@pytest.fixture
def cluster():
    return Cluster(HERE, THERE)


@pytest.fixture
def running(supervise, cluster, wish):
    """Two decoders and two analyzers, one of each a node."""
    supervisor = supervise(make_plan(wish, cluster.offer()), cluster.offer)
    supervisor.start(lambda _: None, threading.Event())
    supervisor.step()
    return supervisor


def where(supervisor, kind="decode"):
    return {each.name: (each.state, each.node) for each in supervisor.snapshot().actors if each.kind == kind}


def on(supervisor, node):
    """The decoder there, and its camera."""
    name = next(name for name, (_, there) in where(supervisor).items() if there == node)
    return name, supervisor.plan.decoder(name).cameras[0]


def test_what_ran_on_a_node_that_is_gone_starts_elsewhere_under_new_leases_and_the_rest_stays(
    running, cluster, starters, clock, caplog
):
    lost, camera = on(running, "there")
    kept, _ = on(running, "here")
    before = starters.newest(lost)
    cluster.nodes = (HERE,)
    with caplog.at_level(logging.WARNING):
        steps(running, clock, 4)
    after = starters.newest(lost)
    assert (before.actor, ()) in starters.did("kill")
    assert after.leases[camera] > before.leases[camera]
    assert where(running) == {lost: ("running", "here"), kept: ("running", "here")}
    assert starters.count(kept) == 1
    assert list(where(running, "analyze")) == ["analyze-0"]
    assert f"{lost} moves (its node is gone" in caplog.text
    told = [args for actor, args in starters.did("start") if actor == after.actor]
    assert [name for name, _, _ in told[0][0]] == ["analyze-0"]


def test_a_node_that_is_lost_while_a_run_starts_ends_no_start(supervise, cluster, starters, wish):
    supervisor = supervise(make_plan(wish, cluster.offer()), cluster.offer)
    lost = next(each.name for each in supervisor.plan.decoders if each.node == "there")

    def lose(actor):
        if actor.name == lost and THERE in cluster.nodes:
            actor.failure, cluster.nodes = PipelineError("the actor is gone", code="died"), (HERE,)

    starters.prepare = lose
    said = []
    supervisor.start(said.append, threading.Event())
    assert {node for _, node in where(supervisor).values()} == {"here"}
    assert {state for state, _ in where(supervisor).values()} == {"running"}
    assert any("starting again, for the nodes are others now: " in each for each in said)
    first = next(actor for actor in starters.started if actor.name == lost)
    assert (first.actor, ()) in starters.did("kill")
    assert all(starters.newest(lost).leases[camera] > lease for camera, lease in first.leases.items())


def test_a_node_that_joins_computes_for_every_owner_and_moves_no_camera(running, cluster, starters, clock):
    cluster.nodes = (HERE, THERE, Node("new", 4))
    steps(running, clock, 4)
    assert where(running, "analyze")["analyze-2"] == ("running", "new")
    assert all(starters.count(name) == 1 for name in where(running))
    heard = [args for _, args in starters.did("replace_analyzers") if any(each[0] == "analyze-2" for each in args[0])]
    assert len(heard) == len(where(running))


def test_an_owner_calls_its_own_analyzers_and_the_others_while_none_of_its_own_is_up(
    supervise, cluster, starters, clock, wish
):
    plan = make_plan(wish, cluster.offer())
    mine, others = (owner.name for owner in plan.decoders)
    calls = {(mine, "analyze-0"): 2, (others, "analyze-1"): 3}
    supervisor = supervise(replace(plan, credits=calls))
    supervisor.start(lambda _: None, threading.Event())
    steps(supervisor, clock, 2)

    def told(owner, method="replace_analyzers"):
        found = [args[0] for actor, args in starters.did(method) if actor.startswith(f"{owner}#")]
        return [[(name, count) for name, _, count in each] for each in found]

    assert told(mine, "start") == [[("analyze-0", 2)]]
    assert told(others, "start") == [[("analyze-1", 3)]]
    starters.newest("analyze-0").failure = PipelineError("gone", code="died")
    supervisor.step()
    assert told(mine)[0] == [("analyze-1", 1)]
    steps(supervisor, clock, 8)
    assert where(supervisor, "analyze")["analyze-0"][0] == "running"
    assert told(mine)[-1] == [("analyze-0", 2)]
    assert all(each == [("analyze-1", 3)] for each in told(others))


def test_of_a_lost_node_the_last_account_is_kept_and_what_was_in_flight_is_unknown(
    running, cluster, starters, clock, tmp_path
):
    lost, camera = on(running, "there")
    actor = starters.newest(lost)
    lease = actor.leases[camera]
    actor.ledgers[camera] = replace(actor.ledger(camera), received=9, decoded=9, analysed=7, in_flight=2)
    steps(running, clock, 2)
    cluster.nodes = (HERE,)
    steps(running, clock, 4)
    total = running.snapshot().total(camera)
    assert (total.analysed, total.lost) == (7, {"unknown": 2})
    assert not ledger_path(tmp_path / "state", camera, lease).exists()


def test_how_long_nobody_read_a_camera_of_a_lost_node_is_counted_until_another_has_a_frame(
    running, cluster, starters, clock
):
    lost, camera = on(running, "there")
    steps(running, clock, 2)
    assert not running.snapshot().unread_seconds
    cluster.nodes = (HERE,)
    steps(running, clock, 4)
    before = running.snapshot().unread_seconds[camera]
    steps(running, clock, 3)
    after = running.snapshot().unread_seconds
    assert before < after[camera], "nobody has read it yet"
    assert list(after) == [camera], "the others were read all the time"
    actor = starters.newest(lost)
    actor.ledgers[camera] = replace(actor.ledger(camera), received=1, decoded=1)
    steps(running, clock, 1)
    there_again = running.snapshot().unread_seconds[camera]
    steps(running, clock, 5)
    assert running.snapshot().unread_seconds == {camera: there_again}


def test_a_recording_goes_on_elsewhere_from_where_it_was_told_to_be(running, cluster, starters, clock):
    lost, camera = on(running, "there")
    starters.newest(lost).settled = {camera: "2:17"}
    steps(running, clock, 2)
    cluster.nodes = (HERE,)
    steps(running, clock, 4)
    assert where(running)[lost] == ("running", "here")
    assert starters.newest(lost).resumes == {camera: "2:17"}


def test_of_a_node_that_shares_the_state_folder_the_account_is_read(running, cluster, starters, clock, tmp_path):
    lost, camera = on(running, "there")
    lease = starters.newest(lost).leases[camera]
    ledger = Ledger(ledger_path(tmp_path / "state", camera, lease), camera, lease)
    ledger.enter(Ticket(camera, lease, 0, 1))
    ledger.close()
    cluster.nodes = (HERE,)
    steps(running, clock, 4)
    assert running.snapshot().total(camera).lost == {"owner_died": 1}


def test_a_camera_that_no_node_reaches_waits_says_for_what_and_stops_nobody(supervise, cluster, clock, wish):
    asked = replace(wish, places={"gate": "yard"})
    cameras = CAMERAS.replace("gate: {", "gate: {place: yard, ")
    supervisor = supervise(make_plan(asked, cluster.offer()), cluster.offer, cameras)
    supervisor.start(lambda _: None, threading.Event())
    steps(supervisor, clock, 3)
    name = supervisor.plan.decoder_of("gate")
    (status,) = [each for each in supervisor.snapshot().actors if each.name == name]
    assert (status.state, status.restarts) == ("waiting", 0)
    assert "no node has the label place=yard" in status.reason
    assert where(supervisor)[supervisor.plan.decoder_of("yard")][0] == "running"
    cluster.nodes = (HERE, THERE, Node("yard-1", 2, place="yard"))
    steps(supervisor, clock, 4)
    assert where(supervisor)[name] == ("running", "yard-1")


def test_a_cluster_that_offers_nothing_for_a_while_keeps_what_runs(running, cluster, starters, clock):
    nodes, cluster.nodes = cluster.nodes, ()
    steps(running, clock, 5)
    cluster.nodes = nodes
    steps(running, clock, 5)
    assert all(starters.count(name) == 1 for name in (*where(running), *where(running, "analyze")))


@pytest.fixture
def growing(supervise, cluster, wish, clock):
    """One analyzer, at most two, wherever they fit."""
    planner = Planner(clock, cluster.offer, Growth(1, 2))
    asked = replace(wish, are_placed=False)
    supervisor = supervise(
        make_plan(planner.wish(asked), cluster.offer()), planner=planner, runtime=", analyzers: {min: 1, max: 2}"
    )
    supervisor.start(lambda _: None, threading.Event())
    supervisor.step()
    return supervisor


@pytest.fixture
def load(growing, starters, clock):
    """For some seconds, every analyzer's lanes are in use for this share of the time."""

    used = 0.0

    def run(seconds, share, in_flight=0):
        nonlocal used
        for _ in range(int(seconds)):
            clock.advance(1.0)
            used += 2 * share
            for actor in starters.started:
                if actor.name.startswith("analyze"):
                    actor.use = LaneUse(2, clock.monotonic(), used, in_flight)
            growing.step()

    return run


def test_the_number_of_analyzers_follows_the_load_and_who_is_given_back_ends_its_calls_first(growing, starters, load):
    load(WINDOW_SECONDS + 6, 1.0)
    assert list(where(growing, "analyze")) == ["analyze-0", "analyze-1"]
    second = starters.newest("analyze-1")
    load(QUIET_SECONDS + 10, 0.05, in_flight=1)
    assert list(where(growing, "analyze")) == ["analyze-0"]
    assert starters.did("replace_analyzers")[-1][1] == ([("analyze-0", "analyze-0#0", 2)],)
    assert (second.actor, ()) not in starters.did("kill"), "a call is under way"
    load(3, 0.05)
    assert (second.actor, ()) in starters.did("kill")


def test_more_than_is_allowed_is_said_in_the_snapshot(growing, load):
    load(3 * WINDOW_SECONDS + 10, 1.0)
    assert list(where(growing, "analyze")) == ["analyze-0", "analyze-1"]
    assert "all 2 analyzers are 100% in use" in growing.snapshot().shortage


def test_a_camera_that_costs_much_is_known_to_after_a_restart(running, starters, clock, tmp_path):
    for actor in starters.started:
        actor.reading_cores = {"gate": 1.75}
    steps(running, clock, 3 + int(KEEP_SECONDS))
    again = ReadingCosts(tmp_path / "state", clock)
    assert again.cores["gate"] == 1.75
    assert running.spec.wish(again.cores).decode_cores["gate"] == 1.75
    assert running.spec.wish().decode_cores["gate"] != 1.75


@pytest.fixture
def reading(supervise, cluster, starters, clock):
    """Four cameras that cost 0.9 of the only core, and a second decoder where that asks for one."""
    cluster.nodes = (Node("here", 1),)
    names = ("gate", "yard", "ramp", "door")
    more = "".join(f"  {name}: {{source: {{url: 'rtsp://127.0.0.1/{name}'}}}}\n" for name in names[2:])
    cameras = CAMERAS.replace("sinks:", f"{more}sinks:")
    costs = dict(zip(names, (0.3, 0.3, 0.2, 0.1), strict=True))
    starters.prepare = lambda actor: actor.reading_cores.update(costs)
    planner = Planner(clock, cluster.offer, reading=ReadingGrowth(1))
    asked = Wish(tuple((name,) for name in names), dict.fromkeys(names, 25.0), decoders=1)
    supervisor = supervise(
        make_plan(asked, cluster.offer()), cameras=cameras, planner=planner, runtime=", decoders: {min: 1, max: 2}"
    )
    supervisor.start(lambda _: None, threading.Event())
    return supervisor


def read_by(supervisor):
    return {each.name: set(each.cameras) for each in supervisor.snapshot().actors if each.kind == "decode"}


def test_another_decoder_takes_half_of_the_cameras_once_they_have_left_the_first(reading, starters, clock):
    steps(reading, clock, 3)
    (first,) = read_by(reading)
    steps(reading, clock, int(BUSY_SECONDS) + 8)
    assert {len(cameras) for cameras in read_by(reading).values()} == {2}
    second = starters.newest("decode-1")
    moved = read_by(reading)["decode-1"]
    diary = [(actor, method) for actor, method, _ in starters.diary if method in {"remove_feeds", "add_feeds"}]
    assert diary == [(f"{first}#2", "remove_feeds"), (second.actor, "add_feeds")], (
        "drained there before it is read here"
    )
    assert set(second.leases) == moved
    (status,) = [each for each in reading.snapshot().actors if each.name == "decode-1"]
    assert "took 2 of 4 cameras over from decode-0" in status.why


def test_the_decoder_that_is_given_back_settles_its_cameras_first_and_the_others_read_them(reading, starters, clock):
    steps(reading, clock, int(BUSY_SECONDS) + 12)
    second = starters.newest("decode-1")
    for actor in starters.started:
        actor.reading_cores = dict.fromkeys(actor.reading_cores, 0.01)
    steps(reading, clock, int(SETTLING_SECONDS + READING_QUIET_SECONDS) + 10)
    assert read_by(reading) == {"decode-0": {"gate", "yard", "ramp", "door"}}
    last = [method for actor, method, _ in starters.diary if actor == second.actor][-2:]
    assert last == ["remove_feeds", "kill"]


def test_cameras_of_a_decoder_that_follows_the_load_and_dies_are_read_by_the_others(reading, starters, clock):
    steps(reading, clock, int(BUSY_SECONDS) + 12)
    starters.prepare = lambda actor: setattr(actor, "is_hung", actor.name == "decode-1")
    starters.newest("decode-1").failure = PipelineError("its node is gone", code="died")
    steps(reading, clock, 12)
    assert read_by(reading) == {"decode-0": {"gate", "yard", "ramp", "door"}, "decode-1": set()}


def test_what_readers_and_analyzers_take_of_memory_is_known_after_a_restart(running, starters, clock, tmp_path):
    for actor in starters.started:
        actor.process_bytes = PROCESS_BYTES + 50 * MIB
        actor.use = LaneUse(2, clock.monotonic(), 0.0, 0, process_bytes=700 * MIB)
    steps(running, clock, 3 + int(KEEP_SECONDS))
    needs = MemoryUse(tmp_path / "state", clock).needs
    assert (needs.reader_bytes, needs.analyzer_bytes) == (50 * MIB, 700 * MIB)
    assert running.spec.wish({}, needs).memory == needs
