"""`kind: words` in a configuration: rules name its classes, files must be there, large pictures are off its recipe."""

from pathlib import Path

import pytest

from pipeline.config import ConfigError, load_config
from pipeline.config.head_notes import head_notes
from pipeline.config.problems import shown
from pipeline.config.readiness import check_ready

TEXT = """\
version: 1
model: {{backbone: dinov2_vitl14_reg4, weights: random, shapes: [{shape}]}}
heads:
  scene:
    kind: words
    weights: {folder}/vision.pth
    text: {folder}/text.pth
    vocabulary: {folder}/bpe.txt.gz
    classes: {classes}
sinks: {{jsonl: {{path: out}}}}
cameras:
  gate:
    source: {{url: "rtsp://gate.lan/x"}}
    heads: [scene]
    rules:
      busy: {{measure: score(scene.{wanted}), enter: "> 0.6", exit: "< 0.4"}}
"""
CLASSES = "{forklift: a forklift at a dock, nothing: [an empty dock, nobody]}"
FILES = ("vision.pth", "text.pth", "bpe.txt.gz")


def written(folder: Path, wanted: str = "forklift", classes: str = CLASSES, shape: str = "224x392") -> Path:
    path = folder / "cameras.yaml"
    path.write_text(TEXT.format(folder=folder, wanted=wanted, classes=classes, shape=shape))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).touch()
    return tmp_path


def problems(path: Path) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        check_ready(load_config(path))
    return [(shown(problem.place), problem.message) for problem in caught.value.problems]


def test_a_rule_may_ask_for_a_class_that_has_a_sentence(folder: Path) -> None:
    check_ready(load_config(written(folder)))
    ((place, said),) = problems(written(folder, wanted="forklifd"))
    assert place == "$.cameras.gate.rules.busy.measure"
    assert "forklift" in said


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    found = problems(written(tmp_path))
    assert [place for place, _ in found] == [f"$.heads.scene.{key}" for key in ("weights", "text", "vocabulary")]
    assert all("is not there" in said for _, said in found)


@pytest.mark.parametrize(
    ("classes", "place"),
    [("{forklift: a forklift}", "$.heads.scene.classes"), ("{forklift: '', b: c}", "$.heads.scene.classes.forklift")],
)
def test_classes_are_two_or_more_and_said(folder: Path, classes: str, place: str) -> None:
    assert [found for found, _ in problems(written(folder, classes=classes))] == [place]


def test_large_pictures_are_off_its_recipe(folder: Path) -> None:
    assert list(head_notes(load_config(written(folder)), "gate", None)) == []
    (said,) = head_notes(load_config(written(folder, shape="448x784")), "gate", None)
    assert said == "words scene: short side 448 px is 2.00 x the 224 px it was trained with"


def test_a_camera_whose_words_are_searched_leaves_thumbnails(folder: Path) -> None:
    for vector, seconds in (("true", 5.0), ("false", 0.0)):
        path = written(folder, classes=f"{CLASSES}\n    vector: {vector}")
        path.write_text(path.read_text() + "gallery: {store: g}\n")
        assert load_config(path).thumbnail_seconds("gate") == seconds
