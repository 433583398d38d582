"""A node that has neither the state's folder nor the weights and may not fetch them: the cluster brings both."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import redis

from tests.e2e.pipeline_process import PipelineProcess, stream
from tests.e2e.site_file import site_file
from tests.e2e.test_bank_add import main, write_pictures
from tests.official_files import write_backbone
from tests.waiting import until

CONFIG = site_file(
    "apart",
    """
heads:
  vehicles: {{kind: knn, bank: {bank}}}
cameras:
  dock:
    source: {{simulated: dock, seed: 5, fps: 10}}
    sample: {{fps: 10, max_age: 5s}}
    heads: [embedding, vehicles]
""",
    weights="{weights}",
)
APART = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]


@pytest.fixture
def apart(ray_cluster):
    """Adds a node to whom the folder of the site is empty."""
    has_tool = shutil.which(APART[0]) is not None
    tried = [*APART, "mount -t tmpfs none /mnt"]
    if not has_tool or subprocess.run(tried, capture_output=True, check=False).returncode != 0:
        pytest.skip("a mount namespace needs rights that this user has not")
    started = []

    def add(site: Path, cache: Path):
        ray = Path(sys.executable).with_name("ray")
        start = f"{ray} start --address={ray_cluster.address} --num-cpus=1 --object-store-memory={100 * 2**20} --block"
        node = subprocess.Popen(
            [*APART, f"mount -t tmpfs none {site} && exec {start}"],
            env={**os.environ, "DINOSTREAM_CACHE": str(cache), "RAY_AUTH_MODE": "disabled"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        started.append(node)

    yield add
    for node in started:
        os.killpg(node.pid, signal.SIGTERM)
        node.wait(30)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file, and an address that gives it to the first who asks and refuses everybody else."""
    monkeypatch.setenv("DINOSTREAM_CACHE", str(tmp_path / "site" / "cache"))
    path = write_backbone(tmp_path / "site")
    served = [path]

    class Files(BaseHTTPRequestHandler):
        def do_GET(self):
            if not served:
                self.send_error(403)
                return
            data = served.pop().read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield path, f"http://127.0.0.1:{server.server_port}/{path.name}"
        server.shutdown()
        thread.join()


@pytest.mark.ray
@pytest.mark.cluster
@pytest.mark.redis
@pytest.mark.timeout(600)
def test_weights_and_banks_reach_a_node_that_has_neither(weights, redis_server, prefix, ray_cluster, apart):
    path, address = weights
    site, cache = path.parent, path.parents[1] / "cache"
    write_pictures(site / "pictures")
    bank = site / "bank"
    built = main(
        *("bank", "build", str(site / "pictures"), "--out", str(bank)), "--weights", str(path), "--shape", "56x98"
    )
    assert built.returncode == 0, built.stderr
    config = site.parent / "cameras.yaml"
    places = {"weights": f'"{address}"', "bank": bank, "state": site / "state", "ray": ray_cluster.address}
    config.write_text(CONFIG.format(redis=redis_server.url, prefix=prefix, **places))
    client = redis.Redis.from_url(redis_server.url)
    with PipelineProcess(config, 300) as pipeline:
        until("results", lambda: client.xlen(f"{prefix}:results:dock") > 3)
        apart(site, cache)
        until("it computes there", lambda: _analyzers(pipeline) == ["running", "running"], seconds=180)
        (here,) = [each for each in pipeline.status()["actors"] if each["name"] == "analyze-0"]
        os.kill(here["pid"], signal.SIGKILL)  # what the other one computes is seen alone
        before = client.xlen(f"{prefix}:results:dock")
        until("more results", lambda: client.xlen(f"{prefix}:results:dock") > before + 10)
        assert pipeline.terminate() == 0, pipeline.text
    assert pipeline.text.count("unaccounted 0") == 1, pipeline.text
    bodies = [body for _, kind, body in stream(client, f"{prefix}:results:dock") if kind.endswith("result.v1")]
    assert all(body["model"] == bodies[0]["model"] for body in bodies)
    assert all("head/vehicles@1" in body["artefacts"] for body in bodies)
    assert [each.name for each in (cache / "fetched").glob("*/*.pth")] == [path.name], "a copy by content"
    assert list((cache / "artefacts").rglob("vehicles@1"))


def _analyzers(pipeline):
    return [each["state"] for each in pipeline.status()["actors"] if each["kind"] == "analyze"]
