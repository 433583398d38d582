"""The camera's file: a few keys are changed, everything else stays; nothing is replaced unseen."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from operators.scene.config import ViewConfig
from pipeline.cli.app import UserError
from pipeline.cli.commission.new_camera import NewCamera
from pipeline.cli.commission.splice import spliced
from pipeline.cli.commission.target import added, existing
from pipeline.config.loader import load_config
from pipeline.config.problems import ConfigError
from pipeline.secrets import Secrets
from pipeline.sources.config import SourceConfig

VIEW = ViewConfig(hfov=66.0, height=2.5, pitch=25.0)
SQUARE = ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9))
FILE = """\
# The camera at the third gate.
source: {url: "rtsp://gate.lan/1"}   # the second stream is smaller
view:
  hfov: 74deg   # data sheet
  height: 3m
  pitch: 30deg

# Where things count.
zones: {floor: [[0, 0], [1, 0], [1, 1]]}

sample: {fps: 2}   # enough
# the end
"""


def values(**changed):
    return {"view": VIEW, "lines": {}, "zones": {"floor": SQUARE}, "privacy": (), **changed}


def new(**changed) -> NewCamera:
    fields = {
        "name": "gate", "source": SourceConfig(simulated="dock", seed=9), "secrets": Secrets({}), "credentials": None,
        "weights": "standin",
    }  # fmt: skip
    return NewCamera(**{**fields, **changed})


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "cameras").mkdir(parents=True)
    (folder / "site.yaml").write_text("version: 1\nsinks: {jsonl: {path: results}}\n")
    (folder / "cameras" / "gate.yaml").write_text(FILE)
    return folder


# changing keys


def test_comments_and_other_keys_stay_where_they_are() -> None:
    text = spliced(FILE, (), {"view": {"hfov": "66deg"}, "zones": {"floor": [[0, 0], [1, 0], [1, 1]]}, "lines": None})
    lines = text.splitlines()
    for kept in (
        "# The camera at the third gate.",
        "# Where things count.",
        "sample: {fps: 2}   # enough",
        "# the end",
    ):
        assert kept in lines
    assert lines[1] == 'source: {url: "rtsp://gate.lan/1"}   # the second stream is smaller'
    assert yaml.safe_load(text) == {
        **yaml.safe_load(FILE), "view": {"hfov": "66deg"}, "zones": {"floor": [[0, 0], [1, 0], [1, 1]]},
    }  # fmt: skip


def test_new_keys_go_to_the_end_and_none_removes_one() -> None:
    text = spliced("a: 1\nb: 2\n", (), {"b": None, "c": [[1, 2]], "d": None})
    assert text == "a: 1\nc: [[1, 2]]\n"


def test_one_camera_of_many_in_a_file() -> None:
    text = "cameras:\n  a: # first\n    source: {file: x}\n  b:\n    source: {file: y}\n\nsinks: {}\n"
    found = spliced(text, ("cameras", "a"), {"view": {"pitch": "3deg"}})
    assert yaml.safe_load(found)["cameras"]["a"] == {"source": {"file": "x"}, "view": {"pitch": "3deg"}}
    assert yaml.safe_load(found)["cameras"]["b"] == {"source": {"file": "y"}}
    assert found.startswith("cameras:\n  a: # first\n")
    more = spliced(text, ("cameras", "c"), {"source": {"file": "z"}})
    assert list(yaml.safe_load(more)["cameras"]) == ["a", "b", "c"]
    assert yaml.safe_load(more)["sinks"] == {}


def test_a_map_in_braces_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\$\.cameras is written in braces"):
        spliced("cameras: {a: {source: x}}", ("cameras", "a"), {"view": {}})


# where a camera stands


def test_a_camera_of_a_folder_is_changed_after_the_difference_was_shown(site: Path) -> None:
    target = existing(site, "gate")
    assert target.file == site / "cameras" / "gate.yaml"
    text = target.with_values(values())
    assert target.candidate(text).cameras["gate"].view == VIEW
    assert target.file.read_text() == FILE  # a candidate writes nothing
    difference = target.difference(text)
    assert "-  hfov: 74deg" in difference
    assert "+view: {hfov: 66deg, height: 2.5m, pitch: 25deg}" in difference
    assert target.write(text) == [target.file]
    assert load_config(site).cameras["gate"].zones == {"floor": SQUARE}


def test_what_was_not_changed_is_not_written(site: Path) -> None:
    target = existing(site, "gate")
    before = target.before
    assert before is not None
    same = {name: getattr(before, name) for name in ("view", "lines", "zones", "privacy")}
    assert target.with_values(same) == FILE
    assert target.difference(FILE) == ""


def test_a_camera_in_one_file_with_others(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    cameras = "  gate:\n    source: {file: a.mp4}  # kept\n  b: {source: {file: b.mp4}}\n"
    text = f"version: 1\nsinks: {{jsonl: {{path: x}}}}\ncameras:\n{cameras}"
    path.write_text(text)
    target = existing(path, "gate")
    found = target.with_values(values())
    assert "source: {file: a.mp4}  # kept" in found
    assert target.candidate(found).cameras["gate"].view == VIEW
    flow = existing(path, "b")
    with pytest.raises(ValueError, match=r"\$\.cameras\.b is written in braces"):
        flow.with_values(values())


def test_a_new_camera_joins_a_folder_a_file_or_nothing_at_all(site: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has a camera gate already"):
        added(site, new())
    joined = added(site, new(name="gate-2"))
    assert joined.site is None
    text = joined.with_values(values())
    assert set(joined.candidate(text).cameras) == {"gate", "gate-2"}
    assert joined.write(text) == [site / "cameras" / "gate-2.yaml"]

    fresh = added(tmp_path / "fresh", new())
    text = fresh.with_values(values())
    assert fresh.candidate(text).heads["depth"].kind == "depth"
    assert not (tmp_path / "fresh").exists()
    assert [path.name for path in fresh.write(text)] == ["site.yaml", "gate.yaml"]
    assert load_config(tmp_path / "fresh").cameras["gate"].view == VIEW

    path = tmp_path / "one.yaml"
    path.write_text("version: 1\nsinks: {jsonl: {path: x}}\ncameras:\n  a:\n    source: {file: a.mp4}\n")
    inside = added(path, new())
    text = inside.with_values(values())
    assert list(inside.candidate(text).cameras) == ["a", "gate"]


def test_credentials_must_be_a_secret_of_the_configuration(site: Path, tmp_path: Path) -> None:
    url = SourceConfig(url="rtsp://gate.lan/1", credentials="argument")
    with pytest.raises(UserError, match=r"no secret of this configuration is \$\{env:CAM\}"):
        added(site, new(name="gate-2", source=url, credentials="CAM"))
    fresh = added(tmp_path / "fresh", new(source=url, credentials="CAM"))
    assert fresh.candidate(fresh.with_values(values())).cameras["gate"].source.credentials == "camera"


def test_mistakes_are_told_with_the_real_file(site: Path) -> None:
    target = existing(site, "gate")
    with pytest.raises(ConfigError) as caught:
        target.candidate(target.with_values(values(zones={"floor": ((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0))})))
    assert str(site / "cameras" / "gate.yaml") in str(caught.value)
    assert "commission-" not in str(caught.value)


def test_cameras_that_are_not_there_or_read_a_topic(site: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean"):
        existing(site, "gat")
    with pytest.raises(UserError, match="no configuration there"):
        existing(tmp_path / "none", "gate")
    topic = "source: {kafka: {topic: video, brokers: ['localhost:9092']}}\n"
    (site / "cameras" / "topic.yaml").write_text(topic)
    with pytest.raises(UserError, match="reads topic video"):
        existing(site, "topic")
