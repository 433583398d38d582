import pytest

from pipeline.config import ConfigError, load_config
from pipeline.config.readiness import check_ready, not_built, not_there

BASE = """\
version: 1
model: {weights: random}
heads: {depth: {kind: depth}, near: {kind: similarity, pictures: PICTURES}}
sinks: {jsonl: {path: out}}
cameras:
  cam:
    source: {file: FILE}
    heads: [embedding, depth, near]
    view: {hfov: 74deg, height: 3m, pitch: 30deg}
    zones: {all: [[0, 0], [1, 0], [1, 1], [0, 1]]}
    rules:
      r: {measure: camera_depth(all).p05, enter: "< 3 m", exit: "> 4 m"}
"""


@pytest.fixture
def ready(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "a.mp4").touch()
    return BASE.replace("PICTURES", str(tmp_path / "pictures")).replace("FILE", str(tmp_path / "a.mp4"))


def loaded(tmp_path, text):
    path = tmp_path / "cameras.yaml"
    path.write_text(text)
    return load_config(path)


def test_nothing_is_missing_where_all_is_there(tmp_path, ready):
    config = loaded(tmp_path, ready)
    assert (not_built(config), not_there(config)) == ([], [])
    check_ready(config)


def test_a_count_needs_no_pose_and_metres_do(tmp_path, ready):
    unposed = ready.replace("    view: {hfov: 74deg, height: 3m, pitch: 30deg}\n", "")
    count = unposed.replace(
        'camera_depth(all).p05, enter: "< 3 m", exit: "> 4 m"', 'count_in(all), enter: ">= 1", exit: "< 1"'
    )
    assert loaded(tmp_path, count).camera_spec("cam").needs_subjects
    with pytest.raises(ConfigError, match=r"camera_depth\(all\).p05 needs the camera's `view"):
        loaded(tmp_path, unposed)


@pytest.mark.parametrize(
    ("store", "said"), [("memory://x", ""), ("nowhere://b/c", "$.evidence.store: expected a folder")]
)
def test_an_evidence_store_is_a_folder_or_what_a_library_here_can_reach(tmp_path, ready, store, said):
    config = loaded(tmp_path, ready.replace("version: 1", f"version: 1\nevidence: {{store: '{store}'}}"))
    assert said in " ".join(str(each) for each in not_there(config))
    assert bool(said) == bool(not_there(config))


def test_both_kinds_are_told_at_once(tmp_path, ready):
    text = ready.replace("version: 1", "version: 1\nevidence: {store: 'nowhere://b/c'}").replace(
        "weights: random", "weights: ./no.pth"
    )
    with pytest.raises(ConfigError) as caught:
        check_ready(loaded(tmp_path, text))
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("edits", "path", "said"),
    [
        (
            {"camera_depth(all).p05": "novelty", "< 3 m": "> 3", "> 4 m": "< 3"},
            "$.cameras.cam.rules.r.measure",
            "measure novelty is not built",
        ),
    ],
)
def test_each_part_that_is_not_built_is_one_clear_error(tmp_path, ready, edits, path, said):
    for old, new in edits.items():
        ready = ready.replace(old, new)
    problems = [str(each) for each in not_built(loaded(tmp_path, ready))]
    assert len(problems) == 1
    assert f": {path}: " in problems[0]
    assert said in problems[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("weights: random", "weights: ./nowhere.pth", "weights ./nowhere.pth is not there"),
        ("kind: depth}", "kind: depth, checkpoint: ./nowhere.safetensors}", "checkpoint ./nowhere.safetensors"),
        ("kind: depth}", "kind: depth}, v: {kind: knn, bank: nowhere}", "no bank"),
        ("a.mp4", "b.mp4", "b.mp4 is not there"),
        ("/pictures}", "/pics}", "pics is not there"),
    ],
)
def test_each_missing_file_is_named(tmp_path, ready, old, new, said):
    assert old in ready
    problems = [str(each) for each in not_there(loaded(tmp_path, ready.replace(old, new)))]
    assert len(problems) == 1
    assert said in problems[0]
