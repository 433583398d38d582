"""`explain` over what a real publisher wrote into real files."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import app as command_line
from pipeline.cli.explain.plot import Point, draw, level_of
from pipeline.cli.explain.story import parse_id
from pipeline.frame_path.publisher.action_request import ActionRequest
from pipeline.messages import Delivery, Picture
from pipeline.sinks.config import JsonlSinkConfig
from pipeline.sinks.jsonl import JsonLines
from pipeline.sinks.queued import QueuedSink
from tests.fakes_publisher import CAMERA, START_NS, HandClock, camera, frame, publisher, rule

CONFIG = """
version: 1
site: {{name: yard, timezone: Europe/Berlin}}
cameras: {{dock-03: {{source: {{file: a.mp4}}}}}}
sinks: {{jsonl: {{path: {folder}/out}}}}
"""


class Yard:
    def __init__(self, folder: Path, **changes: object) -> None:
        self.clock = HandClock()
        sink = QueuedSink(JsonLines(JsonlSinkConfig(path=str(folder / "out"))), 2**22)
        watched = rule(evidence={"snapshot": True, "history": "5s"}, release="1s", **changes)
        self.made = publisher(folder, [camera(too_close=watched)], [sink], required=["jsonl"], clock=self.clock)
        self.config = folder / "cameras.yaml"
        self.config.write_text(CONFIG.format(folder=folder))

    def see(self, first: int, metres: list[float]) -> None:
        for seq, value in enumerate(metres, first):
            self.clock.now = seq / 5 + 0.045
            self.made.publish(Delivery((frame(seq, value, preview=b"jpeg"),)))

    def act(self, action: str, **more: object) -> None:
        self.made.act(CAMERA, ActionRequest(action=action, **{"by": "anna", **more}))


def explain(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["main.py", "explain", *words])
    with pytest.raises(SystemExit) as left:
        command_line.main()
    return left.value.code


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    """One episode from 4.6 s to 10.0 s, with its picture, an ack and a mute."""
    made = Yard(tmp_path)
    made.see(0, [5.5 - 0.13 * n for n in range(20)] + [2.8 - 0.05 * n for n in range(10)])
    made.made.publish(Delivery((), (Picture("dock-03/too_close/1/start", frame(23, None).ticket, b"full size"),)))
    made.act("ack", alert="dock-03/too_close/1", by="bo", reason="on my way")
    made.act("mute", for_seconds=7200.0, reason="crane works")
    made.see(30, [2.3 + 0.09 * n for n in range(30)])
    made.made.close(5.0)
    return made


def test_an_episode_is_told_from_its_events(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(monkeypatch, "dock-03/too_close/1/start", str(yard.config)) == 0
    said = capsys.readouterr().out
    period = "--since 2025-12-31T23:59:54.000000Z --until 2026-01-01T00:00:15.000000Z"
    for line in (
        "dock-03/too_close/1: critical, people were told, ended",
        "  dock-03: forklift 2.6 m from the dock (limit 3.0), held 0.6 s",
        "  enter < 3 m held for 0.6 s, of 0.6 s that it must",
        "  at its worst 2.30 m; on for 6.0 s",
        "  captured  2026-01-01 01:00:04.560  by the clock arrival, +- 50 ms",
        "  ingested  2026-01-01 01:00:04.605  +45 ms from capture",
        "  published 2026-01-01 01:00:04.645  +40 ms from ingest",
        "  model      dinov2_vits14, weights random, ffffffffffffffff",
        "  empty view view/dock-03@1, 3 lights",
        "  2026-01-01 01:00:05.845  dock-03: too_close acknowledged by bo (on my way)",
        "  2026-01-01 01:00:05.845  dock-03: muted by anna until Thu 01 Jan 02:00 (crane works)",
        f"  python main.py replay {yard.config} --camera dock-03 {period}",
    ):
        assert f"{line}\n" in said, said
    assert re.search(r"distance_to\(dock\) = 2\.65 m \+- 0\.\d\d at frame dock-03/17/23\n", said)
    assert "000001-start.jpg  (9 bytes, sha256 is right)" in said
    plotted = [line for line in said.splitlines() if "|" in line]
    assert any(line.rstrip().endswith("enter < 3 m") for line in plotted)
    assert plotted[-1].count("=") > 20
    assert sum(line.count("*") for line in plotted) > 30


def test_times_of_a_file_are_its_own(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("alerts", "results"):
        path = yard.config.parent / "out" / f"{name}.jsonl"
        events = [json.loads(line) for line in path.read_text().splitlines()]
        for event in events:
            _as_of_a_file(event["data"])
        path.write_text("".join(json.dumps(event) + "\n" for event in events))
    assert explain(monkeypatch, "dock-03/too_close/1", str(yard.config)) == 0
    said = capsys.readouterr().out
    assert "  began     4.000 s into the file" in said
    assert "  captured  4.560 s into the file  by the clock arrival" in said
    assert re.search(r"ingested  2026-01-01 01:00:04\.605\s*\n", said), "no latency from a time that is not of a clock"


def _as_of_a_file(body: dict[str, Any]) -> None:
    for where in (body, body.get("times", {})):
        for key in ("began_ns", "rule_time_ns", "capture_ns"):
            if where.get(key):
                where[key] -= START_NS


def test_a_changed_or_lost_picture_is_said(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (picture,) = yard.config.parent.glob("evidence/*/*/000001-start.jpg")
    picture.write_bytes(b"forged !!")
    explain(monkeypatch, "dock-03/too_close/1", str(yard.config))
    assert "sha256 is WRONG: the file was changed" in capsys.readouterr().out
    picture.unlink()
    explain(monkeypatch, "dock-03/too_close/1", str(yard.config))
    assert "not here: pruned, or on another machine or folder" in capsys.readouterr().out


def test_without_results_the_history_of_the_alert_is_drawn(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (yard.config.parent / "out" / "results.jsonl").unlink()
    assert explain(monkeypatch, "dock-03/too_close/1", str(yard.config)) == 0
    said = capsys.readouterr().out
    assert "the result of its frame is not there" in said
    assert sum(line.count("*") for line in said.splitlines() if "|" in line) > 20


def test_what_was_in_force_when_it_began_is_told_and_what_was_over_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    yard = Yard(tmp_path)
    yard.act("mute", rule="too_close", reason="over")
    yard.act("unmute", rule="too_close")
    yard.act("mute", reason="in force")
    yard.see(0, [2.5] * 5)
    yard.made.close(5.0)
    assert explain(monkeypatch, "dock-03/too_close/1", str(yard.config)) == 0
    said = capsys.readouterr().out
    assert "dock-03/too_close/1: critical, muted: nobody was told, no end yet" in said
    assert "muted by anna until someone unmutes it (in force)" in said
    assert "(over)" not in said


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["dock-03/too_close/9"], 1, "dock-03/too_close/9 is not in jsonl: neither start nor end"),
        (["dock-3/too_close/1"], 2, "unknown camera 'dock-3'"),
        (["17"], 2, "expected the id of an alert, such as dock-03/too_close/17/start, got '17'"),
        (["dock-03/too_close/1", "--from", "redis"], 2, "expected redis under `sinks:`"),
    ],
)
def test_what_cannot_be_explained_is_one_sentence(  # noqa: PLR0917 - fixtures
    yard: Yard,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    status: int,
    says: str,
) -> None:
    assert explain(monkeypatch, words[0], str(yard.config), *words[1:]) == status
    assert says in capsys.readouterr().err


def test_ids_with_and_without_their_last_part() -> None:
    assert parse_id("dock-03/too_close/17/start") == parse_id("dock-03/too_close/17") == ("dock-03", "too_close", 17)
    for wrong in ("dock-03/too_close", "dock-03/too_close/x", "dock-03/17/44/result", ""):
        with pytest.raises(ValueError, match="expected the id of an alert"):
            parse_id(wrong)


def test_a_plot_has_every_value_and_both_thresholds() -> None:
    points = [Point(n / 2, None if n == 5 else 4.0 - n / 4, is_on=4 <= n < 8) for n in range(10)]
    lines = draw(points, "< 3.0 m", "> 3.6 m", "m")
    assert sum(line.count("*") for line in lines) == 9
    assert [line for line in lines if "enter < 3.0 m" in line]
    assert [line for line in lines if "exit > 3.6 m" in line]
    assert lines[-1].split() == ["+0.0", "s", "+4.5", "s"]
    assert draw([Point(0.0, None)], "< 3.0 m", "", "m") == []
    assert len(draw([Point(0.0, 2.0)], "", "", "m")) == len(lines)
    assert [level_of(each) for each in ("< 3.0 m", "> 0.1234", "")] == [3.0, 0.1234, None]
