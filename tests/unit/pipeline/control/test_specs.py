"""What each actor is given, from a file on disk; Ray is imported along with the specs but never started."""

import pickle
from dataclasses import replace

import pytest

from pipeline.config import load_config
from pipeline.control.model import ModelSpec, model_spec
from pipeline.control.planning.plan import Plan, PublisherPlan
from pipeline.sources.kafka_topic import KafkaFeed
from pipeline.sources.video_file import FileFeed
from tests.clips import make_clip

CAMERAS = """\
cameras:
  gate: {source: {file: gate.mp4, frozen_after: 7s, stall_after: 4s}, sample: {fps: 2}, priority: 2}
  yard: {source: {url: "rtsp://127.0.0.1/yard"}, priority: -3}
  belt-a: {source: {kafka: {topic: belts}}, sample: {fps: 3}}
  belt-b: {source: {kafka: {topic: belts}}, sample: {fps: 4}}
"""
SINKS = "sinks: {kafka: {brokers: ['127.0.0.1:9']}, jsonl: {path: out}}\n"


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """Makes a `RunSpec` of a configuration with these sinks and this runtime."""
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # read when ray is imported: loopback alone
    from pipeline.control.planning.specs import RunSpec

    def made(sinks=SINKS, runtime=""):
        path = tmp_path / "cameras.yaml"
        path.write_text("version: 1\n" + sinks + runtime + CAMERAS)
        config = load_config(path)
        cameras = tuple(config.camera_spec(camera) for camera in config.cameras)
        return RunSpec(config, ModelSpec(config.model, config.heads, cameras, tmp_path / "artefacts", {}))

    return made


def test_a_feed_plan_carries_each_cameras_own_lease_and_settings(spec):
    (gate,) = spec().feed_plan(["gate"], {"gate": 41, "yard": 99}).cameras
    assert (gate.camera, gate.lease, gate.sample.fps) == ("gate", 41, 2.0)
    assert (gate.is_replayable, gate.frozen_after_seconds, gate.weight) == (True, 7.0, 3.0)
    plan = spec().feed_plan(["yard"], {"yard": 5})
    assert (plan.cameras[0].is_replayable, plan.cameras[0].weight) == (False, 1.0), "a low priority is no less than one"
    assert spec().feed_plan(["gate"], {"gate": 1}).stall_after_seconds == 4.0


def test_a_file_of_other_proportions_is_compiled_for_its_own_shape(spec, tmp_path):
    """So that what is made before the first picture (heads, warm-up, spaces) is made for what will come."""
    clip = make_clip(tmp_path / "square.mp4", 2, size=(240, 320))
    text = f"version: 1\n{SINKS}runtime: {{state_dir: {tmp_path / 'state'}}}\n{CAMERAS.replace('gate.mp4', str(clip))}"
    (tmp_path / "cameras.yaml").write_text(text)
    config = load_config(tmp_path / "cameras.yaml")
    model = model_spec(config)
    assert {each.camera: each.shape for each in model.cameras} == {
        "gate": (224, 294),
        "yard": (224, 392),
        "belt-a": (224, 392),
        "belt-b": (224, 392),
    }
    (gate,) = replace(spec(), config=config, model=model).feed_plan(["gate"], {"gate": 1}).cameras
    assert gate.spec.shape == (224, 294)


def test_cameras_of_one_topic_share_a_reader_under_the_highest_of_their_leases(spec):
    plan = spec().feed_plan(["belt-a", "belt-b"], {"belt-a": 12, "belt-b": 11})
    assert {each.camera: each.lease for each in plan.cameras} == {"belt-a": 12, "belt-b": 11}
    assert plan.open_feed.keywords == {"lease": 12}
    assert isinstance(plan.open_feed(), KafkaFeed)


def test_a_feed_plan_travels_to_another_process(spec):
    plan = spec().feed_plan(["gate"], {"gate": 41})
    there = pickle.loads(pickle.dumps(plan))
    assert there.cameras == plan.cameras
    assert (there.stall_after_seconds, there.backoff) == (plan.stall_after_seconds, plan.backoff)
    assert isinstance(there.open_feed(), FileFeed)


@pytest.mark.parametrize(
    ("sinks", "required"),
    [
        ("{kafka: {}, jsonl: {path: out}}", {"kafka"}),
        ("{jsonl: {path: out}, kafka: {}}", {"jsonl"}),
        ("{redis: {required: false}, kafka: {}}", set()),
        ("{redis: {}, kafka: {required: true}}", {"redis", "kafka"}),
    ],
)
def test_the_first_sink_is_required_unless_the_file_says_otherwise(spec, sinks, required):
    assert spec(f"sinks: {sinks}\n").required_sinks == required


def test_thumbnails_are_kept_of_searched_cameras_whose_frames_cannot_be_had_again(spec):
    def seconds(run):
        plan = Plan(decoders=(), analyzers=(), publishers=(PublisherPlan("publish-0", tuple(run.cameras)),), credits={})
        cameras = run.publish_spec("publish-0", plan).cameras
        return {each.spec.camera: each.thumbnail_seconds for each in cameras}

    assert set(seconds(spec()).values()) == {0.0}, "nobody said that there is a gallery"
    by_default = seconds(spec(runtime="gallery: {store: g}\n"))
    assert by_default == {"gate": 0.0, "yard": 5.0, "belt-a": 5.0, "belt-b": 5.0}, "gate is a file"
    assert seconds(spec(runtime="gallery: {thumbnails: 2s}\n"))["yard"] == 2.0
    assert set(seconds(spec(runtime="gallery: {thumbnails: 0s}\n")).values()) == {0.0}


def test_the_wish_names_readers_and_rates_and_leaves_auto_open(spec):
    wish = spec().wish()
    assert wish.feeds == (("gate",), ("yard",), ("belt-a", "belt-b"))
    assert wish.rates == {"gate": 2.0, "yard": 25.0, "belt-a": 3.0, "belt-b": 4.0}, "without sample.fps: 25"
    assert (wish.decoders, wish.analyzers, wish.publishers) == (None, None, 1)


def test_written_numbers_of_processes_are_in_the_wish(spec):
    wish = spec(runtime="runtime: {decoders: 2, analyzers: 3, publishers: 4}\n").wish()
    assert (wish.decoders, wish.analyzers, wish.publishers) == (2, 3, 4)
