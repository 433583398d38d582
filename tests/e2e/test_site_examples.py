"""The shipped sites, run as they are but for addresses and folders: each ends with its event."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis
import yaml

from tests.e2e.pipeline_process import ROOT, PipelineProcess, until

pytestmark = [pytest.mark.ray, pytest.mark.redis, pytest.mark.slow, pytest.mark.timeout(500)]

SITES = [("construction_site", "gate-2/truck_at_gate/1/start"), ("landmarks", "tour/landmark/1/start")]


def moved(name: str, folder: Path, redis_url: str, prefix: str) -> Path:
    """The configuration with servers and folders of the test."""
    site = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())
    site["secrets"] = {"token": "${env:CONTROL_TOKEN}"}
    site["sinks"]["redis"] |= {"url": redis_url, "prefix": prefix}
    site["runtime"] = {"state_dir": str(folder / "state"), "http": {"bind": "127.0.0.1:0", "token": "token"}}
    site["evidence"] = {"store": str(folder / "evidence")}
    site.get("gallery", {})["store"] = str(folder / "gallery")
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(site))
    return path


@pytest.mark.parametrize(("name", "alert"), SITES)
def test_a_shipped_site_raises_its_alert(tmp_path, redis_url, prefix, name, alert):
    camera = alert.partition("/")[0]
    pipeline = PipelineProcess(moved(name, tmp_path, redis_url, prefix), start_seconds=240)
    with redis.Redis.from_url(redis_url) as client, pipeline as run:
        until(f"an alert of {camera}", lambda: client.xlen(f"{prefix}:alerts:{camera}") > 0, seconds=150)
        (_, fields), *_ = client.xrange(f"{prefix}:alerts:{camera}")
        assert fields[b"ce_id"].decode() == alert
        assert json.loads(fields[b"data"])["camera"] == camera
        assert run.terminate() == 0, run.text
