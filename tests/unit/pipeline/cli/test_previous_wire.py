"""`replay` and `explain` over recordings as previous versions wrote them, and as a later one may."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import build
from pipeline.sinks import envelope
from tests.fakes_publisher import CAMERA, HandSink, camera, deliver, frame, publisher, tick

GOLDEN = Path(__file__).parents[3] / "golden/wire"
CONFIG = """
version: 1
site: {{name: yard, timezone: UTC}}
heads: {{depth: {{kind: depth, checkpoint: fit_for_view}}}}
cameras:
  dock-03:
    source: {{file: a.mp4}}
    view: {{hfov: 74deg, height: 3.4m, pitch: 24deg}}
    lines: {{dock: here}}
    heads: [embedding, depth]
    rules:
      too_close: {{measure: distance_to(dock), enter: "< 3.0 m", exit: "> 3.6 m", hold: 600ms, severity: critical}}
sinks: {{jsonl: {{path: {folder}/out}}}}
"""


def pruned(body: Any, like: Any) -> Any:
    """`body` with the fields alone that `like` has."""
    if isinstance(body, dict) and isinstance(like, dict):
        return {key: pruned(body[key], like[key]) for key in body if key in like}
    if isinstance(body, list) and like and isinstance(like, list) and isinstance(like[0], dict):
        return [pruned(each, like[0]) for each in body]
    return body


def as_of(version: str, line: bytes) -> bytes:
    """The event as that version wrote it."""
    event = json.loads(line)
    kind = event["type"].removeprefix("dinostream.").removesuffix(".v1").replace(".", "_")
    kind += "_tick" if kind == "result" and event["data"]["tick"] else ""
    form = GOLDEN / "previous" / version / f"{kind}.json"
    like = json.loads((form if form.exists() else GOLDEN / f"{kind}.json").read_text())["data"]
    return json.dumps({**event, "data": pruned(event["data"], like)}).encode()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """One episode with its result and alert lines, as of today."""
    sink = HandSink()
    made = publisher(tmp_path_factory.mktemp("made"), [camera()], [sink])
    deliver(made, *(frame(n, 5.0) for n in range(3)), *(frame(n, 2.5) for n in range(3, 10)))
    deliver(made, tick(1.9, "stalled"), *(frame(n, 5.0) for n in range(10, 14)))
    made.close(1.0)
    return {kind: [envelope.line(each) for each in sink.seen if each.kind == kind] for kind in ("result", "alert")}


def written(folder: Path, recorded: dict[str, list[bytes]], version: str) -> Path:
    """The configuration whose sink wrote the lines."""
    out = folder / "out"
    out.mkdir()
    for name, kind in (("results", "result"), ("alerts", "alert")):
        lines = [as_of(version, line) if version != "today" else line for line in recorded[kind]]
        (out / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    config = folder / "cameras.yaml"
    config.write_text(CONFIG.format(folder=folder))
    return config


def main(command, *words):
    return CliRunner().invoke(build(command), [command, *map(str, words)])


def test_results_of_the_version_before_are_replayed_by_what_they_say(tmp_path, recorded):
    written(tmp_path, recorded, "last")
    result = main("replay", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "identical: 2 transitions (phase of every result, every alert)" in result.output


def test_results_of_the_first_version_are_replayed_by_named_rules(tmp_path, recorded):
    config = written(tmp_path, recorded, "first")
    result = main("replay", tmp_path / "out", "--rules", config)
    assert result.exit_code == 0, result.output
    assert "identical: 2 transitions (phase of every result, every alert)" in result.output


@pytest.mark.parametrize("version", ["first", "last"])
def test_an_alert_of_a_previous_version_is_explained_as_today(tmp_path, recorded, version):
    said = {}
    for each in ("today", version):
        (tmp_path / each).mkdir()
        config = written(tmp_path / each, recorded, each)
        result = main("explain", f"{CAMERA}/too_close/1", config)
        assert result.exit_code == 0, result.output
        said[each] = result.output.replace(str(tmp_path / each), "")
    assert said[version] == said["today"]
    assert "enter < 3 m held for 0.6 s, of 0.6 s that it must" in said[version]


@pytest.mark.parametrize("name", ["results", "alerts"])
def test_events_of_another_major_version_are_one_clear_error(tmp_path, recorded, name):
    config = written(tmp_path, recorded, "today")
    path = tmp_path / "out" / f"{name}.jsonl"
    path.write_bytes(path.read_bytes().replace(b'.v1"', b'.v2"'))
    replayed, explained = main("replay", tmp_path / "out"), main("explain", f"{CAMERA}/too_close/1", config)
    for result in (replayed, explained):
        assert result.exit_code == 1
        assert str(result.exception).startswith("cannot read dinostream.")
        assert ".v2: expected version v1, got v2. Read it with the program that wrote it" in str(result.exception)
        assert result.exception.exit_code == 2
