"""What a changed file means for a pipeline that runs."""

from pathlib import Path

import pytest

from pipeline.config import ConfigError, load_config
from pipeline.config.changes import IN_PLACE, REOPENED, WITHOUT_EFFECT, camera_changes, changed_sections
from pipeline.config.judged import judge, read_wanted
from pipeline.config.schema import CameraConfig

CAMERA = """\
    source: {url: "rtsp://127.0.0.1/a"}
    sample: {fps: 5}
    heads: [embedding, depth]
    view: {hfov: 74deg, height: 3.4m, pitch: 24deg}
    lines: {dock: here}
    zones: {apron: [[0.1, 0.4], [0.9, 0.4], [0.9, 0.9]]}
    rules:
      near: {measure: distance_to(dock), enter: "< 3.0 m", exit: "> 3.6 m", hold: 1s}
"""
REST = """\
version: 1
heads: {depth: {kind: depth}}
sinks: {jsonl: {path: out}}
"""


def written(tmp_path: Path, cameras: dict[str, str], rest: str = REST, name: str = "cameras.yaml") -> Path:
    path = tmp_path / name
    path.write_text(rest + "cameras:\n" + "".join(f"  {camera}:\n{each}" for camera, each in cameras.items()))
    return path


def loaded(tmp_path, cameras, rest=REST, name="before.yaml"):
    return load_config(written(tmp_path, cameras, rest, name))


def judged(running, path, refused=(), restart=()):
    return judge(running, read_wanted(path), dict(refused), dict(restart))


EDITS = [
    ("fps: 5", "fps: 4", "changed", ("sample",)),
    ("heads: [embedding, depth]", "heads: [depth]", "changed", ("heads",)),
    ("pitch: 24deg", "pitch: 25deg", "changed", ("view",)),
    ("dock: here", "dock: [[0, 1], [1, 1]]", "changed", ("lines",)),
    ("[0.1, 0.4]", "[0.2, 0.4]", "changed", ("zones",)),
    ("< 3.0 m", "< 2.5 m", "changed", ("rules",)),
    ("    lines:", "    privacy: [[[0, 0], [0.1, 0], [0.1, 0.1]]]\n    lines:", "changed", ("privacy",)),
    ("    lines:", "    scene: {absorb_after: 1h}\n    lines:", "changed", ("scene",)),
    ("    lines:", "    labels: {hall: a}\n    priority: 2\n    lines:", "changed", ("labels", "priority")),
    ("127.0.0.1/a", "127.0.0.1/b", "reopened", ("source",)),
    ("    lines:", "    place: hall\n    lines:", "reopened", ("place",)),
    ("hold: 1s}", "hold: 1s, evidence: {snapshot: true}}", "changed", ("rules",)),
    ("hold: 1s}", "hold: 1s, evidence: {clip: {}}}", "reopened", ("rules",)),
    ("hold: 1s}", "hold: 1000ms}", "unchanged", ()),
]


@pytest.mark.parametrize(("old", "new", "kind", "what"), EDITS)
def test_an_edit_of_one_camera_says_what_it_takes_and_leaves_the_other_alone(tmp_path, old, new, kind, what):
    before = loaded(tmp_path, {"a": CAMERA, "b": CAMERA})
    edited = CAMERA.replace(old, new)
    assert edited != CAMERA
    after = loaded(tmp_path, {"a": CAMERA, "b": edited})
    found = camera_changes(before.cameras, after.cameras)
    assert (found["b"].kind, found["b"].what) == (kind, what)
    assert found["a"].kind == "unchanged"


def test_a_mask_over_pictures_that_clips_are_cut_from_opens_the_camera_anew(tmp_path):
    taped = CAMERA.replace("hold: 1s}", "hold: 1s, evidence: {clip: {}}}")
    masked = taped.replace("    lines:", "    privacy: [[[0, 0], [0.1, 0], [0.1, 0.1]]]\n    lines:")
    before, after = loaded(tmp_path, {"a": taped}), loaded(tmp_path, {"a": masked})
    assert camera_changes(before.cameras, after.cameras)["a"].kind == "reopened"


def test_every_key_of_a_camera_is_sorted():
    assert sorted((*IN_PLACE, *REOPENED, *WITHOUT_EFFECT)) == sorted(CameraConfig.model_fields)


def test_added_and_removed_cameras_are_named_and_what_runs_keeps_its_order(tmp_path):
    before = loaded(tmp_path, {"b": CAMERA, "c": CAMERA, "a": CAMERA})
    found = judged(before, written(tmp_path, {"a": CAMERA, "d": CAMERA, "b": CAMERA}))
    assert {camera: each.kind for camera, each in found.changes.items()} == {
        "b": "unchanged",
        "c": "removed",
        "a": "unchanged",
        "d": "added",
    }
    assert list(found.config.cameras) == ["b", "a", "d"]
    assert list(found.config.merged) == ["b", "a", "d"]


SECTIONS = [
    ("heads: {depth: {kind: depth}}", "heads: {depth: {kind: depth, checkpoint: fit_for_view}}", ("heads.depth",)),
    ("sinks: {jsonl: {path: out}}", "sinks: {jsonl: {path: other}}", ("sinks.jsonl",)),
    ("version: 1\n", "version: 1\nmodel: {backbone: dinov2_vitb14}\n", ("model.backbone",)),
    ("version: 1\n", "version: 1\nruntime: {publishers: 2, state_dir: there}\n", None),
    ("version: 1\n", 'version: 1\nsecrets: {fresh: "${env:FRESH}"}\n', ()),
]


@pytest.mark.parametrize(("old", "new", "places"), SECTIONS)
def test_what_lies_outside_the_cameras_is_named_and_does_not_change(tmp_path, old, new, places):
    before = loaded(tmp_path, {"a": CAMERA})
    found = judged(before, written(tmp_path, {"a": CAMERA.replace("< 3.0 m", "< 2.9 m")}, REST.replace(old, new)))
    expected = ("runtime.publishers", "runtime.state_dir") if places is None else places
    assert sorted(found.sections) == sorted(expected)
    assert found.changes["a"].kind == "changed"
    assert found.config.sections.model_copy(update={"secrets": {}}) == before.sections


def test_a_secret_that_points_elsewhere_waits_for_the_next_start(tmp_path):
    first = REST + 'secrets: {cam: "${env:A}"}\n'
    before = loaded(tmp_path, {"a": CAMERA}, first)
    assert changed_sections(before.sections, loaded(tmp_path, {"a": CAMERA}, first.replace(":A", ":B")).sections) == (
        "secrets.cam",
    )


def test_a_mistake_in_one_camera_keeps_it_as_it_was_and_holds_up_no_other(tmp_path):
    before = loaded(tmp_path, {"a": CAMERA, "b": CAMERA})
    wrong = CAMERA.replace('enter: "< 3.0 m"', 'enter: "< 4.0 m"')
    path = written(tmp_path, {"a": CAMERA.replace("fps: 5", "fps: 3"), "b": wrong, "c": "    source: {fil: a.mp4}\n"})
    found = judged(before, path)
    assert set(found.refused) == {"b", "c"}
    assert "$.cameras.b.rules.near.exit" in found.refused["b"]
    assert f"{path}:" in found.refused["b"]
    assert found.changes["a"].kind == "changed"
    assert found.config.cameras["b"] == before.cameras["b"]
    assert "c" not in found.config.cameras


def test_a_mistake_outside_the_cameras_refuses_the_file(tmp_path):
    with pytest.raises(ConfigError, match="unknown key 'sink'"):
        read_wanted(written(tmp_path, {"a": CAMERA}, REST.replace("sinks:", "sink:")))
    with pytest.raises(ConfigError, match=r"unknown key 'path'"):
        read_wanted(written(tmp_path, {"a": "    source: {path: a}\n"}))


def test_a_camera_that_names_a_head_which_only_the_new_file_has_waits_for_a_restart(tmp_path):
    before = loaded(tmp_path, {"a": CAMERA, "b": CAMERA})
    more = REST.replace("{depth: {kind: depth}}", "{depth: {kind: depth}, near: {kind: depth}}")
    found = judged(before, written(tmp_path, {"a": CAMERA.replace("depth]", "near]"), "b": CAMERA}, more))
    assert found.restart == {"a": "head near is not loaded by what runs"}
    assert found.config.cameras["a"] == before.cameras["a"]


def test_another_file_under_the_same_name_is_refused_since_its_frames_would_bear_the_old_names(tmp_path):
    clip = "    source: {file: CLIP, pace: realtime}\n"
    for name in ("one.mp4", "two.mp4"):
        (tmp_path / name).touch()
    one, two = (clip.replace("CLIP", str(tmp_path / name)) for name in ("one.mp4", "two.mp4"))
    before = loaded(tmp_path, {"a": one, "b": one})
    found = judged(before, written(tmp_path, {"a": two, "b": one.replace("realtime", "as_fast_as_possible")}))
    assert "Give it another name" in found.refused["a"]
    assert found.changes["b"].kind == "reopened"


def test_files_and_secrets_that_are_not_there_are_refused_with_their_camera(tmp_path, monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    before = loaded(tmp_path, {"a": CAMERA})
    rest = REST + 'secrets: {cam: "${env:NOT_SET}"}\n'
    guarded = CAMERA.replace('/a"}', '/a", credentials: cam}')
    found = judged(before, written(tmp_path, {"a": CAMERA, "b": "    source: {file: gone.mp4}\n", "c": guarded}, rest))
    assert "gone.mp4 is not there" in found.refused["b"]
    assert "NOT_SET" in found.refused["c"]
    assert list(found.config.cameras) == ["a"]


def test_whoever_reads_a_key_of_a_topic_already_keeps_it(tmp_path):
    kafka = '    source: {kafka: {topic: t, key: k, brokers: ["127.0.0.1:9092"]}}\n'
    before = loaded(tmp_path, {"a": CAMERA, "b": kafka})
    found = judged(before, written(tmp_path, {"a": kafka, "b": kafka + "    heads: [depht]\n"}))
    assert "unknown head 'depht'" in found.refused["b"]
    assert "camera b already reads key 'k'" in found.refused["a"]
    assert found.config.cameras == before.cameras


def test_the_last_camera_does_not_go(tmp_path):
    before = loaded(tmp_path, {"a": CAMERA})
    with pytest.raises(ConfigError, match="at least one camera that can run, got none"):
        judged(before, written(tmp_path, {"b": "    source: {file: gone.mp4}\n"}))
