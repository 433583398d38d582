import pickle
from pathlib import Path

import pytest

from operators.units import Threshold
from pipeline.config import ConfigError, load_config

HERE = Path(__file__).parent
SINK = "sinks: {jsonl: {path: out}}\n"


def write(tmp_path, text, name="cameras.yaml"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def mistakes(path):
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return str(caught.value)


def test_the_whole_grammar_is_parsed():
    config = load_config(HERE / "example.yaml")
    assert list(config.cameras) == ["dock-03", "yard-01", "weighbridge", "dock-sim", "archive"]
    dock = config.cameras["dock-03"]
    assert dock.heads == ("embedding", "depth", "vehicles"), "the profile's list replaced the defaults'"
    assert (dock.sample.fps, dock.sample.gate.refresh, dock.source.stall_after) == (5.0, 2.0, 3.0)
    near = dock.rules["forklift_too_close"]
    assert (near.enter, near.exit, near.hold) == (Threshold("<", 3.0, "m"), Threshold(">", 3.6, "m"), 0.6)
    assert (near.in_, near.of.head, near.of.is_) == ("apron", "vehicles", ("forklift",))
    assert config.cameras["weighbridge"].source.kafka.timestamp_header == "capture_ns"
    assert config.cameras["yard-01"].sample.fps == 2.0
    assert config.outbox.max_bytes == 2**30
    assert config.evidence.keep == 30 * 86400
    assert (config.runtime.http.token, config.secrets.names()) == (
        "control_token",
        ("cam_site", "kafka_password", "control_token"),
    )
    assert config.brokers == ("localhost:9092",)


def test_a_camera_lays_over_its_profile_and_the_defaults(tmp_path):
    path = write(
        tmp_path,
        "version: 1\n" + SINK + "heads: {d: {kind: depth}}\n"
        "defaults: {sample: {fps: 5, max_age: 2s}, labels: {site: a, line: b}}\n"
        "profiles:\n  p: {sample: {fps: 4}, heads: [embedding, d]}\n"
        "cameras:\n  cam:\n    profile: p\n    source: {file: a.mp4}\n    labels: {line: c}\n    heads: [embedding]\n",
    )
    camera = load_config(path).cameras["cam"]
    assert (camera.sample.fps, camera.sample.max_age) == (4.0, 2.0)
    assert camera.labels == {"site": "a", "line": "c"}
    assert camera.heads == ("embedding",)


def test_origin_names_the_line_that_decided():
    config = load_config(HERE / "example.yaml")
    lines = (HERE / "example.yaml").read_text().splitlines()

    def line_of(*place):
        mark = config.origin("dock-03", place)
        return mark and lines[mark.line - 1][mark.column - 1 :]

    assert line_of("rules", "forklift_too_close", "hold").startswith("hold: 600ms")
    assert line_of("sample", "fps").startswith("fps: 5")
    assert line_of("sample", "gate", "refresh").startswith("refresh: 2s")
    assert line_of("source", "credentials").startswith("credentials: cam_site")
    assert line_of("zones", "apron", 1, 0).startswith("0.88")
    assert config.origin("dock-03", ("sample", "gate", "threshold")) is None


def test_origin_of_a_list_is_that_of_the_whole_list(tmp_path):
    path = write(
        tmp_path,
        "version: 1\n" + SINK + "defaults: {zones: {z: [[0, 0], [1, 0], [1, 1], [0, 1]]}}\n"
        "cameras: {cam: {source: {file: a.mp4}, zones: {z: [[0, 0], [1, 0], [1, 1]]}}}\n",
    )
    config = load_config(path)
    assert config.origin("cam", ("zones", "z", 2)).line == 4
    assert config.origin("cam", ("zones", "z", 3)) is None


def test_a_null_takes_away_what_the_profile_gave(tmp_path):
    path = write(
        tmp_path,
        "version: 1\n" + SINK + "defaults: {sample: {gate: {refresh: 1s}}}\n"
        "cameras: {cam: {source: {file: a.mp4}, sample: {gate: null}}}\n",
    )
    assert load_config(path).cameras["cam"].sample.gate is None


def test_the_first_sink_named_is_required_unless_it_says_otherwise(tmp_path):
    def required(sinks):
        head = 'version: 1\nsecrets: {hook: "${env:HOOK}"}\n'
        text = f"{head}sinks: {sinks}\ncameras: {{cam: {{source: {{file: a.mp4}}}}}}\n"
        found = load_config(write(tmp_path, text)).sinks
        return {name: section.required for name, section in found.named.items()}

    assert required("{kafka: {}, redis: {}}") == {"kafka": True, "redis": False}
    hook = "webhook: {url: 'https://pager.example/', secret: hook}"
    assert required(f"{{{hook}, redis: {{}}}}") == {"redis": True, "webhook": False}, "a webhook gets no results"
    assert required(f"{{{hook}}}") == {"webhook": True}
    assert required("{redis: {required: false}, jsonl: {path: o, required: true}}") == {"redis": False, "jsonl": True}


def test_camera_spec_is_what_operators_need():
    config = load_config(HERE / "example.yaml")
    spec = config.camera_spec("dock-03")
    assert (spec.camera, spec.shape, spec.heads) == ("dock-03", (224, 392), ("embedding", "depth", "vehicles"))
    assert spec.view.hfov == 74.0
    assert spec.needs_subjects
    assert spec.labels == {"line": "outbound"}
    assert config.camera_spec("dock-03", (1024, 1280)).shape == (224, 294)
    assert config.camera_spec("dock-03", (600, 600)).shape == (224, 224)


def test_a_simulated_dock_brings_its_view_line_and_zone():
    spec = load_config(HERE / "example.yaml").camera_spec("dock-sim")
    assert spec.view is not None
    assert spec.lines == {"dock": "here"}
    assert min(y for _, y in spec.zones["apron"]) > 0
    assert max(y for _, y in spec.zones["apron"]) == 1.0


def test_a_configuration_can_be_sent_to_another_process():
    config = pickle.loads(pickle.dumps(load_config(HERE / "example.yaml")))
    assert config.cameras["dock-03"].sample.fps == 5.0


def test_a_folder_has_one_file_per_camera(tmp_path):
    write(tmp_path, "version: 1\n" + SINK, "site.yaml")
    write(tmp_path, "defaults: {sample: {fps: 3}}\n", "defaults.yaml")
    write(tmp_path, "source: {file: a.mp4}\n", "cameras/cam-1.yaml")
    write(tmp_path, "source: {file: b.mp4}\nsample: {fps: fast}\n", "cameras/cam-2.yaml")
    shown = mistakes(tmp_path)
    assert f"{tmp_path}/cameras/cam-2.yaml:2:10: $.cameras.cam-2.sample.fps: expected a number" in shown
    write(tmp_path, "source: {file: b.mp4}\n", "cameras/cam-2.yaml")
    config = load_config(tmp_path)
    assert [(name, each.source.file, each.sample.fps) for name, each in config.cameras.items()] == [
        ("cam-1", "a.mp4", 3.0),
        ("cam-2", "b.mp4", 3.0),
    ]


def test_a_section_in_two_files_of_a_folder_is_a_duplicate(tmp_path):
    write(tmp_path, "version: 1\n" + SINK + "cameras: {cam: {source: {file: a.mp4}}}\n", "a.yaml")
    write(tmp_path, "sinks: {redis: {}}\n", "b.yaml")
    write(tmp_path, "source: {file: b.mp4}\n", "cameras/cam.yaml")
    shown = mistakes(tmp_path)
    assert f"{tmp_path}/b.yaml:1:1: $.sinks: already written in {tmp_path}/a.yaml:2" in shown
    assert f"$.cameras.cam: already written in {tmp_path}/a.yaml:3" in shown


def test_a_profile_that_no_camera_uses_is_checked_too(tmp_path):
    path = write(
        tmp_path,
        "version: 1\n" + SINK + "profiles:\n  spare: {samples: {fps: 1}}\ncameras: {cam: {source: {file: a.mp4}}}\n",
    )
    assert "$.profiles.spare.samples: unknown key 'samples'" in mistakes(path)


def test_a_rule_may_be_split_between_profile_and_camera(tmp_path):
    path = write(
        tmp_path,
        "version: 1\n" + SINK + "heads: {w: {kind: similarity, pictures: p}}\n"
        "profiles: {p: {heads: [w], rules: {r: {measure: similarity(w), hold: 1s}}}}\n"
        'cameras: {cam: {profile: p, source: {file: a.mp4}, rules: {r: {enter: "> 0.8", exit: "< 0.7"}}}}\n',
    )
    assert load_config(path).cameras["cam"].rules["r"].hold == 1.0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "expected a map"),
        (b"- a\n", "expected a map"),
        (b"version: 1\n---\nversion: 1\n", "not YAML"),
        (b"site: {name: \xff}\n", "expected UTF-8"),
        (b"site: \x00\n", "not YAML"),
        (b"? [a]\n: b\n", "expected a name before the colon"),
        (b"a: &x [*x]\n", "anchors and aliases"),
        (b"defaults: 5\nversion: 1\n", "$.defaults: expected a map"),
        (b"cameras: [a]\nversion: 1\n", "expected at least one camera"),
        (b"a: " + b"[" * 40 + b"]" * 40, "at most 32 levels"),
    ],
)
def test_what_is_no_configuration_is_one_clear_answer(tmp_path, content, said):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    assert said in mistakes(path)


def test_a_file_that_is_not_there(tmp_path):
    assert "nowhere.yaml:1:1: $: cannot be read: No such file" in mistakes(tmp_path / "nowhere.yaml")
    assert "expected a *.yaml file in this folder" in mistakes(tmp_path)


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfversion: 1\n" + SINK.encode() + b"cameras: {cam: {source: {file: a.mp4}}}\n")
    assert list(load_config(path).cameras) == ["cam"]


def test_a_configuration_error_survives_pickling(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "nowhere.yaml")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
