"""The driver, and the head with it, are killed while machines live on: a restart from the state knows where it was."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.e2e.lost.site import CAMERAS, check_alerts, check_order, check_recording, goes_on, log, took
from tests.e2e.pipeline_process import PipelineProcess

pytestmark = [pytest.mark.ray, pytest.mark.cluster, pytest.mark.redis, pytest.mark.kafka, pytest.mark.timeout(1200)]


def test_the_driver_is_killed_in_an_episode_and_a_machine_is_cut_off_meanwhile(site, machines):
    pids = _killed_run(site)
    machines[0].cut_off()
    with _Restarted(site, machines):
        machines[0].restore()
        took(lambda: _have_ended(pids), "every actor of the old run has ended")


def test_the_head_is_killed_with_all_that_it_knew(site, machines):
    pids = _killed_run(site)
    site.ray.kill_head()
    site.ray.start_head()
    for machine in machines:
        site.ray.join(machine, place="yard")  # beside what was left of the old cluster there
    with _Restarted(site, machines):
        took(lambda: _have_ended(pids), "every actor of the old run has ended")


def _killed_run(site):
    """A run with a mute, killed while an episode is open; the pids of its actors."""
    brokers = site.brokers
    with PipelineProcess(site.config, 300) as first:
        goes_on(brokers)
        assert first.post("/cameras/gate/mute", by="anna", for_seconds=7200, reason="crane works")[0] == 200
        pids = [each["pid"] for each in first.status()["actors"]]
        count = len(brokers.alerts("gate", "start"))
        took(lambda: len(brokers.alerts("gate", "start")) > count, "an episode begins", 60)
        site.pause(0.0, 1.0)
        first.signal(signal.SIGKILL)
        first.wait()
    assert _is_open(brokers), "killed within the episode"
    return pids


class _Restarted:
    """A second run from the same state; on leaving, all that must hold of both is checked."""

    def __init__(self, site, machines):
        self._site, self._machines = site, machines
        self._brokers = site.brokers

    def __enter__(self):
        brokers, began = self._brokers, time.monotonic()
        before = {camera: len(brokers.results(camera)) for camera in CAMERAS}
        self._starts = len(brokers.alerts("gate", "start"))
        self._run = PipelineProcess(self._site.config, 300).__enter__()
        took(lambda: any(len(brokers.results(each)) > before[each] for each in CAMERAS), "first result after its start")
        log.info("from `main.py run` to the first result: %.1f s", time.monotonic() - began)
        goes_on(brokers)

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self._check()
        finally:
            log.info("%s", self._run.text)
            self._run.__exit__()

    def _check(self):
        brokers = self._brokers
        took(lambda: len(brokers.alerts("gate", "end")) > self._starts, "the open episode and one more end", 60)
        assert self._run.terminate() == 0, self._run.text
        assert self._run.text.count("unaccounted 0") == len(CAMERAS), self._run.text
        check_order(brokers)
        check_alerts(brokers)
        check_recording(brokers)
        (opened, *after), ends = (brokers.alerts("gate", kind)[self._starts - 1 :] for kind in ("start", "end"))
        assert all(each.body["muted"] and not each.body["notify"] for each in (*after, *ends)), "the mute holds"
        assert opened.id == f"gate/bright/{self._starts}/start"
        assert len([each for each in brokers.in_redis("gate", "alerts") if each.kind == "alert.mute"]) == 1


def _is_open(brokers):
    """An episode has begun and not ended."""
    return len(brokers.alerts("gate", "start")) > len(brokers.alerts("gate", "end"))


def _have_ended(pids):
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)
