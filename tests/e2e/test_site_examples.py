"""The shipped sites, run as they are but for addresses and folders: each ends with its event."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis
import yaml

from tests.e2e.pipeline_process import ROOT, PipelineProcess
from tests.waiting import until

pytestmark = [pytest.mark.ray, pytest.mark.redis, pytest.mark.slow, pytest.mark.timeout(500)]

SITES = [("construction_site", "gate-2/truck_at_gate/1/start"), ("landmarks", "tour/landmark/1/start")]


@pytest.fixture
def moved(tmp_path, redis_url, prefix, ray_address):
    """A shipped configuration with servers and folders of the test, by its name."""

    def write(name: str) -> Path:
        site = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())
        site["secrets"] = {"token": "${env:CONTROL_TOKEN}"}
        site["sinks"]["redis"] |= {"url": redis_url, "prefix": prefix}
        http = {"bind": "127.0.0.1:0", "token": "token"}
        site["runtime"] = {"ray": ray_address, "state_dir": str(tmp_path / "state"), "http": http}
        site["evidence"] = {"store": str(tmp_path / "evidence")}
        site.get("gallery", {})["store"] = str(tmp_path / "gallery")
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(site))
        return path

    return write


@pytest.mark.parametrize(("name", "alert"), SITES)
def test_a_shipped_site_raises_its_alert(moved, redis_url, prefix, name, alert):
    camera = alert.partition("/")[0]
    pipeline = PipelineProcess(moved(name), start_seconds=240)
    with redis.Redis.from_url(redis_url) as client, pipeline as run:
        until(f"an alert of {camera}", lambda: client.xlen(f"{prefix}:alerts:{camera}") > 0, seconds=150)
        (_, fields), *_ = client.xrange(f"{prefix}:alerts:{camera}")
        assert fields[b"ce_id"].decode() == alert
        assert json.loads(fields[b"data"])["camera"] == camera
        assert run.terminate() == 0, run.text
