from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.messages import Message
from pipeline.secrets import Secrets
from pipeline.sinks.config import KafkaSinkConfig, RedisSinkConfig, SinksConfig
from pipeline.sinks.registry import build_sinks
from tests.contract.sink_contract import running
from tests.fakes_sinks import message, results

pytestmark = [pytest.mark.redis, pytest.mark.kafka]

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path: Path, redis_url: str, tansu_brokers: str, prefix: str) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(
        f"""\
version: 1
cameras:
  dock-01: {{source: {{simulated: dock, seed: 7}}}}
  dock-02: {{source: {{simulated: dock, seed: 8}}}}
sinks:
  redis: {{url: "{redis_url}", prefix: {prefix}}}
  kafka: {{brokers: ["{tansu_brokers}"], prefix: {prefix}}}
"""
    )
    return path


def main(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "main.py", *words], cwd=_ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def deliver(sinks: SinksConfig, messages: Sequence[Message]) -> None:
    for sink in build_sinks(sinks, "test", Secrets({}))[0]:
        with running(sink) as settled:
            sink.put(messages)
            settled.await_number(len(messages))


def test_topics_then_events_as_json_lines_from_both_brokers(
    config: Path, redis_url: str, tansu_brokers: str, prefix: str
) -> None:
    checked = main("topics", "check", str(config))
    assert (checked.returncode, checked.stdout.count("is not there")) == (1, 5)
    created = main("topics", "create", str(config))
    assert (created.returncode, created.stdout.count("created")) == (0, 5)
    assert main("topics", "check", str(config)).returncode == 0

    sent = [*results(0, 3, "dock-01"), *results(0, 3, "dock-02"), message("alert", 9, "dock-02")]
    sinks = SinksConfig(
        redis=RedisSinkConfig(url=redis_url, prefix=prefix),
        kafka=KafkaSinkConfig(brokers=(tansu_brokers,), prefix=prefix),
    )
    deliver(sinks, sent)
    for broker in ("redis", "kafka"):
        read = main("subscribe", str(config), "--from", broker, "--from-start", "--camera", "dock-02", "--count", "3")
        assert read.returncode == 0, read.stderr
        lines = [json.loads(line) for line in read.stdout.splitlines()]
        assert [line["id"] for line in lines] == [one.id for one in sent[3:6]]
        assert [line["data"]["number"] for line in lines] == [0, 1, 2]
        read = main("subscribe", str(config), "--from", broker, "--from-start", "--kind", "alerts", "--count", "1")
        assert [json.loads(line)["id"] for line in read.stdout.splitlines()] == [sent[6].id]


def test_without_from_start_only_what_comes_from_now_on(config: Path, redis_url: str, prefix: str) -> None:
    sinks = SinksConfig(redis=RedisSinkConfig(url=redis_url, prefix=prefix))
    deliver(sinks, [message("alert", 1)])
    with subprocess.Popen(
        [sys.executable, "main.py", "subscribe", str(config), "--kind", "alerts", "--count", "1"],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stderr is not None
        assert reader.stderr.readline() == "subscribed to alerts\n"
        deliver(sinks, [message("alert", 2)])
        assert json.loads(reader.stdout.readline())["id"] == message("alert", 2).id
        assert reader.wait(30) == 0


def test_mistakes_are_one_sentence_and_an_exit_code(config: Path) -> None:
    unknown = main("subscribe", str(config), "--camera", "dock-99")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    known = "expected one of dock-01, dock-02; did you mean 'dock-02'?"
    assert unknown.stderr == f"error: unknown camera 'dock-99': {known}\n"

    neither = main("topics", "check")
    assert (neither.returncode, neither.stderr) == (2, "error: expected either CONFIG or --brokers host:port\n")

    for words in (["topics", "check", "--brokers", "127.0.0.1:1"], ["topics", "create", "--brokers", "127.0.0.1:1"]):
        absent = main(*words)
        assert absent.returncode == 3
        assert absent.stderr.count("\n") == 1
        assert absent.stderr.startswith("error: Kafka at 127.0.0.1:1 refuses the connection")
