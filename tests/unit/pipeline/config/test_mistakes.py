"""Seeded mistakes (`mistakes.yaml`): each is one edit of `right.yaml`, and must be answered where it stands."""

from pathlib import Path

import pytest
import yaml

from pipeline.config import ConfigError, load_config

HERE = Path(__file__).parent
RIGHT = (HERE / "right.yaml").read_text()
MISTAKES = yaml.safe_load((HERE / "mistakes.yaml").read_text())


def test_the_right_file_is_right():
    assert list(load_config(HERE / "right.yaml").cameras) == ["dock-03", "belt"]


def test_there_are_enough_and_all_differ():
    names = [mistake["name"] for mistake in MISTAKES]
    assert len(set(names)) == len(names) >= 30


@pytest.mark.parametrize("mistake", MISTAKES, ids=[each["name"] for each in MISTAKES])
def test_each_mistake_is_answered_where_it_stands(tmp_path, mistake):
    assert mistake["old"] in RIGHT
    text = RIGHT.replace(mistake["old"], mistake["new"], 1)
    file = tmp_path / "cameras.yaml"
    file.write_text(text)
    line = text[: text.index(mistake["line"])].count("\n") + 1
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    shown = str(caught.value)
    answers = [str(each) for each in caught.value.problems if f": {mistake['path']}: " in str(each)]
    assert answers, shown
    assert answers[0].startswith(f"{file}:{line}:"), shown
    assert all(word in answers[0] for word in mistake["words"]), shown
    assert "hunter2" not in shown


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path):
    text = RIGHT
    for mistake in MISTAKES:
        if mistake["name"] in {"no unit", "unknown key in a camera", "admission"}:
            text = text.replace(mistake["old"], mistake["new"], 1)
    file = tmp_path / "cameras.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert [each.mark.line for each in caught.value.problems] == [24, 32, 45]
    assert len(str(caught.value).splitlines()) == 3


def test_a_mistake_in_a_profile_is_told_once_for_all_its_cameras(tmp_path):
    text = RIGHT.replace("hold: 600ms", "hold: 600").replace(
        "  belt:\n", "  dock-04: {profile: dock, source: {simulated: dock}}\n  belt:\n"
    )
    file = tmp_path / "cameras.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert len(caught.value.problems) == 1
