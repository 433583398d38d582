"""Machines that are killed, frozen and cut off, watched by foreign clients of both brokers.

Each node of Ray is a network namespace with an address of its own, which sees nothing of the state. `SEED` moves the
order and the moments; `pytest --log-cli-level=INFO` tells the times.
"""

from __future__ import annotations

import pytest

from tests.e2e.lost.site import (
    CAMERAS,
    actor,
    check_alerts,
    check_ledger,
    check_order,
    check_recording,
    goes_on,
    log,
    took,
)
from tests.e2e.pipeline_process import PipelineProcess

pytestmark = [pytest.mark.ray, pytest.mark.cluster, pytest.mark.redis, pytest.mark.kafka, pytest.mark.timeout(1800)]

WAYS = {"kill": None, "freeze": "wake", "cut_off": "restore"}
"""How a machine is lost, and how it comes back."""


@pytest.fixture
def run(site, machines):
    """The pipeline, with an analyzer on each machine."""
    with PipelineProcess(site.config, 300) as pipeline:
        took(lambda: _all_compute(pipeline, machines), "both compute")
        yield pipeline
        log.info("%s", pipeline.text)


@pytest.mark.parametrize("whom", ["reads", "computes"])
def test_machines_are_lost_one_after_the_other(run, site, machines, whom):
    for way in site.random.sample(list(WAYS), len(WAYS)):
        goes_on(site.brokers)
        reader = _reader(run, machines)
        lost = next(each for each in machines if (each is reader) == (whom == "reads"))
        site.pause(0.0, 4.0)
        _lose(way, lost, site.brokers, is_reader=whom == "reads")
        assert _reader(run, machines) not in {lost, None}
        took(lambda: len(run.status()["nodes"]) == 1, f"{way}: the machine counts as lost")
        _come_back(way, lost)
        goes_on(site.brokers)
        site.ray.join(lost, place="yard")
        took(lambda: _all_compute(run, machines), "it computes again")
    _finish(run, site.brokers)


def test_a_machine_that_is_silent_too_shortly_for_ray_is_left_with_no_old_owner(run, site, machines):
    """The supervisor misses its actors after ten seconds, Ray the machine after twelve."""
    goes_on(site.brokers)
    lost, before = _reader(run, machines), actor(run, "decode")
    lost.cut_off()
    took(lambda: actor(run, "decode")["restarts"] > before["restarts"], "its decoder is given up", 60)
    lost.restore()
    took(lambda: before["pid"] not in lost.pids, "the old decoder has ended")
    goes_on(site.brokers)
    assert site.brokers.results("dock")[-1].position[0] > site.brokers.results("dock")[0].position[0], "a new lease"
    _finish(run, site.brokers)


def _lose(way, machine, brokers, *, is_reader):
    lease = brokers.results("dock")[-1].position[0]
    getattr(machine, way)()
    if is_reader:
        took(lambda: brokers.results("dock")[-1].position[0] > lease, f"{way}: the live camera is read elsewhere")
    goes_on(brokers)


def _come_back(way, machine):
    """What was lost ends by itself: nobody wants it any more."""
    if (back := WAYS[way]) is not None:
        getattr(machine, back)()
        took(lambda: not machine.pids, f"{back}: what was lost ends by itself")


def _finish(pipeline, brokers):
    took(lambda: brokers.results("gate")[-1].position[1] < 5, "the recording begins its next round", 60)
    log.info("%s", check_ledger(pipeline, brokers))
    assert pipeline.terminate() == 0, pipeline.text
    assert pipeline.text.count("unaccounted 0") == len(CAMERAS), pipeline.text
    check_order(brokers)
    check_alerts(brokers)
    check_recording(brokers)


def _all_compute(pipeline, machines):
    pids = {each["pid"] for each in pipeline.status()["actors"] if each["kind"] == "analyze" and each["pid"]}
    return all(pids & set(machine.pids) for machine in machines)


def _reader(pipeline, machines):
    """Which machine reads the cameras; None: none does now."""
    pid = actor(pipeline, "decode")["pid"]
    return next((machine for machine in machines if pid in machine.pids), None)
