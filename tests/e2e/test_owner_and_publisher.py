"""The owner and the real publisher in one process, and an owner that is killed: no model, no broker, no Ray."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from operators.results import ModelInfo
from pipeline.clock import SystemClock
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.config import GateConfig, SampleConfig
from pipeline.frame_path.owner.handles import FeedPlan
from pipeline.frame_path.owner.ledger import ledger_path, read_ledger
from pipeline.frame_path.owner.owner import Owner
from pipeline.frame_path.publisher.publisher import PublishedCamera, Publisher
from pipeline.secrets import Secrets
from pipeline.sinks.config import EvidenceConfig, JsonlSinkConfig, OutboxConfig, SinksConfig
from pipeline.sinks.registry import build_sinks
from tests.fakes import End, FakeAnalyzer, Rubbish, Script, Show, Silence, owned
from tests.waiting import until

ROOT = Path(__file__).parents[2]
MODEL = ModelInfo("none", "random", "f" * 64, "apache-2.0", {"28x42": "s" * 64})
LIMIT_SECONDS = 30.0


class DirectPublisher:
    """A handle that calls the publisher in this process."""

    name = "publish-0"

    def __init__(self, publisher: Publisher) -> None:
        self.attach = publisher.attach
        self.publish = publisher.publish


def publisher_of(tmp_path, cameras) -> Publisher:
    sinks, required = build_sinks(SinksConfig(jsonl=JsonlSinkConfig(path=str(tmp_path / "out"))), "site", Secrets({}))
    return Publisher(
        cameras=[PublishedCamera(each.spec, each.is_replayable) for each in cameras],
        sinks=sinks,
        required=required,
        state_dir=tmp_path / "publish-0",
        site="site",
        timezone="UTC",
        model=MODEL,
        outbox=OutboxConfig(),
        evidence=EvidenceConfig(store=str(tmp_path / "evidence")),
        clock=SystemClock(),
    )


def test_what_the_owner_counts_is_what_a_subscriber_finds(tmp_path):
    file = owned("archive", is_replayable=True)
    live = owned("dock-03", sample=SampleConfig(max_age=60.0, gate=GateConfig(refresh=3600.0)))
    scripts = {
        "archive": Script("archive", [Show(200), Rubbish(), Show(100), End()], is_replayable=True),
        "dock-03": Script("dock-03", [Show(30, 10), Show(30), Silence(threading.Event())]),
    }
    publisher = publisher_of(tmp_path, [file, live])
    publisher.start()
    handle = DirectPublisher(publisher)
    owner = Owner(
        "decode-0",
        [FeedPlan((each,), scripts[each.camera].feed) for each in (file, live)],
        analyzers=[(FakeAnalyzer(), 2)],
        publisher_of=lambda _: handle,
        clock=SystemClock(),
        state_dir=tmp_path,
        limits=BatchLimits(max_batch_size=4),
    )
    owner.start()
    until("the end of the file", lambda: owner.snapshot()[0].state == "ended")
    until("the live camera", lambda: owner.snapshot()[1].ledger.received == 60)
    assert owner.drain(LIMIT_SECONDS)
    counted = {each.camera: each.ledger for each in owner.snapshot()}
    owner.stop(5.0)
    publisher.close(5.0)

    lines = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text("utf-8").splitlines()]
    found = {camera: [line for line in lines if f"{camera}/" in json.dumps(line)] for camera in counted}
    for camera, ledger in counted.items():
        assert ledger.unaccounted == ledger.in_flight == 0
        assert len(found[camera]) == ledger.analysed + ledger.gated
    assert (counted["archive"].analysed, counted["archive"].undecodable) == (300, 1)
    assert counted["dock-03"].gated > 0
    sinks = {each.camera: each for each in publisher.snapshot().ledgers}
    for camera, ledger in counted.items():
        sink = sinks[camera]
        assert sink.queued == 0
        assert sink.acknowledged == ledger.analysed + ledger.gated


KILLED = """
import sys, threading
from pathlib import Path
from pipeline.clock import SystemClock
from pipeline.frame_path.owner.batching import BatchLimits
from pipeline.frame_path.owner.config import SampleConfig
from pipeline.frame_path.owner.handles import FeedPlan
from pipeline.frame_path.owner.owner import Owner
from tests.fakes import FakeAnalyzer, FakePublisher, Script, Show, owned

scripts = [Script("archive", [Show(10**9)], is_replayable=True), Script("dock-03", [Show(10**9)])]
cameras = [owned("archive", is_replayable=True), owned("dock-03", sample=SampleConfig(max_age=60.0))]
publisher = FakePublisher()
owner = Owner(
    "decode-0", [FeedPlan((c,), s.feed) for c, s in zip(cameras, scripts)], analyzers=[(FakeAnalyzer(), 3)],
    publisher_of=lambda _: publisher, clock=SystemClock(), state_dir=Path(sys.argv[1]), limits=BatchLimits(),
)
owner.start()
print("running", flush=True)
threading.Event().wait()
"""


def test_the_ledgers_of_a_killed_owner_are_exact_to_one_transition(tmp_path):
    environment = {**os.environ, "PYTHONPATH": "."}
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"running\n"
        paths = [ledger_path(tmp_path, camera, 7) for camera in ("archive", "dock-03")]
        until("some frames", lambda: all(read_ledger(path).analysed > 50 for path in paths))
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    for path in paths:
        ledger = read_ledger(path)
        assert abs(ledger.unaccounted) <= 1
        assert ledger.in_flight <= 300
