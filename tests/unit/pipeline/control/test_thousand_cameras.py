"""A thousand cameras that send nothing, in the real supervisor: what it does for each grows no faster than they do."""

import os
import threading
from collections import Counter

import pytest
from prometheus_client import generate_latest

from pipeline.clock import SystemClock
from pipeline.control.planning.plan import Offer
from pipeline.control.planning.topology import make_plan
from pipeline.control.serving.telemetry import registry
from pipeline.control.supervisor import Supervisor
from pipeline.frame_path.owner.ledger import KEPT_LEDGERS, ledger_path
from tests.bench.scale.control_plane import offer_for, run_spec
from tests.bench.scale.still_actors import StillStarters

CAMERAS = 1000
PUBLISHERS = 3


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return run_spec(tmp_path_factory.mktemp("thousand"), CAMERAS, publishers=PUBLISHERS)


@pytest.fixture(scope="module")
def plan(spec):
    return make_plan(spec.wish(), offer_for(CAMERAS))


def start(spec, plan, starters):
    made = Supervisor(spec, plan, SystemClock(), starters)
    made.start(lambda _: None, threading.Event())
    return made


@pytest.fixture(scope="module")
def starters():
    return StillStarters()


@pytest.fixture(scope="module")
def supervisor(spec, plan, starters):
    """Started and seen once; for tests that only look."""
    made = start(spec, plan, starters)
    made.step()
    yield made
    made.stop()


def all_actors(starters):
    return [actor for actors in starters.started.values() for actor in actors]


def test_every_camera_is_read_once_and_each_decoder_is_told_of_its_publishers(supervisor, plan, starters):
    assert len(supervisor.snapshot().cameras) == CAMERAS
    readers = Counter(camera for actor in all_actors(starters) for camera in actor.leases)
    assert set(readers.values()) == {1}
    assert len(readers) == CAMERAS
    for decoder in plan.decoders[::20]:
        _, publishers = starters.started[decoder.name][0].told["start"]
        told = {camera: name for camera, (name, _) in publishers.items()}
        assert told == {camera: plan.publisher_of(camera) for camera in decoder.cameras}


def test_leases_reach_the_disk_once_for_each_decoder_and_not_once_for_each_camera(spec, plan, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(file), real(file)))
    start(spec, plan, StillStarters()).stop()
    assert len(synced) == len(plan.decoders)


def test_a_step_is_one_call_to_each_actor(supervisor, starters):
    before = Counter({actor.name: len(actor.calls) for actor in all_actors(starters)})
    supervisor.step()
    after = Counter({actor.name: len(actor.calls) for actor in all_actors(starters)})
    assert after - before == Counter(dict.fromkeys(before, 1))


def test_the_loss_of_a_node_starts_only_what_ran_there_again(spec, plan):
    starters = StillStarters()
    supervisor = start(spec, plan, starters)
    gone = offer_for(CAMERAS).nodes[0].id
    nodes = tuple(each for each in offer_for(CAMERAS).nodes if each.id != gone)
    supervisor.carry_out(make_plan(spec.wish(), Offer(nodes), before=plan))
    supervisor.step()
    again = {name for name, actors in starters.started.items() if len(actors) > 1}
    supervisor.stop()
    assert again == {each.name for each in plan.decoders if each.node == gone}
    assert all(starters.started[name][1].leases.keys() == starters.started[name][0].leases.keys() for name in again)
    assert all(
        lease > starters.started[name][0].leases[camera]
        for name in again
        for camera, lease in starters.started[name][1].leases.items()
    )


def test_the_totals_of_all_cameras_are_those_of_each(supervisor):
    snapshot = supervisor.snapshot()
    totals = snapshot.totals()
    assert list(totals) == sorted(each.camera for each in snapshot.cameras)
    assert all(totals[camera] == snapshot.total(camera) for camera in list(totals)[::97])


def test_metrics_name_each_camera_and_grow_with_them_alone(supervisor):
    lines = generate_latest(registry(supervisor.snapshot)).decode().splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    of_camera = Counter(line.partition('camera="')[2].partition('"')[0] for line in samples if 'camera="' in line)
    assert len(of_camera) == CAMERAS
    assert len(set(of_camera.values())) == 1
    assert len(samples) - sum(of_camera.values()) < 10 * len(supervisor.snapshot().actors)


def test_a_start_leaves_the_newest_ledgers_of_every_camera(spec, plan):
    of_two = ("cam-00000", "cam-00999")
    for camera in of_two:
        for lease in range(1, KEPT_LEDGERS + 4):
            path = ledger_path(spec.state_dir, camera, lease)
            path.parent.mkdir(exist_ok=True)
            path.touch()
    start(spec, plan, StillStarters()).stop()
    left = sorted(path.stem for path in (spec.state_dir / "ledgers").iterdir())
    assert left == sorted(f"{camera}@{lease}" for camera in of_two for lease in range(4, KEPT_LEDGERS + 4))
