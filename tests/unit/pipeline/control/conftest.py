"""A supervisor of two cameras over fake actors."""

import threading

import pytest

from pipeline.config import load_config
from pipeline.control.model import ModelSpec
from pipeline.control.planning.plan import AnalyzerPlan, DecoderPlan, Plan, PublisherPlan, Wish
from tests.fakes_actors import FakeStarters, SteppingClock

CAMERAS = """\
version: 1
cameras:
  gate: {source: {file: gate.mp4}}
  yard: {source: {url: "rtsp://127.0.0.1/yard"}}
sinks: {jsonl: {path: out}}
"""
PLAN = Plan(
    decoders=(DecoderPlan("decode-0", (("gate",),), "here"), DecoderPlan("decode-1", (("yard",),), "here")),
    analyzers=(AnalyzerPlan("analyze-0", 2, 0, 1, 0.0, "here"),),
    publishers=(PublisherPlan("publish-0", ("gate", "yard")),),
    credits={("decode-0", "analyze-0"): 1, ("decode-1", "analyze-0"): 2},
)


@pytest.fixture
def starters():
    return FakeStarters()


@pytest.fixture
def clock():
    return SteppingClock()


@pytest.fixture
def supervise(tmp_path, monkeypatch, starters, clock):
    """A supervisor of a plan, over nodes and cameras."""
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # read when ray is imported: loopback alone
    from pipeline.control.planning.planner import Planner
    from pipeline.control.planning.specs import RunSpec
    from pipeline.control.supervisor import Supervisor

    (tmp_path / "state").mkdir()

    def made(plan, look=None, cameras=CAMERAS, planner=None, runtime=""):
        path = tmp_path / "cameras.yaml"
        path.write_text(cameras + f"runtime: {{state_dir: {tmp_path / 'state'}{runtime}}}\n")
        config = load_config(path)
        specs = tuple(config.camera_spec(camera) for camera in config.cameras)
        spec = RunSpec(config, ModelSpec(config.model, config.heads, specs, tmp_path / "artefacts", {}))
        return Supervisor(spec, plan, clock, starters, planner or Planner(clock, look))

    return made


@pytest.fixture
def wish():
    """Of the two cameras."""
    return Wish((("gate",), ("yard",)), {"gate": 25.0, "yard": 25.0})


@pytest.fixture
def supervisor(supervise):
    return supervise(PLAN)


@pytest.fixture
def running(supervisor):
    """Started, and seen once."""
    supervisor.start(lambda _: None, threading.Event())
    supervisor.step()
    return supervisor
