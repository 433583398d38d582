"""`replay` over what a publisher really published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner, Result

from operators.rules.config import RuleConfig
from pipeline.cli.app import build
from pipeline.cli.replay.what_if import parse_change
from pipeline.clock import Clock
from pipeline.frame_path.publisher.action_request import ActionRequest
from pipeline.messages import Delivery, Message
from pipeline.sinks import envelope
from tests.fakes_publisher import CAMERA, HandClock, HandSink, camera, frame, publisher, reused, rule, tick

NEAR, FAR = 2.5, 5.0


class Stage:
    """A publisher that can be killed, and the files of what reached its sink."""

    def __init__(self, folder: Path, *, is_replayable: bool = False, clock: Clock | None = None, **rules: RuleConfig):
        self.folder = folder
        self._clock = clock or HandClock()
        self._cameras = [camera(is_replayable=is_replayable, **rules)]
        self.lease = 17
        self.seen: list[Message] = []
        self._open()

    def _open(self) -> None:
        self._sink = HandSink()
        self.made = publisher(self.folder, self._cameras, [self._sink], clock=self._clock)
        self.made.attach(CAMERA, self.lease)

    def feed(self, *entries) -> None:
        self.made.publish(Delivery(tuple(entries)))

    def frames(self, values: Sequence[float | None], first: int) -> None:
        self.feed(*(frame(first + index, value, lease=self.lease) for index, value in enumerate(values)))

    def restart(self, *, lost: int = 0, **rules: RuleConfig) -> None:
        """As after SIGKILL: the last `lost` results never arrived; alerts do, since they wait on disk."""
        self._take(lost)
        self.made.close(0.0)
        self._cameras = [camera(**rules)] if rules else self._cameras
        self.lease += 1
        self._open()

    def _take(self, lost: int = 0) -> None:
        results = [each for each in self._sink.seen if each.kind == "result"]
        gone = {each.id for each in results[len(results) - lost :]} if lost else set[str]()
        self.seen += [each for each in self._sink.seen if each.id not in gone]
        self._sink.settle()
        self._sink.seen = []

    def written(self) -> Path:
        self._take()
        self.made.close(0.0)
        out = self.folder / "out"
        out.mkdir()
        for name, kind in (("results", "result"), ("alerts", "alert")):
            lines = [envelope.line(each) for each in self.seen if each.kind == kind]
            (out / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
        return out


def replayed(*arguments: str | Path) -> Result:
    return CliRunner().invoke(build("replay"), ["replay", *map(str, arguments)])


def identical(out: Path, transitions: int) -> str:
    result = replayed(out)
    assert result.exit_code == 0, result.output
    assert f"identical: {transitions} transitions (phase of every result, every alert)" in result.output
    return result.output


def test_a_calm_run_replays_identically(tmp_path):
    stage = Stage(tmp_path)
    stage.frames([None, NEAR, NEAR, NEAR, NEAR, NEAR, FAR, FAR, None, NEAR, NEAR, NEAR, NEAR, NEAR, FAR], 0)
    said = identical(stage.written(), 4)
    assert "too_close: distance_to(dock) < 3 m, exit > 3.6 m: 2 episodes" in said


def test_a_configuration_that_changes_while_it_runs_replays_identically(tmp_path):
    """A threshold, then what the rule watches, then the camera itself, which comes back."""
    stage = Stage(tmp_path)
    stage.frames([NEAR] * 6, 0)
    stage.made.change([camera(too_close=rule(enter="< 2.8 m", exit="> 3.2 m"))])
    stage.frames([2.9, NEAR], 6)
    stage.made.change([camera(too_close=rule(of={"head": "vehicles", "is": ["forklift"]}))])
    stage.frames([NEAR] * 5, 8)
    stage.made.change([])
    stage.made.change([camera()])
    stage.frames([NEAR] * 5, 13)
    said = identical(stage.written(), 3)
    assert "3 episodes" in said


def test_gated_frames_unknown_ones_ticks_and_a_late_frame_replay_identically(tmp_path):
    stage = Stage(tmp_path, too_close=rule(on_unknown="clear", release="5s"))
    stage.frames([NEAR] * 4, 0)
    stage.feed(reused(4, 3, lease=17), reused(5, 3, lease=17))
    stage.feed(*(tick(1.2 + 0.25 * number, "stalled", lease=17) for number in range(30)))
    stage.feed(frame(43, FAR, lease=17), tick(8.9, lease=17))
    stage.feed(*(frame(seq, NEAR, lease=17) for seq in range(44, 50)))  # the first was read before that tick
    identical(stage.written(), 3)


def test_a_slow_camera_replays_identically(tmp_path):
    stage = Stage(tmp_path, too_close=rule(hold="4s"))
    stage.feed(*(frame(12 * number, NEAR if number > 3 else FAR) for number in range(9)))
    identical(stage.written(), 1)


def test_a_camera_that_is_lost_alarms_again_in_replay(tmp_path):
    stage = Stage(tmp_path, too_close=rule(on_unknown="alarm", hold="4s"))
    stage.frames([FAR] * 3, 0)
    stage.feed(*(tick(0.6 + 0.25 * number, "backoff", lease=17) for number in range(24)))
    identical(stage.written(), 1)


def test_restarts_hours_mutes_and_cooldown_replay_identically(tmp_path):
    clock = HandClock()
    watched = {
        "too_close": rule(notify={"cooldown": "10s"}, hold="0s"),
        "by_night": rule(armed={"thu": "01:00-02:00"}),
        "asked_late": rule(enter="< 2.0 m"),
    }
    stage = Stage(tmp_path, clock=clock, **watched)
    stage.frames([FAR, NEAR, NEAR, FAR, FAR, NEAR], 0)
    stage.restart()
    stage.made.act(CAMERA, ActionRequest(action="mute", by="anna", rule="too_close"))
    stage.made.act(CAMERA, ActionRequest(action="arm", by="anna", rule="by_night", for_seconds=600.0))
    stage.frames([NEAR, FAR, NEAR, NEAR, NEAR, NEAR, NEAR, FAR], 10)
    stage.frames([NEAR, FAR], 100)
    stage.made.act(CAMERA, ActionRequest(action="unmute", by="anna"))
    stage.frames([NEAR, FAR], 20_000)
    out = stage.written()
    identical(out, 12)
    told = [json.loads(line)["data"] for line in (out / "alerts.jsonl").read_text().splitlines()]
    told = [each["notify"] for each in told if each.get("transition") == "start" and each["rule"] == "too_close"]
    assert told == [True, False, False, False, True]


def test_a_threshold_that_is_learnt_replays_as_it_was_then(tmp_path):
    learnt = RuleConfig.model_validate({"measure": "count_in(apron)", "enter": {"false_alarms": "2 per hour"}})
    stage = Stage(tmp_path, crowded=learnt)
    learning = 96 * 30  # seconds; with the last of them the threshold is there, and judges what comes after it
    for start in range(0, learning, 30):
        stage.feed(*(frame(5 * second, None) for second in range(start, start + 30)))
    stage.feed(
        *(frame(5 * (learning + second), metres) for second, metres in enumerate([NEAR, None, NEAR, NEAR, None]))
    )
    out = stage.written()
    results = [
        json.loads(line)["data"]["rules"]["crowded"] for line in (out / "results.jsonl").read_text().splitlines()
    ]
    assert [each["is_known"] for each in results[-6:]] == [False, False, True, True, True, True]
    identical(out, 2)


def test_what_came_twice_counts_once(tmp_path):
    stage = Stage(tmp_path)
    stage.frames([NEAR] * 4, 0)
    stage.feed(*(frame(seq, FAR) for seq in range(4, 7)))
    stage._take()
    stage.seen += stage.seen[-6:]
    assert " repeated" in identical(stage.written(), 2)


def test_lost_results_are_said_and_what_is_there_still_agrees(tmp_path):
    stage = Stage(tmp_path)
    stage.frames([FAR, NEAR, NEAR, NEAR, NEAR, NEAR], 0)
    stage.restart(lost=3)
    stage.frames([NEAR, FAR, FAR, NEAR, NEAR, NEAR, NEAR, NEAR], 6)
    said = identical(stage.written(), 2)
    assert "3 missing in 1 places" in said
    assert "1 alert(s) taken as recorded" in said


def test_a_rule_that_goes_and_comes_back_counts_on(tmp_path):
    stage = Stage(tmp_path)
    stage.frames([NEAR] * 5, 0)
    stage.restart(other=rule(enter="< 1.0 m"))
    stage.frames([NEAR] * 2, 6)
    stage.restart(too_close=rule(), other=rule(enter="< 1.0 m"))
    stage.frames([NEAR] * 5, 9)
    said = identical(stage.written(), 2)
    assert "1 alert(s) taken as recorded" in said


def test_part_of_a_recording_starts_from_what_it_says(tmp_path):
    stage = Stage(tmp_path)
    stage.frames([NEAR] * 6 + [FAR] * 4 + [NEAR] * 6, 0)
    out = stage.written()
    result = replayed(out, "--since", "2026-01-01T00:00:00.9Z", "--until", "2026-01-01T00:00:02.7Z", "--camera", CAMERA)
    assert result.exit_code == 0, result.output
    assert "identical: 2 transitions" in result.output


def test_a_changed_alert_and_a_changed_phase_are_seen(tmp_path):
    stage = Stage(tmp_path)
    stage.frames([NEAR] * 6 + [FAR] * 4, 0)
    out = stage.written()
    alerts = out / "alerts.jsonl"
    alerts.write_text(alerts.read_text().replace('"value":2.5', '"value":2.75', 1))
    result = replayed(out)
    assert result.exit_code == 1
    assert "start 1: value  2.75      2.5" in result.output
    results = out / "results.jsonl"
    results.write_text(results.read_text().replace('"phase":"active"', '"phase":"pending"', 1))
    assert "phase" in replayed(results).output


def test_an_alert_without_a_cause_is_seen(tmp_path):
    stage = Stage(tmp_path)
    stage.frames([NEAR] * 6 + [FAR] * 4, 0)
    out = stage.written()
    alerts = out / "alerts.jsonl"
    alerts.write_text(alerts.read_text() + alerts.read_text().replace("too_close/1/", "too_close/9/"))
    result = replayed(out)
    assert result.exit_code == 1
    assert "did not fire" in result.output


def test_what_if_says_what_would_have_fired(tmp_path):
    stage = Stage(tmp_path)
    stage.frames([FAR, 2.8, 2.8, 2.8, 2.8, FAR, FAR, 2.8, 2.4, 2.4, 2.4, 2.4, FAR, FAR], 0)
    out = stage.written()
    result = replayed(out, "--what-if", "too_close.enter < 2.5 m", "--plot", tmp_path / "plot.png")
    assert result.exit_code == 0
    assert "1 episode, 0.2 s in all instead of 2 episodes" in result.output
    assert "would not fire" in result.output
    assert "starts 0.2 s later" in result.output
    assert cv2.imread(str(tmp_path / "plot.png")).shape[1] == 1000
    longer = replayed(out, "--what-if", "too_close.hold = 2s", "--plot", tmp_path / "plot.html")
    assert "0 episodes, 0.0 s in all instead of 2 episodes" in longer.output
    page = (tmp_path / "plot.html").read_text()
    assert page.count("class='episode'") == 2
    assert "enter 3" in page
    more = replayed(out, "--what-if", "too_close.enter < 5.5 m", "--what-if", "too_close.exit > 6 m")
    assert "1 episode, 2.0 s in all instead of 2 episodes" in more.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("too_close < 2", "expected a change such as"),
        ("too_close.entre < 2 m", "did you mean .enter"),
        ("too_close.enter 2 m", "expected a comparison"),
        ("too_close.hold 2", "expected a duration with a unit"),
    ],
)
def test_a_change_that_is_none_says_what_is_expected(text, said):
    with pytest.raises(ValueError, match=said):
        parse_change(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("too_clos.enter < 2 m", "did you mean 'too_close"),
        ("too_close.enter > 2 m", "expected the direction of < 3 m"),
        ("too_close.enter < 4 m", "exit must lie beyond enter"),
    ],
)
def test_a_change_that_does_not_fit_says_why(tmp_path, text, said):
    stage = Stage(tmp_path)
    stage.frames([NEAR] * 6, 0)
    result = replayed(stage.written(), "--what-if", text)
    assert said in str(result.exception)


def test_nothing_to_replay_says_so(tmp_path):
    assert "is not there" in str(replayed(tmp_path / "none.jsonl").exception)
    (tmp_path / "odd.jsonl").write_text("hello\n")
    assert "line 1 is no event" in str(replayed(tmp_path / "odd.jsonl").exception)
    (tmp_path / "empty.jsonl").write_text("")
    assert "no results" in str(replayed(tmp_path / "empty.jsonl").exception)
    assert "expected a stream of results" in str(replayed("redis://localhost:6379/0").exception)
