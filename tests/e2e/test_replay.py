"""The simulated dock, published to real brokers; the publisher is killed, and what they hold replays identically."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.secrets import Secrets
from pipeline.sinks.config import KafkaSinkConfig
from pipeline.sinks.topics import create_topics, planned_topics

pytestmark = [pytest.mark.redis, pytest.mark.kafka]

ROOT = Path(__file__).parents[2]
CONFIG = """
version: 1
site: {{name: north-quay}}
model: {{weights: random}}
heads: {{depth: {{kind: depth, checkpoint: simulated}}}}
cameras:
  dock-03:
    source: {{simulated: dock, seed: 8}}
    heads: [embedding, depth]
    rules:
      too_close: {{measure: distance_to(dock), enter: "< 3.0 m", exit: "> 3.6 m", hold: 600ms, severity: critical}}
sinks:
  redis: {{url: "{redis}", prefix: "{prefix}"}}
  kafka: {{brokers: ["{kafka}"], prefix: "{prefix}"}}
  jsonl: {{path: "{lines}"}}
runtime: {{state_dir: "{state}"}}
"""


def publish(config: Path, folder: Path, lease: int, first: int, count: int, *, kill_after: int | None = None) -> None:
    command = [sys.executable, "-m", "tests.fakes_replay_child", str(config), str(folder)]
    command += [str(lease), str(first), str(count)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for number, _ in enumerate(child.stdout, 1):
            if number == kill_after:
                child.kill()
                break
        child.stdout.close()
        assert (child.wait(60) == 0) == (kill_after is None)


def replay(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "main.py", "replay", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_what_brokers_and_files_hold_replays_identically_over_a_kill(tmp_path, redis_url, tansu_brokers, prefix):
    kafka = KafkaSinkConfig(brokers=(tansu_brokers,), prefix=prefix)
    create_topics(kafka, Secrets({}), planned_topics(kafka))
    config, lines = tmp_path / "cameras.yaml", tmp_path / "lines"
    config.write_text(
        CONFIG.format(redis=redis_url, kafka=tansu_brokers, prefix=prefix, lines=lines, state=tmp_path / "run")
    )
    publish(config, tmp_path, 17, 0, 200, kill_after=80)
    publish(config, tmp_path, 18, 82, 118)

    whole = [replay(str(config), "--from", source) for source in ("redis", "kafka", "jsonl")]
    alone = replay(f"{redis_url}/{prefix}:results:dock-03")
    for said in [*whole, alone, replay(str(lines))]:
        assert said.returncode == 0, said.stdout + said.stderr
        found = re.search(r"identical: (\d+) transitions \(phase of every result, every alert\)", said.stdout)
        assert found is not None, said.stdout
        taken = re.search(r"(\d+) alert\(s\) taken as recorded", said.stdout)
        assert int(found[1]) + (int(taken[1]) if taken else 0) == 4, said.stdout
        assert "2 episodes" in said.stdout
    less = replay(str(lines), "--what-if", "too_close.hold = 5s")
    assert less.returncode == 0
    assert "0 episodes, 0.0 s in all instead of" in less.stdout
